import type { Clock } from "../core/clock.js";
import { periodStart } from "../core/period.js";
import type { Period } from "../core/provider-key.js";
import type { Limiter, SpentRow } from "./limiter.js";

const PERIODS: readonly Period[] = ["DAY", "WEEK", "MONTH"];

export interface RestoreBudgetsOptions {
  readonly limiter: Limiter;
  readonly clock: Clock;
  /** The client keys with a budget, and its period. */
  readonly budgets: ReadonlyMap<string, Period>;
  /** What each client key has spent since a time (milliseconds since the epoch), from the roll-ups. */
  readonly spentSince: (fromMs: number) => Promise<readonly SpentRow[]>;
}

/**
 * Fills the budgets with what was spent in their running periods. Call it before the first call is admitted,
 * or a restart gives every key its budget a second time. Asks the ledger once for each kind of period in use.
 */
export async function restoreBudgets(options: RestoreBudgetsOptions): Promise<void> {
  const { limiter, clock, budgets, spentSince } = options;
  const inUse = new Set(budgets.values());
  for (const period of PERIODS.filter((each) => inUse.has(each))) {
    const rows = await spentSince(periodStart(period, clock.now()));
    limiter.restore(
      period,
      rows.filter((row) => budgets.get(row.clientKeyId) === period),
    );
  }
}
