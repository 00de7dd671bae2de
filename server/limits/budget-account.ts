import type { Budget } from "../core/limits.js";
import { periodEnd, periodStart } from "../core/period.js";
import type { Period } from "../core/provider-key.js";

/** Money in micro-US-dollars and LLM tokens. */
export interface Spending {
  readonly tokens: number;
  readonly costMicros: number;
}

/** What a call has set aside of a budget until it is settled. */
export interface Reservation extends Spending {
  /** The period it belongs to, milliseconds since the epoch. */
  readonly startMs: number;
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
 * means that calls which run at the same time cannot spend the same money.
 */
export class BudgetAccount {
  readonly period: Period;
  #startMs: number;
  #spent = { tokens: 0, costMicros: 0 };
  #reserved = { tokens: 0, costMicros: 0 };

  constructor(period: Period, nowMs: number) {
    this.period = period;
    this.#startMs = periodStart(period, nowMs);
  }

  get startMs(): number {
    return this.#startMs;
  }

  /** Adds what was spent before this account was opened, e.g. from the ledger at a start. */
  restore(spent: Spending, startMs: number): void {
    if (startMs === this.#startMs) add(this.#spent, spent, 1);
  }

  /** The part of the budget that has no room for the estimate, or null when all have. */
  overrun(budget: Budget, estimate: Spending, nowMs: number): Overrun | null {
    this.#roll(nowMs);
    for (const part of PARTS) {
      const limit = budget[part];
      if (limit === null) continue;
      const left = limit - this.#spent[part] - this.#reserved[part];
      // A call that costs nothing known, of an unpriced model, still needs a budget that is not used up.
      if (estimate[part] > left || left <= 0) {
        const resetsAt = periodEnd(this.period, this.#startMs);
        return { part, limit, left: Math.max(0, left), needed: estimate[part], resetsAt };
      }
    }
    return null;
  }

  reserve(estimate: Spending, nowMs: number): Reservation {
    this.#roll(nowMs);
    add(this.#reserved, estimate, 1);
    const { tokens, costMicros } = estimate;
    return { tokens, costMicros, startMs: this.#startMs };
  }

  /** Frees a reservation and books what was used; both belong to the period in which the call began. */
  settle(reservation: Reservation, used: Spending): void {
    if (reservation.startMs !== this.#startMs) return;
    add(this.#reserved, reservation, -1);
    add(this.#spent, used, 1);
  }

  /** What is spent and what is set aside at present. */
  state(nowMs: number): { readonly spent: Spending; readonly reserved: Spending } {
    this.#roll(nowMs);
    return { spent: { ...this.#spent }, reserved: { ...this.#reserved } };
  }

  /** True when the account's period is over and nothing in it matters any more. */
  isOver(nowMs: number): boolean {
    return nowMs >= periodEnd(this.period, this.#startMs);
  }

  /** Only a later period begins anew: a wall clock that is set back stays in the period it was in. */
  #roll(nowMs: number): void {
    const startMs = periodStart(this.period, nowMs);
    if (startMs <= this.#startMs) return;
    this.#startMs = startMs;
    this.#spent = { tokens: 0, costMicros: 0 };
    this.#reserved = { tokens: 0, costMicros: 0 };
  }
}

const PARTS = ["costMicros", "tokens"] as const;

function add(sum: { tokens: number; costMicros: number }, by: Spending, sign: 1 | -1): void {
  sum.tokens += sign * by.tokens;
  sum.costMicros += sign * by.costMicros;
}
