import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import OpenAI from "openai";
import {
  CHAT_REPLY,
  type Received,
  replyJson,
  RESPONSE,
  type Script,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { startGateway, type TestGateway } from "./fixture.js";
import { anthropicClient, openaiClient } from "./sdk-clients.js";

// What OpenAI's reasoning models refuse, and where: callers of other dialects cannot know, so that the right way of
// asking is found for them. Words and rules as OpenAI's API gave them in 2026.

const MODEL = "gpt-5.6-terra";
const OLDER = "gpt-5.4";
const TOOLS = [{ name: "f", input_schema: { type: "object" as const } }];
const ASKED = {
  model: MODEL,
  max_tokens: 5000,
  messages: [{ role: "user" as const, content: "Hi" }],
};

interface Account {
  readonly hasResponses?: boolean;
  readonly isVerified?: boolean;
}

interface Body {
  readonly input?: readonly { readonly type?: string; readonly encrypted_content?: string }[];
  readonly model: string;
  readonly tools?: unknown;
  readonly reasoning_effort?: string;
  readonly max_completion_tokens?: number;
  readonly reasoning?: { readonly summary?: string };
}

function refusal(message: string, param: string): Script {
  const error = { message, type: "invalid_request_error", param, code: null };
  return replyJson(400, JSON.stringify({ error }));
}

function chatRules({ model, tools, reasoning_effort, max_completion_tokens }: Body): Script {
  const where = `Function tools with reasoning_effort are not supported for ${model} in /v1/chat/completions.`;
  if (tools !== undefined && model === MODEL && reasoning_effort !== "none") {
    const advice = `${where} To use function tools, use /v1/responses or set reasoning_effort to 'none'.`;
    return refusal(advice, "reasoning_effort");
  }
  if (tools !== undefined && (reasoning_effort ?? "none") !== "none") {
    return refusal(`${where} Please use /v1/responses instead.`, "reasoning_effort");
  }
  if ((max_completion_tokens ?? 16) < 16) {
    const message =
      "Could not finish the message because max_tokens or model output limit was reached.";
    return refusal(message, "max_tokens");
  }
  return replyJson(200, CHAT_REPLY);
}

function responsesRules(
  { reasoning, input }: Body,
  { hasResponses = true, isVerified = true }: Account,
): Script {
  if (!hasResponses) return replyJson(404, '{"detail":"Not Found"}');
  if (!isVerified && reasoning?.summary !== undefined) {
    const message =
      "Your organization must be verified to generate reasoning summaries. Please go to: https://platform.example/";
    return refusal(message, "reasoning.summary");
  }
  const sealed = Array.isArray(input)
    ? input.find((item) => item.encrypted_content === "theirs")
    : undefined;
  if (sealed !== undefined) {
    const message = "The encrypted content gAAA...DQ== could not be verified.";
    const error = {
      message,
      type: "invalid_request_error",
      param: null,
      code: "invalid_encrypted_content",
    };
    return replyJson(400, JSON.stringify({ error }));
  }
  return replyJson(200, JSON.stringify(RESPONSE));
}

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

function bodyOf({ body }: Received): Body {
  return JSON.parse(body.toString()) as Body;
}

/** Callers who ask for the model by another name do not know its rules. */
const ALIAS = "smart";

async function openaiOf(account: Account = {}): Promise<TestGateway> {
  stub.script = (received, res) => {
    const body = bodyOf(received);
    const isChat = received.url === "/v1/chat/completions";
    return (isChat ? chatRules(body) : responsesRules(body, account))(received, res);
  };
  const providers = [{ baseUrl: `${stub.origin}/v1` }];
  const gateway = await startGateway({ providers, aliases: { [ALIAS]: MODEL } });
  gateways.push(gateway);
  return gateway;
}

function urls(): (string | undefined)[] {
  return stub.received.map((each) => each.url);
}

const CHAT = "/v1/chat/completions";
const RESPONSES = "/v1/responses";

test("an agent of Anthropic's calls tools on a model that calls them in the Responses API alone", async () => {
  const client = anthropicClient(await openaiOf());
  for (let i = 0; i < 2; i++) {
    const { content } = await client.messages.create({ ...ASKED, tools: TOOLS });
    assert.deepEqual(content, [{ type: "text", text: "Hello." }]);
  }
  assert.deepEqual(urls(), [CHAT, RESPONSES, RESPONSES]);
});

test("the effort of an agent of Anthropic's reaches a model that takes it beside tools in the Responses API alone", async () => {
  const client = anthropicClient(await openaiOf());
  const asked = { ...ASKED, model: OLDER, output_config: { effort: "low" as const } };
  await client.messages.create({ ...asked, tools: TOOLS });
  assert.deepEqual(urls(), [CHAT, RESPONSES]);
  assert.deepEqual(bodyOf(stub.received[1]!).reasoning, { effort: "low", summary: "auto" });
});

test("where there is no Responses API, a model calls tools without thinking, from then on at once", async () => {
  const client = anthropicClient(await openaiOf({ hasResponses: false }));
  for (let i = 0; i < 2; i++) {
    const { content } = await client.messages.create({ ...ASKED, tools: TOOLS });
    assert.deepEqual(content, [{ type: "text", text: "Hello." }]);
  }
  assert.deepEqual(urls(), [CHAT, RESPONSES, CHAT, CHAT]);
  assert.deepEqual(
    stub.received.map((each) => bodyOf(each).reasoning_effort),
    [undefined, undefined, "none", "none"],
  );
  await client.messages.create(ASKED);
  assert.equal(bodyOf(stub.received.at(-1)!).reasoning_effort, undefined);
});

test("an account that gets no summaries of thoughts is asked for none, from then on at once", async () => {
  const gateway = await openaiOf({ isVerified: false });
  const client = anthropicClient(gateway);
  for (let i = 0; i < 2; i++) await client.messages.create({ ...ASKED, tools: TOOLS });
  assert.deepEqual(urls(), [CHAT, RESPONSES, RESPONSES, RESPONSES]);
  const summaries = stub.received.map((each) => bodyOf(each).reasoning?.summary);
  assert.deepEqual(summaries, [undefined, "auto", undefined, undefined]);
});

test("calls that find it out at the same time are all served", async () => {
  const client = anthropicClient(await openaiOf({ isVerified: false }));
  const calls = Array.from({ length: 8 }, () => client.messages.create({ ...ASKED, tools: TOOLS }));
  for (const { content } of await Promise.all(calls)) assert.equal(content.length, 1);
});

test("what a caller of chat completions asks goes on in its own words, whatever others have found out", async () => {
  const gateway = await openaiOf();
  await anthropicClient(gateway).messages.create({ ...ASKED, tools: TOOLS });
  stub.received.length = 0;
  const tools = [{ type: "function" as const, function: { name: "f" } }];
  await assert.rejects(
    openaiClient(gateway).chat.completions.create({
      model: MODEL,
      messages: ASKED.messages,
      tools,
    }),
    (thrown) => {
      assert.ok(thrown instanceof OpenAI.BadRequestError);
      assert.match(thrown.message, /To use function tools, use \/v1\/responses/);
      return true;
    },
  );
  const own = await openaiClient(gateway).responses.create({ model: MODEL, input: "Hi" });
  assert.equal(own.output_text, "Hello.");
  assert.deepEqual(urls(), [CHAT, RESPONSES]);
});

const CHAT_TOOLS = [{ type: "function" as const, function: { name: "f" } }];
const BY_ALIAS = { model: ALIAS, messages: ASKED.messages, tools: CHAT_TOOLS };

test("a chat with tools that falls to a model which calls them in the Responses API alone is asked there, with its effort", async () => {
  const chat = openaiClient(await openaiOf()).chat.completions;
  for (let call = 0; call < 2; call++) {
    const { choices } = await chat.create({ ...BY_ALIAS, reasoning_effort: "low" });
    assert.equal(choices[0]?.message.content, "Hello.");
  }
  assert.deepEqual(urls(), [CHAT, RESPONSES, RESPONSES]);
  assert.equal((bodyOf(stub.received[2]!).reasoning as { effort?: string }).effort, "low");
  await chat.create({ model: ALIAS, messages: ASKED.messages });
  assert.equal(urls().at(-1), CHAT, "without tools it takes its own words");
});

test("where that cannot be, such a chat goes on without an effort: no Responses API, or what it cannot say", async () => {
  const without = openaiClient(await openaiOf({ hasResponses: false })).chat.completions;
  for (let call = 0; call < 2; call++) {
    await without.create({ ...BY_ALIAS, reasoning_effort: "high", seed: 3 });
  }
  assert.deepEqual(urls(), [CHAT, RESPONSES, CHAT, CHAT]);
  const { messages, tools } = BY_ALIAS;
  const sent = { model: MODEL, messages, tools, reasoning_effort: "none", seed: 3 };
  assert.deepEqual(bodyOf(stub.received[3]!), sent);
  stub.received.length = 0;
  const having = openaiClient(await openaiOf()).chat.completions;
  await having.create({ ...BY_ALIAS, n: 2 });
  assert.deepEqual(urls(), [CHAT, CHAT]);
  assert.equal(bodyOf(stub.received[1]!).reasoning_effort, "none");
});

test("a probe for one token is answered by a model that would fail it", async () => {
  const client = anthropicClient(await openaiOf());
  const { content } = await client.messages.create({ ...ASKED, max_tokens: 1 });
  assert.equal(content.length, 1);
  assert.equal(bodyOf(stub.received[0]!).max_completion_tokens, 16);
});

test("a conversation goes on at an account that cannot read the thoughts which another's model had", async () => {
  const gateway = await openaiOf();
  const said = [
    { role: "user", content: "Hi" },
    { type: "function_call", call_id: "c", name: "f", arguments: '{"n":12345678901234567890}' },
    { type: "function_call_output", call_id: "c", output: "42" },
  ];
  const thought = { type: "reasoning", summary: [], encrypted_content: "theirs" };
  const input = [said[0]!, thought, ...said.slice(1)];
  const response = await gateway.post(RESPONSES, { model: MODEL, store: false, input });
  assert.equal(response.status, 200);
  assert.deepEqual(urls(), [RESPONSES, RESPONSES]);
  assert.deepEqual(bodyOf(stub.received[1]!), { model: MODEL, store: false, input: said });
  assert.ok(stub.received[1]!.body.includes("12345678901234567890"));
});

test("the same of a translated conversation; what else an account cannot read is told to the caller", async () => {
  const gateway = await openaiOf();
  await anthropicClient(gateway).messages.create({ ...ASKED, tools: TOOLS });
  stub.received.length = 0;
  const content = [
    { type: "thinking" as const, thinking: "hm", signature: "~openai:theirs" },
    { type: "text" as const, text: "Hello." },
  ];
  const messages = [...ASKED.messages, { role: "assistant" as const, content }, ...ASKED.messages];
  await anthropicClient(gateway).messages.create({ ...ASKED, tools: TOOLS, messages });
  assert.deepEqual(urls(), [RESPONSES, RESPONSES]);
  assert.ok(!stub.received[1]!.body.includes("theirs"));
  stub.received.length = 0;
  const compacted = { type: "compaction", encrypted_content: "theirs" };
  const response = await gateway.post(RESPONSES, { model: MODEL, input: [compacted] });
  assert.equal(response.status, 400);
  assert.match(await response.text(), /invalid_encrypted_content/);
});

test("a refusal that quotes what asks for no summaries does not take them from others", async () => {
  const gateway = await openaiOf();
  const client = anthropicClient(gateway);
  await client.messages.create({ ...ASKED, tools: TOOLS });
  const quoted =
    "Bad value 'must be verified to generate reasoning summaries' of reasoning.summary.";
  stub.script = refusal(quoted, "input");
  await assert.rejects(client.messages.create({ ...ASKED, tools: TOOLS }));
  stub.script = replyJson(200, JSON.stringify(RESPONSE));
  await client.messages.create({ ...ASKED, tools: TOOLS });
  assert.equal(bodyOf(stub.received.at(-1)!).reasoning?.summary, "auto");
});
