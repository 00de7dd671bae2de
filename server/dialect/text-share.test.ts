import assert from "node:assert/strict";
import { test } from "node:test";
import { chatEvents, messageEvents } from "../../test/support/upstream-stub.js";
import { textBytes, textShare } from "./text-share.js";

const WORD = "twelve bytes";
const data = (event: object): string => `data: ${JSON.stringify(event)}\n\n`;

/** Of so many events alike, how many bytes of text are found in each. */
function saidBytes(event: string): number {
  const events = Buffer.from(event.repeat(5));
  return Math.round((textShare(events) * events.length) / 5);
}

test("what a model says is found in every dialect", () => {
  assert.equal(saidBytes(chatEvents([WORD])[0] ?? ""), 12);
  assert.equal(saidBytes(messageEvents([WORD])[2] ?? ""), 12);
  assert.equal(saidBytes(data({ type: "response.output_text.delta", delta: WORD })), 12);
  assert.equal(saidBytes(data({ candidates: [{ content: { parts: [{ text: WORD }] } }] })), 12);
  const call = { index: 0, function: { arguments: '{"city":' } };
  assert.equal(saidBytes(data({ choices: [{ index: 0, delta: { tool_calls: [call] } }] })), 8);
  const parts = [{ functionCall: { name: "weather", args: { city: "Ulm" } } }];
  assert.equal(saidBytes(data({ candidates: [{ content: { parts } }] })), 14);
});

test("events that say nothing have no text, and what cannot be read is taken as text", () => {
  assert.equal(textShare(Buffer.from(data({ choices: [{ delta: { role: "assistant" } }] }))), 0);
  for (const bytes of ["", ": comment\n\n", "data: [DONE]\n\n", "data: {no\n\n", "\u0000\u0001"]) {
    assert.equal(textShare(Buffer.from(bytes)), 1);
  }
});

test("an event as deep as can be is no trouble, and taken for said as what cannot be read", () => {
  const deep = `data: {"a":${'[{"a":'.repeat(20_000)}1${"}]".repeat(20_000)}}\n\n`;
  assert.equal(textShare(Buffer.from(deep)), 1);
});

test("of a whole reply what the model said counts, in every dialect, and all of what cannot be read", () => {
  const said = (reply: object): number => textBytes(Buffer.from(JSON.stringify(reply)));
  const chat = { id: "chatcmpl-1", model: "m", choices: [{ message: { content: WORD } }] };
  assert.equal(said(chat), 12);
  assert.equal(said({ choices: [{ text: WORD, index: 0 }] }), 12);
  const output = [{ type: "message", content: [{ type: "output_text", text: WORD }] }];
  assert.equal(said({ object: "response", instructions: "be brief", output }), 12);
  const use = { type: "tool_use", id: "toolu_1", name: "weather", input: { city: "Ulm" } };
  assert.equal(said({ type: "message", content: [{ type: "text", text: WORD }, use] }), 12 + 14);
  assert.equal(said({ candidates: [{ content: { parts: [{ text: WORD }] } }] }), 12);
  assert.equal(said({ data: [{ embedding: [0.1, 0.2] }] }), 0);
  assert.equal(textBytes(Buffer.from("plain words")), 11);
});
