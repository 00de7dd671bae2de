import { latin1 } from "../core/bytes.js";
import type { RepeatedText } from "../core/repeated-text.js";
import { malformed } from "./framing-error.js";
import { isNameAt } from "./same-name.js";

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const COLON = 0x3a;
const HYPHEN = 0x2d;
const ZERO = 0x30;
const DELETE = 0x7f;
/** Of the length of a body: more would not fit a number. */
export const LENGTH_DIGITS_MAX = 15;
const NONE: readonly never[] = [];
const NO_MARKS: number[] = [];
const NO_BYTES = Buffer.alloc(0);
/** A list that has grown longer than this is not kept for the next head. */
const KEPT_MARKS_MAX = 1024;

/** The list of a head that was let go: for each head a list of its own would have to grow. */
let spareMarks: number[] | undefined;

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
 * The header lines of one message, and what they say of its body and its connection. Reading throws
 * FramingError for lines that two parsers could read in two ways: folded ones, bare line feeds, spaces
 * before the colon, two lengths, a length with a transfer coding, a coding other than `chunked`, or a tab beside either.
 */
export class HeaderLines {
  /** Part of a read buffer, so whoever is given them must read them at once. */
  bytes: Buffer;
  /** How many marks there are. */
  length = 0;
  /** One past the blank line, when all lines were read. */
  end = 0;
  /** -1 without the header. */
  contentLength = -1;
  /** Where the digits of the length begin and end; 0 without the header. */
  lengthStart = 0;
  lengthEnd = 0;
  chunked = false;
  /** Another message may follow on the connection; known when all lines were read. */
  persistent = false;
  /** For how long the connection is kept, in seconds; -1 if the message does not say. */
  keepAliveSeconds = -1;
  /** What `Expect` asks for, in lower case; empty if nothing. */
  expectation = "";
  #marks: number[];
  readonly #start: number;
  #closes = false;
  #stays = false;
  #named: string[] | undefined;
  /** True when every value has one space before it and nothing after it. */
  #isPlain = true;
  /** The text of the whole head, made once it is whole: one long text costs no more to make than one value. */
  #text = "";

  /** Of the message that begins at `start`. */
  constructor(bytes: Buffer, start: number) {
    this.bytes = bytes;
    this.#start = start;
    this.#marks = spareMarks ?? [];
    spareMarks = undefined;
  }

  /**
   * Reads the first `length` of the bytes, from the first header line to the blank one, of a message in HTTP/1 of
   * this minor version; false when the blank line has not come yet.
   */
  read(firstLine: number, length: number, minor: 0 | 1): boolean {
    const { bytes } = this;
    const marks = this.#marks;
    let count = 0;
    let at = firstLine;
    while (at < length && bytes[at] !== CR) {
      const nameEnd = nameEndAt(bytes, at, length);
      if (nameEnd < 0) return false;
      const valueStart = blankEndAt(bytes, nameEnd + 1, length);
      const lineEnd = textEndAt(bytes, valueStart, length);
      if (lineEnd < 0) return false;
      let valueEnd = lineEnd;
      while (valueEnd > valueStart && isBlank(bytes[valueEnd - 1] ?? 0)) valueEnd--;
      marks[count] = at;
      marks[count + 1] = nameEnd;
      marks[count + 2] = valueStart;
      marks[count + 3] = valueEnd;
      count += 4;
      if (valueEnd !== lineEnd || valueStart !== nameEnd + 2 || bytes[nameEnd + 1] !== SPACE) {
        this.#isPlain = false;
      }
      this.#note(at, nameEnd, valueStart, valueEnd);
      at = lineEnd + 2;
    }
    if (at + 1 >= length) return false;
    if (bytes[at + 1] !== LF) malformed("a carriage return stands alone");
    this.length = count;
    this.#finish(at + 2, minor);
    return true;
  }

  /** Whoever was given the lines has read them: from now on there are none. */
  release(): void {
    if (this.#marks.length <= KEPT_MARKS_MAX) spareMarks = this.#marks;
    this.#marks = NO_MARKS;
    this.bytes = NO_BYTES;
    this.length = 0;
  }

  /** What else `Connection` says, in lower case: headers of these names are for this hop alone. */
  get named(): readonly string[] {
    return this.#named ?? NONE;
  }

  /** The text between two places, each byte one character. */
  #between(start: number, end: number): string {
    return this.#text.slice(start - this.#start, end - this.#start);
  }

  /** One of the marks, which are four places a line: where its name begins and ends, where its value begins and ends. */
  mark(i: number): number {
    return this.#marks[i] ?? 0;
  }

  /** The name of the line whose marks begin at `i`, as sent. */
  name(i: number): string {
    return this.#between(this.mark(i), this.mark(i + 1));
  }

  /** The value of the line whose marks begin at `i`, without the blanks around it. */
  value(i: number): string {
    return this.#between(this.mark(i + 2), this.mark(i + 3));
  }

  /** As `value`, of a header that mostly says the same. */
  repeatedValue(i: number, repeated: RepeatedText): string {
    return repeated.in(this.bytes, this.mark(i + 2), this.mark(i + 3));
  }

  /**
   * The lines from the one whose marks begin at `from` to the one before `to`, each with its CR LF: as sent, but for
   * blanks around values, which not every parser reads alike.
   */
  lines(from: number, to: number): string {
    if (this.#isPlain) {
      const end = to < this.length ? this.mark(to) : this.end - 2;
      return this.#between(this.mark(from), end);
    }
    let text = "";
    for (let i = from; i < to; i += 4) text += `${this.name(i)}: ${this.value(i)}\r\n`;
    return text;
  }

  #finish(end: number, minor: 0 | 1): void {
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
      else (this.#named ??= []).push(option);
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
    if (hasTabBeside(this.bytes, valueStart, valueEnd)) malformed("a tab stands beside its length");
    if (this.contentLength >= 0) malformed("it has two lengths");
    this.contentLength = value;
    this.lengthStart = valueStart;
    this.lengthEnd = valueEnd;
  }

  #noteCoding(valueStart: number, valueEnd: number): void {
    const value = latin1(this.bytes, valueStart, valueEnd).toLowerCase();
    if (value !== "chunked") malformed("its transfer coding is not chunked");
    if (hasTabBeside(this.bytes, valueStart, valueEnd)) malformed("a tab stands beside its coding");
    if (this.chunked) malformed("it is chunked twice");
    this.chunked = true;
  }
}

/** The characters that a header's name may have. */
export function isNameByte(byte: number): boolean {
  return IN_NAME[byte] === 1;
}

/** Where the colon after a header's name is; -1 when it has not come yet. */
function nameEndAt(bytes: Buffer, start: number, length: number): number {
  let at = start;
  while (at < length) {
    // Most of a name is letters and hyphens, which need no table.
    const byte = bytes[at] ?? 0;
    const letter = (byte | 0x20) - 0x61;
    if ((letter < 0 || letter > 25) && byte !== HYPHEN && IN_NAME[byte] !== 1) break;
    at++;
  }
  if (at >= length) return -1;
  if (at === start || bytes[at] !== COLON) malformed("a header line has no plain name");
  return at;
}

function blankEndAt(bytes: Buffer, start: number, length: number): number {
  let at = start;
  while (at < length && isBlank(bytes[at] ?? 0)) at++;
  return at;
}

/** Where the text from `start` on ends with CR LF; -1 when it is not whole. */
export function textEndAt(bytes: Buffer, start: number, length: number): number {
  let at = start;
  // Four at a time, for a turn of a loop costs as much as looking at three.
  while (at + 4 <= length && areText(bytes, at)) at += 4;
  while (at < length && isText(bytes[at] ?? 0)) at++;
  if (at < length && bytes[at] !== CR) malformed("a line holds a control character");
  if (at + 1 >= length) return -1;
  if (bytes[at + 1] !== LF) malformed("a carriage return stands alone");
  return at;
}

function areText(bytes: Buffer, at: number): boolean {
  return (
    isText(bytes[at] ?? 0) &&
    isText(bytes[at + 1] ?? 0) &&
    isText(bytes[at + 2] ?? 0) &&
    isText(bytes[at + 3] ?? 0)
  );
}

/** May stand in a header's value, or in a reason. */
function isText(byte: number): boolean {
  return byte >= SPACE ? byte !== DELETE : byte === TAB;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

/** For some readers a tab beside a value is a part of it. */
function hasTabBeside(bytes: Buffer, valueStart: number, valueEnd: number): boolean {
  let start = valueStart;
  while (bytes[start - 1] === SPACE) start--;
  let end = valueEnd;
  while (bytes[end] === SPACE) end++;
  return bytes[start - 1] === TAB || bytes[end] === TAB;
}

/** The number at that place; -1 if there is anything but digits. */
export function digitsAt(bytes: Buffer, start: number, end: number): number {
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}
