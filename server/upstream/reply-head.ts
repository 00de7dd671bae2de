/** A reply that could be read in more than one way, or is too large. Its message is fit for logs. */
export class ReplyError extends Error {}

/**
 * The header lines of a reply, read where they stand. The bytes are those of the connection's read buffer:
 * they hold only while the handler's `onHead` runs.
 */
export interface RawHeaders {
  readonly bytes: Buffer;
  /** Four places a line: where its name begins and ends, where its value begins and ends. */
  readonly marks: readonly number[];
}

/** What a head says about itself, its body and its connection. */
export interface ParsedHead {
  readonly httpStatus: number;
  readonly headers: RawHeaders;
  /** One past the blank line. */
  readonly end: number;
  /** -1 without the header. */
  readonly contentLength: number;
  readonly chunked: boolean;
  /** The provider keeps the connection open after the reply. */
  readonly persistent: boolean;
  /** For how long, in seconds; -1 if it does not say. */
  readonly keepAliveSeconds: number;
}

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;
const ZERO = 0x30;
const LENGTH_DIGITS_MAX = 15;
/** `HTTP/1.1 200`. */
const SHORTEST_STATUS_LINE = 12;

const VERSION = Buffer.from("HTTP/1.");
const CONTENT_LENGTH = Buffer.from("content-length");
const TRANSFER_ENCODING = Buffer.from("transfer-encoding");
const CONNECTION = Buffer.from("connection");
const KEEP_ALIVE = Buffer.from("keep-alive");

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
 * Reads the head that begins at `start`; undefined when it is not whole yet. Throws ReplyError for a head
 * that two parsers could read in two ways: folded lines, bare line feeds, spaces before the colon, two
 * lengths, a length with a transfer coding, or a coding other than `chunked`.
 */
export function parseHead(bytes: Buffer, start: number, length: number): ParsedHead | undefined {
  const reader = new HeadReader(bytes, length);
  return reader.read(start);
}

class HeadReader {
  readonly #bytes: Buffer;
  readonly #length: number;
  readonly #marks: number[] = [];
  #contentLength = -1;
  #chunked = false;
  #keepAliveSeconds = -1;
  #closes = false;
  #stays = false;

  constructor(bytes: Buffer, length: number) {
    this.#bytes = bytes;
    this.#length = length;
  }

  read(start: number): ParsedHead | undefined {
    const bytes = this.#bytes;
    const length = this.#length;
    let at = this.#statusLine(start);
    if (at < 0) return undefined;
    const minor = bytes[start + VERSION.length] === ZERO ? 0 : 1;
    const statusAt = start + VERSION.length + 2;
    const httpStatus = digitsAt(bytes, statusAt, statusAt + 3);
    for (;;) {
      if (at >= length) return undefined;
      if (bytes[at] === CR) {
        if (at + 1 >= length) return undefined;
        if (bytes[at + 1] !== LF) refuse("a carriage return stands alone");
        break;
      }
      at = this.#line(at);
      if (at < 0) return undefined;
    }
    if (this.#chunked && this.#contentLength >= 0) refuse("it has a length and is chunked");
    if (this.#chunked && minor === 0) refuse("it is chunked in HTTP/1.0");
    return {
      httpStatus,
      headers: { bytes, marks: this.#marks },
      end: at + 2,
      contentLength: this.#contentLength,
      chunked: this.#chunked,
      persistent: !this.#closes && (minor === 1 || this.#stays),
      keepAliveSeconds: this.#keepAliveSeconds,
    };
  }

  /** One past the status line; -1 when it is not whole. */
  #statusLine(start: number): number {
    const bytes = this.#bytes;
    const known = Math.min(this.#length - start, VERSION.length);
    for (let i = 0; i < known; i++) {
      if (bytes[start + i] !== VERSION[i]) refuse("it is no HTTP/1 reply");
    }
    if (this.#length - start < SHORTEST_STATUS_LINE) return -1;
    const minor = bytes[start + VERSION.length];
    const statusAt = start + VERSION.length + 2;
    if ((minor !== ZERO && minor !== ZERO + 1) || bytes[statusAt - 1] !== SPACE) {
      refuse("its version is unknown");
    }
    const status = digitsAt(bytes, statusAt, statusAt + 3);
    if (status < 100 || status > 599) refuse("its status is no status");
    const at = statusAt + 3;
    if (at < this.#length && bytes[at] !== SPACE && bytes[at] !== CR) {
      refuse("its status is no status");
    }
    const end = this.#textEnd(at);
    return end < 0 ? -1 : end + 2;
  }

  /** One past the header line at `at`; -1 when it is not whole. */
  #line(at: number): number {
    const bytes = this.#bytes;
    const length = this.#length;
    let nameEnd = at;
    while (nameEnd < length && ((CLASSES[bytes[nameEnd] ?? 0] ?? 0) & 1) !== 0) nameEnd++;
    if (nameEnd >= length) return -1;
    if (nameEnd === at || bytes[nameEnd] !== COLON) refuse("a header line has no plain name");
    let valueStart = nameEnd + 1;
    while (valueStart < length && isBlank(bytes[valueStart])) valueStart++;
    const lineEnd = this.#textEnd(valueStart);
    if (lineEnd < 0) return -1;
    let valueEnd = lineEnd;
    while (valueEnd > valueStart && isBlank(bytes[valueEnd - 1])) valueEnd--;
    this.#marks.push(at, nameEnd, valueStart, valueEnd);
    this.#note(at, nameEnd, valueStart, valueEnd);
    return lineEnd + 2;
  }

  /** Where the text from `at` on ends with CR LF; -1 when it is not whole. */
  #textEnd(at: number): number {
    const bytes = this.#bytes;
    const length = this.#length;
    let end = at;
    while (end < length && ((CLASSES[bytes[end] ?? 0] ?? 0) & 2) !== 0) end++;
    if (end < length && bytes[end] !== CR) refuse("a line holds a control character");
    if (end + 1 >= length) return -1;
    if (bytes[end + 1] !== LF) refuse("a carriage return stands alone");
    return end;
  }

  #note(nameStart: number, nameEnd: number, valueStart: number, valueEnd: number): void {
    const bytes = this.#bytes;
    switch (nameEnd - nameStart) {
      case CONTENT_LENGTH.length:
        if (isName(bytes, nameStart, CONTENT_LENGTH)) this.#noteLength(valueStart, valueEnd);
        return;
      case TRANSFER_ENCODING.length:
        if (isName(bytes, nameStart, TRANSFER_ENCODING)) this.#noteCoding(valueStart, valueEnd);
        return;
      case CONNECTION.length:
        if (isName(bytes, nameStart, CONNECTION)) this.#noteConnection(valueStart, valueEnd);
        else if (isName(bytes, nameStart, KEEP_ALIVE)) {
          const text = bytes.toString("latin1", valueStart, valueEnd);
          const seconds = /timeout=(\d{1,9})/i.exec(text)?.[1];
          if (seconds !== undefined) this.#keepAliveSeconds = Number(seconds);
        }
    }
  }

  #noteConnection(valueStart: number, valueEnd: number): void {
    for (const word of this.#bytes.toString("latin1", valueStart, valueEnd).split(",")) {
      const option = word.trim().toLowerCase();
      if (option === "close") this.#closes = true;
      else if (option === "keep-alive") this.#stays = true;
    }
  }

  #noteLength(valueStart: number, valueEnd: number): void {
    const digits = valueEnd - valueStart;
    const value =
      digits < 1 || digits > LENGTH_DIGITS_MAX ? -1 : digitsAt(this.#bytes, valueStart, valueEnd);
    if (value < 0) refuse("its length is no number");
    if (this.#contentLength >= 0) refuse("it has two lengths");
    this.#contentLength = value;
  }

  #noteCoding(valueStart: number, valueEnd: number): void {
    const value = this.#bytes.toString("latin1", valueStart, valueEnd).toLowerCase();
    if (value !== "chunked") refuse("its transfer coding is not chunked");
    if (this.#chunked) refuse("it is chunked twice");
    this.#chunked = true;
  }
}

function isName(bytes: Buffer, start: number, lower: Buffer): boolean {
  for (let i = 0; i < lower.length; i++) {
    const byte = bytes[start + i] ?? 0;
    const folded = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    if (folded !== lower[i]) return false;
  }
  return true;
}

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB;
}

/** The number that stands there; -1 if anything but digits does. */
function digitsAt(bytes: Buffer, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

function refuse(reason: string): never {
  throw new ReplyError(reason);
}
