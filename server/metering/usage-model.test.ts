import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { MemoryLedger } from "../../test/metering/memory-ledger.js";
import { callId, sampleCall } from "../../test/metering/sample-calls.js";
import { FakeClock } from "../../test/support/fake-clock.js";
import type { CallRecord } from "../core/call.js";
import { HOUR_MS } from "../core/durations.js";
import { ALL_USAGE, type UsageSums } from "../core/usage.js";
import { UsageReports } from "./usage.js";

const NOW = Date.UTC(2026, 10, 20, 12, 0, 0);
const HOURS = 6;
const PERIOD = { fromMs: NOW - HOURS * HOUR_MS, toMs: NOW };
const BEFORE = { fromMs: PERIOD.fromMs - HOURS * HOUR_MS, toMs: PERIOD.fromMs };
const BY = { MODEL: "modelServed", OWNER: "ownerId", PROVIDER_KEY: "providerKeyId" } as const;

type Span = typeof PERIOD;
/** Calls and their cost; null where nobody had any. */
type Told = readonly [calls: number, costMicros: number] | null;

function told(sums: UsageSums | null | undefined): Told {
  return sums === null || sums === undefined ? null : [sums.calls, sums.costMicros];
}

/** The calls that were made, and what is asked of them. */
interface World {
  readonly calls: readonly CallRecord[];
  readonly groupBy: keyof typeof BY;
  readonly rankBy: "CALLS" | "COST";
  readonly topN: number;
  readonly compare: boolean;
  /** Of one owner alone; null for all. */
  readonly ownerId: string | null;
}

/** The calls of a span, of a group or of all that `isOf` names. */
function within(world: World, span: Span, isOf: (group: string) => boolean = () => true) {
  return world.calls.filter(
    (call) =>
      call.startedAt >= span.fromMs &&
      call.startedAt < span.toMs &&
      (world.ownerId === null || call.ownerId === world.ownerId) &&
      isOf(call[BY[world.groupBy]] ?? ""),
  );
}

function sum(calls: readonly CallRecord[]): NonNullable<Told> {
  return [calls.length, calls.reduce((cost, call) => cost + (call.costMicros ?? 0), 0)];
}

/** By the hour: null where there was no call at all, of whatever group. */
function line(world: World, span: Span, isOf?: (group: string) => boolean): Told[] {
  return Array.from({ length: HOURS }, (_, at) => {
    const fromMs = span.fromMs + at * HOUR_MS;
    const hour = { fromMs, toMs: fromMs + HOUR_MS };
    return within(world, hour).length === 0 ? null : sum(within(world, hour, isOf));
  });
}

function amountOf({ rankBy }: World, [calls, cost]: NonNullable<Told>): number {
  return rankBy === "CALLS" ? calls : cost;
}

/** The largest first; of equals the one with more calls, then by name. */
function ranked(world: World): string[] {
  const groups = [...new Set(within(world, PERIOD).map((call) => call[BY[world.groupBy]] ?? ""))];
  const of = (group: string): NonNullable<Told> =>
    sum(within(world, PERIOD, (each) => each === group));
  return groups.toSorted(
    (a, b) =>
      amountOf(world, of(b)) - amountOf(world, of(a)) || of(b)[0] - of(a)[0] || (a < b ? -1 : 1),
  );
}

/** Which calls are of each line: those of the largest groups, and in the last the rest, if there is any. */
function linesOf(world: World): [name: string, isOf: (group: string) => boolean][] {
  const groups = ranked(world);
  const top = groups.slice(0, world.topN);
  const lines = top.map((group): [string, (each: string) => boolean] => [
    group,
    (each) => each === group,
  ]);
  if (groups.length > top.length) lines.push(["rest", (each) => !top.includes(each)]);
  return lines;
}

const name = (prefix: string) => fc.constantFrom("a", "b", "c", "d").map((each) => prefix + each);
const world: fc.Arbitrary<World> = fc.record({
  calls: fc.array(
    fc
      .record({
        startedAt: fc.integer({ min: BEFORE.fromMs - HOUR_MS, max: PERIOD.toMs + HOUR_MS }),
        modelServed: fc.option(name("m_"), { freq: 4 }),
        ownerId: name("usr_"),
        providerKeyId: fc.option(name("pk_"), { freq: 4 }),
        costMicros: fc.constantFrom(null, 0, 5, 7, 1_000),
      })
      .map((part) => sampleCall(0, { ...part, modelAsked: "" })),
    { maxLength: 40, size: "max" },
  ),
  groupBy: fc.constantFrom(...(Object.keys(BY) as (keyof typeof BY)[])),
  rankBy: fc.constantFrom("CALLS", "COST"),
  topN: fc.integer({ min: 1, max: 5 }),
  compare: fc.boolean(),
  ownerId: fc.option(name("usr_")),
});

function reportsOf({ calls }: World): UsageReports {
  const ledger = new MemoryLedger();
  for (const [at, call] of calls.entries())
    ledger.calls.set(callId(at), { ...call, id: callId(at) });
  return new UsageReports({ ledger, clock: new FakeClock(NOW) });
}

test("each line of a trend, and of the period before, is what its calls add up to", async () => {
  await fc.assert(
    fc.asyncProperty(world, async (of) => {
      const { groupBy, rankBy, topN, compare, ownerId } = of;
      const filter = { ...ALL_USAGE, ownerId };
      const asked = {
        period: PERIOD,
        stepMs: HOUR_MS,
        bucketsMax: 400,
        filter,
        rankBy,
        topN,
        compare,
      };
      const trend = await reportsOf(of).trend({ ...asked, groupBy });
      const previous = (isOf?: (group: string) => boolean): Told[] =>
        compare ? line(of, BEFORE, isOf) : [];
      assert.deepEqual(
        trend.series.map((each) => [
          each.others ? "rest" : each.group,
          each.buckets.map(told),
          each.previousBuckets.map(told),
          told(each.totals),
        ]),
        linesOf(of).map(([group, isOf]) => [
          group,
          line(of, PERIOD, isOf),
          previous(isOf),
          sum(within(of, PERIOD, isOf)),
        ]),
      );
      const [whole] = (await reportsOf(of).trend({ ...asked, groupBy: "NONE" })).series;
      assert.deepEqual(whole?.buckets.map(told), line(of, PERIOD));
      assert.deepEqual(whole?.previousBuckets.map(told), previous());
      assert.deepEqual(told(trend.totals), sum(within(of, PERIOD)));
    }),
    { numRuns: 150 },
  );
});

test("each row of a breakdown, its share, its past and its small trend are what its calls add up to", async () => {
  await fc.assert(
    fc.asyncProperty(world, fc.constantFrom(0, HOURS), async (of, trendPoints) => {
      const { groupBy, rankBy, topN, compare, ownerId } = of;
      const filter = { ...ALL_USAGE, ownerId };
      const asked = { period: PERIOD, groupBy, filter, rankBy, topN, compare, trendPoints };
      const found = await reportsOf(of).breakdown(asked);
      const all = sum(within(of, PERIOD));
      const rows = found.others === null ? found.rows : [...found.rows, found.others];
      assert.deepEqual(
        rows.map((row) => [row.group, told(row.totals), told(row.previousTotals), row.share]),
        linesOf(of).map(([group, isOf]) => {
          const totals = sum(within(of, PERIOD, isOf));
          const past = compare ? sum(within(of, BEFORE, isOf)) : null;
          const whole = amountOf(of, all);
          const share = whole === 0 ? 0 : amountOf(of, totals) / whole;
          return [group === "rest" ? "" : group, totals, past, share];
        }),
      );
      for (const [at, [, isOf]] of linesOf(of).slice(0, found.rows.length).entries()) {
        const points = line(of, PERIOD, isOf).map((each) => each && amountOf(of, each));
        // What is drawn for one group alone knows nothing of the hours of others.
        const drawn = points.map((each) => (each === 0 ? null : each));
        const isSame = (each: number | null, i: number): boolean => (each ?? 0) === (drawn[i] ?? 0);
        const { trend = [] } = found.rows[at] ?? {};
        assert.equal(trend.length, trendPoints);
        assert.ok(trend.every(isSame), `${JSON.stringify(trend)} for ${JSON.stringify(points)}`);
      }
      assert.equal(found.othersCount, Math.max(0, ranked(of).length - topN));
      assert.deepEqual(told(found.totals), all);
      assert.deepEqual(told(found.previousTotals), compare ? sum(within(of, BEFORE)) : null);
    }),
    { numRuns: 150 },
  );
});
