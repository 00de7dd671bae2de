import { append } from "../../../core/append.js";
import { unreachable } from "../../../core/assert.js";
import {
  textsOf,
  type Conversation,
  type MediaPart,
  type Part,
  type ReplyFormat,
  type TextPart,
  type ThinkingPart,
  type ToolChoice,
  type ToolResultPart,
  type Turn,
  urlOfMedia,
} from "../conversation.js";
import { effortFor } from "../efforts.js";
import type { JsonObject } from "../json.js";
import { type Notes, untranslatable } from "../notes.js";
import {
  atLeastSome,
  cacheKey,
  isOpenai,
  isReasoningModel,
  limitField,
  outputLimit,
  takesReasoningBack,
  takesStop,
} from "../models.js";
import type { Target } from "../side.js";
import { isStrictSchema, parametersOf } from "../strict-schema.js";
import { detailsFor } from "./openrouter.js";
import { toolCallsIn } from "./parts.js";
import { orderedTurns } from "./turn-order.js";

/** Writes a chat completions request. Throws Fault `untranslatable`. */
export function writeChatRequest(
  conversation: Conversation,
  target: Target,
  notes: Notes,
): JsonObject {
  const { system, turns, stream, stop } = conversation;
  if (conversation.topK !== undefined) notes.lose("top_k");
  const withoutThought = target.toolsWithoutThought === true && conversation.tools.length > 0;
  const messages: JsonObject[] = system.length === 0 ? [] : [systemMessage(system.join("\n\n"))];
  for (const turn of orderedTurns(turns)) {
    for (const message of messagesOf(turn, target, notes)) messages.push(message);
  }
  return {
    model: target.model,
    messages,
    [limitField(target)]: limitOf(conversation.maxTokens, target, notes),
    ...sampling(conversation, target, notes),
    stop: stopOf(stop, target, notes),
    ...toolsOf(conversation),
    response_format: formatOf(conversation.format),
    reasoning_effort: withoutThought ? "none" : effortFor(conversation, target, "CHAT"),
    prompt_cache_key: cacheKey(target),
    stream: stream ? true : undefined,
    stream_options: stream && target.asksUsage ? { include_usage: true } : undefined,
  };
}

/** Models that think fail the request where they are let say no more than a word. */
function limitOf(asked: number | undefined, target: Target, notes: Notes): number | undefined {
  const limit = outputLimit(asked, target.maxOutput);
  return isReasoningModel(target.model) ? atLeastSome(limit, notes) : limit;
}

/** OpenAI itself refuses more of them. */
const STOPS_MAX = 4;

function stopOf(stop: readonly string[], target: Target, notes: Notes): unknown {
  if (stop.length === 0) return undefined;
  const most = isOpenai(target.providerSlug) ? STOPS_MAX : stop.length;
  const isTaken = takesStop(target.model) && target.dislikes?.has("STOP") !== true;
  const taken = isTaken ? stop.slice(0, most) : [];
  if (taken.length < stop.length) notes.lose("stop");
  return taken.length === 0 ? undefined : taken;
}

function sampling(conversation: Conversation, target: Target, notes: Notes): JsonObject {
  const given = {
    temperature: conversation.temperature,
    top_p: conversation.topP,
    seed: conversation.seed,
    frequency_penalty: conversation.frequencyPenalty,
    presence_penalty: conversation.presencePenalty,
  };
  if (!isReasoningModel(target.model) && target.dislikes?.has("SAMPLING") !== true) return given;
  if (Object.values(given).some((value) => value !== undefined)) {
    notes.lose("reasoning_model_sampling");
  }
  return { seed: given.seed };
}

function toolsOf(conversation: Conversation): JsonObject {
  const { tools, toolChoice, parallelTools } = conversation;
  if (tools.length === 0) return {};
  return {
    tools: tools.map((tool) => ({
      type: "function",
      function: {
        name: tool.name,
        description: tool.description,
        parameters: tool.schema === undefined ? undefined : parametersOf(tool.schema),
        strict: tool.strict,
      },
    })),
    tool_choice: choiceOf(toolChoice),
    parallel_tool_calls: parallelTools,
  };
}

function choiceOf(choice: ToolChoice | undefined): unknown {
  if (choice === undefined) return undefined;
  switch (choice.kind) {
    case "TOOL":
      return { type: "function", function: { name: choice.name } };
    case "AUTO":
    case "NONE":
    case "REQUIRED":
      return choice.kind.toLowerCase();
    default:
      return unreachable(choice);
  }
}

function formatOf(format: ReplyFormat | undefined): JsonObject | undefined {
  if (format === undefined) return undefined;
  const { name, schema } = format;
  if (schema === undefined) return { type: "json_object" };
  const strict = format.strict ?? isStrictSchema(schema);
  return { type: "json_schema", json_schema: { name, schema, strict } };
}

function systemMessage(text: string): JsonObject {
  return { role: "system", content: text };
}

/** Of one in the midst of the conversation, which some models take from the user alone. */
function laterSystemMessages(text: string, target: Target, notes: Notes): JsonObject[] {
  if (text === "") return [];
  if (target.dislikes?.has("LATER_SYSTEM_MESSAGE") !== true) return [systemMessage(text)];
  notes.lose("later_system");
  return [{ role: "user", content: text }];
}

function messagesOf(turn: Turn, target: Target, notes: Notes): JsonObject[] {
  switch (turn.role) {
    case "SYSTEM":
      return laterSystemMessages(textOf(turn.parts), target, notes);
    case "ASSISTANT":
      return [assistantMessage(turn.parts, target, notes)];
    case "USER":
      return userMessages(turn.parts, notes);
    default:
      return unreachable(turn.role);
  }
}

function textOf(parts: readonly Part[]): string {
  return textsOf(parts).join("\n\n");
}

function assistantMessage(parts: readonly Part[], target: Target, notes: Notes): JsonObject {
  const said = parts.flatMap((part) =>
    part.kind === "TEXT" || part.kind === "REFUSAL" ? [part.text] : [],
  );
  const toolCalls = toolCallsIn(parts, target.providerSlug === "google");
  const text = said.join("\n\n");
  return {
    role: "assistant",
    content: text === "" && toolCalls !== undefined ? null : text,
    ...thoughts(parts, target, notes),
    tool_calls: toolCalls,
  };
}

/** An empty one is taken for none. */
const NO_THOUGHT = " ";

function thoughts(parts: readonly Part[], target: Target, notes: Notes): JsonObject {
  const thoughts = parts.filter((part): part is ThinkingPart => part.kind === "THINKING");
  const text = thoughts.map((thought) => thought.text).join("");
  if (target.dislikes?.has("MESSAGE_WITHOUT_THOUGHT") === true)
    return { reasoning_content: text === "" ? NO_THOUGHT : text };
  const isOpenrouter = target.providerSlug === "openrouter";
  const details = isOpenrouter ? detailsFor(parts, target.model, notes) : [];
  if (thoughts.length === 0 && details.length === 0) return {};
  if (!takesReasoningBack(target.providerSlug)) {
    notes.lose("thinking_unsigned");
    return {};
  }
  return isOpenrouter
    ? { reasoning: text, reasoning_details: details }
    : { reasoning_content: text };
}

/** Tool results come first: each must follow the message that called for it. */
function userMessages(parts: readonly Part[], notes: Notes): JsonObject[] {
  const messages: JsonObject[] = [];
  const rest: (TextPart | MediaPart)[] = [];
  for (const part of parts) {
    if (part.kind === "TOOL_RESULT") {
      messages.push(toolMessage(part, notes));
      const media = part.parts.filter((each): each is MediaPart => each.kind !== "TEXT");
      if (media.length > 0) notes.lose("tool_image");
      append(rest, media);
    } else if (part.kind !== "THINKING" && part.kind !== "TOOL_CALL") {
      rest.push(part.kind === "REFUSAL" ? { kind: "TEXT", text: part.text } : part);
    }
  }
  if (rest.length > 0 || messages.length === 0) {
    messages.push({ role: "user", content: contentOf(rest, notes) });
  }
  return messages;
}

function toolMessage(result: ToolResultPart, notes: Notes): JsonObject {
  if (result.failed) notes.lose("tool_error");
  const text = result.parts.flatMap((part) => (part.kind === "TEXT" ? [part.text] : []));
  if (text.length === 0 && result.parts.length > 0) text.push("The result follows below.");
  if (text.length === 0 && result.failed) text.push("The tool failed.");
  return { role: "tool", tool_call_id: result.id, content: text.join("\n") };
}

function contentOf(parts: readonly (TextPart | MediaPart)[], notes: Notes): unknown {
  const first = parts[0];
  if (first === undefined) return "";
  if (parts.length === 1 && first.kind === "TEXT") return first.text;
  return parts.map((part) => partOf(part, notes));
}

function partOf(part: TextPart | MediaPart, notes: Notes): JsonObject {
  switch (part.kind) {
    case "TEXT":
      return { type: "text", text: part.text };
    case "IMAGE":
      return imageOf(part, notes);
    case "AUDIO":
      return {
        type: "input_audio",
        input_audio: { data: part.data ?? "", format: audioFormat(part.mediaType) },
      };
    case "DOCUMENT":
      return documentOf(part);
    default:
      return unreachable(part);
  }
}

function imageOf(part: MediaPart, notes: Notes): JsonObject {
  const isOriginal = part.detail === "original";
  if (isOriginal) notes.lose("image_detail");
  const detail = isOriginal ? "high" : part.detail;
  return { type: "image_url", image_url: { url: urlOfMedia(part), detail } };
}

/** `mp3` and `wav` are what there is; media types have several names for them. */
function audioFormat(mediaType: string): string {
  const name = mediaType.replace(/^audio\/(?:x-)?/, "");
  return name === "mpeg" ? "mp3" : name === "wave" ? "wav" : name;
}

function documentOf(part: MediaPart): JsonObject {
  if (part.data === undefined) throw untranslatable("document_url");
  if (part.mediaType.startsWith("text/")) {
    return { type: "text", text: Buffer.from(part.data, "base64").toString("utf8") };
  }
  const filename = part.name ?? "document.pdf";
  return { type: "file", file: { filename, file_data: urlOfMedia(part) } };
}
