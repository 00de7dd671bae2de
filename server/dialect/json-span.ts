import { latin1, utf8 } from "../core/bytes.js";
import { isDigit } from "./json-steps.js";

/** Where a value is in a text: its first byte and one past its last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const QUOTE = 0x22;
/** So many digits are a whole number that a double holds exactly. */
const SHORT_DIGITS = 15;

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

/** No name, id or session is nearly as long, escapes included. */
const SHORT_BYTES_MAX = 16 * 1024;

/** As `readString`, of what is a name or an id: a longer text, which may be all of a request, is none. */
export function readShort(text: Buffer, span: Span | undefined): string | undefined {
  return span === undefined || isLong(span) ? undefined : readString(text, span);
}

/** Longer than any name. */
export function isLong({ start, end }: Span): boolean {
  return end - start > SHORT_BYTES_MAX;
}

/** A number that is finite; undefined when the span holds something else. */
export function readNumber(text: Buffer, span: Span | undefined): number | undefined {
  if (span === undefined) return undefined;
  const { start, end } = span;
  if (end - start > SHORT_DIGITS) return readAnyNumber(text, span);
  let value = 0;
  for (let at = start; at < end; at++) {
    const byte = text[at] ?? 0;
    if (!isDigit(byte)) return readAnyNumber(text, span);
    value = value * 10 + byte - 0x30;
  }
  return value;
}

function readAnyNumber(text: Buffer, span: Span): number | undefined {
  const first = text[span.start] ?? 0;
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
