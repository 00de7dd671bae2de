import { indexOfByte, isAt } from "../core/bytes.js";

// The steps over a JSON text that hold nothing nested. Each answers where it ends; -1 where it cannot.

const SPACE = 0x20;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Names and most values of a request's outer members are shorter; beyond this a search outdoes looking at each byte. */
const NEAR_BYTES = 32;
/** Where an escaped quote comes sooner, so do the next, and a search for each costs more than to look at each byte. */
const DENSE_BYTES = 2;
/** In as many bytes as are near. */
const ESCAPES_MANY = 6;

const TRUE = Buffer.from("true");
const FALSE = Buffer.from("false");
const NULL = Buffer.from("null");

/** The byte at a place; beyond the end 0, which JSON does not have outside strings. */
export function byteAt(text: Buffer, at: number, end: number): number {
  return at < end ? (text[at] ?? 0) : 0;
}

/** Past the space at a place, if there is any. */
export function spaceEnd(text: Buffer, at: number, end: number): number {
  // The loop is apart, so that this goes into the code around it.
  return at < end && (text[at] ?? 0) <= SPACE ? longSpaceEnd(text, at, end) : at;
}

function longSpaceEnd(text: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && isSpace(text[at] ?? 0)) at++;
  return at;
}

function isSpace(byte: number): boolean {
  return byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Past a string; what its escapes say is not looked at. */
export function stringEnd(text: Buffer, start: number, end: number): number {
  if (start >= end || text[start] !== QUOTE) return -1;
  let at = start + 1;
  const near = Math.min(end, at + NEAR_BYTES);
  for (; at < near; at++) {
    const byte = text[at];
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at++;
  }
  for (;;) {
    const quote = indexOfByte(text, QUOTE, at);
    if (quote < 0 || quote >= end) return -1;
    let before = quote;
    while (text[before - 1] === BACKSLASH) before--;
    if ((quote - before) % 2 === 0) return quote + 1;
    if (quote - at < DENSE_BYTES) return restOfString(text, quote + 1, end, end);
    at = quote + 1;
  }
}

/**
 * Past a string full of escapes, from a place in it on that is not behind a backslash. Where `until` is passed first, two
 * more than the place that was come to, and negative: from there on the rest of it can be read later.
 */
export function restOfString(text: Buffer, start: number, end: number, until: number): number {
  for (let at = start; ;) {
    const near = Math.min(end, at + NEAR_BYTES);
    let escapes = 0;
    for (; at < near; at++) {
      const byte = text[at];
      if (byte === QUOTE) return at + 1;
      if (byte === BACKSLASH) {
        at++;
        escapes++;
      }
    }
    if (at >= end) return -1;
    if (at >= until) return -2 - at;
    if (escapes < ESCAPES_MANY) at = nextQuote(text, at, end);
    if (at < 0) return -1;
  }
}

/** From a place that is not behind a backslash to the next quote, with the backslashes before that; -1 where none comes. */
function nextQuote(text: Buffer, start: number, end: number): number {
  const quote = indexOfByte(text, QUOTE, start);
  if (quote < 0 || quote >= end) return -1;
  let before = quote;
  while (before > start && text[before - 1] === BACKSLASH) before--;
  return before;
}

/** Past a number, `true`, `false` or `null`. */
export function scalarEnd(text: Buffer, at: number, end: number): number {
  switch (byteAt(text, at, end)) {
    case 0x74:
      return wordEnd(text, at, end, TRUE);
    case 0x66:
      return wordEnd(text, at, end, FALSE);
    case 0x6e:
      return wordEnd(text, at, end, NULL);
    default:
      return numberEnd(text, at, end);
  }
}

function wordEnd(text: Buffer, at: number, end: number, word: Buffer): number {
  const wordEnds = at + word.length;
  return wordEnds <= end && isAt(text, at, word) ? wordEnds : -1;
}

function numberEnd(text: Buffer, start: number, end: number): number {
  let at = byteAt(text, start, end) === 0x2d ? start + 1 : start;
  at = byteAt(text, at, end) === 0x30 ? at + 1 : digitsEnd(text, at, end);
  if (at >= 0 && byteAt(text, at, end) === 0x2e) at = digitsEnd(text, at + 1, end);
  if (at < 0) return -1;
  const exponent = byteAt(text, at, end);
  if (exponent !== 0x65 && exponent !== 0x45) return at;
  const sign = byteAt(text, at + 1, end);
  return digitsEnd(text, sign === 0x2b || sign === 0x2d ? at + 2 : at + 1, end);
}

/** Past one or more digits. */
function digitsEnd(text: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && isDigit(text[at] ?? 0)) at++;
  return at === start ? -1 : at;
}

export function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}
