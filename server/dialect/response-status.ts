import { latin1, utf8 } from "../core/bytes.js";
import { isRecord } from "../core/record.js";
import { parseRecord } from "./json-record.js";
import { scanObject } from "./json-scan.js";
import { readString } from "./json-span.js";
import { eventData } from "./sse.js";
import { WantedMembers } from "./wanted-members.js";

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
/** Events that are called by how their response ended. */
const STATUS_OF: ReadonlyMap<unknown, string> = new Map([
  ["response.failed", "failed"],
  ["response.cancelled", "cancelled"],
]);
const WORDS = [Buffer.from('"failed"'), Buffer.from('"cancelled"')];

/** As OpenAI begins nearly every response, and the event that brings it: plain members alone come before a good status. */
const WELL =
  /(?:^|"response":)\s*\{(?:\s*"\w+":\s*(?:"[^"\\]*"|[\w.-]+)\s*,)*\s*"status":\s*"(?:completed|incomplete)"/;
const HEAD_BYTES = 256;

/**
 * What is told of a response that came to no good end, where it names no error of its own; undefined for every other
 * status. Such a response is no answer, however much of one it holds.
 */
export function unwellEnd(status: unknown): NoReason | undefined {
  return UNWELL.get(status);
}

/** As `unwellEnd`, of an event or of a whole response. */
export function unwellEndOf(told: Record<string, unknown>): NoReason | undefined {
  const response = isRecord(told["response"]) ? told["response"] : told;
  return unwellEnd(STATUS_OF.get(told["type"]) ?? response["status"]);
}

/** True for a whole response that came to no good end, and for an event that brings one. */
export function isUnwell(text: Buffer): boolean {
  if (WELL.test(latin1(text, 0, HEAD_BYTES))) return false;
  if (!WORDS.some((word) => text.includes(word))) return false;
  const told = parseRecord(eventData(text) ?? utf8(text));
  return told !== undefined && unwellEndOf(told) !== undefined;
}

const STATUS = new WantedMembers(["status"]);

/** True for a response that is not done yet. */
export function isUnfinished(response: Buffer): boolean {
  try {
    const [status] = scanObject(response, STATUS);
    return ["queued", "in_progress"].includes(readString(response, status) ?? "");
  } catch {
    // It is no JSON object, so it says nothing of the kind.
    return false;
  }
}
