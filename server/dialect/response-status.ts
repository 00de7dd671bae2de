import { latin1 } from "../core/bytes.js";
import { isRecord } from "../core/record.js";
import { parseRecord } from "./json-record.js";
import { eventData } from "./sse.js";

// How a response of OpenAI's ended stands in its status; the event that brings it may be called `response.completed` all
// the same.

interface NoReason {
  readonly code: string;
  readonly message: string;
}

const UNWELL: ReadonlyMap<unknown, NoReason> = new Map([
  ["failed", { code: "", message: "The provider gave no reason." }],
  ["cancelled", { code: "cancelled", message: "The response was cancelled." }],
]);
const WORDS = [Buffer.from('"failed"'), Buffer.from('"cancelled"')];

/** As OpenAI begins nearly every such event: plain members alone come before a good status. */
const WELL =
  /"response":\s*\{(?:\s*"\w+":\s*(?:"[^"\\]*"|[\w.-]+)\s*,)*\s*"status":\s*"(?:completed|incomplete)"/;
const HEAD_BYTES = 256;

/**
 * What is told of a response that came to no good end, where it names no error of its own; undefined for every other
 * status. Such a response is no answer, however much of one it holds.
 */
export function unwellEnd(status: unknown): NoReason | undefined {
  return UNWELL.get(status);
}

/** True for a whole response that came to no good end. */
export function isUnwellReply(reply: Buffer): boolean {
  return namesUnwell(reply) && unwellEnd(parseRecord(reply.toString())?.["status"]) !== undefined;
}

/** True for an event that brings such a response. */
export function bringsUnwell(event: Buffer): boolean {
  if (WELL.test(latin1(event, 0, HEAD_BYTES)) || !namesUnwell(event)) return false;
  const response = parseRecord(eventData(event) ?? "")?.["response"];
  return isRecord(response) && unwellEnd(response["status"]) !== undefined;
}

/** False for nearly everything, at the price of a search. */
function namesUnwell(text: Buffer): boolean {
  return WORDS.some((word) => text.includes(word));
}
