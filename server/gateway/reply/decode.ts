import type { Transform } from "node:stream";
import { constants, createBrotliDecompress, createGunzip, createInflate } from "node:zlib";

/** A reply may unpack to this many times its size once it is larger than a small page: more is an attack. */
const RATIO_MAX = 50;
const RATIO_FROM_BYTES = 1024 * 1024;

/** What a decoder holds at least: tables, a window of 32 KiB, and a buffer for what comes out. */
const STATE_BYTES = 64 * 1024;
const BROTLI_WINDOW_BYTES = 16 * 1024 * 1024;

/** What a decoder tells. */
export interface DecoderListener {
  /** False stops the flow until `resume`. */
  onDecoded(chunk: Buffer): boolean;
  onDecodedEnd(): void;
  onUndecodable(): void;
  /** The decoder takes more again. */
  onWritable(): void;
}

/** True for encodings that can be unpacked here. */
export function isDecodable(encoding: string): boolean {
  return (
    encoding === "gzip" || encoding === "x-gzip" || encoding === "br" || encoding === "deflate"
  );
}

/**
 * Unpacks a reply that came compressed although it was asked for plain. The caller gets it plain, for its
 * usage must be read and its errors redacted. Each piece is flushed as it comes, so streams stay streams.
 */
export class Decoder {
  readonly #stream: Transform;
  readonly #listener: DecoderListener;
  #bytesIn = 0;
  #bytesOut = 0;
  readonly #isBrotli: boolean;
  #over = false;

  constructor(encoding: string, listener: DecoderListener) {
    this.#isBrotli = encoding === "br";
    this.#listener = listener;
    this.#stream = transformOf(encoding);
    this.#stream.on("data", (chunk: Buffer) => {
      this.#onData(chunk);
    });
    this.#stream.on("end", () => {
      if (!this.#over) listener.onDecodedEnd();
    });
    this.#stream.on("error", () => {
      this.#fail();
    });
  }

  /** What unpacking takes: for Brotli all that was unpacked of late, which later pieces may repeat. */
  get keptBytes(): number {
    return STATE_BYTES + (this.#isBrotli ? Math.min(this.#bytesOut, BROTLI_WINDOW_BYTES) : 0);
  }

  /** False when the decoder is full; `onWritable` follows. */
  write(chunk: Buffer): boolean {
    this.#bytesIn += chunk.length;
    if (this.#stream.write(chunk)) return true;
    this.#stream.once("drain", () => {
      this.#listener.onWritable();
    });
    return false;
  }

  /** Nothing unpacks to nothing, whatever encoding its head names. */
  end(): void {
    if (this.#bytesIn > 0) this.#stream.end();
    else this.#listener.onDecodedEnd();
  }

  pause(): void {
    this.#stream.pause();
  }

  /** Lets decoded bytes flow again. */
  resume(): void {
    this.#stream.resume();
  }

  destroy(): void {
    this.#over = true;
    this.#stream.destroy();
  }

  #onData(chunk: Buffer): void {
    if (this.#over) return;
    this.#bytesOut += chunk.length;
    if (this.#bytesOut > RATIO_FROM_BYTES && this.#bytesOut > this.#bytesIn * RATIO_MAX) {
      this.#fail();
      return;
    }
    if (!this.#listener.onDecoded(chunk)) this.#stream.pause();
  }

  #fail(): void {
    if (this.#over) return;
    this.destroy();
    this.#listener.onUndecodable();
  }
}

function transformOf(encoding: string): Transform {
  if (encoding === "br") {
    return createBrotliDecompress({ flush: constants.BROTLI_OPERATION_FLUSH });
  }
  const options = { flush: constants.Z_SYNC_FLUSH };
  return encoding === "deflate" ? createInflate(options) : createGunzip(options);
}
