import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.js";
import { aClientKey } from "../../test/support/records.js";
import type { Principal } from "../core/client-key.js";
import { HOUR_MS } from "../core/durations.js";
import { Fault } from "../core/fault.js";
import { UNLIMITED, type Budget, type Limits } from "../core/limits.js";
import { Limiter } from "./limiter.js";

const CALL = { inputTokens: 40, maxOutputTokens: 60, costMicros: 0 };
const NOTHING = { tokens: 0, costMicros: 0 };

function who(id: string, limits: Partial<Limits>): Principal {
  const ownerId = "usr_1";
  return { ownerId, clientKey: aClientKey(id, { ownerId, limits: { ...UNLIMITED, ...limits } }) };
}

function retryAfter(limiter: Limiter, principal: Principal): number | undefined {
  try {
    limiter.admit(principal, CALL, "OPENAI");
  } catch (thrown) {
    assert.ok(thrown instanceof Fault);
    return thrown.retryAfterSeconds;
  }
  return undefined;
}

/** Has other keys call so often that what can be forgotten is. */
function letForget(limiter: Limiter): void {
  for (let i = 0; i < 2_000; i++) {
    limiter.admit(who("ck_other", { concurrency: 1 }), CALL, "OPENAI").settle(NOTHING);
  }
}

test("what was let in within the minute is not forgotten, whichever limit it counts for", () => {
  for (const limits of [{ requestsPerMinute: 1 }, { tokensPerMinute: 100 }]) {
    const clock = new FakeClock();
    const limiter = new Limiter({ clock });
    const key = who("ck_1", limits);
    const used = { tokens: 100, costMicros: 0 };
    limiter.admit(key, CALL, "OPENAI").settle(used);
    clock.advance(59_999);
    letForget(limiter);
    assert.equal(retryAfter(limiter, key), 1);
    clock.advance(1);
    letForget(limiter);
    assert.equal(limiter.size, 1);
  }
});

test("idle keys are forgotten however many before them are not", () => {
  const clock = new FakeClock();
  const limiter = new Limiter({ clock });
  for (let i = 0; i < 200; i++) {
    limiter.admit(who(`ck_busy_${i}`, { concurrency: 1 }), CALL, "OPENAI");
  }
  for (let i = 0; i < 200; i++) {
    limiter.admit(who(`ck_idle_${i}`, { concurrency: 1 }), CALL, "OPENAI").settle(NOTHING);
  }
  letForget(limiter);
  assert.equal(limiter.size, 201);
});

test("a refusal for tokens says to the second when there is room", () => {
  const clock = new FakeClock();
  const limiter = new Limiter({ clock });
  const key = who("ck_1", { tokensPerMinute: 150 });
  limiter.admit(key, CALL, "OPENAI");
  clock.advance(20_500);
  assert.equal(retryAfter(limiter, key), 40);
  clock.advance(40_000);
  assert.equal(retryAfter(limiter, key), undefined);
});

test("the tightest limit is told, whoever's it is", () => {
  const clock = new FakeClock();
  const limits = (requestsPerMinute: number): Limits => ({ ...UNLIMITED, requestsPerMinute });
  for (const [ofKey, ofUser, ofServer] of [
    [3, 8, 9],
    [8, 3, 9],
    [8, 9, 3],
  ] as const) {
    const limiter = new Limiter({
      clock,
      ownerLimits: () => limits(ofUser),
      serverLimits: () => limits(ofServer),
    });
    const { headers } = limiter.admit(who("ck_1", limits(ofKey)), CALL, "OPENAI");
    assert.match(headers, /x-ratelimit-limit-requests: 3\r\n/);
    assert.match(headers, /x-ratelimit-remaining-requests: 2\r\n/);
  }
});

test("a call that was running when a budget of its user or of the server was set counts when it ends", () => {
  const budgets: readonly Budget[] = [{ period: "DAY", costMicros: 5_000, tokens: null }];
  for (const id of [
    { kind: "user", id: "usr_1" },
    { kind: "server", id: "server" },
  ] as const) {
    const clock = new FakeClock(Date.UTC(2030, 4, 15, 12));
    const limiter = new Limiter({ clock });
    const key = who("ck_1", {});
    const ticket = limiter.admit(key, CALL, "OPENAI");
    limiter.setLimits(id, { ...UNLIMITED, budgets });
    const call = { id: "call_1", startedAt: clock.now(), clientKeyId: "ck_1", ownerId: "usr_1" };
    ticket.settle({ tokens: 7, costMicros: 11 }, call);
    assert.equal(limiter.budgetUse(id, budgets)[0]?.costMicros, 11);
  }
});

test("what a budget has used is not forgotten where the clock was set back over midnight and is right again", () => {
  const clock = new FakeClock(Date.UTC(2030, 4, 1, 0, 10));
  const limiter = new Limiter({ clock });
  const budget: Budget = { period: "DAY", tokens: 1_000, costMicros: null };
  const key = who("ck_1", { budgets: [budget] });
  const use = (): number | undefined =>
    limiter.budgetUse({ kind: "client key", id: "ck_1" }, [budget])[0]?.tokens;
  for (const [jumpMs, tokens] of [
    [0, 100],
    [-HOUR_MS, 7],
  ] as const) {
    clock.jumpWall(jumpMs);
    limiter.admit(key, CALL, "OPENAI").settle({ tokens, costMicros: 0 });
  }
  assert.equal(use(), 7);
  clock.jumpWall(HOUR_MS);
  clock.advance(120_000);
  letForget(limiter);
  assert.equal(use(), 100);
});
