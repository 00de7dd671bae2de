import type { Used } from "../core/call.js";
import type { Budget } from "../core/limits.js";
import { type PeriodBook, PeriodBooks } from "../core/period-books.js";
import type { Period } from "../core/period.js";

interface Sums {
  tokens: number;
  costMicros: number;
}

/** What was spent and reserved in one calendar period. */
interface Account {
  readonly spent: Sums;
  readonly reserved: Sums;
}

type Book = PeriodBook<Account>;

/** What is reserved of a budget for a call until it is settled. */
export interface Reservation extends Used {
  /** The book of the period in which the call began. */
  readonly book: Book;
}

/** Why a budget refuses a call. */
export interface Overrun {
  readonly part: "tokens" | "costMicros";
  readonly limit: number;
  /** Below 0 where calls have used more than was set aside for them. */
  readonly left: number;
  readonly needed: number;
  /** When the next period begins, milliseconds since the epoch. */
  readonly resetsAt: number;
}

/**
 * What was spent and reserved of one budget in the running calendar period (UTC). The worst case of a call is reserved
 * before it is made, so calls that run at the same time cannot spend the same money.
 */
export class BudgetAccount {
  readonly #books: PeriodBooks<Account>;

  constructor(period: Period, nowMs: number) {
    this.#books = new PeriodBooks(period, nowMs, newAccount);
  }

  get period(): Period {
    return this.#books.period;
  }

  /** The period that the clock is in. */
  get span(): Pick<Book, "startMs" | "endMs"> {
    return this.#books.current;
  }

  /** Turns to the period that the clock is in. True when more may have been spent in it than is known here. */
  follow(nowMs: number): boolean {
    return this.#books.follow(nowMs);
  }

  /** Adds what was spent without this account's knowing, at a moment or in all of the period that the moment lies in. */
  restore(spent: Used, atMs: number): void {
    const book = this.#books.at(atMs);
    if (book !== null) add(book.counted.spent, spent, 1);
  }

  /**
   * The part of the budget that has no room for the estimate; null when both have. `aside` is set aside beside what is
   * reserved here.
   */
  overrun(budget: Budget, estimate: Used, aside: Used): Overrun | null {
    const { counted, endMs } = this.#books.current;
    const { spent, reserved } = counted;
    for (const part of PARTS) {
      const limit = budget[part];
      if (limit === null) continue;
      const left = limit - spent[part] - reserved[part] - aside[part];
      // A call of an unpriced model, whose cost is taken for 0, still needs a budget that is not used up.
      if (estimate[part] > left || left <= 0) {
        return { part, limit, left, needed: estimate[part], resetsAt: endMs };
      }
    }
    return null;
  }

  reserve({ tokens, costMicros }: Used): Reservation {
    const book = this.#books.current;
    const reservation = { tokens, costMicros, book };
    add(book.counted.reserved, reservation, 1);
    return reservation;
  }

  /** Frees a reservation and books what was used; both belong to the period in which the call began. */
  settle(reservation: Reservation, used: Used): void {
    const { spent, reserved } = reservation.book.counted;
    add(reserved, reservation, -1);
    add(spent, used, 1);
  }

  /** What is used in the period that the clock is in; what is reserved counts as used. */
  used(nowMs: number): Used {
    const used = { tokens: 0, costMicros: 0 };
    const book = this.#books.at(nowMs);
    if (book === null) return used;
    add(used, book.counted.spent, 1);
    add(used, book.counted.reserved, 1);
    return used;
  }

  /** True when nothing that was counted here matters any more. */
  isOver(nowMs: number): boolean {
    return this.#books.isOver(nowMs);
  }
}

const PARTS = ["costMicros", "tokens"] as const;

function newAccount(): Account {
  return { spent: { tokens: 0, costMicros: 0 }, reserved: { tokens: 0, costMicros: 0 } };
}

function add(sum: Sums, by: Used, sign: 1 | -1): void {
  sum.tokens += sign * by.tokens;
  sum.costMicros += sign * by.costMicros;
}
