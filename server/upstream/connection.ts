import type { Socket } from "node:net";
import { failureOf } from "./failure.js";
import type { Flight } from "./flight.js";
import type { UpstreamLimits } from "./limits.js";
import type { Connect, SocketUser } from "./connect.js";
import type { HeaderLines } from "../http/header-lines.js";
import { writeMessage } from "../http/write-message.js";
import { ReplyParser, type ReplySink } from "./reply-parser.js";
import { headOf } from "./request-text.js";
import type { Rostered } from "../core/roster.js";

const NO_BYTES = Buffer.alloc(0);
/** A provider that names the time it keeps a connection counts from its own side. */
const KEEP_ALIVE_MARGIN_SECONDS = 1;
/** What a kept connection that its provider has closed fails with. */
const STALE_CODES = new Set(["CLOSED", "ECONNRESET", "EPIPE"]);

/** Said of a kept connection that its provider was closing for it lay idle: the request may be sent on another. */
const TIMED_OUT = 408;

/** Where connections belong. */
export interface ConnectionHome {
  readonly host: string;
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
  readonly #home: ConnectionHome;
  readonly #parser: ReplyParser;
  #socket: Socket | undefined;
  #flight: Flight | undefined;
  /** Has served a call before the present one. */
  #reused = false;
  #gone = false;
  /** The second from which on it is closed if nothing has used it. */
  #idleUntil = Number.POSITIVE_INFINITY;

  constructor(home: ConnectionHome, flight: Flight) {
    const { limits } = home;
    this.#home = home;
    this.#flight = flight;
    this.#parser = new ReplyParser(this, {
      headBytesMax: limits.replyHeaderBytesMax,
      bodyBytesMax: limits.replyBodyBytesMax,
    });
    flight.connection = this;
  }

  /** Opens it and sends the first call when it is open. */
  open(): void {
    this.#home.connect(this);
  }

  /** False when it was closed while nobody looked. */
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

  /** Its call was given up. What is only being opened stays, for the next one. */
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

  /** Lies idle from the second `tick` on. */
  rest(tick: number): void {
    const { keepAliveMs } = this.#home.limits;
    const told = this.#parser.keepAliveSeconds;
    const seconds = told < 0 ? Infinity : told - KEEP_ALIVE_MARGIN_SECONDS;
    this.#idleUntil = tick + Math.min(keepAliveMs / 1000, seconds);
    this.#socket?.unref();
  }

  /** Has lain idle for long enough by the second `tick`. */
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
      // Nobody asked for it.
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

  onBody(piece: Buffer): void {
    const flight = this.#flight;
    if (flight === undefined || flight.onData(piece) || this.#gone) return;
    this.pause();
  }

  onReplyEnd(): void {
    const flight = this.#flight;
    this.#flight = undefined;
    const socket = this.#socket;
    // A reply that came before the request was out: the rest of the request must not reach the next one.
    const sent = socket?.writableLength === 0;
    if (flight?.paused === true) this.resume();
    if (this.#mayStay() && sent && this.usable) this.#free();
    else this.destroy();
    flight?.onEnd();
  }

  #write(flight: Flight): void {
    const { request } = flight;
    const head = headOf(request, this.#home.host);
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
    this.#home.onFree(this);
  }

  #ended(): void {
    // That may be how the reply ends; otherwise it broke off.
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

  /** Once: the second time it goes out on a fresh connection. */
  #mayResend(flight: Flight): boolean {
    return this.#reused && !flight.over && flight.mayRetry;
  }

  #leave(retry: Flight | undefined): void {
    this.#gone = true;
    this.#flight = undefined;
    this.#parser.stop();
    this.#home.onGone(this, retry);
  }
}

function closed(): Error {
  return Object.assign(new Error("the connection was closed"), { code: "CLOSED" });
}
