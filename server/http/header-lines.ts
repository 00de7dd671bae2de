import { latin1 } from "../core/bytes.js";
import { malformed } from "./framing-error.js";
import { isNameAt } from "./same-name.js";

/**
 * The header lines of a message, read where they stand. The bytes are those of a read buffer: who is given
 * them reads them at once.
 */
export interface RawHeaders {
  readonly bytes: Buffer;
  /** Four places a line: where its name begins and ends, where its value begins and ends. */
  readonly marks: readonly number[];
  /** What stands between two places, each byte one character. */
  text(start: number, end: number): string;
}

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;
const HYPHEN = 0x2d;
const ZERO = 0x30;
const DELETE = 0x7f;
const LENGTH_DIGITS_MAX = 15;

const CONTENT_LENGTH = Buffer.from("content-length");
const TRANSFER_ENCODING = Buffer.from("transfer-encoding");
const CONNECTION = Buffer.from("connection");
const KEEP_ALIVE = Buffer.from("keep-alive");
const EXPECT = Buffer.from("expect");

/** 1 for what may stand in a header's name. */
const IN_NAME = Uint8Array.from({ length: 256 }, (_each, byte) =>
  byte < 0x80 && /[!#$%&'*+.^_`|~0-9A-Za-z-]/.test(String.fromCharCode(byte)) ? 1 : 0,
);
/**
 * Reads the header lines from `at` to the blank one, of a message in HTTP/1 of this minor version that begins at
 * `start`; undefined when the blank line has not come yet. Throws FramingError for lines that two parsers could
 * read in two ways: folded ones, bare line feeds, spaces before the colon, two lengths, a length with a transfer
 * coding, or a coding other than `chunked`.
 */
export function readHeaderLines(
  bytes: Buffer,
  start: number,
  at: number,
  length: number,
  minor: 0 | 1,
): HeaderLines | undefined {
  const lines = new HeaderLines(bytes, start);
  let nameStart = at;
  for (;;) {
    if (nameStart >= length) return undefined;
    if (bytes[nameStart] === CR) break;
    let nameEnd = nameStart;
    while (nameEnd < length) {
      // Most of a name is letters and hyphens, which need no table.
      const byte = bytes[nameEnd] ?? 0;
      const letter = (byte | 0x20) - 0x61;
      if ((letter < 0 || letter > 25) && byte !== HYPHEN && IN_NAME[byte] !== 1) break;
      nameEnd++;
    }
    if (nameEnd >= length) return undefined;
    if (nameEnd === nameStart || bytes[nameEnd] !== COLON) {
      malformed("a header line has no plain name");
    }
    let valueStart = nameEnd + 1;
    while (valueStart < length && isBlank(bytes[valueStart] ?? 0)) valueStart++;
    const lineEnd = textEnd(bytes, valueStart, length);
    if (lineEnd < 0) return undefined;
    let valueEnd = lineEnd;
    while (valueEnd > valueStart && isBlank(bytes[valueEnd - 1] ?? 0)) valueEnd--;
    lines.add(nameStart, nameEnd, valueStart, valueEnd);
    nameStart = lineEnd + 2;
  }
  if (nameStart + 1 >= length) return undefined;
  if (bytes[nameStart + 1] !== LF) malformed("a carriage return stands alone");
  lines.finish(nameStart + 2, minor);
  return lines;
}

/** Where the text from `at` on ends with CR LF; -1 when it is not whole. */
export function textEnd(bytes: Buffer, at: number, length: number): number {
  let end = at;
  // Four at a time, for each turn of a loop costs as much as looking at three.
  while (
    end + 4 <= length &&
    isText(bytes[end] ?? 0) &&
    isText(bytes[end + 1] ?? 0) &&
    isText(bytes[end + 2] ?? 0) &&
    isText(bytes[end + 3] ?? 0)
  ) {
    end += 4;
  }
  while (end < length && isText(bytes[end] ?? 0)) end++;
  if (end < length && bytes[end] !== CR) malformed("a line holds a control character");
  if (end + 1 >= length) return -1;
  if (bytes[end + 1] !== LF) malformed("a carriage return stands alone");
  return end;
}

/** The header lines of one message, and what they say of its body and its connection. */
export class HeaderLines implements RawHeaders {
  readonly bytes: Buffer;
  readonly marks: number[] = [];
  /** One past the blank line. */
  end = 0;
  /** -1 without the header. */
  contentLength = -1;
  chunked = false;
  /** Another message may follow on the connection. */
  persistent = false;
  /** For how long the connection is kept, in seconds; -1 if the message does not say. */
  keepAliveSeconds = -1;
  /** What `Expect` asks for, in lower case; empty if nothing. */
  expectation = "";
  readonly #start: number;
  #closes = false;
  #stays = false;
  /** Of the whole head; made when it is whole, for one text costs as much to make as one value. */
  #text = "";

  constructor(bytes: Buffer, start: number) {
    this.bytes = bytes;
    this.#start = start;
  }

  text(start: number, end: number): string {
    return this.#text.slice(start - this.#start, end - this.#start);
  }

  add(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    this.marks.push(nameStart, nameEnd, valueStart, valueEnd);
    this.#note(nameStart, nameEnd, valueStart, valueEnd);
  }

  finish(end: number, minor: 0 | 1): void {
    if (this.chunked && this.contentLength >= 0) malformed("it has a length and is chunked");
    if (this.chunked && minor === 0) malformed("it is chunked in HTTP/1.0");
    this.persistent = !this.#closes && (minor === 1 || this.#stays);
    this.end = end;
    this.#text = latin1(this.bytes, this.#start, end);
  }

  #note(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    const { bytes } = this;
    switch (nameEnd - nameStart) {
      case CONTENT_LENGTH.length:
        if (isNameAt(bytes, nameStart, CONTENT_LENGTH)) this.#noteLength(valueStart, valueEnd);
        return;
      case TRANSFER_ENCODING.length:
        if (isNameAt(bytes, nameStart, TRANSFER_ENCODING)) this.#noteCoding(valueStart, valueEnd);
        return;
      case EXPECT.length:
        if (isNameAt(bytes, nameStart, EXPECT)) {
          this.expectation = latin1(bytes, valueStart, valueEnd).toLowerCase();
        }
        return;
      case CONNECTION.length:
        if (isNameAt(bytes, nameStart, CONNECTION)) this.#noteConnection(valueStart, valueEnd);
        else if (isNameAt(bytes, nameStart, KEEP_ALIVE)) this.#noteKeepAlive(valueStart, valueEnd);
    }
  }

  #noteConnection(valueStart: number, valueEnd: number): void {
    // What nearly all say, without making a text of it.
    if (
      valueEnd - valueStart === KEEP_ALIVE.length &&
      isNameAt(this.bytes, valueStart, KEEP_ALIVE)
    ) {
      this.#stays = true;
      return;
    }
    for (const word of latin1(this.bytes, valueStart, valueEnd).split(",")) {
      const option = word.trim().toLowerCase();
      if (option === "close") this.#closes = true;
      else if (option === "keep-alive") this.#stays = true;
    }
  }

  #noteKeepAlive(valueStart: number, valueEnd: number): void {
    const text = latin1(this.bytes, valueStart, valueEnd);
    const seconds = /timeout=(\d{1,9})/i.exec(text)?.[1];
    if (seconds !== undefined) this.keepAliveSeconds = Number(seconds);
  }

  #noteLength(valueStart: number, valueEnd: number): void {
    const digits = valueEnd - valueStart;
    const value =
      digits < 1 || digits > LENGTH_DIGITS_MAX ? -1 : digitsAt(this.bytes, valueStart, valueEnd);
    if (value < 0) malformed("its length is no number");
    if (this.contentLength >= 0) malformed("it has two lengths");
    this.contentLength = value;
  }

  #noteCoding(valueStart: number, valueEnd: number): void {
    const value = latin1(this.bytes, valueStart, valueEnd).toLowerCase();
    if (value !== "chunked") malformed("its transfer coding is not chunked");
    if (this.chunked) malformed("it is chunked twice");
    this.chunked = true;
  }
}

/** May stand in a header's value, or in a reason. */
function isText(byte: number): boolean {
  return byte >= SPACE ? byte !== DELETE : byte === TAB;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

/** The number that stands there; -1 if anything but digits does. */
export function digitsAt(bytes: Buffer, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
