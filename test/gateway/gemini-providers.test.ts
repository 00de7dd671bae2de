import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import {
  inTurn,
  replyEvents,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { type Setup, startGateway, type TestGateway } from "./fixture.js";

// A Gemini model behind callers of other dialects: what it says without words is told in theirs.

type Json = Record<string, unknown>;

let stub: UpstreamStub;
let gateway: TestGateway;
const extra: TestGateway[] = [];

before(async () => {
  stub = await startUpstreamStub();
  gateway = await gatewayWith({});
});

after(async () => {
  for (const each of extra) await each.close();
  await stub.close();
});

beforeEach(() => {
  stub.received.length = 0;
  gateway.sink.records.length = 0;
});

async function gatewayWith(setup: Setup): Promise<TestGateway> {
  const made = await startGateway({
    providers: [{ baseUrl: stub.origin, dialect: "GEMINI" }],
    ...setup,
  });
  extra.push(made);
  return made;
}

const MESSAGES = { model: "m", max_tokens: 9, messages: [{ role: "user", content: "Hi" }] };
const RESPONSES = { model: "m", input: "Hi" };
const CHAT = { model: "m", messages: [{ role: "user", content: "Hi" }] };
const ASKED = [
  ["/v1/messages", MESSAGES],
  ["/v1/responses", RESPONSES],
] as const;

function reply(parts: Json[], finishReason?: string, finishMessage?: string): Json {
  const content = { role: "model", parts };
  return {
    candidates: [{ content, finishReason, finishMessage, index: 0 }],
    usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 2, totalTokenCount: 7 },
  };
}

function event(data: Json): string {
  return `data: ${JSON.stringify(data)}\r\n\r\n`;
}

const WELL = reply([{ text: "Hello." }], "STOP");
const REASONS = [
  "MALFORMED_FUNCTION_CALL",
  "UNEXPECTED_TOOL_CALL",
  "TOO_MANY_TOOL_CALLS",
  "MALFORMED_RESPONSE",
];

test("a call that a model wrote wrongly is a failure and no empty reply, on record in Google's own words", async () => {
  for (const reason of REASONS) {
    stub.script = replyJson(200, JSON.stringify(reply([], reason, "print(default_api.")));
    for (const [path, body] of ASKED) {
      const response = await gateway.post(path, body);
      assert.equal(response.status, 502, reason);
      const record = gateway.sink.records.at(-1)!;
      assert.equal(record.errorCode, "upstream_error");
      assert.match(record.attempts[0]!.detail, /print\(default_api\./);
    }
  }
});

test("another key is tried when a model wrote a call wrongly, streamed or not", async () => {
  const wrong = reply([], "MALFORMED_FUNCTION_CALL", "print(default_api.");
  for (const stream of [false, true]) {
    const two = await gatewayWith({ secrets: ["sk-a", "sk-b"] });
    stub.script = stream
      ? inTurn(replyEvents([event(wrong)]), replyEvents([event(WELL)]))
      : inTurn(replyJson(200, JSON.stringify(wrong)), replyJson(200, JSON.stringify(WELL)));
    const response = await two.post("/v1/messages", { ...MESSAGES, stream });
    assert.equal(response.status, 200);
    assert.match(await response.text(), /Hello\./);
    assert.deepEqual(two.pool.outcomes, ["PROVIDER_ERROR", "OK"]);
  }
});

test("a stream whose call turns out wrong ends with an error, for the caller and on record", async () => {
  stub.script = replyEvents([
    event(reply([{ text: "Let me see." }])),
    event(reply([], "MALFORMED_FUNCTION_CALL", "print(default_api.")),
  ]);
  for (const [path, body] of ASKED) {
    const response = await gateway.post(path, { ...body, stream: true });
    const text = await response.text();
    assert.match(text, /event: (?:error|response\.failed)[^]*print\(default_api\./);
    assert.doesNotMatch(text, /message_stop|response\.completed/);
    const record = gateway.sink.records.at(-1)!;
    assert.deepEqual([record.status, record.errorCode], ["ERROR", "upstream_error"]);
  }
});

test("callers of chat completions need not know what Google adds to them: they are translated", async () => {
  const called = reply([{ functionCall: { name: "f", args: { x: 1 } }, thoughtSignature: "c2ln" }]);
  stub.script = replyEvents([event(called), event(reply([{ text: "" }], "STOP"))]);
  const streamed = await gateway.post("/v1/chat/completions", { ...CHAT, stream: true });
  assert.match(await streamed.text(), /"finish_reason":"tool_calls"[^]*data: \[DONE\]/);
  const call = { id: "c1", type: "function", function: { name: "f", arguments: "{}" } };
  const messages = [
    ...CHAT.messages,
    { role: "assistant", content: null, tool_calls: [call], reasoning_content: "so" },
    { role: "tool", tool_call_id: "c1", content: "42" },
  ];
  const tools = [{ type: "function", function: { name: "f", strict: false } }];
  stub.script = replyJson(200, JSON.stringify(WELL));
  const odd = { parallel_tool_calls: true, store: false, user: "u", seed: 1 };
  const response = await gateway.post("/v1/chat/completions", {
    model: "m",
    messages,
    tools,
    ...odd,
  });
  assert.equal(response.status, 200);
  assert.equal(((await response.json()) as { object: string }).object, "chat.completion");
  const { url, body } = stub.received.at(-1)!;
  assert.equal(url, "/v1beta/models/m:generateContent");
  const sent = JSON.parse(body.toString()) as { contents: { parts: Json[] }[] };
  assert.equal(typeof sent.contents[1]!.parts[0]!["thoughtSignature"], "string");
});

test("a prompt that Google blocked is told as a refusal, whatever its stream says after that", async () => {
  const usageMetadata = { promptTokenCount: 5, totalTokenCount: 5 };
  stub.script = replyEvents([
    event({ promptFeedback: { blockReason: "PROHIBITED_CONTENT" }, usageMetadata }),
    event({ usageMetadata }),
  ]);
  const response = await gateway.post("/v1/messages", { ...MESSAGES, stream: true });
  assert.match(await response.text(), /"stop_reason":"refusal"/);
});

/** What Google was asked. */
async function sent(path: string, body: Json) {
  stub.script = replyJson(200, JSON.stringify(WELL));
  const response = await gateway.post(path, body);
  assert.equal(response.status, 200, await response.text());
  return JSON.parse(stub.received.at(-1)!.body.toString());
}

test("a conversation of instructions alone is sent as what the user says, for Google wants a turn", async () => {
  const input = [
    { role: "system", content: "Say hi." },
    { role: "developer", content: "Loudly." },
  ];
  const asked = await sent("/v1/responses", { model: "m", input });
  assert.deepEqual(asked.contents, [{ role: "user", parts: [{ text: "Say hi.\n\nLoudly." }] }]);
  assert.equal(asked.systemInstruction, undefined);
});

test("a conversation that the assistant begins gets a turn of the user in front", async () => {
  const input = [
    { role: "system", content: "rules" },
    { role: "assistant", content: "How can I help?" },
    { role: "user", content: "Hi" },
  ];
  const asked = await sent("/v1/responses", { model: "m", input });
  assert.deepEqual(
    asked.contents.map((each: Json) => each["role"]),
    ["user", "model", "user"],
  );
  assert.deepEqual(asked.systemInstruction, { parts: [{ text: "rules" }] });
});

test("a model that is not to think thinks as little as it can", async () => {
  const cases: [string, Json | undefined][] = [
    ["gemini-2.0-flash", undefined],
    ["gemini-2.5-flash", { thinkingBudget: 0 }],
    ["gemini-2.5-flash-lite", { thinkingBudget: 0 }],
    ["gemini-2.5-pro", { thinkingBudget: 128 }],
    ["gemini-3-pro", { thinkingLevel: "low" }],
    ["gemini-3-flash-preview", { thinkingLevel: "minimal" }],
  ];
  for (const [model, thinkingConfig] of cases) {
    const asked = await sent("/v1/responses", {
      model,
      input: "Hi",
      reasoning: { effort: "none" },
    });
    assert.deepEqual(asked.generationConfig.thinkingConfig, thinkingConfig, model);
  }
});

test("a model that ends in half a character is refused before any provider is asked", async () => {
  for (const [path, body] of ASKED) {
    const text = JSON.stringify({ ...body, model: "m\ud800" });
    const answer = await gateway.post(path, text);
    assert.equal(answer.status, 400);
    assert.match(await answer.text(), /"The model must be a text\."/);
  }
  assert.equal(stub.received.length, 0);
  const paired = await gateway.post("/v1/responses", '{"model":"m\\ud83d\\ude00","input":"Hi"}');
  assert.notEqual(paired.status, 400);
  await paired.text();
});
