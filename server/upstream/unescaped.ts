import { hexDigit } from "../core/bytes.js";

const BACKSLASH = 0x5c;
const PERCENT = 0x25;
const AMPERSAND = 0x26;
const SEMICOLON = 0x3b;
/** `&#x41;` and `&#065;` are the longest of their kinds. */
const HTML_CHARS = 6;
/** Quote, backslash and slash, which JSON may write behind a backslash. */
const ITSELF: ReadonlySet<number> = new Set([0x22, BACKSLASH, 0x2f]);

/** A text whose escapes are undone. */
export interface Unescaped {
  readonly text: string;
  /** Where in the given text each of its characters begins, and at last where that ends. */
  readonly starts: Uint32Array;
}

/**
 * Undoes the escapes by which JSON, URLs and HTML write characters up to 0xff; a server chooses which it escapes. Undefined
 * for a text without any.
 */
export function withoutEscapes(given: string): Unescaped | undefined {
  if (!/[\\%&]/.test(given)) return undefined;
  const { length } = given;
  const codes = new Uint16Array(length);
  const starts = new Uint32Array(length + 1);
  let count = 0;
  let at = 0;
  while (at < length) {
    const code = given.charCodeAt(at);
    const end = escapeEnd(given, at, code);
    starts[count] = at;
    codes[count++] = end < 0 ? code : codeOf(given, at, end);
    at = end < 0 ? at + 1 : end;
  }
  if (count === length) return undefined;
  starts[count] = length;
  return { text: Buffer.from(codes.buffer, 0, 2 * count).toString("utf16le"), starts };
}

/** One past the escape that begins there; -1 where none does. */
function escapeEnd(text: string, at: number, code: number): number {
  if (code === BACKSLASH) {
    if (ITSELF.has(text.charCodeAt(at + 1))) return at + 2;
    return text.startsWith("u00", at + 1) && hexAt(text, at + 4) >= 0 ? at + 6 : -1;
  }
  if (code === PERCENT) return hexAt(text, at + 1) >= 0 ? at + 3 : -1;
  return code === AMPERSAND ? htmlEnd(text, at) : -1;
}

const HTML = /^&#(?:\d{2,3}|[xX][\dA-Fa-f]{2});/;

function htmlEnd(text: string, at: number): number {
  const [escape] = HTML.exec(text.slice(at, at + HTML_CHARS)) ?? [];
  return escape === undefined ? -1 : at + escape.length;
}

function codeOf(text: string, at: number, end: number): number {
  if (text.charCodeAt(end - 1) !== SEMICOLON || text.charCodeAt(at) !== AMPERSAND) {
    return end === at + 2 ? text.charCodeAt(at + 1) : hexAt(text, end - 2);
  }
  const digits = text.slice(at + 2, end - 1);
  return /^x/i.test(digits) ? Number.parseInt(digits.slice(1), 16) : Number(digits);
}

/** The number in two hexadecimal digits; -1 where there is anything else. */
function hexAt(text: string, at: number): number {
  const high = hexDigit(text.charCodeAt(at));
  const low = hexDigit(text.charCodeAt(at + 1));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}
