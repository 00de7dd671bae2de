import { indexOfByte, isAt, utf8 } from "../core/bytes.js";
import { isSliver, Pieces } from "../core/pieces.js";

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;
const DATA = Buffer.from("data:");
/** Lines that only keep a connection open are shorter; beyond this a search outdoes looking at each byte. */
const NEAR_BYTES = 32;
/** A blank line is at most `\n\r\n`: two held bytes can belong to one that the next read completes. */
const SEAM_BYTES = 2;
const NOTHING = Buffer.alloc(0);

/**
 * One past the last blank line of `text` before `end`, that is, the end of its last whole event; 0 when it holds none.
 * Events end with two line ends; both `\n` and `\r\n` occur.
 */
export function lastBoundary(text: Buffer, end = text.length): number {
  let at = end - 1;
  // Nearly every read ends with a whole event, so the first look decides.
  while (at > 0) {
    if (text[at] === LF && endsBlankLine(text, at)) return at + 1;
    at = at === 0 ? -1 : text.lastIndexOf(LF, at - 1);
  }
  return 0;
}

/** The end of the first event that starts at `from`, its blank line included; -1 when it is not whole. */
export function nextBoundary(text: Buffer, from: number): number {
  let at = text.indexOf(LF, from);
  while (at >= 0) {
    if (at > from && endsBlankLine(text, at)) return at + 1;
    at = text.indexOf(LF, at + 1);
  }
  return -1;
}

function endsBlankLine(text: Buffer, lf: number): boolean {
  const before = text[lf - 1];
  return before === LF || (before === CR && text[lf - 2] === LF);
}

/**
 * Past the events from `from` on that say nothing: blank lines, and comments that are followed by one. `from` where there
 * are none. A provider may send a hundred thousand of them, each a few bytes long.
 */
export function commentsEnd(text: Buffer, from: number): number {
  let end = from;
  let at = from;
  while (at < text.length) {
    const byte = text[at];
    if (byte === LF) end = ++at;
    else if (byte === CR && text[at + 1] === LF) end = at += 2;
    else if (byte !== COLON) return end;
    else {
      const lf = lineEnd(text, at);
      if (lf < 0) return end;
      at = lf + 1;
    }
  }
  return end;
}

/** Where the line ends that `from` is in, its line feed; -1 where it has none. */
function lineEnd(text: Buffer, from: number): number {
  const near = Math.min(text.length, from + NEAR_BYTES);
  for (let at = from; at < near; at++) if (text[at] === LF) return at;
  return near === text.length ? -1 : indexOfByte(text, LF, near);
}

const RETURNS = Buffer.from("\r\r");

/** A stream whose lines end with carriage returns alone, as the standard has it, too: a blank line of them comes first. */
function endsInReturns(text: Buffer): boolean {
  const at = text.indexOf(RETURNS);
  return at >= 0 && text.subarray(0, at).indexOf(LF) < 0;
}

/** The text with line feeds in their place. Inside of JSON none stands: there it would be escaped. */
function withLineFeeds(text: Buffer): Buffer {
  const changed = Buffer.from(text);
  for (let at = changed.indexOf(CR); at >= 0; at = changed.indexOf(CR, at + 1)) changed[at] = LF;
  return changed;
}

/**
 * Lets whole events through and holds back a last piece of one until its rest arrives. So a stream that is
 * cut ends between two events, and an error event after it is read as one. Bytes are never changed, but for the ends of
 * lines where they are carriage returns alone, and copied only where an event spans two reads.
 */
export class EventGate {
  readonly #heldBytesMax: number;
  readonly #held = new Pieces();
  /** The last few of these. */
  #last: Buffer = NOTHING;
  #open = false;
  /** How lines end, as the first event shows: with line feeds, also behind a return, or with returns alone. */
  #lineEnds: "UNKNOWN" | "FEEDS" | "RETURNS" = "UNKNOWN";

  /** @param heldBytesMax an event longer than this is passed on in pieces, since it must not be kept in memory. */
  constructor(heldBytesMax: number) {
    this.#heldBytesMax = heldBytesMax;
  }

  /** True while part of an event has gone through and its end has not: nothing can be said in-band then. */
  get midEvent(): boolean {
    return this.#open;
  }

  /** Bytes held back. */
  get heldBytes(): number {
    return this.#held.bytes;
  }

  /** What may go on now; undefined when all of it waits. */
  push(read: Buffer): Buffer | undefined {
    const chunk = this.#lineEnds === "RETURNS" ? withLineFeeds(read) : read;
    if (this.#held.bytes === 0) return this.#split(chunk, lastBoundary(chunk));
    const isTooLong = this.#held.bytes + chunk.length > this.#heldBytesMax;
    if (!isTooLong && !this.#endsAnEvent(chunk)) {
      this.#hold(chunk);
      return undefined;
    }
    this.#held.push(chunk);
    const all = this.#held.whole();
    this.#held.clear();
    return this.#split(all, lastBoundary(all));
  }

  /** What is held, which is held no more; undefined if nothing. */
  rest(): Buffer | undefined {
    const rest = this.#held.bytes === 0 ? undefined : this.#held.whole();
    this.#held.clear();
    return rest;
  }

  /** The event whose begin is held ends in the next piece, or did at its first bytes. */
  #endsAnEvent(chunk: Buffer): boolean {
    if (lastBoundary(chunk) > 0) return true;
    const seam = Buffer.concat([this.#last, chunk.subarray(0, SEAM_BYTES)]);
    if (lastBoundary(seam) > 0) return true;
    return this.#lineEnds === "UNKNOWN" && (endsInReturns(chunk) || endsInReturns(seam));
  }

  #hold(piece: Buffer): void {
    const last = piece.length >= SEAM_BYTES ? piece : Buffer.concat([this.#last, piece]);
    this.#held.push(piece);
    // As a slice they would keep all of the piece in memory.
    this.#last = Buffer.from(last.subarray(-SEAM_BYTES));
  }

  #split(all: Buffer, end: number): Buffer | undefined {
    if (this.#lineEnds === "UNKNOWN" && end === 0 && endsInReturns(all)) {
      this.#lineEnds = "RETURNS";
      const changed = withLineFeeds(all);
      return this.#split(changed, lastBoundary(changed));
    }
    if (end > 0) {
      this.#open = false;
      if (this.#lineEnds === "UNKNOWN") this.#lineEnds = "FEEDS";
    }
    const heldBytes = all.length - end;
    if (this.#open || heldBytes > this.#heldBytesMax) {
      this.#open = heldBytes > 0;
      return all;
    }
    this.#last = NOTHING;
    if (heldBytes > 0) this.#hold(all.subarray(end));
    if (end === 0) return undefined;
    const events = all.subarray(0, end);
    // They may be looked at once more later, and must not keep the longer rest in memory until then.
    return heldBytes > end && isSliver(events) ? Buffer.from(events) : events;
  }
}

/** The last of some whole events. */
export function lastEvent(events: Buffer): Buffer {
  return events.subarray(lastEventStart(events));
}

/** Where the last of some whole events begins, of those before `end`. */
export function lastEventStart(events: Buffer, end = events.length): number {
  let last = end;
  while (last > 0 && (events[last - 1] === LF || events[last - 1] === CR)) last--;
  return lastBoundary(events, last);
}

const BRACE = 0x7b;

/**
 * The text of an event's data lines, joined as the standard says; undefined when it has none. Google puts the error
 * that ends a stream there without any such line.
 */
export function eventData(event: Buffer): string | undefined {
  if (event[0] === BRACE) return utf8(event);
  let data: string | undefined;
  for (let at = 0; at < event.length;) {
    const lf = lineEnd(event, at);
    const end = lf < 0 ? event.length : lf;
    if (isAt(event, at, DATA)) {
      const value = utf8(event, valueStart(event, at + DATA.length), withoutReturn(event, end));
      data = data === undefined ? value : `${data}\n${value}`;
    }
    at = end + 1;
  }
  return data;
}

/** One space before a value does not belong to it. */
function valueStart(event: Buffer, at: number): number {
  return event[at] === SPACE ? at + 1 : at;
}

/** Where the text ends of a line that a line feed ends. */
function withoutReturn(event: Buffer, end: number): number {
  return end < event.length && event[end - 1] === CR ? end - 1 : end;
}

/** For the last bytes of a stream: true when they are a whole event of which only the blank line is missing. */
export function isWholeEvent(rest: Buffer): boolean {
  const data = eventData(rest);
  if (data === undefined || data === "[DONE]") return data !== undefined;
  try {
    JSON.parse(data);
    return true;
  } catch {
    return false;
  }
}
