import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { type ByteCost, FrameCost } from "./frame-cost.js";

/** Error code of HTTP/2 for whoever asks for too much. */
const ENHANCE_YOUR_CALM = 11;
const GOAWAY = 7;
const GOAWAY_BYTES = 8;

/** Decides over what a connection sends. */
export interface FrameGate {
  /** Takes what a chunk costs. The answer says whether the chunk may go on. */
  takes(cost: number): boolean;
  /** How long nothing more is read. */
  readonly waitMs: number;
  /** Calls back after a time. */
  later(work: () => void, ms: number): void;
}

/**
 * The bytes of a connection on their way to Node's protocol code, which acts on each frame or request at once and reads a
 * thousand of them in one go. They are weighed before they get there.
 */
export class MeteredStream extends Duplex {
  readonly #socket: Socket;
  readonly #gate: FrameGate;
  readonly #cost: ByteCost;
  #isPaced = false;

  constructor(socket: Socket, cost: ByteCost, gate: FrameGate) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#cost = cost;
    this.#gate = gate;
    socket.on("timeout", () => this.emit("timeout"));
    socket.once("end", () => this.push(null));
    socket.once("close", () => this.destroy());
  }

  /** Reads on; `first` was read already. */
  begin(first: Buffer): void {
    this.#onData(first);
    this.#socket.on("data", (chunk: Buffer) => this.#onData(chunk));
  }

  /** Tells the other side that it asks for too much, and ends. */
  calm(): void {
    if (this.destroyed) return;
    const socket = this.#socket;
    if (socket.writable && this.#cost instanceof FrameCost) {
      socket.write(goAway(this.#cost.lastStreamId));
      socket.destroySoon();
    }
    socket.removeAllListeners("data");
    this.destroy();
  }

  /** Node's HTTP/1.1 closes a connection that is kept alive too long. */
  setTimeout(ms: number): this {
    this.#socket.setTimeout(ms);
    return this;
  }

  #onData(chunk: Buffer): void {
    if (this.destroyed) return;
    if (!this.#gate.takes(this.#cost.of(chunk))) {
      this.calm();
      return;
    }
    const isWanted = this.push(chunk);
    const { waitMs } = this.#gate;
    if (waitMs > 0) this.#pause(waitMs);
    else if (!isWanted) this.#socket.pause();
  }

  #pause(ms: number): void {
    this.#isPaced = true;
    this.#socket.pause();
    this.#gate.later(() => {
      this.#isPaced = false;
      if (!this.destroyed) this.#socket.resume();
    }, ms);
  }

  override _read(): void {
    if (!this.#isPaced) this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }

  override _writev(
    chunks: { chunk: Buffer; encoding: string }[],
    done: (error?: Error | null) => void,
  ): void {
    this.#socket.cork();
    chunks.forEach(({ chunk }, at) => {
      if (at < chunks.length - 1) this.#socket.write(chunk);
      else this.#socket.write(chunk, done);
    });
    this.#socket.uncork();
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#socket.writableEnded) this.#socket.destroy();
    done(error);
  }
}

/** The frame with which a connection ends. */
function goAway(lastStreamId: number): Buffer {
  const frame = Buffer.alloc(9 + GOAWAY_BYTES);
  frame.writeUIntBE(GOAWAY_BYTES, 0, 3);
  frame[3] = GOAWAY;
  frame.writeUInt32BE(lastStreamId, 9);
  frame.writeUInt32BE(ENHANCE_YOUR_CALM, 13);
  return frame;
}
