import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { replyJson, startUpstreamStub, type UpstreamStub } from "../support/upstream-stub.js";
import { startGateway, type TestGateway } from "./fixture.js";
import { openaiClient } from "./sdk-clients.js";

// At the path of OpenAI's conversations, which only keep what was said, Mistral has an API that asks a model.

let stub: UpstreamStub;
let gateway: TestGateway;

before(async () => {
  stub = await startUpstreamStub(
    replyJson(200, '{"id":"conv_1","object":"conversation","metadata":{}}'),
  );
  gateway = await startGateway({ providers: [{ baseUrl: `${stub.origin}/v1` }] });
});

after(async () => {
  await gateway.close();
  await stub.close();
});

beforeEach(() => {
  stub.received.length = 0;
});

const LONG = "x".repeat(400_000);

test("no model is asked in a conversation, past allowlists, budgets and records", async () => {
  const begun = "/v1/conversations";
  const goneOn = "/v1/conversations/conv_1";
  for (const [path, body] of [
    [begun, { model: "mistral-large-latest", inputs: "hi", stream: false }],
    [begun, { agent_id: "ag_1", inputs: [{ role: "user", content: LONG }], stream: true }],
    [begun, { metadata: {}, items: [], inputs: "hi" }],
    [begun, '{"\\u0069nputs":"hi"}'],
    [begun, '["inputs"]'],
    [goneOn, { inputs: "hi", stream: true, store: true, handoff_execution: "server" }],
    [goneOn, { metadata: {}, inputs: LONG }],
    [goneOn, { metadata: {}, tool_confirmations: [] }],
    [goneOn, { metadata: {}, completion_args: { max_tokens: 5 } }],
    [goneOn, { stream: false }],
    [goneOn, {}],
    [goneOn, ""],
  ] as const) {
    const refused = await gateway.post(path, body);
    assert.equal(refused.status, 400, JSON.stringify(body).slice(0, 80));
    assert.match(await refused.text(), /"type":"invalid_request_error"/);
  }
  assert.equal(stub.received.length, 0);
});

test("OpenAI's SDK begins conversations and changes what is noted of them", async () => {
  const { conversations } = openaiClient(gateway);
  await conversations.create();
  await conversations.create({
    metadata: { topic: "inputs" },
    items: [{ type: "message", role: "user", content: `{"inputs": "${LONG}"}` }],
  });
  await conversations.update("conv_1", { metadata: { model: "a" } });
  await conversations.items.create("conv_1", { items: [] });
  assert.equal((await gateway.fetch("/v1/conversations", { method: "POST" })).status, 200);
  assert.deepEqual(
    stub.received.map(({ method, url }) => `${method} ${url}`),
    [
      "POST /v1/conversations",
      "POST /v1/conversations",
      "POST /v1/conversations/conv_1",
      "POST /v1/conversations/conv_1/items",
      "POST /v1/conversations",
    ],
  );
});
