import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { wholeOfEvents } from "../../server/dialect/whole-of-events.js";
import { replyEvents as eventsOf } from "../../server/dialect/reply-events.js";
import type { Dialect } from "../../server/core/provider.js";
import {
  inTurn,
  replyEvents,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { startDialects, type TestGateway } from "./fixture.js";

// Providers that stream although one reply was asked for: callers get the reply that the stream says.

const CALLS = [
  { id: "t1", type: "function", function: { name: "f", arguments: '{"n":12345678901234567890}' } },
  { id: "t2", type: "function", function: { name: "g", arguments: "{}" } },
];
const CHAT = `{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hi.","reasoning_content":"Hm.","tool_calls":${JSON.stringify(CALLS)}},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}`;
const MESSAGE = `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"Hm.","signature":"c2ln"},{"type":"text","text":"Hi."},{"type":"tool_use","id":"t1","name":"f","input":{"n":12345678901234567890}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":4}}`;
const RESPONSE = `{"id":"resp_1","object":"response","created_at":1,"model":"m","status":"completed","error":null,"incomplete_details":null,"output":[{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hi.","annotations":[]}]}],"usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7}}`;
const GENERATED =
  '{"candidates":[{"content":{"role":"model","parts":[{"text":"Hi."}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":4,"totalTokenCount":7},"modelVersion":"m"}';

const HI = [{ role: "user", content: "hi" }];
/** How each caller asks, and where its answer says the text. */
const CALLERS = [
  ["/v1/chat/completions", { messages: HI }, /"content":"Hi\."/],
  ["/v1/responses", { input: "hi" }, /"text":"Hi\."/],
  ["/v1/messages", { messages: HI, max_tokens: 9 }, /"text":"Hi\."/],
  [
    "/v1beta/models/m:generateContent",
    { contents: [{ role: "user", parts: [{ text: "hi" }] }] },
    /"text":"Hi\."/,
  ],
] as const;
const PROVIDERS = [
  ["OPENAI", "CHAT", CHAT],
  ["ANTHROPIC", "MESSAGES", MESSAGE],
  ["GEMINI", "GENERATE", GENERATED],
] as const;

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
  for (const { sink, pool } of Object.values(gateways)) {
    sink.records.length = 0;
    pool.releases.length = 0;
  }
});

test("what a stream says is the reply that it was made of", () => {
  for (const [form, reply] of [
    ["CHAT", CHAT],
    ["RESPONSES", RESPONSE],
    ["MESSAGES", MESSAGE],
    ["GENERATE", GENERATED],
  ] as const) {
    const events = eventsOf(Buffer.from(reply), form);
    const whole = wholeOfEvents(events ?? Buffer.alloc(0), form)?.toString() ?? "";
    assert.match(whole, form === "CHAT" || form === "MESSAGES" ? /12345678901234567890/ : /./);
    assert.deepEqual(JSON.parse(whole), JSON.parse(reply), form);
  }
});

test("the first call or block of a stream may have any number", () => {
  const chunk = (call: object) =>
    `data: ${JSON.stringify({ choices: [{ index: 0, delta: { tool_calls: [call] } }] })}\n\n`;
  const stream = [
    chunk({ index: 1, id: "a", type: "function", function: { name: "f", arguments: "" } }),
    chunk({ index: 1, function: { arguments: '{"x"' } }),
    chunk({ index: 3, id: "b", type: "function", function: { name: "g", arguments: "{}" } }),
    chunk({ index: 1, function: { arguments: ":1}" } }),
  ];
  const whole = wholeOfEvents(Buffer.from(stream.join("")), "CHAT")?.toString() ?? "";
  assert.deepEqual(JSON.parse(whole).choices[0].message.tool_calls, [
    { id: "a", type: "function", function: { name: "f", arguments: '{"x":1}' } },
    { id: "b", type: "function", function: { name: "g", arguments: "{}" } },
  ]);
  const event = (given: object) => `data: ${JSON.stringify(given)}\n\n`;
  const text = { type: "text", text: "" };
  const message = [
    event({ type: "message_start", message: { id: "m", content: [] } }),
    event({ type: "content_block_start", index: 1, content_block: text }),
    event({ type: "content_block_delta", index: 1, delta: { type: "text_delta", text: "Hi." } }),
  ];
  const joined = wholeOfEvents(Buffer.from(message.join("")), "MESSAGES")?.toString() ?? "";
  assert.deepEqual(JSON.parse(joined).content, [{ type: "text", text: "Hi." }]);
});

test("a text that comes in many pieces is one", () => {
  const chunk = (delta: object, finish_reason: string | null = null) =>
    `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
  const tool = (index: number, id: string | undefined, args: string, name?: string) =>
    chunk({ tool_calls: [{ index, id, type: "function", function: { name, arguments: args } }] });
  const stream = [
    chunk({ role: "assistant", content: "" }),
    ...["H", "i", "."].map((content) => chunk({ content })),
    tool(0, "a", "", "f"),
    tool(0, undefined, '{"x"'),
    tool(1, "b", "{}", "g"),
    tool(0, undefined, ":1}"),
    chunk({}, "tool_calls"),
    "data: [DONE]\n\n",
  ];
  const whole = wholeOfEvents(Buffer.from(stream.join("")), "CHAT")?.toString() ?? "";
  const { message, finish_reason: reason } = JSON.parse(whole).choices[0];
  assert.deepEqual([message.content, reason], ["Hi.", "tool_calls"]);
  const told = message.tool_calls.map((call: { id: string; function: { arguments: string } }) => [
    call.id,
    call.function.arguments,
  ]);
  assert.deepEqual(told, [
    ["a", '{"x":1}'],
    ["b", "{}"],
  ]);
  const part = (text: string, more: object = {}) =>
    `data: ${JSON.stringify({ candidates: [{ content: { role: "model", parts: [{ text, ...more }] }, index: 0 }] })}\r\n\r\n`;
  const generated = [
    part("Hm", { thought: true }),
    part("H"),
    part("i."),
    part("", { thoughtSignature: "s" }),
  ];
  const joined = wholeOfEvents(Buffer.from(generated.join("")), "GENERATE")?.toString() ?? "";
  assert.deepEqual(JSON.parse(joined).candidates[0].content.parts, [
    { text: "Hm", thought: true },
    { text: "Hi.", thoughtSignature: "s" },
  ]);
});

test("a stream that nobody asked for reaches each caller as a whole reply, and is counted", async () => {
  for (const [dialect, form, reply] of PROVIDERS) {
    const events = eventsOf(Buffer.from(reply), form)?.toString() ?? "";
    const response = eventsOf(Buffer.from(RESPONSE), "RESPONSES")?.toString() ?? "";
    const gateway = gateways[dialect];
    const { sink, pool } = gateway;
    for (const [at, [path, body, said]] of CALLERS.entries()) {
      const isOwn = dialect === "OPENAI" && path === "/v1/responses";
      stub.script = replyEvents([isOwn ? response : events]);
      // eslint-disable-next-line no-await-in-loop -- one after the other
      const answer = await gateway.post(path, { model: "m", ...body });
      // eslint-disable-next-line no-await-in-loop -- one after the other
      const text = await answer.text();
      assert.deepEqual(
        [answer.status, answer.headers.get("content-type")],
        [200, "application/json"],
      );
      assert.match(text, said, `${dialect} ${path}`);
      // eslint-disable-next-line no-await-in-loop -- one after the other
      const { status, tokens } = await sink.record(at + 1);
      assert.deepEqual([status, tokens?.input, tokens?.output], ["SUCCESS", 3, 4]);
    }
    assert.deepEqual(
      pool.outcomes,
      CALLERS.map(() => "OK"),
    );
  }
});

test("one that breaks off or fails is tried elsewhere, and is no reply", async () => {
  const [start = "", ...rest] = (eventsOf(Buffer.from(CHAT), "CHAT") ?? "")
    .toString()
    .split(/(?<=\n\n)/);
  const failed = 'data: {"error":{"message":"overloaded","type":"server_error","code":503}}\n\n';
  const gateway = gateways.OPENAI;
  const { pool } = gateway;
  for (const [path, body] of CALLERS) {
    for (const broken of [[start], [start, failed], [failed]]) {
      stub.script = inTurn(replyEvents(broken), replyJson(200, CHAT));
      // eslint-disable-next-line no-await-in-loop -- one after the other
      const answer = await gateway.post(path, { model: "m", ...body });
      // eslint-disable-next-line no-await-in-loop -- one after the other
      assert.match(await answer.text(), /Hi\./, path);
    }
  }
  assert.equal(pool.outcomes.filter((each) => each === "OK").length, CALLERS.length * 3);
  assert.equal(pool.outcomes.length, CALLERS.length * 6);
  stub.script = replyEvents([start]);
  const refused = await gateway.post("/v1/chat/completions", { model: "m", messages: HI });
  assert.equal(refused.status, 502);
  assert.match(await refused.text(), /stream/);
  assert.ok(rest.length > 0);
});

test("what only some servers take for a wish for a stream is refused, for it would tell no usage", async () => {
  const { OPENAI: gateway } = gateways;
  stub.script = replyJson(200, CHAT);
  const before = stub.received.length;
  for (const path of ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"]) {
    for (const stream of [
      '"true"',
      "1",
      '"1"',
      "[true]",
      "{}",
      '""',
      "1.0",
      String.raw`"\u0074rue"`,
    ]) {
      const answer = await gateway.post(path, `{"model":"m","stream":${stream}}`);
      assert.equal(answer.status, 400, `${path} ${stream}`);
      assert.match(await answer.text(), /must be true or false/);
    }
  }
  const form = (value: string): FormData => {
    const data = new FormData();
    data.append("model", "m");
    data.append("stream", value);
    return data;
  };
  for (const value of ["1", "yes", "on", " true", "t"]) {
    const body = form(value);
    const answer = await gateway.fetch("/v1/audio/transcriptions", { method: "POST", body });
    assert.equal(answer.status, 400, value);
    await answer.text();
  }
  assert.equal(stub.received.length, before);
  for (const stream of ["null", "false"]) {
    const answer = await gateway.post("/v1/chat/completions", `{"model":"m","stream":${stream}}`);
    assert.equal(answer.status, 200, stream);
    await answer.text();
  }
});
