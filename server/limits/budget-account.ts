import type { Budget } from "../core/limits.js";
import { periodEnd, periodStart } from "../core/period.js";
import type { Period } from "../core/provider-key.js";

/** Money in micro-US-dollars and LLM tokens. */
export interface Spending {
  readonly tokens: number;
  readonly costMicros: number;
}

interface Sums {
  tokens: number;
  costMicros: number;
}

/** What was spent and set aside in one calendar period. */
interface Book {
  /** The period's first millisecond, since the epoch, and the first of the next one. */
  readonly startMs: number;
  readonly endMs: number;
  readonly spent: Sums;
  readonly reserved: Sums;
}

/** What a call has set aside of a budget until it is settled. */
export interface Reservation extends Spending {
  /** Of the period in which the call began. */
  readonly book: Book;
}

/** Why a budget refuses a call. */
export interface Overrun {
  readonly part: "tokens" | "costMicros";
  readonly limit: number;
  readonly left: number;
  readonly needed: number;
  /** When the next period begins, milliseconds since the epoch. */
  readonly resetsAt: number;
}

/**
 * What was spent and set aside in the running calendar period (UTC). Reserving the worst case beforehand
 * means that calls which run at the same time cannot spend the same money. The period that the clock was in
 * before is kept as well, for a wall clock can be set wrong and right again.
 */
export class BudgetAccount {
  readonly period: Period;
  #book: Book;
  #before: Book | null = null;

  constructor(period: Period, nowMs: number) {
    this.period = period;
    this.#book = newBook(period, nowMs);
  }

  get startMs(): number {
    return this.#book.startMs;
  }

  /**
   * Turns to the period that the clock is in. True when more may have been spent in it than is known here: it is
   * not the period before, and does not follow on the present one.
   */
  follow(nowMs: number): boolean {
    const left = this.#book;
    if (isIn(left, nowMs)) return false;
    const known = this.#known(nowMs);
    this.#book = known ?? newBook(this.period, nowMs);
    this.#before = left;
    return known === null && this.#book.startMs !== left.endMs;
  }

  /** Adds what was spent in a period before this account knew of it, e.g. from the ledger at a start. */
  restore(spent: Spending, startMs: number): void {
    if (startMs === this.#book.startMs) add(this.#book.spent, spent, 1);
    else if (startMs === this.#before?.startMs) add(this.#before.spent, spent, 1);
  }

  /** The part of the budget that has no room for the estimate, or null when all have. */
  overrun(budget: Budget, estimate: Spending): Overrun | null {
    const { spent, reserved, endMs } = this.#book;
    for (const part of PARTS) {
      const limit = budget[part];
      if (limit === null) continue;
      const left = limit - spent[part] - reserved[part];
      // A call that costs nothing known, of an unpriced model, still needs a budget that is not used up.
      if (estimate[part] > left || left <= 0) {
        return { part, limit, left: Math.max(0, left), needed: estimate[part], resetsAt: endMs };
      }
    }
    return null;
  }

  reserve({ tokens, costMicros }: Spending): Reservation {
    const reservation = { tokens, costMicros, book: this.#book };
    add(this.#book.reserved, reservation, 1);
    return reservation;
  }

  /** Frees a reservation and books what was used; both belong to the period in which the call began. */
  settle(reservation: Reservation, used: Spending): void {
    add(reservation.book.reserved, reservation, -1);
    add(reservation.book.spent, used, 1);
  }

  /** What is used of the period that the clock is in; what is set aside counts as used. */
  used(nowMs: number): Spending {
    const used = { tokens: 0, costMicros: 0 };
    const book = this.#known(nowMs);
    if (book === null) return used;
    add(used, book.spent, 1);
    add(used, book.reserved, 1);
    return used;
  }

  /** True when the account's period is over and nothing in it matters any more. */
  isOver(nowMs: number): boolean {
    return nowMs >= this.#book.endMs;
  }

  #known(nowMs: number): Book | null {
    if (isIn(this.#book, nowMs)) return this.#book;
    return this.#before !== null && isIn(this.#before, nowMs) ? this.#before : null;
  }
}

const PARTS = ["costMicros", "tokens"] as const;

function newBook(period: Period, nowMs: number): Book {
  const startMs = periodStart(period, nowMs);
  return {
    startMs,
    endMs: periodEnd(period, startMs),
    spent: { tokens: 0, costMicros: 0 },
    reserved: { tokens: 0, costMicros: 0 },
  };
}

function isIn({ startMs, endMs }: Book, nowMs: number): boolean {
  return nowMs >= startMs && nowMs < endMs;
}

function add(sum: Sums, by: Spending, sign: 1 | -1): void {
  sum.tokens += sign * by.tokens;
  sum.costMicros += sign * by.costMicros;
}
