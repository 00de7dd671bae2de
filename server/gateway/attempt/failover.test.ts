import assert from "node:assert/strict";
import { test } from "node:test";
import { aProviderKey, aRoute } from "../../../test/support/records.js";
import type { AttemptOutcome } from "../../core/call.js";
import type { AttemptFailure } from "./attempt-failure.js";
import { Failover } from "./failover.js";
import { GATEWAY_LIMITS, type GatewayLimits } from "../limits.js";

const LIMITS: GatewayLimits = {
  ...GATEWAY_LIMITS,
  attemptsMax: 4,
  providerFailuresMax: 2,
  keyWaitMs: 5_000,
};
const POOL = { failoverDeadlineMs: 60_000 };

function failure(outcome: AttemptOutcome, part: Partial<AttemptFailure> = {}): AttemptFailure {
  return {
    outcome,
    elsewhere: true,
    httpStatus: 400,
    retryAfterMs: null,
    detail: outcome,
    kind: undefined,
    reply: undefined,
    ...part,
  };
}

function tryWith(failover: Failover, keyId: string, outcome: AttemptOutcome, part = {}): void {
  const [target] = aRoute().targets;
  assert.ok(target !== undefined);
  failover.begin();
  failover.failed({ providerKey: aProviderKey(keyId), target }, failure(outcome, part));
}

/** How long it waits each time in a row, for keys that are said to be ready; null for no more. */
function pauses(failover: Failover, count: number): (number | null)[] {
  return Array.from({ length: count }, () => failover.wait(0, 0, 0) ?? null);
}

test("keys that refuse a call are waited for twice, in case another is ready, and not again", () => {
  const failover = new Failover(LIMITS, POOL);
  tryWith(failover, "pk_1", "KEY_REFUSED");
  tryWith(failover, "pk_2", "UNREACHABLE", { kind: "REFUSED_URL" });
  assert.deepEqual(pauses(failover, 4), [50, 100, null, null]);
  assert.deepEqual([...failover.refused], ["pk_1", "pk_2"]);
});

test("keys that will be back are waited for, however often only those that refuse a call were ready", () => {
  const failover = new Failover(LIMITS, POOL);
  tryWith(failover, "pk_1", "KEY_REFUSED");
  assert.deepEqual(pauses(failover, 3), [50, 100, null]);
  assert.equal(failover.wait(1_000, 0, 0), 1_000);
});

test("three keys that refuse one model speak for its others, and three failures for their provider's", () => {
  const [one, other, elsewhere] = [
    ...aRoute("model-x", "prv_1").targets,
    ...aRoute("model-y", "prv_1").targets,
    ...aRoute("model-x", "prv_2").targets,
  ];
  assert.ok(one && other && elsewhere);
  for (const [outcome, modelGone, fails] of [
    ["MODEL_REFUSED", [true, false, false], [false, false, false]],
    ["PROVIDER_ERROR", [false, false, false], [true, true, false]],
    ["KEY_REFUSED", [false, false, false], [false, false, false]],
    ["RATE_LIMITED", [false, false, false], [false, false, false]],
  ] as const) {
    const failover = new Failover(LIMITS, POOL);
    const often = (): [boolean[], boolean[]] => [
      [one, other, elsewhere].map((target) => failover.refusedOften(target)),
      [one, other, elsewhere].map((target) => failover.failsOften(target)),
    ];
    const none = [false, false, false];
    failover.failed({ providerKey: aProviderKey("pk_else"), target: elsewhere }, failure(outcome));
    for (const id of ["pk_1", "pk_2", "pk_3"]) {
      assert.deepEqual(often(), [none, none], outcome);
      failover.failed({ providerKey: aProviderKey(id), target: one }, failure(outcome));
    }
    assert.deepEqual(often(), [modelGone, fails], outcome);
  }
});

test("a key that has failed may do better after a pause, again and again as long as it is tried", () => {
  const failover = new Failover(LIMITS, POOL);
  tryWith(failover, "pk_refuses", "KEY_REFUSED");
  const waits: (number | undefined)[] = [];
  for (let i = 0; i < 6; i++) {
    tryWith(failover, "pk_limited", "RATE_LIMITED");
    assert.deepEqual([...failover.tried], ["pk_refuses", "pk_limited"]);
    waits.push(failover.wait(0, 0, 0));
    assert.deepEqual([...failover.tried], ["pk_refuses"]);
  }
  assert.deepEqual(waits, [50, 100, 200, 400, 800, 1000]);
});

test("a call that no key has refused waits for one that is said to be ready", () => {
  assert.deepEqual(pauses(new Failover(LIMITS, POOL), 6), [50, 100, 200, 400, 800, 1000]);
});

test("calls that come back are spread, those that have waited long less", () => {
  const failover = new Failover(LIMITS, POOL);
  assert.equal(failover.wait(1_000, 0, 0), 1_000);
  assert.equal(failover.wait(1_000, 0, 1), 1_050);
  assert.equal(failover.wait(1_000, 2_500, 1), 1_025);
  assert.equal(failover.wait(0, 0, 1), 100);
});

test("no wait goes beyond what a call may look for a key", () => {
  assert.equal(new Failover(LIMITS, POOL).wait(1_000, 4_000, 0), 1_000);
  assert.equal(new Failover(LIMITS, POOL).wait(1_001, 4_000, 0), undefined);
  assert.equal(new Failover(LIMITS, { failoverDeadlineMs: 100 }).wait(101, 0, 0), undefined);
  for (const outcome of ["REQUEST_REFUSED", "TIMEOUT"] as const) {
    const failover = new Failover(LIMITS, POOL);
    tryWith(failover, "pk_1", outcome);
    assert.equal(failover.wait(1, 0, 0), undefined, outcome);
  }
});

test("tries are few in all, fewer where a provider may have worked, and none but the first begins late", () => {
  const few = new Failover(LIMITS, POOL);
  assert.equal(few.mayGoOn(60_001), true);
  for (let i = 0; i < 4; i++) {
    assert.equal(few.mayGoOn(60_000), true);
    tryWith(few, `pk_${i}`, "KEY_REFUSED");
    assert.equal(few.mayGoOn(60_001), false);
  }
  assert.equal(few.mayGoOn(0), false);
  for (const outcome of ["PROVIDER_ERROR", "TIMEOUT", "CUT"] as const) {
    const failover = new Failover(LIMITS, POOL);
    tryWith(failover, "pk_1", outcome);
    assert.equal(failover.mayGoOn(0), true);
    tryWith(failover, "pk_2", outcome);
    assert.equal(failover.mayGoOn(0), false, outcome);
  }
});

test("the caller is told what says most: an answer before a refusal, a limit before trouble with a key", () => {
  for (const [outcomes, told] of [
    [["KEY_REFUSED", "QUOTA_EXHAUSTED"], 0],
    [["KEY_REFUSED", "RATE_LIMITED", "MODEL_REFUSED"], 1],
    [["RIGHT_REFUSED", "KEY_REFUSED"], 0],
    [["MODEL_REFUSED", "RIGHT_REFUSED"], 1],
    [["RATE_LIMITED", "PROVIDER_ERROR"], 1],
    [["RATE_LIMITED", "RIGHT_REFUSED"], 0],
    [["RATE_LIMITED", "REQUEST_REFUSED"], 0],
  ] as const) {
    const failover = new Failover(LIMITS, POOL);
    for (const [i, outcome] of outcomes.entries()) tryWith(failover, `pk_${i}`, outcome);
    assert.equal(failover.failure?.outcome, outcomes[told], outcomes.join());
  }
});
