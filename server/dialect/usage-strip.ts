import { isAt } from "../core/bytes.js";
import type { StreamEdit } from "./codec.js";
import { isRecord } from "../core/record.js";
import { parseRecord } from "./json-record.js";
import { scanObject } from "./json-scan.js";
import { isNull, type Span } from "./json-span.js";
import { eventData, lastBoundary, nextBoundary } from "./sse.js";
import { WantedMembers } from "./wanted-members.js";

const NOTHING = Buffer.alloc(0);
/** Without its quotes: those are what such a text is full of, and the search stops at every one. */
const USAGE = Buffer.from("usage");
const KEY = Buffer.from('"usage"');
const DATA = Buffer.from("data:");
const COMMA = 0x2c;
const USAGE_MEMBER = new WantedMembers(["usage"]);

/**
 * Takes out of an OpenAI chat stream what came only because we asked for usage: the event that carries
 * nothing else, and the `"usage":null` of all others. A caller that did not ask gets the very bytes it would
 * have got. Takes whole events.
 */
export class UsageStripper implements StreamEdit {
  /** Errors go by as they are. */
  readonly failure = undefined;
  readonly keptBytes = 0;

  push(events: Buffer): Buffer {
    let usageAt = events.indexOf(USAGE);
    if (usageAt < 0) return events;
    const out: Buffer[] = [];
    let kept = 0;
    let from = 0;
    while (usageAt >= 0) {
      const { start, end } = eventAround(events, from, usageAt);
      const edit = editOf(events, start, end);
      if (edit !== undefined) {
        out.push(events.subarray(kept, edit.start));
        kept = edit.end;
      }
      from = end;
      usageAt = events.indexOf(USAGE, from);
    }
    if (kept === 0 && out.length === 0) return events;
    if (kept < events.length) out.push(events.subarray(kept));
    return out.length === 0 ? NOTHING : Buffer.concat(out);
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
function editOf(events: Buffer, start: number, end: number): Span | undefined {
  const line = dataLine(events, start, end);
  if (line === undefined) return undefined;
  if (dataLine(events, line.end, end) !== undefined) {
    // Over several lines it stays as it is, unless all of it is the usage.
    return isUsageOnly(eventData(events.subarray(start, end)) ?? "") ? { start, end } : undefined;
  }
  const text = events.subarray(line.start, line.end);
  const usage = topLevelUsage(text);
  if (usage === undefined) return undefined;
  if (isNull(text, usage)) return memberSpan(text, usage, line.start);
  return isUsageOnly(text.toString("utf8")) ? { start, end } : undefined;
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

function topLevelUsage(text: Buffer): Span | undefined {
  try {
    return scanObject(text, USAGE_MEMBER)[0];
  } catch {
    // Not an object of its own: left as it is.
    return undefined;
  }
}

/** The member with the comma that separates it, so that what is left is JSON still. */
function memberSpan(text: Buffer, value: Span, offset: number): Span | undefined {
  const colon = spacesBefore(text, value.start) - 1;
  const key = spacesBefore(text, colon) - KEY.length;
  // Spelt with an escape, it is left as it is.
  if (!isAt(text, key, KEY)) return undefined;
  const before = spacesBefore(text, key);
  if (text[before - 1] === COMMA) return { start: offset + before - 1, end: offset + value.end };
  let end = value.end;
  while (isSpace(text[end])) end++;
  if (text[end] === COMMA) end++;
  return { start: offset + key, end: offset + end };
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
  const { choices } = event;
  return choices === null || (Array.isArray(choices) && choices.length === 0);
}
