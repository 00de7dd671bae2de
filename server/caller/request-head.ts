import { RepeatedText } from "../core/repeated-text.js";
import { malformed } from "../http/framing-error.js";
import { HeaderLines } from "../http/header-lines.js";

/** What the head of a request says. */
export interface ParsedRequest {
  readonly method: string;
  /** As sent, each byte one character. */
  readonly target: string;
  /** Minor version of HTTP/1. */
  readonly minor: 0 | 1;
  readonly lines: HeaderLines;
  /** What was made of it when it was read. A later request with the same head has this, and no lines to read. */
  meaning: object | undefined;
}

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const DELETE = 0x7f;
const ZERO = 0x30;
const METHOD_CHARS_MAX = 24;
const TUNNEL = Buffer.from("CONNECT");
const VERSION = Buffer.from("HTTP/1.");
/** What comes after the space that ends the target: `HTTP/1.1` and CR LF. */
const VERSION_BYTES = VERSION.length + 1;

const methods = new RepeatedText();
const targets = new RepeatedText();

/**
 * Reads the head that begins at `start`; undefined when it is not whole yet. Throws FramingError for a head
 * that two parsers could read in two ways, as soon as that shows.
 */
export function parseRequestHead(
  bytes: Buffer,
  start: number,
  length: number,
): ParsedRequest | undefined {
  const methodEnd = methodEndAt(bytes, start, length);
  if (methodEnd < 0) return undefined;
  const targetEnd = targetEndAt(bytes, methodEnd + 1, length);
  if (targetEnd < 0) return undefined;
  const versionEnd = versionEndAt(bytes, targetEnd + 1, length);
  if (versionEnd < 0) return undefined;
  const minor = bytes[versionEnd - 1] === ZERO ? 0 : 1;
  const lines = new HeaderLines(bytes, start);
  if (!lines.read(versionEnd + 2, length, minor)) return undefined;
  return {
    method: methods.in(bytes, start, methodEnd),
    target: targets.in(bytes, methodEnd + 1, targetEnd),
    minor,
    lines,
    meaning: undefined,
  };
}

/** Where the space after the method is; -1 when it has not come yet. */
function methodEndAt(bytes: Buffer, start: number, length: number): number {
  let at = start;
  while (at < length && isCapital(bytes[at])) at++;
  if (at - start > METHOD_CHARS_MAX) malformed("its method is no method");
  if (at >= length) return -1;
  if (at === start || bytes[at] !== SPACE) malformed("its method is no method");
  // What follows a CONNECT is not HTTP.
  if (at - start === TUNNEL.length && bytes.compare(TUNNEL, 0, TUNNEL.length, start, at) === 0) {
    malformed("it asks for a tunnel");
  }
  return at;
}

/** Where the space after the target is; -1 when it has not come yet. */
function targetEndAt(bytes: Buffer, start: number, length: number): number {
  let at = start;
  while (at < length && isVisible(bytes[at] ?? 0)) at++;
  if (at >= length) return -1;
  if (at === start || bytes[at] !== SPACE) malformed("its request line names no path and version");
  return at;
}

/** Where the CR after the version is; -1 when the line is not whole. */
function versionEndAt(bytes: Buffer, start: number, length: number): number {
  const known = Math.min(length - start, VERSION.length);
  for (let i = 0; i < known; i++) {
    if (bytes[start + i] !== VERSION[i]) malformed("it does not speak HTTP/1.1");
  }
  const end = start + VERSION_BYTES;
  if (length < end + 2) return -1;
  const minor = (bytes[end - 1] ?? 0) - ZERO;
  if (minor !== 0 && minor !== 1) malformed("it does not speak HTTP/1.1");
  if (bytes[end] !== CR || bytes[end + 1] !== LF) malformed("a line does not end with CR LF");
  return end;
}

function isCapital(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x41 && byte <= 0x5a;
}

function isVisible(byte: number): boolean {
  return byte > SPACE && byte < DELETE;
}
