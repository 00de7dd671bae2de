import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { DAY_MS } from "../core/durations.js";
import { type Period, periodEnd, PERIODS, periodStart } from "../core/period.js";
import type { Quota } from "../core/provider-key.js";
import { QuotaMeter, type QuotaUse } from "./quota-meter.js";

/** A Tuesday; its week began in the month before. */
const NOW = Date.UTC(2030, 0, 1, 12);

function quotaOf(period: Period, part: Partial<Quota>): Quota {
  return { period, requests: null, tokens: null, costMicros: null, ...part };
}

const ONE: QuotaUse = { requests: 1, tokens: 10, costMicros: 1 };

/** A call from begin to end. */
function call(meter: QuotaMeter, nowMs: number, tokens = 10): void {
  meter.begin(nowMs);
  meter.end(nowMs, { tokens, costMicros: 1 });
}

test("what a key used before it had a quota counts for whichever is set, until its period ends", () => {
  const now = NOW + DAY_MS;
  for (const [period, used] of [
    ["DAY", 2],
    ["WEEK", 3],
    ["MONTH", 3],
  ] as const) {
    const meter = new QuotaMeter();
    for (const at of [NOW, now, now]) call(meter, at);
    const endMs = periodEnd(period, periodStart(period, now));
    const more = [{ requests: used + 1 }, { tokens: used * 10 + 1 }, { costMicros: used + 1 }];
    for (const part of more) assert.equal(meter.spentUntil(quotaOf(period, part), now), null);
    for (const part of [{ requests: used }, { tokens: used * 10 }, { costMicros: used }]) {
      assert.equal(meter.spentUntil(quotaOf(period, part), now), endMs);
    }
    assert.equal(meter.spentUntil(quotaOf(period, { requests: 1 }), endMs), null);
  }
});

test("a call counts in the periods in which it began", () => {
  const meter = new QuotaMeter();
  const midnight = periodEnd("DAY", periodStart("DAY", NOW));
  meter.begin(midnight - 1);
  meter.begin(midnight - 1);
  assert.equal(meter.use("DAY", midnight).requests, 0);
  meter.end(midnight - 1, { tokens: 10, costMicros: 1 });
  meter.end(midnight - 1, null);
  assert.deepEqual(meter.use("DAY", midnight), { requests: 0, tokens: 0, costMicros: 0 });
  assert.deepEqual(meter.use("WEEK", midnight), { requests: 1, tokens: 10, costMicros: 1 });
  assert.deepEqual(meter.use("MONTH", midnight), { requests: 1, tokens: 10, costMicros: 1 });
});

test("a clock that is set back over a period's beginning counts in the period that it is in, and finds both again", () => {
  const monthMs = Date.UTC(2030, 3, 1); // a Monday, too
  const before = monthMs - 1;
  for (const period of PERIODS) {
    const meter = new QuotaMeter();
    const quota = quotaOf(period, { requests: 2 });
    for (const at of [before, monthMs, before, monthMs]) call(meter, at);
    assert.equal(meter.spentUntil(quota, before), monthMs);
    assert.equal(meter.spentUntil(quota, monthMs), periodEnd(period, monthMs));
    assert.equal(meter.use(period, before).requests, 2);
    assert.equal(meter.use(period, monthMs).requests, 2);
  }
});

test("a clock that was far ahead and is set right leads back to the running periods and what was used of them", () => {
  const meter = new QuotaMeter();
  call(meter, NOW);
  call(meter, NOW + 70 * DAY_MS);
  for (const period of PERIODS) {
    assert.equal(meter.use(period, NOW).requests, 1);
    const endMs = periodEnd(period, periodStart(period, NOW));
    assert.equal(meter.spentUntil(quotaOf(period, { requests: 1 }), NOW), endMs);
  }
  assert.equal(meter.use("DAY", NOW + DAY_MS).requests, 0);
  assert.equal(meter.use("MONTH", NOW + DAY_MS).requests, 1);
});

test("whatever is called and when, a period has what began in it, counted or restored", () => {
  const moment = fc.integer({ min: Date.UTC(2030, 0, 25), max: Date.UTC(2030, 2, 5) });
  fc.assert(
    fc.property(
      fc.array(moment, { minLength: 1, maxLength: 60, size: "max" }),
      fc.nat(60),
      (times, split) => {
        times.sort((a, b) => a - b);
        const meter = new QuotaMeter();
        const now = times.at(-1) ?? 0;
        const startMs = times[Math.min(split, times.length - 1)] ?? 0;
        for (const at of times.filter((each) => each < startMs)) {
          for (const period of PERIODS) {
            const past = { period, startMs: periodStart(period, at), ...ONE };
            meter.restore({ providerKeyId: "", ...past }, startMs);
          }
        }
        for (const at of times.filter((each) => each >= startMs)) call(meter, at);
        for (const period of PERIODS) {
          const count = times.filter((at) => at >= periodStart(period, now)).length;
          const use: QuotaUse = { requests: count, tokens: 10 * count, costMicros: count };
          assert.deepEqual(meter.use(period, now), use);
        }
      },
    ),
  );
});
