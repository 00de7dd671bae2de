import { DAY_MS } from "../core/durations.js";
import { Housekeeping, pruneCallsChore } from "../metering/housekeeping.js";
import type { Foundation } from "./foundation.js";
import type { UseCases } from "./use-cases.js";

/** Roll-ups deleted in one step. */
const ROLLUP_BATCH = 1000;
/** Batches that are forgotten in one step. */
const BATCH_ROWS = 1000;
/** Providers answer a request that made a batch with the same batch when it is tried again. */
const BATCHES_KEPT_DAYS = 30;
/** Entries of the change log that are kept for other nodes and for looking back. */
const CHANGES_KEPT = 10_000;
/** Longer than any installation lives: means "never deleted". */
const FOREVER_DAYS = 36_500;

/** Deletes what is older than the settings want, bit by bit, so that nothing waits for it. */
export function startHousekeeping(foundation: Foundation, useCases: UseCases): void {
  const { storage, clock, logger, lifecycle } = foundation;
  const { settings } = useCases;
  const { ledger } = storage;
  const housekeeping = new Housekeeping({
    clock,
    logger,
    chores: [
      pruneCallsChore({
        ledger,
        clock,
        keepDays: () => settings.values.callRetentionDays || FOREVER_DAYS,
      }),
      {
        name: "old roll-ups",
        step: () => {
          const before = (days: number): number => clock.now() - days * DAY_MS;
          const { minuteRollupDays, hourRollupDays, dayRollupDays } = settings.values;
          const retention = {
            minutesBeforeMs: before(minuteRollupDays),
            hoursBeforeMs: before(hourRollupDays),
            daysBeforeMs: before(dayRollupDays),
          };
          return ledger.pruneRollups(retention, ROLLUP_BATCH);
        },
      },
      {
        name: "batches that were counted",
        step: () => storage.batches.prune(clock.now() - BATCHES_KEPT_DAYS * DAY_MS, BATCH_ROWS),
      },
      { name: "calls of deleted keys", step: () => ledger.sweep() },
      { name: "old changes", step: () => storage.pruneChanges(CHANGES_KEPT) },
    ],
  });
  housekeeping.start();
  lifecycle.started("housekeeping", () => housekeeping.stop());
}
