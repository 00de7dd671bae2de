import { type Period, periodEnd, periodStart } from "./period.js";

/** What is counted in one calendar period. */
export interface PeriodBook<Counted> {
  /** The period's first millisecond, since the epoch, and the first of the next one. */
  readonly startMs: number;
  readonly endMs: number;
  readonly counted: Counted;
}

/**
 * The book of the calendar period (UTC) that the wall clock is in, and of the one it was in before that. The second one
 * is for clocks that are set back over midnight, or are wrong for a while: nothing that was counted is lost then, and
 * nothing counts twice.
 */
export class PeriodBooks<Counted> {
  readonly period: Period;
  readonly #none: () => Counted;
  #book: PeriodBook<Counted>;
  #before: PeriodBook<Counted> | null = null;

  /** `none` makes the count that a period begins with. */
  constructor(period: Period, nowMs: number, none: () => Counted) {
    this.period = period;
    this.#none = none;
    this.#book = this.#opened(nowMs);
  }

  /** Of the period that the clock was in when it was last followed. */
  get current(): PeriodBook<Counted> {
    return this.#book;
  }

  /**
   * Turns to the period that the clock is in. Answers true when more may have been counted in that period than is known
   * here: it is neither the one that was left before nor the one that follows the present one.
   */
  follow(nowMs: number): boolean {
    const left = this.#book;
    if (isIn(left, nowMs)) return false;
    const known = this.at(nowMs);
    this.#book = known ?? this.#opened(nowMs);
    this.#before = left;
    return known === null && this.#book.startMs !== left.endMs;
  }

  /** The book that a moment belongs to; null for a period that is no longer kept, or not yet. */
  at(momentMs: number): PeriodBook<Counted> | null {
    if (isIn(this.#book, momentMs)) return this.#book;
    return this.#before !== null && isIn(this.#before, momentMs) ? this.#before : null;
  }

  /** True when both periods have ended. */
  isOver(nowMs: number): boolean {
    return nowMs >= Math.max(this.#book.endMs, this.#before?.endMs ?? 0);
  }

  #opened(nowMs: number): PeriodBook<Counted> {
    const startMs = periodStart(this.period, nowMs);
    return { startMs, endMs: periodEnd(this.period, startMs), counted: this.#none() };
  }
}

function isIn({ startMs, endMs }: PeriodBook<unknown>, momentMs: number): boolean {
  return momentMs >= startMs && momentMs < endMs;
}
