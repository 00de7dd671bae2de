import type { Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import type { Clock } from "../core/clock.js";
import type { UpstreamFailure } from "../upstream/failure.js";
import type { Flight, UpstreamRequest } from "../upstream/flight.js";
import type { Upstream, UpstreamTarget } from "../upstream/upstream.js";

export interface PiecesOptions {
  readonly upstream: Upstream;
  readonly target: UpstreamTarget;
  readonly request: UpstreamRequest;
  readonly clock: Clock;
  /** For all of it. */
  readonly timeoutMs: number;
  /** Ends it early. */
  readonly signal: AbortSignal;
  /** Takes what a reply with status 200 holds, piece by piece. */
  readonly onPiece: (piece: Buffer) => void;
}

/** Answers the status of a reply that has come whole, or why there is none; of other statuses nothing more is read. */
export function fetchPieces(options: PiecesOptions): Promise<number | UpstreamFailure> {
  return new Promise((resolve) => {
    new Pieces(options, resolve).start();
  });
}

const UNPACK: Readonly<Record<string, (() => Transform) | undefined>> = {
  gzip: createGunzip,
  "x-gzip": createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

const CONTENT_ENCODING = "content-encoding";

class Pieces {
  readonly #options: PiecesOptions;
  readonly #resolve: (end: number | UpstreamFailure) => void;
  #flight: Flight | undefined;
  #isOver = false;
  /** Unpacks what came packed although that was not asked for. */
  #unpack: Transform | undefined;
  #leave = (): void => undefined;

  constructor(options: PiecesOptions, resolve: (end: number | UpstreamFailure) => void) {
    this.#options = options;
    this.#resolve = resolve;
  }

  start(): void {
    const { upstream, target, request, clock, timeoutMs, signal } = this.#options;
    const timer = clock.setTimer(() => {
      this.#end({ kind: "TIMEOUT", detail: "the reply did not come in time" });
    }, timeoutMs);
    const onAbort = (): void => {
      this.#end({ kind: "CUT", detail: "the server stops" });
    };
    signal.addEventListener("abort", onAbort);
    this.#leave = () => {
      timer.cancel();
      signal.removeEventListener("abort", onAbort);
    };
    const flight = upstream.send(target, request, {
      onHead: (status, head) => {
        let encoding = "";
        for (let i = 0; i < head.length; i += 4) {
          if (head.name(i).toLowerCase() === CONTENT_ENCODING) encoding = head.value(i);
        }
        if (status === 200) this.#unpacked(encoding.toLowerCase());
        else this.#end(status);
      },
      onData: (chunk) => {
        if (this.#unpack !== undefined) return this.#unpack.write(chunk);
        this.#piece(chunk);
        return true;
      },
      onEnd: () => {
        if (this.#unpack === undefined) this.#end(200);
        else this.#unpack.end();
      },
      onFail: (failure) => {
        this.#end(failure);
      },
    });
    this.#flight = flight;
    // It may have ended by then.
    if (this.#isOver || signal.aborted) this.#end({ kind: "CUT", detail: "the server stops" });
    if (this.#isOver) flight.abort();
  }

  #unpacked(encoding: string): void {
    if (encoding === "" || encoding === "identity") return;
    const unpack = UNPACK[encoding]?.();
    if (unpack === undefined) {
      this.#end({ kind: "PROTOCOL", detail: "a reply in an encoding that was not asked for" });
      return;
    }
    this.#unpack = unpack;
    unpack.on("data", (piece: Buffer) => {
      this.#piece(piece);
    });
    unpack.on("drain", () => {
      this.#flight?.resume();
    });
    unpack.on("end", () => {
      this.#end(200);
    });
    unpack.on("error", () => {
      this.#end({ kind: "CUT", detail: "the compressed reply could not be unpacked" });
    });
  }

  #piece(piece: Buffer): void {
    if (this.#isOver) return;
    try {
      this.#options.onPiece(piece);
    } catch (thrown) {
      const detail = thrown instanceof Error ? thrown.message : "it could not be read";
      this.#end({ kind: "PROTOCOL", detail });
    }
  }

  #end(end: number | UpstreamFailure): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#leave();
    this.#unpack?.destroy();
    this.#flight?.abort();
    this.#resolve(end);
  }
}
