import { DAY_MS } from "../core/durations.js";

/** Money spent in the running day and month, UTC, in micro-US-dollars. */
export interface Spend {
  readonly todayMicros: number;
  readonly monthMicros: number;
  /** Calls of today whose model had no price: what they cost is not known. */
  readonly unpricedCallsToday: number;
}

/**
 * Adds up what calls cost today and this month. A call counts where it began, as in the call log, so one
 * that ends after midnight is not today's.
 */
export class SpendCounter {
  #dayStartMs = 0;
  #monthStartMs = 0;
  #todayMicros = 0;
  #monthMicros = 0;
  #unpricedCallsToday = 0;

  /** A null cost is that of a model without a price. */
  add(startedAt: number, costMicros: number | null, nowMs: number): void {
    this.#turn(nowMs);
    if (costMicros === null) {
      if (startedAt >= this.#dayStartMs) this.#unpricedCallsToday += 1;
      return;
    }
    if (startedAt >= this.#dayStartMs) this.#todayMicros += costMicros;
    if (startedAt >= this.#monthStartMs) this.#monthMicros += costMicros;
  }

  /** Adds what the database knows of this day and month from before this process. */
  seed(spent: Spend, nowMs: number): void {
    this.#turn(nowMs);
    this.#todayMicros += spent.todayMicros;
    this.#monthMicros += spent.monthMicros;
    this.#unpricedCallsToday += spent.unpricedCallsToday;
  }

  read(nowMs: number): Spend {
    this.#turn(nowMs);
    return {
      todayMicros: this.#todayMicros,
      monthMicros: this.#monthMicros,
      unpricedCallsToday: this.#unpricedCallsToday,
    };
  }

  /** A wall clock that was set back keeps the later day: counting it again would double it. */
  #turn(nowMs: number): void {
    if (nowMs < this.#dayStartMs + DAY_MS) return;
    this.#dayStartMs = nowMs - (nowMs % DAY_MS);
    this.#todayMicros = 0;
    this.#unpricedCallsToday = 0;
    const monthStartMs = startOfMonth(nowMs);
    if (monthStartMs === this.#monthStartMs) return;
    this.#monthStartMs = monthStartMs;
    this.#monthMicros = 0;
  }
}

/** Midnight UTC of the first of the month. */
export function startOfMonth(atMs: number): number {
  const at = new Date(atMs);
  return Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), 1);
}
