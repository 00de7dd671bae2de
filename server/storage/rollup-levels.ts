import { DAY_MS, HOUR_MS, MINUTE_MS } from "../core/durations.js";

// Calls are added up in six tables:
//
//            by combination of names     by one name, or by provider and model
//   minute      rollups_minute                     totals_minute
//   hour        rollups_hour                       totals_hour
//   day         rollups_day                        totals_day
//
// A call is added to `rollups_minute` as it comes in. Whole minutes are folded into the five others a little later, once
// each, in the order of time: before `folded_until_ms` all six hold everything, and from then on `rollups_minute` alone.
// Old buckets go level by level, the finest first (`rollup-retention.ts`).

/** One level: the tables whose buckets are equally long. */
export interface Level {
  readonly bucketMs: number;
  readonly rollups: "rollups_minute" | "rollups_hour" | "rollups_day";
  readonly totals: "totals_minute" | "totals_hour" | "totals_day";
}

export const MINUTES: Level = {
  bucketMs: MINUTE_MS,
  rollups: "rollups_minute",
  totals: "totals_minute",
};
export const HOURS: Level = { bucketMs: HOUR_MS, rollups: "rollups_hour", totals: "totals_hour" };
export const DAYS: Level = { bucketMs: DAY_MS, rollups: "rollups_day", totals: "totals_day" };

export const LEVELS: readonly Level[] = [MINUTES, HOURS, DAYS];
/** Those into which minutes are folded. */
export const COARSE_LEVELS: readonly Level[] = [HOURS, DAYS];
