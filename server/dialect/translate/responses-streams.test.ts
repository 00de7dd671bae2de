import assert from "node:assert/strict";
import test from "node:test";
import type { JsonObject } from "./json.js";
import { type Form } from "./side.js";
import { translatorFor } from "./translator.js";

// Streams of providers whose Responses API is not quite OpenAI's.

const TARGET = { model: "m", maxOutput: null, providerSlug: "x", asksUsage: true };
const BODIES = {
  CHAT: { messages: [{ role: "user", content: "hi" }] },
  MESSAGES: { max_tokens: 9, messages: [{ role: "user", content: "hi" }] },
  GENERATE: { contents: [{ role: "user", parts: [{ text: "hi" }] }] },
} as const;
const CALLERS = ["CHAT", "MESSAGES", "GENERATE"] as const;

/** A stream of these events, as its caller reads it: its failure, if it has one, and its events. */
function streamed(from: (typeof CALLERS)[number] & Form, events: readonly JsonObject[]) {
  const call = { id: "id", nowSeconds: 1, streamed: true, modelAsked: "m", asArray: false };
  const body = Buffer.from(JSON.stringify(BODIES[from]));
  const stream = translatorFor(from, "RESPONSES")!.request(body, TARGET, call).stream();
  const sent = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
  const text = stream.push(Buffer.from(sent)).toString() + stream.end().toString();
  const data = Array.from(text.matchAll(/^data: (\{.*)$/gm), ([, json]) => JSON.parse(json ?? ""));
  return { failure: stream.failure, text, events: data as JsonObject[] };
}

const CREATED = { type: "response.created", response: { id: "r", object: "response" } };
const HELLO = { type: "response.output_text.delta", output_index: 0, delta: "Hello" };
const COMPLETED = { type: "response.completed", response: { status: "completed" } };
const CALL = { type: "function_call", call_id: "c", name: "look", arguments: "" };

test("a stream that fails tells its caller so, however little it says of why", () => {
  for (const from of CALLERS) {
    for (const failed of [
      { type: "response.failed" },
      { type: "response.failed", response: { id: "r", object: "response" } },
      { type: "response.failed", response: { id: "r", object: "response", error: null } },
      { type: "error" },
    ]) {
      const { failure, text } = streamed(from, [CREATED, HELLO, failed]);
      assert.deepEqual(failure?.opening, false, JSON.stringify(failed));
      assert.match(text, /The provider gave no reason\./);
      assert.doesNotMatch(text, /\[DONE\]|message_stop|finishReason/);
    }
  }
});

test("arguments that come whole behind empty pieces are those of the call", () => {
  const args = '{"city":"Ulm"}';
  const { text } = streamed("CHAT", [
    CREATED,
    { type: "response.output_item.added", output_index: 0, item: CALL },
    { type: "response.function_call_arguments.delta", output_index: 0, delta: "" },
    { type: "response.output_item.done", output_index: 0, item: { ...CALL, arguments: args } },
    COMPLETED,
  ]);
  assert.match(text, /"arguments":"\{\\"city\\":\\"Ulm\\"\}"/);
});

test("a reply whose first event is left out begins all the same, whatever it begins with", () => {
  const sealed = { type: "reasoning", summary: [], encrypted_content: "gAAA" };
  const item = { type: "response.output_item.done", output_index: 0 };
  const content = [{ type: "output_text", text: "Hello" }];
  const begin = { type: "response.output_item.added", output_index: 0 };
  for (const first of [
    { ...item, item: sealed },
    { ...item, item: { ...sealed, encrypted_content: "redacted:x" } },
    { ...item, item: { type: "message", content } },
    { ...item, item: CALL },
    { ...begin, item: CALL },
    HELLO,
    { type: "response.reasoning_summary_text.delta", output_index: 0, delta: "Hm" },
    COMPLETED,
  ]) {
    const { events } = streamed("MESSAGES", [first, COMPLETED]);
    const types = events.map(({ type }) => type);
    const what = JSON.stringify(first);
    assert.equal(types[0], "message_start", what);
    assert.equal(types.filter((type) => type === "message_start").length, 1, what);
    assert.equal(types.at(-1), "message_stop", what);
  }
  const error = { code: "server_error", message: "no" };
  const { events, failure } = streamed("MESSAGES", [{ type: "error", error }]);
  assert.deepEqual(
    events.map(({ type }) => type),
    ["error"],
  );
  assert.equal(failure?.opening, true);
});

test("a response that is incomplete by its event alone is told as cut short", () => {
  const incomplete = { type: "response.incomplete", response: { id: "r", object: "response" } };
  const reasons = { CHAT: '"length"', MESSAGES: '"max_tokens"', GENERATE: '"MAX_TOKENS"' };
  for (const from of CALLERS) {
    const { text } = streamed(from, [CREATED, HELLO, incomplete]);
    assert.ok(text.includes(reasons[from]), text);
  }
});
