import { malformed } from "../http/framing-error.js";
import { digitsAt, HeaderLines, textEndAt } from "../http/header-lines.js";

/** What a head says. */
export interface ParsedHead {
  readonly httpStatus: number;
  readonly lines: HeaderLines;
}

const CR = 0x0d;
const SPACE = 0x20;
const ZERO = 0x30;
/** `HTTP/1.1 200`. */
const SHORTEST_STATUS_LINE = 12;

const VERSION = Buffer.from("HTTP/1.");

/**
 * Reads the head that begins at `start`; undefined when it is not whole yet. Throws FramingError for a head
 * that two parsers could read in two ways.
 */
export function parseHead(bytes: Buffer, start: number, length: number): ParsedHead | undefined {
  const first = statusLine(bytes, start, length);
  if (first < 0) return undefined;
  const minor = bytes[start + VERSION.length] === ZERO ? 0 : 1;
  const lines = new HeaderLines(bytes, start);
  if (!lines.read(first, length, minor)) return undefined;
  const statusAt = start + VERSION.length + 2;
  return { httpStatus: digitsAt(bytes, statusAt, statusAt + 3), lines };
}

/** One past the status line; -1 when it is not whole. */
function statusLine(bytes: Buffer, start: number, length: number): number {
  const known = Math.min(length - start, VERSION.length);
  for (let i = 0; i < known; i++) {
    if (bytes[start + i] !== VERSION[i]) malformed("it is no HTTP/1 reply");
  }
  if (length - start < SHORTEST_STATUS_LINE) return -1;
  const minor = bytes[start + VERSION.length];
  const statusAt = start + VERSION.length + 2;
  if ((minor !== ZERO && minor !== ZERO + 1) || bytes[statusAt - 1] !== SPACE) {
    malformed("its version is unknown");
  }
  const status = digitsAt(bytes, statusAt, statusAt + 3);
  if (status < 100 || status > 599) malformed("its status is no status");
  const at = statusAt + 3;
  if (at < length && bytes[at] !== SPACE && bytes[at] !== CR) malformed("its status is no status");
  const end = textEndAt(bytes, at, length);
  return end < 0 ? -1 : end + 2;
}
