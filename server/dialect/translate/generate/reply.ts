import { unreachable } from "../../../core/assert.js";
import type { TokenUsage } from "../../../core/call.js";
import { geminiTokens } from "../../tokens.js";
import { type JsonObject, nonEmpty, object, objects, plainNumbers, string } from "../json.js";
import {
  type Failure,
  type Reply,
  type ReplyPart,
  type Stop,
  stopped,
  stopWithTools,
} from "../reply.js";
import type { RefusalPart } from "../conversation.js";
import { failureStatus, NO_REASON } from "../failures.js";
import type { CallFacts } from "../side.js";
import { argumentsObject } from "../tool-arguments.js";
import { generateUsage } from "../usage.js";
import { callPart } from "./parts.js";

/** Reads a whole reply. Neighbouring texts are pieces of one. */
export function readGenerateReply(body: JsonObject, call: CallFacts): Reply {
  const candidate = objects(body["candidates"])[0];
  const parts: ReplyPart[] = [];
  let calls = 0;
  for (const part of objects(object(candidate?.["content"])?.["parts"])) {
    const last = parts.at(-1);
    const read = readReplyPart(part, call, calls);
    if (read === undefined) continue;
    if (read.kind === "TOOL_CALL") calls++;
    const joins = read.kind === last?.kind && read.kind !== "TOOL_CALL" && "text" in last;
    if (joins) parts[parts.length - 1] = { ...last, text: last.text + read.text };
    else parts.push(read);
  }
  const block = blockIn(body);
  const stop = generateStop(candidate?.["finishReason"], block, calls > 0);
  const refusal = refusalFor(stop, block);
  if (refusal !== undefined) parts.push(refusal);
  return {
    id: nonEmpty(body["responseId"]) ?? call.id,
    model: nonEmpty(body["modelVersion"]) ?? call.modelAsked,
    parts,
    stop,
    usage: generateTokens(body["usageMetadata"]),
  };
}

/** A part of a reply; undefined for what other dialects cannot show, such as code that Google ran. */
export function readReplyPart(
  part: JsonObject,
  call: CallFacts,
  index: number,
): ReplyPart | undefined {
  const functionCall = object(part["functionCall"]);
  if (functionCall !== undefined) {
    const made = `call_${call.id}_${String(index)}`;
    return callPart(part, nonEmpty(functionCall["id"]) ?? made);
  }
  const text = string(part["text"]) ?? "";
  if (text === "") return undefined;
  if (part["thought"] !== true) return { kind: "TEXT", text };
  return { kind: "THINKING", text, signature: undefined, redacted: false };
}

const FILTERED =
  /^(?:SAFETY|RECITATION|BLOCKLIST|PROHIBITED_CONTENT|SPII|LANGUAGE|IMAGE_SAFETY|IMAGE_PROHIBITED_CONTENT|IMAGE_RECITATION)$/;

/** In words, why a reply or an event says that the prompt was blocked; undefined where it does not. */
export function blockIn(body: JsonObject): string | undefined {
  const feedback = object(body["promptFeedback"]);
  if (feedback?.["blockReason"] === undefined) return undefined;
  const ratings = objects(feedback["safetyRatings"]).filter((each) => each["blocked"] === true);
  const reasons = [feedback["blockReason"], ...ratings.map(({ category }) => category)];
  const named = reasons.flatMap((each) => nonEmpty(each) ?? []).join(", ");
  const message = nonEmpty(feedback["blockReasonMessage"]);
  return `The provider blocked the prompt (${named})${message === undefined ? "." : `: ${message}`}`;
}

/** What tells a caller that its prompt was blocked, and why; undefined where a reply came all the same. */
export function refusalFor({ kind }: Stop, block: string | undefined): RefusalPart | undefined {
  return kind === "FILTER" && block !== undefined ? { kind: "REFUSAL", text: block } : undefined;
}

/** `block`: as `blockIn` tells it. */
export function generateStop(
  reason: unknown,
  block: string | undefined,
  callsTools: boolean,
): Stop {
  const why = string(reason) ?? "";
  if (why === "MAX_TOKENS") return stopped("LENGTH");
  if (FILTERED.test(why) || (why === "" && block !== undefined)) return stopped("FILTER");
  return stopWithTools(stopped("END"), callsTools);
}

export function generateTokens(usage: unknown): TokenUsage | undefined {
  const given = object(usage);
  return given === undefined ? undefined : geminiTokens(plainNumbers(given));
}

/** Writes a whole reply. */
export function writeGenerateReply(reply: Reply, call: CallFacts): JsonObject {
  const shown = reply.parts.filter((part) => part.kind !== "THINKING" || showsThoughts(call));
  return generateReply({
    id: reply.id,
    model: reply.model,
    parts: shown.flatMap(partOf),
    stop: reply.stop,
    usage: reply.usage,
  });
}

/** Google's SDKs of before it had thoughts take them for the answer, so it gives them to those who ask alone. */
export function showsThoughts({ thoughtsShown }: CallFacts): boolean {
  return thoughtsShown !== false;
}

/** A reply, or a piece of one in a stream. */
export function generateReply(given: {
  readonly id: string;
  readonly model: string;
  readonly parts: readonly JsonObject[];
  readonly stop: Stop | undefined;
  readonly usage: TokenUsage | undefined;
}): JsonObject {
  const finishReason = given.stop === undefined ? undefined : FINISH_REASONS[given.stop.kind];
  const content = { role: "model", parts: given.parts };
  return {
    candidates: [{ content, finishReason, index: 0 }],
    usageMetadata: given.usage === undefined ? undefined : generateUsage(given.usage),
    modelVersion: given.model,
    responseId: given.id,
  };
}

const FINISH_REASONS: Readonly<Record<Stop["kind"], string>> = {
  END: "STOP",
  STOP_SEQUENCE: "STOP",
  TOOL_CALLS: "STOP",
  PAUSE: "STOP",
  LENGTH: "MAX_TOKENS",
  CONTEXT_FULL: "MAX_TOKENS",
  FILTER: "SAFETY",
  REFUSED: "SAFETY",
};

export function partOf(part: ReplyPart): JsonObject[] {
  switch (part.kind) {
    case "TEXT":
    case "REFUSAL":
      return [{ text: part.text }];
    case "THINKING":
      return part.redacted ? [] : [{ text: part.text, thought: true }];
    case "TOOL_CALL": {
      const { id, name, args, signature } = part;
      const functionCall = { id, name, args: argumentsObject(args) };
      if (signature?.origin !== "GEMINI") return [{ functionCall }];
      return [{ functionCall, thoughtSignature: signature.value }];
    }
    default:
      return unreachable(part);
  }
}

/** Reasons for which a reply ended that is none: the model did not write what it was to write. */
const SPOILT =
  /^(?:MALFORMED_FUNCTION_CALL|MALFORMED_RESPONSE|UNEXPECTED_TOOL_CALL|TOO_MANY_TOOL_CALLS|MISSING_THOUGHT_SIGNATURE)$/;

/** The error of an answer or an event in Google's form, or what stands in place of one in a reply. */
export function readGenerateFailure(body: JsonObject, httpStatus: number): Failure | undefined {
  const error = object(body["error"]);
  if (error === undefined) return spoilt(objects(body["candidates"])[0]);
  return {
    httpStatus: failureStatus(error["code"], httpStatus),
    code: string(error["status"]) ?? "",
    message: string(error["message"]) ?? NO_REASON,
  };
}

function spoilt(candidate: JsonObject | undefined): Failure | undefined {
  const code = string(candidate?.["finishReason"]) ?? "";
  if (!SPOILT.test(code)) return undefined;
  const message = nonEmpty(candidate?.["finishMessage"]) ?? NO_REASON;
  return { httpStatus: 502, code, message: `${code}: ${message}` };
}
