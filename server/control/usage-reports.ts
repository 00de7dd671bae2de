import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext } from "@connectrpc/connect";
import type { TimeRange } from "../../proto/gen/latchkey/v1/common_pb.js";
import {
  UsageGroup as GroupMessage,
  UsageUnit as UnitMessage,
  type GetBreakdownRequest,
  type GetSummaryRequest,
  type GetTrendRequest,
  type UsageRowSchema,
} from "../../proto/gen/latchkey/v1/usage_pb.js";
import type { Actor } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import { DAY_MS } from "../core/durations.js";
import { invalidField } from "../core/fault.js";
import type { UsageFilter, UsageGroup, UsageSums } from "../core/usage.js";
import { userIdOf } from "../keys/owners.js";
import { authorize, mayAll, type Action } from "../keys/policy.js";
import type { Grid, TimeSpan } from "../metering/usage-buckets.js";
import type { UsageUnit } from "../metering/usage-sums.js";
import { type UsageBreakdownRow } from "../metering/usage-types.js";
import type { UsageReports } from "../metering/usage.js";
import { clientKeyCounts } from "./client-key-counts.js";
import { actorKey } from "./context.js";
import { usageTotalsMessage } from "./messages/usage-totals.js";
import { msOf, numberOf, wordOf, type EnumWords } from "./messages/values.js";
import type { NameLookup } from "./names.js";
import { readUsageFilter, type NamedRecords } from "./usage-filter.js";

export interface UsageReportsDeps {
  readonly usage: UsageReports;
  readonly names: NameLookup;
  readonly clock: Clock;
  readonly records: NamedRecords;
}

const BUCKETS_DEFAULT = 120;
const BUCKETS_MAX = 400;
const TOP_DEFAULT = 10;
const TOP_MAX = 100;
/** Points of the small trend beside a row. */
const TREND_POINTS_MAX = 60;

const GROUPS: EnumWords<typeof GroupMessage, Exclude<UsageGroup, "NONE">> = {
  UNSPECIFIED: undefined,
  MODEL: "MODEL",
  PROVIDER: "PROVIDER",
  PROVIDER_KEY: "PROVIDER_KEY",
  CLIENT_KEY: "CLIENT_KEY",
  USER: "OWNER",
};

const UNITS: EnumWords<typeof UnitMessage, UsageUnit> = {
  UNSPECIFIED: undefined,
  CALLS: "CALLS",
  TOKENS: "TOKENS",
  INPUT_TOKENS: "INPUT_TOKENS",
  OUTPUT_TOKENS: "OUTPUT_TOKENS",
  CACHE_READ_TOKENS: "CACHE_READ_TOKENS",
  COST: "COST",
  ERRORS: "ERRORS",
};

/** What was used, from the roll-ups: sums, lines over time and rankings. */
export function usageReportRpcs(deps: UsageReportsDeps) {
  return {
    async getSummary(request: GetSummaryRequest, context: HandlerContext) {
      const { period, filter } = await asked(deps, request, context, "usage.get_summary");
      return summaryOf(deps, period, filter);
    },
    async getTrend(request: GetTrendRequest, context: HandlerContext) {
      const { period, filter, actor } = await asked(deps, request, context, "usage.get_trend");
      const groupBy = wordOf("group_by", GroupMessage, GROUPS, request.groupBy) ?? "NONE";
      const { grid, series, totals } = await deps.usage.trend({
        period,
        stepMs: numberOf("bucket_seconds", request.bucketSeconds) * 1000,
        bucketsMax: Math.min(request.maxBuckets || BUCKETS_DEFAULT, BUCKETS_MAX),
        groupBy,
        topN: topOf(request.topN),
        rankBy: unitOf(request.rankBy),
        filter,
        compare: request.compare,
      });
      const label = labels(deps, actor, groupBy);
      return {
        range: rangeOf(grid),
        bucketSeconds: BigInt(Math.round(grid.stepMs / 1000)),
        series: series.map((line) => ({
          id: line.group,
          label: line.group === "" ? "" : label(line.group),
          others: line.others,
          totals: usageTotalsMessage(line.totals),
          buckets: buckets(grid, grid.fromMs, line.buckets),
          previousBuckets: buckets(grid, 2 * grid.fromMs - grid.toMs, line.previousBuckets),
        })),
        totals: usageTotalsMessage(totals),
      };
    },
    async getBreakdown(request: GetBreakdownRequest, context: HandlerContext) {
      const { period, filter, actor } = await asked(deps, request, context, "usage.get_breakdown");
      const groupBy = wordOf("group_by", GroupMessage, GROUPS, request.groupBy) ?? "MODEL";
      const found = await deps.usage.breakdown({
        period,
        groupBy,
        topN: topOf(request.topN),
        rankBy: unitOf(request.rankBy),
        filter,
        compare: request.compare,
        trendPoints: Math.min(request.trendPoints, TREND_POINTS_MAX),
      });
      const label = labels(deps, actor, groupBy);
      return {
        range: rangeOf(found.period),
        rows: found.rows.map((row) => rowMessage(row, label(row.group))),
        ...(found.others === null ? {} : { others: rowMessage(found.others, "") }),
        othersCount: found.othersCount,
        totals: usageTotalsMessage(found.totals),
        ...(found.previousTotals === null
          ? {}
          : { previousTotals: usageTotalsMessage(found.previousTotals) }),
      };
    },
  };
}

async function summaryOf(deps: UsageReportsDeps, period: TimeSpan, filter: UsageFilter) {
  const nowMs = deps.clock.now();
  const [summary, keys] = await Promise.all([
    deps.usage.summary(period, filter),
    clientKeyCounts(deps.records.clientKeys, period, { filter, nowMs }),
  ]);
  return {
    range: rangeOf(summary.period),
    totals: usageTotalsMessage(summary.totals),
    previousTotals: usageTotalsMessage(summary.previousTotals),
    activeClientKeys: summary.activeClientKeys,
    activeProviderKeys: summary.activeProviderKeys,
    activeUsers: summary.activeOwners,
    createdClientKeys: keys.created,
    expiredClientKeys: keys.expired,
  };
}

/** What every report asks: a period, and whose calls. A USER gets own calls, whatever the filter says. */
async function asked(
  deps: UsageReportsDeps,
  request: { readonly range?: TimeRange | undefined; readonly filter: string },
  context: HandlerContext,
  action: Action,
): Promise<{ readonly period: TimeSpan; readonly filter: UsageFilter; readonly actor: Actor }> {
  const actor = context.values.get(actorKey);
  authorize(actor, action);
  const nowMs = deps.clock.now();
  const toMs = msOf(request.range?.endTime) ?? nowMs;
  const fromMs = msOf(request.range?.startTime) ?? toMs - DAY_MS;
  if (fromMs >= toMs) throw invalidField("range", "must end after it begins.");
  const ownOf = mayAll(actor, action) ? null : userIdOf(actor);
  const filter = await readUsageFilter(request.filter, nowMs, ownOf, deps.records);
  return { period: { fromMs, toMs }, filter, actor };
}

/** Names for ids; a model is its own name. */
function labels(deps: UsageReportsDeps, actor: Actor, groupBy: UsageGroup): (id: string) => string {
  const { names } = deps;
  const seesAll = mayAll(actor, "provider_key.get");
  return (id) => {
    switch (groupBy) {
      case "PROVIDER":
        return names.providerSlugOf(id);
      case "PROVIDER_KEY":
        // A user's calls may run over other people's keys, whose names are not theirs to know.
        return seesAll ? names.providerKeyNameOf(id) : "";
      case "CLIENT_KEY":
        return names.clientKeyNameOf(id);
      case "OWNER":
        return names.usernameOf(id);
      default:
        return id;
    }
  };
}

function rowMessage(
  row: UsageBreakdownRow,
  label: string,
): MessageInitShape<typeof UsageRowSchema> {
  return {
    id: row.group,
    label,
    totals: usageTotalsMessage(row.totals),
    ...(row.previousTotals === null
      ? {}
      : { previousTotals: usageTotalsMessage(row.previousTotals) }),
    share: row.share,
    trend: row.trend.map((value) => value ?? 0),
  };
}

function buckets(grid: Grid, fromMs: number, sums: readonly (UsageSums | null)[]) {
  return sums.map((each, i) => ({
    startTime: timestampFromMs(fromMs + i * grid.stepMs),
    gap: each === null,
    ...(each === null ? {} : { totals: usageTotalsMessage(each) }),
  }));
}

function rangeOf(period: TimeSpan) {
  return {
    startTime: timestampFromMs(period.fromMs),
    endTime: timestampFromMs(period.toMs),
  };
}

function topOf(asked: number): number {
  return Math.min(asked || TOP_DEFAULT, TOP_MAX);
}

function unitOf(unit: UnitMessage): UsageUnit {
  return wordOf("rank_by", UnitMessage, UNITS, unit) ?? "CALLS";
}
