import { Fault } from "../core/fault.js";
import { latin1, utf8 } from "./bytes.js";

/** Where a value stands in a text: its first byte and one past its last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** How much structure a text may have before it is refused. */
export interface ScanLimits {
  /** Nested objects and arrays. */
  readonly depthMax: number;
  /** Values of any kind, nested ones included. */
  readonly valuesMax: number;
}

/** Deep enough for any tool schema seen; far below what a recursive parser downstream can bear. */
export const SCAN_LIMITS: ScanLimits = { depthMax: 64, valuesMax: 2_000_000 };

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
/** Strings longer than this are searched with memchr, where the call costs less than the loop. */
const SHORT_STRING_BYTES = 48;

/** So many digits are a whole number that a double holds exactly. */
const SHORT_DIGITS = 15;
const TRUE = Buffer.from("true");
const FALSE = Buffer.from("false");
const NULL = Buffer.from("null");
const UNREADABLE = -2;

interface Wanted {
  readonly bytes: Buffer;
  readonly index: number;
}

/** Names of members to look for. Made once for each kind of text; finding one costs no string. */
export class WantedMembers {
  readonly #names: readonly string[];
  readonly #byLength: readonly (readonly Wanted[])[];
  readonly #none: readonly (Span | undefined)[];

  constructor(names: readonly string[]) {
    this.#names = names;
    this.#none = names.map(() => undefined);
    const wanted = names.map((name, index) => ({ bytes: Buffer.from(name), index }));
    const longest = Math.max(0, ...names.map((name) => name.length));
    this.#byLength = Array.from({ length: longest + 1 }, (_each, length) =>
      wanted.filter(({ bytes }) => bytes.length === length),
    );
  }

  /** One undefined for each name. */
  none(): (Span | undefined)[] {
    return this.#none.slice();
  }

  nameOf(index: number): string {
    return this.#names[index] ?? "";
  }

  /** The index of the name that stands between two quotes; -1 for none of them. */
  indexOf(text: Buffer, start: number, end: number): number {
    for (let at = start; at < end; at++) {
      // Undone, `mod\u0065l` is `model` to every parser.
      if (text[at] === BACKSLASH) return this.#unescaped(text, start, end);
    }
    const candidates = this.#byLength[end - start];
    if (candidates === undefined) return -1;
    for (let i = 0; i < candidates.length; i++) {
      const candidate = candidates[i];
      if (candidate !== undefined && isAt(text, start, candidate.bytes)) return candidate.index;
    }
    return -1;
  }

  #unescaped(text: Buffer, start: number, end: number): number {
    const name = readString(text, { start: start - 1, end: end + 1 });
    return name === undefined ? UNREADABLE : this.#names.indexOf(name);
  }
}

function isAt(text: Buffer, start: number, name: Buffer): boolean {
  for (let i = 0; i < name.length; i++) if (text[start + i] !== name[i]) return false;
  return true;
}

/**
 * Finds members of the object that a text consists of, without building it: a body is read once, never
 * parsed and written again, so that every byte of it can go on unchanged. Answers the span of each wanted
 * member's value, in the order of `wanted`.
 *
 * Throws Fault `malformed_request` when the text is not one JSON object, is nested too deeply, or holds a
 * wanted member twice: parsers differ in which of two they take, so no check on either would hold.
 */
export function scanObject(
  text: Buffer,
  wanted: WantedMembers,
  limits: ScanLimits = SCAN_LIMITS,
): readonly (Span | undefined)[] {
  const scan = new Scan(text, 0, text.length, limits);
  const found = scan.members(wanted);
  scan.end();
  return found;
}

/** As `scanObject`, for an object inside a text that was scanned already. */
export function scanMember(
  text: Buffer,
  span: Span,
  wanted: WantedMembers,
): readonly (Span | undefined)[] {
  if (text[span.start] !== OPEN_BRACE) return wanted.none();
  return new Scan(text, span.start, span.end, SCAN_LIMITS).members(wanted);
}

/**
 * Reads on from a key to the end of the text, which must finish exactly the one object that is open around
 * the key. Answers the span of the key's value; undefined when the key stands deeper, or in no object at all.
 */
export function lastMember(text: Buffer, keyAt: number): Span | undefined {
  try {
    return new Scan(text, keyAt, text.length, SCAN_LIMITS).restOfObject();
  } catch {
    return undefined;
  }
}

/** The text of a string value; undefined when the span holds something else. */
export function readString(text: Buffer, span: Span | undefined): string | undefined {
  if (span === undefined || text[span.start] !== QUOTE) return undefined;
  const raw = utf8(text, span.start + 1, span.end - 1);
  if (!raw.includes("\\")) return raw;
  try {
    return String(JSON.parse(`"${raw}"`));
  } catch {
    return undefined;
  }
}

/** A number that is finite; undefined when the span holds something else. */
export function readNumber(text: Buffer, span: Span | undefined): number | undefined {
  if (span === undefined) return undefined;
  const { start, end } = span;
  if (end - start > SHORT_DIGITS) return readAnyNumber(text, span);
  let value = 0;
  for (let at = start; at < end; at++) {
    const byte = text[at];
    if (byte === undefined || byte < 0x30 || byte > 0x39) return readAnyNumber(text, span);
    value = value * 10 + byte - 0x30;
  }
  return value;
}

function readAnyNumber(text: Buffer, span: Span): number | undefined {
  const first = text[span.start];
  if (first !== 0x2d && !isDigit(first)) return undefined;
  const value = Number(latin1(text, span.start, span.end));
  return Number.isFinite(value) ? value : undefined;
}

/** True only for the literal `true`. */
export function readTrue(text: Buffer, span: Span | undefined): boolean {
  return span !== undefined && span.end - span.start === 4 && text[span.start] === 0x74;
}

/** True only for the literal `false`. */
export function readFalse(text: Buffer, span: Span | undefined): boolean {
  return span !== undefined && span.end - span.start === 5 && text[span.start] === 0x66;
}

/** True only for the literal `null`. */
export function isNull(text: Buffer, span: Span): boolean {
  return span.end - span.start === 4 && text[span.start] === 0x6e;
}

/** A reader that checks the whole grammar outside strings and remembers nothing but where it stands. */
class Scan {
  readonly #text: Buffer;
  readonly #end: number;
  readonly #limits: ScanLimits;
  #pos: number;
  #values = 0;

  constructor(text: Buffer, start: number, end: number, limits: ScanLimits) {
    this.#text = text;
    this.#pos = start;
    this.#end = end;
    this.#limits = limits;
  }

  members(wanted: WantedMembers): (Span | undefined)[] {
    const found = wanted.none();
    this.#space();
    this.#expect(OPEN_BRACE);
    this.#space();
    if (this.#take(CLOSE_BRACE)) return found;
    do {
      this.#space();
      const index = this.#key(wanted);
      this.#space();
      this.#expect(COLON);
      this.#space();
      const start = this.#pos;
      this.#value(2);
      if (index >= 0) {
        if (found[index] !== undefined) {
          throw malformed(`The request body names "${wanted.nameOf(index)}" more than once.`);
        }
        found[index] = { start, end: this.#pos };
      }
      this.#space();
    } while (this.#take(COMMA));
    this.#expect(CLOSE_BRACE);
    return found;
  }

  /** Goes on inside an object, at a key, to the end of the text. Answers the span of that key's value. */
  restOfObject(): Span {
    this.#string();
    this.#space();
    this.#expect(COLON);
    this.#space();
    const start = this.#pos;
    this.#value(1);
    const span = { start, end: this.#pos };
    this.#space();
    if (this.#take(COMMA)) this.#objectMembers(1);
    else this.#expect(CLOSE_BRACE);
    this.end();
    return span;
  }

  end(): void {
    this.#space();
    if (this.#pos !== this.#end) this.#fail();
  }

  #value(depth: number): void {
    if (++this.#values > this.#limits.valuesMax) {
      throw malformed("The request body holds too many JSON values.");
    }
    switch (this.#text[this.#pos]) {
      case QUOTE:
        this.#string();
        return;
      case OPEN_BRACE:
        this.#deeper(depth);
        this.#pos++;
        this.#space();
        if (!this.#take(CLOSE_BRACE)) this.#objectMembers(depth + 1);
        return;
      case OPEN_BRACKET:
        this.#deeper(depth);
        this.#array(depth + 1);
        return;
      case 0x74:
        this.#literal(TRUE);
        return;
      case 0x66:
        this.#literal(FALSE);
        return;
      case 0x6e:
        this.#literal(NULL);
        return;
      default:
        this.#number();
    }
  }

  #deeper(depth: number): void {
    if (depth > this.#limits.depthMax) {
      throw malformed(
        `The request body is nested more than ${String(this.#limits.depthMax)} levels deep.`,
      );
    }
  }

  #objectMembers(depth: number): void {
    do {
      this.#space();
      this.#string();
      this.#space();
      this.#expect(COLON);
      this.#space();
      this.#value(depth);
      this.#space();
    } while (this.#take(COMMA));
    this.#expect(CLOSE_BRACE);
  }

  #array(depth: number): void {
    this.#pos++;
    this.#space();
    if (this.#take(CLOSE_BRACKET)) return;
    do {
      this.#space();
      this.#value(depth);
      this.#space();
    } while (this.#take(COMMA));
    this.#expect(CLOSE_BRACKET);
  }

  /** Which wanted member a key names; -1 for none. */
  #key(wanted: WantedMembers): number {
    const start = this.#pos + 1;
    this.#string();
    const index = wanted.indexOf(this.#text, start, this.#pos - 1);
    return index === UNREADABLE ? this.#fail() : index;
  }

  #string(): void {
    const text = this.#text;
    if (text[this.#pos] !== QUOTE) this.#fail();
    let at = this.#pos + 1;
    const loopEnd = Math.min(at + SHORT_STRING_BYTES, this.#end);
    while (at < loopEnd) {
      const byte = text[at];
      if (byte === QUOTE) {
        this.#pos = at + 1;
        return;
      }
      at += byte === BACKSLASH ? 2 : 1;
    }
    this.#longString(at);
  }

  /** `at` is inside the string and not behind a backslash. */
  #longString(at: number): void {
    const text = this.#text;
    let from = at;
    for (;;) {
      const quote = text.indexOf(QUOTE, from);
      if (quote < 0 || quote >= this.#end) this.#fail();
      let before = quote;
      while (before > at && text[before - 1] === BACKSLASH) before--;
      if ((quote - before) % 2 === 0) {
        this.#pos = quote + 1;
        return;
      }
      from = quote + 1;
    }
  }

  #number(): void {
    const text = this.#text;
    let at = this.#pos;
    if (text[at] === 0x2d) at++;
    if (text[at] === 0x30) at++;
    else at = digits(text, at);
    if (text[at] === 0x2e) at = digits(text, at + 1);
    if (text[at] === 0x65 || text[at] === 0x45) {
      at++;
      if (text[at] === 0x2b || text[at] === 0x2d) at++;
      at = digits(text, at);
    }
    if (at < 0 || at > this.#end) this.#fail();
    this.#pos = at;
  }

  #literal(word: Buffer): void {
    const end = this.#pos + word.length;
    if (end > this.#end || !isAt(this.#text, this.#pos, word)) this.#fail();
    this.#pos = end;
  }

  #space(): void {
    const text = this.#text;
    let at = this.#pos;
    for (;;) {
      const byte = text[at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
      at++;
    }
    this.#pos = at;
  }

  #take(byte: number): boolean {
    if (this.#text[this.#pos] !== byte) return false;
    this.#pos++;
    return true;
  }

  #expect(byte: number): void {
    if (!this.#take(byte)) this.#fail();
  }

  #fail(): never {
    throw malformed(
      `The request body is not a JSON object: unexpected ${this.#pos >= this.#end ? "end" : "byte"} at offset ${String(Math.min(this.#pos, this.#end))}.`,
    );
  }
}

/** Past one or more digits; -1 (which fails) when there is none. */
function digits(text: Buffer, from: number): number {
  let at = from;
  while (isDigit(text[at])) at++;
  return at === from ? -1 : at;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function malformed(message: string): Fault {
  return new Fault("malformed_request", message);
}
