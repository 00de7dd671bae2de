import type { Clock, Timer } from "./clock.js";

/** Least time between frames that only show new data: at most ten a second. */
const dataIntervalMs = 100;

/** Least time between frames that answer a key, so that typing feels immediate. */
const inputIntervalMs = 33;

/** A frame whose write takes longer than this says that the link cannot keep up. */
const slowWriteMs = 150;

/** A frame must be this quick, several times in a row, before the rate rises again. */
const quickWriteMs = 50;
const quickFramesNeeded = 5;

/** Intervals to fall back to on a slow link, in the order they are tried. */
const slowIntervalsMs = [dataIntervalMs, 500, 1000, 2000] as const;

/**
 * Decides when the screen is drawn. However many changes arrive, a frame shows the newest state
 * and none is queued. Terminal writes block, so the time of a write is the back-pressure sensor.
 */
export class FrameScheduler {
  readonly #clock: Clock;
  readonly #draw: () => number;
  readonly #onRateChange: (intervalMs: number) => void;
  #timer: Timer | undefined;
  #dueAt = Infinity;
  #lastAt = -Infinity;
  #level = 0;
  #quickFrames = 0;
  #held = false;
  #wanted = false;

  constructor(options: {
    readonly clock: Clock;
    /** Draws one frame and returns how long its write took, in milliseconds. */
    readonly draw: () => number;
    readonly onRateChange?: (intervalMs: number) => void;
  }) {
    this.#clock = options.clock;
    this.#draw = options.draw;
    this.#onRateChange = options.onRateChange ?? (() => undefined);
  }

  /** Milliseconds between data frames now; more than 100 says that the link is slow. */
  get intervalMs(): number {
    return slowIntervalsMs[this.#level] ?? dataIntervalMs;
  }

  /** Wants a frame; `input` marks one that answers a key and may come sooner. */
  request(reason: "data" | "input" = "data"): void {
    this.#wanted = true;
    if (this.#held) return;
    const interval = reason === "input" ? inputIntervalMs : this.intervalMs;
    const now = this.#clock.monotonic();
    const dueAt = Math.max(now, this.#lastAt + interval);
    if (dueAt >= this.#dueAt) return;
    this.#timer?.cancel();
    this.#dueAt = dueAt;
    this.#timer = this.#clock.setTimer(() => this.#run(), dueAt - now);
  }

  /** Draws at once, e.g. after a resize. */
  now(): void {
    this.#timer?.cancel();
    this.#run();
  }

  /** Stops drawing until `release`; wishes are remembered. */
  hold(): void {
    this.#held = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#dueAt = Infinity;
  }

  /** Draws again, at once if something changed meanwhile. */
  release(): void {
    if (!this.#held) return;
    this.#held = false;
    if (this.#wanted) this.request("input");
  }

  #run(): void {
    this.#timer = undefined;
    this.#dueAt = Infinity;
    if (this.#held) return;
    this.#wanted = false;
    this.#lastAt = this.#clock.monotonic();
    this.#adapt(this.#draw());
  }

  #adapt(writeMs: number): void {
    const before = this.#level;
    if (writeMs > slowWriteMs) {
      this.#level = Math.min(this.#level + 1, slowIntervalsMs.length - 1);
      this.#quickFrames = 0;
    } else if (writeMs < quickWriteMs && this.#level > 0) {
      this.#quickFrames += 1;
      if (this.#quickFrames >= quickFramesNeeded) {
        this.#level -= 1;
        this.#quickFrames = 0;
      }
    }
    if (this.#level !== before) this.#onRateChange(this.intervalMs);
  }
}
