import { append } from "../../../core/append.js";
import {
  textsOf,
  type Conversation,
  mediaOfUrl,
  type MediaPart,
  mergedTurns,
  type Part,
  type TextPart,
  type Tool,
  type Turn,
} from "../conversation.js";
import { boolean, type JsonObject, object, objects, string, writeJson } from "../json.js";
import { itemsOfKept } from "../kept-response.js";
import { malformed, type Notes, untranslatable } from "../notes.js";
import {
  entries,
  entriesIfGiven,
  kindOf,
  numberIn,
  openaiFormat,
  unknownPart,
} from "../request-members.js";
import type { CallFacts } from "../side.js";
import { callOf } from "./reply.js";
import { settingsOf } from "./settings.js";
import { readToolChoice, readTools } from "./tools.js";
import { thoughtOf } from "./thoughts.js";

const READ = new Set([
  "model",
  "input",
  "instructions",
  "stream",
  "max_output_tokens",
  "temperature",
  "top_p",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "text",
  "reasoning",
  "previous_response_id",
  "store",
  "conversation",
  "prompt",
  "background",
]);

/** Reads a request to the Responses API. Throws Fault `malformed_request`, `untranslatable`. */
export function readResponsesRequest(
  body: JsonObject,
  call: CallFacts,
  notes: Notes,
): Conversation {
  notes.unread(body, READ);
  for (const name of ["conversation", "prompt"]) {
    if (body[name] !== undefined && body[name] !== null) throw untranslatable("stored_items");
  }
  if (body["background"] === true) throw untranslatable("background");
  const previousId = string(body["previous_response_id"]);
  const input = itemsOf(body["input"]).flatMap((item) => resolved(item, call));
  const items = [...earlier(previousId, call), ...input];
  const { system, turns } = turnsOf(items, notes);
  const instructions = string(body["instructions"]) ?? "";
  // Some agents add tools in the middle of the input, or have the model find them there.
  const added = items.filter((item) => ADDS_TOOLS.has(item["type"]));
  const tools = [body, ...added].flatMap((each) => objects(each["tools"]));
  return {
    system: instructions === "" ? system : [instructions, ...system],
    turns,
    tools: distinct(readTools(tools, notes)),
    toolChoice: readToolChoice(body["tool_choice"]),
    parallelTools: boolean(body["parallel_tool_calls"]),
    maxTokens: numberIn(body, "max_output_tokens"),
    temperature: numberIn(body, "temperature"),
    topP: numberIn(body, "top_p"),
    topK: undefined,
    seed: undefined,
    frequencyPenalty: undefined,
    presencePenalty: undefined,
    stop: [],
    stream: call.streamed,
    usageAsked: true,
    asked: body["store"] === false ? undefined : { previousId, input: writeJson(input) },
    settings: settingsOf(body),
    format: openaiFormat(object(object(body["text"])?.["format"]), (format) => format),
    thoughtsShown: string(object(body["reasoning"])?.["summary"]) === undefined ? undefined : true,
    effort: effortOf([body, ...items.filter((item) => item["type"] === "configuration_update")]),
  };
}

/** As said last: an item inside the conversation may change it. */
function effortOf(saying: readonly JsonObject[]): string | undefined {
  return saying.flatMap((each) => string(object(each["reasoning"])?.["effort"]) ?? []).at(-1);
}

function earlier(previousId: string | undefined, call: CallFacts): readonly JsonObject[] {
  if (previousId === undefined) return [];
  const kept = call.memory?.conversation(previousId);
  if (kept === undefined) throw untranslatable("stored_items");
  return itemsOfKept(kept);
}

/** The item itself where the caller only names it. */
function resolved(item: JsonObject, call: CallFacts): readonly JsonObject[] {
  if (item["type"] !== "item_reference") return [item];
  const kept = call.memory?.item(string(item["id"]) ?? "");
  if (kept === undefined) throw untranslatable("stored_items");
  return itemsOfKept([kept]);
}

const ADDS_TOOLS = new Set<unknown>(["additional_tools", "tool_search_output"]);

/** A tool that was found is often declared already. */
function distinct(tools: readonly Tool[]): Tool[] {
  return [...new Map(tools.map((tool) => [tool.name, tool])).values()];
}

function itemsOf(input: unknown): JsonObject[] {
  if (typeof input === "string") return [{ role: "user", content: input }];
  if (!Array.isArray(input)) throw malformed('"input" must be a text or a list.');
  return entries(input, "input");
}

/** Turns from items: what the model said in one go is spread over several of them. */
function turnsOf(items: readonly JsonObject[], notes: Notes): { system: string[]; turns: Turn[] } {
  const system: string[] = [];
  const turns: Turn[] = [];
  for (const item of items) {
    const turn = readItem(item, notes);
    if (turn === undefined) continue;
    if (turn.role === "SYSTEM" && turns.length === 0) {
      append(system, textsOf(turn.parts));
    } else turns.push(turn);
  }
  const joined = mergedTurns(
    turns,
    (before, next) => next.role === "ASSISTANT" || (isOfResults(before) && isOfResults(next)),
  );
  return { system, turns: joined };
}

/** A message holds no result, and an item that is a result holds nothing else. */
function isOfResults(turn: Turn): boolean {
  return turn.parts[0]?.kind === "TOOL_RESULT";
}

function readItem(item: JsonObject, notes: Notes): Turn | undefined {
  const type = string(item["type"]) ?? "message";
  switch (type) {
    case "message":
      return readMessage(item);
    case "agent_message":
      return { role: "USER", parts: agentTexts(item["content"]) };
    case "reasoning":
      return { role: "ASSISTANT", parts: [thoughtOf(item)] };
    case "function_call":
    case "custom_tool_call":
      return { role: "ASSISTANT", parts: [callOf(item)] };
    case "function_call_output":
    case "custom_tool_call_output":
      return { role: "USER", parts: [readResult(item)] };
    case "configuration_update":
    case "additional_tools":
    case "tool_search_call":
    case "tool_search_output":
      return undefined;
    // Records of what the provider's own tools did: the text after them tells the result.
    case "web_search_call":
    case "image_generation_call":
      notes.lose("hosted_optional");
      return undefined;
    default:
      throw untranslatable("unknown_part", `the item type "${kindOf(type)}"`);
  }
}

const ROLES: Readonly<Record<string, Turn["role"]>> = {
  user: "USER",
  assistant: "ASSISTANT",
  system: "SYSTEM",
  developer: "SYSTEM",
};

function readMessage(item: JsonObject): Turn {
  const role = ROLES[string(item["role"]) ?? ""];
  if (role === undefined) {
    throw malformed('Each message needs a "role" of system, developer, user or assistant.');
  }
  return { role, parts: contentOf(item["content"]) };
}

/** What one agent says to another, which Codex calls encrypted also where no model of OpenAI's encrypted it. */
function agentTexts(content: unknown): ContentPart[] {
  if (typeof content === "string") return contentOf(content);
  return entriesIfGiven(content, "content").map((part) => {
    if (part["type"] !== "encrypted_content") return readPart(part);
    const text = string(part["encrypted_content"]) ?? "";
    if (ENCRYPTED.test(text)) throw untranslatable("agent_message");
    return { kind: "TEXT", text };
  });
}

/** How all that OpenAI encrypts begins: a version, and the first bytes of a time, in base64. */
const ENCRYPTED = /^gAAAA/;

function readResult(item: JsonObject): Part {
  const parts = contentOf(item["output"]).filter(
    (part): part is TextPart | MediaPart => part.kind !== "REFUSAL",
  );
  const id = string(item["call_id"]) ?? "";
  return { kind: "TOOL_RESULT", id, name: "", parts, failed: false };
}

type ContentPart = TextPart | MediaPart | (Part & { kind: "REFUSAL" });

function contentOf(content: unknown): ContentPart[] {
  if (typeof content === "string") return content === "" ? [] : [{ kind: "TEXT", text: content }];
  return entriesIfGiven(content, "content").map(readPart);
}

function readPart(part: JsonObject): ContentPart {
  switch (part["type"]) {
    case "input_text":
    case "output_text":
    case "text":
      return { kind: "TEXT", text: string(part["text"]) ?? "" };
    case "refusal":
      return { kind: "REFUSAL", text: string(part["refusal"]) ?? "" };
    case "input_image": {
      const url = string(part["image_url"]);
      if (url === undefined) throw untranslatable("file_id");
      return { ...mediaOfUrl("IMAGE", url), detail: string(part["detail"]) };
    }
    case "input_file":
      return fileOf(part);
    default:
      throw unknownPart(part["type"]);
  }
}

function fileOf(part: JsonObject): MediaPart {
  const data = string(part["file_data"]) ?? string(part["file_url"]);
  if (data === undefined) throw untranslatable("file_id");
  const isUrl = /^(?:data|https?):/.test(data.slice(0, 8));
  const url = isUrl ? data : `data:application/pdf;base64,${data}`;
  return { ...mediaOfUrl("DOCUMENT", url), name: string(part["filename"]) };
}
