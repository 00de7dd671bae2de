import { copyInto, latin1 } from "./bytes.js";
import { type JsonTexts, TEXT_CHARS_MAX } from "./json-texts.js";

const QUOTE = 0x22;
const COMMA = 0x2c;
const ZERO = 0x30;
const OPEN = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE = 0x5d;
const SPACE = 0x20;
const TILDE = 0x7e;
/** Digits of the lower part of a large number, which is written in two parts. */
const LOW_DIGITS = 7;
const LOW = 10 ** LOW_DIGITS;
/** More bytes than any number takes. */
const NUMBER_BYTES = 32;
/** Bytes of a place that is filled in later, as many as the digits of a number below 2^32. */
const PLACE_BYTES = 10;
/** From the start of one place to the start of the next, where one is left right behind the other. */
export const PLACE_STEP = PLACE_BYTES + 1;
/** Bytes of UTF-8 that a character of JSON text can take. */
const CHAR_BYTES_MAX = 3;

const NULL = new Uint8Array(Buffer.from("null,"));
const TRUE = new Uint8Array(Buffer.from("true,"));
const FALSE = new Uint8Array(Buffer.from("false,"));

/**
 * Writes lists of values as JSON into bytes of its own, which grow. It writes what `JSON.stringify` would, at half the
 * cost and with nothing left for the garbage collector, and is for what is written of every call. Each value is followed
 * by a comma, so what has been written is part of a list until the list is closed.
 */
export class JsonWriter {
  readonly #texts: JsonTexts;
  #bytes: Buffer;
  #length = 0;

  /** Writers of the same values may share `texts`. */
  constructor(firstBytes: number, texts: JsonTexts) {
    this.#texts = texts;
    this.#bytes = Buffer.allocUnsafeSlow(firstBytes);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** The bytes themselves, of which the first `length` have been written; there are others when it has grown. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Everything written so far; holds until more is written. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Goes back to an earlier length, or forward over bytes that somebody else fills in. */
  moveTo(length: number): void {
    this.#reserve(length - this.#length);
    this.#length = length;
  }

  openList(): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = OPEN;
  }

  closeList(): void {
    this.#reserve(2);
    // The bracket takes the place of the comma behind the last value.
    if (this.#bytes[this.#length - 1] === COMMA) this.#length -= 1;
    this.#bytes[this.#length++] = CLOSE;
    this.#bytes[this.#length++] = COMMA;
  }

  text(value: string | null): void {
    if (value === null) {
      this.#put(NULL);
      return;
    }
    const { length } = value;
    this.#reserve(length + 3);
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = QUOTE;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code < SPACE || code > TILDE || code === QUOTE || code === BACKSLASH) {
        this.#json(JSON.stringify(value));
        return;
      }
      bytes[at++] = code;
    }
    bytes[at++] = QUOTE;
    bytes[at++] = COMMA;
    this.#length = at;
  }

  /** As `text`, for one that comes again and again, which is then one copy instead of a look at each character. */
  word(value: string | null): void {
    if (value === null) this.#put(NULL);
    else if (value.length > TEXT_CHARS_MAX) this.text(value);
    else this.#put(this.#texts.bytesOf(value));
  }

  /** What has been written from `start` on, one character for each byte, to be given to `again`. */
  writtenFrom(start: number): string {
    return latin1(this.#bytes, start, this.#length);
  }

  /** Writes once more what `writtenFrom` has answered. */
  again(written: string): void {
    this.#reserve(written.length);
    this.#length += this.#bytes.write(written, this.#length, "latin1");
  }

  number(value: number | null): void {
    if (value === null) {
      this.#put(NULL);
      return;
    }
    this.#reserve(NUMBER_BYTES);
    const small = value | 0;
    if (small === value && small >= 0 && small < 10) {
      // Most numbers of a record have one digit.
      this.#bytes[this.#length++] = ZERO + small;
    } else if (small === value && small >= 0) {
      this.#digits(small, digitsOf(small));
    } else if (Number.isSafeInteger(value) && value >= 0) {
      const high = Math.floor(value / LOW);
      this.#digits(high, digitsOf(high));
      this.#digits(value - high * LOW, LOW_DIGITS);
    } else {
      this.#json(JSON.stringify(value));
      return;
    }
    this.#bytes[this.#length++] = COMMA;
  }

  flag(value: boolean): void {
    this.#put(value ? TRUE : FALSE);
  }

  /** Leaves a place for a number that is not known yet; answers where it is, for `fill`. */
  place(): number {
    this.#reserve(PLACE_STEP);
    const at = this.#length;
    this.#bytes.fill(SPACE, at, at + PLACE_BYTES);
    this.#length += PLACE_BYTES;
    this.#bytes[this.#length++] = COMMA;
    return at;
  }

  /** Puts a number below 2^32 into a place, whatever was there before. */
  fill(place: number, value: number): void {
    this.#bytes.write(String(value).padEnd(PLACE_BYTES), place, "latin1");
  }

  #put(bytes: Uint8Array): void {
    const { length } = bytes;
    this.#reserve(length);
    copyInto(this.#bytes, this.#length, bytes);
    this.#length += length;
  }

  #json(json: string): void {
    this.#reserve(json.length * CHAR_BYTES_MAX + 1);
    this.#length += this.#bytes.write(json, this.#length, "utf8");
    this.#bytes[this.#length++] = COMMA;
  }

  #digits(value: number, digits: number): void {
    const bytes = this.#bytes;
    const start = this.#length;
    // Numbers that are known to be below 2^31 are divided without fractions.
    let rest = value | 0;
    for (let at = start + digits - 1; at >= start; at--) {
      const tenth = (rest / 10) | 0;
      bytes[at] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    this.#length = start + digits;
  }

  #reserve(bytes: number): void {
    const wanted = this.#length + bytes;
    if (wanted <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(wanted, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** How many digits a number below 2^31 has. */
function digitsOf(value: number): number {
  if (value < 10) return 1;
  if (value < 100) return 2;
  if (value < 1000) return 3;
  let digits = 4;
  for (let limit = 10_000; value >= limit; limit *= 10) digits += 1;
  return digits;
}
