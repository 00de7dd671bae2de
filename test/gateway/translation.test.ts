import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import type { Dialect } from "../../server/core/provider.js";
import {
  CHAT_REPLY,
  chatEvents,
  inTurn,
  messageEvents,
  RESPONSE,
  replyCut,
  replyEvents,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { type Setup, startGateway, type TestGateway } from "./fixture.js";
import { RESPONSES_ONLY } from "./responses-only.js";
import { anthropicClient, openaiClient } from "./sdk-clients.js";

// Whatever the SDK of a caller speaks, and whatever the provider of the model: the call works, and the ledger
// holds what the provider counted.

const MESSAGE = JSON.stringify({
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-sonnet-5",
  content: [{ type: "text", text: "Grüße 🌍" }],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: { input_tokens: 20, cache_read_input_tokens: 100, output_tokens: 9 },
});
const GENERATED = {
  candidates: [{ content: { role: "model", parts: [{ text: "Hello." }] }, finishReason: "STOP" }],
  usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 2, totalTokenCount: 7 },
  modelVersion: "gemini-3-pro",
};
const HELLO = [{ role: "user" as const, content: "Hi" }];
const GEMINI_BODY = { contents: [{ role: "user", parts: [{ text: "Hi" }] }] };
const BAD_REQUEST = {
  OPENAI: { error: { message: "too long", type: "invalid_request_error", code: "context_length" } },
  ANTHROPIC: { type: "error", error: { type: "invalid_request_error", message: "too long" } },
  GEMINI: { error: { code: 400, message: "too long", status: "INVALID_ARGUMENT" } },
} as const;

let stub: UpstreamStub;
const sides = new Map<Dialect, TestGateway>();
const extra: TestGateway[] = [];

before(async () => {
  stub = await startUpstreamStub();
  for (const dialect of ["OPENAI", "ANTHROPIC", "GEMINI"] as const) {
    sides.set(dialect, await startGateway({ providers: [{ baseUrl: baseUrl(dialect), dialect }] }));
  }
});

after(async () => {
  for (const gateway of [...sides.values(), ...extra]) await gateway.close();
  await stub.close();
});

beforeEach(() => {
  stub.received.length = 0;
  for (const gateway of sides.values()) gateway.sink.records.length = 0;
});

function baseUrl(dialect: Dialect): string {
  return dialect === "OPENAI" ? `${stub.origin}/v1` : stub.origin;
}

function side(dialect: Dialect): TestGateway {
  return sides.get(dialect)!;
}

async function gatewayWith(setup: Setup): Promise<TestGateway> {
  const gateway = await startGateway(setup);
  extra.push(gateway);
  return gateway;
}

function sent(at = 0): Record<string, unknown> {
  return JSON.parse(stub.received[at]!.body.toString()) as Record<string, unknown>;
}

const ASKED = { model: "some-model", max_tokens: 50, messages: HELLO };

test("Anthropic's SDK gets a whole reply of a chat model, and the provider's count is on record", async () => {
  stub.script = replyJson(200, CHAT_REPLY, {
    "openai-version": "2020-10-01",
    "x-request-id": "up",
  });
  const gateway = side("OPENAI");
  const { data, response } = await anthropicClient(gateway)
    .beta.messages.create({ ...ASKED, betas: ["context-1m"] })
    .withResponse();
  assert.deepEqual(data.content, [{ type: "text", text: "Hello." }]);
  assert.equal(data.stop_reason, "end_turn");
  assert.equal(data.model, "gpt-4o");
  assert.deepEqual([data.usage.input_tokens, data.usage.output_tokens], [11, 7]);
  const record = gateway.sink.records[0]!;
  assert.deepEqual([record.tokens.input, record.tokens.output], [11, 7]);
  assert.equal(record.usageSource, "PROVIDER");
  assert.equal(response.headers.get("openai-version"), null);
  assert.equal(response.headers.get("request-id"), record.id);
  assert.equal(response.headers.get("x-upstream-request-id"), "up");
});

test("a translated request has the provider's path and credential and none of the caller's API headers", async () => {
  stub.script = replyJson(200, CHAT_REPLY);
  const headers = {
    "anthropic-version": "2026-10-21",
    "anthropic-beta": "x",
    "user-agent": "me/1",
  };
  const reply = await side("OPENAI").post("/v1/messages?beta=true", ASKED, headers);
  assert.equal(reply.status, 200);
  const received = stub.received[0]!;
  assert.equal(received.url, "/v1/chat/completions");
  assert.equal(received.headers["authorization"], "Bearer sk-upstream-0000000000000000000000");
  assert.equal(received.headers["user-agent"], "me/1");
  assert.deepEqual(
    Object.keys(received.headers).filter((name) => /anthropic|stainless|x-api-key/.test(name)),
    [],
  );
});

test("Anthropic's SDK streams from a chat model, and usage is asked for and counted", async () => {
  stub.script = replyEvents(chatEvents(["Grüße, ", "Welt 🌍"], true));
  const gateway = side("OPENAI");
  const stream = anthropicClient(gateway).messages.stream(ASKED);
  const message = await stream.finalMessage();
  assert.deepEqual(message.content, [{ type: "text", text: "Grüße, Welt 🌍" }]);
  assert.deepEqual(sent()["stream_options"], { include_usage: true });
  const record = gateway.sink.records[0]!;
  assert.deepEqual([record.tokens.input, record.tokens.output], [11, 7]);
  assert.deepEqual([record.status, record.usageSource], ["SUCCESS", "PROVIDER"]);
});

test("OpenAI's SDK streams chat from a Claude model, and cached input is counted once", async () => {
  stub.script = replyEvents(messageEvents(["Hel", "lo"]));
  const gateway = side("ANTHROPIC");
  const stream = await openaiClient(gateway).chat.completions.create({
    model: "claude",
    messages: HELLO,
    stream: true,
    stream_options: { include_usage: true },
  });
  let text = "";
  let prompt = 0;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    prompt = chunk.usage?.prompt_tokens ?? prompt;
  }
  assert.deepEqual([text, prompt], ["Hello", 150]);
  const { tokens } = gateway.sink.records[0]!;
  assert.equal(tokens.output, 9);
  assert.equal(stub.received[0]!.headers["anthropic-version"], "2023-06-01");
  assert.equal(stub.received[0]!.headers["x-api-key"], "sk-upstream-0000000000000000000000");
});

test("a conversation with a name is remembered by Anthropic, and the name of none reaches a provider", async () => {
  const messages = [{ role: "system" as const, content: "rules" }, ...HELLO];
  const client = openaiClient(side("ANTHROPIC"));
  stub.script = replyJson(200, MESSAGE);
  const turns = [
    { body: {}, headers: {} },
    { body: {}, headers: { "x-session-id": "of-ann" } },
    { body: { prompt_cache_key: "of-ann" }, headers: {} },
  ];
  for (const { body, headers } of turns) {
    await client.chat.completions.create({ model: "claude", messages, ...body }, { headers });
  }
  const cache_control = { type: "ephemeral" };
  const marked = (text: string) => [{ type: "text", text, cache_control }];
  const asked = [0, 1, 2].map((at) => [sent(at)["system"], sent(at)["messages"]]);
  const cached = [marked("rules"), [{ role: "user", content: marked("Hi") }]];
  assert.deepEqual(asked, [["rules", HELLO], cached, cached]);
  const first = await client.responses.create({ model: "claude", input: "Hi" });
  await client.responses.create({ model: "claude", input: "And?", previous_response_id: first.id });
  // Its session is another with each turn, and may come to another key.
  assert.ok(!stub.received.at(-1)!.body.includes("cache_control"));
  assert.ok(stub.received.every(({ body }) => !body.includes("of-ann")));
});

test("OpenAI's Responses SDK gets whole and streamed replies of a Claude model", async () => {
  const client = openaiClient(side("ANTHROPIC"));
  stub.script = replyJson(200, MESSAGE);
  const whole = await client.responses.create({ model: "claude", input: "Hi" });
  assert.equal(whole.output_text, "Grüße 🌍");
  stub.script = replyEvents(messageEvents(["Hel", "lo"]));
  const stream = client.responses.stream({ model: "claude", input: "Hi" });
  const final = await stream.finalResponse();
  assert.equal(final.output_text, "Hello");
  assert.equal(side("ANTHROPIC").sink.records.length, 2);
});

test("a Gemini caller gets events, and one JSON array where it does not ask for events", async () => {
  stub.script = replyEvents(messageEvents(["Hel", "lo"]));
  const gateway = side("ANTHROPIC");
  const path = "/v1beta/models/claude:streamGenerateContent";
  const events = await gateway.post(`${path}?alt=sse`, GEMINI_BODY);
  assert.equal(events.headers.get("content-type"), "text/event-stream; charset=utf-8");
  assert.match(await events.text(), /"text":"Hel"/);
  const array = await gateway.post(path, GEMINI_BODY);
  assert.equal(array.headers.get("content-type"), "application/json");
  const pieces = (await array.json()) as (typeof GENERATED)[];
  const texts = pieces.flatMap((piece) => piece.candidates[0]?.content.parts ?? []);
  assert.equal(texts.map((part) => part.text).join(""), "Hello");
});

test("a Gemini model answers Anthropic's SDK, whole and streamed, though no event of its stream is the last", async () => {
  const gateway = side("GEMINI");
  stub.script = replyJson(200, JSON.stringify(GENERATED));
  const whole = await anthropicClient(gateway).messages.create(ASKED);
  assert.deepEqual(whole.content, [{ type: "text", text: "Hello." }]);
  assert.equal(stub.received[0]!.url, "/v1beta/models/some-model:generateContent");
  stub.script = replyEvents([`data: ${JSON.stringify(GENERATED)}\r\n\r\n`]);
  const streamed = await anthropicClient(gateway).messages.stream(ASKED).finalMessage();
  assert.equal(streamed.stop_reason, "end_turn");
  assert.equal(stub.received[1]!.url, "/v1beta/models/some-model:streamGenerateContent?alt=sse");
  assert.deepEqual(
    gateway.sink.records.map((each) => [each.tokens.input, each.tokens.output, each.status]),
    [
      [5, 2, "SUCCESS"],
      [5, 2, "SUCCESS"],
    ],
  );
});

test("a provider's refusal reaches the caller in its own dialect, with the provider's status and words", async () => {
  for (const dialect of ["OPENAI", "GEMINI"] as const) {
    stub.script = replyJson(400, JSON.stringify(BAD_REQUEST[dialect]));
    await assert.rejects(
      anthropicClient(side(dialect)).messages.create(ASKED),
      (error: unknown) => {
        assert.ok(error instanceof Anthropic.BadRequestError);
        return /too long/.test(error.message);
      },
    );
  }
  stub.script = replyJson(400, JSON.stringify(BAD_REQUEST.ANTHROPIC));
  const call = openaiClient(side("ANTHROPIC")).chat.completions.create({
    model: "c",
    messages: HELLO,
  });
  await assert.rejects(call, (error: unknown) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    return /too long/.test(error.message);
  });
});

test("a translated refusal is called JSON also where a stream was asked for, by which SDKs read it", async () => {
  for (const [dialect, path, asked] of [
    ["ANTHROPIC", "/v1/chat/completions", { ...ASKED, stream: true }],
    ["GEMINI", "/v1/messages", { ...ASKED, stream: true }],
    ["OPENAI", "/v1beta/models/m:streamGenerateContent?alt=sse", GEMINI_BODY],
  ] as const) {
    stub.script = replyJson(400, JSON.stringify(BAD_REQUEST[dialect]));
    const response = await side(dialect).post(path, asked);
    assert.equal(response.status, 400);
    assert.equal(response.headers.get("content-type"), "application/json");
    const { error } = (await response.json()) as { error: { message: string } };
    assert.equal(error.message, "too long");
  }
});

test("a thread is refused in the words on which Anthropic's tool runner goes on without", async () => {
  const thread = { type: "create" };
  const refused = await side("OPENAI").post("/v1/messages", { ...ASKED, thread });
  assert.equal(refused.status, 400);
  const { error } = (await refused.json()) as { error: { details: unknown } };
  assert.deepEqual(error.details, {
    error_code: "thread_unsupported_request",
    unsupported: ["model"],
  });
  const other = await side("OPENAI").post("/v1/messages", { ...ASKED, container: "c" });
  assert.match(await other.text(), /"details":\{"error_code":"untranslatable"\}/);
});

test("thoughts of a translated model do not go to a provider that did not have them", async () => {
  stub.script = replyJson(200, MESSAGE);
  const thought = { type: "thinking", thinking: "hm", signature: "~openai:AAA" };
  const messages = [
    ...HELLO,
    { role: "assistant", content: [thought, { type: "text", text: "Hello." }] },
    ...HELLO,
  ];
  await side("ANTHROPIC").post("/v1/messages", { ...ASKED, messages });
  const content = [{ type: "text", text: "Hello." }];
  assert.deepEqual(sent()["messages"], [...HELLO, { role: "assistant", content }, ...HELLO]);
});

test("a translated stream that breaks off is flagged in the caller's dialect and on record", async () => {
  stub.script = replyCut(chatEvents(["Hello"]).slice(0, 1));
  const gateway = side("OPENAI");
  await assert.rejects(anthropicClient(gateway).messages.stream(ASKED).finalMessage(), /broke off/);
  const record = gateway.sink.records[0]!;
  assert.deepEqual([record.status, record.errorCode], ["ERROR", "stream_cut"]);
  assert.equal(record.usageSource, "PARTIAL");
});

test("a translated stream whose last event never came is not taken for finished", async () => {
  stub.script = replyEvents(messageEvents(["Hello"]).slice(0, 3));
  const response = await side("ANTHROPIC").post("/v1/chat/completions", { ...ASKED, stream: true });
  const text = await response.text();
  assert.doesNotMatch(text, /\[DONE\]|finish_reason":"/);
  assert.match(text, /stream_cut/);
});

test("a provider's error inside a translated stream reaches the caller as such", async () => {
  const overloaded = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } };
  const error = `event: error\ndata: ${JSON.stringify(overloaded)}\n\n`;
  stub.script = replyEvents([...messageEvents(["Hello"]).slice(0, 3), error]);
  const gateway = side("ANTHROPIC");
  const response = await gateway.post("/v1/chat/completions", { ...ASKED, stream: true });
  const text = await response.text();
  assert.match(text, /data: \{"error":\{"message":"Overloaded"/);
  const record = gateway.sink.records[0]!;
  assert.equal(record.errorCode, "upstream_error");
});

test("a stream that opens with an error is tried on another key before the caller hears of it", async () => {
  const gateway = await gatewayWith({
    providers: [{ baseUrl: stub.origin, dialect: "ANTHROPIC" }],
    secrets: ["sk-a", "sk-b"],
  });
  const error = `event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n`;
  stub.script = inTurn(replyEvents([error]), replyEvents(messageEvents(["Hello"])));
  const response = await gateway.post("/v1/chat/completions", { ...ASKED, stream: true });
  assert.match(await response.text(), /Hello[^]*\[DONE\]/);
  assert.deepEqual(gateway.pool.outcomes, ["PROVIDER_ERROR", "OK"]);
});

test("what a provider's language cannot say is refused by its name, and no key is blamed", async () => {
  const gateway = await gatewayWith({
    providers: [{ baseUrl: stub.origin, dialect: "ANTHROPIC" }],
  });
  const response = await gateway.post("/v1/chat/completions", { ...ASKED, logprobs: true });
  assert.equal(response.status, 400);
  const { error } = (await response.json()) as { error: { code: string; message: string } };
  assert.equal(error.code, "untranslatable");
  assert.match(error.message, /logprobs/);
  assert.equal(stub.received.length, 0);
  assert.deepEqual(gateway.pool.outcomes, ["CALLER_ABORTED"]);
});

test("of two providers of a model the one that needs no translation is asked first, and the other one next", async () => {
  const gateway = await gatewayWith({
    providers: [
      { baseUrl: stub.origin, dialect: "ANTHROPIC" },
      { baseUrl: `${stub.origin}/v1`, dialect: "OPENAI" },
    ],
    secrets: ["sk-a", "sk-b"],
  });
  stub.script = inTurn(replyJson(500, "{}"), replyJson(200, MESSAGE));
  const { choices } = await openaiClient(gateway).chat.completions.create(ASKED);
  assert.equal(choices[0]?.message.content, "Grüße 🌍");
  assert.deepEqual(
    stub.received.map((each) => each.url),
    ["/v1/chat/completions", "/v1/messages"],
  );
});

test("a call that another provider cannot take over ends with what the first one said", async () => {
  const gateway = await gatewayWith({
    providers: [
      { baseUrl: `${stub.origin}/v1`, dialect: "OPENAI" },
      { baseUrl: stub.origin, dialect: "ANTHROPIC" },
    ],
    secrets: ["sk-a", "sk-b"],
  });
  stub.script = replyJson(500, "{}");
  const response = await gateway.post("/v1/chat/completions", { ...ASKED, logprobs: true });
  assert.equal(response.status, 502);
  assert.ok(stub.received.every((each) => each.url === "/v1/chat/completions"));
});

test("a provider without the Responses API is asked for chat instead, from then on at once", async () => {
  const gateway = await gatewayWith({ providers: [{ baseUrl: `${stub.origin}/v1` }] });
  stub.script = inTurn(replyJson(404, '{"detail":"Not Found"}'), replyJson(200, CHAT_REPLY));
  const client = openaiClient(gateway);
  for (let i = 0; i < 2; i++) {
    const reply = await client.responses.create({ model: "deepseek", input: "Hi" });
    assert.equal(reply.output_text, "Hello.");
  }
  assert.deepEqual(
    stub.received.map((each) => each.url),
    ["/v1/responses", "/v1/chat/completions", "/v1/chat/completions"],
  );
});

test("a provider that has moved to another address is asked for the Responses API there", async () => {
  const gateway = await gatewayWith({ providers: [{ baseUrl: `${stub.origin}/v1` }] });
  stub.script = inTurn(
    replyJson(404, '{"detail":"Not Found"}'),
    replyJson(200, CHAT_REPLY),
    replyJson(200, JSON.stringify(RESPONSE)),
  );
  const client = openaiClient(gateway);
  await client.responses.create({ model: "deepseek", input: "Hi" });
  const { router } = gateway;
  router.providers = router.providers.map((each) => ({
    ...each,
    baseUrl: `${stub.origin}/api/v1`,
  }));
  await client.responses.create({ model: "deepseek", input: "Hi" });
  assert.deepEqual(
    stub.received.map((each) => each.url),
    ["/v1/responses", "/v1/chat/completions", "/api/v1/responses"],
  );
});

test("a model that only the Responses API has is asked there for chat and for messages", async () => {
  const gateway = await gatewayWith({ providers: [{ baseUrl: `${stub.origin}/v1` }] });
  stub.script = inTurn(replyJson(404, RESPONSES_ONLY), replyJson(200, JSON.stringify(RESPONSE)));
  const { choices } = await openaiClient(gateway).chat.completions.create(ASKED);
  assert.equal(choices[0]?.message.content, "Hello.");
  const message2 = await anthropicClient(gateway).messages.create(ASKED);
  assert.deepEqual(message2.content, [{ type: "text", text: "Hello." }]);
  assert.deepEqual(
    stub.received.map((each) => each.url),
    ["/v1/chat/completions", "/v1/responses", "/v1/responses"],
  );
});

test("that a model is served by the Responses API only is heard in a reply of status 200 and in a stream too", async () => {
  for (const told of [
    replyJson(200, RESPONSES_ONLY),
    replyEvents([`data: ${RESPONSES_ONLY}\n\n`]),
  ]) {
    const gateway = await gatewayWith({ providers: [{ baseUrl: `${stub.origin}/v1` }] });
    const done = { type: "response.completed", response: RESPONSE };
    stub.received.length = 0;
    stub.script = inTurn(told, replyEvents([`data: ${JSON.stringify(done)}\n\n`]));
    const reply = await gateway.post("/v1/chat/completions", { ...ASKED, stream: true });
    assert.equal(reply.status, 200);
    assert.match(await reply.text(), /"finish_reason":"stop"/);
    assert.deepEqual(
      stub.received.map((each) => each.url),
      ["/v1/chat/completions", "/v1/responses"],
    );
  }
});

test("what a refusal quotes of a caller, or says of an id, does not change how others are served", async () => {
  const gateway = await gatewayWith({ providers: [{ baseUrl: `${stub.origin}/v1` }] });
  const refuse = async (path: string, message: string): Promise<void> => {
    stub.script = replyJson(404, JSON.stringify({ error: { message, code: null } }));
    await gateway.post(path, { model: "m", input: "Hi", messages: HELLO });
  };
  await refuse("/v1/chat/completions", "Bad value 'is only supported in v1/responses'.");
  await refuse("/v1/responses", "Item with id 'rs_1' not found.");
  await refuse("/v1/responses", "The model `m` does not exist.");
  await refuse("/v1/responses", "Skill 'x' not found.");
  await refuse("/v1/responses", "Vector store not found.");
  stub.received.length = 0;
  await refuse("/v1/chat/completions", "x");
  await refuse("/v1/responses", "The prompt was not found.");
  assert.deepEqual(
    stub.received.map((each) => each.url),
    ["/v1/chat/completions", "/v1/responses"],
  );
});

test("a provider that refuses each form in turn is not asked for ever", async () => {
  const gateway = await gatewayWith({ providers: [{ baseUrl: `${stub.origin}/v1` }] });
  const message = "This model is only supported in v1/responses and not in v1/chat/completions.";
  const refusal = replyJson(404, JSON.stringify({ error: { message } }));
  stub.script = inTurn(replyJson(404, '{"detail":"Not Found"}'), refusal, replyJson(404, "{}"));
  const response = await gateway.post("/v1/responses", { model: "m", input: "Hi" });
  assert.equal(response.status, 404);
  assert.deepEqual(
    stub.received.map((each) => each.url),
    ["/v1/responses", "/v1/chat/completions", "/v1/responses", "/v1/chat/completions"],
  );
});

test("a reply of another kind than was asked for is the provider's failure", async () => {
  const gateway = side("OPENAI");
  stub.script = replyJson(200, '{"unexpected":true}');
  const streamed = await gateway.post("/v1/messages", { ...ASKED, stream: true });
  assert.equal(streamed.status, 502);
  stub.script = replyEvents(chatEvents(["Hello"]).slice(0, 1));
  const whole = await gateway.post("/v1/messages", ASKED);
  assert.equal(whole.status, 502);
  stub.script = replyJson(200, '{"unexpected":true}');
  const odd = await gateway.post("/v1/messages", ASKED);
  assert.equal(odd.status, 502);
});

test("a reply that is nested too deep to be translated is the provider's failure", async () => {
  const gateway = side("ANTHROPIC");
  const deep = `${'{"a":'.repeat(200_000)}1${"}".repeat(200_000)}`;
  const content = `[{"type":"tool_use","id":"t","name":"f","input":${deep}}]`;
  const usage = '{"input_tokens":1,"output_tokens":1}';
  stub.script = replyJson(
    200,
    `{"id":"m","type":"message","role":"assistant","model":"c","content":${content},"stop_reason":"tool_use","usage":${usage}}`,
  );
  const reply = await gateway.post("/v1/chat/completions", { model: "m", messages: HELLO });
  assert.equal(reply.status, 502);
  assert.match(await reply.text(), /upstream_error/);
  assert.equal(gateway.pool.outcomes.at(-1), "PROVIDER_ERROR");
});

test("tokens are counted here where the provider's language has no way to ask", async () => {
  const gateway = side("OPENAI");
  const counted = await anthropicClient(gateway).messages.countTokens({
    model: "gpt",
    messages: [{ role: "user", content: "x".repeat(4_000) }],
  });
  assert.ok(counted.input_tokens > 900 && counted.input_tokens < 1_200);
  const gemini = await gateway.post("/v1beta/models/gpt:countTokens", GEMINI_BODY);
  assert.ok(((await gemini.json()) as { totalTokens: number }).totalTokens > 0);
  const responses = await side("ANTHROPIC").post("/v1/responses/input_tokens", {
    model: "claude",
    input: "Hi",
  });
  assert.ok(((await responses.json()) as { input_tokens: number }).input_tokens > 0);
  assert.equal(stub.received.length, 0);
  assert.equal(gateway.sink.records[0]?.httpStatus, 200);
});

test("a translated response can be gone on from by its id, and its items be named, by its own caller alone", async () => {
  const gateway = side("ANTHROPIC");
  const client = openaiClient(gateway);
  stub.script = replyJson(200, MESSAGE);
  const first = await client.responses.create({ model: "claude", input: "One" });
  stub.script = replyEvents(messageEvents(["Two", " back"]));
  const stream = client.responses.stream({
    model: "claude",
    previous_response_id: first.id,
    input: "Two",
  });
  const second = await stream.finalResponse();
  stub.script = replyJson(200, MESSAGE);
  await client.responses.create({
    model: "claude",
    input: [
      { role: "user", content: "Two" },
      { type: "item_reference", id: second.output[0]!.id! },
      { role: "user", content: "Three" },
    ],
  });
  const said = (at: number): unknown => {
    const messages = sent(at)["messages"] as { role: string; content: unknown }[];
    return messages.map((each) => [each.role, textOf(each.content)]);
  };
  assert.deepEqual(said(1), [
    ["user", "One"],
    ["assistant", "Grüße 🌍"],
    ["user", "Two"],
  ]);
  assert.deepEqual(said(2), [
    ["user", "Two"],
    ["assistant", "Two back"],
    ["user", "Three"],
  ]);
  gateway.authenticator.clientKeyId = "ck_other";
  const stranger = client.responses.create({
    model: "claude",
    previous_response_id: first.id,
    input: "x",
  });
  await assert.rejects(stranger, OpenAI.BadRequestError);
  gateway.authenticator.clientKeyId = "ck_caller";
});

function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  return (content as { text: string }[]).map((part) => part.text).join("");
}
