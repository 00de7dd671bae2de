import assert from "node:assert/strict";
import test from "node:test";
import { Breaker, type BreakerFailure } from "./breaker.js";
import { RAMP_MS, RAMP_SUCCESSES } from "./health-policy.js";

const FAILURE: BreakerFailure = {
  atMs: 0,
  callerId: null,
  retryAfterMs: null,
  failuresMax: 5,
  restMaxMs: 60_000,
};

function fail(breaker: Breaker, atMs: number, more: Partial<BreakerFailure> = {}): boolean {
  const call = {};
  breaker.begin(call, atMs);
  return breaker.failed(call, { ...FAILURE, atMs, ...more });
}

function serve(breaker: Breaker, nowMs: number): void {
  const call = {};
  breaker.begin(call, nowMs);
  breaker.served(call, nowMs);
}

/** A breaker whose first rest ends at 1000 ms. */
function tripped(): Breaker {
  const breaker = new Breaker();
  for (let i = 0; i < 5; i++) assert.equal(fail(breaker, 0), i === 4);
  return breaker;
}

test("nothing is held against what has served a call since, and its calls are not kept in memory", () => {
  const breaker = new Breaker();
  assert.equal(breaker.isQuiet, true);
  fail(breaker, 0);
  assert.deepEqual([breaker.isQuiet, breaker.failures], [false, 1]);
  breaker.begin({}, 0);
  assert.equal(breaker.isTried, false);
  serve(breaker, 0);
  assert.deepEqual([breaker.isQuiet, breaker.failures], [true, 0]);
});

test("on the way back a failure now and then ends nothing, and as many in a row as at first do", () => {
  const breaker = tripped();
  assert.equal(breaker.failed({}, FAILURE), false, "a call from before the rest");
  for (let i = 0; i < 10; i++) {
    serve(breaker, 1_000);
    for (let k = 0; k < 4; k++) assert.equal(fail(breaker, 1_000), false);
    assert.equal(breaker.backMs(1_000), 1_000);
  }
  assert.equal(fail(breaker, 1_000), true);
  assert.equal(breaker.backMs(1_000), 3_000, "it was not back for good: it rests twice as long");
});

test("after fifty calls that were served, or a minute, it is as if nothing had been", () => {
  const byCalls = tripped();
  for (let i = 1; i < RAMP_SUCCESSES; i++) serve(byCalls, 1_000);
  assert.equal(byCalls.isQuiet, false);
  serve(byCalls, 1_000);
  const byTime = tripped();
  serve(byTime, 1_000 + RAMP_MS - 1);
  assert.equal(byTime.isQuiet, false);
  serve(byTime, 1_000 + RAMP_MS);
  for (const breaker of [byCalls, byTime]) {
    assert.equal(breaker.isQuiet, true);
    for (let i = 0; i < 5; i++) fail(breaker, 90_000);
    assert.equal(breaker.backMs(90_000), 91_000);
  }
});

test("failures of one user alone are counted, and open it once another's come in between", () => {
  const breaker = new Breaker();
  for (let i = 0; i < 20; i++) assert.equal(fail(breaker, 0, { callerId: "usr_a" }), false);
  assert.equal(fail(breaker, 0, { callerId: "usr_b" }), true);
  const other = new Breaker();
  for (let i = 0; i < 4; i++) fail(other, 0, { callerId: "usr_a" });
  assert.equal(fail(other, 0), true, "no call is to blame for this one");
});

test("a rest is as long as the provider asks for, and no longer than the policy allows otherwise", () => {
  const asked = new Breaker();
  for (let i = 0; i < 5; i++) fail(asked, 0, { retryAfterMs: 30_000 });
  assert.equal(asked.backMs(0), 30_000);
  const bounded = new Breaker();
  for (let i = 0; i < 5; i++) fail(bounded, 0, { restMaxMs: 400, retryAfterMs: 0 });
  assert.equal(bounded.backMs(0), 400);
});
