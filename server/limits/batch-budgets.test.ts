import assert from "node:assert/strict";
import test from "node:test";
import {
  admits,
  admitted,
  DAY_MS,
  LATER,
  used,
  who,
  world,
} from "../../test/support/limiter-world.js";
import type { Principal } from "../core/client-key.js";
import { type Limits, UNLIMITED } from "../core/limits.js";
import type { SubjectId } from "./limit-subject.js";
import { SERVER } from "./limiter.js";

test("what is set aside for a batch is free again as soon as it is given back", () => {
  const daily = { budgets: [{ period: "DAY", tokens: null, costMicros: 2_000 }] } as const;
  const limits = { ...UNLIMITED, ...daily };
  const { limiter } = world({ ownerLimits: () => limits, serverLimits: () => limits });
  const principal = who(daily);
  const holder = { clientKeyId: principal.clientKey.id, ownerId: principal.ownerId };
  limiter.setLimits({ kind: "client key", id: holder.clientKeyId }, limits);
  limiter.setLimits({ kind: "user", id: holder.ownerId }, limits);
  limiter.setLimits(SERVER, limits);
  const first = limiter.setAside(holder, LATER);
  const second = limiter.setAside(holder, LATER);
  assert.equal(admits(limiter, principal), "budget_exceeded");
  first();
  assert.equal(admitted(limiter, principal, 2), 1);
  second();
  assert.equal(admitted(limiter, principal, 2), 1);
});

test("what a batch may use is set aside in budgets that are set, or begin anew, before it is counted", () => {
  const daily = { budgets: [{ period: "DAY", tokens: null, costMicros: 2_000 }] } as const;
  const monthly = { budgets: [{ period: "MONTH", tokens: null, costMicros: 2_000 }] } as const;
  for (const limited of ["KEY", "USER", "SERVER"] as const) {
    let limits: Limits = UNLIMITED;
    const whose = (kind: typeof limited): Limits => (limited === kind ? limits : UNLIMITED);
    const { limiter, clock } = world({
      ownerLimits: () => whose("USER"),
      serverLimits: () => whose("SERVER"),
    });
    const principal = (): Principal => who(whose("KEY"));
    const { clientKey, ownerId } = principal();
    const subject: SubjectId = {
      KEY: { kind: "client key", id: clientKey.id } as const,
      USER: { kind: "user", id: ownerId } as const,
      SERVER,
    }[limited];
    const giveBack = limiter.setAside({ clientKeyId: clientKey.id, ownerId }, LATER);
    for (const next of [daily, monthly]) {
      limits = { ...UNLIMITED, ...next };
      limiter.setLimits(subject, limits);
      assert.equal(admitted(limiter, principal(), 2), 1, limited);
      assert.equal(limiter.budgetUse(subject, next.budgets)[0]?.costMicros, 2_000);
      clock.advance(40 * DAY_MS);
      assert.equal(limiter.budgetUse(subject, next.budgets)[0]?.costMicros, 1_000);
      assert.equal(admitted(limiter, principal(), 2), 1, limited);
    }
    clock.advance(40 * DAY_MS);
    giveBack();
    assert.equal(limiter.budgetUse(subject, monthly.budgets)[0]?.costMicros, 0);
    assert.equal(admitted(limiter, principal(), 3), 2, limited);
  }
});

test("those of whom only a batch is known are forgotten once it is counted", () => {
  const { limiter, clock } = world();
  const giveBack = limiter.setAside({ clientKeyId: "ck_1", ownerId: "usr_1" }, LATER);
  const passes = (): void => {
    for (let calls = 0; calls < 200; calls++) admits(limiter, who({}, "ck_other", "usr_other"));
  };
  passes();
  assert.equal(limiter.size, 3);
  giveBack();
  clock.advance(DAY_MS);
  passes();
  assert.equal(limiter.size, 0);
});

test("what is used in a batch fills the budgets of its key, its user and the server, and no minute", () => {
  const daily = { budgets: [{ period: "DAY", tokens: null, costMicros: 10_000 }] } as const;
  const limits = { ...UNLIMITED, ...daily };
  const { limiter, clock } = world({ ownerLimits: () => limits, serverLimits: () => limits });
  const principal = who({ ...daily, tokensPerMinute: 150 });
  const { id } = principal.clientKey;
  const call = { id: "call_1", clientKeyId: id, ownerId: "usr_1" };
  const ticket = admits(limiter, principal, LATER);
  assert.ok(typeof ticket === "object");
  ticket.settle({ tokens: 0, costMicros: 0 }, { ...call, startedAt: clock.now() });
  const giveBack = limiter.setAside(call, LATER);
  assert.deepEqual(used(limiter, principal), { tokens: 100, costMicros: 1_000 });
  // A minute's tokens are all there, and no call is in flight.
  assert.equal(admitted(limiter, principal, 1), 1);
  clock.advance(DAY_MS);
  const spent = { tokens: 5_000_000, costMicros: 9_500 };
  limiter.book(spent, { ...call, startedAt: clock.now() });
  // That of a day that is long over fills no budget.
  limiter.book(spent, { ...call, startedAt: clock.now() - 3 * DAY_MS });
  giveBack();
  assert.deepEqual(used(limiter, principal), { tokens: 5_000_000, costMicros: 9_500 });
  for (const subject of [
    { kind: "user", id: "usr_1" },
    { kind: "server", id: "server" },
  ] as const) {
    assert.equal(limiter.budgetUse(subject, daily.budgets)[0]?.costMicros, 9_500);
  }
  assert.equal(admits(limiter, principal), "budget_exceeded");
  const free = { inputTokens: 0, maxOutputTokens: 0, costMicros: 0, isFree: true } as const;
  assert.equal(typeof admits(limiter, principal, free), "object");
});
