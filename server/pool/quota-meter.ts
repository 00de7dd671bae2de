import { DAY_MS } from "../core/durations.js";
import { periodEnd, periodStart, runningPeriod } from "../core/period.js";
import type { Period, Quota } from "../core/provider-key.js";
import type { Used } from "./lease.js";

/** What a key has used in a time. */
export interface QuotaUse extends Used {
  /** Calls, those under way too, whose tokens and money come on top when they end. */
  readonly requests: number;
}

/** What the ledger knows of a key. */
export interface PastUse extends QuotaUse {
  readonly providerKeyId: string;
  /** The first day, milliseconds since the epoch, of some within which no week and no month begins; today is by itself. */
  readonly fromMs: number;
}

type Sum = { -readonly [K in keyof QuotaUse]: QuotaUse[K] };

const NOTHING: QuotaUse = { requests: 0, tokens: 0, costMicros: 0 };

/**
 * Counts what a key is used in the running day, week and month (UTC, wall-clock time), whether it has a quota or not:
 * one that is set, or whose period changes, holds for what was used before as well. A call belongs to the day on
 * which it began.
 */
export class QuotaMeter {
  #dayMs = -Infinity;
  #weekMs = -Infinity;
  #monthMs = -Infinity;
  readonly #today: Sum = { ...NOTHING };
  /** Of the days before today in the running week and in the running month: a call adds to today alone. */
  readonly #weekBefore: Sum = { ...NOTHING };
  readonly #monthBefore: Sum = { ...NOTHING };

  /** Adds what was used before this process counted. */
  restore(past: PastUse, nowMs: number): void {
    this.#roll(nowMs);
    this.#add(past.fromMs, past.requests, past);
  }

  /** Counts a call before it is made, so that calls in flight count too; answers the day that it belongs to. */
  begin(nowMs: number): number {
    this.#roll(nowMs);
    this.#today.requests++;
    return this.#dayMs;
  }

  /** Books what a call of a day used; null when it has gone on with another key, and gives its request back. */
  end(dayMs: number, used: Used | null, nowMs: number): void {
    this.#roll(nowMs);
    if (used === null) this.#add(dayMs, -1, NOTHING);
    else this.#add(dayMs, 0, used);
  }

  /** The end of the period (milliseconds since the epoch) when the quota is used up, else null. */
  spentUntil(quota: Quota | null, nowMs: number): number | null {
    if (quota === null) return null;
    this.#roll(nowMs);
    const { period, requests, tokens, costMicros } = quota;
    const today = this.#today;
    const before = this.#before(period);
    const spent =
      (requests !== null && today.requests + before.requests >= requests) ||
      (tokens !== null && today.tokens + before.tokens >= tokens) ||
      (costMicros !== null && today.costMicros + before.costMicros >= costMicros);
    return spent ? periodEnd(period, this.#startMs(period)) : null;
  }

  /** What the running period has used. */
  use(period: Period, nowMs: number): QuotaUse {
    this.#roll(nowMs);
    const use = { ...this.#before(period) };
    add(use, this.#today.requests, this.#today);
    return use;
  }

  #before(period: Period): QuotaUse {
    if (period === "DAY") return NOTHING;
    return period === "WEEK" ? this.#weekBefore : this.#monthBefore;
  }

  #startMs(period: Period): number {
    if (period === "DAY") return this.#dayMs;
    return period === "WEEK" ? this.#weekMs : this.#monthMs;
  }

  #add(dayMs: number, requests: number, used: Used): void {
    if (dayMs === this.#dayMs) {
      add(this.#today, requests, used);
      return;
    }
    if (dayMs >= this.#weekMs) add(this.#weekBefore, requests, used);
    if (dayMs >= this.#monthMs) add(this.#monthBefore, requests, used);
  }

  /** A wall clock that is set back into the day before stays in its day; see `runningPeriod`. */
  #roll(nowMs: number): void {
    if (nowMs < this.#dayMs + DAY_MS && nowMs >= this.#dayMs - DAY_MS) return;
    const weekMs = runningPeriod("WEEK", this.#weekMs, nowMs);
    const monthMs = runningPeriod("MONTH", this.#monthMs, nowMs);
    this.#endDay(this.#weekBefore, weekMs === this.#weekMs);
    this.#endDay(this.#monthBefore, monthMs === this.#monthMs);
    Object.assign(this.#today, NOTHING);
    this.#dayMs = periodStart("DAY", nowMs);
    this.#weekMs = weekMs;
    this.#monthMs = monthMs;
  }

  #endDay(before: Sum, goesOn: boolean): void {
    if (goesOn) add(before, this.#today.requests, this.#today);
    else Object.assign(before, NOTHING);
  }
}

function add(sum: Sum, requests: number, used: Used): void {
  sum.requests += requests;
  sum.tokens += used.tokens;
  sum.costMicros += used.costMicros;
}
