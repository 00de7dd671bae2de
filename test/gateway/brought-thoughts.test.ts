import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import {
  CHAT_REPLY,
  type Received,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { startGateway, type TestGateway } from "./fixture.js";

// A conversation in chat completions goes on with another model: its caller brings back what the one before thought.

let stub: UpstreamStub;
let gateway: TestGateway;

before(async () => {
  stub = await startUpstreamStub();
  gateway = await startGateway({ providers: [{ baseUrl: `${stub.origin}/v1`, slug: "x" }] });
});

after(async () => {
  await gateway.close();
  await stub.close();
});

beforeEach(() => {
  stub.received.length = 0;
});

const CALL = { id: "c1", type: "function", function: { name: "f", arguments: "{}" } };
const SIGNED = { ...CALL, extra_content: { google: { thought_signature: "s" } } };
const THOUGHT = {
  reasoning_content: "hm",
  reasoning_details: [{ type: "reasoning.text", text: "hm", signature: "~gemini:s", index: 0 }],
};
const RESULT = { role: "tool", tool_call_id: "c1", content: "no reasoning_content" };

function asked(message: object, call: object): object {
  const assistant = { role: "assistant", content: null, ...message, tool_calls: [call] };
  return { model: "m", n: 1, messages: [{ role: "user", content: "go" }, assistant, RESULT] };
}

function bodyOf(received: Received | undefined): unknown {
  return JSON.parse(received?.body.toString() ?? "");
}

for (const [who, status, refusal] of [
  [
    "Groq",
    400,
    {
      error: {
        message:
          "'messages.1' : for 'role:assistant' the following must be satisfied[('messages.1' : property 'reasoning_content' is unsupported)]",
      },
    },
  ],
  [
    "Mistral",
    422,
    {
      detail: [
        {
          type: "extra_forbidden",
          loc: ["body", "messages", 1, "assistant", "reasoning_details"],
          msg: "Extra inputs are not permitted",
        },
      ],
    },
  ],
  ["OpenAI", 400, { error: { message: "Unknown parameter: 'messages[1].extra_content'." } }],
] as const) {
  test(`what another model thought is left out where a provider refuses it, and nothing else (${who})`, async () => {
    stub.script = (received, res) => {
      const refuses = /"(?:reasoning_|extra_content)/.test(received.body.toString());
      const reply = refuses
        ? replyJson(status, JSON.stringify(refusal))
        : replyJson(200, CHAT_REPLY);
      reply(received, res);
    };
    const response = await gateway.post("/v1/chat/completions", asked(THOUGHT, SIGNED));
    assert.equal(response.status, 200);
    assert.equal(stub.received.length, 2);
    assert.deepEqual(bodyOf(stub.received[1]), asked({}, CALL));
  });
}

test("thoughts go on as they came where their provider takes them", async () => {
  stub.script = replyJson(200, CHAT_REPLY);
  const body = asked(THOUGHT, SIGNED);
  assert.equal((await gateway.post("/v1/chat/completions", body)).status, 200);
  assert.deepEqual(bodyOf(stub.received[0]), body);
  assert.equal(stub.received.length, 1);
});

test("a refusal that asks for thoughts, or of a request without any, goes to the caller at once", async () => {
  const missing = "The reasoning_content in the thinking mode must be passed back to the API.";
  for (const [message, body] of [
    [missing, asked(THOUGHT, CALL)],
    ["property 'reasoning_content' is unsupported", asked({}, CALL)],
  ] as const) {
    stub.received.length = 0;
    stub.script = replyJson(400, JSON.stringify({ error: { message } }));
    const response = await gateway.post("/v1/chat/completions", body);
    assert.equal(response.status, 400);
    assert.ok((await response.text()).includes(message));
    assert.equal(stub.received.length, 1);
  }
});

test("a provider that goes on refusing thoughts when there are none any more is asked twice", async () => {
  const message = "property 'reasoning_content' is unsupported";
  stub.received.length = 0;
  stub.script = replyJson(400, JSON.stringify({ error: { message } }));
  const response = await gateway.post("/v1/chat/completions", asked(THOUGHT, CALL));
  assert.equal(response.status, 400);
  assert.equal(stub.received.length, 2);
});
