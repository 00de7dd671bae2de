import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import type { Dialect } from "../../server/core/provider.js";
import {
  chatEvents,
  inTurn,
  messageEvents,
  replyEvents,
  replyJson,
  type Script,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { startDialects, type TestGateway } from "./fixture.js";

// What a provider sends may be nested as deep as it likes, and deeper than anybody can walk through.

const SECRETS = ["sk-first-00000000000000000000", "sk-second-0000000000000000000"];
const DEPTH = 30_000;
const DEEP = `${'{"a":'.repeat(DEPTH)}1.0${"}".repeat(DEPTH)}`;
const PLAIN_DEEP = DEEP.replace("1.0", "1");
const MESSAGES = [{ role: "user", content: "Hi" }];

let stub: UpstreamStub;
let gateways: Readonly<Record<Dialect, TestGateway>>;

before(async () => {
  stub = await startUpstreamStub();
  gateways = await startDialects(stub.origin, { secrets: SECRETS });
});

after(async () => {
  for (const gateway of Object.values(gateways)) await gateway.close();
  await stub.close();
});

beforeEach(() => {
  for (const { sink, pool } of Object.values(gateways)) {
    sink.records.length = 0;
    pool.releases.length = 0;
  }
});

const data = (json: string): string => `data: ${json}\n\n`;
const geminiPart = (part: string, rest = ""): string =>
  data(`{"candidates":[{"content":{"role":"model","parts":[${part}]}${rest}}]}`);
const geminiCall = (args: string): string =>
  geminiPart(`{"functionCall":{"name":"f","args":${args}}}`, ',"finishReason":"STOP"');
const geminiText = (text: string): string => geminiPart(JSON.stringify({ text }));
const toolUse = (input: string): string =>
  data(
    `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":${input}}}`,
  );
const chunk = (member: string): string =>
  data(`{"id":"c","choices":[{"index":0,"delta":{"content":"a"}}],${member}}`);

interface Told {
  readonly status: number;
  readonly text: string;
  readonly outcomes: readonly string[];
  readonly errorCode: string | null;
}

async function ask(
  dialect: Dialect,
  path: string,
  streamed: boolean,
  script: Script,
): Promise<Told> {
  const gateway = gateways[dialect];
  stub.script = script;
  const body = { model: "m", max_tokens: 9, messages: MESSAGES, stream: streamed };
  const response = await gateway.post(path, body);
  const text = await response.text();
  const { errorCode } = await gateway.sink.record(1);
  return { status: response.status, text, outcomes: gateway.pool.outcomes, errorCode };
}

const GOOD_GEMINI = replyEvents([geminiText("good"), geminiCall("{}")]);

for (const [name, dialect, path, deep, good] of [
  ["Gemini's", "GEMINI", "/v1/messages", geminiCall(DEEP), GOOD_GEMINI],
  ["Gemini's with plain numbers", "GEMINI", "/v1/messages", geminiCall(PLAIN_DEEP), GOOD_GEMINI],
  [
    "Anthropic's",
    "ANTHROPIC",
    "/v1/chat/completions",
    toolUse(DEEP),
    replyEvents(messageEvents(["good"])),
  ],
  ["OpenAI's", "OPENAI", "/v1/messages", chunk(`"x":${DEEP}`), replyEvents(chatEvents(["good"]))],
] as const) {
  test(`a stream of ${name} that opens with what nests too deep is the provider's failure and is tried elsewhere`, async () => {
    const served = await ask(dialect, path, true, inTurn(replyEvents([deep]), good));
    assert.equal(served.status, 200);
    assert.match(served.text, /good/);
    assert.deepEqual(served.outcomes, ["PROVIDER_ERROR", "OK"]);
  });
}

test("where no key does better the caller is told of the provider's failure", async () => {
  const told = await ask("GEMINI", "/v1/messages", true, replyEvents([geminiCall(DEEP)]));
  assert.equal(told.status, 502);
  assert.equal(told.errorCode, "upstream_error");
  assert.deepEqual(told.outcomes, ["PROVIDER_ERROR", "PROVIDER_ERROR"]);
});

test("a stream that goes on with what nests too deep ends with an error of the provider's, and says nothing more", async () => {
  const events = [geminiText("begun"), geminiCall(DEEP), geminiText("more")];
  const told = await ask("GEMINI", "/v1/messages", true, replyEvents(events));
  assert.equal(told.status, 200);
  assert.match(told.text, /begun[^]*event: error\n[^\n]*nested too deep/);
  assert.doesNotMatch(told.text, /more|message_stop|stop_reason":"/);
  assert.equal(told.errorCode, "upstream_error");
  assert.deepEqual(told.outcomes, ["PROVIDER_ERROR"]);
});

test("an error that nests too deep is an error all the same, in a stream and in a whole reply", async () => {
  const error = `{"error":{"message":"x","details":${PLAIN_DEEP}}}`;
  for (const [streamed, script] of [
    [true, replyEvents([data(error)])],
    [false, replyJson(200, error)],
  ] as const) {
    gateways.OPENAI.sink.records.length = 0;
    gateways.OPENAI.pool.releases.length = 0;
    const told = await ask("OPENAI", "/v1/chat/completions", streamed, script);
    assert.equal(told.status, 502);
    assert.equal(told.errorCode, "upstream_error");
    assert.deepEqual(told.outcomes, ["PROVIDER_ERROR", "PROVIDER_ERROR"]);
  }
});

test("a reply that nests too deep goes to a caller of its own dialect as it is", async () => {
  const reply = `{"id":"c","choices":[],"content":[{"input":${PLAIN_DEEP}}]}`;
  const told = await ask("ANTHROPIC", "/v1/messages", false, replyJson(200, reply));
  assert.equal(told.status, 200);
  assert.equal(told.text, reply);
});

test("requests with very many parts are translated", async () => {
  const parts = Array.from({ length: 30_000 }, () => ({ type: "text", text: "x" }));
  const items = parts.map(({ text }) => ({ type: "input_text", text }));
  const whole =
    '{"id":"m","type":"message","role":"assistant","model":"c","content":[],"usage":{}}';
  for (const [dialect, path, body] of [
    ["ANTHROPIC", "/v1/chat/completions", { messages: [{ role: "system", content: parts }] }],
    ["ANTHROPIC", "/v1/responses", { input: [{ role: "developer", content: items }] }],
    ["GEMINI", "/v1/responses", { input: [...MESSAGES, { role: "developer", content: items }] }],
    [
      "ANTHROPIC",
      "/v1/chat/completions",
      { messages: [...MESSAGES, { role: "system", content: parts }] },
    ],
  ] as const) {
    stub.script = replyJson(200, dialect === "GEMINI" ? '{"candidates":[]}' : whole);
    const response = await gateways[dialect].post(path, { model: "m", ...body });
    assert.equal(response.status, 200, await response.text());
  }
});
