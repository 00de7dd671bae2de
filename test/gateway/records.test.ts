import assert from "node:assert/strict";
import { test } from "node:test";
import type { CallRecord } from "../../server/core/call.js";
import { FakeClock } from "../support/fake-clock.js";
import { CHAT_REPLY, type Script } from "../support/upstream-stub.js";
import { CHAT, ok, refusal, SECRETS, stubbedGateway } from "./stubbed-gateway.js";

const site = stubbedGateway(SECRETS);
const { bound } = site;

/** Of the call's begin. */
const STARTED_AT = Date.UTC(2030, 0, 1, 10);
/** What a record says of each call of these tests. */
const OF_ALL = {
  startedAt: STARTED_AT,
  clientKeyId: "ck_caller",
  clientKeyKind: "STANDARD",
  ownerId: "usr_owner",
  modelAsked: "m",
  endpoint: "/v1/chat/completions",
  dialect: "OPENAI",
  streamed: false,
  ip: "127.0.0.1",
  requestBytes: Buffer.byteLength(JSON.stringify(CHAT)),
} as const;

/** The record of one call, of which these replies come each so long after it was asked for. */
async function recordOf(
  replies: readonly (readonly [afterMs: number, script: Script])[],
): Promise<{ record: Omit<CallRecord, "id">; text: string }> {
  const clock = new FakeClock(STARTED_AT - 1_000);
  const { post, sink } = await bound({ clock, secrets: SECRETS.slice(0, replies.length) });
  let turn = 0;
  site.stub.script = (received, res) => {
    const [afterMs, script] = replies[turn++] ?? [0, ok];
    clock.advance(afterMs);
    return script(received, res);
  };
  clock.advance(1_000);
  const response = await post(CHAT);
  const text = await response.text();
  assert.equal(sink.records.length, 1);
  const { id, ...record } = await sink.record();
  assert.equal(id, response.headers.get("x-request-id"));
  return { record, text };
}

test("the record of a call says all of it, and of each key that was tried for it", async () => {
  const { record, text } = await recordOf([
    [20, refusal(429, "rate_limit_exceeded")],
    [30, ok],
  ]);
  assert.equal(text, CHAT_REPLY);
  const [limited] = record.attempts;
  assert.deepEqual(record, {
    ...OF_ALL,
    providerKeyId: "pk_1",
    providerId: "prv_0",
    modelServed: "m",
    status: "SUCCESS",
    httpStatus: 200,
    errorCode: null,
    errorMessage: null,
    latencyMs: 50,
    ttfbMs: 50,
    responseBytes: Buffer.byteLength(CHAT_REPLY),
    tokens: { input: 11, output: 7, cacheRead: 0, cacheWrite: 0, reasoning: 0 },
    costMicros: 25,
    usageSource: "PROVIDER",
    attempts: [
      {
        providerKeyId: "pk_0",
        providerId: "prv_0",
        startedMs: 0,
        durationMs: 20,
        httpStatus: 429,
        outcome: "RATE_LIMITED",
        detail: limited?.detail,
      },
      {
        providerKeyId: "pk_1",
        providerId: "prv_0",
        startedMs: 20,
        durationMs: 30,
        httpStatus: 200,
        outcome: "OK",
        detail: "",
      },
    ],
  });
});

test("the record of a call that nobody served says why, and costs nothing", async () => {
  const { record, text } = await recordOf([[40, refusal(400, "bad_things")]]);
  const { errorMessage, attempts, ...said } = record;
  assert.deepEqual(said, {
    ...OF_ALL,
    providerKeyId: "pk_0",
    providerId: "prv_0",
    modelServed: "m",
    status: "ERROR",
    httpStatus: 400,
    errorCode: "upstream_error",
    latencyMs: 40,
    ttfbMs: null,
    responseBytes: Buffer.byteLength(text),
    tokens: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, reasoning: 0 },
    costMicros: 0,
    usageSource: "NONE",
  });
  const [attempt] = attempts;
  assert.deepEqual([attempts.length, attempt?.outcome], [1, "REQUEST_REFUSED"]);
  assert.ok(
    attempt?.detail !== "" && errorMessage?.includes(attempt?.detail ?? "?"),
    String(errorMessage),
  );
});
