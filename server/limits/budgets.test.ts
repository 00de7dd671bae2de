import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import {
  admits,
  admitted,
  CALL,
  DAY_MS,
  refusal,
  used,
  who,
  world,
} from "../../test/support/limiter-world.js";
import { type Budget, UNLIMITED } from "../core/limits.js";
import type { Ticket } from "./limiter.js";

test("twenty calls at once on a budget for five admit five", () => {
  const { limiter } = world();
  const key = who({ budgets: [{ period: "DAY", costMicros: 5_000, tokens: null }] });
  assert.equal(admitted(limiter, key, 20), 5);
  const fault = refusal(limiter, key);
  assert.equal(fault.code, "budget_exceeded");
  assert.equal(fault.retryAfterSeconds, 43_200);
  assert.match(fault.publicMessage, /\$0\.005 per day.*nothing is left.*2030-05-16/);
});

test("what a call did not use is free again, and what it used is spent until the period ends", () => {
  for (const [period, days] of [
    ["DAY", 1],
    ["WEEK", 5],
    ["MONTH", 17],
  ] as const) {
    const { clock, limiter } = world();
    const key = who({ budgets: [{ period, costMicros: null, tokens: 500 }] });
    for (let i = 0; i < 5; i++)
      limiter.admit(key, CALL, "OPENAI").settle({ tokens: 90, costMicros: 0 });
    const fault = refusal(limiter, key);
    assert.match(
      fault.publicMessage,
      /50 tokens can still be used, and this call may use up to 100 tokens/,
    );
    assert.deepEqual(used(limiter, key), { tokens: 450, costMicros: 0 });
    clock.advance(days * DAY_MS - DAY_MS / 2 - 1);
    assert.equal(admits(limiter, key), "budget_exceeded", period);
    clock.advance(1);
    assert.equal(typeof admits(limiter, key), "object", period);
  }
});

test("a budget is never overshot when calls use no more than they reserved", () => {
  const step = fc.tuple(fc.nat(9), fc.nat(100));
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 200, size: "max" }),
      fc.integer({ min: 0, max: 2_000 }),
      (steps, limit) => {
        const { limiter } = world();
        const key = who({ budgets: [{ period: "MONTH", costMicros: null, tokens: limit }] });
        const open: Ticket[] = [];
        for (const [at, tokens] of steps) {
          const ticket = admits(limiter, key);
          if (typeof ticket === "object") open.push(ticket);
          if (at < 6) continue;
          open.splice(0, 1)[0]?.settle({ tokens, costMicros: 0 });
          assert.ok(used(limiter, key).tokens <= limit);
        }
      },
    ),
  );
});

test("an estimate that would give room instead of taking it is refused, and changes nothing", () => {
  const { limiter } = world();
  const budget = { period: "DAY", costMicros: 5_000, tokens: 500 } as const;
  const key = who({ tokensPerMinute: 100, budgets: [budget] });
  for (const wrong of [-1, NaN, Infinity]) {
    for (const part of ["inputTokens", "maxOutputTokens", "costMicros"]) {
      const estimate = { ...CALL, [part]: wrong };
      assert.throws(() => limiter.admit(key, estimate, "OPENAI"), /assertion failed/);
    }
  }
  assert.deepEqual(used(limiter, key), { tokens: 0, costMicros: 0 });
  assert.equal(admitted(limiter, key, 2), 1);
});

test("an unpriced call needs a budget that is not used up", () => {
  const { limiter } = world();
  const key = who({ budgets: [{ period: "DAY", costMicros: 1_000, tokens: null }] });
  const free = { ...CALL, costMicros: 0 };
  assert.equal(typeof admits(limiter, key, free), "object");
  limiter.admit(key, CALL, "OPENAI").settle({ tokens: 0, costMicros: 1_000 });
  assert.equal(admits(limiter, key, free), "budget_exceeded");
});

test("several budgets hold at once, each over its own period", () => {
  const { clock, limiter } = world();
  const key = who({
    budgets: [
      { period: "DAY", costMicros: 2_000, tokens: null },
      { period: "MONTH", costMicros: null, tokens: 300 },
    ],
  });
  assert.equal(admitted(limiter, key, 5), 2);
  assert.match(refusal(limiter, key).publicMessage, /per day/);
  clock.advance(DAY_MS);
  assert.equal(admitted(limiter, key, 5), 1);
  assert.match(refusal(limiter, key).publicMessage, /per month/);
  const { id, limits } = key.clientKey;
  assert.deepEqual(
    limiter
      .budgetUse({ kind: "client key", id }, limits.budgets)
      .map(({ tokens, costMicros, resetsAt }) => [tokens, costMicros, resetsAt]),
    [
      [100, 1_000, Date.UTC(2030, 4, 17)],
      [300, 3_000, Date.UTC(2030, 5, 1)],
    ],
  );
});

test("a user's budget counts the calls of all keys, those before it was set too", async () => {
  const budgets: readonly Budget[] = [{ period: "DAY", costMicros: 5_000, tokens: null }];
  const limits = { ...UNLIMITED, budgets };
  const { limiter } = world({
    ownerLimits: (ownerId) => (ownerId === "usr_1" ? limits : null),
    loadSpent: ({ kind, id }) =>
      Promise.resolve({ tokens: 0, costMicros: kind === "user" && id === "usr_1" ? 3_000 : 0 }),
  });
  const user = { kind: "user", id: "usr_1" } as const;
  limiter.setLimits(user, limits);
  await Promise.resolve();
  assert.equal(admitted(limiter, who({}, "ck_1"), 1), 1);
  assert.equal(admitted(limiter, who({}, "ck_2"), 5), 1);
  assert.match(refusal(limiter, who({}, "ck_2")).publicMessage, /of this user/);
  assert.equal(limiter.budgetUse(user, budgets)[0]?.costMicros, 5_000);
  limiter.forget(user);
  assert.equal(limiter.budgetUse(user, budgets)[0]?.costMicros, 0);
});

test("a caller has a budget where the key, its user or the server has one", () => {
  const budgets: Budget[] = [{ period: "DAY", tokens: 1_000, costMicros: null }];
  const limited = { ...UNLIMITED, budgets };
  assert.equal(world().limiter.hasBudget(who({ requestsPerMinute: 5 })), false);
  assert.equal(world().limiter.hasBudget(who({ budgets })), true);
  const ofUser = world({ ownerLimits: (id) => (id === "usr_1" ? limited : null) }).limiter;
  assert.equal(ofUser.hasBudget(who({})), true);
  assert.equal(ofUser.hasBudget(who({}, "ck_2", "usr_2")), false);
  assert.equal(world({ serverLimits: () => limited }).limiter.hasBudget(who({})), true);
});
