import type { Socket } from "node:net";
import type { Holder } from "../core/client-key.js";
import type { Clock, Timer } from "../core/clock.js";
import { LastKey } from "../core/presented-key.js";
import type { Rostered } from "../core/roster.js";
import { FramingError, type FramingProblem } from "../http/framing-error.js";
import type { HeaderBlock } from "../http/header-block.js";
import { flushMessages, writeMessage } from "../http/write-message.js";
import type { CallerLimits } from "./limits.js";
import { type CommonLines, lengthLine, replyHeadText } from "./reply-text.js";
import type { ParsedRequest } from "./request-head.js";
import { readFrom } from "./socket-reads.js";
import { RequestParser, type RequestSink } from "./request-parser.js";
import { Turn, type TurnHome } from "./turn.js";
import type { UnreadAnswer, UnreadAnswers } from "./unread-answers.js";

/** What a request that is none can be; LATE: it took too long to arrive. */
export type BadRequest = FramingProblem | "LATE";

/** An answer of ours, with what its head says besides the length. */
export interface WholeAnswer {
  readonly httpStatus: number;
  readonly headers: HeaderBlock;
  readonly body: string;
}

/** Takes what callers ask. */
export interface CallerHandler {
  /** A request, whose head holds during this call only; it is answered through the turn, now or later. */
  onTurn(connection: CallerConnection, turn: Turn, request: ParsedRequest): void;
  /** How to tell a caller that what it sent is no request. */
  refusal(problem: BadRequest, reason: string): WholeAnswer;
}

/** Where connections belong. */
export interface CallerHome {
  readonly limits: CallerLimits;
  readonly handler: CallerHandler;
  readonly common: CommonLines;
  /** No more requests are taken. */
  readonly draining: boolean;
  readonly clock: Clock;
  readonly unread: UnreadAnswers;
  onGone(connection: CallerConnection): void;
  /** Too much is unread, and the connection is closed for it. */
  onUnread(connection: CallerConnection): void;
}

/** Requests that a caller sends before it has its answer are kept up to here; then nothing more is read. */
const HELD_BYTES_MAX = 64 * 1024;
/**
 * Nothing is read for so long at most, for it is reading that shows when the caller leaves: then what was sent ahead
 * is given up, and the connection ends with the present answer.
 */
const UNREAD_MS_MAX = 1_000;

/**
 * LINGERING: the last answer is written, and what still comes is read and thrown away. Closing a connection
 * on which bytes arrive resets it, and the reset can overtake the answer.
 */
type State = "OPEN" | "LINGERING" | "GONE";

/** One connection of a caller. Its requests are read and answered one after the other. */
export class CallerConnection implements Rostered, RequestSink, TurnHome, UnreadAnswer {
  place = -1;
  readonly socket: Socket;
  /** Of the other end. */
  readonly ip: string;
  /** The other end is a trusted proxy, which says whose calls it brings. */
  readonly isProxy: boolean;
  /** It speaks TLS. */
  readonly secure: boolean;
  /** Whose call it brought last; the address as long as that is not known. */
  holder: Holder;
  /** For whoever asks who calls. */
  readonly lastKey = new LastKey();
  readonly #home: CallerHome;
  readonly #parser: RequestParser;
  #state: State = "OPEN";
  #turn: Turn | undefined;
  /** Of the turn. */
  #answered = false;
  #requestEnded = false;
  /** Bytes behind the request that is being answered. */
  #held: Buffer | undefined;
  /** Runs while nothing is read, for too much is held. */
  #patience: Timer | undefined;
  /** What still comes is thrown away. */
  #deaf = false;
  /** It was closed for what was left unread. */
  #unread = false;
  #reading = false;
  /** What is held is read in the next turn of the event loop. */
  #readsOn = false;
  /** A request has begun, and the time that it may take is running. */
  #counting = false;
  #sinceMs: number;
  /** How long it may wait for what it waits for. */
  #waitMs: number;
  /** Bytes read and written, and since when they are so many. */
  #movedBytes = 0;
  #movedAtMs: number;

  constructor(home: CallerHome, socket: Socket, from: { ip: string; isProxy: boolean }) {
    const { limits } = home;
    this.#home = home;
    this.socket = socket;
    this.ip = from.ip;
    this.holder = { ownerId: from.ip, clientKey: { id: from.ip } };
    this.isProxy = from.isProxy;
    this.secure = "encrypted" in socket;
    this.#parser = new RequestParser(this, limits.headerBytesMax);
    this.#sinceMs = home.clock.monotonic();
    this.#waitMs = limits.headTimeoutMs;
    this.#movedAtMs = this.#sinceMs;
    readFrom(socket, (bytes) => {
      this.#onData(bytes);
    });
    socket.on("drain", () => {
      home.unread.delete(this);
      if (this.#turn === undefined) this.#readHeld();
      else this.#turn.listener?.onDrained();
    });
    socket.on("end", () => {
      // A caller that waits for an answer keeps its side open.
      if (this.#turn !== undefined) socket.destroy();
    });
    // What it means is said by the close that follows.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.#state = "GONE";
      this.#letHeldGo();
      home.unread.delete(this);
      this.#turn?.onGone(this.#unread);
      home.onGone(this);
    });
  }

  get common(): CommonLines {
    return this.#home.common;
  }

  get draining(): boolean {
    return this.#home.draining;
  }

  get requestInHand(): boolean {
    return this.#parser.requestInHand;
  }

  /** Nothing is asked, and nothing is on its way out. */
  get idle(): boolean {
    return this.#turn === undefined && !this.#parser.midRequest && this.socket.writableLength === 0;
  }

  /** Ends what has waited for too long at `nowMs`. */
  check(nowMs: number): void {
    if (this.#isStill(nowMs)) this.socket.destroy();
    if (nowMs - this.#sinceMs < this.#waitMs) return;
    if (this.#state === "LINGERING") this.socket.destroy();
    else if (this.#parser.midRequest) this.#refuse("LATE", "it took too long to arrive");
    else if (this.idle) this.socket.destroy();
  }

  /** Nothing has moved either way for too long. */
  #isStill(nowMs: number): boolean {
    const moved = this.socket.bytesRead + this.socket.bytesWritten;
    if (moved !== this.#movedBytes) {
      this.#movedBytes = moved;
      this.#movedAtMs = nowMs;
    }
    return nowMs - this.#movedAtMs >= this.#home.limits.callerIdleMs;
  }

  // The socket's side.

  #onData(chunk: Buffer): void {
    if (this.#deaf) return;
    const held = this.#held;
    if (held !== undefined) this.#letHeldGo();
    this.#read(held === undefined ? chunk : Buffer.concat([held, chunk]));
  }

  /** Reads one request at most: those behind it wait until all other connections had their turn. */
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
    else if (this.#parser.midRequest) this.#count(this.#home.limits.headTimeoutMs);
  }

  #takesMore(): boolean {
    if (this.#state !== "OPEN") return false;
    if (this.#parser.midRequest) return true;
    return this.#turn === undefined && !this.socket.writableNeedDrain;
  }

  #hold(bytes: Buffer): void {
    this.#held = bytes;
    // The one before was answered at once.
    if (this.#turn === undefined) this.#readLater();
    if (bytes.length <= HELD_BYTES_MAX) return;
    this.socket.pause();
    this.#patience = this.#home.clock.setTimer(() => {
      this.#giveUpHeld();
    }, UNREAD_MS_MAX);
  }

  #giveUpHeld(): void {
    // Without one, what is held waits for the caller to read its answers.
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

  /** A request that is not whole yet may take so long, from its first byte on. */
  #count(waitMs: number): void {
    if (this.#counting) return;
    this.#counting = true;
    this.#waitFor(waitMs);
  }

  #waitFor(waitMs: number): void {
    this.#sinceMs = this.#home.clock.monotonic();
    this.#waitMs = waitMs;
  }

  // The parser's side.

  onRequest(request: ParsedRequest): void {
    const turn = new Turn(this, request);
    this.#turn = turn;
    this.#answered = false;
    this.#requestEnded = false;
    if (!this.requestInHand) {
      const { requestTimeoutMs } = this.#home.limits;
      this.#count(requestTimeoutMs);
      this.#waitMs = requestTimeoutMs;
    }
    this.#home.handler.onTurn(this, turn, request);
  }

  onBody(piece: Buffer): void {
    this.#turn?.onBody(piece);
  }

  onRequestEnd(): void {
    const turn = this.#turn;
    this.#requestEnded = true;
    if (turn === undefined) return;
    turn.onBodyEnd();
    if (this.#turn === turn && this.#answered) this.#next();
  }

  // The turn's side.

  onMuchWritten(): void {
    const { writableLength, writableNeedDrain } = this.socket;
    // Only what waits to be drained is taken back when it has left.
    if (writableLength > 0 && writableNeedDrain) this.#home.unread.set(this, writableLength);
  }

  giveUp(): void {
    this.#unread = true;
    this.#home.onUnread(this);
    this.socket.destroy();
  }

  onAnswered(turn: Turn, closes: boolean): void {
    if (this.#turn !== turn || this.#state !== "OPEN") return;
    this.#answered = true;
    if (closes) this.#shut(this.#home.limits.requestTimeoutMs);
    else if (this.#requestEnded) this.#next();
  }

  #next(): void {
    this.#turn = undefined;
    this.#counting = false;
    this.#waitFor(this.#home.limits.keepAliveMs);
    // Not at once: whoever wrote the answer is not done yet.
    if (this.#held !== undefined && !this.#reading) this.#readLater();
  }

  #readLater(): void {
    if (this.#readsOn) return;
    this.#readsOn = true;
    setImmediate(readOn, this);
  }

  /** From the next turn of the event loop. */
  readOn(): void {
    this.#readsOn = false;
    this.#readHeld();
  }

  /** Ends our side, and takes what still comes for so long at most. */
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

  /** Says what is wrong with what was sent, where that can still be said, and takes nothing more. */
  #refuse(problem: BadRequest, reason: string): void {
    const turn = this.#turn;
    const { socket } = this;
    if (this.#state !== "OPEN" || turn?.begun === true || !socket.writable) {
      socket.destroy();
      return;
    }
    const { httpStatus, headers, body } = this.#home.handler.refusal(problem, reason);
    const bytes = Buffer.from(body);
    const lines = { common: this.common, closes: true };
    const head = replyHeadText(httpStatus, headers, lengthLine(bytes.length), lines);
    writeMessage(socket, head, bytes);
    this.#shut(this.#home.limits.headTimeoutMs);
    turn?.onGone(false);
  }
}

function readOn(connection: CallerConnection): void {
  connection.readOn();
}
