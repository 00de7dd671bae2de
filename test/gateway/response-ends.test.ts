import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import {
  inTurn,
  replyEvents,
  replyJson,
  type Script,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import type { TestGateway } from "./fixture.js";
import { startResponsesOnly } from "./responses-only.js";

// How a response ended is what its status says, whatever the event is called that carries it: for callers of every
// language, for the record, and for the provider key.

const USAGE = { input_tokens: 31, output_tokens: 47, total_tokens: 78 };

let stub: UpstreamStub;
let gateway: TestGateway;

before(async () => {
  stub = await startUpstreamStub();
  gateway = await startResponsesOnly(stub);
});

after(async () => {
  await gateway.close();
  await stub.close();
});

beforeEach(() => {
  gateway.sink.records.length = 0;
  gateway.pool.releases.length = 0;
  stub.received.length = 0;
});

const HI = [{ role: "user", content: "hi" }];
const CALLERS = {
  "chat completions": ["/v1/chat/completions", { model: "m", messages: HI }],
  responses: ["/v1/responses", { model: "m", input: "hi" }],
  messages: ["/v1/messages", { model: "m", messages: HI, max_tokens: 9 }],
} as const;

interface Heard {
  readonly httpStatus: number;
  readonly text: string;
  readonly outcomes: readonly string[];
  readonly errorCode: string | null;
  readonly output: number;
}

async function ask(
  [path, body]: readonly [string, object],
  ...scripts: readonly Script[]
): Promise<Heard> {
  const { sink, pool } = gateway;
  stub.script = inTurn(...scripts);
  const recorded = sink.records.length;
  const released = pool.outcomes.length;
  const response = await gateway.post(path, body);
  const text = await response.text();
  const { errorCode, tokens } = await sink.record(recorded + 1);
  const outcomes = pool.outcomes.slice(released);
  return { httpStatus: response.status, text, outcomes, errorCode, output: tokens.output };
}

function event(type: string, members: object): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...members })}\n\n`;
}

const CREATED = event("response.created", { response: { id: "resp_1", object: "response" } });
const DELTA = event("response.output_text.delta", { output_index: 0, delta: "Hello." });
const MESSAGE = {
  id: "msg_1",
  type: "message",
  status: "completed",
  role: "assistant",
  content: [{ type: "output_text", text: 'Hello. "failed" "cancelled"', annotations: [] }],
};

function response(status: string, more: object = {}) {
  const common = { id: "resp_1", object: "response", created_at: 1, model: "m" };
  return { ...common, status, error: null, output: [MESSAGE], usage: USAGE, ...more };
}

function completed(status: string, more: object = {}): string {
  return event("response.completed", { response: response(status, more) });
}

const GOOD = replyEvents([CREATED, DELTA, completed("completed")]);
const error = (code: string) => ({ error: { code, message: "No." }, output: [] });
const ENDS = [
  ["failed", error("server_error"), "PROVIDER_ERROR"],
  ["failed", error("rate_limit_exceeded"), "RATE_LIMITED"],
  ["failed", error("insufficient_quota"), "QUOTA_EXHAUSTED"],
  ["failed", {}, "PROVIDER_ERROR"],
  // It says nothing of the key, and nobody else is asked for what was called off.
  ["cancelled", {}, "REQUEST_REFUSED"],
] as const;

for (const [name, [path, body]] of Object.entries(CALLERS)) {
  const caller = [path, { ...body, stream: true }] as const;

  test(`a completed event that says its response failed is a failure to a caller of ${name}`, async () => {
    for (const [status, more, outcome] of ENDS) {
      const last = completed(status, more);
      const told = await ask(caller, replyEvents([CREATED, DELTA, last]));
      assert.deepEqual(told.outcomes, [outcome], last);
      assert.equal(told.errorCode, "upstream_error");
      assert.equal(told.output, 47);
      assert.doesNotMatch(told.text, /\[DONE\]|message_stop/);
      if (name === "responses") assert.equal(told.text, CREATED + DELTA + last);
      else assert.match(told.text, /No\.|gave no reason|was cancelled/);
    }
  });

  test(`a response that failed before it said anything is asked for elsewhere for a caller of ${name}`, async () => {
    for (const [status, more, outcome] of ENDS) {
      const last = completed(status, more);
      const told = await ask(caller, replyEvents([CREATED, last]), GOOD);
      const isOver = status === "cancelled";
      assert.deepEqual(told.outcomes, isOver ? [outcome] : [outcome, "OK"], last);
      assert.equal(told.errorCode, isOver ? "upstream_error" : null);
      if (!isOver) assert.match(told.text, /Hello\./);
    }
  });

  test(`a completed event that says its response is incomplete is an answer to a caller of ${name}, cut short`, async () => {
    const more = { incomplete_details: { reason: "max_output_tokens" } };
    const told = await ask(caller, replyEvents([CREATED, completed("incomplete", more)]));
    assert.deepEqual(told.outcomes, ["OK"]);
    assert.equal(told.errorCode, null);
    assert.match(told.text, /Hello\./);
    assert.match(told.text, /"length"|"max_tokens"|"incomplete"/);
  });

  test(`a whole response that failed is none to a caller of ${name}, streamed or not`, async () => {
    for (const asked of [caller, [path, body] as const]) {
      for (const [status, more, outcome] of ENDS) {
        const whole = JSON.stringify(response(status, more));
        const told = await ask(asked, replyJson(200, whole), replyJson(200, whole));
        const isOver = status === "cancelled";
        assert.deepEqual(told.outcomes, isOver ? [outcome] : [outcome, outcome], whole);
        assert.ok(told.httpStatus >= 400, whole);
        assert.notEqual(told.errorCode, null);
      }
    }
  });

  test(`a stream that nobody asked for is whole to a caller of ${name}, wherever its items stand`, async () => {
    const done = event("response.output_item.done", { output_index: 0, item: MESSAGE });
    for (const events of [
      [CREATED, done, completed("completed", { output: [] })],
      [CREATED, completed("completed")],
    ]) {
      const told = await ask([path, body], replyEvents(events));
      assert.deepEqual(told.outcomes, ["OK"]);
      assert.equal(told.text.split("Hello.").length, 2, told.text);
    }
  });
}

test("a response that failed earlier is no failure of the call that looks at it", async () => {
  const whole = JSON.stringify(response("failed", error("rate_limit_exceeded")));
  stub.script = replyJson(200, whole);
  const looked = await gateway.fetch("/v1/responses/resp_1");
  assert.equal(looked.status, 200);
  assert.equal(await looked.text(), whole);
  stub.script = replyJson(200, JSON.stringify(response("cancelled")));
  const cancelled = await gateway.post("/v1/responses/resp_1/cancel", {});
  assert.equal(cancelled.status, 200);
  assert.deepEqual(gateway.pool.outcomes, ["OK", "OK"]);
});

test("what a response says or was asked does not make it a failure", async () => {
  const said = {
    instructions: 'Say {"status":"failed"}',
    metadata: { state: "failed", quota: "no" },
  };
  const inFront = event("response.completed", {
    response: { ...said, ...response("completed") },
  });
  for (const last of [completed("completed", said), inFront]) {
    const told = await ask(
      ["/v1/responses", { model: "m", input: "hi", stream: true }],
      replyEvents([CREATED, last]),
    );
    assert.deepEqual([told.outcomes, told.errorCode], [["OK"], null]);
  }
  // Nor is a key out of quota because the caller speaks of one.
  const failed = await ask(
    ["/v1/responses", { model: "m", input: "hi", stream: true }],
    replyEvents([CREATED, DELTA, completed("failed", { instructions: "My quota, my billing" })]),
  );
  assert.deepEqual(failed.outcomes, ["PROVIDER_ERROR"]);
});
