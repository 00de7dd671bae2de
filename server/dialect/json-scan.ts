import { Fault } from "../core/fault.js";
import { readString, type Span } from "./json-span.js";
import { byteAt, scalarEnd, spaceEnd, stringEnd } from "./json-steps.js";
import { OTHER_CASE, UNREADABLE, type WantedMembers } from "./wanted-members.js";

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
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/**
 * Finds members of the object that a text consists of, without building it: a body is read once, never
 * parsed and written again, so that every byte of it can go on unchanged. Answers the span of each wanted
 * member's value, in the order of `wanted`.
 *
 * Throws Fault `malformed_request` when the text is not one JSON object, is nested too deeply, or holds a
 * wanted member twice or in other letters: parsers differ in which they take, so no check on either would hold.
 */
export function scanObject(
  text: Buffer,
  wanted: WantedMembers,
  limits: ScanLimits = SCAN_LIMITS,
): readonly (Span | undefined)[] {
  const scan = new Scan(text, text.length, limits);
  const found = wanted.none();
  scan.end(scan.members(0, wanted, found));
  return found;
}

/** As `scanObject`, for an object inside a text that was scanned already. */
export function scanMember(
  text: Buffer,
  span: Span,
  wanted: WantedMembers,
): readonly (Span | undefined)[] {
  const found = wanted.none();
  if (text[span.start] !== OPEN_BRACE) return found;
  new Scan(text, span.end, SCAN_LIMITS).members(span.start, wanted, found);
  return found;
}

/**
 * The elements of an array inside a text that was scanned already; none where the span holds something else. Of more than
 * `countMax` one more.
 */
export function scanElements(text: Buffer, span: Span, countMax = Infinity): readonly Span[] {
  if (text[span.start] !== OPEN_BRACKET) return [];
  const found: Span[] = [];
  const bounds = { bytesMax: Infinity, countMax };
  new Scan(text, span.end, SCAN_LIMITS).elements(span.start + 1, found, bounds);
  return found;
}

/** `scanElements` for an array that is too long to be read at once. */
export class LongElements {
  readonly #scan: Scan;
  /** Where the next one begins; -1 when all are read. */
  #at: number;

  constructor(text: Buffer, span: Span) {
    this.#scan = new Scan(text, span.end, SCAN_LIMITS);
    this.#at = text[span.start] === OPEN_BRACKET ? span.start + 1 : -1;
  }

  get isRead(): boolean {
    return this.#at < 0;
  }

  /** The next elements, in so many bytes, or a few more. */
  read(bytes: number): readonly Span[] {
    const found: Span[] = [];
    const bounds = { bytesMax: bytes, countMax: Infinity };
    if (!this.isRead) this.#at = this.#scan.elements(this.#at, found, bounds);
    return found;
  }
}

/** True when what follows a member's value, up to the end of the text, ends exactly the one object around it. */
export function endsText(text: Buffer, valueEnd: number): boolean {
  try {
    new Scan(text, text.length, SCAN_LIMITS).rest(valueEnd);
    return true;
  } catch {
    return false;
  }
}

/** After how much a reader of elements pauses. */
interface ElementBounds {
  readonly bytesMax: number;
  readonly countMax: number;
}

/**
 * A reader that checks the whole grammar outside strings. Each step takes where it begins and answers where it ends,
 * and none reads beyond the end: a single such read makes all later ones slower.
 */
class Scan {
  readonly #text: Buffer;
  readonly #end: number;
  readonly #depthMax: number;
  #valuesLeft: number;

  constructor(text: Buffer, end: number, limits: ScanLimits) {
    this.#text = text;
    this.#end = end;
    this.#depthMax = limits.depthMax;
    this.#valuesLeft = limits.valuesMax;
  }

  /** Fills in where the values of the wanted members stand. */
  members(start: number, wanted: WantedMembers, found: (Span | undefined)[]): number {
    const text = this.#text;
    const end = this.#end;
    let at = this.#open(spaceEnd(text, start, end));
    if (byteAt(text, at, end) === CLOSE_BRACE) return at + 1;
    for (;;) {
      const keyEnd = stringEnd(text, at, end);
      if (keyEnd < 0) this.#fail(at);
      const index = wanted.indexOf(text, at + 1, keyEnd - 1);
      if (index === UNREADABLE) this.#fail(keyEnd);
      if (index === OTHER_CASE) throw inOtherCase(text, { start: at, end: keyEnd });
      const valueAt = this.#colon(keyEnd);
      const valueEnd = this.#value(valueAt, 2);
      if (index >= 0) {
        if (found[index] !== undefined) throw namedTwice(wanted.nameOf(index));
        found[index] = { start: valueAt, end: valueEnd };
      }
      at = spaceEnd(text, valueEnd, end);
      if (byteAt(text, at, end) !== COMMA) return this.#close(at, CLOSE_BRACE);
      at = spaceEnd(text, at + 1, end);
    }
  }

  /** Goes on inside the outermost object, behind a value, to the end of the text. */
  rest(valueEnd: number): void {
    const at = spaceEnd(this.#text, valueEnd, this.#end);
    const more = byteAt(this.#text, at, this.#end) === COMMA;
    this.end(
      more
        ? this.#objectMembers(spaceEnd(this.#text, at + 1, this.#end), 1)
        : this.#close(at, CLOSE_BRACE),
    );
  }

  end(at: number): void {
    const end = spaceEnd(this.#text, at, this.#end);
    if (end !== this.#end) this.#fail(end);
  }

  #open(at: number): number {
    if (byteAt(this.#text, at, this.#end) !== OPEN_BRACE) this.#fail(at);
    return spaceEnd(this.#text, at + 1, this.#end);
  }

  #value(at: number, depth: number): number {
    if (--this.#valuesLeft < 0) throw tooManyValues();
    const first = byteAt(this.#text, at, this.#end);
    if (first === OPEN_BRACE) return this.#object(at, depth);
    if (first === OPEN_BRACKET) return this.#array(at, depth);
    const valueEnd =
      first === QUOTE ? stringEnd(this.#text, at, this.#end) : scalarEnd(this.#text, at, this.#end);
    return valueEnd < 0 ? this.#fail(at) : valueEnd;
  }

  #deeper(depth: number): void {
    if (depth > this.#depthMax) throw tooDeep(this.#depthMax);
  }

  /** Finds elements of an array, from one on, up to one beyond a bound; where the next begins, -1 behind the last. */
  elements(start: number, found: Span[], bounds: ElementBounds): number {
    const text = this.#text;
    const end = this.#end;
    const until = start + bounds.bytesMax;
    let at = spaceEnd(text, start, end);
    while (byteAt(text, at, end) !== CLOSE_BRACKET) {
      const valueEnd = this.#value(at, 2);
      found.push({ start: at, end: valueEnd });
      at = spaceEnd(text, valueEnd, end);
      if (byteAt(text, at, end) !== COMMA) return -1;
      at = spaceEnd(text, at + 1, end);
      if (at >= until || found.length > bounds.countMax) return at;
    }
    return -1;
  }

  #object(start: number, depth: number): number {
    this.#deeper(depth);
    const at = spaceEnd(this.#text, start + 1, this.#end);
    const empty = byteAt(this.#text, at, this.#end) === CLOSE_BRACE;
    return empty ? at + 1 : this.#objectMembers(at, depth + 1);
  }

  #objectMembers(start: number, depth: number): number {
    const text = this.#text;
    const end = this.#end;
    let at = start;
    for (;;) {
      const keyEnd = stringEnd(text, at, end);
      if (keyEnd < 0) this.#fail(at);
      at = spaceEnd(text, this.#value(this.#colon(keyEnd), depth), end);
      if (byteAt(text, at, end) !== COMMA) return this.#close(at, CLOSE_BRACE);
      at = spaceEnd(text, at + 1, end);
    }
  }

  #array(start: number, depth: number): number {
    this.#deeper(depth);
    const text = this.#text;
    const end = this.#end;
    let at = spaceEnd(text, start + 1, end);
    if (byteAt(text, at, end) === CLOSE_BRACKET) return at + 1;
    for (;;) {
      at = spaceEnd(text, this.#value(at, depth + 1), end);
      if (byteAt(text, at, end) !== COMMA) return this.#close(at, CLOSE_BRACKET);
      at = spaceEnd(text, at + 1, end);
    }
  }

  #close(at: number, byte: number): number {
    return byteAt(this.#text, at, this.#end) === byte ? at + 1 : this.#fail(at);
  }

  /** From behind a key to its value. */
  #colon(keyEnd: number): number {
    const at = spaceEnd(this.#text, keyEnd, this.#end);
    if (byteAt(this.#text, at, this.#end) !== COLON) this.#fail(at);
    return spaceEnd(this.#text, at + 1, this.#end);
  }

  #fail(at: number): never {
    throw unexpected(at, this.#end);
  }
}

// What is said of a text that is refused.

function malformed(message: string): Fault {
  return new Fault("malformed_request", message);
}

export function unexpected(at: number, end: number): Fault {
  const what = at >= end ? "end" : "byte";
  const offset = String(Math.min(at, end));
  return malformed(
    `The request body is not a JSON object: unexpected ${what} at offset ${offset}.`,
  );
}

export function tooManyValues(): Fault {
  return malformed("The request body holds too many JSON values.");
}

export function tooDeep(depthMax: number): Fault {
  return malformed(`The request body is nested more than ${String(depthMax)} levels deep.`);
}

export function namedTwice(name: string): Fault {
  return malformed(`The request body names "${name}" more than once.`);
}

export function inOtherCase(text: Buffer, name: Span): Fault {
  const given = readString(text, name) ?? "";
  // Up first: some characters are a letter of ASCII in the other case alone.
  const meant = given.toUpperCase().toLowerCase();
  return malformed(`The request body has "${given}", which some servers take for "${meant}".`);
}
