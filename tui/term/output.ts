import { EventEmitter } from "node:events";
import type { Clock } from "./clock.js";

/** What the terminal layer needs of standard output, or of a stream that stands for it. */
export interface TerminalOutput {
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): boolean;
  on(event: "resize" | "drain", listener: () => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  off(event: "resize" | "drain", listener: () => void): unknown;
  off(event: "error", listener: (error: Error) => void): unknown;
}

/** Errors that mean there is no terminal any more, e.g. after the SSH session was cut. */
const GONE = new Set(["EIO", "EPIPE", "EBADF", "ENXIO", "ERR_STREAM_DESTROYED"]);

/** True for an error that says the terminal itself is gone. */
export function isTerminalGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && GONE.has(String(error.code));
}

/**
 * Stands between blessed and the real output: measures writes, stops writing to a dead terminal
 * and tells blessed of a new size only when the terminal layer has settled on it.
 */
export class ScreenOutput extends EventEmitter {
  readonly isTTY = true;
  writable = true;
  columns: number;
  rows: number;
  /** Milliseconds spent in writes since `takeWriteMs` was last called. */
  #writeMs = 0;
  #blocked = false;
  readonly #target: TerminalOutput;
  readonly #clock: Clock;
  readonly #onGone: (error: Error) => void;
  readonly #onDrain = (): void => {
    this.#blocked = false;
    this.emit("drain");
  };
  readonly #onError = (error: Error): void => this.#fail(error);

  constructor(options: {
    readonly target: TerminalOutput;
    readonly clock: Clock;
    readonly onGone: (error: Error) => void;
  }) {
    super();
    this.#target = options.target;
    this.#clock = options.clock;
    this.#onGone = options.onGone;
    this.columns = options.target.columns ?? 80;
    this.rows = options.target.rows ?? 24;
    this.#target.on("drain", this.#onDrain);
    this.#target.on("error", this.#onError);
  }

  /** True while the stream has more than it can take; frames wait for `drain`. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /** Writes at once and counts the time it took. */
  write(text: string): boolean {
    if (!this.writable) return false;
    const start = this.#clock.monotonic();
    try {
      this.#blocked = !this.#target.write(text);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
    this.#writeMs += this.#clock.monotonic() - start;
    return !this.#blocked;
  }

  /** Time spent in writes since the last call, in milliseconds. */
  takeWriteMs(): number {
    const spent = this.#writeMs;
    this.#writeMs = 0;
    return spent;
  }

  /** Tells blessed the size it must draw from now on. */
  resizeTo(columns: number, rows: number): void {
    this.columns = columns;
    this.rows = rows;
    this.emit("resize");
  }

  /** Leaves the real output alone. The error listener stays: a late EIO must not crash. */
  detach(): void {
    this.#target.off("drain", this.#onDrain);
  }

  #fail(error: Error): void {
    if (!this.writable) return;
    if (!isTerminalGone(error)) throw error;
    this.writable = false;
    this.#onGone(error);
  }
}
