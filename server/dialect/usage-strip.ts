import { isAt } from "../core/bytes.js";
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
 * Takes out of an OpenAI chat stream what came only because we asked for usage: the `"usage":null` of all events, and the
 * event that carries nothing but usage. A caller that did not ask gets the very bytes it would have got. Takes whole events.
 */
export class UsageStripper implements StreamEdit {
  /** Errors go by as they are. */
  readonly failure = undefined;
  readonly keptBytes = 0;
  readonly keepsNothing = true;
  /** Of what was trimmed last something has the word still. */
  #isLeft = false;

  /** Of `"usage":null`, which most streams have in every event and nobody learns anything from. */
  trim(events: Buffer): Buffer {
    this.#isLeft = false;
    return without(events, events, this.#nullIn);
  }

  /** Of the event that only tells usage: once in a stream, and what is learnt from it is learnt before. */
  push(events: Buffer): Buffer {
    return this.#isLeft ? without(events, undefined, usageIn) : events;
  }

  end(): Buffer {
    return NOTHING;
  }

  readonly #nullIn: Cut = (events, start, end) => {
    const found = nullIn(events, start, end);
    if (found === undefined) this.#isLeft = true;
    return found;
  };
}

/** What to cut out of an event whose text has the word; undefined for nothing. */
type Cut = (events: Buffer, start: number, end: number) => Span | undefined;

/** Events without what is to be cut: they themselves where that is nothing, else in `given` or a copy. */
function without(events: Buffer, given: Buffer | undefined, cutOf: Cut): Buffer {
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
      // What is moved goes where all has been looked at.
      out ??= given ?? Buffer.from(events);
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

/** A member that is null, in an event of one line; of several it stays as it is. */
function nullIn(events: Buffer, start: number, end: number): Span | undefined {
  const line = dataLine(events, start, end);
  if (line === undefined || dataLine(events, line.end, end) !== undefined) return undefined;
  const text = events.subarray(line.start, line.end);
  const member = lastValue(text, "usage", (value) => nullMember(text, value));
  return member && { start: line.start + member.start, end: line.start + member.end };
}

/** All of an event that carries nothing else. */
function usageIn(events: Buffer, start: number, end: number): Span | undefined {
  const event = events.subarray(start, end);
  return event.includes(KEY) && isUsageOnly(eventData(event) ?? "") ? { start, end } : undefined;
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
