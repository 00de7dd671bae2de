import type { Socket } from "node:net";
import { failureOf } from "./failure.js";
import type { Flight } from "./flight.js";
import type { UpstreamLimits } from "./limits.js";
import type { Connect, SocketUser } from "./connect.js";
import type { HeaderLines } from "../http/header-lines.js";
import { writeMessage } from "../http/write-message.js";
import { ReplyParser, type ReplySink } from "./reply-parser.js";
import type { RequestHeads } from "./request-text.js";
import type { Rostered } from "../core/roster.js";

const NO_BYTES = Buffer.alloc(0);
/** Subtracted from the time for which a provider says it keeps a connection: it began to count earlier than we did. */
const KEEP_ALIVE_MARGIN_SECONDS = 1;
/** What a request fails with on a kept connection that its provider has closed. */
const STALE_CODES = new Set(["CLOSED", "ECONNRESET", "EPIPE"]);

/** The status of a provider that was closing a kept connection because it lay idle: the request may be sent on another one. */
const TIMED_OUT = 408;

/** What a connection needs of the pool that it belongs to. */
export interface ConnectionPool {
  readonly heads: RequestHeads;
  readonly limits: UpstreamLimits;
  readonly connect: Connect;
  /** The call is over and the connection can take another one. */
  onFree(connection: Connection): void;
  /** The connection is gone; `retry` is the call on it that may go out once more on a fresh one. */
  onGone(connection: Connection, retry: Flight | undefined): void;
}

/** One connection to an origin: at most one call at a time. */
export class Connection implements Rostered, SocketUser, ReplySink {
  place = -1;
  readonly #pool: ConnectionPool;
  readonly #parser: ReplyParser;
  #socket: Socket | undefined;
  #flight: Flight | undefined;
  /** It has served another call before the present one. */
  #reused = false;
  #gone = false;
  /** The tick, in seconds, from which on it is closed if nothing has used it. */
  #idleUntil = Number.POSITIVE_INFINITY;

  constructor(pool: ConnectionPool, flight: Flight) {
    const { limits } = pool;
    this.#pool = pool;
    this.#flight = flight;
    this.#parser = new ReplyParser(this, {
      headBytesMax: limits.replyHeaderBytesMax,
      bodyBytesMax: limits.replyBodyBytesMax,
    });
    flight.connection = this;
  }

  /** Opens it and sends the first call when it is open. */
  open(): void {
    this.#pool.connect(this);
  }

  /** False when it was closed while it lay idle. */
  get usable(): boolean {
    return this.#socket?.writable === true;
  }

  /** Sends on an idle connection. */
  send(flight: Flight): void {
    this.#reused = true;
    this.#flight = flight;
    flight.connection = this;
    this.#socket?.ref();
    this.#write(flight);
  }

  /** Its call was given up. A connection that is still being opened stays, for the next call. */
  abandon(): void {
    this.#flight = undefined;
    if (this.#socket !== undefined) this.destroy();
  }

  /** Holds the reply back until `resume`. */
  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  /** It lies idle from the second `tick` on. */
  rest(tick: number): void {
    const { keepAliveMs } = this.#pool.limits;
    const told = this.#parser.keepAliveSeconds;
    const seconds = told < 0 ? Infinity : told - KEEP_ALIVE_MARGIN_SECONDS;
    this.#idleUntil = tick + Math.min(keepAliveMs / 1000, seconds);
    this.#socket?.unref();
  }

  /** True when it has lain idle for long enough by the second `tick`. */
  isStale(tick: number): boolean {
    return tick >= this.#idleUntil;
  }

  /** Closes it without telling its call. */
  destroy(): void {
    if (this.#gone) return;
    this.#leave(undefined);
    this.#socket?.destroy();
  }

  // The socket's side.

  onOpen(socket: Socket): void {
    this.#socket = socket;
    socket.on("error", (error) => {
      this.#broke(error);
    });
    socket.on("end", () => {
      this.#ended();
    });
    socket.on("close", () => {
      this.#broke(closed());
    });
    const flight = this.#flight;
    if (flight === undefined || flight.over) this.#free();
    else this.#write(flight);
  }

  onOpenFailed(error: Error): void {
    const flight = this.#flight;
    this.#leave(undefined);
    flight?.onBroken(failureOf(error, "CONNECT"));
  }

  onRead(bytes: Buffer, length: number, own: boolean): void {
    if (this.#gone) return;
    if (this.#flight === undefined) {
      // Bytes that nobody asked for.
      this.destroy();
      return;
    }
    try {
      this.#parser.push(bytes, length, own);
    } catch (error) {
      this.#fail(error);
    }
  }

  // The parser's side.

  onHead(httpStatus: number, head: HeaderLines): void {
    const flight = this.#flight;
    if (flight === undefined) return;
    if (httpStatus === TIMED_OUT && !this.#parser.persistent && this.#mayResend(flight)) {
      this.#leave(flight);
      this.#socket?.destroy();
      return;
    }
    flight.onHead(httpStatus, head);
  }

  onLent(piece: Buffer): boolean {
    return this.#flight?.onLent(piece) === true;
  }

  onBody(piece: Buffer): void {
    const flight = this.#flight;
    if (flight === undefined || flight.onData(piece) || this.#gone) return;
    this.pause();
  }

  onReplyEnd(): void {
    const flight = this.#flight;
    const socket = this.#socket;
    // False for a reply that came before all of the request was out: the rest of it must not run into the next request.
    const sent = socket?.writableLength === 0;
    if (flight?.paused === true) this.resume();
    if (this.#mayStay() && sent && this.usable) this.#free();
    else this.destroy();
    flight?.onEnd();
  }

  #write(flight: Flight): void {
    const { request } = flight;
    const head = this.#pool.heads.headOf(request);
    const socket = this.#socket;
    if (socket === undefined) return;
    if (head === undefined) {
      this.#free();
      flight.onBroken({ kind: "UNREACHABLE", detail: "the request holds what HTTP cannot carry" });
      return;
    }
    const { body } = request;
    this.#parser.expect(request.method);
    flight.onSent();
    writeMessage(socket, head, body ?? NO_BYTES);
  }

  #mayStay(): boolean {
    const { persistent, keepAliveSeconds } = this.#parser;
    return persistent && (keepAliveSeconds < 0 || keepAliveSeconds > KEEP_ALIVE_MARGIN_SECONDS);
  }

  #free(): void {
    this.#flight = undefined;
    this.#pool.onFree(this);
  }

  #ended(): void {
    // The end of the connection may be the end of the reply; otherwise the reply broke off.
    if (!this.#parser.end()) this.#broke(closed());
  }

  #broke(error: Error): void {
    if (this.#gone) return;
    const flight = this.#flight;
    const stale = flight !== undefined && this.#mayRetry(flight, error);
    if (flight === undefined || stale) {
      this.#leave(flight);
      this.#socket?.destroy();
      return;
    }
    this.#fail(error);
  }

  #fail(error: unknown): void {
    const flight = this.#flight;
    this.destroy();
    flight?.onBroken(failureOf(error, flight.phase));
  }

  /**
   * A kept connection that the provider closed while our request was on its way, before any byte of a reply:
   * not the provider's failure.
   */
  #mayRetry(flight: Flight, error: Error): boolean {
    const code = "code" in error ? error.code : "";
    return !this.#parser.begun && STALE_CODES.has(String(code)) && this.#mayResend(flight);
  }

  /** True once for a call: the second time it goes out on a fresh connection. */
  #mayResend(flight: Flight): boolean {
    return this.#reused && !flight.over && flight.mayRetry;
  }

  #leave(retry: Flight | undefined): void {
    this.#gone = true;
    this.#flight = undefined;
    this.#parser.stop();
    this.#pool.onGone(this, retry);
  }
}

function closed(): Error {
  return Object.assign(new Error("the connection was closed"), { code: "CLOSED" });
}
