import { nestsTooDeep, stringEnd } from "../json-depth.js";
import { isRecord } from "../../core/record.js";

/** A parsed JSON object. */
export type JsonObject = Record<string, unknown>;

/** A number whose text JavaScript's own numbers would change, such as an id of twenty digits or `1.0`. */
class RawNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
/** Marks numbers while the engine's own parser is at work; a private-use character, escaped where a text has it. */
const MARK = "\uE000";
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
/** Every integer of at most this many characters is exact. */
const EXACT_CHARS_MAX = 15;

/** Parses JSON without losing a digit of any number. Throws SyntaxError, also for what nests too deep. */
export function parseJson(text: string): unknown {
  if (nestsTooDeep(text)) throw new SyntaxError("nested too deep");
  const marked = markNumbers(text);
  return marked === undefined ? JSON.parse(text) : unmark(JSON.parse(marked));
}

/** Parses a JSON object; undefined when the text is anything else. */
export function parseObject(text: string): JsonObject | undefined {
  try {
    return object(parseJson(text));
  } catch {
    return undefined;
  }
}

/** Writes JSON; numbers kept as text are written as they came. */
export function writeJson(value: unknown): string {
  return holdsRaw(value) ? writeRaw(value) : JSON.stringify(value);
}

/** The value as an object; undefined when it is something else. */
export function object(value: unknown): JsonObject | undefined {
  return isRecord(value) && !(value instanceof RawNumber) ? value : undefined;
}

/** The objects of a list; nothing when it is no list. */
export function objects(value: unknown): JsonObject[] {
  return list(value).flatMap((each): JsonObject[] => {
    const given = object(each);
    return given === undefined ? [] : [given];
  });
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function string(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** A text that says something. */
export function nonEmpty(value: unknown): string | undefined {
  return value === "" ? undefined : string(value);
}

export function boolean(value: unknown): boolean | undefined {
  return typeof value === "boolean" ? value : undefined;
}

export function number(value: unknown): number | undefined {
  const given = value instanceof RawNumber ? Number(value.text) : value;
  return typeof given === "number" && Number.isFinite(given) ? given : undefined;
}

/** The text with inexact numbers as marked strings; undefined when all of its numbers are exact. */
function markNumbers(text: string): string | undefined {
  let out = "";
  let copied = 0;
  let found = false;
  const replace = (from: number, to: number, by: string): void => {
    out += text.slice(copied, from) + JSON.stringify(MARK + by);
    copied = to;
  };
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = stringEnd(text, at);
      if (text[at + 1] === MARK || text.charCodeAt(at + 1) === BACKSLASH) {
        const value: unknown = JSON.parse(text.slice(at, end));
        if (string(value)?.startsWith(MARK) === true) replace(at, end, `s${string(value) ?? ""}`);
      }
      at = end;
    } else if (code === MINUS || isDigit(code)) {
      const end = numberEnd(text, at);
      const token = text.slice(at, end);
      if (!isExact(token)) {
        if (!NUMBER.test(token)) throw new SyntaxError("not a JSON number");
        found = true;
        replace(at, end, `n${token}`);
      }
      at = end;
    } else at++;
  }
  return found ? out + text.slice(copied) : undefined;
}

function numberEnd(text: string, start: number): number {
  let at = start;
  while (at < text.length && /[\d.eE+-]/.test(text.charAt(at))) at++;
  return at;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

function isExact(token: string): boolean {
  if (token.length <= EXACT_CHARS_MAX && !/[.eE]/.test(token)) return token !== "-0";
  return String(Number(token)) === token;
}

function unmark(value: unknown): unknown {
  if (typeof value === "string") {
    if (!value.startsWith(MARK)) return value;
    return value[1] === "n" ? new RawNumber(value.slice(2)) : value.slice(2);
  }
  if (Array.isArray(value)) return value.map(unmark);
  const given = object(value);
  if (given === undefined) return value;
  for (const key of Object.keys(given)) given[key] = unmark(given[key]);
  return given;
}

function holdsRaw(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return value instanceof RawNumber || Object.values(value).some(holdsRaw);
}

function writeRaw(value: unknown): string {
  if (value instanceof RawNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map((each) => writeRaw(each ?? null)).join(",")}]`;
  const given = object(value);
  if (given === undefined) return JSON.stringify(value ?? null);
  const members = Object.entries(given).filter(([, member]) => member !== undefined);
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${writeRaw(member)}`).join(",")}}`;
}

/** The object with JavaScript's own numbers throughout, for readers that know no others. */
export function plainNumbers(given: JsonObject): JsonObject {
  return object(JSON.parse(writeJson(given))) ?? {};
}
