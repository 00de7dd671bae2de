import assert from "node:assert/strict";
import test from "node:test";
import {
  admits,
  admitted,
  CALL,
  DAY_MS,
  NOON,
  refusal,
  used,
  who,
  world,
} from "../../test/support/limiter-world.js";
import { type Budget, UNLIMITED } from "../core/limits.js";
import { periodEnd, periodStart } from "../core/period.js";
import { restoreBudgets } from "./restore-budgets.js";

test("a start takes up what the ledger knows, and a budget set later asks for it", async () => {
  const asked: [string, number][] = [];
  const { limiter } = world({
    loadSpent: ({ id }, { startMs }) => {
      asked.push([id, startMs]);
      return Promise.resolve({ tokens: 0, costMicros: 4_000 });
    },
  });
  const budget = { period: "DAY", costMicros: 5_000, tokens: null } as const;
  limiter.restore("client key", "DAY", [{ id: "ck_1", tokens: 0, costMicros: 3_000 }]);
  assert.equal(admitted(limiter, who({ budgets: [budget] }), 10), 2);
  assert.deepEqual(asked, []);
  const later = who({ budgets: [budget] }, "ck_2");
  limiter.admit(later, CALL, "OPENAI").settle({ tokens: 0, costMicros: 500 });
  await Promise.resolve();
  assert.deepEqual(asked, [["ck_2", Date.UTC(2030, 4, 15)]]);
  assert.deepEqual(used(limiter, later), { tokens: 0, costMicros: 4_500 });
  assert.equal(admits(limiter, later), "budget_exceeded");
});

test("a ledger that does not answer is reported and does not stop calls", async () => {
  const failed: string[] = [];
  const { limiter } = world({
    loadSpent: () => Promise.reject(new Error("away")),
    onLoadFailed: ({ id }) => void failed.push(id),
  });
  const key = who({ budgets: [{ period: "DAY", costMicros: 5_000, tokens: null }] });
  assert.equal(typeof admits(limiter, key), "object");
  await new Promise(setImmediate);
  assert.deepEqual(failed, ["ck_1"]);
});

test("a wall clock that jumps an hour or a day either way denies nobody wrongly", () => {
  for (const jumpMs of [3_600_000, -3_600_000, -DAY_MS, DAY_MS]) {
    const { clock, limiter } = world();
    const key = who({
      requestsPerMinute: 10,
      tokensPerMinute: 10_000,
      budgets: [{ period: "DAY", costMicros: 50_000, tokens: null }],
    });
    for (let i = 0; i < 20; i++) {
      if (i % 5 === 2) clock.jumpWall(i % 2 === 0 ? jumpMs : -jumpMs);
      const ticket = admits(limiter, key);
      assert.equal(typeof ticket, "object", `jump ${jumpMs}, call ${i}: ${String(ticket)}`);
      if (typeof ticket === "object") ticket.settle({ tokens: 10, costMicros: 10 });
      clock.advance(6_000);
    }
  }
});

test("a wall clock that was set far wrong and right again gives nobody a budget twice, nor keeps one from beginning anew", () => {
  for (const days of [1, 17, 40, 5 * 365, -17, -5 * 365]) {
    for (const period of ["DAY", "WEEK", "MONTH"] as const) {
      const { clock, limiter } = world();
      const key = who({ budgets: [{ period, costMicros: 5_000, tokens: null }] });
      limiter.admit(key, CALL, "OPENAI").settle({ tokens: 0, costMicros: 3_500 });
      const running = limiter.admit(key, CALL, "OPENAI");
      clock.jumpWall(days * DAY_MS);
      const end = periodEnd(period, periodStart(period, NOON));
      const wrong = periodStart(period, clock.now());
      const isOther = wrong !== periodStart(period, NOON);
      if (isOther) assert.deepEqual(used(limiter, key), { tokens: 0, costMicros: 0 });
      running.settle({ tokens: 0, costMicros: 1_000 });
      if (isOther) limiter.admit(key, CALL, "OPENAI").settle({ tokens: 0, costMicros: 500 });
      clock.jumpWall(-days * DAY_MS);
      const fault = refusal(limiter, key);
      assert.equal(used(limiter, key).costMicros, 4_500, `${days} days, ${period}`);
      assert.equal(fault.retryAfterSeconds, (end - NOON) / 1000);
      clock.advance(end - NOON);
      // What was spent under the wrong date was spent in that period.
      assert.equal(admitted(limiter, key, 10), wrong === end ? 4 : 5);
    }
  }
});

test("what a batch used in a period that the clock comes to from elsewhere adds to what the ledger knows", async () => {
  const { clock, limiter } = world({
    loadSpent: (_subject, { startMs }) =>
      Promise.resolve({ tokens: 0, costMicros: startMs === Date.UTC(2030, 4) ? 3_500 : 0 }),
  });
  const key = who({ budgets: [{ period: "MONTH", costMicros: 9_000, tokens: null }] });
  clock.jumpWall(-60 * 365 * DAY_MS);
  admitted(limiter, key, 1);
  clock.jumpWall(60 * 365 * DAY_MS);
  const batch = { id: "call_1", clientKeyId: key.clientKey.id, ownerId: key.ownerId };
  limiter.book({ tokens: 0, costMicros: 1_000 }, { ...batch, startedAt: clock.now() });
  await Promise.resolve();
  assert.equal(used(limiter, key).costMicros, 4_500);
});

test("a period that the clock comes to from elsewhere than the one before it begins with what the ledger knows", async () => {
  const asked: number[] = [];
  const { clock, limiter } = world({
    loadSpent: (_subject, { startMs }) => {
      asked.push(startMs);
      return Promise.resolve({ tokens: 0, costMicros: startMs === Date.UTC(2030, 4) ? 3_500 : 0 });
    },
  });
  const key = who({ budgets: [{ period: "MONTH", costMicros: 5_000, tokens: null }] });
  clock.jumpWall(-60 * 365 * DAY_MS);
  admitted(limiter, key, 1);
  clock.jumpWall(60 * 365 * DAY_MS);
  admitted(limiter, key, 1);
  await Promise.resolve();
  assert.equal(admitted(limiter, key, 5), 0);
  clock.advance(17 * DAY_MS);
  assert.equal(
    admitted(limiter, key, 9),
    5,
    "a month that follows on the last begins with nothing",
  );
  assert.deepEqual(asked, [Date.UTC(1970, 4), Date.UTC(2030, 4)]);
});

test("a restart fills each key's budget for its own period, and asks once for each period in use", async () => {
  const { clock, limiter } = world();
  const asked: [number, number][] = [];
  const rows = [
    { id: "ck_day", tokens: 0, costMicros: 4_000 },
    { id: "ck_month", tokens: 0, costMicros: 3_000 },
    { id: "ck_both", tokens: 0, costMicros: 4_000 },
    { id: "ck_none", tokens: 0, costMicros: 9_000 },
  ];
  const budget = (period: "DAY" | "MONTH"): Budget => ({ period, costMicros: 5_000, tokens: null });
  const both = [budget("DAY"), { ...budget("MONTH"), costMicros: 90_000 }];
  await restoreBudgets({
    limiter,
    clock,
    kind: "client key",
    limits: new Map([
      ["ck_day", { ...UNLIMITED, budgets: [budget("DAY")] }],
      ["ck_month", { ...UNLIMITED, budgets: [budget("MONTH")] }],
      ["ck_both", { ...UNLIMITED, budgets: both }],
    ]),
    spentIn: ({ startMs, endMs }) => {
      asked.push([startMs, endMs]);
      return Promise.resolve(rows);
    },
  });
  assert.deepEqual(asked, [
    [Date.UTC(2030, 4, 15), Date.UTC(2030, 4, 16)],
    [Date.UTC(2030, 4, 1), Date.UTC(2030, 5, 1)],
  ]);
  assert.equal(admitted(limiter, who({ budgets: [budget("DAY")] }, "ck_day"), 5), 1);
  assert.equal(admitted(limiter, who({ budgets: [budget("MONTH")] }, "ck_month"), 5), 2);
  assert.equal(admitted(limiter, who({ budgets: both }, "ck_both"), 5), 1);
  assert.equal(limiter.size, 3);
});
