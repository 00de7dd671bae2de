import type { Clock } from "../core/clock.js";
import type { Limits } from "../core/limits.js";
import { type Period, periodEnd, PERIODS, periodStart } from "../core/period.js";
import type { Span } from "./budget-fills.js";
import type { SubjectKind } from "./limit-subject.js";
import type { Limiter, SpentRow } from "./limiter.js";

export interface RestoreBudgetsOptions {
  readonly limiter: Limiter;
  readonly clock: Clock;
  readonly kind: SubjectKind;
  /** Limits of those that have a budget, by their ids. */
  readonly limits: ReadonlyMap<string, Limits>;
  /** What each of this kind has spent in a period, from the roll-ups. */
  readonly spentIn: (span: Span) => Promise<readonly SpentRow[]>;
}

/**
 * Fills the budgets with what was spent in their running periods. Call it before the first call is admitted,
 * or a restart gives everybody their budget a second time. Asks the ledger once for each kind of period in use.
 */
export async function restoreBudgets(options: RestoreBudgetsOptions): Promise<void> {
  const { limiter, clock, kind, limits, spentIn } = options;
  for (const period of PERIODS) {
    const ids = withBudget(limits, period);
    if (ids.size === 0) continue;
    const startMs = periodStart(period, clock.now());
    const rows = await spentIn({ startMs, endMs: periodEnd(period, startMs) });
    limiter.restore(
      kind,
      period,
      rows.filter(({ id }) => ids.has(id)),
    );
  }
}

function withBudget(limits: ReadonlyMap<string, Limits>, period: Period): ReadonlySet<string> {
  const ids = new Set<string>();
  for (const [id, { budgets }] of limits) {
    if (budgets.some((budget) => budget.period === period)) ids.add(id);
  }
  return ids;
}
