import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  TimeRange,
  UsageBucketSchema,
  UsageShareSchema,
  UsageTotalsSchema,
} from "../../proto/gen/latchkey/v1/common_pb.js";
import { DAY_MS, MINUTE_MS } from "../core/durations.js";
import { floorTo } from "../core/multiples.js";
import { invalidField } from "../core/fault.js";
import { ALL_USAGE, type UsageFilter, type UsageSums } from "../core/usage.js";
import { type Grid } from "../metering/usage-buckets.js";
import { addSums, NO_USAGE } from "../metering/usage-sums.js";
import { type BreakdownRequest } from "../metering/usage-types.js";
import type { UsageReports } from "../metering/usage.js";
import { usageTotalsMessage } from "./messages/usage-totals.js";
import { msOf, numberOf, timeOf } from "./messages/values.js";

/** The days of a range that names no start. */
const DAYS_DEFAULT = 30;
const BUCKETS_MAX = 5_000;
const SHARES_MAX = 50;

/** The part of the usage reports that keys need. */
export type KeyUsage = Pick<UsageReports, "trend" | "breakdown">;

/** The span that a request asks for, in equal buckets. Throws `invalid_argument`. */
export function spanOf(range: TimeRange | undefined, bucketSeconds: bigint, nowMs: number): Grid {
  const stepMs = (numberOf("bucket_seconds", bucketSeconds) || DAY_MS / 1000) * 1000;
  if (DAY_MS % stepMs !== 0 && stepMs % DAY_MS !== 0) {
    throw invalidField("bucket_seconds", "must divide a day or be a multiple of one.");
  }
  if (stepMs % MINUTE_MS !== 0) {
    throw invalidField("bucket_seconds", "must be whole minutes, for usage is kept by the minute.");
  }
  const toMs = msOf(range?.endTime) ?? nowMs;
  const fromMs = msOf(range?.startTime) ?? toMs - DAYS_DEFAULT * DAY_MS;
  if (fromMs >= toMs) throw invalidField("range", "must start before it ends.");
  if ((toMs - fromMs) / stepMs > BUCKETS_MAX) {
    throw invalidField(
      "bucket_seconds",
      `makes more than ${BUCKETS_MAX} buckets: choose longer ones.`,
    );
  }
  return { fromMs, toMs, stepMs };
}

/** The last `days` days in UTC, today included. */
export function lastDays(days: number, nowMs: number): Grid {
  const tomorrow = floorTo(nowMs, DAY_MS) + DAY_MS;
  return { fromMs: tomorrow - days * DAY_MS, toMs: tomorrow, stepMs: DAY_MS };
}

export interface UsageOverTime {
  readonly totals: MessageInitShape<typeof UsageTotalsSchema>;
  readonly buckets: MessageInitShape<typeof UsageBucketSchema>[];
}

/** Sums of a span and of each of its buckets; what lies ahead or before the key was made is a gap. */
export async function usageOverTime(
  usage: KeyUsage,
  filter: Partial<UsageFilter>,
  span: Grid,
  known: { readonly fromMs: number; readonly nowMs: number },
): Promise<UsageOverTime> {
  const { grid, series, totals } = await usage.trend({
    period: span,
    stepMs: span.stepMs,
    // One more than fits, as the period may lie across a border.
    bucketsMax: BUCKETS_MAX + 1,
    groupBy: "NONE",
    topN: 0,
    rankBy: "CALLS",
    filter: { ...ALL_USAGE, ...filter },
    compare: false,
  });
  const buckets = (series[0]?.buckets ?? []).map((sums, i) => {
    const startMs = grid.fromMs + i * grid.stepMs;
    const gap = startMs > known.nowMs || startMs + grid.stepMs <= known.fromMs;
    return {
      startTime: timeOf(startMs),
      gap,
      ...(gap ? {} : { totals: usageTotalsMessage(sums ?? NO_USAGE) }),
    };
  });
  return { totals: usageTotalsMessage(totals), buckets };
}

/** Sums of a span. */
export async function usageTotals(
  usage: KeyUsage,
  filter: Partial<UsageFilter>,
  span: Grid,
): Promise<UsageSums> {
  const { totals } = await usage.breakdown(byGroup("PROVIDER", filter, span, 0));
  return totals;
}

/** The models with the most calls, and the rest in one row. */
export function modelShares(usage: KeyUsage, filter: Partial<UsageFilter>, span: Grid) {
  const labelOf = (model: string): string => model || "unknown";
  return usageShares(usage, filter, span, { groupBy: "MODEL", labelOf });
}

/** The groups with the most calls, and the rest in one row, together with groups without a label. */
export async function usageShares(
  usage: KeyUsage,
  filter: Partial<UsageFilter>,
  span: Grid,
  by: {
    readonly groupBy: BreakdownRequest["groupBy"];
    readonly labelOf: (group: string) => string;
    /** Belongs to the rest as well. */
    readonly besides?: UsageSums;
  },
): Promise<MessageInitShape<typeof UsageShareSchema>[]> {
  const { rows, others } = await usage.breakdown(byGroup(by.groupBy, filter, span, SHARES_MAX));
  const shares: MessageInitShape<typeof UsageShareSchema>[] = [];
  let rest = addSums(by.besides ?? NO_USAGE, others?.totals ?? NO_USAGE);
  for (const { group, totals } of rows) {
    const label = by.labelOf(group);
    if (label === "") rest = addSums(rest, totals);
    else shares.push({ id: group || label, label, totals: usageTotalsMessage(totals) });
  }
  if (rest.calls > 0) shares.push({ totals: usageTotalsMessage(rest) });
  return shares;
}

function byGroup(
  groupBy: BreakdownRequest["groupBy"],
  filter: Partial<UsageFilter>,
  period: Grid,
  topN: number,
): BreakdownRequest {
  return {
    period,
    groupBy,
    topN,
    rankBy: "CALLS",
    filter: { ...ALL_USAGE, ...filter },
    compare: false,
    trendPoints: 0,
  };
}
