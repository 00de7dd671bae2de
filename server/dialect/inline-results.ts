import { latin1 } from "../core/bytes.js";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
/** What stands before the bracket that opens a list of results. */
const LIST = /"inlined\w*Responses"\s*:\s*\[$/;
const LIST_CHARS = 64;

/**
 * Takes a reply about a batch apart as it comes: the results that stand in it, one at a time, and what is left of the
 * reply without them, which is small. Google says the same list twice, in what the operation answers and in what is said
 * about it: only the first list that holds anything is told.
 */
export class InlineResults {
  readonly #bytesMax: number;
  readonly #onResult: (result: Buffer | undefined) => void;
  /** Of the result that has not come to its end, or else of the rest of the reply. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  readonly #rest: Buffer[] = [];
  #restBytes = 0;
  /** How the rest ends so far. */
  #restEnd = "";
  #inString = false;
  #isEscaped = false;
  #inList = false;
  /** Inside of a result. */
  #depth = 0;
  #results = 0;
  /** Of lists before this one. */
  #toldBefore = 0;

  /** `onResult` hears of each result; undefined for one of more than `bytesMax` bytes. */
  constructor(bytesMax: number, onResult: (result: Buffer | undefined) => void) {
    this.#bytesMax = bytesMax;
    this.#onResult = onResult;
  }

  /** The reply without its results; undefined where it is too large all the same. */
  get rest(): Buffer | undefined {
    return this.#restBytes > this.#bytesMax ? undefined : Buffer.concat(this.#rest);
  }

  push(piece: Buffer): void {
    let from = 0;
    let at = 0;
    while (at < piece.length) {
      if (this.#inString) {
        at = this.#string(piece, at);
        continue;
      }
      const byte = piece[at];
      if (byte === QUOTE) this.#inString = true;
      else if (this.#inList) from = this.#listByte(piece, at, from);
      else if (byte === OPEN_BRACKET) from = this.#openList(piece, at, from);
      at++;
    }
    this.#hold(piece.subarray(from));
  }

  /** From inside a string: one past its end, or the end of the piece. */
  #string(piece: Buffer, from: number): number {
    let at = this.#isEscaped ? from + 1 : from;
    for (; at < piece.length; at++) {
      if (piece[at] === BACKSLASH) at++;
      else if (piece[at] === QUOTE) {
        this.#isEscaped = false;
        this.#inString = false;
        return at + 1;
      }
    }
    this.#isEscaped = at > piece.length;
    return piece.length;
  }

  /** Outside of lists, what has come up to here is of the rest. Answers from where on bytes are to be held. */
  #openList(piece: Buffer, at: number, from: number): number {
    this.#hold(piece.subarray(from, at + 1));
    this.#inList = LIST.test(this.#restEnd);
    this.#toldBefore = this.#results;
    return at + 1;
  }

  #listByte(piece: Buffer, at: number, from: number): number {
    const byte = piece[at];
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      this.#depth++;
      return this.#depth === 1 ? at : from;
    }
    if (byte !== CLOSE_BRACE && byte !== CLOSE_BRACKET) return from;
    if (this.#depth === 0) {
      this.#inList = false;
      return at;
    }
    this.#depth--;
    if (this.#depth > 0) return from;
    this.#hold(piece.subarray(from, at + 1), true);
    return at + 1;
  }

  /** Keeps bytes where they belong; what stands between results belongs nowhere. */
  #hold(part: Buffer, isEnd = false): void {
    if (!this.#inList) {
      this.#restBytes += part.length;
      this.#restEnd = (this.#restEnd + latin1(part, Math.max(0, part.length - LIST_CHARS))).slice(
        -LIST_CHARS,
      );
      if (this.#restBytes <= this.#bytesMax) this.#rest.push(part);
      return;
    }
    if (this.#depth === 0 && !isEnd) return;
    this.#heldBytes += part.length;
    if (this.#heldBytes <= this.#bytesMax) this.#held.push(part);
    else this.#held = [];
    if (!isEnd) return;
    this.#results++;
    if (this.#toldBefore === 0) {
      this.#onResult(this.#heldBytes > this.#bytesMax ? undefined : Buffer.concat(this.#held));
    }
    this.#held = [];
    this.#heldBytes = 0;
  }
}
