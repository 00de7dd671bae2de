import type { UsageFilter, UsageGroup, UsageSums } from "../core/usage.js";
import type { Grid, TimeSpan } from "./usage-buckets.js";
import type { UsageUnit } from "./usage-sums.js";

export interface UsageSummary {
  /** What was counted: the period asked for, widened to whole roll-ups. */
  readonly period: TimeSpan;
  readonly totals: UsageSums;
  /** Of the period of the same length just before. */
  readonly previousTotals: UsageSums;
  readonly activeClientKeys: number;
  readonly activeProviderKeys: number;
  readonly activeOwners: number;
}

export interface TrendRequest {
  readonly period: TimeSpan;
  /** Length of a bucket; 0 chooses one. */
  readonly stepMs: number;
  readonly bucketsMax: number;
  readonly groupBy: UsageGroup;
  /** How many groups have a line of their own. */
  readonly topN: number;
  readonly rankBy: UsageUnit;
  readonly filter: UsageFilter;
  readonly compare: boolean;
}

/** One line of a trend. */
export interface UsageSeries {
  /** Empty for the line of all calls and for that of the rest. */
  readonly group: string;
  readonly others: boolean;
  readonly totals: UsageSums;
  /** One for each bucket; null where nothing at all was recorded, of whatever group. */
  readonly buckets: readonly (UsageSums | null)[];
  /** The buckets of the period before, one for each of the above; empty unless compared. */
  readonly previousBuckets: readonly (UsageSums | null)[];
}

export interface UsageTrend {
  readonly grid: Grid;
  /** Largest group first, the rest last. */
  readonly series: readonly UsageSeries[];
  readonly totals: UsageSums;
}

export interface BreakdownRequest {
  readonly period: TimeSpan;
  readonly groupBy: Exclude<UsageGroup, "NONE">;
  readonly topN: number;
  readonly rankBy: UsageUnit;
  readonly filter: UsageFilter;
  readonly compare: boolean;
  /** Points of the small trend of each row; 0 for none. */
  readonly trendPoints: number;
}

export interface UsageBreakdownRow {
  readonly group: string;
  readonly totals: UsageSums;
  /** Null unless compared. */
  readonly previousTotals: UsageSums | null;
  /** Of the whole, in the unit that rows are ranked by, 0 to 1. */
  readonly share: number;
  /** In that unit, oldest first; null where nothing was recorded. */
  readonly trend: readonly (number | null)[];
}

export interface UsageBreakdown {
  readonly period: TimeSpan;
  readonly rows: readonly UsageBreakdownRow[];
  /** The rest in one row; null when there is none. */
  readonly others: UsageBreakdownRow | null;
  readonly othersCount: number;
  readonly totals: UsageSums;
  readonly previousTotals: UsageSums | null;
}

/** How one client key has fared. */
export interface ClientKeyStats {
  readonly days: number;
  readonly total: number;
  readonly success: number;
  readonly error: number;
  /** 0 to 100, two decimals; 0 without calls. */
  readonly successRate: number;
  /** Milliseconds, two decimals, of the calls that have a latency; 0 without any. */
  readonly averageLatencyMs: number;
  /** By model; `unknown` for calls that named none. Most calls first. */
  readonly models: readonly {
    readonly model: string;
    readonly total: number;
    readonly success: number;
    readonly error: number;
  }[];
  /** One for each day, oldest first; null where nothing was recorded. */
  readonly daily: readonly { readonly dayMs: number; readonly sums: UsageSums | null }[];
}
