import { utf8 } from "../core/bytes.js";
import { lastMember } from "./json-scan.js";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Occurrences of a key that are looked at before giving up, so that a hostile text cannot cost more. */
const TRIES_MAX = 8;
/** Up to so many bytes it costs less to parse a key and all behind it than to look for where its value ends. */
const REST_BYTES_MAX = 2048;

/**
 * The last object in a text that stands behind a key and that `accept` takes. Quotes inside JSON strings
 * are escaped, so an unescaped `"key"` is structure, never something a model wrote; a tail of a longer text
 * does as well as the whole.
 */
export function lastObject<T>(
  text: Buffer,
  key: string,
  accept: (value: Record<string, unknown>) => T | undefined,
): T | undefined {
  const needle = `"${key}"`;
  let from = text.length;
  for (let tries = 0; tries < TRIES_MAX && from > 0; tries++) {
    const at = text.lastIndexOf(needle, from - 1, "latin1");
    if (at < 0) return undefined;
    from = at;
    if (text[at - 1] === BACKSLASH) continue;
    const value = objectAfter(text, at + needle.length);
    const taken = value === undefined ? undefined : accept(value);
    if (taken !== undefined) return taken;
  }
  return undefined;
}

/**
 * The object behind a key of the outermost object of a whole JSON text. Found from the end, where replies
 * say their usage, and proven to be at the top by what follows it: a model can write such a key only deeper.
 */
export function topLevelObject<T>(
  text: Buffer,
  key: string,
  accept: (value: Record<string, unknown>) => T | undefined,
): T | undefined {
  const needle = `"${key}"`;
  let from = text.length;
  for (let tries = 0; tries < TRIES_MAX && from > 0; tries++) {
    const at = text.lastIndexOf(needle, from - 1, "latin1");
    if (at < 0) return undefined;
    from = at;
    if (text[at - 1] === BACKSLASH) continue;
    const isShort = text.length - at <= REST_BYTES_MAX;
    const value = (isShort ? fromRest(text, at, key) : undefined) ?? fromSpan(text, at);
    if (value !== undefined) return accept(value);
  }
  return undefined;
}

/** The object behind the key at `at`, where all that follows is members of the outermost object and its end. */
function fromRest(text: Buffer, at: number, key: string): Record<string, unknown> | undefined {
  const value = parseRecord(`{${utf8(text, at)}`)?.[key];
  return isRecord(value) ? value : undefined;
}

/** As `fromRest`, without building what follows, whose strings may hold what JSON does not allow. */
function fromSpan(text: Buffer, at: number): Record<string, unknown> | undefined {
  const span = lastMember(text, at);
  return span === undefined ? undefined : parseRecord(utf8(text, span.start, span.end));
}

/** The object that follows a key, past its colon; undefined when something else does, or it is cut. */
function objectAfter(text: Buffer, from: number): Record<string, unknown> | undefined {
  let at = skipSpace(text, from);
  if (text[at] !== 0x3a) return undefined;
  at = skipSpace(text, at + 1);
  if (text[at] !== 0x7b) return undefined;
  const end = balancedEnd(text, at);
  if (end < 0) return undefined;
  try {
    const parsed: unknown = JSON.parse(utf8(text, at, end));
    return isRecord(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** One past the brace that closes the one at `start`; -1 when the text ends first. */
function balancedEnd(text: Buffer, start: number): number {
  let depth = 0;
  let inString = false;
  for (let at = start; at < text.length; at++) {
    const byte = text[at];
    if (inString) {
      if (byte === BACKSLASH) at++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === 0x7b) depth++;
    else if (byte === 0x7d && --depth === 0) return at + 1;
  }
  return -1;
}

function skipSpace(text: Buffer, from: number): number {
  let at = from;
  while (text[at] === 0x20 || text[at] === 0x0a || text[at] === 0x0d || text[at] === 0x09) at++;
  return at;
}

/** A JSON object, as opposed to null, an array or a plain value. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A parsed text's object; undefined when it is something else or no JSON. */
export function parseRecord(text: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return isRecord(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}
