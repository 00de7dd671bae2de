import type { UsageSums } from "../core/usage.js";
import { addSums, amountOf, NO_USAGE, withoutSums, type UsageUnit } from "./usage-sums.js";
import type { UsageSeries } from "./usage-types.js";

/** The sums of each bucket; undefined where nothing was recorded. */
export type Line = readonly (UsageSums | undefined)[];

/** Where anything was recorded, a group without a row had no calls; elsewhere nothing is known. */
export function zeroWhere(all: Line, buckets: Line): (UsageSums | null)[] {
  return all.map((sums, i) => (sums === undefined ? null : (buckets[i] ?? NO_USAGE)));
}

/** One line of a trend over the buckets in which anything at all was recorded. */
export function seriesOf(input: {
  group: string;
  others: boolean;
  all: Line;
  buckets: Line;
  previous: readonly (UsageSums | null | undefined)[];
}): UsageSeries {
  const { group, others, all, buckets, previous } = input;
  return {
    group,
    others,
    totals: totalOfLine(buckets),
    buckets: zeroWhere(all, buckets),
    previousBuckets: previous.map((sums) => sums ?? null),
  };
}

/** What is left of all calls when the lines of the named groups are taken out. */
export function restOf(all: Line, lines: readonly Line[]): (UsageSums | undefined)[] {
  return all.map((sums, i) => {
    if (sums === undefined) return undefined;
    return lines.reduce((rest, each) => withoutSums(rest, each[i] ?? NO_USAGE), sums);
  });
}

/** Sums of a whole line. */
export function totalOfLine(buckets: Line): UsageSums {
  return buckets.reduce<UsageSums>((sum, each) => addSums(sum, each ?? NO_USAGE), NO_USAGE);
}

/** The share of the whole that a group has in a unit, 0 to 1. */
export function shareOf(sums: UsageSums, totals: UsageSums, unit: UsageUnit): number {
  const whole = amountOf(totals, unit);
  return whole === 0 ? 0 : amountOf(sums, unit) / whole;
}
