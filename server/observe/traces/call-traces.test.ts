import assert from "node:assert/strict";
import test from "node:test";
import { keptLog, sampleCall } from "../../../test/metering/sample-calls.js";
import { FakeClock, settle } from "../../../test/support/fake-clock.js";
import { readExportBody } from "../../../test/support/otlp-collector.js";
import { systemRandom, type Random } from "../../core/random.js";
import { CallTraces } from "./call-traces.js";
import { readTraceConfig } from "./trace-config.js";
import {
  EXPORT_CALLS_MAX,
  EXPORT_INTERVAL_MS,
  FLUSH_MS,
  QUEUED_CALLS_MAX,
} from "./trace-exporter.js";

const REQUEST = { method: "POST", route: "/v1/chat/completions", traceparent: "" };
const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPANS_PER_CALL = 2;

/** A collector in memory, whose answers a test decides. */
function rig(part: { sampleRatio?: number; random?: Random } = {}) {
  const [clock, log] = [new FakeClock(), keptLog()];
  const config = readTraceConfig({
    endpoint: "http://collector.test:4318",
    sampleRatio: part.sampleRatio ?? 1,
    version: "1",
    instanceId: "i-1",
    env: {},
  });
  assert.ok(config !== undefined);
  const bodies: string[] = [];
  const collector = {
    answer: (): Promise<{ status: number; body: Uint8Array }> =>
      Promise.resolve({ status: 200, body: Buffer.from("{}") }),
  };
  const traces = new CallTraces({
    config,
    version: "1",
    scheme: "http",
    clock,
    random: part.random ?? systemRandom,
    logger: log,
    providerOf: () => undefined,
    httpPost: ({ body }) => {
      bodies.push(Buffer.from(body).toString("utf8"));
      return collector.answer();
    },
  });
  const call = (number: number, traceparent = ""): void => {
    const record = sampleCall(number);
    traces.begun(record.id, { ...REQUEST, traceparent });
    traces.recorded(record);
    traces.over(record.id);
  };
  const calls = (count: number): void => {
    for (let i = 0; i < count; i++) call(i);
  };
  return { clock, log, traces, collector, bodies, call, calls };
}

const status =
  (code: number, body = "") =>
  (): Promise<{ status: number; body: Uint8Array }> =>
    Promise.resolve({ status: code, body: Buffer.from(body) });

test("calls wait a moment for others and go together", async () => {
  const { clock, bodies, calls, traces } = rig();
  calls(3);
  clock.advance(EXPORT_INTERVAL_MS - 1);
  await settle();
  assert.equal(bodies.length, 0);
  clock.advance(1);
  await settle();
  assert.equal(bodies.length, 1);
  assert.equal(readExportBody(bodies[0]!).spans.length, 3 * SPANS_PER_CALL);
  assert.deepEqual([traces.counts.exported, traces.counts.queued], [6, 0]);
  assert.equal(clock.pending, 0, "nothing is left to do without calls");
});

test("a full batch goes at once, and batches are bounded", async () => {
  const { bodies, calls } = rig();
  calls(EXPORT_CALLS_MAX + 1);
  await settle();
  assert.deepEqual(
    bodies.map((body) => readExportBody(body).spans.length),
    [EXPORT_CALLS_MAX * SPANS_PER_CALL, SPANS_PER_CALL],
  );
});

test("a caller that traces decides for its trace, chance for the others", async () => {
  let chance = 0;
  const random: Random = {
    bytes: (count) => (count === 6 ? new Uint8Array(6).fill(chance) : systemRandom.bytes(count)),
  };
  const { clock, bodies, call } = rig({ sampleRatio: 0.5, random });
  call(1, `00-${TRACE}-00f067aa0ba902b7-00`);
  call(2, `00-${TRACE}-00f067aa0ba902b7-01`);
  chance = 0x7f;
  call(3);
  chance = 0x80;
  call(4);
  clock.advance(EXPORT_INTERVAL_MS);
  await settle();
  const servers = readExportBody(bodies[0]!).spans.filter(({ kind }) => kind === 2);
  const ids = servers.map(({ attributes }) =>
    attributes.find(({ key }) => key === "latchkey.call.id"),
  );
  assert.deepEqual(
    ids.map((id) => id?.value),
    [2, 3].map((number) => ({ stringValue: sampleCall(number).id })),
  );
  assert.equal(servers[0]?.traceId, TRACE);
});

test("a ratio of 0 keeps the caller's traces alone", async () => {
  const { clock, bodies, call } = rig({ sampleRatio: 0 });
  call(1);
  call(2, `00-${TRACE}-00f067aa0ba902b7-01`);
  clock.advance(EXPORT_INTERVAL_MS);
  await settle();
  assert.equal(readExportBody(bodies[0]!).spans.length, SPANS_PER_CALL);
});

test("a reply is looked into for calls that are wanted alone", () => {
  const { traces } = rig({ sampleRatio: 0 });
  const asked: string[] = [];
  for (const [id, sampled] of [
    ["unwanted", "00"],
    ["wanted", "01"],
  ] as const) {
    traces.begun(id, { ...REQUEST, traceparent: `00-${TRACE}-00f067aa0ba902b7-${sampled}` });
    traces.answered(id, () => {
      asked.push(id);
      return { id: "", model: "", finishReasons: [] };
    });
  }
  assert.deepEqual(asked, ["wanted"]);
});

test("a call that never began here, or was over, makes no spans", async () => {
  const { clock, bodies, traces } = rig();
  traces.recorded(sampleCall(1));
  traces.begun(sampleCall(2).id, REQUEST);
  traces.over(sampleCall(2).id);
  traces.recorded(sampleCall(2));
  clock.advance(EXPORT_INTERVAL_MS);
  await settle();
  assert.equal(bodies.length, 0);
});

test("while the collector is away spans wait, beyond a bound they are dropped, and both is told once", async () => {
  const { clock, log, traces, collector, bodies, calls } = rig();
  collector.answer = () =>
    Promise.reject(Object.assign(new Error("connect to Bearer abc"), { code: "ECONNREFUSED" }));
  calls(EXPORT_CALLS_MAX + QUEUED_CALLS_MAX + 5);
  await clock.run(200_000, 1000);
  assert.ok(bodies.length > 5, "it is tried again and again");
  assert.ok(bodies.length < 30, "but less and less often");
  assert.equal(traces.counts.exported, 0);
  assert.deepEqual(traces.counts.dropped, {
    queue_full: 5 * SPANS_PER_CALL,
    refused: 0,
    shutdown: 0,
  });
  assert.deepEqual(
    log.lines.map(({ level, fields }) => [level, fields["reason"]]),
    [["warn", "ECONNREFUSED"]],
  );
  collector.answer = status(200);
  await clock.run(38_000, 1000);
  assert.equal(traces.counts.exported, (EXPORT_CALLS_MAX + QUEUED_CALLS_MAX) * SPANS_PER_CALL);
  assert.deepEqual(
    log.lines.map(({ level }) => level),
    ["warn", "info"],
  );
  assert.ok(!JSON.stringify(log.lines).includes("abc"));
});

test("a busy collector is asked again, one that refuses is not", async () => {
  const { clock, log, traces, collector, bodies, calls } = rig();
  for (const code of [429, 502, 503, 504]) {
    collector.answer = status(code);
    calls(1);
    await clock.run(EXPORT_INTERVAL_MS);
    const before = bodies.length;
    collector.answer = status(200);
    await clock.run(2000);
    assert.equal(bodies.length, before + 1, String(code));
    assert.equal(bodies.at(-1), bodies.at(-2));
  }
  for (const code of [400, 401, 404, 500, 302]) {
    collector.answer = status(code);
    const before = bodies.length;
    calls(1);
    await clock.run(10_000, 500);
    assert.equal(bodies.length, before + 1, String(code));
  }
  assert.equal(traces.counts.exported, 4 * SPANS_PER_CALL);
  assert.equal(traces.counts.dropped.refused, 5 * SPANS_PER_CALL);
  assert.equal(log.lines.filter(({ level }) => level === "warn").length, 5);
});

test("spans that the collector rejects although it took the export count as dropped", async () => {
  const { clock, traces, collector, calls } = rig();
  collector.answer = status(200, '{"partialSuccess":{"rejectedSpans":"3"}}');
  calls(2);
  await clock.run(EXPORT_INTERVAL_MS);
  assert.deepEqual([traces.counts.exported, traces.counts.dropped.refused], [1, 3]);
  collector.answer = status(200, "thank you");
  calls(1);
  await clock.run(EXPORT_INTERVAL_MS);
  assert.equal(traces.counts.exported, 1 + SPANS_PER_CALL);
});

test("closing sends what is left, at once", async () => {
  const { bodies, calls, traces } = rig();
  calls(2);
  await traces.close();
  assert.equal(bodies.length, 1);
  assert.equal(traces.counts.exported, 2 * SPANS_PER_CALL);
  calls(1);
  assert.equal(traces.counts.dropped.shutdown, SPANS_PER_CALL);
});

test("closing waits for a collector that hangs for a few seconds only, and tells what is lost", async () => {
  const { clock, log, collector, calls, traces } = rig();
  collector.answer = () => new Promise(() => undefined);
  calls(EXPORT_CALLS_MAX + 1);
  const closed = traces.close();
  await clock.run(FLUSH_MS, 1000);
  await closed;
  assert.equal(traces.counts.dropped.shutdown, (EXPORT_CALLS_MAX + 1) * SPANS_PER_CALL);
  assert.deepEqual(log.lines.at(-1)?.level, "warn");
});

test("closing tries each export once more when the collector is away", async () => {
  const { clock, collector, bodies, calls, traces } = rig();
  collector.answer = status(503);
  calls(EXPORT_CALLS_MAX * 2);
  await settle();
  assert.equal(bodies.length, 1);
  const closed = traces.close();
  await clock.run(1000);
  await closed;
  assert.equal(bodies.length, 3);
  assert.equal(traces.counts.dropped.shutdown, 2 * EXPORT_CALLS_MAX * SPANS_PER_CALL);
});
