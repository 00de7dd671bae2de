import { latin1 } from "./bytes.js";
import type { Clock } from "./clock.js";
import type { Random } from "./random.js";

/** The prefix of an id names its noun, so that a pasted id says what it is. */
export type IdPrefix = "usr" | "prv" | "mdl" | "pk" | "ck" | "call" | "ses" | "aud";

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
const DIGITS = Buffer.from(ALPHABET);
/** Room for the longest prefix and its underscore. */
const PREFIX_CHARS = 5;
const TIME_CHARS = 10;
const RANDOM_BYTES = 10;
const RANDOM_CHARS = (RANDOM_BYTES * 8) / 5;
/** Five bytes are the bits of eight characters. */
const BYTES_PER_GROUP = 5;
const CHARS_PER_GROUP = 8;
/** Ids whose random bits are drawn together: asking the system for ten bytes costs as much as asking for a thousand. */
const IDS_PER_DRAW = 100;

/** Makes ids such as `pk_01jd8k…`: a 48-bit millisecond time and 80 random bits in Crockford base32 (ULID, lower case). */
export class IdSource {
  readonly #clock: Clock;
  readonly #random: Random;
  #lastMs = -1;
  readonly #lastRandom = new Uint8Array(RANDOM_BYTES);
  #drawn: Uint8Array = new Uint8Array(0);
  #drawnAt = 0;
  /** The characters of the last id. The next one keeps its prefix and time if they are the same. */
  readonly #text = Buffer.alloc(PREFIX_CHARS + TIME_CHARS + RANDOM_CHARS);
  #encodedPrefix: IdPrefix | "" = "";
  #encodedMs = -1;

  constructor(options: { clock: Clock; random: Random }) {
    this.#clock = options.clock;
    this.#random = options.random;
  }

  /** A new id; ids of one source sort in the order in which they were made, even within one millisecond. */
  next(prefix: IdPrefix): string {
    const nowMs = Math.max(this.#clock.now(), this.#lastMs);
    if (nowMs === this.#lastMs) {
      increment(this.#lastRandom);
    } else {
      this.#lastMs = nowMs;
      this.#draw();
      // Room below the top, so that counting up within a millisecond does not wrap round.
      this.#lastRandom[0] = (this.#lastRandom[0] ?? 0) & 0x7f;
    }
    return this.#encode(prefix, nowMs);
  }

  /** Makes the text in one piece: one joined from two is slower wherever it is read. */
  #encode(prefix: IdPrefix, nowMs: number): string {
    const start = PREFIX_CHARS - prefix.length - 1;
    if (prefix !== this.#encodedPrefix) {
      this.#text.write(`${prefix}_`, start, "latin1");
      this.#encodedPrefix = prefix;
    }
    if (nowMs !== this.#encodedMs) {
      encodeTime(nowMs, this.#text);
      this.#encodedMs = nowMs;
    }
    encodeRandom(this.#lastRandom, this.#text);
    return latin1(this.#text, start);
  }

  #draw(): void {
    if (this.#drawnAt >= this.#drawn.length) {
      this.#drawn = this.#random.bytes(RANDOM_BYTES * IDS_PER_DRAW);
      this.#drawnAt = 0;
    }
    for (let i = 0; i < RANDOM_BYTES; i++) this.#lastRandom[i] = this.#drawn[this.#drawnAt++] ?? 0;
  }
}

function increment(bytes: Uint8Array): void {
  for (let i = bytes.length - 1; i >= 0; i--) {
    const next = ((bytes[i] ?? 0) + 1) & 0xff;
    bytes[i] = next;
    if (next !== 0) return;
  }
}

/** Writes the time, behind the prefix. */
function encodeTime(ms: number, into: Buffer): void {
  let rest = ms;
  for (let at = PREFIX_CHARS + TIME_CHARS - 1; at >= PREFIX_CHARS; at--) {
    into[at] = DIGITS[rest % 32] ?? 0;
    rest = Math.floor(rest / 32);
  }
}

/** Writes the random bits, behind the time. */
function encodeRandom(bytes: Uint8Array, into: Buffer): void {
  for (let group = 0; group < RANDOM_BYTES / BYTES_PER_GROUP; group++) {
    const at = group * BYTES_PER_GROUP;
    const high =
      ((bytes[at] ?? 0) << 12) | ((bytes[at + 1] ?? 0) << 4) | ((bytes[at + 2] ?? 0) >>> 4);
    const low =
      (((bytes[at + 2] ?? 0) & 0xf) << 16) | ((bytes[at + 3] ?? 0) << 8) | (bytes[at + 4] ?? 0);
    const start = PREFIX_CHARS + TIME_CHARS + group * CHARS_PER_GROUP;
    encodeBits(high, into, start);
    encodeBits(low, into, start + CHARS_PER_GROUP / 2);
  }
}

/** Writes twenty bits as four characters. */
function encodeBits(bits: number, into: Buffer, at: number): void {
  into[at] = DIGITS[bits >>> 15] ?? 0;
  into[at + 1] = DIGITS[(bits >>> 10) & 31] ?? 0;
  into[at + 2] = DIGITS[(bits >>> 5) & 31] ?? 0;
  into[at + 3] = DIGITS[bits & 31] ?? 0;
}
