import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import OpenAI from "openai";
import { replyJson, startUpstreamStub, type UpstreamStub } from "../support/upstream-stub.js";
import { provider, startGateway, type TestGateway } from "./fixture.js";
import { openaiClient } from "./sdk-clients.js";

// A conversation that began on a translated model goes on at a provider that speaks the Responses API itself.

const MESSAGE = JSON.stringify({
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude",
  content: [
    { type: "thinking", thinking: "hm", signature: "c2ln" },
    { type: "text", text: "One back" },
    { type: "tool_use", id: "toolu_1", name: "f", input: { a: 1 } },
  ],
  stop_reason: "tool_use",
  usage: { input_tokens: 1, output_tokens: 1 },
});
const NATIVE = JSON.stringify({
  id: "resp_native",
  object: "response",
  status: "completed",
  output: [],
});

let stub: UpstreamStub;
let gateway: TestGateway;
let client: OpenAI;

before(async () => {
  stub = await startUpstreamStub();
  gateway = await startGateway({});
  client = openaiClient(gateway);
});

after(async () => {
  await gateway.close();
  await stub.close();
});

beforeEach(() => {
  stub.received.length = 0;
  gateway.authenticator.clientKeyId = "ck_caller";
});

async function translated(): Promise<OpenAI.Responses.Response> {
  gateway.router.providers = [provider({ baseUrl: stub.origin, dialect: "ANTHROPIC" })];
  stub.script = replyJson(200, MESSAGE);
  const made = await client.responses.create({ model: "claude", input: "One" });
  gateway.router.providers = [provider({ baseUrl: `${stub.origin}/v1` })];
  stub.script = replyJson(200, NATIVE);
  stub.received.length = 0;
  return made;
}

interface Item {
  readonly type?: string;
  readonly role?: string;
  readonly call_id?: string;
}

function sent(): { readonly input: readonly Item[]; readonly previous_response_id?: string } {
  assert.equal(stub.received.length, 1);
  return JSON.parse(String(stub.received[0]?.body)) as ReturnType<typeof sent>;
}

const kindsOf = (items: readonly Item[]): unknown[] => items.map(({ type, role }) => type ?? role);
const RESULT = { type: "function_call_output", call_id: "toolu_1", output: "2" } as const;

test("what it goes on from is sent along, without thoughts that the provider did not sign", async () => {
  const made = await translated();
  await client.responses.create({ model: "gpt", previous_response_id: made.id, input: [RESULT] });
  const body = sent();
  assert.deepEqual(kindsOf(body.input), ["user", "message", "function_call", RESULT.type]);
  assert.equal(body.input[2]?.call_id, RESULT.call_id);
  assert.equal("previous_response_id" in body, false);
});

test("items that it names are sent in their place, and a text behind a response as a message", async () => {
  const made = await translated();
  const said = made.output.find(({ type }) => type === "message");
  const reference = { type: "item_reference" as const, id: said?.id ?? "" };
  const foreign = { type: "item_reference" as const, id: "msg_68af" };
  await client.responses.create({ model: "gpt", input: [reference, foreign] });
  assert.deepEqual(sent().input, [said, foreign]);
  stub.received.length = 0;
  await client.responses.create({ model: "gpt", previous_response_id: made.id, input: "Two" });
  assert.deepEqual(sent().input.at(-1), { role: "user", content: "Two" });
});

test("tokens are counted of what it goes on from", async () => {
  const made = await translated();
  stub.script = replyJson(200, '{"object":"response.input_tokens","input_tokens":9}');
  const asked = { model: "gpt", previous_response_id: made.id, input: "Two" };
  await client.responses.inputTokens.count(asked);
  assert.equal(sent().input.length, 4);
});

test("what is not kept any more, or was another caller's, is refused by name before the provider sees it", async () => {
  const made = await translated();
  gateway.authenticator.clientKeyId = "ck_other";
  const reference = { type: "item_reference" as const, id: made.output[0]?.id ?? "" };
  for (const asked of [
    { previous_response_id: made.id, input: "Two" },
    { input: [reference] },
    { previous_response_id: "resp_call_gone", input: "Two" },
  ]) {
    await assert.rejects(client.responses.create({ model: "gpt", ...asked }), (thrown) => {
      assert.ok(thrown instanceof OpenAI.BadRequestError);
      assert.match(thrown.message, /previous_response_id.*send the items themselves/);
      return true;
    });
  }
  assert.equal(stub.received.length, 0);
});

test("a translated response is not to be had by its id, and no provider is asked for it", async () => {
  const { id } = await translated();
  for (const asked of [
    () => client.responses.retrieve(id),
    () => client.responses.inputItems.list(id),
    () => client.responses.cancel(id),
    () => client.responses.delete(id),
  ]) {
    await assert.rejects(asked, (thrown) => {
      assert.ok(thrown instanceof OpenAI.NotFoundError);
      assert.match(thrown.message, /can name it in "previous_response_id"/);
      return true;
    });
  }
  assert.equal(stub.received.length, 0);
});

test("what the provider keeps itself is named to it as before, byte for byte", async () => {
  await translated();
  const body = '{"model":"gpt", "previous_response_id":"resp_68af","input":"Two","n":1.0}';
  const response = await gateway.post("/v1/responses", body);
  assert.equal(response.status, 200);
  assert.equal(String(stub.received[0]?.body), body);
});
