import { latin1, utf8 } from "../core/bytes.js";
import { parseRecord } from "./json-record.js";
import { isDigit, scalarEnd, stringEnd } from "./json-steps.js";

/** An object inside a text: what it says, and one past its last byte. */
export interface FoundObject {
  readonly value: Record<string, unknown>;
  readonly end: number;
}

/** So many are known at a time; a provider has one or two for all of its replies. */
const SHAPES_MAX = 6;
/**
 * Where shapes never come again, learning them costs more than it saves: then only one in so many new ones is learned.
 */
const LEARNED_OF = 64;
/** A longer object is parsed each time. */
const SHAPE_BYTES_MAX = 2048;

const QUOTE = 0x22;
const MINUS = 0x2d;
const ZERO = 0x30;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
/** So many digits are a whole number that a double holds exactly. */
const SHORT_DIGITS = 15;

/**
 * Reads objects that differ in their numbers alone, as what one reply used and what the next one did. One that comes
 * again is compared with the last of its shape and only its numbers are read, which costs a quarter of parsing it.
 * Texts of any origin are read as `JSON.parse` reads them.
 */
export class RecurringObjects {
  /** Those that came last mostly stand first. */
  readonly #shapes: Shape[] = [];
  #misses = 0;

  /**
   * The object that begins at `start`; undefined where none does, or it is no JSON. What is answered holds until the
   * next call.
   */
  read(text: Buffer, start: number): FoundObject | undefined {
    const shapes = this.#shapes;
    for (let i = 0; i < shapes.length; i++) {
      const shape = shapes[i];
      if (shape?.fits(text, start) !== true) continue;
      if (i > 0) this.#toFront(i);
      return shape;
    }
    const end = objectEnd(text, start);
    if (end < 0) return undefined;
    const value = parseRecord(utf8(text, start, end));
    if (value === undefined) return undefined;
    if (end - start <= SHAPE_BYTES_MAX) this.#learn(text, start, end);
    return { value, end };
  }

  /** Changes places with the one before it. */
  #toFront(i: number): void {
    const [before, shape] = this.#shapes.slice(i - 1, i + 1);
    if (before !== undefined && shape !== undefined) this.#shapes.splice(i - 1, 2, shape, before);
  }

  #learn(text: Buffer, start: number, end: number): void {
    const isFull = this.#shapes.length >= SHAPES_MAX;
    if (isFull && ++this.#misses % LEARNED_OF !== 0) return;
    const shape = shapeOf(text, start, end);
    if (shape === undefined) return;
    if (isFull) this.#shapes.pop();
    this.#shapes.push(shape);
  }
}

/** Where a number was in the first text of a shape, and which member of the value it is. */
interface Place {
  readonly start: number;
  readonly end: number;
  readonly holder: Record<string, unknown>;
  readonly name: string;
}

class Shape implements FoundObject {
  readonly value: Record<string, unknown>;
  readonly #bytes: Buffer;
  readonly #places: readonly Place[];
  readonly #numbers: number[];
  end = 0;

  constructor(value: Record<string, unknown>, bytes: Buffer, places: readonly Place[]) {
    this.value = value;
    this.#bytes = bytes;
    this.#places = places;
    this.#numbers = places.map(() => 0);
  }

  /** True when what begins at `start` has this shape; `value` and `end` are then its own. */
  fits(text: Buffer, start: number): boolean {
    const end = this.#match(text, start);
    if (end < 0) return false;
    const numbers = this.#numbers;
    for (let i = 0; i < numbers.length; i++) {
      const place = this.#places[i];
      if (place !== undefined) place.holder[place.name] = numbers[i];
    }
    this.end = end;
    return true;
  }

  /** One past the end, with the numbers read; -1 for another shape. */
  #match(text: Buffer, start: number): number {
    let from = 0;
    let at = start;
    for (let i = 0; i < this.#numbers.length; i++) {
      const place = this.#places[i];
      if (place === undefined) return -1;
      at = this.#sameEnd(text, at, from, place.start);
      if (at < 0) return -1;
      const end = this.#readNumber(text, at, i);
      if (end < 0) return -1;
      at = end;
      from = place.end;
    }
    return this.#sameEnd(text, at, from, this.#bytes.length);
  }

  /** One past the bytes at `at` that are those between two places of the first text; -1 where they are others. */
  #sameEnd(text: Buffer, at: number, from: number, to: number): number {
    const bytes = this.#bytes;
    const end = at + to - from;
    if (end > text.length) return -1;
    for (let i = from, j = at; i < to; i++, j++) if (text[j] !== bytes[i]) return -1;
    return end;
  }

  /** Reads the `i`th number; answers one past it, -1 where there is none. */
  #readNumber(text: Buffer, start: number, i: number): number {
    let at = start;
    let value = 0;
    while (at < text.length && isDigit(text[at] ?? 0)) {
      value = value * 10 + (text[at] ?? 0) - ZERO;
      at++;
    }
    const digits = at - start;
    const isPlain = digits > 0 && digits <= SHORT_DIGITS && (text[start] !== ZERO || digits === 1);
    if (isPlain && !goesOn(text, at)) {
      this.#numbers[i] = value;
      return at;
    }
    if (digits === 0 && text[start] !== MINUS) return -1;
    const end = scalarEnd(text, start, text.length);
    if (end >= 0) this.#numbers[i] = Number(latin1(text, start, end));
    return end;
  }
}

/** A fraction or an exponent follows. */
function goesOn(text: Buffer, at: number): boolean {
  const byte = at < text.length ? text[at] : 0;
  return byte === 0x2e || byte === 0x65 || byte === 0x45;
}

/** With a copy of its bytes, for the text is a piece of something large. Undefined for what is no JSON. */
function shapeOf(text: Buffer, start: number, end: number): Shape | undefined {
  const bytes = Buffer.from(text.subarray(start, end));
  const spans = numbersIn(bytes);
  // Each number gives way to its index, which then says where in the value it went.
  let numbered = "";
  let from = 0;
  for (const [i, span] of spans.entries()) {
    numbered += utf8(bytes, from, span.start) + String(i);
    from = span.end;
  }
  const value = parseRecord(numbered + utf8(bytes, from));
  if (value === undefined) return undefined;
  const places: Place[] = [];
  findPlaces(value, (index, holder, name) => {
    const span = spans[index];
    if (span !== undefined) places[index] = { ...span, holder, name };
  });
  // Of a name that an object has twice only the last value counts.
  return Object.keys(places).length === spans.length ? new Shape(value, bytes, places) : undefined;
}

function numbersIn(bytes: Buffer): { readonly start: number; readonly end: number }[] {
  const spans = [];
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) at = Math.max(at, stringEnd(bytes, at, bytes.length) - 1);
    else if (byte === MINUS || isDigit(byte)) {
      const end = scalarEnd(bytes, at, bytes.length);
      if (end < 0) return spans;
      spans.push({ start: at, end });
      at = end - 1;
    }
  }
  return spans;
}

function findPlaces(
  holder: Record<string, unknown>,
  found: (index: number, holder: Record<string, unknown>, name: string) => void,
): void {
  for (const [name, value] of Object.entries(holder)) {
    if (typeof value === "number") found(value, holder, name);
    else if (typeof value === "object" && value !== null) {
      // The elements of a list have their indexes for names.
      findPlaces(value as Record<string, unknown>, found);
    }
  }
}

/** One past the brace that closes the one at `start`; -1 where none opens, or the text ends first. */
function objectEnd(text: Buffer, start: number): number {
  if (text[start] !== OPEN_BRACE) return -1;
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const byte = text[at];
    if (byte === QUOTE) {
      const end = stringEnd(text, at, text.length);
      if (end < 0) return -1;
      at = end - 1;
    } else if (byte === OPEN_BRACE) depth++;
    else if (byte === CLOSE_BRACE && --depth === 0) return at + 1;
  }
  return -1;
}
