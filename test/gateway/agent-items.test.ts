import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import {
  CHAT_REPLY,
  replyJson,
  RESPONSE,
  type Script,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { startGateway, type TestGateway } from "./fixture.js";

// Providers with a Responses API of their own that does not know all of which Codex makes a request.

let stub: UpstreamStub;
const gateways: TestGateway[] = [];

before(async () => {
  stub = await startUpstreamStub();
});

after(async () => {
  for (const gateway of gateways) await gateway.close();
  await stub.close();
});

beforeEach(() => {
  stub.received.length = 0;
});

const REFUSAL = replyJson(
  422,
  JSON.stringify({
    error: 'input[1]: unknown item type "agent_message"; expected one of: message',
  }),
);

/** Takes plain requests in the Responses API, and all in chat completions. */
const strict: Script = (received, res) => {
  const isChat = received.url === "/v1/chat/completions";
  const isPlain = !/agent_message|namespace|custom/.test(received.body.toString());
  const reply = isChat ? replyJson(200, CHAT_REPLY) : replyJson(200, JSON.stringify(RESPONSE));
  return (isChat || isPlain ? reply : REFUSAL)(received, res);
};

async function at(slug: string): Promise<TestGateway> {
  const gateway = await startGateway({ providers: [{ baseUrl: `${stub.origin}/v1`, slug }] });
  gateways.push(gateway);
  return gateway;
}

const AGENT = {
  model: "m",
  input: [
    { role: "user", content: "Go." },
    { type: "agent_message", content: [{ type: "input_text", text: "It is done." }] },
  ],
  tools: [{ type: "namespace", name: "files", tools: [{ type: "custom", name: "patch" }] }],
};
const urls = (): unknown[] => stub.received.map(({ url }) => url);

test("what a provider's Responses API does not know is asked for in chat completions, each call anew", async () => {
  stub.script = strict;
  const gateway = await at("x");
  for (let i = 0; i < 2; i++) {
    const response = await gateway.post("/v1/responses", AGENT);
    assert.equal(response.status, 200);
    const { output } = (await response.json()) as { output: { content: { text: string }[] }[] };
    assert.equal(output[0]?.content[0]?.text, "Hello.");
  }
  const plain = await gateway.post("/v1/responses", { model: "m", input: "Go." });
  assert.equal(plain.status, 200);
  const [responses, chat] = ["/v1/responses", "/v1/chat/completions"];
  assert.deepEqual(urls(), [responses, chat, responses, chat, responses]);
  const sent = JSON.parse(stub.received[1]!.body.toString()) as Record<string, unknown>;
  assert.deepEqual(sent["messages"], [
    { role: "user", content: "Go." },
    { role: "user", content: "It is done." },
  ]);
});

test("what OpenAI itself refuses, or what goes on from a response kept there, is told as it was refused", async () => {
  stub.script = REFUSAL;
  assert.equal((await (await at("openai")).post("/v1/responses", AGENT)).status, 422);
  const body = { ...AGENT, previous_response_id: "resp_1" };
  const response = await (await at("x")).post("/v1/responses", body);
  assert.equal(response.status, 422);
  assert.match(await response.text(), /unknown item type/);
  assert.deepEqual(urls(), ["/v1/responses", "/v1/responses"]);
});

test("a plain request that is refused is not asked again", async () => {
  stub.script = replyJson(400, JSON.stringify({ error: { message: "too long" } }));
  const response = await (await at("x")).post("/v1/responses", { model: "m", input: "Go." });
  assert.equal(response.status, 400);
  assert.equal(stub.received.length, 1);
});
