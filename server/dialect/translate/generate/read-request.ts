import type { Conversation, Tool, ToolChoice } from "../conversation.js";
import { type JsonObject, list, object, objects, string } from "../json.js";
import { type Notes, untranslatable } from "../notes.js";
import { numberOrTextIn } from "../request-members.js";
import { effortOfBudget } from "../efforts.js";
import type { CallFacts } from "../side.js";
import { plainRequest } from "./proto-json.js";
import { readFormat } from "./read-format.js";
import { readContents, readSystem } from "./read-contents.js";
import { jsonSchemaOf } from "./schema.js";

const READ = new Set([
  "model",
  "contents",
  "systemInstruction",
  "tools",
  "toolConfig",
  "generationConfig",
  "cachedContent",
  "safetySettings",
  "labels",
  "modelArmorConfig",
]);

/** Reads a generateContent request. Throws Fault `malformed_request`, `untranslatable`. */
export function readGenerateRequest(
  given: JsonObject,
  call: CallFacts,
  notes: Notes,
): Conversation {
  const body = plainRequest(given);
  notes.unread(body, READ);
  if (body["cachedContent"] !== undefined) throw untranslatable("cached_content");
  for (const name of ["safetySettings", "labels", "modelArmorConfig"]) {
    if (body[name] !== undefined) notes.lose("gemini_extras");
  }
  const config = object(body["generationConfig"]) ?? {};
  refuseOddities(config, notes);
  const { format, instruction } = readFormat(config, notes);
  const system = readSystem(body["systemInstruction"]);
  const chosen = choiceOf(object(body["toolConfig"]));
  const tools = objects(body["tools"]).flatMap(readTools);
  return {
    system: instruction === undefined ? system : [...system, instruction],
    turns: readContents(body["contents"]),
    tools: chosen.only.size === 0 ? tools : tools.filter((tool) => chosen.only.has(tool.name)),
    toolChoice: chosen.choice,
    parallelTools: undefined,
    maxTokens: numberOrTextIn(config, "maxOutputTokens"),
    temperature: numberOrTextIn(config, "temperature"),
    topP: numberOrTextIn(config, "topP"),
    topK: numberOrTextIn(config, "topK"),
    seed: numberOrTextIn(config, "seed"),
    frequencyPenalty: numberOrTextIn(config, "frequencyPenalty"),
    presencePenalty: numberOrTextIn(config, "presencePenalty"),
    stop: list(config["stopSequences"]).flatMap((each) => string(each) ?? []),
    stream: call.streamed,
    usageAsked: true,
    format,
    effort: effortOf(object(config["thinkingConfig"])),
    effortInferred: true,
    thoughtsShown: object(config["thinkingConfig"])?.["includeThoughts"] === true,
  };
}

/** Google's levels, which OpenAI has as well. */
const LEVELS: ReadonlySet<string> = new Set(["minimal", "low", "medium", "high"]);

/** A negative budget leaves it to the model. */
function effortOf(thinking: JsonObject | undefined): string | undefined {
  const level = string(thinking?.["thinkingLevel"])?.toLowerCase() ?? "";
  if (LEVELS.has(level)) return level;
  const budget = numberOrTextIn(thinking ?? {}, "thinkingBudget");
  return budget === undefined || budget < 0 ? undefined : effortOfBudget(budget);
}

function refuseOddities(config: JsonObject, notes: Notes): void {
  if ((numberOrTextIn(config, "candidateCount") ?? 1) > 1) throw untranslatable("candidates");
  if (config["responseLogprobs"] === true) throw untranslatable("logprobs", '"responseLogprobs"');
  const modalities = list(config["responseModalities"]);
  const onlyText = modalities.every((each) => string(each)?.toUpperCase() === "TEXT");
  if (!onlyText || config["speechConfig"] !== undefined || config["imageConfig"] !== undefined) {
    throw untranslatable("gemini_modalities");
  }
  if (config["mediaResolution"] !== undefined) notes.lose("gemini_extras");
  if (config["thinkingConfig"] !== undefined) notes.lose("gemini_thinking");
}

function readTools(tool: JsonObject): Tool[] {
  const hosted = Object.keys(tool).find((key) => key !== "functionDeclarations");
  if (hosted !== undefined) throw untranslatable("gemini_tools", `the tool "${hosted}"`);
  return objects(tool["functionDeclarations"]).map((each) => {
    const schema = object(each["parametersJsonSchema"]) ?? object(each["parameters"]);
    return {
      name: string(each["name"]) ?? "",
      description: string(each["description"]),
      schema: schema && jsonSchemaOf(schema),
      strict: undefined,
      asDeclared: undefined,
    };
  });
}

function choiceOf(config: JsonObject | undefined): {
  choice: ToolChoice | undefined;
  only: ReadonlySet<string>;
} {
  const calling = object(config?.["functionCallingConfig"]);
  const names = list(calling?.["allowedFunctionNames"]).flatMap((each) => string(each) ?? []);
  const only = new Set(names);
  const [name] = names;
  switch (calling?.["mode"]) {
    case "NONE":
      return { choice: { kind: "NONE" }, only: new Set() };
    case "ANY":
      if (name !== undefined && names.length === 1) return { choice: { kind: "TOOL", name }, only };
      return { choice: { kind: "REQUIRED" }, only };
    case "AUTO":
    case "VALIDATED":
      return { choice: { kind: "AUTO" }, only };
    default:
      return { choice: undefined, only };
  }
}
