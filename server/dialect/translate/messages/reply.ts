import { unreachable } from "../../../core/assert.js";
import { NO_TOKENS, type TokenUsage } from "../../../core/call.js";
import { anthropicTokens } from "../../tokens.js";
import { type RefusalPart, signatureText } from "../conversation.js";
import { type JsonObject, nonEmpty, object, objects, plainNumbers, string } from "../json.js";
import { type Failure, type Reply, type ReplyPart, type Stop, stopped } from "../reply.js";
import { NO_REASON } from "../failures.js";
import type { CallFacts } from "../side.js";
import { argumentsObject, plainToolId } from "../tool-arguments.js";
import { ownMessagesUsage } from "../usage.js";
import { modelsPart } from "./read-block.js";

/** Reads a whole message. */
export function readMessagesReply(body: JsonObject, call: CallFacts): Reply {
  return {
    id: string(body["id"]) ?? call.id,
    model: string(body["model"]) ?? call.modelAsked,
    parts: [...objects(body["content"]).flatMap(readBlock), ...refusalOf(body)],
    stop: messagesStop(body["stop_reason"], body["stop_sequence"]),
    usage: messagesTokens(object(body["usage"])),
  };
}

/** What the provider's own tools did is its own affair; the text says what came of it. */
function readBlock(block: JsonObject): ReplyPart[] {
  if (block["type"] === "text") return [{ kind: "TEXT", text: string(block["text"]) ?? "" }];
  const part = modelsPart(block);
  return part === undefined ? [] : [part];
}

/** In the end of a message: why the model would not go on, where it says so. */
export function refusalOf(end: JsonObject): RefusalPart[] {
  const text = string(object(end["stop_details"])?.["explanation"]) ?? "";
  return end["stop_reason"] === "refusal" && text !== "" ? [{ kind: "REFUSAL", text }] : [];
}

export function messagesStop(reason: unknown, sequence: unknown): Stop {
  switch (reason) {
    case "max_tokens":
      return stopped("LENGTH");
    case "model_context_window_exceeded":
      return stopped("CONTEXT_FULL");
    case "stop_sequence":
      return stopped("STOP_SEQUENCE", string(sequence));
    case "tool_use":
      return stopped("TOOL_CALLS");
    case "refusal":
      return stopped("FILTER");
    case "pause_turn":
      return stopped("PAUSE");
    default:
      return stopped("END");
  }
}

export function messagesTokens(usage: JsonObject | undefined): TokenUsage | undefined {
  return usage === undefined ? undefined : anthropicTokens(plainNumbers(usage));
}

/** Writes a whole message. */
export function writeMessagesReply(reply: Reply): JsonObject {
  return {
    id: reply.id,
    type: "message",
    role: "assistant",
    model: reply.model,
    content: reply.parts.flatMap(blocksOf),
    ...messagesEnd(reply.stop, refusalIn(reply.parts)),
    // SDKs read its members unasked.
    usage: ownMessagesUsage(reply.usage ?? NO_TOKENS),
  };
}

/** How a message ends. Why the model refused stands here alone: SDKs parse what the content says. */
export function messagesEnd({ kind, sequence }: Stop, refusal: string): JsonObject {
  const refused = kind === "FILTER" || kind === "REFUSED" || refusal !== "";
  const explanation = refusal === "" ? null : refusal;
  return {
    stop_reason: STOP_REASONS[kind],
    stop_sequence: sequence ?? null,
    stop_details: refused ? { type: "refusal", category: null, explanation } : null,
  };
}

function refusalIn(parts: readonly ReplyPart[]): string {
  return parts.map((part) => (part.kind === "REFUSAL" ? part.text : "")).join("");
}

function blocksOf(part: ReplyPart): JsonObject[] {
  switch (part.kind) {
    case "TEXT":
      return [{ type: "text", text: part.text }];
    case "REFUSAL":
      return [];
    case "THINKING": {
      const signature = signatureText(part.signature, "ANTHROPIC");
      if (part.redacted) return [{ type: "redacted_thinking", data: signature }];
      return [{ type: "thinking", thinking: part.text, signature }];
    }
    case "TOOL_CALL": {
      const { id, name, args, signature } = part;
      const input = argumentsObject(args);
      const call = { type: "tool_use", id: plainToolId(id), name, input };
      if (signature === undefined) return [call];
      // Callers send thoughts back unchanged, and with them the signature of the call that follows.
      const value = signatureText(signature, "ANTHROPIC");
      return [{ type: "thinking", thinking: "", signature: value }, call];
    }
    default:
      return unreachable(part);
  }
}

const STOP_REASONS: Readonly<Record<Stop["kind"], string>> = {
  END: "end_turn",
  LENGTH: "max_tokens",
  TOOL_CALLS: "tool_use",
  STOP_SEQUENCE: "stop_sequence",
  FILTER: "refusal",
  REFUSED: "refusal",
  PAUSE: "pause_turn",
  CONTEXT_FULL: "model_context_window_exceeded",
};

/** The error of an answer or an event in Anthropic's form. */
export function readMessagesFailure(body: JsonObject, httpStatus: number): Failure | undefined {
  const error = object(body["error"]);
  if (error === undefined) {
    const message = nonEmpty(body["error"]);
    const isError = body["type"] === "error" || message !== undefined;
    return isError ? { httpStatus, code: "", message: message ?? NO_REASON } : undefined;
  }
  return {
    httpStatus,
    code: string(error["type"]) ?? "",
    message: string(error["message"]) ?? NO_REASON,
  };
}
