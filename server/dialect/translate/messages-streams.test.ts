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
  const text = stream.push(Buffer.from(sent)).toString() + stream.end().toString();
  return { failure: stream.failure, text };
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
