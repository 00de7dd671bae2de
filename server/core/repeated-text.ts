import { latin1 } from "./bytes.js";

/** A longer text is not kept for the next one. */
const KEPT_CHARS_MAX = 256;

/**
 * A text that is mostly the same as the one before, such as the path of a request, and then is the same string: V8
 * compares it by its address and has its hash already. Each byte is one character.
 */
export class RepeatedText {
  #text = "";

  /** The text from `start` to `end`. */
  in(bytes: Buffer, start: number, end: number): string {
    const text = this.#text;
    const length = end - start;
    if (length === text.length) {
      let same = 0;
      while (same < length && bytes[start + same] === text.charCodeAt(same)) same++;
      if (same === length) return text;
    }
    const read = latin1(bytes, start, end);
    if (length <= KEPT_CHARS_MAX) this.#text = read;
    return read;
  }
}
