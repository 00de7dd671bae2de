import assert from "node:assert/strict";
import test from "node:test";
import { type JsonObject, object, objects } from "./json.js";
import type { Form, Target } from "./side.js";
import { translatorFor } from "./translator.js";

// What some SDKs insist on, or send, that OpenAI's, Anthropic's and Google's own do not.

const TARGET: Target = {
  model: "gemini-3-pro",
  maxOutput: 9,
  providerSlug: "google",
  asksUsage: true,
};

const ASKED: Readonly<Record<"CHAT" | "RESPONSES", JsonObject>> = {
  CHAT: { messages: [{ role: "user", content: "go" }] },
  RESPONSES: { input: "go" },
};

function way(from: Form, to: Form, body: JsonObject) {
  const call = { id: "call_1", nowSeconds: 1, streamed: true, modelAsked: "m", asArray: false };
  return translatorFor(from, to)!.request(Buffer.from(JSON.stringify(body)), TARGET, call);
}

const SIGNED_CALL = {
  candidates: [
    {
      content: {
        role: "model",
        parts: [{ functionCall: { name: "run", args: { n: 1 } }, thoughtSignature: "c2ln" }],
      },
      finishReason: "STOP",
    },
  ],
  responseId: "r",
};

function whole(from: "CHAT" | "RESPONSES"): JsonObject {
  const reply = way(from, "GENERATE", ASKED[from]).reply(Buffer.from(JSON.stringify(SIGNED_CALL)));
  return JSON.parse(reply.toString());
}

function streamed(from: "CHAT" | "RESPONSES", to: Form, events: readonly string[]): JsonObject[] {
  const stream = way(from, to, ASKED[from]).stream();
  const said = events.map((event) => stream.push(Buffer.from(event)).toString()).join("");
  return [...`${said}${stream.end().toString()}`.matchAll(/^data: (\{.*)$/gm)].map(([, data]) =>
    JSON.parse(data!),
  );
}

const GENERATED = [`data: ${JSON.stringify(SIGNED_CALL)}\n\n`];

test("thoughts in a response say how far they are, as AI SDK's provider for xAI wants to know", () => {
  assert.deepEqual(
    objects(whole("RESPONSES")["output"]).map(({ type, status }) => [type, status]),
    [
      ["reasoning", "completed"],
      ["function_call", "completed"],
    ],
  );
  const told = streamed("RESPONSES", "GENERATE", GENERATED).flatMap(({ type, item }) => {
    const { type: kind, status } = object(item) ?? {};
    return kind === "reasoning" ? [[type, status]] : [];
  });
  assert.deepEqual(told, [
    ["response.output_item.added", "in_progress"],
    ["response.output_item.done", "completed"],
  ]);
});

test("a response and a chat completion have each member that OpenRouter's SDK insists on", () => {
  const last = object(streamed("RESPONSES", "GENERATE", GENERATED).at(-1)?.["response"]) ?? {};
  for (const response of [whole("RESPONSES"), last]) {
    for (const name of [
      "completed_at",
      "created_at",
      "error",
      "frequency_penalty",
      "id",
      "incomplete_details",
      "instructions",
      "metadata",
      "model",
      "object",
      "output",
      "parallel_tool_calls",
      "presence_penalty",
      "status",
      "temperature",
      "tool_choice",
      "tools",
      "top_p",
    ]) {
      assert.ok(name in response, name);
    }
  }
  assert.equal(whole("CHAT")["system_fingerprint"], null);
});

/** The calls of tools in chunks, by what a caller hears of them first and later. */
function heard(chunks: readonly JsonObject[]): unknown[] {
  return chunks
    .flatMap(({ choices }) => objects(choices))
    .flatMap(({ delta }) => objects(object(delta)?.["tool_calls"]))
    .map((call) => [call["index"], call["id"], call["function"]]);
}

test("a call that a provider makes at once stands whole in one chunk, for callers who put none together", () => {
  const calls = heard(streamed("CHAT", "GENERATE", GENERATED));
  assert.deepEqual(calls, [[0, calls.flat()[1], { name: "run", arguments: '{"n":1}' }]]);
});

test("a call that comes in pieces begins with its first, and one without arguments is whole", () => {
  const event = (type: string, more: JsonObject): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
  const begun = (index: number, id: string): string =>
    event("content_block_start", {
      index,
      content_block: { type: "tool_use", id, name: "run", input: {} },
    });
  const piece = (partial_json: string): string =>
    event("content_block_delta", { index: 0, delta: { type: "input_json_delta", partial_json } });
  const calls = heard(
    streamed("CHAT", "MESSAGES", [
      event("message_start", { message: { id: "msg_1", model: "m", usage: {} } }),
      begun(0, "a"),
      piece(""),
      piece('{"n"'),
      piece(":1}"),
      event("content_block_stop", { index: 0 }),
      begun(1, "b"),
      event("content_block_stop", { index: 1 }),
      event("message_delta", { delta: { stop_reason: "tool_use" }, usage: { output_tokens: 1 } }),
      event("message_stop", {}),
    ]),
  );
  assert.deepEqual(calls, [
    [0, "a", { name: "run", arguments: '{"n"' }],
    [0, undefined, { arguments: ":1}" }],
    [1, "b", { name: "run", arguments: "{}" }],
  ]);
});

test("what a prompt of Gemini's took stands in the first event of a message, where LangChain alone reads it", () => {
  const usage = (candidatesTokenCount: number): string => {
    const parts = [{ text: "Hi" }];
    const usageMetadata = { promptTokenCount: 9, cachedContentTokenCount: 4, candidatesTokenCount };
    return `data: ${JSON.stringify({ candidates: [{ content: { parts } }], usageMetadata })}\n\n`;
  };
  const body = { max_tokens: 9, messages: [{ role: "user", content: "go" }] };
  const stream = way("MESSAGES", "GENERATE", body).stream();
  const text = stream.push(Buffer.from(usage(1) + usage(2))).toString() + stream.end().toString();
  const used = { input_tokens: 5, cache_creation_input_tokens: 0, cache_read_input_tokens: 4 };
  const told = Array.from(text.matchAll(/^data: (.*"usage".*)$/gm), ([, json]) => {
    const { usage, message } = JSON.parse(json!);
    return usage ?? message.usage;
  });
  assert.deepEqual(told, [
    {
      ...used,
      output_tokens: 0,
      cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
    },
    { ...used, output_tokens: 2 },
  ]);
});

test("results that are all named after their function are those of its calls in their order", () => {
  const call = { functionCall: { name: "run", args: {} } };
  const result = (n: number): JsonObject => ({
    functionResponse: { id: "run", name: "run", response: { output: `result ${String(n)}` } },
  });
  const { body } = way("GENERATE", "CHAT", {
    contents: [
      { role: "user", parts: [{ text: "go" }] },
      { role: "model", parts: [call] },
      { role: "user", parts: [result(0)] },
      { role: "model", parts: [call, call] },
      { role: "user", parts: [result(1), result(2)] },
    ],
  });
  const results = objects(JSON.parse(body.toString()).messages).filter(
    ({ role }) => role === "tool",
  );
  assert.deepEqual(
    results.map((each) => [each["tool_call_id"], each["content"]]),
    [0, 1, 2].map((n) => [`call_p${String(n)}`, `result ${String(n)}`]),
  );
});

test("who calls the model the assistant keeps its calls of tools", () => {
  const { body } = way("GENERATE", "CHAT", {
    contents: [
      { role: "user", parts: [{ text: "go" }] },
      { role: "assistant", parts: [{ functionCall: { name: "run", args: {} } }] },
      { role: "tool", parts: [{ functionResponse: { name: "run", response: { n: 1 } } }] },
    ],
  });
  const { messages } = JSON.parse(body.toString());
  assert.deepEqual(
    messages.map((message: JsonObject) => message["role"]),
    ["user", "assistant", "tool"],
  );
  assert.equal(messages[1].tool_calls[0].id, messages[2].tool_call_id);
});

/** The blocks of a message that is streamed while a chat provider says the arguments of a call in these pieces. */
function callStreamed(pieces: readonly string[]): JsonObject[] {
  const call = { index: 0, id: "a", type: "function" };
  const chunk = (args: string, more: JsonObject = {}): string => {
    const tool_calls = [{ ...call, function: { arguments: args, ...more } }];
    return `data: ${JSON.stringify({ choices: [{ index: 0, delta: { tool_calls } }] })}\n\n`;
  };
  const body = { max_tokens: 9, messages: [{ role: "user", content: "go" }] };
  const stream = way("MESSAGES", "CHAT", body).stream();
  const sent = [chunk("", { name: "run" }), ...pieces.map((piece) => chunk(piece))];
  const said = sent.map((event) => stream.push(Buffer.from(event)).toString()).join("");
  return [...`${said}${stream.end().toString()}`.matchAll(/^data: (\{.*)$/gm)].map(([, data]) =>
    JSON.parse(data!),
  );
}

test("the arguments of a call are an object for a caller of messages, in a stream too", () => {
  for (const [pieces, input] of [
    [["null"], {}],
    [["nu", "ll"], {}],
    [[" ", "\n"], {}],
    [[], {}],
    [["[1", "]"], { INVALID_JSON: "[1]" }],
    [["[", "{}", "]"], { INVALID_JSON: "[{}]" }],
    [['"no"'], { INVALID_JSON: '"no"' }],
    [[" ", '{"n"', ":1}"], { n: 1 }],
  ] as const) {
    const deltas = callStreamed(pieces).map(({ delta }) => object(delta)?.["partial_json"] ?? "");
    const told = deltas.join("");
    assert.deepEqual(told === "" ? {} : JSON.parse(told), input, JSON.stringify(pieces));
  }
  const kinds = callStreamed(["null"]).map(({ type }) => type);
  assert.equal(kinds.indexOf("content_block_stop"), kinds.lastIndexOf("content_block_delta") + 1);
});

test("the arguments of a call are passed on with each piece, once they have begun as an object", () => {
  const pieces = ['{"n"', ":", "1}"];
  const told = (before: readonly string[]) =>
    callStreamed([...before, ...pieces])
      .map(({ delta }) => object(delta)?.["partial_json"])
      .filter((piece) => piece !== undefined);
  assert.deepEqual(told([]), pieces);
  assert.deepEqual(told([" ", "\n"]), [' \n{"n"', ...pieces.slice(1)]);
});
