import type { Socket } from "node:net";
import type { HeaderBlock } from "../http/header-block.js";
import { flushMessages, SHORT_BYTES_MAX, writeMessage, writeNow } from "../http/write-message.js";
import { type CommonLines, lengthLine, answerHead } from "./answer-head.js";
import type { ParsedRequest } from "./request-head.js";

const NO_BYTES = Buffer.alloc(0);
const NO_PIECES: readonly Buffer[] = [];
const LAST_CHUNK = "0\r\n\r\n";

/** Takes in the body of a request. */
export interface BodySink {
  /** A piece. `own`: the sink may keep it; otherwise it is there during this call only. */
  onBody(piece: Buffer, own: boolean): void;
  onBodyEnd(): void;
}

/** Hears what the caller does while its answer is being made. */
export interface TurnListener {
  /** The connection is gone, and whatever is written goes nowhere. `unread`: it was closed because too much was left unread. */
  callerLeft(unread: boolean): void;
  /** The rest of the request is not acceptable, as the caller has just been told with this status. */
  requestRefused(httpStatus: number, reason: string): void;
  /** The caller is slower than what is written; `onDrained` follows. */
  onFull(): void;
  /** The caller can take more again. */
  onDrained(): void;
}

/** What a turn needs of its connection. */
export interface TurnConnection {
  readonly socket: Socket;
  readonly common: CommonLines;
  /** All of the request has come, so another one may follow on the connection. */
  readonly requestInHand: boolean;
  /** No more requests are taken. */
  readonly draining: boolean;
  /** What was written may be more than the caller takes at once. */
  onMuchWritten(): void;
  /** The answer that begins has no other end than that of the connection. */
  onUnframed(): void;
  /** The answer is written; `closes`: its head said that the connection ends with it. */
  onAnswered(turn: Turn, closes: boolean): void;
  /** Closes the connection in the midst of the answer. */
  breakOff(): void;
}

/** How the body of an answer is framed. */
type Framing = "LENGTH" | "CHUNKED" | "UNTIL_CLOSE";

/** One request on a connection and the answer to it. What is written after the answer's end is passed over. */
export class Turn {
  listener: TurnListener | undefined;
  /** Further header lines of its answer, whatever that is, each with its CR LF; undefined for none. */
  moreLines: ((headers: HeaderBlock) => string) | undefined;
  /** Of the body of the request, in bytes; -1 where its head does not say. */
  readonly contentLength: number;
  /** The request has a body whose length shows when it has come. */
  readonly chunked: boolean;
  readonly #connection: TurnConnection;
  #bodyless: boolean;
  readonly #minor: 0 | 1;
  readonly #expectsContinue: boolean;
  #closes: boolean;
  #sink: BodySink | undefined;
  #begun = false;
  #over = false;
  #framing: Framing = "LENGTH";
  /** Bytes that are still due of a body whose length the head said. */
  #left = 0;
  /** A head that leaves with the first piece of its body. */
  #head = "";
  #pending: Buffer[] | undefined;
  #pendingBytes = 0;

  constructor(connection: TurnConnection, request: ParsedRequest, contentLength: number) {
    this.#connection = connection;
    this.contentLength = contentLength;
    this.chunked = request.lines.chunked;
    this.#minor = request.minor;
    this.#bodyless = request.method === "HEAD";
    this.#closes = !request.lines.persistent;
    this.#expectsContinue = request.lines.expectation === "100-continue" && request.minor === 1;
  }

  /** The head of an answer was written, or is about to be. */
  get begun(): boolean {
    return this.#begun;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Nothing of what was written is in memory any more: the system has it all. */
  get holdsNothing(): boolean {
    return this.#pendingBytes === 0 && this.#connection.socket.writableLength === 0;
  }

  // The request.

  /**
   * Has the body read into a sink; without one it is skipped. Sends `100 Continue` to a caller that waits for it.
   * Called once.
   */
  readBody(sink: BodySink): void {
    this.#sink = sink;
    if (!this.#expectsContinue) return;
    flushMessages();
    this.#connection.socket.write("HTTP/1.1 100 Continue\r\n\r\n", "latin1");
  }

  onBody(piece: Buffer, own: boolean): void {
    if (!this.#over) this.#sink?.onBody(piece, own);
  }

  onBodyEnd(): void {
    const sink = this.#sink;
    this.#sink = undefined;
    if (!this.#over) sink?.onBodyEnd();
  }

  /** The connection is gone. `unread`: it was closed because its caller left too much unread. */
  onGone(unread: boolean): void {
    if (this.#over) return;
    this.#over = true;
    this.listener?.callerLeft(unread);
  }

  /** The caller was told that the rest of its request is not acceptable, and that ends the turn. */
  onRefused(httpStatus: number, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.listener?.requestRefused(httpStatus, reason);
  }

  // The answer.

  /** The connection ends with this answer, and no further request on it is read. */
  closeAfter(): void {
    this.#closes = true;
  }

  /** Answers with a whole body. Throws TypeError for headers that cannot be sent. */
  whole(httpStatus: number, headers: HeaderBlock, body: Buffer | string): void {
    if (this.#begun || this.#over) return;
    const bytes = typeof body === "string" ? Buffer.from(body) : body;
    const framing = endsWithHead(httpStatus) ? "" : lengthLine(bytes.length);
    const head = this.#headText(httpStatus, headers, framing);
    this.#begun = true;
    writeMessage(this.#connection.socket, head, this.#bodyless ? NO_BYTES : bytes);
    if (bytes.length > SHORT_BYTES_MAX) this.#connection.onMuchWritten();
    this.#answered();
  }

  /**
   * Begins an answer whose body follows in pieces; it leaves with the first of them, or on `flushHead`. `length`:
   * bytes of the body; undefined where only its end will show. Throws TypeError for headers that cannot be sent.
   */
  begin(httpStatus: number, headers: HeaderBlock, length: number | undefined): void {
    if (this.#begun || this.#over) return;
    if (endsWithHead(httpStatus)) this.#bodyless = true;
    else if (length !== undefined) this.#left = length;
    else this.#framing = this.#minor === 1 ? "CHUNKED" : "UNTIL_CLOSE";
    if (this.#framing === "UNTIL_CLOSE") {
      this.#closes = true;
      this.#connection.onUnframed();
    }
    const unsized = this.#framing === "CHUNKED" ? "transfer-encoding: chunked\r\n" : "";
    const framing = length === undefined ? unsized : lengthLine(length);
    this.#head = this.#headText(httpStatus, headers, framing);
    this.#begun = true;
  }

  flushHead(): void {
    if (this.#over || this.#head === "") return;
    flushMessages();
    this.#connection.socket.write(this.#head, "latin1");
    this.#head = "";
  }

  /** Writes a piece of the body; all that is written within one tick leaves in one write. */
  write(piece: Buffer): void {
    if (this.#over || piece.length === 0) return;
    if (this.#pending === undefined) {
      // Mostly it stays the only one, and a list that grows takes room for many.
      this.#pending = [piece];
      process.nextTick(flushLater, this);
    } else this.#pending.push(piece);
    this.#pendingBytes += piece.length;
  }

  /**
   * Ends an answer that was begun. One that is shorter than its head says is broken off instead. So is one without a
   * head, for which the caller would wait for ever.
   */
  end(last?: Buffer): void {
    if (this.#over) return;
    if (!this.#begun) {
      this.breakOff();
      return;
    }
    if (last !== undefined && last.length > 0) this.write(last);
    this.#left -= this.#pendingBytes;
    if (this.#framing === "LENGTH" && this.#left !== 0 && !this.#bodyless) {
      this.breakOff();
      return;
    }
    this.#flush(this.#framing === "CHUNKED" ? LAST_CHUNK : "");
    this.#answered();
  }

  /** Closes the connection in the middle of the answer, so that the answer cannot be taken for a whole one. */
  breakOff(): void {
    if (this.#over) return;
    this.#over = true;
    this.#connection.breakOff();
  }

  /** Sends what was written in this tick; called at its end. */
  flushOnTick(): void {
    if (this.#over || this.#pendingBytes === 0) return;
    this.#left -= this.#pendingBytes;
    this.#flush("");
    const { writableNeedDrain, writableLength } = this.#connection.socket;
    // A caller that takes everything at once is not slow, however much it is.
    if (writableNeedDrain && writableLength > 0) this.listener?.onFull();
  }

  #flush(tail: string): void {
    const pending = this.#pending ?? NO_PIECES;
    const bytes = this.#pendingBytes;
    const chunked = this.#framing === "CHUNKED" && bytes > 0 && !this.#bodyless;
    const before = chunked ? `${this.#head}${bytes.toString(16)}\r\n` : this.#head;
    const behind = chunked ? `\r\n${tail}` : tail;
    this.#head = "";
    this.#pending = undefined;
    this.#pendingBytes = 0;
    const { socket } = this.#connection;
    if (this.#bodyless) writeNow(socket, before, NO_PIECES, "");
    else writeNow(socket, before, pending, behind);
    if (bytes > SHORT_BYTES_MAX) this.#connection.onMuchWritten();
  }

  #headText(httpStatus: number, headers: HeaderBlock, framing: string): string {
    const { common, requestInHand, draining } = this.#connection;
    this.#closes ||= !requestInHand || draining;
    const more = this.moreLines?.(headers) ?? "";
    return answerHead(httpStatus, headers, more + framing, { common, closes: this.#closes });
  }

  #answered(): void {
    this.#over = true;
    this.#sink = undefined;
    this.#connection.onAnswered(this, this.#closes);
  }
}

/** True for statuses without a body: any byte after the head would be taken for the next reply. */
function endsWithHead(httpStatus: number): boolean {
  return httpStatus === 204 || httpStatus === 304;
}

function flushLater(turn: Turn): void {
  turn.flushOnTick();
}
