import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { callId, failedCall, sampleCall } from "../../test/metering/sample-calls.js";
import { FakeClock } from "../../test/support/fake-clock.js";
import { DimensionTable } from "./dimension-table.js";
import { Meter } from "./meter.js";
import { RECENT_ERRORS_MAX } from "./recent-errors.js";

function bench(): { clock: FakeClock; meter: Meter } {
  const clock = new FakeClock();
  clock.advance(123_456);
  return { clock, meter: new Meter({ clock }) };
}

test("a window holds exactly the calls of its seconds, for any pattern of calls and pauses", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(60_000), fc.nat(3)), { maxLength: 60, size: "max" }),
      fc.constantFrom(1, 10, 60, 300, 900),
      (steps, windowSeconds) => {
        const { clock, meter } = bench();
        const began = clock.monotonic();
        const seconds: number[] = [];
        for (const [pauseMs, calls] of steps) {
          clock.advance(pauseMs);
          for (let i = 0; i < calls; i++) {
            meter.add(sampleCall(i));
            seconds.push(Math.floor((clock.monotonic() - began) / 1000));
          }
        }
        const now = Math.floor((clock.monotonic() - began) / 1000);
        const inside = seconds.filter((second) => second > now - windowSeconds);
        assert.equal(meter.window(windowSeconds).sums.calls, inside.length);
        assert.equal(meter.totals().sums.calls, seconds.length);
        assert.equal(meter.totals().providers[0]?.calls ?? 0, seconds.length);
      },
    ),
    { numRuns: 100 },
  );
});

test("calls are counted by what the caller got, each once", () => {
  const { meter } = bench();
  meter.add(sampleCall(1));
  for (const httpStatus of [429, 404, 402, 500, 502, 499, 200]) {
    meter.add(failedCall(2, { httpStatus }));
  }
  const { sums } = meter.window(60);
  assert.deepEqual(
    [sums.calls, sums.successes, sums.rateLimited, sums.callerErrors, sums.aborted],
    [8, 1, 1, 2, 1],
  );
  assert.equal(
    sums.serverErrors,
    3,
    "a stream that broke after its 200 is a failure of the server",
  );
});

test("rates leave out the running second, shares do not", () => {
  const { clock, meter } = bench();
  for (let second = 0; second < 5; second++) {
    for (let i = 0; i < 10; i++) meter.add(sampleCall(i));
    clock.advance(1000);
  }
  meter.add(sampleCall(1));
  const { seconds, sums } = meter.wholeSeconds(60);
  assert.deepEqual([seconds, sums.calls], [5, 50]);
  assert.equal(meter.window(60).sums.calls, 51);
});

test("history tells seconds without calls from seconds before the start, and levels stay between events", () => {
  const { clock, meter } = bench();
  meter.setInflight(3);
  meter.add(sampleCall(1));
  clock.advance(4000);
  meter.setInflight(1);
  clock.advance(2000);
  const history = meter.history(10);
  assert.equal(history.length, 10);
  assert.deepEqual(
    history.map((second) => second.gap),
    [true, true, true, true, false, false, false, false, false, false],
  );
  assert.deepEqual(
    history.map((second) => second.sums.calls),
    [0, 0, 0, 0, 1, 0, 0, 0, 0, 0],
  );
  assert.deepEqual(
    history.map((second) => second.inflight),
    [0, 0, 0, 0, 3, 3, 3, 3, 1, 1],
  );
  assert.deepEqual(
    history.map((second) => clock.now() - second.atMs),
    [10, 9, 8, 7, 6, 5, 4, 3, 2, 1].map((seconds) => seconds * 1000),
  );
});

test("setting the wall clock neither loses nor repeats calls", () => {
  const { clock, meter } = bench();
  for (const jump of [3_600_000, -3_600_000, -86_400_000]) {
    meter.add(sampleCall(1));
    clock.jumpWall(jump);
    clock.advance(1000);
  }
  assert.equal(meter.window(60).sums.calls, 3);
});

test("a failed attempt counts against the provider that failed, the call for the one that answered", () => {
  const { meter } = bench();
  const [ok] = sampleCall(1).attempts;
  const failed = { ...ok!, providerId: "prv_bad", providerKeyId: "pk_bad" } as const;
  meter.add(
    sampleCall(1, { attempts: [{ ...failed, outcome: "RATE_LIMITED", httpStatus: 429 }, ok!] }),
  );
  const bad = meter.group("PROVIDER", "prv_bad", 60)!;
  const good = meter.group("PROVIDER", ok!.providerId, 60)!;
  assert.deepEqual([bad.calls, bad.successes, bad.inputTokens, bad.costMicros], [1, 0, 0, 0]);
  assert.deepEqual(
    [good.calls, good.successes, good.inputTokens, good.costMicros],
    [1, 1, 812, 340],
  );
  assert.equal(meter.window(60).sums.failovers, 1);
});

test("a refused request or a caller who left is no failure of the provider", () => {
  const { meter } = bench();
  const [ok] = sampleCall(1).attempts;
  for (const outcome of ["REQUEST_REFUSED", "CALLER_ABORTED"] as const) {
    meter.add(failedCall(1, { attempts: [{ ...ok!, outcome }] }));
  }
  const group = meter.group("PROVIDER", ok!.providerId, 60)!;
  assert.deepEqual([group.calls, group.successes], [2, 2]);
});

test("models that no provider serves get no row of their own", () => {
  const { meter } = bench();
  for (let i = 0; i < 1000; i++) {
    meter.add(failedCall(i, { modelAsked: `junk-${i}`, providerId: null, attempts: [] }));
  }
  assert.equal(meter.groups("MODEL", 60).length, 0);
  assert.equal(meter.window(60).sums.calls, 1000);
});

test("a table keeps its bound however many groups come, and keeps those in use", () => {
  const table = new DimensionTable({ entriesMax: 80, latencySpanSeconds: 0 });
  const event = {
    success: true,
    durationMs: 1,
    inputTokens: 1,
    outputTokens: 1,
    costMicros: null,
  };
  for (let second = 0; second < 3000; second += 5) {
    table.add("steady", second, event);
    for (let i = 0; i < 3; i++) table.add(`passing-${second}-${i}`, second, event);
    assert.ok(table.size <= 80);
  }
  assert.ok(table.one("steady", 2900, 3000)!.calls >= 20);
});

test("the last 200 calls with trouble are kept, newest first, and can be asked for since the last seen", () => {
  const { meter } = bench();
  for (let i = 1; i <= 250; i++) {
    meter.add(failedCall(i));
    meter.add(sampleCall(1000 + i));
  }
  const errors = meter.recentErrors();
  assert.equal(errors.length, RECENT_ERRORS_MAX);
  assert.deepEqual([errors[0]!.seq, errors[0]!.record.id], [250, callId(250)]);
  assert.deepEqual(
    meter.recentErrors(247).map((error) => error.seq),
    [250, 249, 248],
  );
});

test("spending is that of the day that the clock is in, also where it was far ahead or at 1970 for a while", () => {
  const clock = new FakeClock();
  let unknown = 0;
  const meter = new Meter({ clock, onUnknownSpend: () => void unknown++ });
  const spend = (costMicros: number) =>
    meter.add(sampleCall(costMicros, { startedAt: clock.now(), costMicros }));
  const [today, year, epoch] = [clock.now(), 365 * 86_400_000, -clock.now()];
  spend(7);
  for (const jump of [year, epoch]) {
    clock.jumpWall(jump);
    spend(100);
    assert.deepEqual([meter.spend.todayMicros, meter.spend.monthMicros], [100, 100]);
    clock.jumpWall(-jump);
    assert.equal(clock.now(), today);
    assert.deepEqual([meter.spend.todayMicros, meter.spend.monthMicros], [7, 7]);
  }
  assert.equal(unknown, 2);
  clock.jumpWall(86_400_000);
  assert.equal(meter.spend.todayMicros, 0);
  assert.equal(unknown, 2, "of the day that follows nothing is missing");
});

test("spending is that of calls which began today and this month, in UTC, with what was before the start", () => {
  const clock = new FakeClock(Date.UTC(2026, 10, 30, 23, 59, 50));
  const meter = new Meter({ clock });
  meter.seedSpend({ todayMicros: 1000, monthMicros: 5000, unpricedCallsToday: 2 });
  meter.add(sampleCall(1, { startedAt: clock.now(), costMicros: 7 }));
  meter.add(sampleCall(2, { startedAt: clock.now(), costMicros: null }));
  assert.deepEqual(meter.spend, { todayMicros: 1007, monthMicros: 5007, unpricedCallsToday: 3 });
  clock.advance(20_000);
  meter.add(sampleCall(3, { startedAt: clock.now() - 15_000, costMicros: 9 }));
  meter.add(sampleCall(4, { startedAt: clock.now(), costMicros: 11 }));
  assert.deepEqual(meter.spend, { todayMicros: 11, monthMicros: 11, unpricedCallsToday: 0 });
});
