import type { Clock } from "../core/clock.js";
import { DAY_MS } from "../core/durations.js";
import {
  ALL_USAGE,
  type UsageBucket,
  type UsageFilter,
  type UsageGroup,
  type UsageRow,
  type UsageSums,
} from "../core/usage.js";
import type { ActiveNames, LedgerStore } from "./ports.js";
import {
  fold,
  gridOf,
  periodBefore,
  rollupFor,
  wholePeriod,
  type Grid,
  type TimeSpan,
} from "./usage-buckets.js";
import { restOf, seriesOf, shareOf, totalOfLine, zeroWhere, type Line } from "./usage-lines.js";
import {
  amountOf,
  averageLatencyMs,
  NO_USAGE,
  sumsOf,
  totalOf,
  type UsageUnit,
} from "./usage-sums.js";
import {
  type BreakdownRequest,
  type ClientKeyStats,
  type TrendRequest,
  type UsageBreakdown,
  type UsageBreakdownRow,
  type UsageSummary,
  type UsageTrend,
} from "./usage-types.js";

/** Small trends are drawn for so many rows of a breakdown; more would be a query each. */
const SPARKLINE_ROWS_MAX = 20;

/** Answers questions about usage from the roll-ups. */
export class UsageReports {
  readonly #ledger: Pick<LedgerStore, "usage" | "countActive">;
  readonly #clock: Clock;

  constructor(options: {
    readonly ledger: Pick<LedgerStore, "usage" | "countActive">;
    readonly clock: Clock;
  }) {
    this.#ledger = options.ledger;
    this.#clock = options.clock;
  }

  /** Sums of a period beside those of the one before, and how many took part. */
  async summary(asked: TimeSpan, filter: UsageFilter): Promise<UsageSummary> {
    const period = wholePeriod(asked);
    const [totals, previous, active] = await Promise.all([
      this.#rows(period, "ALL", "NONE", filter),
      this.#rows(periodBefore(period), "ALL", "NONE", filter),
      this.#active(period, filter),
    ]);
    return {
      period,
      totals: totalOf(totals),
      previousTotals: totalOf(previous),
      activeClientKeys: active.clientKeys,
      activeProviderKeys: active.providerKeys,
      activeOwners: active.owners,
    };
  }

  /** Sums over time: one line in all, or one for each of the largest groups and one for the rest. */
  async trend(request: TrendRequest): Promise<UsageTrend> {
    const grid = gridOf(request.period, request.stepMs, request.bucketsMax);
    const before = { ...periodBefore(grid), stepMs: grid.stepMs };
    const [all, allBefore] = await Promise.all([
      this.#line(grid, request.filter),
      request.compare ? this.#line(before, request.filter) : [],
    ]);
    const totals = totalOfLine(all);
    const whole = seriesOf({ group: "", others: false, all, buckets: all, previous: allBefore });
    if (request.groupBy === "NONE") return { grid, series: [whole], totals };
    const ranked = await this.#ranked(grid, request.groupBy, request);
    const groups = ranked.slice(0, request.topN).map((row) => row.group);
    const [lines, linesBefore] = await Promise.all([
      this.#lines(grid, groups, request),
      request.compare ? this.#lines(before, groups, request) : groups.map(() => []),
    ]);
    const series = groups.map((group, i) => {
      const [buckets, previous] = [lines[i] ?? [], zeroWhere(allBefore, linesBefore[i] ?? [])];
      return seriesOf({ group, others: false, all, buckets, previous });
    });
    if (ranked.length > groups.length) {
      const buckets = restOf(all, lines);
      const previous = restOf(allBefore, linesBefore);
      series.push(seriesOf({ group: "", others: true, all, buckets, previous }));
    }
    return { grid, series, totals };
  }

  /** Sums by group: the largest groups in rows, the rest in one. */
  async breakdown(request: BreakdownRequest): Promise<UsageBreakdown> {
    const period = wholePeriod(request.period);
    const { groupBy, filter, rankBy } = request;
    const [ranked, before] = await Promise.all([
      this.#ranked(period, groupBy, request),
      request.compare ? this.#rows(periodBefore(period), "ALL", groupBy, filter) : [],
    ]);
    const totals = totalOf(ranked);
    const top = ranked.slice(0, request.topN);
    const rest = ranked.slice(request.topN);
    const trends = await this.#sparklines(top, request);
    const previousOf = new Map(before.map((row) => [row.group, sumsOf(row)]));
    const topGroups = new Set(top.map((row) => row.group));
    const restBefore = totalOf(before.filter((row) => !topGroups.has(row.group)));
    const row = (group: string, sums: UsageSums, previous: UsageSums): UsageBreakdownRow => ({
      group,
      totals: sums,
      previousTotals: request.compare ? previous : null,
      share: shareOf(sums, totals, rankBy),
      trend: trends.get(group) ?? [],
    });
    return {
      period,
      rows: top.map((each) =>
        row(each.group, sumsOf(each), previousOf.get(each.group) ?? NO_USAGE),
      ),
      others: rest.length === 0 ? null : { ...row("", totalOf(rest), restBefore), trend: [] },
      othersCount: rest.length,
      totals,
      previousTotals: request.compare ? totalOf(before) : null,
    };
  }

  /** Statistics of one client key over the last `days` days, the running one included. */
  async clientKeyStats(clientKeyId: string, days: number): Promise<ClientKeyStats> {
    const nowMs = this.#clock.now();
    const toMs = nowMs - (nowMs % DAY_MS) + DAY_MS;
    const grid = { fromMs: toMs - days * DAY_MS, toMs, stepMs: DAY_MS };
    const filter = { ...ALL_USAGE, clientKeyId };
    const [models, daily] = await Promise.all([
      this.#ranked(grid, "MODEL", { filter, rankBy: "CALLS" }),
      this.#line(grid, filter),
    ]);
    const totals = totalOf(models);
    const success = totals.calls - totals.errors;
    return {
      days,
      total: totals.calls,
      success,
      error: totals.errors,
      successRate: totals.calls === 0 ? 0 : twoDecimals((success / totals.calls) * 100),
      averageLatencyMs: twoDecimals(averageLatencyMs(totals) ?? 0),
      models: models.map(({ group, calls, errors }) => ({
        model: group === "" ? "unknown" : group,
        total: calls,
        success: calls - errors,
        error: errors,
      })),
      daily: daily.map((sums, i) => ({ dayMs: grid.fromMs + i * DAY_MS, sums: sums ?? null })),
    };
  }

  async #active(period: TimeSpan, filter: UsageFilter): Promise<ActiveNames> {
    if (isNarrowed(filter)) return this.#ledger.countActive({ ...period, ...filter });
    // The totals of each name know it without looking at every combination.
    const named = async (groupBy: UsageGroup): Promise<number> =>
      namedGroups(await this.#rows(period, "ALL", groupBy, filter));
    const [clientKeys, providerKeys, owners] = await Promise.all([
      named("CLIENT_KEY"),
      named("PROVIDER_KEY"),
      named("OWNER"),
    ]);
    return { clientKeys, providerKeys, owners };
  }

  #rows(
    { fromMs, toMs }: TimeSpan,
    bucket: UsageBucket,
    groupBy: UsageGroup,
    filter: UsageFilter,
  ): Promise<readonly UsageRow[]> {
    return this.#ledger.usage({ fromMs, toMs, bucket, groupBy, ...filter });
  }

  /** Groups of a period, the largest first. */
  async #ranked(
    period: TimeSpan,
    groupBy: UsageGroup,
    by: { readonly filter: UsageFilter; readonly rankBy: UsageUnit },
  ): Promise<UsageRow[]> {
    const rows = await this.#rows(period, "ALL", groupBy, by.filter);
    const amount = (row: UsageRow): number => amountOf(sumsOf(row), by.rankBy);
    return rows.toSorted(
      (a, b) => amount(b) - amount(a) || b.calls - a.calls || (a.group < b.group ? -1 : 1),
    );
  }

  async #line(grid: Grid, filter: UsageFilter): Promise<Line> {
    return fold(grid, await this.#buckets(grid, "NONE", filter));
  }

  #buckets(grid: Grid, groupBy: UsageGroup, filter: UsageFilter): Promise<readonly UsageRow[]> {
    const { fromMs, toMs, stepMs } = grid;
    const bucket = rollupFor(stepMs);
    return this.#ledger.usage({ fromMs, toMs, bucket, stepMs, groupBy, ...filter });
  }

  /** A line for each group. */
  async #lines(
    grid: Grid,
    groups: readonly string[],
    by: { readonly groupBy: UsageGroup; readonly filter: UsageFilter },
  ): Promise<Line[]> {
    const { groupBy, filter } = by;
    const field = groupBy === "NONE" ? undefined : FILTER_OF[groupBy];
    const narrowed = isNarrowed(filter);
    // There may be thousands of groups, and totals of each: what is shown is asked for by itself. Where the filter
    // leaves combinations to answer, those of all groups are read as soon as those of one.
    const alone = (group: string): boolean => field !== undefined && group !== "" && !narrowed;
    const together = groups.every(alone) ? [] : await this.#buckets(grid, groupBy, filter);
    return Promise.all(
      groups.map(async (group) => {
        // Calls that have no such name are found by their groups alone.
        if (field !== undefined && alone(group))
          return this.#line(grid, { ...filter, [field]: group });
        return fold(
          grid,
          together.filter((row) => row.group === group),
        );
      }),
    );
  }

  async #sparklines(
    top: readonly UsageRow[],
    request: BreakdownRequest,
  ): Promise<ReadonlyMap<string, readonly (number | null)[]>> {
    if (request.trendPoints === 0 || top.length === 0) return new Map();
    const groups = top.slice(0, SPARKLINE_ROWS_MAX).map((row) => row.group);
    const grid = gridOf(request.period, 0, request.trendPoints);
    const lines = await this.#lines(grid, groups, request);
    return new Map(
      groups.map((group, i) => [
        group,
        (lines[i] ?? []).map((sums) =>
          sums === undefined ? null : amountOf(sums, request.rankBy),
        ),
      ]),
    );
  }
}

/** What each group is filtered by. */
const FILTER_OF: Readonly<Record<Exclude<UsageGroup, "NONE">, keyof UsageFilter>> = {
  MODEL: "model",
  PROVIDER: "providerId",
  OWNER: "ownerId",
  CLIENT_KEY: "clientKeyId",
  PROVIDER_KEY: "providerKeyId",
};

function isNarrowed(filter: UsageFilter): boolean {
  return Object.values(filter).some((wanted) => wanted !== null);
}

/** Calls without a provider key, say, form a group without a name, which is nobody. */
function namedGroups(rows: readonly UsageRow[]): number {
  return rows.filter((row) => row.group !== "").length;
}

function twoDecimals(value: number): number {
  return Math.round(value * 100) / 100;
}
