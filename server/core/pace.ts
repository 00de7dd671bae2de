import type { Clock } from "./clock.js";

/** How fast something may be used up. */
export interface PaceLimits {
  readonly perSecond: number;
  /** What may be taken at once where nothing was taken for a while. */
  readonly burst: number;
}

/** An amount that grows with time up to a burst. */
export class Pace {
  readonly #clock: Clock;
  readonly #limits: PaceLimits;
  #ready: number;
  #countedMs: number;

  constructor(clock: Clock, limits: PaceLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#ready = limits.burst;
    this.#countedMs = clock.monotonic();
  }

  /** Takes an amount if that much is there. */
  mayTake(amount = 1): boolean {
    this.#count();
    if (this.#ready < amount) return false;
    this.#ready -= amount;
    return true;
  }

  /** Takes an amount that was used already; what is there may fall below zero. */
  take(amount: number): void {
    this.#count();
    this.#ready -= amount;
  }

  giveBack(amount = 1): void {
    this.#ready = Math.min(this.#limits.burst, this.#ready + amount);
  }

  /** How long until an amount is there; 0 where it is. */
  waitMs(amount = 1): number {
    this.#count();
    return Math.max(0, Math.ceil((1000 * (amount - this.#ready)) / this.#limits.perSecond));
  }

  #count(): void {
    const { burst, perSecond } = this.#limits;
    const nowMs = this.#clock.monotonic();
    const since = ((nowMs - this.#countedMs) * perSecond) / 1000;
    this.#countedMs = nowMs;
    this.#ready = Math.min(burst, this.#ready + since);
  }
}
