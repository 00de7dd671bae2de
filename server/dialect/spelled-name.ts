import { hexDigit, isAt } from "../core/bytes.js";

const BACKSLASH = 0x5c;
const SMALL_U = 0x75;
const ASCII_MAX = 0x7f;
/** In place of a character that no plain name has. */
const OTHER = 0;

/** By the byte behind a backslash, the character that both are. */
const SHORT_ESCAPES: ReadonlyMap<number, number> = new Map(
  Object.entries({
    '"': '"',
    "\\": "\\",
    "/": "/",
    b: "\b",
    f: "\f",
    n: "\n",
    r: "\r",
    t: "\t",
  }).map(([sign, means]) => [sign.charCodeAt(0), means.charCodeAt(0)]),
);

/** Characters that to readers which pass over case are an ASCII letter, and their bytes. */
const FOLDED = [
  { code: 0x017f, bytes: Buffer.from("\u017f"), letter: 0x73 },
  { code: 0x212a, bytes: Buffer.from("\u212a"), letter: 0x6b },
];

/** A name between two quotes of a JSON text as its escapes spell it. Made once, for it is read for each such name. */
export class SpelledName {
  /** Each character one byte, up to the longest of interest; those beyond ASCII are nothing. */
  readonly bytes: Buffer;
  /** In characters; of a name that is too long to be of interest more than `bytes` holds. */
  length = 0;
  /** One of its letters is another character, which only to some readers is that letter. */
  isFolded = false;

  /** `longest`: characters of the longest name of interest. */
  constructor(longest: number) {
    this.bytes = Buffer.alloc(longest);
  }

  /** False for a name whose escapes cannot be undone. */
  read(text: Buffer, start: number, end: number): boolean {
    this.length = 0;
    this.isFolded = false;
    let at = start;
    while (at < end) {
      const byte = text[at] ?? 0;
      if (byte === BACKSLASH) {
        const isLong = text[at + 1] === SMALL_U;
        const code = isLong ? hexAt(text, at + 2, end) : SHORT_ESCAPES.get(text[at + 1] ?? 0);
        if (code === undefined) return false;
        this.#add(code);
        at += isLong ? 6 : 2;
      } else if (byte <= ASCII_MAX) {
        this.#add(byte);
        at++;
      } else at = this.#addOther(text, at);
    }
    return true;
  }

  #addOther(text: Buffer, at: number): number {
    for (const { code, bytes } of FOLDED) {
      if (!isAt(text, at, bytes)) continue;
      this.#add(code);
      return at + bytes.length;
    }
    this.#add(ASCII_MAX + 1);
    return at + 1;
  }

  #add(code: number): void {
    const folded = code <= ASCII_MAX ? undefined : FOLDED.find((each) => each.code === code);
    if (folded !== undefined) this.isFolded = true;
    if (this.length < this.bytes.length) {
      this.bytes[this.length] = code <= ASCII_MAX ? code : (folded?.letter ?? OTHER);
    }
    this.length++;
  }
}

/** Four hexadecimal digits; undefined where there is anything else. */
function hexAt(text: Buffer, start: number, end: number): number | undefined {
  if (start + 4 > end) return undefined;
  let code = 0;
  for (let at = start; at < start + 4; at++) {
    const digit = hexDigit(text[at] ?? 0);
    if (digit < 0) return undefined;
    code = code * 16 + digit;
  }
  return code;
}
