import type { Tool, ToolChoice, ToolDeclaration } from "../conversation.js";
import { type JsonObject, object, objects, string } from "../json.js";
import { type Notes, untranslatable } from "../notes.js";
import type { NamedTool } from "../side.js";
import { argumentsObject } from "../tool-arguments.js";

/** Tools of the provider that agents declare in case they are there; a model does without. */
const OPTIONAL = /^(?:web_search|image_generation$|tool_search$)/;

/** The function tools among those declared. Throws Fault `untranslatable` where only the provider has the tool. */
export function readTools(tools: readonly JsonObject[], notes: Notes, namespace = ""): Tool[] {
  const read = tools.flatMap((tool) => readTool(tool, notes, namespace));
  const hosted = tools.find((tool) => OPTIONAL.test(typeOf(tool)));
  if (read.length === 0 && hosted !== undefined) {
    throw untranslatable("hosted_tools", `the tool type "${typeOf(hosted)}"`);
  }
  return read;
}

function readTool(tool: JsonObject, notes: Notes, namespace: string): Tool[] {
  const name = string(tool["name"]) ?? "";
  const type = typeOf(tool);
  if (type === "namespace") return readTools(objects(tool["tools"]), notes, name);
  if (OPTIONAL.test(type)) {
    notes.lose("hosted_optional", `the tool type "${type}"`);
    return [];
  }
  const custom = type === "custom";
  if (!custom && type !== "function") {
    throw untranslatable("hosted_tools", `the tool type "${type}"`);
  }
  if (custom) notes.lose("custom_tool");
  const plain = namespace === "" && !custom;
  return [
    {
      name: flatName(namespace, name),
      description: custom ? customDescription(tool) : string(tool["description"]),
      schema: custom ? CUSTOM_SCHEMA : object(tool["parameters"]),
      strict: !custom && typeof tool["strict"] === "boolean" ? tool["strict"] : undefined,
      asDeclared: plain ? undefined : { name, namespace, custom },
    },
  ];
}

function typeOf(tool: JsonObject): string {
  return (string(tool["type"]) ?? "").slice(0, 64);
}

const CUSTOM_SCHEMA: JsonObject = {
  type: "object",
  properties: { input: { type: "string" } },
  required: ["input"],
  additionalProperties: false,
};

/** A grammar cannot be enforced elsewhere, but a model that reads it keeps to it. */
function customDescription(tool: JsonObject): string {
  const grammar = string(object(tool["format"])?.["definition"]);
  const description = string(tool["description"]) ?? "";
  if (grammar === undefined) return description;
  return `${description}\n\nThe input must follow this grammar:\n${grammar}`;
}

/** The name of a tool where there are no namespaces. */
export function flatName(namespace: string, name: string): string {
  return namespace === "" ? name : `${namespace}__${name}`;
}

/** The tool as its caller declared it; undefined for a plain function. */
export function declaredTool(
  name: string,
  tools: readonly NamedTool[],
): ToolDeclaration | undefined {
  return tools.find((tool) => tool.name === name)?.asDeclared;
}

/** The text that a model gave to a tool which takes text. */
export function customInput(args: string): string {
  const given = argumentsObject(args);
  return string(given["input"]) ?? (Object.keys(given).length === 0 ? "" : args);
}

export function readToolChoice(choice: unknown): ToolChoice | undefined {
  if (choice === "auto") return { kind: "AUTO" };
  if (choice === "none") return { kind: "NONE" };
  if (choice === "required") return { kind: "REQUIRED" };
  const given = object(choice);
  if (given === undefined) return undefined;
  const name = string(given["name"]);
  if (given["type"] === "allowed_tools") throw untranslatable("allowed_tools");
  if (name === undefined) throw untranslatable("hosted_tools");
  return { kind: "TOOL", name: flatName(string(given["namespace"]) ?? "", name) };
}
