import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.js";
import { DAY_MS } from "../core/durations.js";
import { ALL_USAGE } from "../core/usage.js";
import type { UsageBreakdown } from "../metering/usage-types.js";
import { KeptUsage } from "./kept-usage.js";

test("what an owner used is added up once in half a minute, by owner and span, and a failure is asked for again", async () => {
  const clock = new FakeClock();
  const asked: string[] = [];
  let fails = false;
  const usage = new KeptUsage(
    {
      breakdown: ({ period, filter }) => {
        asked.push(`${filter.ownerId ?? ""} ${(period.toMs - period.fromMs) / DAY_MS}`);
        if (fails) return Promise.reject(new Error("the database is away"));
        return Promise.resolve({ rows: [] } as unknown as UsageBreakdown);
      },
    },
    clock,
  );
  const ask = (ownerId: string, days: number): Promise<UsageBreakdown> => {
    const toMs = clock.now();
    return usage.breakdown({
      period: { fromMs: toMs - days * DAY_MS, toMs },
      groupBy: "OWNER",
      topN: 1,
      rankBy: "CALLS",
      filter: { ...ALL_USAGE, ownerId },
      compare: false,
      trendPoints: 0,
    });
  };
  const first = ask("usr_a", 1);
  clock.advance(29_999);
  assert.equal(ask("usr_a", 1), first);
  await Promise.all([ask("usr_a", 30), ask("usr_b", 1)]);
  assert.deepEqual(asked, ["usr_a 1", "usr_a 30", "usr_b 1"]);
  clock.advance(1);
  fails = true;
  await assert.rejects(ask("usr_a", 1));
  fails = false;
  await ask("usr_a", 1);
  await ask("usr_a", 1);
  assert.deepEqual(asked.slice(3), ["usr_a 1", "usr_a 1"]);
});
