import assert from "node:assert/strict";
import test from "node:test";
import { failedCall, keptLog, sampleCall } from "../../test/metering/sample-calls.js";
import { FakeClock, settle } from "../../test/support/fake-clock.js";
import { Meter } from "../metering/meter.js";
import { callMetrics } from "./call-metrics.js";
import { Readiness } from "./health.js";
import { gauge, one, type MetricFamily } from "./metric.js";
import { Metrics } from "./metrics.js";
import { ProcessWatch } from "./process-watch.js";
import {
  accountingMetrics,
  keyMetrics,
  poolMetrics,
  processMetrics,
  traceMetrics,
} from "./server-metrics.js";

const CLIENT_KEY = sampleCall(1).clientKeyId;

function families(): { text: () => Promise<string>; all: MetricFamily[] } {
  const meter = new Meter({ clock: new FakeClock() });
  for (let i = 0; i < 5; i++) meter.add(sampleCall(i));
  meter.add(failedCall(6, { httpStatus: 429, latencyMs: 12_345 }));
  meter.refused("invalid_api_key");
  const all = [
    ...callMetrics({
      totals: () => meter.totals(),
      inflight: () => 2,
      providerName: () => 'open"ai\n',
    }),
    ...poolMetrics(() => ({
      tiers: [{ tier: "PRIMARY", eligible: 3, cooldown: 1, exhausted: 0, invalid: 0, disabled: 0 }],
      publicKeys: { eligible: 2, total: 5 },
    })),
  ];
  const metrics = new Metrics(all);
  return { all, text: async () => (await metrics.text()).body };
}

test("a scrape gives the meter's sums as Prometheus text", async () => {
  const { text } = families();
  const body = await text();
  for (const line of [
    'latchkey_calls_total{outcome="success"} 5',
    'latchkey_calls_total{outcome="rate_limited"} 1',
    'latchkey_call_errors_total{code="upstream_unreachable"} 1',
    'latchkey_tokens_total{kind="cache_read"} 3072',
    "latchkey_cost_dollars_total 0.0017",
    'latchkey_call_duration_seconds_bucket{le="1"} 5',
    'latchkey_call_duration_seconds_bucket{le="+Inf"} 6',
    "latchkey_call_duration_seconds_count 6",
    'latchkey_refused_requests_total{reason="invalid_api_key"} 1',
    "latchkey_calls_in_flight 2",
    'latchkey_pool_keys{tier="primary",state="cooldown"} 1',
    'latchkey_public_pool_keys{state="ineligible"} 3',
    'latchkey_provider_attempts_total{provider="open\\"ai\\n",result="ok"} 6',
  ]) {
    assert.ok(body.split("\n").includes(line), `${line}\nis not in\n${body}`);
  }
  assert.match(body, /# TYPE latchkey_call_duration_seconds histogram/);
});

test("no key, owner or model is in any label", async () => {
  const { text } = families();
  const body = await text();
  const { ownerId, modelAsked, providerKeyId } = sampleCall(1);
  for (const word of [CLIENT_KEY, ownerId, modelAsked, providerKeyId ?? ""]) {
    assert.ok(!body.includes(word), word);
  }
});

test("every metric has a unit or a count in its name, and a sentence of help", () => {
  const { all } = families();
  const more = [
    ...accountingMetrics(noReading),
    ...keyMetrics(noReading),
    ...traceMetrics(noReading),
    ...processMetrics(noReading),
  ];
  const names = new Set<string>();
  for (const { name, help, type } of [...all, ...more]) {
    assert.match(name, /^(latchkey|process|nodejs)_[a-z_]+$/);
    assert.match(help, /^(\d|[A-Z]).*\.$/);
    assert.equal(name.endsWith("_total"), type === "counter", name);
    assert.ok(!names.has(name), name);
    names.add(name);
  }
});

function noReading(): never {
  throw new Error("not read");
}

test("the same name cannot be registered twice", () => {
  const family = gauge("latchkey_x", "X.", () => one(1));
  assert.throws(() => new Metrics([family, gauge("latchkey_x", "Other.", () => one(2))]));
});

test("the process watch reports the last whole span and logs a stall", async () => {
  const [clock, log] = [new FakeClock(), keptLog()];
  const delays = {
    max: 350e6,
    enable: () => undefined,
    disable: () => undefined,
    reset: () => undefined,
    percentile: (percentile: number) => (percentile + 50) * 1e6,
  };
  const watch = new ProcessWatch({ clock, logger: log, delays });
  watch.start();
  assert.equal(watch.read().loopDelayMaxMs, 0);
  clock.advance(10_000);
  await settle();
  const { loopDelayP50Ms, loopDelayP99Ms, loopDelayMaxMs, rssBytes } = watch.read();
  assert.deepEqual([loopDelayP50Ms, loopDelayP99Ms, loopDelayMaxMs], [50, 99, 300]);
  assert.ok(rssBytes > 0);
  assert.equal(log.lines.length, 1);
  watch.stop();
});

test("memory is told as last known while no file can be opened to read it from", () => {
  let isFull = false;
  const watch = new ProcessWatch({
    clock: new FakeClock(),
    logger: keptLog(),
    memory: () => {
      if (isFull) throw new Error("EMFILE");
      return { rss: 90, heapUsed: 40 };
    },
  });
  watch.read();
  isFull = true;
  const { rssBytes, heapUsedBytes } = watch.read();
  assert.deepEqual([rssBytes, heapUsedBytes], [90, 40]);
});

test("ready means serving with nothing missing; a check that fails is something missing", () => {
  const readiness = new Readiness();
  let heard = 0;
  const leave = readiness.onChange(() => (heard += 1));
  assert.deepEqual(readiness.read(), { ready: false, reasons: ["the server is starting"] });
  readiness.enter("serving");
  assert.equal(readiness.read().ready, true);
  let missing = "the vault is locked";
  readiness.add("vault", () => missing);
  assert.deepEqual(readiness.read().reasons, ["the vault is locked"]);
  missing = "";
  assert.equal(readiness.read().ready, true);
  readiness.add("journal", noReading);
  assert.deepEqual(readiness.read().reasons, ["journal does not answer"]);
  leave();
  readiness.enter("stopping");
  assert.equal(heard, 1);
});
