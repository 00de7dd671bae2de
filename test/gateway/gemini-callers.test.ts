import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import type { Dialect } from "../../server/core/provider.js";
import {
  CHAT_REPLY,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { startGateway, type TestGateway } from "./fixture.js";

// Whatever Google's own API takes, callers of it may send for a model that another provider serves.

type Json = Record<string, unknown>;

let stub: UpstreamStub;
const sides = new Map<Dialect, TestGateway>();

before(async () => {
  stub = await startUpstreamStub();
  for (const dialect of ["OPENAI", "ANTHROPIC"] as const) {
    const baseUrl = dialect === "OPENAI" ? `${stub.origin}/v1` : stub.origin;
    sides.set(dialect, await startGateway({ providers: [{ baseUrl, dialect }] }));
  }
});

after(async () => {
  for (const gateway of sides.values()) await gateway.close();
  await stub.close();
});

beforeEach(() => {
  stub.received.length = 0;
});

const ANSWERS = {
  OPENAI: CHAT_REPLY,
  ANTHROPIC: JSON.stringify({
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude-sonnet-5",
    content: [{ type: "text", text: "Hello." }],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage: { input_tokens: 20, output_tokens: 9 },
  }),
};

async function post(dialect: keyof typeof ANSWERS, body: Json, model = "m"): Promise<Response> {
  stub.script = replyJson(200, ANSWERS[dialect]);
  return sides.get(dialect)!.post(`/v1beta/models/${model}:generateContent`, body);
}

/** What the provider was asked. */
async function sent(dialect: keyof typeof ANSWERS, body: Json, model = "m") {
  const response = await post(dialect, body, model);
  assert.equal(response.status, 200, await response.text());
  return JSON.parse(stub.received.at(-1)!.body.toString());
}

function user(...parts: Json[]): Json {
  return { role: "user", parts };
}

function model(...parts: Json[]): Json {
  return { role: "model", parts };
}

function call(name: string, id?: string): Json {
  return { functionCall: id === undefined ? { name, args: {} } : { id, name, args: {} } };
}

function result(name: string, output: string, id?: string): Json {
  const given = { name, response: { output } };
  return { functionResponse: id === undefined ? given : { ...given, id } };
}

interface ChatMessage {
  readonly role: string;
  readonly content: string;
  readonly tool_calls?: readonly { readonly id: string }[];
  readonly tool_call_id?: string;
}

/** The ids of calls, and of each result the id that it answers. */
function pairs(messages: readonly ChatMessage[]) {
  return {
    calls: messages.flatMap((each) => each.tool_calls ?? []).map(({ id }) => id),
    results: messages
      .filter(({ role }) => role === "tool")
      .map((each) => [each.tool_call_id, each.content]),
  };
}

test("results without ids answer calls that have some, those first that were made first", async () => {
  const contents = [
    user({ text: "go" }),
    model(call("run", "a"), call("run", "b"), call("look", "c")),
    user(result("look", "3"), result("run", "1"), result("run", "2")),
  ];
  const { messages } = await sent("OPENAI", { contents });
  assert.deepEqual(pairs(messages), {
    calls: ["a", "b", "c"],
    results: [
      ["c", "3"],
      ["a", "1"],
      ["b", "2"],
    ],
  });
});

test("a result with an id leaves the other calls of its name to results without", async () => {
  const contents = [
    user({ text: "go" }),
    model(call("run", "a"), call("run", "b")),
    user(result("run", "2", "a"), result("run", "1")),
  ];
  const { messages } = await sent("OPENAI", { contents });
  assert.deepEqual(pairs(messages).results, [
    ["a", "2"],
    ["b", "1"],
  ]);
});
