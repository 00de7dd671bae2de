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
}

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;
const ZERO = 0x30;
const LENGTH_DIGITS_MAX = 15;

const CONTENT_LENGTH = Buffer.from("content-length");
const TRANSFER_ENCODING = Buffer.from("transfer-encoding");
const CONNECTION = Buffer.from("connection");
const KEEP_ALIVE = Buffer.from("keep-alive");
const EXPECT = Buffer.from("expect");

/** What may stand in a header's name: 1; in its value or a reason: 2. */
const CLASSES = classes();

function classes(): Uint8Array {
  const table = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) {
    const inValue = byte === TAB || (byte >= SPACE && byte !== 0x7f);
    const inName = /[!#$%&'*+.^_`|~0-9A-Za-z-]/.test(String.fromCharCode(byte)) && byte < 0x80;
    table[byte] = (inName ? 1 : 0) | (inValue ? 2 : 0);
  }
  return table;
}

/**
 * Reads the header lines of one message, and what they say of its body and its connection. Throws
 * FramingError for lines that two parsers could read in two ways: folded ones, bare line feeds, spaces
 * before the colon, two lengths, a length with a transfer coding, or a coding other than `chunked`.
 */
export class HeaderLines {
  readonly #bytes: Buffer;
  readonly #length: number;
  readonly marks: number[] = [];
  /** -1 without the header. */
  contentLength = -1;
  chunked = false;
  /** Another message may follow on the connection; known when all lines were read. */
  persistent = false;
  #closes = false;
  #stays = false;
  /** For how long the connection is kept, in seconds; -1 if the message does not say. */
  keepAliveSeconds = -1;
  /** What `Expect` asks for, in lower case; empty if nothing. */
  expectation = "";

  /** Reads the first `length` of the bytes. */
  constructor(bytes: Buffer, length: number) {
    this.#bytes = bytes;
    this.#length = length;
  }

  /**
   * Reads from the first header line to the blank one, of a message in HTTP/1 of this minor version; answers one
   * past it, or -1 when it has not come yet.
   */
  read(start: number, minor: number): number {
    const bytes = this.#bytes;
    const length = this.#length;
    let at = start;
    for (;;) {
      if (at >= length) return -1;
      if (bytes[at] === CR) {
        if (at + 1 >= length) return -1;
        if (bytes[at + 1] !== LF) malformed("a carriage return stands alone");
        break;
      }
      at = this.#line(at);
      if (at < 0) return -1;
    }
    if (this.chunked && this.contentLength >= 0) malformed("it has a length and is chunked");
    if (this.chunked && minor === 0) malformed("it is chunked in HTTP/1.0");
    this.persistent = !this.#closes && (minor === 1 || this.#stays);
    return at + 2;
  }

  /** Where the text from `at` on ends with CR LF; -1 when it is not whole. */
  textEnd(at: number): number {
    const bytes = this.#bytes;
    const length = this.#length;
    let end = at;
    while (end < length && ((CLASSES[bytes[end] ?? 0] ?? 0) & 2) !== 0) end++;
    if (end < length && bytes[end] !== CR) malformed("a line holds a control character");
    if (end + 1 >= length) return -1;
    if (bytes[end + 1] !== LF) malformed("a carriage return stands alone");
    return end;
  }

  /** One past the header line at `at`; -1 when it is not whole. */
  #line(at: number): number {
    const bytes = this.#bytes;
    const length = this.#length;
    let nameEnd = at;
    while (nameEnd < length && ((CLASSES[bytes[nameEnd] ?? 0] ?? 0) & 1) !== 0) nameEnd++;
    if (nameEnd >= length) return -1;
    if (nameEnd === at || bytes[nameEnd] !== COLON) malformed("a header line has no plain name");
    let valueStart = nameEnd + 1;
    while (valueStart < length && isBlank(bytes[valueStart])) valueStart++;
    const lineEnd = this.textEnd(valueStart);
    if (lineEnd < 0) return -1;
    let valueEnd = lineEnd;
    while (valueEnd > valueStart && isBlank(bytes[valueEnd - 1])) valueEnd--;
    this.marks.push(at, nameEnd, valueStart, valueEnd);
    this.#note(at, nameEnd, valueStart, valueEnd);
    return lineEnd + 2;
  }

  #note(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    const bytes = this.#bytes;
    switch (nameEnd - nameStart) {
      case CONTENT_LENGTH.length:
        if (isNameAt(bytes, nameStart, CONTENT_LENGTH)) this.#noteLength(valueStart, valueEnd);
        return;
      case TRANSFER_ENCODING.length:
        if (isNameAt(bytes, nameStart, TRANSFER_ENCODING)) this.#noteCoding(valueStart, valueEnd);
        return;
      case EXPECT.length:
        if (isNameAt(bytes, nameStart, EXPECT)) {
          this.expectation = bytes.toString("latin1", valueStart, valueEnd).toLowerCase();
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
      isNameAt(this.#bytes, valueStart, KEEP_ALIVE)
    ) {
      this.#stays = true;
      return;
    }
    for (const word of this.#bytes.toString("latin1", valueStart, valueEnd).split(",")) {
      const option = word.trim().toLowerCase();
      if (option === "close") this.#closes = true;
      else if (option === "keep-alive") this.#stays = true;
    }
  }

  #noteKeepAlive(valueStart: number, valueEnd: number): void {
    const text = this.#bytes.toString("latin1", valueStart, valueEnd);
    const seconds = /timeout=(\d{1,9})/i.exec(text)?.[1];
    if (seconds !== undefined) this.keepAliveSeconds = Number(seconds);
  }

  #noteLength(valueStart: number, valueEnd: number): void {
    const digits = valueEnd - valueStart;
    const value =
      digits < 1 || digits > LENGTH_DIGITS_MAX ? -1 : digitsAt(this.#bytes, valueStart, valueEnd);
    if (value < 0) malformed("its length is no number");
    if (this.contentLength >= 0) malformed("it has two lengths");
    this.contentLength = value;
  }

  #noteCoding(valueStart: number, valueEnd: number): void {
    const value = this.#bytes.toString("latin1", valueStart, valueEnd).toLowerCase();
    if (value !== "chunked") malformed("its transfer coding is not chunked");
    if (this.chunked) malformed("it is chunked twice");
    this.chunked = true;
  }
}

function isBlank(byte: number | undefined): boolean {
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
