import { type PeriodBook, PeriodBooks } from "../core/period-books.js";

/** Money spent in the running day and month, UTC, in micro-US-dollars. */
export interface Spend {
  readonly todayMicros: number;
  readonly monthMicros: number;
  /** Calls of today whose model had no price: what they cost is not known. */
  readonly unpricedCallsToday: number;
}

interface Counted {
  micros: number;
  unpricedCalls: number;
}

/**
 * Adds up what calls cost today and this month. A call counts where it began, as in the call log, so one
 * that ends after midnight is not today's.
 */
export class SpendCounter {
  readonly #days: PeriodBooks<Counted>;
  readonly #months: PeriodBooks<Counted>;
  readonly #onUnknown: () => void;

  /** `onUnknown`: the clock has come to a period in which more may have been spent than is known here. */
  constructor(nowMs: number, onUnknown: () => void = () => undefined) {
    this.#days = new PeriodBooks("DAY", nowMs, none);
    this.#months = new PeriodBooks("MONTH", nowMs, none);
    this.#onUnknown = onUnknown;
  }

  /** A null cost is that of a model without a price. */
  add(startedAt: number, costMicros: number | null, nowMs: number): void {
    this.#follow(nowMs);
    count(this.#days.at(startedAt), costMicros);
    count(this.#months.at(startedAt), costMicros);
  }

  /** Takes over what the database knows of this day and month. */
  seed(spent: Spend, nowMs: number): void {
    this.#follow(nowMs);
    const { counted: today } = this.#days.current;
    today.micros = spent.todayMicros;
    today.unpricedCalls = spent.unpricedCallsToday;
    this.#months.current.counted.micros = spent.monthMicros;
  }

  read(nowMs: number): Spend {
    this.#follow(nowMs);
    const { micros, unpricedCalls } = this.#days.current.counted;
    return {
      todayMicros: micros,
      monthMicros: this.#months.current.counted.micros,
      unpricedCallsToday: unpricedCalls,
    };
  }

  #follow(nowMs: number): void {
    const isDayUnknown = this.#days.follow(nowMs);
    const isMonthUnknown = this.#months.follow(nowMs);
    if (isDayUnknown || isMonthUnknown) this.#onUnknown();
  }
}

function none(): Counted {
  return { micros: 0, unpricedCalls: 0 };
}

function count(book: PeriodBook<Counted> | null, costMicros: number | null): void {
  if (book === null) return;
  if (costMicros === null) book.counted.unpricedCalls += 1;
  else book.counted.micros += costMicros;
}

/** Midnight UTC of the first of the month. */
export function startOfMonth(atMs: number): number {
  const at = new Date(atMs);
  return Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), 1);
}
