import { utf8 } from "../core/bytes.js";
import { isSliver, Pieces } from "../core/pieces.js";

const LF = 0x0a;
const CR = 0x0d;
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
 * Lets whole events through and holds back a last piece of one until its rest arrives. So a stream that is
 * cut ends between two events, and an error event after it is read as one. Bytes are never changed, and
 * copied only where an event spans two reads.
 */
export class EventGate {
  readonly #heldBytesMax: number;
  readonly #held = new Pieces();
  /** The last few of these. */
  #last: Buffer = NOTHING;
  #open = false;

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
  push(chunk: Buffer): Buffer | undefined {
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

  /** What is left at the end of the stream; undefined if nothing. */
  rest(): Buffer | undefined {
    const rest = this.#held.bytes === 0 ? undefined : this.#held.whole();
    this.#held.clear();
    return rest;
  }

  /** The event whose begin is held ends in the next piece, or did at its first bytes. */
  #endsAnEvent(chunk: Buffer): boolean {
    if (lastBoundary(chunk) > 0) return true;
    return lastBoundary(Buffer.concat([this.#last, chunk.subarray(0, SEAM_BYTES)])) > 0;
  }

  #hold(piece: Buffer): void {
    const last = piece.length >= SEAM_BYTES ? piece : Buffer.concat([this.#last, piece]);
    this.#held.push(piece);
    // As a slice they would keep all of the piece in memory.
    this.#last = Buffer.from(last.subarray(-SEAM_BYTES));
  }

  #split(all: Buffer, end: number): Buffer | undefined {
    if (end > 0) this.#open = false;
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
  if (event[0] === BRACE) return utf8(event, 0, event.length);
  let data: string | undefined;
  for (const line of utf8(event, 0, event.length).split(/\r?\n/)) {
    if (!line.startsWith("data:")) continue;
    const value = line.startsWith("data: ") ? line.slice(6) : line.slice(5);
    data = data === undefined ? value : `${data}\n${value}`;
  }
  return data;
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
