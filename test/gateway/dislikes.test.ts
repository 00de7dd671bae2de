import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import {
  CHAT_REPLY,
  type Received,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { CLIENT_KEY, startGateway, type TestGateway } from "./fixture.js";
import { anthropicClient, openaiClient } from "./sdk-clients.js";

// What models of OpenAI's dialect refuse, by whatever name they go, is left out where a request is translated for them.

const WORDS = [
  "The `reasoning_content` in the thinking mode must be passed back to the API.",
  "Missing `reasoning_content` field in the assistant message at message index 2. For more information, please refer to the docs.",
  "thinking is enabled but reasoning_content is missing in assistant tool call message at index 2",
];

interface Message {
  readonly role: string;
  readonly reasoning_content?: string;
}

let stub: UpstreamStub;
let words: string;
const gateways: TestGateway[] = [];

function messagesOf({ body }: Received): readonly Message[] {
  return (JSON.parse(body.toString()) as { messages: readonly Message[] }).messages;
}

before(async () => {
  stub = await startUpstreamStub();
  stub.script = (received, res) => {
    const own = messagesOf(received).filter(({ role }) => role === "assistant");
    const isWhole = own.every(({ reasoning_content = "" }) => reasoning_content !== "");
    const refusal = { error: { message: words, type: "invalid_request_error", code: null } };
    const script = isWhole ? replyJson(200, CHAT_REPLY) : replyJson(400, JSON.stringify(refusal));
    return script(received, res);
  };
});

after(async () => {
  for (const gateway of gateways) await gateway.close();
  await stub.close();
});

beforeEach(() => {
  stub.received.length = 0;
  words = WORDS[0]!;
});

async function gateway(): Promise<TestGateway> {
  const started = await startGateway({ providers: [{ baseUrl: `${stub.origin}/v1` }] });
  gateways.push(started);
  return started;
}

const CALLED: Anthropic.MessageParam[] = [
  { role: "user", content: "Go." },
  { role: "assistant", content: [{ type: "tool_use", id: "t1", name: "f", input: {} }] },
  { role: "user", content: [{ type: "tool_result", tool_use_id: "t1", content: "done" }] },
  {
    role: "assistant",
    content: [
      { type: "thinking", thinking: "It is done.", signature: "~unsigned:" },
      { type: "text", text: "Done." },
    ],
  },
  { role: "user", content: "More." },
];
const ASKED = {
  model: "deepseek-v4-pro",
  max_tokens: 50,
  messages: CALLED,
  tools: [{ name: "f", input_schema: { type: "object" as const } }],
};

for (const said of WORDS) {
  test(`a conversation without thoughts goes on where they are wanted: ${said.slice(0, 40)}`, async () => {
    words = said;
    const client = anthropicClient(await gateway());
    for (let i = 0; i < 2; i++) {
      const { content } = await client.messages.create(ASKED);
      assert.deepEqual(content, [{ type: "text", text: "Hello." }]);
    }
    assert.equal(stub.received.length, 3, "what was refused once is not asked again");
    const own = messagesOf(stub.received[2]!).filter(({ role }) => role === "assistant");
    const thoughts = own.map(({ reasoning_content }) => reasoning_content);
    assert.deepEqual(thoughts, [" ", "It is done."]);
  });
}

test("calls that find it out at the same time are all served", async () => {
  const client = anthropicClient(await gateway());
  const calls = Array.from({ length: 8 }, () => client.messages.create(ASKED));
  for (const { content } of await Promise.all(calls)) assert.equal(content.length, 1);
});

test("a provider that is never content is asked twice for a call", async () => {
  const client = anthropicClient(await gateway());
  stub.script = replyJson(400, JSON.stringify({ error: { message: WORDS[0] } }));
  await assert.rejects(client.messages.create(ASKED), (thrown) => {
    assert.ok(thrown instanceof Anthropic.BadRequestError);
    return thrown.message.includes("reasoning_content");
  });
  assert.equal(stub.received.length, 2);
});

test("what a caller quotes teaches nothing, and callers of chat completions hear it themselves", async () => {
  const started = await gateway();
  const quoted = `Unknown tool "thinking is enabled but reasoning_content is missing".`;
  stub.script = replyJson(400, JSON.stringify({ error: { message: quoted } }));
  await assert.rejects(anthropicClient(started).messages.create(ASKED), Anthropic.BadRequestError);
  stub.script = replyJson(400, JSON.stringify({ error: { message: WORDS[0] } }));
  const client = openaiClient(started);
  const messages = [{ role: "user" as const, content: "Go." }];
  await assert.rejects(
    client.chat.completions.create({ model: ASKED.model, messages }),
    OpenAI.BadRequestError,
  );
  assert.equal(stub.received.length, 2);
});

const SETTLED: readonly (readonly [string, object, string, readonly string[]])[] = [
  [
    "a temperature, of a reasoning model under a name of its own",
    { temperature: 0.5, top_p: 0.9 },
    "Unsupported value: 'temperature' does not support 0.5 with this model. Only the default (1) value is supported.",
    ["temperature", "top_p"],
  ],
  [
    "a temperature, of Moonshot's",
    { temperature: 0.5 },
    "invalid temperature: only 1 is allowed for this model",
    ["temperature"],
  ],
  [
    "stop sequences",
    { stop_sequences: ["END"] },
    "Unsupported parameter: 'stop' is not supported with this model.",
    ["stop"],
  ],
  [
    "the older name of the limit of the output",
    {},
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    ["max_tokens"],
  ],
];

for (const [what, more, message, refused] of SETTLED) {
  test(`what a model refuses is left out from then on: ${what}`, async () => {
    stub.script = (received, res) => {
      const body = JSON.parse(received.body.toString()) as Record<string, unknown>;
      const error = { message, type: "invalid_request_error", code: null };
      const isRefused = refused.some((name) => body[name] !== undefined);
      const reply = isRefused
        ? replyJson(400, JSON.stringify({ error }))
        : replyJson(200, CHAT_REPLY);
      return reply(received, res);
    };
    const client = anthropicClient(await gateway());
    const asked = { model: "my-model", max_tokens: 50, messages: [CALLED[0]!], ...more };
    for (let i = 0; i < 2; i++)
      assert.equal((await client.messages.create(asked)).content.length, 1);
    assert.equal(stub.received.length, 3, "what was refused once is not asked again");
    const last = JSON.parse(stub.received[2]!.body.toString()) as Record<string, unknown>;
    assert.equal(last["max_completion_tokens"] ?? last["max_tokens"], 50);
  });
}

for (const [status, message] of [
  [400, "System message must be at the beginning."],
  [
    500,
    `\n------------\nWhile executing CallExpression at line 85, column 32 in source:\n...${" ".repeat(200)}raise_exception('System message must be at the beginnin...\nError: Jinja Exception: System message must be at the beginning.`,
  ],
] as const) {
  test(`a system message inside the conversation is the user's where it is refused with ${String(status)}`, async () => {
    stub.script = (received, res) => {
      const later = messagesOf(received).slice(1);
      const isRefused = later.some(({ role }) => role === "system");
      const refusal = replyJson(status, JSON.stringify({ error: { code: status, message } }));
      return (isRefused ? refusal : replyJson(200, CHAT_REPLY))(received, res);
    };
    const { origin } = await gateway();
    const messages = [
      { role: "user", content: "Go." },
      { role: "system", content: "These agents are there." },
      { role: "assistant", content: "Yes." },
      { role: "user", content: "On." },
    ];
    const body = { model: "qwen3.6", max_tokens: 50, system: "Be kind.", messages };
    for (let i = 0; i < 2; i++) {
      const response = await fetch(`${origin}/v1/messages`, {
        method: "POST",
        headers: { "x-api-key": CLIENT_KEY, "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      assert.equal(response.status, 200);
      await response.arrayBuffer();
    }
    assert.equal(stub.received.length, 3);
    assert.deepEqual(messagesOf(stub.received[2]!), [
      { role: "system", content: "Be kind." },
      { role: "user", content: "Go." },
      { role: "user", content: "These agents are there." },
      { role: "assistant", content: "Yes." },
      { role: "user", content: "On." },
    ]);
  });
}

const REFUSED: readonly (readonly [string, string])[] = [
  [
    "max_tokens",
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
  ],
  [
    "temperature",
    "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported.",
  ],
  ["stop", "Unsupported parameter: 'stop' is not supported with this model."],
];

/** As OpenAI's reasoning models do, one after the other. */
function refuseLikeReasoningModels(): void {
  stub.script = (received, res) => {
    const body = JSON.parse(received.body.toString()) as Record<string, unknown>;
    const [, message] = REFUSED.find(([name]) => body[name] !== undefined) ?? [];
    const error = { message, type: "invalid_request_error", code: null };
    const reply = replyJson(400, JSON.stringify({ error }));
    return (message === undefined ? replyJson(200, CHAT_REPLY) : reply)(received, res);
  };
}

const CHAT = { messages: [{ role: "user", content: "Go." }], max_tokens: 50 };

test("a chat of OpenAI's older words goes on under the newer name of its limit, and at once from then on", async () => {
  refuseLikeReasoningModels();
  const { post } = await gateway().then((started) => ({
    post: (body: object) => started.post("/v1/chat/completions", body),
  }));
  const model = "my-model";
  for (const stream of [false, undefined]) {
    assert.equal((await post({ model, ...CHAT, stream })).status, 200);
  }
  const bodies = stub.received.map(({ body }) => JSON.parse(body.toString()) as object);
  const { max_tokens: limit, ...rest } = CHAT;
  const renamed = { model, ...rest, max_completion_tokens: limit };
  assert.deepEqual(bodies, [
    { model, ...CHAT, stream: false },
    { ...renamed, stream: false },
    renamed,
  ]);
  // Who says both, or what is no limit's name, is told.
  const both = await post({ model, ...CHAT, max_completion_tokens: 60 });
  assert.equal(both.status, 400);
  const hot = await post({ model, ...CHAT, temperature: 0.2 });
  assert.equal(hot.status, 400);
  assert.match(await hot.text(), /'temperature' does not support/);
});

test("what another model refuses than the caller named is left out of a chat, as of what is translated", async () => {
  for (const [asked, isServed] of [
    ["smart", true],
    ["my-model", false],
    ["MY-MODEL", false],
    ["openai/my-model", false],
  ] as const) {
    refuseLikeReasoningModels();
    stub.received.length = 0;
    const started = await startGateway({
      providers: [{ baseUrl: `${stub.origin}/v1`, slug: "openai" }],
      aliases: { [asked]: "my-model" },
    });
    gateways.push(started);
    const body = { ...CHAT, model: asked, temperature: 0.2, top_p: 0.5, stop: ["x"], seed: 3 };
    for (let call = 0; call < 2; call++) {
      const response = await started.post("/v1/chat/completions", body);
      assert.equal(response.status, isServed ? 200 : 400, asked);
    }
    if (!isServed) continue;
    assert.equal(stub.received.length, 5, "what was refused once is not asked again");
    assert.deepEqual(JSON.parse(stub.received[4]!.body.toString()), {
      model: "my-model",
      messages: CHAT.messages,
      max_completion_tokens: 50,
      seed: 3,
    });
  }
});
