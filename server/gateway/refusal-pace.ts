import type { Clock } from "../core/clock.js";
import { addressBlock } from "../core/ip.js";

/** As many as in this time are told at once. */
const BURST_MS = 1_000;
/** The longest that a caller waits to be told. */
const WAIT_MS_MAX = 5_000;
/** Addresses that are remembered; then those that have paid are forgotten. */
const ADDRESSES_KEPT = 8_192;

/**
 * Tells strangers that they are refused, so many of one address in a second. Who is told no at once asks again at once,
 * and each time costs a tenth of a call. A connection has one request at a time, so whoever waits cannot ask more.
 */
export class RefusalPace {
  readonly #clock: Clock;
  readonly #eachMs: number;
  /** When the refusals of an address so far would be told at an even pace. */
  readonly #untilMs = new Map<string, number>();
  #sweepAt = ADDRESSES_KEPT;

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock;
    this.#eachMs = 1_000 / perSecond;
  }

  /** Tells one, at once or later. */
  tell(ip: string, answer: () => void): void {
    const nowMs = this.#clock.monotonic();
    const block = addressBlock(ip);
    const paidMs = Math.max(nowMs, this.#untilMs.get(block) ?? 0) + this.#eachMs;
    const waitMs = Math.min(paidMs - nowMs - BURST_MS, WAIT_MS_MAX);
    this.#untilMs.set(block, nowMs + BURST_MS + waitMs);
    if (this.#untilMs.size > this.#sweepAt) this.#sweep(nowMs);
    if (waitMs <= 0) answer();
    else this.#clock.setTimer(answer, waitMs);
  }

  #sweep(nowMs: number): void {
    for (const [block, untilMs] of this.#untilMs) {
      if (untilMs <= nowMs) this.#untilMs.delete(block);
    }
    this.#sweepAt = Math.max(ADDRESSES_KEPT, this.#untilMs.size * 2);
  }
}
