import assert from "node:assert/strict";
import test from "node:test";
import type { JsonObject } from "./json.js";
import { translatorFor } from "./translator.js";

// Streams of messages that are not quite as Anthropic's own documents have them.

const TARGET = { model: "m", maxOutput: null, providerSlug: "anthropic", asksUsage: true };
const CALL = { id: "id", nowSeconds: 1, streamed: true, modelAsked: "m", asArray: false };
const BODIES = {
  CHAT: { messages: [{ role: "user", content: "hi" }], stream_options: { include_usage: true } },
  RESPONSES: { input: "hi" },
  GENERATE: { contents: [{ role: "user", parts: [{ text: "hi" }] }] },
} as const;
const CALLERS = ["CHAT", "RESPONSES", "GENERATE"] as const;

/** A stream of these events, as its caller reads it. */
function streamed(from: (typeof CALLERS)[number], events: readonly JsonObject[]) {
  const body = Buffer.from(JSON.stringify(BODIES[from]));
  const stream = translatorFor(from, "MESSAGES")!.request(body, TARGET, CALL).stream();
  const sent = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
  const soFar = stream.push(Buffer.from(sent)).toString();
  const text = soFar + stream.end().toString();
  return { failure: stream.failure, soFar, text };
}

function begun(id: string): JsonObject {
  const message = { id, type: "message", model: "m", usage: { input_tokens: 3, output_tokens: 1 } };
  return { type: "message_start", message };
}

function said(text: string): JsonObject[] {
  return [
    { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
    { type: "content_block_delta", index: 0, delta: { type: "text_delta", text } },
  ];
}

const ENDED = [
  { type: "content_block_stop", index: 0 },
  { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 7 } },
  { type: "message_stop" },
];
const SPLICED = [begun("first"), ...said("Once"), begun("second"), ...said("Twice"), ...ENDED];

test("a message that begins inside another ends the stream as failed: the two are no one reply", () => {
  for (const from of CALLERS) {
    const { failure, text } = streamed(from, SPLICED);
    assert.equal(failure?.opening, false, from);
    assert.match(text, /Once/);
    assert.match(text, /began another message/);
    assert.doesNotMatch(text, /Twice|\[DONE\]|response\.completed|finishReason/);
  }
});

test("a message that begins in place of one that said nothing can be asked for again", () => {
  for (const from of CALLERS) {
    const { failure } = streamed(from, [begun("first"), begun("second"), ...said("Twice")]);
    assert.equal(failure?.opening, true, from);
  }
});

test("a beginning that is told twice is one", () => {
  for (const again of [begun("first"), { type: "message_start" }]) {
    for (const from of CALLERS) {
      const { failure, text } = streamed(from, [begun("first"), again, ...said("Once"), ...ENDED]);
      assert.equal(failure, undefined, from);
      assert.match(text, /Once/);
    }
  }
});

/** A call that a model begins, with the arguments that are told at once. */
function called(input: object): JsonObject {
  const content_block = { type: "tool_use", id: "c", name: "look", input };
  return { type: "content_block_start", index: 0, content_block };
}

function piece(partial_json: string): JsonObject {
  const delta = { type: "input_json_delta", partial_json };
  return { type: "content_block_delta", index: 0, delta };
}

test("arguments that come whole with the beginning of a call are those of the call", () => {
  for (const pieces of [[], [""], ['{"a"', ":1}"]]) {
    const given = pieces.map(piece);
    const events = [begun("m"), called({ a: 1 }), ...given, ...ENDED];
    const { text } = streamed("GENERATE", events);
    assert.match(text, /"functionCall":\{"id":"c","name":"look","args":\{"a":1\}\}/);
  }
  const { text } = streamed("CHAT", [begun("m"), called({}), piece('{"a":1}'), ...ENDED]);
  assert.doesNotMatch(text, /"arguments":"\{\}/);
});

test("a call is told as soon as its block ends, not with what follows", () => {
  const end = { type: "content_block_stop", index: 0 };
  const other = { type: "content_block_stop", index: 7 };
  const call = [begun("m"), called({}), piece('{"a":1}')];
  assert.doesNotMatch(streamed("GENERATE", [...call, other]).soFar, /functionCall/);
  assert.match(streamed("GENERATE", [...call, end]).soFar, /functionCall/);
});

test("a stream ends once, and nothing behind its end is told", () => {
  const events = [begun("m"), ...said("Once"), ...ENDED, ...said("Twice"), ...ENDED];
  for (const [from, end] of [
    ["CHAT", /\[DONE\]/g],
    ["RESPONSES", /"type":"response\.completed"/g],
    ["GENERATE", /finishReason/g],
  ] as const) {
    const { text } = streamed(from, events);
    assert.equal(text.match(end)?.length, 1, text);
    assert.doesNotMatch(text, /Twice/);
  }
});

test("why a model would not go on is its refusal, in a stream too", () => {
  const stop_details = { type: "refusal", explanation: "I must not." };
  const refused = { type: "message_delta", delta: { stop_reason: "refusal", stop_details } };
  for (const before of [[], said("Well")]) {
    const { text } = streamed("RESPONSES", [begun("m"), ...before, refused]);
    assert.match(text, /"type":"response\.refusal\.done".*"refusal":"I must not\."/);
    assert.equal(
      text.match(/"type":"response\.output_item\.done"/g)?.length,
      before.length / 2 + 1,
    );
  }
  assert.match(streamed("CHAT", [begun("m"), refused]).text, /"refusal":"I must not\."/);
});

test("what the end of a message leaves out is as it was told before", () => {
  const full = { type: "message_delta", delta: { stop_reason: "max_tokens" }, usage: {} };
  for (const bare of [
    { type: "message_delta" },
    { type: "message_delta", delta: { stop_reason: null }, usage: {} },
  ]) {
    const { text } = streamed("CHAT", [begun("m"), ...said("Once"), full, bare]);
    assert.match(text, /"finish_reason":"length"/);
    assert.match(text, /"prompt_tokens":3,"completion_tokens":1/);
  }
});

test("what the provider's own tools did is not told, nor a signature that is none", () => {
  const own = { type: "server_tool_use", id: "s", name: "web_search", input: {} };
  const search = [
    { type: "content_block_start", index: 0, content_block: own },
    piece('{"query":"x"}'),
    { type: "content_block_stop", index: 0 },
  ];
  const thinking = { type: "thinking", thinking: "Hm." };
  const unsigned = [
    { type: "content_block_start", index: 0, content_block: thinking },
    { type: "content_block_delta", index: 0, delta: { type: "signature_delta", signature: "" } },
  ];
  const { text } = streamed("CHAT", [begun("m"), ...search, ...unsigned, ...said("Hi"), ...ENDED]);
  assert.doesNotMatch(text, /query|tool_calls|"signature"/);
  assert.match(text, /"reasoning_content":"Hm\."/);
});

test("an error that says next to nothing is one all the same", () => {
  for (const from of CALLERS) {
    for (const [error, reason] of [
      [{ type: "error" }, /The provider gave no reason\./],
      [{ type: "error", error: "too busy" }, /too busy/],
      [{ type: "error", error: { type: "overloaded_error" } }, /The provider gave no reason\./],
    ] as const) {
      const { failure, text } = streamed(from, [begun("m"), ...said("Once"), error, ...ENDED]);
      assert.equal(failure?.opening, false, JSON.stringify(error));
      assert.match(text, reason);
      assert.doesNotMatch(text, /\[DONE\]|response\.completed|finishReason/);
    }
  }
});
