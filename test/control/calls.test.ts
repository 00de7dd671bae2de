import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { createContextValues, type HandlerContext } from "@connectrpc/connect";
import {
  ExportCallsRequest_Format,
  ExportCallsRequestSchema,
} from "../../proto/gen/latchkey/v1/calls_pb.js";
import { StreamInfo_Kind } from "../../proto/gen/latchkey/v1/common_pb.js";
import { callFilter } from "../../server/control/call-filter.js";
import { exportCalls } from "../../server/control/calls-export.js";
import { inTurnKey } from "../../server/control/context.js";
import { LIVE_BATCH_CALLS_MAX, LIVE_BATCH_INTERVAL_MS } from "../../server/metering/live-calls.js";
import { FakeClock, settleWhile } from "../support/fake-clock.js";
import { aCall } from "./calls.js";
import { startControl, type Control } from "./harness.js";

const { JOINED, DATA, HEARTBEAT } = StreamInfo_Kind;

const nobody = () => "";
const NAMES = {
  clientKeyNameOf: nobody,
  usernameOf: nobody,
  providerSlugOf: nobody,
  providerKeyNameOf: nobody,
};

async function watching(control: Control) {
  const admin = await control.as(control.root);
  const abort = new AbortController();
  const messages = admin.calls.watchCalls({}, { signal: abort.signal });
  const iterator = messages[Symbol.asyncIterator]();
  const next = async () => {
    const { value } = await iterator.next();
    assert.ok(value !== undefined, "the watch has ended");
    return value;
  };
  return { next, abort };
}

/** The next message, once the server waits with more than its `idle` timers and time has passed. */
async function after<T>(
  control: Control,
  { idle, byMs }: { idle: number; byMs: number },
  message: Promise<T>,
): Promise<T> {
  await settleWhile(() => control.clock.pending <= idle);
  control.clock.advance(byMs);
  return message;
}

test("a quiet watch of calls sends heartbeats, and goes on with the next call", async (t) => {
  const control = await startControl(t);
  const idle = control.clock.pending;
  const { next } = await watching(control);
  assert.equal((await next()).stream?.kind, JOINED);
  for (let beats = 0; beats < 2; beats++) {
    const beat = await after(control, { idle, byMs: 5_000 }, next());
    assert.deepEqual([beat.stream?.kind, beat.calls.length], [HEARTBEAT, 0]);
  }
  const pending = next();
  for (let i = 0; i < LIVE_BATCH_CALLS_MAX + 3; i++) control.liveCalls.publish(aCall(`call_${i}`));
  const data = await after(control, { idle, byMs: LIVE_BATCH_INTERVAL_MS }, pending);
  assert.deepEqual([data.stream?.kind, data.calls.length], [DATA, LIVE_BATCH_CALLS_MAX]);
  const beat = await after(control, { idle, byMs: 5_000 }, next());
  assert.deepEqual([beat.stream?.kind, beat.stream?.dropped], [HEARTBEAT, 3n]);
  assert.equal(beat.stream?.seq, data.stream?.seq);
});

test("a live filter that no call can meet is refused by its field and what that may be, as in lists", () => {
  for (const [filter, why] of [
    ["status:abc", /status must be one of SUCCESS, ERROR/],
    ["status=abc", /status must be one of SUCCESS, ERROR/],
    ["dialect=openia", /dialect must be one of OPENAI/],
    ["usage_source=none,some", /usage_source must be one of/],
    ["http_status:4xx", /http_status must be a whole number/],
    ["latency_ms>1s", /latency_ms must be a whole number/],
    ["latency_ms>", /latency_ms must be a whole number/],
    ["streamed=maybe", /streamed must be true or false/],
    ["unpriced>1", /unpriced cannot be compared with >/],
    ["model>5", /model cannot be compared with >; use = != :/],
    [`model=${"a,".repeat(50)}`, /more than 50 values/],
  ] as const) {
    assert.throws(() => callFilter(filter, NAMES, 0), why, filter);
  }
});

test("a live filter takes the values of its fields in each of their forms", () => {
  const one = aCall("call_1", {
    httpStatus: 429,
    streamed: true,
    errorCode: null,
    costMicros: null,
  });
  for (const [filter, isMet] of [
    ["status:succ", one.status === "SUCCESS"],
    [`status=${one.status.toLowerCase()}`, true],
    ["status=429", true],
    ["status>=400", true],
    ["http_status=0429,1", true],
    ["streamed=1", true],
    ["streamed:false", false],
    ["unpriced=true", true],
    ["dialect=OpenAI,gemini", one.dialect !== "ANTHROPIC"],
    ["error_code=", true],
    ["cost_micros=", true],
    ["cost_micros!=", false],
    ["attempt_count<99", true],
  ] as const) {
    assert.equal(callFilter(filter, NAMES, 0)(one), isMet, filter);
  }
});

test("a colon before a number means that number, live as in lists", () => {
  for (const field of ["status", "http_status"]) {
    const matches = callFilter(`${field}:429`, NAMES, 0);
    assert.ok(matches(aCall("call_1", { httpStatus: 429 })));
    assert.ok(!matches(aCall("call_2", { httpStatus: 4290 })));
  }
});

test("who stops watching calls leaves nothing behind", async (t) => {
  const control = await startControl(t);
  const idle = control.clock.pending;
  const { next, abort } = await watching(control);
  await next();
  await settleWhile(() => control.clock.pending === idle);
  const waiting = next();
  abort.abort();
  await assert.rejects(waiting);
  await settleWhile(() => control.liveCalls.watchers > 0 || control.clock.pending > idle);
});

test("no cell of an export is a formula to a spreadsheet, whatever callers and providers write", async () => {
  const texts = [
    "=1+1",
    "+1",
    "-1+2",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1",
    "\uff1d1",
    "\u00a0-1",
  ];
  const csv = await exported(texts, ExportCallsRequest_Format.CSV);
  for (const text of texts) {
    const cell = /[\r\n]/.test(text) ? `"'${text}"` : `'${text}`;
    assert.equal(csv.split(`,${cell},`).length, 3, JSON.stringify(text));
  }
});

test("an export says to a terminal nothing that it obeys, and JSON in it means the same", async () => {
  const text = "\u001b[2J\u009b31m\u007f\u202e\u200b\u2028\u{e0041}é";
  const csv = await exported([text], ExportCallsRequest_Format.CSV);
  assert.equal(csv.split(",\ufffd[2J\ufffd31m\ufffd\ufffd\ufffd\ufffd\ufffdé,").length, 3);
  const json = await exported([text], ExportCallsRequest_Format.JSONL);
  assert.match(json, /^[ -~é]+\n$/);
  assert.equal((JSON.parse(json) as { model_asked: string }).model_asked, text);
});

/** The export of calls that asked for these models and failed with these words. */
async function exported(
  texts: readonly string[],
  format: ExportCallsRequest_Format,
): Promise<string> {
  const items = texts.map((text, at) =>
    aCall(`call_${at}`, { modelAsked: text, errorMessage: text }),
  );
  const ledger = {
    listCalls: () => Promise.resolve({ items, nextPageToken: "", total: 0 }),
  };
  const values = createContextValues().set(inTurnKey, (work) => work());
  const context = { values, signal: new AbortController().signal } as unknown as HandlerContext;
  const query = {
    conditions: [],
    text: "",
    orderBy: "",
    descending: false,
    pageSize: 1,
    pageToken: "",
  };
  const deps = { ledger, names: NAMES, clock: new FakeClock() };
  let all = "";
  const request = create(ExportCallsRequestSchema, { format });
  for await (const part of exportCalls(deps, request, { query, context })) {
    if ("chunk" in part) all += part.chunk.toString();
  }
  return all;
}
