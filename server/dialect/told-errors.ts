import { latin1 } from "../core/bytes.js";
import type { Opening } from "./codec.js";
import { isRecord } from "../core/record.js";
import { parseRecord } from "./json-record.js";
import { recordsOf } from "./reply-facts.js";
import { unwellEndOf } from "./response-status.js";
import { commentsEnd, eventData, lastEventStart, nextBoundary } from "./sse.js";

// Errors that a provider tells inside a stream or a reply of status 200. What a model says is inside JSON strings,
// where quotes and line ends are escaped, so it can neither begin an event nor be a member of the outermost object.

/** The last events of a stream that are looked into: usage and a last word may follow the error. */
const EVENTS_MAX = 4;
const ERROR_MEMBER = Buffer.from('"error"');
/** A search stops at every first letter, and a quote is what such a text is full of. */
const ERROR_MEMBER_END = Buffer.from('rror"');

/** What the first events of a stream say. */
export function openingOf(
  events: Buffer,
  isError: (event: Buffer) => boolean,
  saysNothing: (event: Buffer) => boolean,
): Opening {
  let from = commentsEnd(events, 0);
  while (from < events.length) {
    const boundary = nextBoundary(events, from);
    const end = boundary < 0 ? events.length : boundary;
    const event = events.subarray(from, end);
    if (isError(event)) return "ERROR";
    if (!saysNothing(event)) return "REPLY";
    from = commentsEnd(events, end);
  }
  return "NOTHING";
}

/** Keeps a connection open and says nothing. */
export function isComment(event: Buffer): boolean {
  return event[0] === 0x3a && eventData(event) === undefined;
}

/** The events of a stream that `lastError` looks into. */
export function lastEvents(tail: Buffer): Buffer {
  let start = tail.length;
  for (let back = 0; back < EVENTS_MAX && start > 0; back++) {
    start = lastEventStart(tail, start);
  }
  return tail.subarray(start);
}

/** The error that one of the last events of a stream tells, as `toldError` does; undefined when none does. */
export function lastError(tail: Buffer, isError: (event: Buffer) => boolean): string | undefined {
  let end = tail.length;
  for (let looks = 0; looks < EVENTS_MAX && end > 0; looks++) {
    const start = lastEventStart(tail, end);
    const event = tail.subarray(start, end);
    if (isError(event)) {
      const data = eventData(event) ?? "";
      return toldError(data) ?? bodyOf({ message: data });
    }
    end = start;
  }
  return undefined;
}

/** True when an event has an error anywhere among its members. */
export function hasError(event: Buffer): boolean {
  if (!namesError(event)) return false;
  const data = eventData(event);
  return data !== undefined && toldError(data) !== undefined;
}

/** False for nearly everything, at the price of a search. */
export function namesError(text: Buffer): boolean {
  return text.includes(ERROR_MEMBER_END) && text.includes(ERROR_MEMBER);
}

/** The first member of a whole reply is an error. */
export function beginsWithError(reply: Buffer): boolean {
  // Nearly every reply begins with another member, which three bytes show.
  if (reply[0] === 0x7b && reply[1] === 0x22 && reply[2] !== 0x65) return false;
  return /^\s*\{\s*"error"\s*:\s*[{"]/.test(latin1(reply, 0, 64));
}

/** Rarer in what passes by than `error` with its quotes or its first letter, at which a search would stop. */
const SOUGHT = Buffer.from("rror");
/** Around that, in a text that tells an error: a name or a value, or an event's name. */
const TELLS_ERROR = /(?:event: ?|"\w*)error(?!"\s{0,4}:\s{0,4}null)/i;
const BEFORE_CHARS = 32;
const BEHIND_CHARS = 24;
/** A text that has more of them speaks of errors, if it tells none. */
const SOUGHT_MAX = 64;

/** True where bytes that go on as they are may tell an error, wherever in them; false for nearly all, at the price of a search. */
export function mayTellError(bytes: Buffer): boolean {
  let at = bytes.indexOf(SOUGHT);
  for (let looks = 0; at >= 0; looks++) {
    const around = latin1(bytes, Math.max(0, at - BEFORE_CHARS), at + BEHIND_CHARS);
    if (looks === SOUGHT_MAX || TELLS_ERROR.test(around)) return true;
    at = bytes.indexOf(SOUGHT, at + SOUGHT.length);
  }
  return false;
}

/** The error of an event or a reply, as JSON text such as answers over HTTP; undefined when it tells none. */
export function toldError(json: string): string | undefined {
  const told = parseRecord(json);
  if (told === undefined) return undefined;
  const response = isRecord(told["response"]) ? told["response"] : {};
  const error = told["error"] ?? response["error"];
  if (isRecord(error) || (typeof error === "string" && error !== "")) return bodyOf(error);
  // Nothing else of it may be taken for the reason: it repeats what its caller wrote.
  const noReason = unwellEndOf(told);
  if (noReason !== undefined) return bodyOf(noReason);
  if (told["type"] === "error") {
    return bodyOf({ code: told["code"], message: told["message"], param: told["param"] });
  }
  const broken = recordsOf(told["choices"]).find((each) => each["finish_reason"] === "error");
  return broken === undefined ? undefined : bodyOf(broken["error"] ?? {});
}

function bodyOf(error: unknown): string {
  return JSON.stringify({ error });
}
