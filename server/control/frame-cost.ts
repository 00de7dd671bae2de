/** Bytes of the head of a frame. */
const HEAD_BYTES = 9;
/** What a client sends before its first frame. */
const PREFACE_BYTES = 24;
const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const CONTINUATION = 9;
/** A request costs as much as so many small frames. */
const REQUEST_COST = 4;
/** Taking one back costs more: an honest client seldom does. */
const RESET_COST = 8;
/** Header lines are unpacked, so each of these many bytes counts as a frame. */
const HEADER_BYTES_PER_FRAME = 1024;
/** A piece of a message that is as long as this is worth its frame. */
const DATA_BYTES_FREE = 512;

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** Says what the bytes cost the server that a client sends, in small frames of HTTP/2. */
export interface ByteCost {
  of(chunk: Buffer): number;
}

/** Counts what could be requests of HTTP/1.1, by the blank lines behind their heads. */
export class RequestCost implements ByteCost {
  /** The last line has nothing in it yet; blank lines before a request cost as well. */
  #isBlank = true;

  of(chunk: Buffer): number {
    let cost = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      if (byte === CARRIAGE_RETURN) continue;
      if (byte !== LINE_FEED) {
        const end = chunk.indexOf(LINE_FEED, at);
        this.#isBlank = false;
        if (end < 0) break;
        at = end;
      }
      if (this.#isBlank) cost += REQUEST_COST;
      this.#isBlank = true;
    }
    return cost;
  }
}

/** Reads the heads of the HTTP/2 frames that a client sends, and says what they cost the server, in small frames. */
export class FrameCost implements ByteCost {
  /** The beginning of a head whose rest has not come yet. */
  readonly #head = Buffer.alloc(HEAD_BYTES);
  #headBytes = 0;
  /** Bytes until the next head. */
  #skip = PREFACE_BYTES;
  /** The last stream that was begun. */
  lastStreamId = 0;

  /** What the frames cost whose heads end in the chunk. */
  of(chunk: Buffer): number {
    let cost = 0;
    let at = 0;
    while (at < chunk.length) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - at);
        this.#skip -= skipped;
        at += skipped;
      } else if (this.#headBytes === 0 && at + HEAD_BYTES <= chunk.length) {
        cost += this.#frame(chunk, at);
        at += HEAD_BYTES;
      } else {
        this.#head[this.#headBytes++] = chunk[at++] ?? 0;
        if (this.#headBytes < HEAD_BYTES) continue;
        this.#headBytes = 0;
        cost += this.#frame(this.#head, 0);
      }
    }
    return cost;
  }

  #frame(bytes: Buffer, at: number): number {
    const length = bytes.readUIntBE(at, 3);
    this.#skip = length;
    switch (bytes[at + 3]) {
      case DATA:
        return length >= DATA_BYTES_FREE ? 0 : 1;
      case HEADERS:
        this.lastStreamId = bytes.readUInt32BE(at + 5) & 0x7fffffff;
        return REQUEST_COST + Math.floor(length / HEADER_BYTES_PER_FRAME);
      case RST_STREAM:
        return RESET_COST;
      case CONTINUATION:
        return 1 + Math.floor(length / HEADER_BYTES_PER_FRAME);
      default:
        return 1;
    }
  }
}
