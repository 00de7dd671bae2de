import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import type { Dialect } from "../../server/core/provider.js";
import {
  chatEvents,
  inTurn,
  replyEvents,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { startDialects, type TestGateway } from "./fixture.js";
import { anthropicClient, openaiClient } from "./sdk-clients.js";

// Providers that answer a request for a stream with a whole reply: SDKs wait for events, so events they get.

const BIG = "12345678901234567890";
const CHAT = `{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi.","refusal":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\\"n\\":${BIG}}"}}]},"logprobs":null,"finish_reason":"tool_calls"},{"index":1,"message":{"role":"assistant","content":"Ho.","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}`;
const MESSAGE = `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"Hm.","signature":"c2ln"},{"type":"text","text":"Hi.","citations":[{"type":"char_location","cited_text":"x","document_index":0,"document_title":null,"start_char_index":0,"end_char_index":1}]},{"type":"tool_use","id":"t1","name":"f","input":{"n":${BIG}}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":4}}`;
const RESPONSE = `{"id":"resp_1","object":"response","created_at":1,"model":"m","status":"completed","error":null,"incomplete_details":null,"output":[{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"Hm."}]},{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hi.","annotations":[],"logprobs":[]}]},{"id":"fc_1","type":"function_call","status":"completed","call_id":"t1","name":"f","arguments":"{}"}],"usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7}}`;
const GENERATED =
  '{"candidates":[{"content":{"role":"model","parts":[{"text":"Hi."}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4,"totalTokenCount":7},"modelVersion":"m"}';

const HI = [{ role: "user" as const, content: "hi" }];

let stub: UpstreamStub;
let gateways: Readonly<Record<Dialect, TestGateway>>;

before(async () => {
  stub = await startUpstreamStub();
  const secrets = ["sk-first-00000000000000000000", "sk-second-0000000000000000000"];
  gateways = await startDialects(stub.origin, { secrets });
});

after(async () => {
  await Promise.all(Object.values(gateways).map((gateway) => gateway.close()));
  await stub.close();
});

beforeEach(() => {
  for (const gateway of Object.values(gateways)) {
    gateway.sink.records.length = 0;
    gateway.pool.releases.length = 0;
  }
});

/** What the call used, as it is on record. */
async function tokens(provider: Dialect): Promise<readonly (number | undefined)[]> {
  const { tokens: used, status } = await gateways[provider].sink.record(1);
  assert.equal(status, "SUCCESS");
  return [used?.input, used?.output];
}

test("a whole chat completion reaches the SDK that asked for a stream with all that it holds", async () => {
  stub.script = replyJson(200, CHAT);
  const stream = openaiClient(gateways.OPENAI).chat.completions.stream({
    model: "m",
    messages: HI,
  });
  const { choices } = await stream.finalChatCompletion();
  assert.deepEqual(
    choices.map(({ message, finish_reason: reason }) => [message.content, reason]),
    [
      ["Hi.", "tool_calls"],
      ["Ho.", "stop"],
    ],
  );
  const [call] = choices[0]?.message.tool_calls ?? [];
  assert.deepEqual(call?.type === "function" && call.function.arguments, `{"n":${BIG}}`);
  assert.deepEqual(await tokens("OPENAI"), [3, 4]);
});

test("a whole response and a whole message reach the SDKs that asked for streams", async () => {
  stub.script = replyJson(200, RESPONSE);
  const response = openaiClient(gateways.OPENAI).responses.stream({ model: "m", input: "hi" });
  const final = await response.finalResponse();
  assert.equal(final.id, "resp_1");
  assert.deepEqual(
    final.output.map(({ id, type }) => [id, type]),
    [
      ["rs_1", "reasoning"],
      ["msg_1", "message"],
      ["fc_1", "function_call"],
    ],
  );
  assert.equal(final.output_text, "Hi.");
  assert.deepEqual(await tokens("OPENAI"), [3, 4]);

  stub.script = replyJson(200, MESSAGE);
  const events = anthropicClient(gateways.ANTHROPIC).messages.stream({
    model: "m",
    max_tokens: 9,
    messages: HI,
  });
  const message = await events.finalMessage();
  const whole = JSON.parse(MESSAGE);
  assert.deepEqual(message.content, whole.content);
  assert.equal(message.stop_reason, "tool_use");
  assert.deepEqual(await tokens("ANTHROPIC"), [3, 4]);
});

test("a whole Gemini reply becomes events where events were asked for, and stays JSON where JSON was", async () => {
  const { GEMINI: gateway } = gateways;
  const path = "/v1beta/models/m:streamGenerateContent";
  for (const [reply, events] of [
    [GENERATED, [GENERATED]],
    [`[${GENERATED}\n,${GENERATED}]`, [GENERATED, GENERATED]],
  ] as const) {
    stub.script = replyJson(200, reply);
    const streamed = await gateway.post(`${path}?alt=sse`, { contents: HI });
    assert.match(streamed.headers.get("content-type") ?? "", /^text\/event-stream/);
    const text = events.map((event) => `data: ${event}\r\n\r\n`).join("");
    assert.equal(await streamed.text(), text);
    const asked = await gateway.post(path, { contents: HI });
    assert.equal(await asked.text(), reply);
  }
  assert.deepEqual(await tokens("GEMINI"), [3, 4]);
});

test("a whole reply is translated into the stream that was asked for", async () => {
  stub.script = replyJson(200, MESSAGE);
  const stream = openaiClient(gateways.ANTHROPIC).chat.completions.stream({
    model: "m",
    messages: HI,
  });
  const { choices } = await stream.finalChatCompletion();
  assert.equal(choices[0]?.message.content, "Hi.");
  assert.equal(choices[0].finish_reason, "tool_calls");
  const [call] = choices[0].message.tool_calls ?? [];
  assert.deepEqual(call?.type === "function" && call.function.arguments, `{"n":${BIG}}`);
  assert.deepEqual(await tokens("ANTHROPIC"), [3, 4]);

  for (const [provider, reply] of [
    ["OPENAI", CHAT],
    ["GEMINI", GENERATED],
    ["GEMINI", `[${GENERATED}]`],
  ] as const) {
    stub.script = replyJson(200, reply);
    const events = anthropicClient(gateways[provider]).messages.stream({
      model: "m",
      max_tokens: 9,
      messages: HI,
    });
    const message = await events.finalMessage();
    assert.deepEqual(message.content[0], { type: "text", text: "Hi." });
    assert.deepEqual([message.usage.input_tokens, message.usage.output_tokens], [3, 4]);
  }
});

test("a stream that is called JSON is translated all the same", async () => {
  const headers = { "content-type": "application/json" };
  stub.script = replyEvents(chatEvents(["Hel", "lo."], true), headers);
  const events = anthropicClient(gateways.OPENAI).messages.stream({
    model: "m",
    max_tokens: 9,
    messages: HI,
  });
  assert.equal(await events.finalText(), "Hello.");
});

test("JSON that is no reply is tried elsewhere where it would have to be translated", async () => {
  const error = { type: "error", error: { type: "rate_limit_error", message: "x" } };
  for (const [reply, outcome] of [
    [JSON.stringify(error), "RATE_LIMITED"],
    ["{}", "PROVIDER_ERROR"],
    ["hello", "PROVIDER_ERROR"],
  ] as const) {
    const { ANTHROPIC: gateway } = gateways;
    gateway.pool.releases.length = 0;
    stub.script = inTurn(replyJson(200, reply), replyJson(200, MESSAGE));
    const stream = openaiClient(gateways.ANTHROPIC).chat.completions.stream({
      model: "m",
      messages: HI,
    });
    const { choices } = await stream.finalChatCompletion();
    assert.equal(choices[0]?.message.content, "Hi.");
    assert.deepEqual(gateway.pool.outcomes, [outcome, "OK"]);
  }
});

test("a whole chat completion that becomes a stream tells usage to a caller that asked for it alone", async () => {
  const { OPENAI: gateway } = gateways;
  for (const [asked, told] of [
    [{}, []],
    [{ stream_options: null }, []],
    [{ stream_options: { include_usage: null } }, []],
    [{ stream_options: { include_usage: false } }, []],
    [{ stream_options: { include_usage: true } }, [3]],
  ] as const) {
    gateway.sink.records.length = 0;
    stub.script = replyJson(200, CHAT);
    const body = { model: "m", messages: HI, stream: true, ...asked };
    const reply = await gateway.post("/v1/chat/completions", body);
    const events = Array.from((await reply.text()).matchAll(/^data: (\{.*)$/gm), ([, json]) =>
      JSON.parse(json!),
    );
    const counts = events.flatMap(({ choices, usage }) =>
      usage === undefined ? [] : [[choices, usage.prompt_tokens]],
    );
    assert.deepEqual(
      counts,
      told.map((count) => [[], count]),
      JSON.stringify(asked),
    );
    assert.equal(events.length, 2 + told.length);
    assert.deepEqual(await tokens("OPENAI"), [3, 4]);
  }
});
