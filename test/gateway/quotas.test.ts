import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { settleWhile } from "../support/fake-clock.js";
import {
  chatEvents,
  inTurn,
  replyCut,
  replyEvents,
  replyJson,
  type Script,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { startGateway, type TestGateway } from "./fixture.js";

// What a key's quota hears of a call is what the call's record says, whatever way the call ends.

let stub: UpstreamStub;
let gateway: TestGateway;

before(async () => {
  stub = await startUpstreamStub();
});

after(() => stub.close());

beforeEach(async () => {
  gateway = await startGateway({
    providers: [{ baseUrl: stub.origin }],
    secrets: ["sk-one", "sk-two"],
    abortedCalls: () => "OBSERVED",
  });
});

afterEach(() => gateway.close());

const TEXT = "x".repeat(400);
const ERROR_EVENT = `data: ${JSON.stringify({ error: { message: "overloaded" } })}\n\n`;

async function startStream(signal?: AbortSignal): Promise<Response> {
  return gateway.fetch("/v1/chat/completions", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "m", stream: true }),
    ...(signal === undefined ? {} : { signal }),
  });
}

async function assertSettledAsRecorded(): Promise<void> {
  const { tokens, providerKeyId } = await gateway.sink.record();
  const used = { tokens: tokens.input + tokens.output, costMicros: 0 };
  assert.ok(used.tokens >= 100, `${String(used.tokens)} tokens on record`);
  assert.equal(gateway.pool.settlements.at(-1)?.providerKeyId, providerKeyId);
  assert.equal(gateway.pool.settlements.at(-1)?.used?.tokens, used.tokens);
}

for (const [what, script] of [
  ["that is complete", replyEvents(chatEvents([TEXT]))],
  ["that is cut", replyCut(chatEvents([TEXT]).slice(0, 1))],
  ["that ends too early", replyEvents(chatEvents([TEXT]).slice(0, 1))],
  [
    "in which the provider reports an error",
    replyEvents([...chatEvents([TEXT]).slice(0, 1), ERROR_EVENT]),
  ],
] satisfies [string, Script][]) {
  test(`a stream ${what} counts against the quota of its key as it is on record`, async () => {
    stub.script = script;
    await (await startStream()).text().catch(() => "");
    await assertSettledAsRecorded();
  });
}

test("a stream that its caller breaks off counts against the quota of its key as it is on record", async () => {
  stub.script = async (_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(chatEvents([TEXT])[0]);
    await settleWhile(() => !res.destroyed);
  };
  const caller = new AbortController();
  const res = await startStream(caller.signal);
  await res.body?.getReader().read();
  caller.abort();
  await assertSettledAsRecorded();
});

test("a call counts against the quota of the key that its record names, and of no other", async () => {
  stub.script = inTurn(replyJson(500, "{}"), replyJson(200, "{}"));
  await (await gateway.post("/v1/chat/completions", { model: "m" })).text();
  const { providerKeyId } = await gateway.sink.record();
  assert.equal(providerKeyId, "pk_1");
  const heard = gateway.pool.settlements.map((each) => [each.providerKeyId, each.used !== null]);
  assert.deepEqual(heard, [
    ["pk_0", false],
    ["pk_1", true],
  ]);
});

test("a call that no key could serve counts as a request of the key that was asked last", async () => {
  stub.script = replyJson(500, "{}");
  await (await gateway.post("/v1/chat/completions", { model: "m" })).text();
  const { providerKeyId } = await gateway.sink.record();
  assert.deepEqual(gateway.pool.settlements, [
    { providerKeyId: "pk_0", used: null },
    { providerKeyId, used: { tokens: 0, costMicros: 0 } },
  ]);
});
