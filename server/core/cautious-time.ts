import type { Clock } from "./clock.js";
import { DAY_MS, HOUR_MS } from "./durations.js";

/** A clock that is set forward by less is believed at once. */
const BELIEVED_MS = HOUR_MS;
/** How long a clock has to stay where it was set. */
const DOUBTED_MS = DAY_MS;

/**
 * The wall clock for what cannot be taken back, such as deleting what is old. Where it is suddenly far ahead, time
 * passes here as it did before, and the clock is believed once it has stayed there for a day.
 */
export class CautiousTime {
  readonly #clock: Clock;
  /** The last moment that was believed, on both clocks. */
  #wallMs: number;
  #monotonicMs: number;
  #doubtedSinceMs: number | null = null;

  /** `knownMs`: a wall-clock time that is surely over, if one is known. */
  constructor(clock: Clock, knownMs: number = clock.now()) {
    this.#clock = clock;
    this.#wallMs = knownMs;
    this.#monotonicMs = clock.monotonic();
  }

  /** Milliseconds since the epoch; never later than the wall clock's. */
  now(): number {
    const wallMs = this.#clock.now();
    const monotonicMs = this.#clock.monotonic();
    const expectedMs = this.#wallMs + (monotonicMs - this.#monotonicMs);
    if (wallMs > expectedMs + BELIEVED_MS) {
      this.#doubtedSinceMs ??= monotonicMs;
      if (monotonicMs - this.#doubtedSinceMs < DOUBTED_MS) return expectedMs;
    }
    this.#wallMs = wallMs;
    this.#monotonicMs = monotonicMs;
    this.#doubtedSinceMs = null;
    return wallMs;
  }
}
