import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../core/durations.js";
import { MINUTES } from "./rollup-levels.js";
import { planUsage } from "./usage-plan.js";

const DAY = Date.UTC(2026, 0, 15);
const FOLDED = { foldedUntilMs: DAY + 100 * DAY_MS, minutesFromMs: 0, hoursFromMs: 0 };

test("segments cover the range without gap or overlap, and take only what is complete", () => {
  const time = fc.integer({ min: DAY, max: DAY + 5 * DAY_MS });
  fc.assert(
    fc.property(
      time,
      time,
      time,
      fc.constantFrom("MINUTE" as const, "HOUR" as const, "DAY" as const, "ALL" as const),
      (one, other, foldedUntilMs, bucket) => {
        const range = { fromMs: Math.min(one, other), toMs: Math.max(one, other), bucket };
        const plan = planUsage(range, { ...FOLDED, foldedUntilMs });
        let reached = plan[0]?.fromMs ?? range.toMs;
        assert.ok(reached <= range.fromMs || plan.length === 0);
        for (const { level, fromMs, toMs } of plan) {
          assert.equal(fromMs, reached);
          assert.ok(toMs > fromMs);
          assert.equal(fromMs % level.bucketMs, 0);
          assert.equal(toMs % level.bucketMs, 0);
          if (level !== MINUTES) assert.ok(toMs <= foldedUntilMs, "not folded yet");
          reached = toMs;
        }
        assert.ok(reached >= range.toMs);
      },
    ),
  );
});

test("a sum over days and a bit reads few minutes", () => {
  const fromMs = DAY + 10 * HOUR_MS + 17 * MINUTE_MS;
  const plan = planUsage({ fromMs, toMs: fromMs + 30 * DAY_MS, bucket: "ALL" }, FOLDED);
  assert.deepEqual(
    plan.map(({ level, fromMs: from, toMs }) => [level.rollups, (toMs - from) / level.bucketMs]),
    [
      ["rollups_minute", 43],
      ["rollups_hour", 13],
      ["rollups_day", 29],
      ["rollups_hour", 10],
      ["rollups_minute", 17],
    ],
  );
});

test("where minutes or hours are gone, a sum begins at the whole hour or day", () => {
  const fromMs = DAY + 10 * HOUR_MS + 17 * MINUTE_MS;
  const range = { fromMs, toMs: fromMs + DAY_MS, bucket: "ALL" as const };
  const start = (state: Partial<typeof FOLDED>) =>
    planUsage(range, { ...FOLDED, ...state })[0]?.fromMs;
  assert.equal(start({ minutesFromMs: DAY + 2 * DAY_MS }), DAY + 10 * HOUR_MS);
  assert.equal(start({ hoursFromMs: DAY + 2 * DAY_MS, minutesFromMs: DAY + 2 * DAY_MS }), DAY);
  assert.deepEqual(planUsage({ ...range, toMs: range.fromMs }, FOLDED).length <= 1, true);
});
