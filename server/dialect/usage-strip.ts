import { isAt, utf8 } from "../core/bytes.js";
import { ReusedPlace } from "../core/reused-place.js";
import type { StreamEdit } from "./codec.js";
import { isRecord } from "../core/record.js";
import { parseRecord } from "./json-record.js";
import { endsText } from "./json-scan.js";
import type { Span } from "./json-span.js";
import { lastValue } from "./last-object.js";
import { eventData, lastBoundary, nextBoundary } from "./sse.js";

const NOTHING = Buffer.alloc(0);
/** Without its quotes: those are what such a text is full of, and the search stops at every one. */
const USAGE = Buffer.from("usage");
const KEY = Buffer.from('"usage"');
const NULL = Buffer.from("null");
const DATA = Buffer.from("data:");
const COMMA = 0x2c;

/**
 * Takes out of an OpenAI chat stream what came only because we asked for usage: the event that carries
 * nothing else, and the `"usage":null` of all others. A caller that did not ask gets the very bytes it would
 * have got. Takes whole events.
 */
export class UsageStripper implements StreamEdit {
  /** Errors go by as they are. */
  readonly failure = undefined;
  readonly keptBytes = 0;
  readonly keepsNothing = true;
  readonly #place = new ReusedPlace();

  push(events: Buffer, reuses = false): Buffer {
    let usageAt = events.indexOf(USAGE);
    let out: Buffer | undefined;
    /** Of the events so many bytes are done, which are so many of what is left. */
    let done = 0;
    let left = 0;
    let from = 0;
    while (usageAt >= 0) {
      const { start, end } = eventAround(events, from, usageAt);
      const cut = cutOf(events, start, end);
      if (cut !== undefined) {
        out ??= reuses ? this.#place.put(events) : Buffer.from(events);
        if (done > left) out.copyWithin(left, done, cut.start);
        left += cut.start - done;
        done = cut.end;
      }
      from = end;
      usageAt = events.indexOf(USAGE, from);
    }
    if (out === undefined) return events;
    out.copyWithin(left, done);
    return out.subarray(0, left + events.length - done);
  }

  end(): Buffer {
    return NOTHING;
  }
}

/** The event that has a place in it; an event begins at `from`. In nearly every stream it is that one, or far behind. */
function eventAround(events: Buffer, from: number, place: number): Span {
  const next = eventEnd(events, from);
  if (place < next) return { start: from, end: next };
  const start = next + lastBoundary(events.subarray(next, place));
  return { start, end: eventEnd(events, start) };
}

function eventEnd(events: Buffer, from: number): number {
  const end = nextBoundary(events, from);
  return end < 0 ? events.length : end;
}

/** What to cut out of one event; undefined for nothing. */
function cutOf(events: Buffer, start: number, end: number): Span | undefined {
  const line = dataLine(events, start, end);
  if (line === undefined) return undefined;
  if (dataLine(events, line.end, end) !== undefined) {
    // Over several lines it stays as it is, unless all of it is the usage.
    return isUsageOnly(eventData(events.subarray(start, end)) ?? "") ? { start, end } : undefined;
  }
  const text = events.subarray(line.start, line.end);
  const member = lastValue(text, "usage", (value) => nullMember(text, value));
  if (member !== undefined) {
    return { start: line.start + member.start, end: line.start + member.end };
  }
  return text.includes(KEY) && isUsageOnly(utf8(text)) ? { start, end } : undefined;
}

/** The value of the next data line from the begin of a line on; undefined when none is left. */
function dataLine(events: Buffer, from: number, end: number): Span | undefined {
  let at = from;
  while (at < end) {
    const lf = events.indexOf(0x0a, at);
    const lineEnd = lf < 0 || lf > end ? end : lf + 1;
    if (isAt(events, at, DATA)) {
      const value = at + DATA.length;
      return { start: events[value] === 0x20 ? value + 1 : value, end: lineEnd };
    }
    at = lineEnd;
  }
  return undefined;
}

/** A member of the outermost object whose value is null, with the comma that separates it, so that what is left is JSON still. */
function nullMember(text: Buffer, value: number): Span | undefined {
  let end = value + NULL.length;
  if (!isAt(text, value, NULL) || !endsText(text, end)) return undefined;
  const key = text.lastIndexOf(KEY, value);
  const before = spacesBefore(text, key);
  if (text[before - 1] === COMMA) return { start: before - 1, end };
  while (isSpace(text[end])) end++;
  if (text[end] === COMMA) end++;
  return { start: key, end };
}

/** Where the spaces before a place begin. */
function spacesBefore(text: Buffer, place: number): number {
  let at = place;
  while (isSpace(text[at - 1])) at--;
  return at;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09;
}

function isUsageOnly(text: string): boolean {
  const event = parseRecord(text);
  if (event === undefined || !isRecord(event["usage"])) return false;
  const { choices, error } = event;
  // Some providers leave the list out there, which SDKs do not forgive.
  if (choices === undefined) return error === undefined;
  return choices === null || (Array.isArray(choices) && choices.length === 0);
}
