import type { Holder } from "../core/client-key.js";
import type { Place } from "../core/fair-turns.js";
import type { Connection } from "./connection.js";
import type { FlightPhase, UpstreamFailure } from "./failure.js";
import type { OriginPool } from "./origin-pool.js";
import type { HeaderBlock } from "../http/header-block.js";
import type { HeaderLines } from "../http/header-lines.js";
import type { Rostered } from "../core/roster.js";

/** A request on a connection that its provider had closed fails within this time; later the provider may have read it. */
const STALE_SECONDS = 2;

/** One HTTP request to a provider. */
export interface UpstreamRequest {
  readonly method: "GET" | "POST" | "DELETE" | "PUT" | "PATCH" | "HEAD";
  /** Path and query. */
  readonly path: string;
  /** Without those of the connection and the length. */
  readonly headers: HeaderBlock;
  body: Buffer | null;
  /** From the sent request to the head of the reply. */
  readonly headTimeoutMs: number;
  /** Whose call it is of; undefined where the server asks on its own. */
  readonly holder: Holder | undefined;
  /** What it makes would be made twice: it does not go out again where a connection breaks, whose provider may have read it. */
  readonly once?: boolean;
}

/** Hears of one call. After `onEnd` or `onFail`, or once it has aborted, nothing more comes. */
export interface UpstreamHandler {
  /** The head. It holds during this call only. */
  onHead(httpStatus: number, head: HeaderLines): void;
  /** A long chunk, there during this call only. True if it is done with; otherwise it comes once more, to keep. */
  onLent?(chunk: Buffer): boolean;
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

/**
 * One call on its way: the connection on one side, its handler on the other. It is made per call, so it
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
  /** Where it waits, or has waited, for a connection. */
  turn: Place<Flight> | undefined;
  phase: FlightPhase = "CONNECT";
  /** The last second in which something moved. */
  movedAt: number;
  readonly startedAt: number;
  paused = false;
  #over = false;

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
    const { connection } = this;
    this.#end();
    if (connection === undefined) this.pool?.forget(this);
    else connection.abandon();
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
    this.request.headers.clear();
  }

  /** Stops the flow until `resume`. */
  pause(): void {
    if (this.#over || this.paused) return;
    this.paused = true;
    this.connection?.pause();
  }

  /** Lets a paused body flow again. */
  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.movedAt = this.#watch.tick;
    this.connection?.resume();
  }

  // The connection's side.

  /** The request may go out once more: it went out just now, and no byte of a reply has come. */
  get mayRetry(): boolean {
    const isFresh = this.#watch.tick - this.movedAt <= STALE_SECONDS;
    return isFresh && this.phase === "HEAD" && this.request.once !== true;
  }

  /** The request is about to go out once more. */
  onRetry(): void {
    this.phase = "CONNECT";
    this.movedAt = this.#watch.tick;
  }

  onSent(): void {
    this.phase = "HEAD";
    this.movedAt = this.#watch.tick;
  }

  onHead(httpStatus: number, head: HeaderLines): void {
    if (this.#over) return;
    this.phase = "BODY";
    this.movedAt = this.#watch.tick;
    this.#handler.onHead(httpStatus, head);
  }

  /** True if the chunk, which is there during this call only, is done with. */
  onLent(chunk: Buffer): boolean {
    if (this.#over || this.#handler.onLent?.(chunk) !== true) return false;
    this.movedAt = this.#watch.tick;
    return true;
  }

  /** False to stop the flow until `resume`. */
  onData(chunk: Buffer): boolean {
    if (this.#over) return true;
    this.movedAt = this.#watch.tick;
    if (this.#handler.onData(chunk)) return true;
    this.paused = true;
    return false;
  }

  onEnd(): void {
    if (this.#over) return;
    this.#end();
    this.#handler.onEnd();
  }

  /** The connection could not be opened, or broke. */
  onBroken(failure: UpstreamFailure): void {
    if (this.#over) return;
    this.#end();
    this.#handler.onFail(failure);
  }

  #end(): void {
    this.#over = true;
    this.connection = undefined;
    this.#watch.delete(this);
  }
}
