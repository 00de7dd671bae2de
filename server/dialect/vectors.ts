import { latin1 } from "../core/bytes.js";
import type { StreamEdit } from "./codec.js";

const NOTHING = Buffer.alloc(0);
const KEY = Buffer.from('"embedding"');
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const SPACE = 0x20;
const FLOAT_BYTES = 4;
/** A vector that is longer goes on as it is, as does all behind it. */
const VECTOR_BYTES_MAX = 1024 * 1024;

/** Where a vector stands in a text, in its brackets. */
interface Place {
  readonly start: number;
  /** Behind it; undefined where it goes on behind the text. */
  readonly end: number | undefined;
}

/**
 * Writes the vectors of OpenAI's embeddings in base64, as 32-bit numbers, where they come as lists. OpenAI's SDKs ask for
 * base64 unless they are told otherwise and take whatever comes for that: of the lists which many providers answer all the
 * same they make shorter vectors of zeros. All other bytes go on as they are. Takes the reply in any pieces.
 */
export class VectorEncoder implements StreamEdit {
  readonly failure = undefined;
  /** What may be the beginning of a vector, from its name on. */
  #held: Buffer = NOTHING;
  #isTooLong = false;

  get keptBytes(): number {
    return this.#held.length;
  }

  push(piece: Buffer): Buffer {
    if (this.#isTooLong) return piece;
    const text = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
    const parts: Buffer[] = [];
    let from = 0;
    let at = text.indexOf(KEY);
    while (at >= 0) {
      const place = placeBehind(text, at + KEY.length);
      if (place !== undefined && place.end === undefined) break;
      const vector = place?.end === undefined ? undefined : encoded(text, place.start, place.end);
      if (place?.end !== undefined && vector !== undefined) {
        parts.push(text.subarray(from, place.start), vector);
        from = place.end;
      }
      at = text.indexOf(KEY, Math.max(from, at + KEY.length));
    }
    const end = at < 0 ? beginOfKey(text, from) : at;
    parts.push(text.subarray(from, end));
    this.#hold(text.subarray(end), parts);
    return parts.length === 1 ? (parts[0] ?? NOTHING) : Buffer.concat(parts);
  }

  #hold(rest: Buffer, parts: Buffer[]): void {
    this.#isTooLong = rest.length > VECTOR_BYTES_MAX;
    this.#held = this.#isTooLong ? NOTHING : Buffer.from(rest);
    if (this.#isTooLong) parts.push(rest);
  }

  end(): Buffer {
    const rest = this.#held;
    this.#held = NOTHING;
    return rest;
  }
}

/** By the first of them: whether the vectors of a whole reply are lists. */
export function hasVectorLists(reply: Buffer): boolean {
  for (let at = reply.indexOf(KEY); at >= 0; at = reply.indexOf(KEY, at + KEY.length)) {
    const colon = afterSpace(reply, at + KEY.length);
    if (reply[colon] === COLON) return reply[afterSpace(reply, colon + 1)] === OPEN_BRACKET;
  }
  return false;
}

/** A whole reply with its vectors in base64. */
export function withEncodedVectors(reply: Buffer): Buffer {
  const encoder = new VectorEncoder();
  const most = encoder.push(reply);
  const rest = encoder.end();
  return rest.length === 0 ? most : Buffer.concat([most, rest]);
}

/** Where the list behind a name stands, as far as it has come; undefined where none follows. */
function placeBehind(text: Buffer, nameEnd: number): Place | undefined {
  const colon = afterSpace(text, nameEnd);
  if (colon === text.length) return { start: colon, end: undefined };
  if (text[colon] !== COLON) return undefined;
  const start = afterSpace(text, colon + 1);
  if (start === text.length) return { start, end: undefined };
  if (text[start] !== OPEN_BRACKET) return undefined;
  const last = text.indexOf(CLOSE_BRACKET, start);
  return { start, end: last < 0 ? undefined : last + 1 };
}

/** Nothing else that is as low or lower stands between two tokens. */
function afterSpace(text: Buffer, from: number): number {
  let at = from;
  while (at < text.length && (text[at] ?? 0) <= SPACE) at++;
  return at;
}

/** From where a name may begin that goes on behind the text. */
function beginOfKey(text: Buffer, from: number): number {
  for (let at = Math.max(from, text.length - KEY.length + 1); at < text.length; at++) {
    if (KEY.compare(text, at, text.length, 0, text.length - at) === 0) return at;
  }
  return text.length;
}

/** In quotes; undefined for a list of anything but numbers. */
function encoded(text: Buffer, start: number, end: number): Buffer | undefined {
  const numbers = numbersIn(latin1(text, start, end));
  if (numbers === undefined) return undefined;
  const bytes = Buffer.allocUnsafe(numbers.length * FLOAT_BYTES);
  for (let i = 0; i < numbers.length; i++) bytes.writeFloatLE(numbers[i] ?? 0, i * FLOAT_BYTES);
  return Buffer.from(`"${bytes.toString("base64")}"`, "latin1");
}

function numbersIn(list: string): readonly number[] | undefined {
  try {
    const values: unknown = JSON.parse(list);
    return Array.isArray(values) && values.every((each) => typeof each === "number")
      ? values
      : undefined;
  } catch {
    // Lists in a list, for instance, of which this is not the end.
    return undefined;
  }
}
