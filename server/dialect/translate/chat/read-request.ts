import { append } from "../../../core/append.js";
import {
  textsOf,
  type Conversation,
  mediaOfUrl,
  type MediaPart,
  type Part,
  type TextPart,
  type Tool,
  type ToolChoice,
  type Turn,
} from "../conversation.js";
import { boolean, type JsonObject, list, number, object, string } from "../json.js";
import { malformed, type Notes, untranslatable } from "../notes.js";
import {
  entries,
  entriesIfGiven,
  numberIn,
  openaiFormat,
  unknownPart,
} from "../request-members.js";
import type { CallFacts } from "../side.js";
import { thoughtsBroughtBack, toolCallOf } from "./parts.js";

const READ = new Set([
  "model",
  "messages",
  "stream",
  "stream_options",
  "max_tokens",
  "max_completion_tokens",
  "temperature",
  "top_p",
  "top_k",
  "seed",
  "frequency_penalty",
  "presence_penalty",
  "stop",
  "n",
  "logprobs",
  "top_logprobs",
  "logit_bias",
  "functions",
  "function_call",
  "tools",
  "tool_choice",
  "parallel_tool_calls",
  "response_format",
  "reasoning_effort",
  "reasoning",
  "modalities",
  "audio",
  "web_search_options",
]);

/** Members that requests to OpenAI's Responses API have too. */
const OPENAIS = [
  "service_tier",
  "prompt_cache_key",
  "prompt_cache_options",
  "prompt_cache_retention",
  "safety_identifier",
  "user",
  "metadata",
  "moderation",
  "verbosity",
];

/** Reads a chat completions request. Throws Fault `malformed_request`, `untranslatable`. */
export function readChatRequest(body: JsonObject, call: CallFacts, notes: Notes): Conversation {
  refuseOddities(body);
  const openais = Object.fromEntries(
    OPENAIS.filter((name) => given(body[name])).map((name) => [name, body[name]]),
  );
  notes.unread(body, READ);
  const { system, turns } = readMessages(entries(body["messages"], "messages"));
  return {
    system,
    turns,
    tools: entriesIfGiven(body["tools"], "tools").map(readTool),
    toolChoice: readToolChoice(body["tool_choice"]),
    parallelTools: boolean(body["parallel_tool_calls"]),
    maxTokens: numberIn(body, "max_completion_tokens") ?? numberIn(body, "max_tokens"),
    temperature: numberIn(body, "temperature"),
    topP: numberIn(body, "top_p"),
    topK: numberIn(body, "top_k"),
    seed: numberIn(body, "seed"),
    frequencyPenalty: numberIn(body, "frequency_penalty"),
    presencePenalty: numberIn(body, "presence_penalty"),
    stop: stopOf(body["stop"]),
    stream: call.streamed,
    usageAsked: object(body["stream_options"])?.["include_usage"] === true,
    format: openaiFormat(object(body["response_format"]), schemaIn),
    openais,
    effort: string(body["reasoning_effort"]) ?? string(object(body["reasoning"])?.["effort"]),
  };
}

function given(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function refuseOddities(body: JsonObject): void {
  if ((number(body["n"]) ?? 1) > 1) throw untranslatable("choices");
  if (body["logprobs"] === true) throw untranslatable("logprobs");
  if (Object.keys(object(body["logit_bias"]) ?? {}).length > 0) throw untranslatable("logit_bias");
  if (list(body["functions"]).length > 0) throw untranslatable("functions");
  if (list(body["modalities"]).includes("audio")) throw untranslatable("audio_reply");
  if (object(body["audio"]) !== undefined) throw untranslatable("audio_reply");
  if (object(body["web_search_options"]) !== undefined) throw untranslatable("web_search");
}

/** What stands before the first turn is the system prompt; later instructions keep their place. */
function readMessages(messages: readonly JsonObject[]): { system: string[]; turns: Turn[] } {
  const system: string[] = [];
  const turns: Turn[] = [];
  for (const message of messages) {
    const turn = readMessage(message);
    if (turn.role === "SYSTEM" && turns.length === 0) {
      append(system, textsOf(turn.parts));
    } else turns.push(turn);
  }
  return { system, turns };
}

function readMessage(message: JsonObject): Turn {
  switch (message["role"]) {
    case "system":
    case "developer":
      return { role: "SYSTEM", parts: readContent(message["content"]) };
    case "user":
      return { role: "USER", parts: readContent(message["content"]) };
    case "assistant":
      return { role: "ASSISTANT", parts: readAssistant(message) };
    case "tool":
      return { role: "USER", parts: [readToolResult(message)] };
    case "function":
      throw untranslatable("functions");
    default:
      throw malformed('Each message needs a "role" of system, developer, user, assistant or tool.');
  }
}

function readAssistant(message: JsonObject): Part[] {
  if (object(message["audio"]) !== undefined) throw untranslatable("audio_past");
  if (object(message["function_call"]) !== undefined) throw untranslatable("functions");
  const parts: Part[] = [
    ...thoughtsBroughtBack(message),
    ...readAssistantContent(message["content"]),
  ];
  const refusal = string(message["refusal"]);
  if (refusal !== undefined && refusal !== "") parts.push({ kind: "REFUSAL", text: refusal });
  for (const toolCall of entriesIfGiven(message["tool_calls"], "tool_calls")) {
    if (object(toolCall["custom"]) !== undefined) throw untranslatable("custom_tools");
    parts.push(toolCallOf(toolCall, string(toolCall["id"]) ?? ""));
  }
  return parts;
}

function readAssistantContent(content: unknown): Part[] {
  if (!Array.isArray(content)) return readContent(content);
  return entries(content, "content").flatMap((part): Part[] => {
    // Thoughts among the content are read with the other forms of thoughts.
    if (part["type"] === "thinking") return [];
    if (part["type"] === "refusal") {
      return [{ kind: "REFUSAL", text: string(part["refusal"]) ?? "" }];
    }
    return [readPart(part)];
  });
}

function readToolResult(message: JsonObject): Part {
  return {
    kind: "TOOL_RESULT",
    id: string(message["tool_call_id"]) ?? "",
    name: string(message["name"]) ?? "",
    parts: readContent(message["content"]),
    failed: false,
  };
}

function readContent(content: unknown): (TextPart | MediaPart)[] {
  if (typeof content === "string") return content === "" ? [] : [{ kind: "TEXT", text: content }];
  return entriesIfGiven(content, "content").map(readPart);
}

function readPart(part: JsonObject): TextPart | MediaPart {
  switch (part["type"]) {
    case "text":
      return { kind: "TEXT", text: string(part["text"]) ?? "" };
    case "image_url": {
      const image = object(part["image_url"]);
      const url = string(image?.["url"]) ?? string(part["image_url"]) ?? "";
      return { ...mediaOfUrl("IMAGE", url), detail: string(image?.["detail"]) };
    }
    case "file":
      return readFile(object(part["file"]) ?? {});
    case "input_audio": {
      const audio = object(part["input_audio"]);
      return {
        kind: "AUDIO",
        mediaType: `audio/${string(audio?.["format"]) ?? "wav"}`,
        data: string(audio?.["data"]) ?? "",
        url: undefined,
        name: undefined,
        detail: undefined,
      };
    }
    default:
      throw unknownPart(part["type"]);
  }
}

function readFile(file: JsonObject): MediaPart {
  const data = string(file["file_data"]);
  if (data === undefined) throw untranslatable("file_id");
  const media = data.startsWith("data:")
    ? mediaOfUrl("DOCUMENT", data)
    : mediaOfUrl("DOCUMENT", `data:application/pdf;base64,${data}`);
  return { ...media, name: string(file["filename"]) };
}

function readTool(tool: JsonObject): Tool {
  const given = object(tool["function"]);
  if (given === undefined) throw untranslatable("custom_tools");
  return {
    name: string(given["name"]) ?? "",
    description: string(given["description"]),
    schema: object(given["parameters"]),
    strict: boolean(given["strict"]),
    asDeclared: undefined,
  };
}

function readToolChoice(choice: unknown): ToolChoice | undefined {
  if (choice === "auto") return { kind: "AUTO" };
  if (choice === "none") return { kind: "NONE" };
  // Mistral's word for it.
  if (choice === "required" || choice === "any") return { kind: "REQUIRED" };
  const given = object(choice);
  if (given === undefined) return undefined;
  if (given["type"] === "allowed_tools") throw untranslatable("allowed_tools");
  const name = string(object(given["function"])?.["name"]);
  if (name === undefined) throw untranslatable("custom_tools");
  return { kind: "TOOL", name };
}

function schemaIn(format: JsonObject): JsonObject {
  const given = object(format["json_schema"]);
  if (given === undefined) throw malformed('"json_schema" must be an object.');
  return given;
}

function stopOf(stop: unknown): string[] {
  if (typeof stop === "string") return [stop];
  return list(stop).flatMap((each) => string(each) ?? []);
}
