import { ChunkedBody } from "../http/chunked-body.js";
import { FramingError } from "../http/framing-error.js";
import { headTooLarge, HeldHead } from "../http/held-head.js";
import { KnownHead, type KnownHeads } from "./known-head.js";
import { parseRequestHead, type ParsedRequest } from "./request-head.js";

const CR = 0x0d;
const LF = 0x0a;
/** The first head of a connection may be its only one. When so many have come and each was another, none is kept any more. */
const OTHER_HEADS_MAX = 4;

/** Is told the parts of a request. */
export interface RequestSink {
  /** Its head holds during this call only. `contentLength`: in bytes; -1 where the head does not say. */
  onRequest(request: ParsedRequest, contentLength: number): void;
  /** A piece of the body. `own`: the sink may keep it; otherwise it is there during this call only. */
  onBody(piece: Buffer, own: boolean): void;
  onRequestEnd(): void;
}

/** BETWEEN: nothing of a request has come. */
type Phase = "BETWEEN" | "HEAD" | "LENGTH" | "CHUNKED";

/** Reads one request after the other from the bytes of a connection. */
export class RequestParser {
  readonly #sink: RequestSink;
  readonly #headBytesMax: number;
  readonly #heads: KnownHeads;
  #phase: Phase = "BETWEEN";
  /** The beginning of a head whose end has not come yet. */
  #held: HeldHead | undefined;
  #known: KnownHead | undefined;
  /** Heads in a row that were not the one before. */
  #others = 0;
  #left = 0;
  #chunked: ChunkedBody | undefined;
  #inHand = false;

  /** `heads`: what other connections know. */
  constructor(sink: RequestSink, headBytesMax: number, heads: KnownHeads) {
    this.#sink = sink;
    this.#headBytesMax = headBytesMax;
    this.#heads = heads;
  }

  /** Some of a request has come, but not all of it. */
  get midRequest(): boolean {
    return this.#phase !== "BETWEEN";
  }

  /** The rest of the request came with what is being read now. */
  get requestInHand(): boolean {
    return this.#inHand || !this.midRequest;
  }

  /**
   * Takes bytes from `at` on; they are kept, so whoever gave them must not use them again. Goes no further than the end
   * of one request, and answers where it stopped. Throws FramingError, after which no byte may follow.
   */
  push(bytes: Buffer, at: number): number {
    switch (this.#phase) {
      case "BETWEEN":
        return this.#begin(bytes, at);
      case "HEAD":
        return this.#readHead(bytes, at);
      case "LENGTH":
        return this.#readLength(bytes, at);
      default:
        return this.#readChunks(bytes, at);
    }
  }

  /**
   * As `push`, for the first `length` bytes of a buffer that whoever gave it uses again. It takes all of them where they
   * are no more than the rest of a body whose length is known, and else none: false.
   */
  pushLent(bytes: Buffer, length: number): boolean {
    if (this.#phase !== "LENGTH" || length > this.#left) return false;
    this.#left -= length;
    this.#sink.onBody(length < bytes.length ? bytes.subarray(0, length) : bytes, false);
    if (this.#left === 0) this.#end();
    return true;
  }

  /** Some clients end a body with a line end that belongs to nothing; RFC 9112 §2.2 wants it passed over. */
  #begin(bytes: Buffer, start: number): number {
    let at = start;
    while (at < bytes.length && (bytes[at] === CR || bytes[at] === LF)) at++;
    if (at === bytes.length) return at;
    this.#phase = "HEAD";
    return this.#readHead(bytes, at);
  }

  #readHead(bytes: Buffer, at: number): number {
    const { length } = bytes;
    if (this.#held !== undefined) return this.#readHeldHead(this.#held, bytes, at);
    const known = this.#known;
    const knownEnd = known === undefined ? -1 : known.endAt(bytes, at, length);
    if (known !== undefined && knownEnd >= 0) {
      this.#others = 1;
      this.#tell(known.request, known.contentLength, length - knownEnd);
      return this.#readBody(bytes, knownEnd);
    }
    const request = parseRequestHead(bytes, at, length);
    if ((request === undefined ? length : request.lines.end) - at > this.#headBytesMax) {
      throw headTooLarge();
    }
    if (request !== undefined)
      return this.#take(request, bytes, { start: at, next: request.lines.end });
    this.#held = new HeldHead(this.#headBytesMax, bytes, at, length);
    return length;
  }

  #readHeldHead(held: HeldHead, bytes: Buffer, at: number): number {
    const next = held.take(bytes, at, bytes.length);
    if (next < 0) return bytes.length;
    this.#held = undefined;
    const request = parseRequestHead(held.bytes, 0, held.length);
    if (request === undefined) throw new FramingError("its head has no request line");
    this.#tell(request, request.lines.contentLength, bytes.length - next);
    request.lines.release();
    return this.#readBody(bytes, next);
  }

  /** Takes a request whose head was read in these bytes. */
  #take(request: ParsedRequest, bytes: Buffer, head: { start: number; next: number }): number {
    const { start, next } = head;
    this.#tell(request, request.lines.contentLength, bytes.length - next);
    if (++this.#others > 1) this.#remember(request, bytes, start);
    request.lines.release();
    return this.#readBody(bytes, next);
  }

  #remember(request: ParsedRequest, bytes: Buffer, start: number): void {
    if (this.#others > OTHER_HEADS_MAX) {
      this.#known = undefined;
      return;
    }
    const head = KnownHead.of(request, bytes, start);
    if (head !== undefined) this.#known = this.#heads.shared(head);
  }

  /** Tells the sink of a request, with whose head so many further bytes came. */
  #tell(request: ParsedRequest, contentLength: number, more: number): void {
    const { chunked } = request.lines;
    this.#left = Math.max(0, contentLength);
    this.#inHand = !chunked && this.#left <= more;
    if (chunked) {
      this.#phase = "CHUNKED";
      this.#chunked = new ChunkedBody();
    } else {
      this.#phase = this.#left > 0 ? "LENGTH" : "BETWEEN";
    }
    this.#sink.onRequest(request, contentLength);
  }

  /** Reads on in what came with the head. */
  #readBody(bytes: Buffer, next: number): number {
    if (!this.midRequest) this.#sink.onRequestEnd();
    else if (next < bytes.length) return this.push(bytes, next);
    return next;
  }

  #readLength(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.#left);
    this.#left -= end - at;
    this.#sink.onBody(bytes.subarray(at, end), true);
    if (this.#left === 0) this.#end();
    return end;
  }

  #readChunks(bytes: Buffer, at: number): number {
    const chunked = this.#chunked;
    if (chunked === undefined) return bytes.length;
    const { start, end, next } = chunked.read(bytes, at, bytes.length);
    if (end > start) this.#sink.onBody(bytes.subarray(start, end), true);
    if (chunked.done) this.#end();
    // Less than all of it is only taken up to an error, which is met at once.
    else if (next < bytes.length) return this.#readChunks(bytes, next);
    return next;
  }

  #end(): void {
    this.#phase = "BETWEEN";
    this.#chunked = undefined;
    this.#sink.onRequestEnd();
  }
}
