import { FramingError, malformed } from "./framing-error.js";

const LF = 0x0a;
const CR = 0x0d;
/** What most heads fit in. */
const FIRST_BYTES = 2048;

/**
 * A head that comes in pieces. Its end is looked for as they come, so that a head in many small pieces is
 * read through but once.
 */
export class HeldHead {
  readonly #bytesMax: number;
  #bytes: Buffer;
  #length = 0;

  /** Begins with what is there from `at` to `length`. */
  constructor(bytesMax: number, bytes: Buffer, at: number, length: number) {
    this.#bytesMax = bytesMax;
    this.#bytes = Buffer.allocUnsafe(Math.min(bytesMax, Math.max(FIRST_BYTES, length - at)));
    this.#length = bytes.copy(this.#bytes, 0, at, length);
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  get length(): number {
    return this.#length;
  }

  /** Takes on; answers one past the blank line that ends the head, or -1 when all was taken and it has not come. */
  take(bytes: Buffer, at: number, length: number): number {
    for (let next = at; next < length; next++) {
      const count = this.#length;
      if (count >= this.#bytes.length) this.#grow();
      const held = this.#bytes;
      const byte = bytes[next] ?? 0;
      const afterCr = held[count - 1] === CR;
      if ((byte === LF) !== afterCr) malformed("a line does not end with CR LF");
      held[count] = byte;
      this.#length = count + 1;
      if (byte === LF && held[count - 2] === LF) return next + 1;
    }
    return -1;
  }

  #grow(): void {
    if (this.#length >= this.#bytesMax) throw headTooLarge();
    const larger = Buffer.allocUnsafe(Math.min(this.#bytesMax, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

export function headTooLarge(): FramingError {
  return new FramingError("its head is too large", "HEAD_TOO_LARGE");
}
