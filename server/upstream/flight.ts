import { errorCode, failureOf, type FlightPhase, type UpstreamFailure } from "./failure.js";
import type { Connection, OriginPool } from "./origin-pool.js";
import type { Rostered } from "./roster.js";

/** One HTTP request to a provider. */
export interface UpstreamRequest {
  readonly method: "GET" | "POST" | "DELETE" | "PUT" | "PATCH" | "HEAD";
  /** Path and query. */
  readonly path: string;
  /** Names and values in turn; lower-case names, no connection headers, no content-length. */
  headers: readonly string[];
  body: Buffer | null;
  /** From the sent request to the head of the reply. */
  readonly headTimeoutMs: number;
}

/** Hears of one call. After `onEnd` or `onFail`, or once it has aborted, nothing more comes. */
export interface UpstreamHandler {
  /** The head; names and values in turn, as they came. */
  onHead(httpStatus: number, headers: readonly Buffer[]): void;
  /** Returns false to stop the flow until `resume`. The chunk may be kept. */
  onData(chunk: Buffer): boolean;
  onEnd(): void;
  onFail(failure: UpstreamFailure): void;
}

/** What a flight needs of whoever counts time for all of them. */
export interface FlightWatch {
  /** Seconds counted so far. */
  readonly tick: number;
  add(flight: Flight): void;
  delete(flight: Flight): void;
}

const STALE_CODES = new Set(["UND_ERR_SOCKET", "ECONNRESET", "EPIPE"]);

/**
 * One call on its way: the HTTP client's handler on one side, ours on the other. It is made per call, so it
 * holds what timeouts need as plain numbers and asks no clock per chunk.
 */
export class Flight implements Rostered {
  place = -1;
  readonly request: UpstreamRequest;
  readonly #handler: UpstreamHandler;
  readonly #watch: FlightWatch;
  /** Where it waits for, or has, its connection. */
  pool: OriginPool | undefined;
  connection: Connection | undefined;
  phase: FlightPhase = "CONNECT";
  /** The last second in which something moved. */
  movedAt: number;
  readonly startedAt: number;
  paused = false;
  #abort: ((error?: Error) => void) | undefined;
  #resume: (() => void) | undefined;
  #over = false;
  #resent = false;

  constructor(request: UpstreamRequest, handler: UpstreamHandler, watch: FlightWatch) {
    this.request = request;
    this.#handler = handler;
    this.#watch = watch;
    this.startedAt = watch.tick;
    this.movedAt = watch.tick;
    watch.add(this);
  }

  /** True once nothing more will be told. */
  get over(): boolean {
    return this.#over;
  }

  /** Ends the call from our side; its handler hears nothing more. Harmless when it is over. */
  abort(): void {
    if (this.#over) return;
    this.#end();
    if (this.#abort === undefined) this.pool?.forget(this);
    else this.#abort();
  }

  /** As `abort`, telling the handler why. */
  fail(failure: UpstreamFailure): void {
    if (this.#over) return;
    this.abort();
    this.#handler.onFail(failure);
  }

  /** Lets go of the request, which will not be sent again: a stream may be open for an hour. */
  forgetRequest(): void {
    this.request.body = null;
    this.request.headers = [];
  }

  /** Lets a paused body flow again. */
  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.movedAt = this.#watch.tick;
    if (!this.#over) this.#resume?.();
  }

  // The HTTP client's side.

  onConnect(abort: (error?: Error) => void): void {
    // Thrown here, the request is dropped and its connection stays good.
    if (this.#over) throw new Error("the call was given up while it waited for its connection");
    this.#abort = abort;
    this.phase = "HEAD";
    this.movedAt = this.#watch.tick;
  }

  onHeaders(httpStatus: number, headers: Buffer[], resume: () => void): boolean {
    if (httpStatus < 200) return true;
    this.#resume = resume;
    this.phase = "BODY";
    this.movedAt = this.#watch.tick;
    this.#handler.onHead(httpStatus, headers);
    return true;
  }

  onData(chunk: Buffer): boolean {
    if (this.#over) return true;
    this.movedAt = this.#watch.tick;
    if (this.#handler.onData(chunk)) return true;
    this.paused = true;
    return false;
  }

  onComplete(): void {
    const told = this.#over;
    this.#end();
    this.#release();
    if (!told) this.#handler.onEnd();
  }

  onError(error: Error): void {
    if (!this.#over && this.#isStale(error)) {
      this.#resent = true;
      this.#abort = undefined;
      this.phase = "CONNECT";
      queueMicrotask(() => {
        if (!this.#over) this.pool?.again(this);
        else this.#release();
      });
      return;
    }
    const told = this.#over;
    this.#end();
    // The client library is in the middle of clearing up: what is released now could be sent on at once.
    queueMicrotask(() => {
      this.#release();
    });
    if (!told) this.#handler.onFail(failureOf(error, this.phase));
  }

  /**
   * A kept-alive connection that the provider closed while our request was on its way: not the provider's
   * failure, so the request goes out once more on a fresh one.
   */
  #isStale(error: Error): boolean {
    return (
      this.phase === "HEAD" &&
      !this.#resent &&
      this.connection?.reused === true &&
      STALE_CODES.has(errorCode(error))
    );
  }

  #end(): void {
    this.#over = true;
    this.#watch.delete(this);
  }

  #release(): void {
    const connection = this.connection;
    this.connection = undefined;
    connection?.pool.release(connection);
  }
}
