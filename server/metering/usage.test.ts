import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { MemoryLedger } from "../../test/metering/memory-ledger.js";
import { callId, failedCall, sampleCall } from "../../test/metering/sample-calls.js";
import { FakeClock } from "../../test/support/fake-clock.js";
import type { CallRecord } from "../core/call.js";
import { DAY_MS, HOUR_MS } from "../core/durations.js";
import { ALL_USAGE } from "../core/usage.js";
import { UsageReports } from "./usage.js";
import { countOf, gridOf, rollupFor } from "./usage-buckets.js";
import { amountOf } from "./usage-sums.js";
import { type BreakdownRequest, type TrendRequest } from "./usage-types.js";

const NOW = Date.UTC(2026, 10, 20, 12, 0, 0);
const TODAY = { fromMs: NOW - 24 * HOUR_MS, toMs: NOW };

function bench(calls: readonly CallRecord[]): { reports: UsageReports; ledger: MemoryLedger } {
  const ledger = new MemoryLedger();
  for (const call of calls) ledger.calls.set(call.id, call);
  return { ledger, reports: new UsageReports({ ledger, clock: new FakeClock(NOW) }) };
}

/** Calls at the given hours before now. */
function callsAt(hoursAgo: readonly number[], part: Partial<CallRecord> = {}): CallRecord[] {
  return hoursAgo.map((hours, i) =>
    sampleCall(i, {
      id: callId(Math.round(hours * 1000) * 10_000 + i * 100 + Object.keys(part).length),
      startedAt: NOW - hours * HOUR_MS,
      ...part,
    }),
  );
}

const TREND: TrendRequest = {
  period: TODAY,
  stepMs: HOUR_MS,
  bucketsMax: 400,
  groupBy: "NONE",
  topN: 2,
  rankBy: "CALLS",
  filter: ALL_USAGE,
  compare: false,
};

const BREAKDOWN: BreakdownRequest = {
  period: TODAY,
  groupBy: "MODEL",
  topN: 2,
  rankBy: "CALLS",
  filter: ALL_USAGE,
  compare: false,
  trendPoints: 0,
};

const models = [
  ...callsAt([1, 1, 2, 3], { modelServed: "a" }),
  ...callsAt([1, 2, 30], { modelServed: "b", endpoint: "/v1/messages" }),
  ...callsAt([3], { modelServed: "c", endpoint: "/v1/responses", streamed: false }),
  ...callsAt([5], { modelServed: "d", endpoint: "/v1/embeddings", streamed: false, ip: "" }),
];

test("a summary stands beside the period before and says who took part", async () => {
  const { reports } = bench([
    ...callsAt([1, 2, 3]),
    ...callsAt([25, 26], { clientKeyId: "ck_2" }),
    ...callsAt([100], { clientKeyId: "ck_3", ownerId: "usr_3" }),
  ]);
  const summary = await reports.summary(TODAY, ALL_USAGE);
  assert.deepEqual([summary.totals.calls, summary.previousTotals.calls], [3, 2]);
  assert.deepEqual(
    [summary.activeClientKeys, summary.activeProviderKeys, summary.activeOwners],
    [1, 1, 1],
  );
  assert.equal(summary.totals.costMicros, 3 * 340);
});

test("a trend has every bucket of its period, and tells no data from no calls of a group", async () => {
  const { reports } = bench(models);
  const { series, grid } = await reports.trend({ ...TREND, groupBy: "MODEL" });
  assert.equal(grid.stepMs, HOUR_MS);
  for (const line of series) assert.equal(line.buckets.length, 24);
  const [a] = series;
  const hour = (ago: number): number => 24 - ago;
  assert.equal(a!.buckets[hour(1)]?.calls, 2);
  assert.equal(a!.buckets[hour(5)]?.calls, 0, "others had calls in that hour");
  assert.equal(a!.buckets[hour(10)], null, "nobody had calls in that hour");
});

test("the lines of a trend add up to the whole, with the rest in one line at the end", async () => {
  const { reports } = bench(models);
  for (const groupBy of ["MODEL", "CLIENT_KEY"] as const) {
    const trend = await reports.trend({ ...TREND, groupBy, topN: groupBy === "MODEL" ? 2 : 1 });
    const sum = trend.series.reduce((calls, line) => calls + line.totals.calls, 0);
    assert.equal(sum, trend.totals.calls);
    assert.equal(trend.totals.calls, 8);
  }
  const { series } = await reports.trend({ ...TREND, groupBy: "MODEL" });
  assert.deepEqual(
    series.map((line) => [line.group, line.others, line.totals.calls]),
    [
      ["a", false, 4],
      ["b", false, 2],
      ["", true, 2],
    ],
  );
});

test("a compared trend has one earlier bucket for each bucket", async () => {
  const { reports } = bench(models);
  const { series } = await reports.trend({ ...TREND, compare: true });
  assert.equal(series[0]!.previousBuckets.length, 24);
  assert.equal(series[0]!.previousBuckets[24 - 6]?.calls, 1, "30 hours ago is 6 hours before");
});

test("a breakdown ranks groups in the unit asked for and folds the rest, with shares of the whole", async () => {
  const { reports } = bench([
    ...models,
    sampleCall(1, {
      id: callId(999),
      startedAt: NOW - HOUR_MS,
      modelServed: "c",
      costMicros: 9999,
    }),
  ]);
  const byCalls = await reports.breakdown(BREAKDOWN);
  assert.deepEqual(
    byCalls.rows.map((row) => row.group),
    ["a", "b"],
  );
  assert.deepEqual([byCalls.othersCount, byCalls.others?.totals.calls], [2, 3]);
  const shares = byCalls.rows.reduce((sum, row) => sum + row.share, byCalls.others?.share ?? 0);
  assert.ok(Math.abs(shares - 1) < 1e-9);
  const byCost = await reports.breakdown({ ...BREAKDOWN, rankBy: "COST" });
  assert.equal(byCost.rows[0]!.group, "c");
});

test("a compared breakdown sets each group beside itself before, the rest beside the rest", async () => {
  const { reports } = bench(models);
  const { rows, others, previousTotals } = await reports.breakdown({ ...BREAKDOWN, compare: true });
  assert.deepEqual(
    rows.map((row) => row.previousTotals?.calls),
    [0, 1],
  );
  assert.equal(others?.previousTotals?.calls, 0);
  assert.equal(previousTotals?.calls, 1);
});

test("small trends have the points asked for at most, with gaps where nothing was recorded", async () => {
  const { reports } = bench(models);
  const { rows } = await reports.breakdown({ ...BREAKDOWN, trendPoints: 12 });
  for (const row of rows) {
    assert.ok(row.trend.length > 0 && row.trend.length <= 12);
    const sum = row.trend.reduce<number>((calls, point) => calls + (point ?? 0), 0);
    assert.equal(sum, row.totals.calls);
  }
  assert.ok(rows[0]!.trend.includes(null));
});

test("the statistics of a client key are those of its calls alone, over whole days", async () => {
  const mine = { clientKeyId: "ck_mine" };
  const { reports } = bench([
    ...callsAt([1, 2], { ...mine, latencyMs: 100.126 }),
    ...callsAt([30], { ...mine, modelServed: null, modelAsked: "" }).map((call) => ({
      ...failedCall(0),
      id: call.id,
      startedAt: call.startedAt,
      ...mine,
      modelServed: null,
      modelAsked: "",
      latencyMs: 400,
    })),
    ...callsAt([1], { clientKeyId: "ck_other" }),
    ...callsAt([800], { clientKeyId: "ck_mine", ip: "" }),
  ]);
  const stats = await reports.clientKeyStats("ck_mine", 30);
  assert.deepEqual([stats.total, stats.success, stats.error], [3, 2, 1]);
  assert.equal(stats.successRate, 66.67);
  assert.equal(stats.averageLatencyMs, 200.08);
  assert.deepEqual(stats.models, [
    { model: "gpt-4o-mini", total: 2, success: 2, error: 0 },
    { model: "unknown", total: 1, success: 0, error: 1 },
  ]);
  assert.equal(stats.daily.length, 30);
  assert.equal(stats.daily.at(-1)?.sums?.calls, 2);
  assert.equal(stats.daily[0]?.sums, null);
});

test("a client key without calls has rate 0 and latency 0", async () => {
  const stats = await bench([]).reports.clientKeyStats("ck_none", 7);
  assert.deepEqual([stats.total, stats.successRate, stats.averageLatencyMs], [0, 0, 0]);
});

test("calls without a measured latency do not pull the mean down", async () => {
  const { ledger, reports } = bench(callsAt([1, 2], { latencyMs: 300 }));
  const usage = ledger.usage.bind(ledger);
  ledger.usage = async (query) =>
    (await usage(query)).map((row) => ({ ...row, calls: row.calls + 1, timedCalls: row.calls }));
  assert.equal((await reports.clientKeyStats(sampleCall(0).clientKeyId, 2)).averageLatencyMs, 300);
});

test("any period is covered by whole buckets, never more than asked for, that the roll-ups can answer", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: Date.UTC(1990, 0, 1), max: NOW }),
      fc.integer({ min: 1, max: 20 * 365 * DAY_MS }),
      fc.constantFrom(0, 1000, 60_000, 90_000, HOUR_MS, 5 * HOUR_MS, DAY_MS, 40 * DAY_MS),
      fc.integer({ min: 1, max: 400 }),
      (fromMs, length, stepMs, bucketsMax) => {
        const period = { fromMs, toMs: fromMs + length };
        const grid = gridOf(period, stepMs, bucketsMax);
        assert.ok(grid.fromMs <= period.fromMs && grid.toMs >= period.toMs);
        assert.equal((grid.toMs - grid.fromMs) % grid.stepMs, 0);
        assert.ok(countOf(grid) >= 1 && countOf(grid) <= Math.max(2, bucketsMax));
        assert.ok(grid.stepMs >= stepMs && grid.stepMs % 60_000 === 0);
        const rollupMs = { MINUTE: 60_000, HOUR: HOUR_MS, DAY: DAY_MS, ALL: 0 };
        assert.equal(grid.fromMs % rollupMs[rollupFor(grid.stepMs)], 0);
      },
    ),
    { numRuns: 500 },
  );
});

test("tokens are input and output together, each counted once", () => {
  const sums = { inputTokens: 5, outputTokens: 3, cacheReadTokens: 4 };
  assert.equal(amountOf({ ...zero, ...sums }, "TOKENS"), 8);
});

const zero = {
  calls: 0,
  errors: 0,
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
  costMicros: 0,
  unpricedCalls: 0,
  latencySumMs: 0,
  timedCalls: 0,
  requestBytes: 0,
  responseBytes: 0,
};
