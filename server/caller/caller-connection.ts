import type { Socket } from "node:net";
import type { Holder } from "../core/client-key.js";
import type { Clock, Timer } from "../core/clock.js";
import { LastKey } from "../core/presented-key.js";
import type { Rostered } from "../core/roster.js";
import { FramingError, type FramingProblem } from "../http/framing-error.js";
import type { HeaderBlock } from "../http/header-block.js";
import { flushMessages, writeMessage } from "../http/write-message.js";
import type { CallerLimits } from "./limits.js";
import { type CommonLines, lengthLine, answerHead } from "./answer-head.js";
import type { ParsedRequest } from "./request-head.js";
import type { KnownHeads } from "./known-head.js";
import { readFrom, type SocketReader } from "./socket-reads.js";
import { RequestParser, type RequestSink } from "./request-parser.js";
import { Turn, type TurnConnection } from "./turn.js";
import type { UnreadAnswer, UnreadAnswers } from "./unread-answers.js";

/** What can be wrong with the bytes of a request; LATE: they took too long to arrive. */
export type BadRequest = FramingProblem | "LATE";

/** An answer of our own; its headers are without those of the length and the connection. */
export interface WholeAnswer {
  readonly httpStatus: number;
  readonly headers: HeaderBlock;
  readonly body: string;
}

/** Takes the requests of callers. */
export interface CallerHandler {
  /**
   * A request, whose head holds during this call only; it is answered through the turn, now or later. What is set as its
   * meaning is there again when the connection brings the same head once more.
   */
  onTurn(connection: CallerConnection, turn: Turn, request: ParsedRequest): void;
  /** The answer that tells a caller that what it sent is no acceptable request. */
  refusal(problem: BadRequest, reason: string): WholeAnswer;
}

/** What a connection needs of the server that it belongs to. */
export interface ConnectionServer {
  readonly limits: CallerLimits;
  readonly handler: CallerHandler;
  readonly common: CommonLines;
  readonly heads: KnownHeads;
  /** No more requests are taken. */
  readonly draining: boolean;
  readonly clock: Clock;
  readonly unread: UnreadAnswers;
  onGone(connection: CallerConnection): void;
  /** The connection is closed because its caller left too much unread. */
  onUnread(connection: CallerConnection): void;
}

/** Bytes that are kept of requests sent before the present one is answered; beyond them nothing more is read. */
const HELD_BYTES_MAX = 64 * 1024;
/**
 * For how long at most nothing is read, because only reading shows that the caller has left. After that what was sent
 * ahead is given up, and the connection ends with the present answer.
 */
const UNREAD_MS_MAX = 1_000;

/**
 * LINGERING: the last answer is written, and what still comes is read and thrown away. Closing a connection
 * on which bytes arrive resets it, and the reset can overtake the answer.
 */
type State = "OPEN" | "LINGERING" | "GONE";

/** One connection of a caller. Its requests are read and answered one after the other. */
export class CallerConnection
  implements Rostered, SocketReader, RequestSink, TurnConnection, UnreadAnswer
{
  place = -1;
  readonly socket: Socket;
  /** Address of the other end. */
  readonly ip: string;
  readonly serial: number;
  /** The other end is a trusted proxy, which says whose calls it brings. */
  readonly isProxy: boolean;
  /** The connection speaks TLS. */
  readonly secure: boolean;
  /** Whose call it brought last; until that is known, the caller's address. */
  holder: Holder;
  /** The key that its last request presented. */
  readonly lastKey = new LastKey();
  readonly #server: ConnectionServer;
  readonly #parser: RequestParser;
  #state: State = "OPEN";
  #turn: Turn | undefined;
  /** To its caller the end of the connection is the end of the answer. */
  #unframed = false;
  /** Bytes after the request that is being answered. */
  #held: Buffer | undefined;
  /** Runs while nothing is read because too much is held. */
  #patience: Timer | undefined;
  /** Whatever comes now is thrown away. */
  #deaf = false;
  /** It was closed because its caller left too much unread. */
  #unread = false;
  #reading = false;
  /** What is held will be read in the next turn of the event loop. */
  #readsOn = false;
  /** A request has begun to arrive, and the time that it may take is running. */
  #timed = false;
  #sinceMs: number;
  /** How long it may wait, from `#sinceMs` on, for what it waits for. */
  #waitMs: number;
  /** Bytes read and written when last looked at, and since when there are so many. */
  #movedBytes = 0;
  #movedAtMs: number;

  constructor(
    server: ConnectionServer,
    socket: Socket,
    from: { ip: string; isProxy: boolean; serial: number },
  ) {
    const { limits } = server;
    this.#server = server;
    this.socket = socket;
    this.ip = from.ip;
    this.serial = from.serial;
    this.holder = { ownerId: from.ip, clientKey: { id: from.ip } };
    this.isProxy = from.isProxy;
    this.secure = "encrypted" in socket;
    this.#parser = new RequestParser(this, limits.headerBytesMax, server.heads);
    this.#sinceMs = server.clock.monotonic();
    this.#waitMs = limits.headTimeoutMs;
    this.#movedAtMs = this.#sinceMs;
    readFrom(socket, this);
    socket.on("drain", () => {
      server.unread.delete(this);
      if (this.#turn === undefined) this.#readHeld();
      else this.#turn.listener?.onDrained();
    });
    socket.on("end", () => {
      // A caller that waits for an answer keeps its side open.
      if (this.#turn !== undefined) this.breakOff();
      else if (this.#state === "OPEN") this.#shut(limits.headTimeoutMs);
    });
    // What it means is said by the close that follows.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#state = "GONE";
      this.#letHeldGo();
      server.unread.delete(this);
      this.#turn?.onGone(this.#unread);
      server.onGone(this);
    });
  }

  get common(): CommonLines {
    return this.#server.common;
  }

  get draining(): boolean {
    return this.#server.draining;
  }

  get requestInHand(): boolean {
    return this.#parser.requestInHand;
  }

  /** Nobody has shown a good key over it. */
  get isStranger(): boolean {
    return !this.isProxy && this.holder.ownerId === this.ip;
  }

  /** No request is under way, and no answer is on its way out. */
  get idle(): boolean {
    return this.#turn === undefined && !this.#parser.midRequest && this.socket.writableLength === 0;
  }

  /** Since when it is without a request, by the monotonic clock; only for one that is idle. */
  get idleSinceMs(): number {
    return this.#sinceMs;
  }

  /** Ends what has waited for too long at `nowMs`. */
  check(nowMs: number): void {
    if (this.#isStill(nowMs)) this.breakOff();
    if (nowMs - this.#sinceMs < this.#waitMs) return;
    if (this.#state === "LINGERING") this.breakOff();
    else if (this.#parser.midRequest) this.#refuse("LATE", "it took too long to arrive");
    else if (this.idle) this.socket.destroy();
  }

  /** True when no byte has moved either way for too long. */
  #isStill(nowMs: number): boolean {
    const moved = this.socket.bytesRead + this.socket.bytesWritten;
    if (moved !== this.#movedBytes) {
      this.#movedBytes = moved;
      this.#movedAtMs = nowMs;
    }
    return nowMs - this.#movedAtMs >= this.#server.limits.callerIdleMs;
  }

  // The socket's side.

  onLent(bytes: Buffer, length: number): boolean {
    // What is thrown away is not copied first.
    if (this.#deaf || this.#state !== "OPEN") return true;
    return this.#held === undefined && this.#parser.pushLent(bytes, length);
  }

  onRead(chunk: Buffer): void {
    if (this.#deaf) return;
    const held = this.#held;
    if (held !== undefined) this.#letHeldGo();
    this.#read(held === undefined ? chunk : Buffer.concat([held, chunk]));
  }

  /** Reads one request at most: further ones wait until all other connections have had their turn. */
  #read(bytes: Buffer): void {
    let at = 0;
    this.#reading = true;
    try {
      if (this.#takesMore()) at = this.#parser.push(bytes, 0);
    } catch (error) {
      if (!(error instanceof FramingError)) throw error;
      this.#refuse(error.problem, error.message);
    } finally {
      this.#reading = false;
    }
    if (this.#state !== "OPEN") return;
    if (at < bytes.length) this.#hold(bytes.subarray(at));
    else if (this.#parser.midRequest) this.#timeRequest(this.#server.limits.headTimeoutMs);
  }

  #takesMore(): boolean {
    if (this.#state !== "OPEN") return false;
    if (this.#parser.midRequest) return true;
    return this.#turn === undefined && !this.socket.writableNeedDrain;
  }

  #hold(bytes: Buffer): void {
    this.#held = bytes;
    // The request before was answered at once, so nothing else will read on.
    if (this.#turn === undefined) this.#readLater();
    if (bytes.length <= HELD_BYTES_MAX) return;
    this.socket.pause();
    this.#patience = this.#server.clock.setTimer(() => {
      this.#giveUpHeld();
    }, UNREAD_MS_MAX);
  }

  #giveUpHeld(): void {
    // Without a turn, what is held waits only for the caller to read its answers.
    if (this.#turn === undefined) return;
    this.#turn.closeAfter();
    this.#deaf = true;
    this.#letHeldGo();
    this.socket.resume();
  }

  #readHeld(): void {
    const held = this.#held;
    if (held === undefined || !this.#takesMore()) return;
    this.#letHeldGo();
    this.socket.resume();
    this.#read(held);
  }

  #letHeldGo(): void {
    this.#held = undefined;
    this.#patience?.cancel();
    this.#patience = undefined;
  }

  /** Lets a request that is not whole yet take this long, from its first byte on. */
  #timeRequest(waitMs: number): void {
    if (this.#timed) return;
    this.#timed = true;
    this.#waitFor(waitMs);
  }

  #waitFor(waitMs: number): void {
    this.#sinceMs = this.#server.clock.monotonic();
    this.#waitMs = waitMs;
  }

  // The parser's side.

  onRequest(request: ParsedRequest, contentLength: number): void {
    const turn = new Turn(this, request, contentLength);
    this.#turn = turn;
    if (!this.requestInHand) {
      const { requestTimeoutMs } = this.#server.limits;
      this.#timeRequest(requestTimeoutMs);
      this.#waitMs = requestTimeoutMs;
    }
    this.#server.handler.onTurn(this, turn, request);
  }

  onBody(piece: Buffer, own: boolean): void {
    this.#turn?.onBody(piece, own);
  }

  onRequestEnd(): void {
    this.#turn?.onBodyEnd();
  }

  // The turn's side.

  onMuchWritten(): void {
    const { writableLength, writableNeedDrain } = this.socket;
    // Without a drain to come, nothing would take the entry back when the bytes have left.
    if (writableLength > 0 && writableNeedDrain) this.#server.unread.set(this, writableLength);
  }

  giveUp(): void {
    this.#unread = true;
    this.#server.onUnread(this);
    this.breakOff();
  }

  onUnframed(): void {
    this.#unframed = true;
  }

  /**
   * Closes it, with whatever has not left. What has no other end must not look whole: it ends with a reset. TLS cannot be
   * reset; there the missing closing message says the same.
   */
  breakOff(): void {
    const { socket } = this;
    const isCut = this.#turn !== undefined || socket.writableLength > 0;
    if (this.#unframed && isCut && !this.secure) socket.resetAndDestroy();
    else socket.destroy();
  }

  onAnswered(turn: Turn, closes: boolean): void {
    if (this.#turn !== turn || this.#state !== "OPEN") return;
    if (closes) this.#shut(this.#server.limits.requestTimeoutMs);
    // Only an answer to a request that is here whole leaves the connection open.
    else this.#next();
  }

  #next(): void {
    this.#turn = undefined;
    this.#timed = false;
    this.#waitFor(this.#server.limits.keepAliveMs);
    // Not at once: the code that wrote the answer is still running.
    if (this.#held !== undefined && !this.#reading) this.#readLater();
  }

  #readLater(): void {
    if (this.#readsOn) return;
    this.#readsOn = true;
    setImmediate(readOn, this);
  }

  /** Reads what is held; called in the next turn of the event loop. */
  readOn(): void {
    this.#readsOn = false;
    this.#readHeld();
  }

  /** Ends our side of the connection, and throws away what still comes, for `waitMs` at most. */
  #shut(waitMs: number): void {
    const complete = !this.#parser.midRequest && this.#held === undefined && !this.#deaf;
    this.#turn = undefined;
    this.#letHeldGo();
    this.#state = "LINGERING";
    this.#waitFor(waitMs);
    flushMessages();
    if (complete) this.socket.destroySoon();
    else {
      this.socket.end();
      this.socket.resume();
    }
  }

  /** Tells the caller what is wrong with what it sent, where that can still be told, and takes nothing more. */
  #refuse(problem: BadRequest, reason: string): void {
    const turn = this.#turn;
    const { socket } = this;
    if (this.#state !== "OPEN" || turn?.begun === true || !socket.writable) {
      this.breakOff();
      return;
    }
    const { httpStatus, headers, body } = this.#server.handler.refusal(problem, reason);
    const bytes = Buffer.from(body);
    const lines = { common: this.common, closes: true };
    const head = answerHead(httpStatus, headers, lengthLine(bytes.length), lines);
    writeMessage(socket, head, bytes);
    this.#shut(this.#server.limits.headTimeoutMs);
    turn?.onRefused(httpStatus, reason);
  }
}

function readOn(connection: CallerConnection): void {
  connection.readOn();
}
