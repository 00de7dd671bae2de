import assert from "node:assert/strict";
import test from "node:test";
import { failedCall, sampleCall } from "../../test/metering/sample-calls.js";
import { FakeClock } from "../../test/support/fake-clock.js";
import { Meter } from "./meter.js";
import {
  EMPTY_POOL,
  NO_KEYS,
  HISTORY_SECONDS,
  type OverviewSnapshot,
  type PoolSummary,
} from "./snapshot.js";
import { buildSnapshot } from "./snapshot-builder.js";

function bench(pool: PoolSummary = EMPTY_POOL): {
  clock: FakeClock;
  meter: Meter;
  snapshot: (windowSeconds?: number) => OverviewSnapshot;
} {
  const clock = new FakeClock();
  const meter = new Meter({ clock });
  const sources = {
    meter,
    clock,
    poolSummary: () => pool,
    nameOf: (_dimension: string, id: string) =>
      id.startsWith("ck_") ? `name of ${id}` : undefined,
  };
  return {
    clock,
    meter,
    snapshot: (windowSeconds = 60) => buildSnapshot(sources, { seq: 1, windowSeconds }),
  };
}

test("without calls shares and percentiles are unknown, not zero or one", () => {
  const { snapshot } = bench();
  const { quality, latency, ttfb, traffic, history } = snapshot();
  assert.deepEqual(
    [quality.successRatio, latency.p50Ms, latency.p95Ms, ttfb.p50Ms],
    [null, null, null, null],
  );
  assert.equal(traffic.callsPerSecond, 0);
  assert.equal(history.length, HISTORY_SECONDS);
});

test("a steady load shows as its rate, its tokens per minute and its shares", () => {
  const { clock, meter, snapshot } = bench();
  for (let second = 0; second < 90; second++) {
    for (let i = 0; i < 9; i++) meter.add(sampleCall(i));
    meter.add(failedCall(9, { tokens: sampleCall(9).tokens }));
    clock.advance(1000);
  }
  const { traffic, quality, coveredSeconds } = snapshot();
  assert.equal(coveredSeconds, 60);
  assert.equal(traffic.callsPerSecond, 10);
  assert.equal(traffic.callsLastSecond, 10);
  assert.equal(traffic.callsPeakSecond, 10);
  assert.equal(traffic.inputTokensPerMinute, 812 * 10 * 60);
  assert.equal(quality.successRatio, 0.9);
  assert.equal(quality.serverErrorRatio, 0.1);
});

test("just after the start rates are over the seconds there were", () => {
  const { clock, meter, snapshot } = bench();
  for (let i = 0; i < 30; i++) meter.add(sampleCall(i));
  clock.advance(3000);
  assert.equal(snapshot(300).traffic.callsPerSecond, 10);
});

test("rankings name the ten busiest and fold the rest, so that the parts make up the whole", () => {
  const { clock, meter, snapshot } = bench();
  for (let key = 1; key <= 15; key++) {
    for (let i = 0; i < key; i++) meter.add(sampleCall(i, { clientKeyId: `ck_${key}` }));
  }
  clock.advance(10_000);
  const { topClientKeys, quality } = snapshot();
  assert.equal(topClientKeys.rows.length, 10);
  assert.deepEqual([topClientKeys.rows[0]!.id, topClientKeys.rows[0]!.calls], ["ck_15", 15]);
  assert.equal(topClientKeys.rows[0]!.name, "name of ck_15");
  assert.deepEqual([topClientKeys.others.groups, topClientKeys.others.calls], [5, 15]);
  const shown = topClientKeys.rows.reduce((sum, row) => sum + row.calls, 0);
  assert.equal(shown + topClientKeys.others.calls, quality.sums.calls);
  const shares = topClientKeys.rows.reduce((sum, row) => sum + row.share, 0);
  assert.ok(Math.abs(shares + topClientKeys.others.share - 1) < 1e-9);
});

test("a provider is down without an eligible key, degraded when it fails often or lost half its keys", () => {
  const providers = new Map([
    ["prv_down", { ...NO_KEYS, eligible: 0, total: 2 }],
    ["prv_half", { ...NO_KEYS, eligible: 1, total: 3 }],
    ["prv_idle", { ...NO_KEYS, eligible: 1, total: 1 }],
  ]);
  const { meter, snapshot } = bench({ ...EMPTY_POOL, providers });
  const attempt = { ...sampleCall(1).attempts[0]!, providerId: "prv_flaky" };
  for (let i = 0; i < 20; i++) {
    const outcome = i < 2 ? "PROVIDER_ERROR" : "OK";
    meter.add(sampleCall(i, { attempts: [{ ...attempt, outcome }] }));
  }
  const states = Object.fromEntries(snapshot().providers.map((row) => [row.id, row.state]));
  assert.deepEqual(states, {
    prv_flaky: "DEGRADED",
    prv_down: "DOWN",
    prv_half: "DEGRADED",
    prv_idle: "OK",
  });
  assert.equal(snapshot().providers.find((row) => row.id === "prv_idle")?.successRatio, null);
});

test("gauges equal the log to the call", () => {
  const { clock, meter, snapshot } = bench();
  const log = Array.from({ length: 500 }, (_, i) =>
    i % 7 === 0 ? failedCall(i) : sampleCall(i, { costMicros: i, startedAt: clock.now() }),
  );
  for (const [i, record] of log.entries()) {
    meter.add(record);
    if (i % 10 === 0) clock.advance(100);
  }
  const { quality, spend, history } = snapshot(300);
  const successes = log.filter((record) => record.status === "SUCCESS");
  assert.equal(quality.sums.calls, log.length);
  assert.equal(quality.sums.successes, successes.length);
  assert.equal(
    quality.sums.inputTokens,
    log.reduce((sum, record) => sum + record.tokens.input, 0),
  );
  assert.equal(
    spend.todayMicros,
    log.reduce((sum, record) => sum + (record.costMicros ?? 0), 0),
  );
  assert.equal(
    history.reduce((sum, second) => sum + second.calls, 0),
    log.length - meter.window(1).sums.calls,
  );
});
