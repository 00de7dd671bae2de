import { CautiousTime } from "../core/cautious-time.js";
import type { Clock } from "../core/clock.js";
import { DAY_MS } from "../core/durations.js";
import type { SettingValues } from "../keys/settings-table.js";
import { type Chore, Housekeeping, pruneCallsChore } from "../metering/housekeeping.js";
import type { Storage } from "../storage/open.js";
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

type Retention = Pick<
  SettingValues,
  "callRetentionDays" | "minuteRollupDays" | "hourRollupDays" | "dayRollupDays"
>;

/** Deletes what is older than the settings want, bit by bit, so that nothing waits for it. */
export async function startHousekeeping(
  { storage, clock, logger, lifecycle }: Foundation,
  { settings }: UseCases,
): Promise<void> {
  const chores = await housekeepingChores({ storage, clock, settings });
  const housekeeping = new Housekeeping({ clock, logger, chores });
  housekeeping.start();
  lifecycle.started("housekeeping", () => {
    storage.endBackground();
    return housekeeping.stop();
  });
}

export interface ChoresOptions {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly settings: { readonly values: Retention };
}

/** What is done once an hour. */
export async function housekeepingChores(options: ChoresOptions): Promise<readonly Chore[]> {
  const { storage, clock, settings } = options;
  const { ledger } = storage;
  // A host whose clock is wrong at the start, or for a while, would lose years of calls and reports within a minute.
  const time = new CautiousTime(clock, await ledger.newestCallAt());
  return [
    pruneCallsChore({
      ledger,
      clock: time,
      keepDays: () => settings.values.callRetentionDays || FOREVER_DAYS,
    }),
    {
      name: "old roll-ups",
      step: () => {
        const before = (days: number): number => time.now() - days * DAY_MS;
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
      step: () => storage.batches.prune(time.now() - BATCHES_KEPT_DAYS * DAY_MS, BATCH_ROWS),
    },
    { name: "calls of deleted keys", step: () => ledger.sweep() },
    { name: "old changes", step: () => storage.pruneChanges(CHANGES_KEPT) },
  ];
}
