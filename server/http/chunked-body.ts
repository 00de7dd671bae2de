import { hexDigit } from "../core/bytes.js";
import { FramingError } from "./framing-error.js";
import { isNameByte } from "./header-lines.js";

const LF = 0x0a;
const CR = 0x0d;
const TAB = 0x09;
const SPACE = 0x20;
const COLON = 0x3a;
const SEMICOLON = 0x3b;
/** So many hexadecimal digits are a number that a double holds exactly. */
const SIZE_DIGITS_MAX = 12;
/** The longest line between two chunks that says no more than a size, with the line end in front of it. */
const PLAIN_LINE_BYTES_MAX = SIZE_DIGITS_MAX + 4;
/** Bytes of extensions after the size of one chunk. */
const EXTENSION_BYTES_MAX = 4096;
/** All trailers of a body together. */
const TRAILER_BYTES_MAX = 16 * 1024;

type Step =
  | "SIZE"
  | "EXTENSION"
  | "SIZE_LF"
  | "DATA"
  | "DATA_CR"
  | "DATA_LF"
  /** At the begin of a trailer line, or of the blank one that ends it all. */
  | "LINE"
  | "NAME"
  | "TRAILER"
  | "TRAILER_LF"
  | "LAST_LF"
  | "DONE";

/** Bytes of a buffer that belong to the body: from `start` to `end`, in one piece. */
export interface BodyPiece {
  start: number;
  end: number;
  /** One past the last byte that was read. */
  next: number;
}

/**
 * Takes the chunks of a body out of their framing. Throws FramingError for framing that two parsers could
 * read in two ways. Extensions and trailers are checked, bounded and dropped.
 */
export class ChunkedBody {
  #step: Step = "SIZE";
  #left = 0;
  #digits = 0;
  #skipped = 0;

  get done(): boolean {
    return this.#step === "DONE";
  }

  /**
   * Reads `bytes` from `at` to `length` or the body's end. The chunks found are moved together in place, so that what
   * one read brought is passed on as one piece. Chunks in front of a framing error are such a piece too: it ends before
   * the wrong byte, from which the next reading throws.
   */
  read(bytes: Buffer, at: number, length: number): BodyPiece {
    const piece: BodyPiece = { start: at, end: at, next: at };
    let next = at;
    try {
      while (next < length && this.#step !== "DONE") {
        if (this.#step === "DATA") {
          const count = Math.min(this.#left, length - next);
          if (piece.end === piece.start) piece.start = piece.end = next;
          else if (piece.end !== next) bytes.copyWithin(piece.end, next, next + count);
          piece.end += count;
          this.#left -= count;
          next += count;
          if (this.#left === 0) this.#step = "DATA_CR";
          continue;
        }
        const data = this.#plainLine(bytes, next, length);
        if (data < 0) this.#frame(bytes[next] ?? 0);
        next = data < 0 ? next + 1 : data;
      }
    } catch (error) {
      if (piece.end === piece.start) throw error;
    }
    piece.next = next;
    return piece;
  }

  /**
   * One past the line in front of a chunk, where all of it is there and it says no more than a size, as nearly all do.
   * Others are read byte by byte: -1 for them, and nothing is changed.
   */
  #plainLine(bytes: Buffer, at: number, length: number): number {
    if (at + PLAIN_LINE_BYTES_MAX > length) return -1;
    let next = at;
    if (this.#step === "DATA_CR") {
      if (bytes[next] !== CR || bytes[next + 1] !== LF) return -1;
      next += 2;
    } else if (this.#step !== "SIZE" || this.#digits > 0) return -1;
    const end = next + SIZE_DIGITS_MAX;
    let size = 0;
    for (; next < end; next++) {
      const digit = hexDigit(bytes[next] ?? 0);
      if (digit < 0) break;
      size = size * 16 + digit;
    }
    if (size === 0 || bytes[next] !== CR || bytes[next + 1] !== LF) return -1;
    this.#left = size;
    this.#digits = 0;
    this.#step = "DATA";
    return next + 2;
  }

  /** Throws before it changes anything, so that the same byte read again is the same error. */
  #frame(byte: number): void {
    switch (this.#step) {
      case "SIZE":
        this.#size(byte);
        return;
      case "EXTENSION":
        this.#skip(byte, EXTENSION_BYTES_MAX, "SIZE_LF");
        return;
      case "SIZE_LF":
        requireByte(byte, LF);
        this.#skipped = 0;
        this.#step = this.#left === 0 ? "LINE" : "DATA";
        return;
      case "DATA_CR":
        requireByte(byte, CR);
        this.#step = "DATA_LF";
        return;
      case "DATA_LF":
        requireByte(byte, LF);
        this.#digits = 0;
        this.#step = "SIZE";
        return;
      default:
        this.#trailer(byte);
    }
  }

  #trailer(byte: number): void {
    switch (this.#step) {
      case "LINE":
        if (byte !== CR) this.#name(byte);
        this.#step = byte === CR ? "LAST_LF" : "NAME";
        return;
      case "NAME":
        if (byte === COLON) this.#step = "TRAILER";
        else this.#name(byte);
        return;
      case "TRAILER_LF":
        requireByte(byte, LF);
        this.#step = "LINE";
        return;
      case "LAST_LF":
        requireByte(byte, LF);
        this.#step = "DONE";
        return;
      default:
        this.#skip(byte, TRAILER_BYTES_MAX, "TRAILER_LF");
    }
  }

  /** What is no header line may be the next message to another reader. */
  #name(byte: number): void {
    if (!isNameByte(byte)) throw new FramingError("a trailer has no plain name");
    this.#skip(byte, TRAILER_BYTES_MAX, "TRAILER_LF");
  }

  #size(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      if (++this.#digits > SIZE_DIGITS_MAX) throw new FramingError("a chunk's size is too large");
      this.#left = this.#left * 16 + digit;
      return;
    }
    if (this.#digits === 0) throw new FramingError("a chunk has no size");
    if (byte === CR) this.#step = "SIZE_LF";
    else if (byte === SEMICOLON) this.#step = "EXTENSION";
    else throw new FramingError("a chunk's size is no number");
  }

  #skip(byte: number, bytesMax: number, atEnd: Step): void {
    if (byte === CR) {
      this.#step = atEnd;
      return;
    }
    const isText = byte === TAB || (byte >= SPACE && byte !== 0x7f);
    if (!isText) throw new FramingError("a chunk's line holds a control character");
    if (++this.#skipped > bytesMax) throw new FramingError("a chunk's line is too long");
  }
}

function requireByte(byte: number, wanted: number): void {
  if (byte !== wanted) throw new FramingError("a chunk does not end where it says");
}
