import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { FrameCost } from "./frame-cost.js";

/** Error code of HTTP/2 for whoever asks for too much. */
const ENHANCE_YOUR_CALM = 11;
const GOAWAY = 7;
const GOAWAY_BYTES = 8;

/** Decides over what a connection sends. */
export interface FrameGate {
  /** Takes what the frames of a chunk cost. The answer says whether the chunk may go on. */
  takes(cost: number): boolean;
  /** How long nothing more is read. */
  readonly waitMs: number;
  /** Calls back after a time. */
  later(work: () => void, ms: number): void;
}

/**
 * The bytes of an HTTP/2 connection on their way to Node's protocol code, which acts on each frame at once and reads a
 * thousand of them in one go. Frames are weighed before they get there.
 */
export class MeteredStream extends Duplex {
  readonly #socket: Socket;
  readonly #gate: FrameGate;
  readonly #cost = new FrameCost();
  #isPaced = false;

  constructor(socket: Socket, gate: FrameGate) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#gate = gate;
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
    if (socket.writable) {
      socket.write(goAway(this.#cost.lastStreamId));
      socket.destroySoon();
    }
    socket.removeAllListeners("data");
    this.destroy();
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
