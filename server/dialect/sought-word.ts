import { isAt } from "../core/bytes.js";

/** Letters of names in JSON, code and English, the rarest first. What is not among them is rarer. */
const COMMON = 'zqxjkbvgwy"fumpdchlarisotne';
/** Node compares a longer word in a way that costs many times as much. */
const PIECE_BYTES_MAX = 7;

/**
 * A word that is searched for in long texts. A search stops wherever its first letter stands, and JSON is full of quotes;
 * so a piece of the word is sought that begins with the rarest of its letters. Of 300 KB that takes some microseconds, of
 * the whole word a tenth of a millisecond.
 */
export class SoughtWord {
  readonly #word: Buffer;
  readonly #piece: Buffer;
  /** Bytes of the word before the piece. */
  readonly #before: number;

  /** Each character is one byte. */
  constructor(word: string) {
    const commonness = word.split("").map((letter) => COMMON.indexOf(letter));
    this.#before = commonness.indexOf(Math.min(...commonness));
    this.#word = Buffer.from(word, "latin1");
    this.#piece = this.#word.subarray(this.#before, this.#before + PIECE_BYTES_MAX);
  }

  get length(): number {
    return this.#word.length;
  }

  /** Where the word stands first, from `from` on; -1 for nowhere. */
  indexIn(text: Buffer, from = 0): number {
    let at = text.indexOf(this.#piece, from + this.#before);
    while (at >= 0 && !isAt(text, at - this.#before, this.#word)) {
      at = text.indexOf(this.#piece, at + 1);
    }
    return at < 0 ? -1 : at - this.#before;
  }
}
