import {
  type Conversation,
  type MediaPart,
  type Part,
  type ReplyFormat,
  type TextPart,
  type Tool,
  type ToolChoice,
  type Turn,
} from "../conversation.js";
import { type JsonObject, list, number, object, objects, string } from "../json.js";
import { malformed, type Notes, untranslatable } from "../notes.js";
import { entries, entriesIfGiven, kindOf, numberIn } from "../request-members.js";
import { effortOfBudget } from "../efforts.js";
import type { CallFacts } from "../side.js";
import { isStrictSchema } from "../strict-schema.js";
import { modelsPart } from "./read-block.js";

const READ = new Set([
  "model",
  "messages",
  "system",
  "max_tokens",
  "stream",
  "temperature",
  "top_p",
  "top_k",
  "stop_sequences",
  "tools",
  "tool_choice",
  "output_config",
  "output_format",
  "thinking",
  "context_management",
  "metadata",
  "mcp_servers",
  "container",
  "cache_control",
  "thread",
  "compaction",
]);

/** Reads a request to Anthropic's Messages API. Throws Fault `malformed_request`, `untranslatable`. */
export function readMessagesRequest(body: JsonObject, call: CallFacts, notes: Notes): Conversation {
  notes.unread(body, READ);
  noteLosses(body, notes);
  const choice = object(body["tool_choice"]);
  const oneByOne = choice?.["disable_parallel_tool_use"];
  return {
    system: systemOf(body["system"], notes),
    turns: entries(body["messages"], "messages").map((message) => readTurn(message, notes)),
    tools: entriesIfGiven(body["tools"], "tools").map((tool) => readTool(tool, notes)),
    toolChoice: readToolChoice(choice),
    parallelTools: typeof oneByOne === "boolean" ? !oneByOne : undefined,
    maxTokens: numberIn(body, "max_tokens"),
    temperature: numberIn(body, "temperature"),
    topP: numberIn(body, "top_p"),
    topK: numberIn(body, "top_k"),
    seed: undefined,
    frequencyPenalty: undefined,
    presencePenalty: undefined,
    stop: list(body["stop_sequences"]).flatMap((each) => string(each) ?? []),
    stream: call.streamed,
    usageAsked: true,
    format: formatOf(body),
    effort: effortOf(body),
    effortInferred: true,
    thoughtsShown: thoughtsShown(object(body["thinking"])),
  };
}

/** Undefined for a caller who says nothing of thinking. */
function thoughtsShown({ type, display }: JsonObject = {}): boolean | undefined {
  return type === "adaptive" || type === "enabled" ? display !== "omitted" : undefined;
}

/** Anthropic's words, which OpenAI has as well. */
const EFFORTS: ReadonlySet<string> = new Set(["low", "medium", "high", "xhigh", "max"]);

function effortOf(body: JsonObject): string | undefined {
  const thinking = object(body["thinking"]);
  if (thinking?.["type"] === "disabled") return "none";
  const said = saidEffort(body);
  if (EFFORTS.has(said)) return said;
  const budget = number(thinking?.["budget_tokens"]);
  return budget === undefined || thinking?.["type"] !== "enabled"
    ? undefined
    : effortOfBudget(budget);
}

/** A system message inside the conversation may change it for what follows. */
function saidEffort(body: JsonObject): string {
  const directives = objects(body["messages"]).filter(({ role }) => role === "system");
  const said = [body, ...directives].flatMap(
    (each) => string(object(each["output_config"])?.["effort"]) ?? [],
  );
  return said.at(-1) ?? "";
}

function noteLosses(body: JsonObject, notes: Notes): void {
  if (list(body["mcp_servers"]).length > 0 || given(body["container"])) {
    throw untranslatable("mcp_servers");
  }
  if (given(body["thread"])) throw untranslatable("thread", undefined, "thread");
  if (given(body["compaction"])) throw untranslatable("compaction");
  if (given(body["thinking"]) || given(object(body["output_config"])?.["effort"])) {
    notes.lose("thinking");
  }
  if (given(body["context_management"])) notes.lose("context_management");
  if (given(body["metadata"])) notes.lose("metadata");
  if (given(body["cache_control"])) notes.lose("cache_control");
}

function given(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function systemOf(system: unknown, notes: Notes): string[] {
  if (typeof system === "string") return system === "" ? [] : [system];
  return entriesIfGiven(system, "system").flatMap((block) => {
    if (given(block["cache_control"])) notes.lose("cache_control");
    const text = string(block["text"]) ?? "";
    if (!text.startsWith(BILLING)) return [text];
    notes.lose("billing_line");
    return [];
  });
}

/** Versions of Claude Code say this first, another one with each request. */
const BILLING = "x-anthropic-billing-header:";

const ROLES: Readonly<Record<string, Turn["role"]>> = {
  user: "USER",
  assistant: "ASSISTANT",
  system: "SYSTEM",
};

function readTurn(message: JsonObject, notes: Notes): Turn {
  const role = ROLES[string(message["role"]) ?? ""];
  if (role === undefined) throw malformed('Each message needs a "role" of user or assistant.');
  const { content } = message;
  if (typeof content === "string") {
    return { role, parts: content === "" ? [] : [{ kind: "TEXT", text: content }] };
  }
  return { role, parts: entries(content, "content").flatMap((block) => readBlock(block, notes)) };
}

function readBlock(block: JsonObject, notes: Notes): Part[] {
  if (given(block["cache_control"])) notes.lose("cache_control");
  const ofModel = modelsPart(block);
  if (ofModel !== undefined) return [ofModel];
  if (block["type"] !== "tool_result") return readContent(block, notes);
  return [
    {
      kind: "TOOL_RESULT",
      id: string(block["tool_use_id"]) ?? "",
      name: "",
      parts: contentOf(block["content"], notes),
      failed: block["is_error"] === true,
    },
  ];
}

function contentOf(content: unknown, notes: Notes): (TextPart | MediaPart)[] {
  if (typeof content === "string") return content === "" ? [] : [{ kind: "TEXT", text: content }];
  return entriesIfGiven(content, "content").flatMap((block) => readContent(block, notes));
}

function readContent(block: JsonObject, notes: Notes): (TextPart | MediaPart)[] {
  if (given(block["citations"])) notes.lose("citations");
  switch (block["type"]) {
    case "text":
      return [{ kind: "TEXT", text: string(block["text"]) ?? "" }];
    case "image":
      return [mediaOf("IMAGE", object(block["source"]) ?? {}, undefined)];
    case "document":
      return documentOf(block, notes);
    case "search_result": {
      const heading = `${string(block["title"]) ?? ""}\n${string(block["source"]) ?? ""}`;
      return [{ kind: "TEXT", text: heading.trim() }, ...contentOf(block["content"], notes)];
    }
    // Every tool is sent at once, so that one was found says nothing more than its name.
    case "tool_reference":
      return [{ kind: "TEXT", text: `Tool available: ${string(block["tool_name"]) ?? ""}` }];
    default: {
      const kind = kindOf(block["type"]);
      const ofServer = /^(?:server_tool_use|mcp_|.*_tool_result$|compaction|container_)/.test(kind);
      throw untranslatable(
        ofServer ? "server_tool_past" : "unknown_part",
        `content of type "${kind}"`,
      );
    }
  }
}

function documentOf(block: JsonObject, notes: Notes): (TextPart | MediaPart)[] {
  const source = object(block["source"]) ?? {};
  const name = string(block["title"]);
  const context = string(block["context"]) ?? "";
  const about: TextPart[] = context === "" ? [] : [{ kind: "TEXT", text: context }];
  if (source["type"] === "content") return [...about, ...contentOf(source["content"], notes)];
  if (source["type"] !== "text") return [...about, mediaOf("DOCUMENT", source, name)];
  const data = Buffer.from(string(source["data"]) ?? "").toString("base64");
  return [...about, mediaOf("DOCUMENT", { type: "base64", media_type: "text/plain", data }, name)];
}

function mediaOf(
  kind: "IMAGE" | "DOCUMENT",
  source: JsonObject,
  name: string | undefined,
): MediaPart {
  if (source["type"] === "file") throw untranslatable("file_id");
  return {
    kind,
    mediaType: string(source["media_type"]) ?? "",
    data: string(source["data"]),
    url: string(source["url"]),
    name,
    detail: undefined,
  };
}

function readTool(tool: JsonObject, notes: Notes): Tool {
  const type = string(tool["type"]) ?? "custom";
  const schema = object(tool["input_schema"]);
  if (type !== "custom" || schema === undefined) {
    throw untranslatable("server_tools", `the tool type "${kindOf(type)}"`);
  }
  if (given(tool["cache_control"])) notes.lose("cache_control");
  if (tool["defer_loading"] === true || given(tool["allowed_callers"])) notes.lose("tool_extras");
  return {
    name: string(tool["name"]) ?? "",
    description: string(tool["description"]),
    schema,
    strict: tool["strict"] === true && isStrictSchema(schema) ? true : undefined,
    asDeclared: undefined,
  };
}

function readToolChoice(choice: JsonObject | undefined): ToolChoice | undefined {
  switch (choice?.["type"]) {
    case "auto":
      return { kind: "AUTO" };
    case "any":
      return { kind: "REQUIRED" };
    case "none":
      return { kind: "NONE" };
    case "tool":
      return { kind: "TOOL", name: string(choice["name"]) ?? "" };
    default:
      return undefined;
  }
}

function formatOf(body: JsonObject): ReplyFormat | undefined {
  const format = object(object(body["output_config"])?.["format"]) ?? object(body["output_format"]);
  const schema = object(format?.["schema"]);
  return schema === undefined ? undefined : { name: "reply", schema, strict: undefined };
}
