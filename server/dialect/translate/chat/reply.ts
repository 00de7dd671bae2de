import { NO_TOKENS, type TokenUsage } from "../../../core/call.js";
import { openaiTokens } from "../../tokens.js";
import { type JsonObject, list, nonEmpty, object, objects, plainNumbers, string } from "../json.js";
import {
  type Failure,
  type Reply,
  type ReplyPart,
  type Stop,
  stopped,
  stopWithTools,
} from "../reply.js";
import { failureStatus, NO_REASON } from "../failures.js";
import type { CallFacts } from "../side.js";
import { chatUsage } from "../usage.js";
import type { ThinkingPart } from "../conversation.js";
import { contentText, detailOf, thoughtsOf, toolCallOf, toolCallsIn } from "./parts.js";

/** Reads a whole chat completion. */
export function readChatReply(body: JsonObject, call: CallFacts): Reply {
  const choice = objects(body["choices"])[0] ?? {};
  const message = object(choice["message"]) ?? {};
  const toolCalls = objects(message["tool_calls"]);
  const parts: ReplyPart[] = [...thoughtsOf(message)];
  const text = contentText(message["content"]);
  if (text !== "") parts.push({ kind: "TEXT", text });
  const refusal = string(message["refusal"]) ?? "";
  if (refusal !== "") parts.push({ kind: "REFUSAL", text: refusal });
  const ids = new CallIds();
  toolCalls.forEach((toolCall, index) => {
    parts.push(toolCallOf(toolCall, ids.unique(idOf(toolCall, call, index), index)));
  });
  return {
    id: nonEmpty(body["id"]) ?? call.id,
    model: nonEmpty(body["model"]) ?? call.modelAsked,
    parts,
    stop: chatStop(choice["finish_reason"], toolCalls.length > 0, refusal !== ""),
    usage: chatTokens(body["usage"]),
  };
}

/** A tool call's id; one that is unique in the conversation where the provider gives none. */
export function idOf(toolCall: JsonObject, call: CallFacts, index: number): string {
  return nonEmpty(toolCall["id"]) ?? `call_${call.id}_${String(index)}`;
}

/** The ids of the calls of one reply. Some providers give several calls one id, and callers tell results by it. */
export class CallIds {
  readonly #taken = new Set<string>();

  /** The id of the call so many calls come before, which no other one of the reply has. */
  unique(id: string, index: number): string {
    const own = this.#taken.has(id) ? `${id}_${String(index)}` : id;
    this.#taken.add(own);
    return own;
  }
}

export function chatStop(reason: unknown, callsTools: boolean, refuses: boolean): Stop {
  switch (reason) {
    case "length":
    // Mistral's and Zhipu's words.
    case "model_length":
      return stopped("LENGTH");
    case "content_filter":
    case "sensitive":
      return stopped("FILTER");
    default:
      return refuses ? stopped("REFUSED") : stopWithTools(stopped("END"), callsTools);
  }
}

export function chatTokens(usage: unknown): TokenUsage | undefined {
  const given = object(usage);
  return given === undefined ? undefined : openaiTokens(plainNumbers(given));
}

/** Writes a whole chat completion. */
export function writeChatReply(reply: Reply, call: CallFacts): JsonObject {
  const thoughts = reply.parts.filter((part): part is ThinkingPart => part.kind === "THINKING");
  const thought = thoughts.map((part) => part.text).join("");
  const toolCalls = toolCallsIn(reply.parts, true);
  const text = joined(reply, "TEXT");
  const refusal = joined(reply, "REFUSAL");
  const message = {
    role: "assistant",
    content: text ?? (toolCalls === undefined && refusal === undefined ? "" : null),
    refusal: refusal ?? null,
    reasoning_content: thought === "" ? undefined : thought,
    reasoning_details: thoughts.length === 0 ? undefined : thoughts.map(detailOf),
    tool_calls: toolCalls,
  };
  return {
    id: reply.id,
    object: "chat.completion",
    created: call.nowSeconds,
    model: reply.model,
    system_fingerprint: null,
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishReason(reply.stop) }],
    // Mistral's SDK takes no completion without it.
    usage: chatUsage(reply.usage ?? NO_TOKENS),
  };
}

function joined(reply: Reply, kind: "TEXT" | "REFUSAL"): string | undefined {
  const texts = reply.parts.flatMap((part) => (part.kind === kind ? [part.text] : []));
  return texts.length === 0 ? undefined : texts.join("");
}

const FINISH_REASONS: Readonly<Record<Stop["kind"], string>> = {
  END: "stop",
  STOP_SEQUENCE: "stop",
  PAUSE: "stop",
  LENGTH: "length",
  CONTEXT_FULL: "length",
  TOOL_CALLS: "tool_calls",
  FILTER: "content_filter",
  REFUSED: "stop",
};

export function finishReason(stop: Stop): string {
  return FINISH_REASONS[stop.kind];
}

/** The error of an answer or an event in OpenAI's form, or one of its imitators'. */
export function readChatFailure(body: JsonObject, httpStatus: number): Failure | undefined {
  const error = body["error"];
  if (typeof error === "string") return { httpStatus, code: "", message: error };
  const given = object(error) ?? (body["object"] === "error" ? body : undefined);
  // Google's OpenAI-compatible side answers with a list of one.
  if (given === undefined) {
    const message = string(body["message"]) ?? string(body["detail"]);
    if (list(body["choices"]).length > 0) return brokenOff(object(list(body["choices"])[0]) ?? {});
    if (message === undefined) return undefined;
    return { httpStatus, code: "", message };
  }
  return {
    httpStatus: failureStatus(given["code"], httpStatus),
    code: nonEmpty(given["code"]) ?? nonEmpty(given["type"]) ?? "",
    message: string(given["message"]) ?? NO_REASON,
  };
}

/** What providers say of a reply that the model did not end: OpenRouter, vLLM, Zhipu and DeepSeek. */
const BROKEN_OFF: ReadonlySet<unknown> = new Set([
  "error",
  "abort",
  "network_error",
  "insufficient_system_resource",
]);

/** No reason for any caller to take the reply for whole. */
function brokenOff({ finish_reason, error }: JsonObject): Failure | undefined {
  if (!BROKEN_OFF.has(finish_reason)) return undefined;
  const code = string(finish_reason) ?? "";
  const message = string(object(error)?.["message"]);
  return {
    httpStatus: 502,
    code,
    message: message ?? `The provider broke the reply off: ${code}.`,
  };
}
