import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import AnthropicOld from "anthropic-old";
import OpenAI, { AuthenticationError, NotFoundError, RateLimitError } from "openai";
import { Fault } from "../../server/core/fault.js";
import {
  CHAT_REPLY,
  chatEvents,
  messageEvents,
  replyCut,
  replyEvents,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { CLIENT_KEY, startGateway, type TestGateway } from "./fixture.js";
import { openaiClient } from "./sdk-clients.js";

const SECRET = "sk-upstream-0000000000000000000000";
const MESSAGE = JSON.stringify({
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-sonnet-5",
  content: [{ type: "text", text: "Hello." }],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: { input_tokens: 3, output_tokens: 4 },
});
const MODELS = [
  {
    id: "gpt-4o",
    displayName: "GPT-4o",
    providerSlug: "openai",
    createdAt: 0,
    contextWindow: null,
    maxOutput: null,
  },
];

let stub: UpstreamStub;
let openaiSide: TestGateway;
let anthropicSide: TestGateway;
let openai: OpenAI;

before(async () => {
  stub = await startUpstreamStub();
  openaiSide = await startGateway({
    providers: [{ baseUrl: `${stub.origin}/v1` }],
    models: MODELS,
  });
  anthropicSide = await startGateway({
    providers: [{ baseUrl: stub.origin, dialect: "ANTHROPIC" }],
    models: MODELS,
  });
  openai = openaiClient(openaiSide);
});

after(async () => {
  await openaiSide.close();
  await anthropicSide.close();
  await stub.close();
});

beforeEach(() => {
  stub.received.length = 0;
});

const HI = [{ role: "user" as const, content: "hi" }];

test("the OpenAI SDK chats, whole and streamed", async () => {
  stub.script = replyJson(200, CHAT_REPLY);
  const whole = await openai.chat.completions.create({ model: "gpt-4o", messages: HI });
  assert.equal(whole.choices[0]?.message.content, "Hello.");
  assert.equal(stub.received[0]?.secret, SECRET);

  stub.script = replyEvents(chatEvents(["Hel", "lo."], true));
  const stream = await openai.chat.completions.create({
    model: "gpt-4o",
    messages: HI,
    stream: true,
  });
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
  assert.equal(text, "Hello.");

  const counted = await openai.chat.completions.create({
    model: "gpt-4o",
    messages: HI,
    stream: true,
    stream_options: { include_usage: true },
  });
  let usage: number | undefined;
  for await (const chunk of counted) usage = chunk.usage?.total_tokens ?? usage;
  assert.equal(usage, 18);
});

test("the OpenAI SDK embeds, moderates, uploads, speaks and lists models", async () => {
  stub.script = replyJson(
    200,
    JSON.stringify({
      object: "list",
      data: [
        {
          object: "embedding",
          index: 0,
          embedding: Buffer.from(Float32Array.of(0.5, 1).buffer).toString("base64"),
        },
      ],
      usage: { prompt_tokens: 2, total_tokens: 2 },
    }),
  );
  const embedded = await openai.embeddings.create({ model: "text-embedding-3-small", input: "x" });
  assert.deepEqual(embedded.data[0]?.embedding, [0.5, 1]);
  assert.match(String(stub.received[0]?.body), /"encoding_format":"base64"/);

  stub.script = replyJson(200, '{"id":"m","model":"omni","results":[]}');
  await openai.moderations.create({ input: "x" });
  stub.script = replyJson(200, '{"text":"heard"}');
  const heard = await openai.audio.transcriptions.create({
    model: "whisper-1",
    file: new File([Buffer.alloc(100_000, 1)], "a.mp3"),
  });
  assert.equal(heard.text, "heard");
  stub.script = replyJson(200, '{"id":"file-1","object":"file"}');
  const file = await openai.files.create({ purpose: "batch", file: new File(["{}"], "b.jsonl") });
  assert.equal(file.id, "file-1");
  stub.script = (_received, res) =>
    void res.writeHead(200, { "content-type": "audio/mpeg" }).end("sound");
  const speech = await openai.audio.speech.create({ model: "tts-1", voice: "alloy", input: "x" });
  assert.equal(await speech.text(), "sound");

  const models = [];
  for await (const model of openai.models.list()) models.push(model.id);
  assert.deepEqual(models, ["gpt-4o"]);
});

// Five seconds is what it waits where it is told nothing.
test(
  "the OpenAI SDK waits between two looks as long as the provider says",
  { timeout: 4000 },
  async () => {
    const looks = ["in_progress", "in_progress", "completed"];
    stub.script = (received, res) => {
      const status = looks.shift();
      replyJson(200, `{"id":"vsfb_1","status":"${status ?? "none"}","file_counts":{}}`, {
        "openai-poll-after-ms": "1",
      })(received, res);
    };
    const { fileBatches } = openai.vectorStores;
    const done = await fileBatches.poll("vs_1", "vsfb_1");
    assert.equal(done.status, "completed");
    assert.equal(stub.received.length, 3);
  },
);

test("the OpenAI SDK makes, streams, reads and deletes responses", async () => {
  const response = {
    id: "resp_1",
    object: "response",
    status: "completed",
    output: [],
    usage: { input_tokens: 1, output_tokens: 2 },
  };
  stub.script = replyJson(200, JSON.stringify(response));
  assert.equal((await openai.responses.create({ model: "gpt-5", input: "hi" })).id, "resp_1");
  assert.equal((await openai.responses.retrieve("resp_1")).id, "resp_1");
  await openai.responses.delete("resp_1");
  assert.deepEqual(
    stub.received.map((each) => `${each.method} ${each.url}`),
    ["POST /v1/responses", "GET /v1/responses/resp_1", "DELETE /v1/responses/resp_1"],
  );
  const event = (type: string, body: object): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...body })}\n\n`;
  stub.script = replyEvents([
    event("response.created", { response: { ...response, status: "in_progress" } }),
    event("response.output_text.delta", { delta: "hi" }),
    event("response.completed", { response }),
  ]);
  const types = [];
  for await (const each of await openai.responses.create({
    model: "gpt-5",
    input: "hi",
    stream: true,
  }))
    types.push(each.type);
  assert.deepEqual(types, ["response.created", "response.output_text.delta", "response.completed"]);
  assert.equal(openaiSide.sink.records.at(-1)?.tokens.output, 2);
});

test("the OpenAI SDK raises what the gateway refuses, by its class", async () => {
  const bad = new OpenAI({ apiKey: "sk-wrong", baseURL: `${openaiSide.origin}/v1`, maxRetries: 0 });
  await assert.rejects(async () => bad.models.list(), AuthenticationError);
  await assert.rejects(
    openai.chat.completions.create({ model: "no-such-model", messages: HI }),
    (error) => {
      assert.ok(error instanceof NotFoundError);
      assert.equal(error.code, "model_not_found");
      assert.match(error.requestID ?? "", /^call_/);
      return true;
    },
  );
  openaiSide.limiter.refusal = new Fault("rate_limit_exceeded", "Slow down.", {
    retryAfterSeconds: 1,
  });
  await assert.rejects(
    openai.chat.completions.create({ model: "gpt-4o", messages: HI }),
    RateLimitError,
  );
  openaiSide.limiter.refusal = undefined;
});

test("the OpenAI SDK raises a stream that broke off", async () => {
  stub.script = replyCut(chatEvents(["Hel"]).slice(0, 1));
  const stream = await openai.chat.completions.create({
    model: "gpt-4o",
    messages: HI,
    stream: true,
  });
  await assert.rejects(async () => {
    for await (const chunk of stream) assert.ok(chunk);
  }, /broke off/);
});

test("the OpenAI SDK's abort reaches the provider", async () => {
  stub.script = (_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(chatEvents(["a"])[0]);
  };
  const stream = await openai.chat.completions.create({
    model: "gpt-4o",
    messages: HI,
    stream: true,
  });
  for await (const chunk of stream) {
    assert.ok(chunk);
    stream.controller.abort();
  }
  await stub.aborted(2);
});

for (const [name, Sdk, version] of [
  ["1.x", Anthropic, "2026-10-21"],
  // Alike in everything used here; TypeScript sees two classes with private members.
  ["0.137", AnthropicOld as unknown as typeof Anthropic, "2023-06-01"],
] as const) {
  test(`the Anthropic SDK ${name} talks, streams, counts and lists models`, async () => {
    const client = new Sdk({ apiKey: CLIENT_KEY, baseURL: anthropicSide.origin, maxRetries: 0 });
    stub.script = replyJson(200, MESSAGE);
    const request = { model: "claude-sonnet-5", max_tokens: 10, messages: HI };
    const message = await client.messages.create(request);
    assert.equal(message.content[0]?.type === "text" && message.content[0].text, "Hello.");
    assert.equal(stub.received[0]?.headers["x-api-key"], SECRET);
    assert.equal(stub.received[0]?.headers["anthropic-version"], version);
    assert.equal(anthropicSide.authenticator.presented.at(-1), CLIENT_KEY);

    stub.script = replyEvents(messageEvents(["Hel", "lo."]));
    const stream = client.messages.stream(request);
    assert.equal(await stream.finalText(), "Hello.");

    stub.script = replyJson(200, '{"input_tokens":5}');
    assert.equal(
      (await client.messages.countTokens({ model: "claude-sonnet-5", messages: HI })).input_tokens,
      5,
    );
    assert.equal(anthropicSide.sink.records.at(-1)?.usageSource, "NONE");

    const models = [];
    for await (const model of client.models.list()) models.push(model.display_name);
    assert.deepEqual(models, ["GPT-4o"]);
  });

  test(`the Anthropic SDK ${name} raises refusals and broken streams`, async () => {
    const client = new Sdk({ apiKey: CLIENT_KEY, baseURL: anthropicSide.origin, maxRetries: 0 });
    const request = { model: "claude-sonnet-5", max_tokens: 10, messages: HI };
    const bad = new Sdk({ apiKey: "sk-wrong", baseURL: anthropicSide.origin, maxRetries: 0 });
    await assert.rejects(
      async () => bad.messages.create(request),
      (error) => {
        assert.ok(error instanceof Sdk.AuthenticationError);
        assert.match(error.requestID ?? "", /^call_/);
        return true;
      },
    );
    anthropicSide.limiter.refusal = new Fault("no_own_token", "None left.");
    await assert.rejects(async () => client.messages.create(request), Sdk.InternalServerError);
    anthropicSide.limiter.refusal = undefined;
    stub.script = replyCut(messageEvents(["Hel"]).slice(0, 3));
    await assert.rejects(client.messages.stream(request).finalText(), /broke off/);
  });
}
