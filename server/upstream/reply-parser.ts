import { ChunkedBody } from "../http/chunked-body.js";
import { FramingError } from "../http/framing-error.js";
import type { HeaderLines } from "../http/header-lines.js";
import { headTooLarge, HeldHead } from "../http/held-head.js";
import { parseHead, type ParsedHead } from "./reply-head.js";

/** Interim replies before the real one; more are a provider that never comes to the point. */
const INTERIM_MAX = 16;
/** Shorter pieces are not lent: they are soon copied, and seldom many. */
const LENT_BYTES_MIN = 16 * 1024;

/** Is told the parts of a reply. */
export interface ReplySink {
  onHead(httpStatus: number, head: HeaderLines): void;
  /** A long piece of the body, there during this call only. True if it is done with; otherwise it comes once more, to keep. */
  onLent(piece: Buffer): boolean;
  /** A piece of the body, which the sink may keep. */
  onBody(piece: Buffer): void;
  onReplyEnd(): void;
}

export interface ReplyLimits {
  readonly headBytesMax: number;
  readonly bodyBytesMax: number;
}

type Phase = "HEAD" | "LENGTH" | "CHUNKED" | "UNTIL_CLOSE" | "DONE";

/** Reads one reply after the other from the bytes of a connection. */
export class ReplyParser {
  readonly #sink: ReplySink;
  readonly #limits: ReplyLimits;
  #phase: Phase = "DONE";
  #isHead = false;
  #interim = 0;
  /** The begin of a head whose end has not come yet. */
  #held: HeldHead | undefined;
  #left = 0;
  #bodyBytes = 0;
  #chunked: ChunkedBody | undefined;
  #stopped = false;
  /** The connection may serve another call after this reply. */
  persistent = false;
  /** How long the provider says it keeps the connection; -1 if it does not. */
  keepAliveSeconds = -1;
  /** Bytes of a reply have come. */
  begun = false;

  constructor(sink: ReplySink, limits: ReplyLimits) {
    this.#sink = sink;
    this.#limits = limits;
  }

  /** A request is on its way, and the next bytes are its reply. */
  expect(method: string): void {
    this.#phase = "HEAD";
    this.#isHead = method === "HEAD";
    this.#interim = 0;
    this.#bodyBytes = 0;
    this.#chunked = undefined;
    this.begun = false;
    this.persistent = false;
  }

  /** Nothing more is read or told. */
  stop(): void {
    this.#stopped = true;
    this.#held = undefined;
  }

  /**
   * Takes the first `length` bytes of a buffer, whose contents it may change. `own`: the buffer is not used
   * again by whoever gave it; otherwise what is passed on is a copy. Throws FramingError.
   */
  push(bytes: Buffer, length: number, own: boolean): void {
    this.begun = true;
    let at = 0;
    while (at < length && !this.#stopped) {
      switch (this.#phase) {
        case "HEAD":
          at = this.#readHead(bytes, at, length);
          break;
        case "LENGTH":
          at = this.#readLength(bytes, at, length, own);
          break;
        case "CHUNKED":
          at = this.#readChunks(bytes, at, length, own);
          break;
        case "UNTIL_CLOSE":
          this.#pass(bytes, at, length, own);
          at = length;
          break;
        case "DONE":
          // Bytes that nobody asked for: whatever they are, they must not become the next call's reply.
          this.persistent = false;
          return;
      }
      if (this.#isOver()) {
        if (at < length) this.persistent = false;
        this.#sink.onReplyEnd();
        return;
      }
    }
  }

  /** Asked after a step that may have ended the reply. */
  #isOver(): boolean {
    return this.#phase === "DONE" && !this.#stopped;
  }

  /** The provider has closed the connection. True when that is how its reply ends. */
  end(): boolean {
    if (this.#phase !== "UNTIL_CLOSE" || this.#stopped) return false;
    this.#phase = "DONE";
    this.#sink.onReplyEnd();
    return true;
  }

  #readHead(bytes: Buffer, at: number, length: number): number {
    if (this.#held !== undefined) return this.#readHeldHead(this.#held, bytes, at, length);
    const head = parseHead(bytes, at, length);
    const { headBytesMax } = this.#limits;
    if ((head === undefined ? length : head.lines.end) - at > headBytesMax) throw headTooLarge();
    if (head !== undefined) {
      this.#begin(head);
      return head.lines.end;
    }
    this.#held = new HeldHead(headBytesMax, bytes, at, length);
    return length;
  }

  #readHeldHead(held: HeldHead, bytes: Buffer, at: number, length: number): number {
    const next = held.take(bytes, at, length);
    if (next < 0) return length;
    const head = parseHead(held.bytes, 0, held.length);
    this.#held = undefined;
    if (head === undefined) throw new FramingError("its head has no status line");
    this.#begin(head);
    return next;
  }

  #begin(head: ParsedHead): void {
    const { httpStatus, lines } = head;
    if (httpStatus === 101) throw new FramingError("it changes the protocol");
    if (httpStatus < 200) {
      if (++this.#interim > INTERIM_MAX) throw new FramingError("too many interim replies");
      return;
    }
    this.persistent = lines.persistent;
    this.keepAliveSeconds = lines.keepAliveSeconds;
    this.#phase = this.#phaseAfter(head);
    this.#left = Math.max(0, lines.contentLength);
    if (this.#phase === "LENGTH" && this.#left > this.#limits.bodyBytesMax) throw tooLargeBody();
    if (this.#phase === "CHUNKED") this.#chunked = new ChunkedBody();
    if (this.#phase === "UNTIL_CLOSE") this.persistent = false;
    this.#sink.onHead(httpStatus, lines);
    lines.release();
  }

  #phaseAfter(head: ParsedHead): Phase {
    const { httpStatus } = head;
    const { chunked, contentLength } = head.lines;
    if (this.#isHead || httpStatus === 204 || httpStatus === 304) return "DONE";
    if (chunked) return "CHUNKED";
    if (contentLength < 0) return "UNTIL_CLOSE";
    return contentLength === 0 ? "DONE" : "LENGTH";
  }

  #readLength(bytes: Buffer, at: number, length: number, own: boolean): number {
    const end = Math.min(length, at + this.#left);
    this.#left -= end - at;
    if (this.#left === 0) this.#phase = "DONE";
    this.#pass(bytes, at, end, own);
    return end;
  }

  #readChunks(bytes: Buffer, at: number, length: number, own: boolean): number {
    const chunked = this.#chunked;
    if (chunked === undefined) return length;
    const { start, end, next } = chunked.read(bytes, at, length);
    if (chunked.done) this.#phase = "DONE";
    if (end > start) this.#pass(bytes, start, end, own);
    return next;
  }

  #pass(bytes: Buffer, start: number, end: number, own: boolean): void {
    this.#bodyBytes += end - start;
    if (this.#bodyBytes > this.#limits.bodyBytesMax) throw tooLargeBody();
    if (own) this.#sink.onBody(bytes.subarray(start, end));
    else if (end - start < LENT_BYTES_MIN || !this.#sink.onLent(bytes.subarray(start, end))) {
      this.#sink.onBody(copyOf(bytes, start, end));
    }
  }
}

function copyOf(bytes: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafe(end - start);
  bytes.copy(copy, 0, start, end);
  return copy;
}

function tooLargeBody(): FramingError {
  return new FramingError("its body is too large", "BODY_TOO_LARGE");
}
