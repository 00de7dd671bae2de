import type { Clock } from "../core/clock.js";
import { DAY_MS } from "../core/durations.js";
import { ALL_USAGE } from "../core/usage.js";
import type { Logger } from "../core/logger.js";
import type { Meter } from "./meter.js";
import type { LedgerStore } from "./ports.js";
import { startOfMonth } from "./spend.js";

/** Tells the meter what the database knows of today's and this month's spending, of all or of one owner. */
export async function seedSpend(
  meter: Meter,
  ledger: Pick<LedgerStore, "usage">,
  nowMs: number,
  ownerId: string | null = null,
): Promise<void> {
  const todayMs = nowMs - (nowMs % DAY_MS);
  const rows = await ledger.usage({
    fromMs: startOfMonth(nowMs),
    toMs: todayMs + DAY_MS,
    bucket: "DAY",
    groupBy: "NONE",
    ...ALL_USAGE,
    ownerId,
  });
  let [todayMicros, monthMicros, unpricedCallsToday] = [0, 0, 0];
  for (const row of rows) {
    monthMicros += row.costMicros;
    if (row.bucketMs < todayMs) continue;
    todayMicros += row.costMicros;
    unpricedCallsToday += row.unpricedCalls;
  }
  meter.seedSpend({ todayMicros, monthMicros, unpricedCallsToday });
}

export interface SpendSource {
  readonly ledger: Pick<LedgerStore, "usage">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Resolves when the database has all calls that have ended. */
  readonly caughtUp: () => Promise<void>;
}

/** Seeds a meter again whose clock was set meanwhile. Where the database does not answer, what was counted since stays. */
export async function seedSpendAgain(
  meter: Meter,
  { ledger, clock, logger, caughtUp }: SpendSource,
  ownerId: string | null = null,
): Promise<void> {
  try {
    await caughtUp();
    await seedSpend(meter, ledger, clock.now(), ownerId);
  } catch (error) {
    logger.warn(
      { err: error },
      "what was spent today is shown without what came before the clock was set",
    );
  }
}
