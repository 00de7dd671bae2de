import type { Used } from "../core/call.js";
import { assert } from "../core/assert.js";
import { type Period, PERIODS } from "../core/period.js";
import { type PeriodBook, PeriodBooks } from "../core/period-books.js";
import type { Quota } from "../core/provider-key.js";

/** What a key has used in some span of time. */
export interface QuotaUse extends Used {
  /** Calls, including those under way; their tokens and money are added when they end. */
  readonly requests: number;
}

/** What the ledger knows of a key. */
export interface PastUse extends QuotaUse {
  readonly providerKeyId: string;
  readonly period: Period;
  /** The period's first millisecond, since the epoch. */
  readonly startMs: number;
}

type Sum = { -readonly [K in keyof QuotaUse]: QuotaUse[K] };

const NOTHING: QuotaUse = { requests: 0, tokens: 0, costMicros: 0 };

/**
 * Counts what a key is used in the running day, week and month (UTC, wall-clock time), whether it has a quota or not:
 * one that is set, or whose period changes, holds for what was used before as well. A call belongs to the periods in
 * which it began.
 */
export class QuotaMeter {
  /** Null for the many keys that have not been used. */
  #books: readonly PeriodBooks<Sum>[] | null = null;

  /** Adds what was used before this process counted. */
  restore(past: PastUse, nowMs: number): void {
    for (const books of this.#following(nowMs)) {
      if (books.period === past.period) add(books.at(past.startMs), past.requests, past);
    }
  }

  /** Counts a call before it is made, so that calls in flight count too. */
  begin(nowMs: number): void {
    for (const { current } of this.#following(nowMs)) current.counted.requests++;
  }

  /** Books what a call used that began at `begunAt`; null for one that has gone on with another key, which gives its request back. */
  end(begunAt: number, used: Used | null): void {
    for (const books of this.#books ?? []) {
      const book = books.at(begunAt);
      if (used === null) add(book, -1, NOTHING);
      else add(book, 0, used);
    }
  }

  /** The end of the period (milliseconds since the epoch) when the quota is used up, else null. */
  spentUntil(quota: Quota | null, nowMs: number): number | null {
    if (quota === null) return null;
    const { period, requests, tokens, costMicros } = quota;
    const { counted, endMs } = this.#book(period, nowMs);
    const spent =
      (requests !== null && counted.requests >= requests) ||
      (tokens !== null && counted.tokens >= tokens) ||
      (costMicros !== null && counted.costMicros >= costMicros);
    return spent ? endMs : null;
  }

  /** What the running period has used. */
  use(period: Period, nowMs: number): QuotaUse {
    return { ...this.#book(period, nowMs).counted };
  }

  #book(period: Period, nowMs: number): PeriodBook<Sum> {
    const all = this.#following(nowMs);
    const books = all.find((each) => each.period === period);
    assert(books !== undefined, "there is a book for each kind of period");
    return books.current;
  }

  #following(nowMs: number): readonly PeriodBooks<Sum>[] {
    this.#books ??= PERIODS.map((period) => new PeriodBooks(period, nowMs, nothing));
    for (const books of this.#books) books.follow(nowMs);
    return this.#books;
  }
}

function nothing(): Sum {
  return { ...NOTHING };
}

function add(book: PeriodBook<Sum> | null, requests: number, used: Used): void {
  if (book === null) return;
  const { counted } = book;
  counted.requests += requests;
  counted.tokens += used.tokens;
  counted.costMicros += used.costMicros;
}
