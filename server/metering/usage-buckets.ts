import { DAY_MS, HOUR_MS, MINUTE_MS, WEEK_MS } from "../core/durations.js";
import { FIRST_MONDAY_MS } from "../core/period.js";
import type { UsageBucket, UsageRow, UsageSums } from "../core/usage.js";
import { addSums, sumsOf } from "./usage-sums.js";

/** Lengths that buckets can have when they are chosen for a chart. */
const STEPS_MS = [
  MINUTE_MS,
  5 * MINUTE_MS,
  15 * MINUTE_MS,
  30 * MINUTE_MS,
  HOUR_MS,
  3 * HOUR_MS,
  6 * HOUR_MS,
  12 * HOUR_MS,
  DAY_MS,
  WEEK_MS,
  4 * WEEK_MS,
  52 * WEEK_MS,
] as const;

/** A span of time, milliseconds since the epoch, end excluded. */
export interface TimeSpan {
  readonly fromMs: number;
  readonly toMs: number;
}

/** A period cut into buckets of equal length. */
export interface Grid extends TimeSpan {
  readonly stepMs: number;
}

/**
 * Whole buckets that cover a period: as long as asked for, or, for `stepMs` 0, as short as `bucketsMax` allows. They are
 * never more than `bucketsMax` (at least two, since a period may lie across a border), and never shorter than a minute,
 * which is the shortest span in the roll-ups.
 */
export function gridOf(period: TimeSpan, stepMs: number, bucketsMax: number): Grid {
  const most = Math.max(2, bucketsMax);
  const wanted = stepMs === 0 ? MINUTE_MS : roundUp(stepMs, MINUTE_MS);
  const own = align(period, wanted);
  if (stepMs !== 0 && countOf(own) <= most) return own;
  for (const step of STEPS_MS) {
    const grid = align(period, step);
    if (step >= wanted && countOf(grid) <= most) return grid;
  }
  return align(period, roundUp((period.toMs - period.fromMs) / (most - 1), DAY_MS));
}

/** How many buckets a grid has. */
export function countOf(grid: Grid): number {
  return Math.round((grid.toMs - grid.fromMs) / grid.stepMs);
}

/** The longest roll-up whose buckets fit into those of the grid. */
export function rollupFor(stepMs: number): UsageBucket {
  if (stepMs % DAY_MS === 0) return "DAY";
  return stepMs % HOUR_MS === 0 ? "HOUR" : "MINUTE";
}

/** The period widened to the borders of the roll-ups that will answer for it: the longer it is, the coarser they are. */
export function wholePeriod(period: TimeSpan): TimeSpan {
  const length = period.toMs - period.fromMs;
  const step = length > 60 * DAY_MS ? DAY_MS : length > 2 * DAY_MS ? HOUR_MS : MINUTE_MS;
  const { fromMs, toMs } = align(period, step);
  return { fromMs, toMs };
}

/** The period of the same length just before. */
export function periodBefore({ fromMs, toMs }: TimeSpan): TimeSpan {
  return { fromMs: fromMs - (toMs - fromMs), toMs: fromMs };
}

/**
 * Rows put into the buckets of a grid, one place for each bucket. A bucket without a row is undefined:
 * nothing was recorded in it, which is not the same as calls that add up to zero.
 */
export function fold(grid: Grid, rows: readonly UsageRow[]): (UsageSums | undefined)[] {
  const buckets: (UsageSums | undefined)[] = Array.from<undefined>({ length: countOf(grid) });
  for (const row of rows) {
    const index = Math.floor((row.bucketMs - grid.fromMs) / grid.stepMs);
    if (index < 0 || index >= buckets.length) continue;
    const before = buckets[index];
    buckets[index] = before === undefined ? sumsOf(row) : addSums(before, sumsOf(row));
  }
  return buckets;
}

function align({ fromMs, toMs }: TimeSpan, stepMs: number): Grid {
  const origin = stepMs % WEEK_MS === 0 ? FIRST_MONDAY_MS : 0;
  const start = Math.floor((fromMs - origin) / stepMs) * stepMs + origin;
  const end = Math.ceil((toMs - origin) / stepMs) * stepMs + origin;
  return { fromMs: start, toMs: Math.max(end, start + stepMs), stepMs };
}

function roundUp(value: number, step: number): number {
  return Math.max(step, Math.ceil(value / step) * step);
}
