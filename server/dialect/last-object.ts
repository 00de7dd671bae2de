import { isRecord } from "../core/record.js";
import { endsText } from "./json-scan.js";
import { stringEnd } from "./json-steps.js";
import { type FoundObject, RecurringObjects } from "./recurring-objects.js";
import { nextBoundary } from "./sse.js";

const BACKSLASH = 0x5c;
const QUOTE = 0x22;
const COLON = 0x3a;
const SPACE = 0x20;
/** Occurrences of a key that are looked at before giving up, so that a hostile text cannot cost more. */
const TRIES_MAX = 8;
/** That of a response and of its event, of an element and of its array. */
const EVENT_LEVELS_MAX = 2;

/** Keys with their quotes, of which this program knows a handful: as bytes they need not be translated for each search. */
const needles = new Map<string, Buffer>();

/** One for all replies, of which there are few shapes; no answer depends on what it remembers. */
const objects = new RecurringObjects();

/**
 * What `accept` makes of the last object in a text that is the value of a given key and that it accepts; it must not
 * keep the object. Quotes inside JSON strings are escaped, so an unescaped `"key"` is structure, never something a
 * model wrote; a tail of a longer text does as well as the whole. It is told where the object stands, too.
 */
export function lastObject<T>(
  text: Buffer,
  key: string,
  accept: (value: Record<string, unknown>, text: Buffer, start: number) => T | undefined,
): T | undefined {
  return lastBehind(text, key, (found, start) => accept(found.value, text, start));
}

/**
 * As `lastObject`, of the last events of a stream, and of an object that is a member of one or of what is a member of it.
 * Deeper there is structure that a caller or a model wrote: tools that a response repeats, arguments of a function.
 */
export function lastObjectOfEvents<T>(
  text: Buffer,
  key: string,
  accept: (value: Record<string, unknown>) => T | undefined,
): T | undefined {
  return lastBehind(text, key, (found) => {
    const boundary = nextBoundary(text, found.end);
    const levels = levelsClosed(text, found.end, boundary < 0 ? text.length : boundary);
    return levels > 0 && levels <= EVENT_LEVELS_MAX ? accept(found.value) : undefined;
  });
}

/** How many of the objects and arrays are closed at `end` that are open at `start`; 0 where the text breaks off in a string. */
function levelsClosed(text: Buffer, start: number, end: number): number {
  let levels = 0;
  let at = start;
  while (at >= 0 && at < end) {
    const byte = text[at];
    if (byte === 0x7d || byte === 0x5d) levels++;
    else if (byte === 0x7b || byte === 0x5b) levels--;
    at = byte === QUOTE ? stringEnd(text, at, end) : at + 1;
  }
  return at < 0 ? 0 : levels;
}

/**
 * As `lastObject`, of the first one in a text. What `accept` answers may be kept: it is given a copy of its own.
 */
export function firstObject<T>(
  text: Buffer,
  key: string,
  accept: (value: Record<string, unknown>) => T | undefined,
): T | undefined {
  const needle = needleOf(key);
  let from = 0;
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const at = text.indexOf(needle, from);
    if (at < 0) return undefined;
    from = at + needle.length;
    if (text[at - 1] === BACKSLASH) continue;
    const value = valueAfter(text, from);
    const found = value < 0 ? undefined : objects.read(text, value);
    const taken = found === undefined ? undefined : accept(copyOf(found.value));
    if (taken !== undefined) return taken;
  }
  return undefined;
}

/**
 * As `lastObject`, of a whole JSON text and of its outermost object alone. Found from the end, where replies say their
 * usage, and proven to be at the top by what follows it: a model can write such a key only deeper. `accept` is told where
 * it stands as well.
 */
export function topLevelObject<T>(
  text: Buffer,
  key: string,
  accept: (
    value: Record<string, unknown>,
    text: Buffer,
    start: number,
    end: number,
  ) => T | undefined,
): T | undefined {
  return lastBehind(text, key, (found, start) =>
    endsText(text, found.end) ? accept(found.value, text, start, found.end) : undefined,
  );
}

function lastBehind<T>(
  text: Buffer,
  key: string,
  take: (found: FoundObject, start: number) => T | undefined,
): T | undefined {
  return lastValue(text, key, (value) => {
    const found = objects.read(text, value);
    return found === undefined ? undefined : take(found, value);
  });
}

/** What `take` makes of the last place in a text where the value of a given key stands and that it accepts. */
export function lastValue<T>(
  text: Buffer,
  key: string,
  take: (value: number) => T | undefined,
): T | undefined {
  const needle = needleOf(key);
  let from = text.length;
  for (let tries = 0; tries < TRIES_MAX && from > 0; tries++) {
    const at = text.lastIndexOf(needle, from - 1);
    if (at < 0) return undefined;
    from = at;
    const value = valueAfter(text, at + needle.length);
    const taken = value < 0 || text[at - 1] === BACKSLASH ? undefined : take(value);
    if (taken !== undefined) return taken;
  }
  return undefined;
}

/** The object that is the value of a key which ends at `keyEnd`; undefined where there is none. It must not be kept. */
export function objectBehind(text: Buffer, keyEnd: number): Record<string, unknown> | undefined {
  const value = valueAfter(text, keyEnd);
  return value < 0 ? undefined : objects.read(text, value)?.value;
}

function needleOf(key: string): Buffer {
  let needle = needles.get(key);
  if (needle === undefined) needles.set(key, (needle = Buffer.from(`"${key}"`)));
  return needle;
}

function copyOf(value: Record<string, unknown>): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  for (const [name, each] of Object.entries(value)) copy[name] = copyOfAny(each);
  return copy;
}

function copyOfAny(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOfAny);
  return isRecord(value) ? copyOf(value) : value;
}

/** Where the value of a key begins, past its colon; -1 when none follows. */
function valueAfter(text: Buffer, keyEnd: number): number {
  const colon = skipSpace(text, keyEnd);
  return text[colon] === COLON ? skipSpace(text, colon + 1) : -1;
}

function skipSpace(text: Buffer, from: number): number {
  let at = from;
  while (text[at] === SPACE || text[at] === 0x0a || text[at] === 0x0d || text[at] === 0x09) at++;
  return at;
}
