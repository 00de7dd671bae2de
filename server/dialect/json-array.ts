import { Pieces } from "../core/pieces.js";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Follows a JSON text that comes in pieces by its brackets alone, to know where its elements begin and whether it
 * has come to its end. Inside a string it goes from quote to quote.
 */
export class JsonArray {
  #depth = 0;
  /** 1 in an array, 0 where the text is an object itself. */
  #elementDepth = 0;
  #inString = false;
  #isEscaped = false;
  #bytes = 0;
  /** Where the newest element that is an object begins, in bytes from the start; -1 before the first. */
  elementAt = -1;
  /** The outermost bracket was closed. */
  ended = false;

  get bytes(): number {
    return this.#bytes;
  }

  /** Where the element begins that is not whole yet; the end of what has come where there is none. */
  get openAt(): number {
    const isOpen = this.#depth > this.#elementDepth && this.elementAt >= 0;
    return isOpen ? this.elementAt : this.#bytes;
  }

  push(piece: Buffer): void {
    let at = 0;
    while (at < piece.length)
      at = this.#inString ? this.#string(piece, at) : this.#structure(piece, at);
    this.#bytes += piece.length;
  }

  /** From inside a string: one past its end, or past the piece. */
  #string(piece: Buffer, from: number): number {
    let at = from;
    if (this.#isEscaped) at++;
    this.#isEscaped = false;
    for (; at < piece.length; at++) {
      if (piece[at] === BACKSLASH) at++;
      else if (piece[at] === QUOTE) {
        this.#inString = false;
        return at + 1;
      }
    }
    this.#isEscaped = at > piece.length;
    return at;
  }

  /** From outside of strings: one past the next quote, or past the piece. */
  #structure(piece: Buffer, from: number): number {
    for (let at = from; at < piece.length; at++) {
      const byte = piece[at];
      if (byte === QUOTE) {
        this.#inString = true;
        return at + 1;
      }
      if (byte === 0x7b || byte === 0x5b) {
        if (this.#depth === 0) this.#elementDepth = byte === 0x5b ? 1 : 0;
        if (byte === 0x7b && this.#depth === this.#elementDepth) this.elementAt = this.#bytes + at;
        this.#depth++;
      } else if (byte === 0x7d || byte === 0x5d) {
        this.#depth--;
        if (this.#depth === 0) this.ended = true;
      }
    }
    return piece.length;
  }
}

/** For a JSON array that comes in pieces what an `EventGate` is for events: elements go through it whole. */
export class ElementGate {
  readonly #heldBytesMax: number;
  readonly #array = new JsonArray();
  readonly #held = new Pieces();

  /** @param heldBytesMax an element longer than this is passed on in pieces, since it must not be kept in memory. */
  constructor(heldBytesMax: number) {
    this.#heldBytesMax = heldBytesMax;
  }

  /** True while part of an element has gone through and its end has not. */
  get midEvent(): boolean {
    return this.#array.openAt < this.#array.bytes - this.#held.bytes;
  }

  /** Bytes held back. */
  get heldBytes(): number {
    return this.#held.bytes;
  }

  /** What may go on now; undefined when all of it waits. */
  push(chunk: Buffer): Buffer | undefined {
    const array = this.#array;
    array.push(chunk);
    this.#held.push(chunk);
    if (!this.midEvent && array.bytes - array.openAt <= this.#heldBytesMax) {
      return this.#release(this.#held.bytes - (array.bytes - array.openAt));
    }
    return this.#release(this.#held.bytes);
  }

  /** What is left at the end of the stream; undefined if nothing. */
  rest(): Buffer | undefined {
    return this.#release(this.#held.bytes);
  }

  #release(bytes: number): Buffer | undefined {
    if (bytes === 0) return undefined;
    const all = this.#held.whole();
    this.#held.clear();
    if (bytes < all.length) this.#held.push(all.subarray(bytes));
    return all.subarray(0, bytes);
  }
}
