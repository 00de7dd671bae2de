import assert from "node:assert/strict";
import { test } from "node:test";
import { chatEvents, messageEvents } from "../../test/support/upstream-stub.js";
import { textShare } from "./text-share.js";

const WORD = "twelve bytes";
const data = (event: object): string => `data: ${JSON.stringify(event)}\n\n`;

/** Of so many events alike, how many bytes of text are found in each. */
function textBytes(event: string): number {
  const events = Buffer.from(event.repeat(5));
  return Math.round((textShare(events) * events.length) / 5);
}

test("what a model says is found in every dialect", () => {
  assert.equal(textBytes(chatEvents([WORD])[0] ?? ""), 12);
  assert.equal(textBytes(messageEvents([WORD])[2] ?? ""), 12);
  assert.equal(textBytes(data({ type: "response.output_text.delta", delta: WORD })), 12);
  assert.equal(textBytes(data({ candidates: [{ content: { parts: [{ text: WORD }] } }] })), 12);
  const call = { index: 0, function: { arguments: '{"city":' } };
  assert.equal(textBytes(data({ choices: [{ index: 0, delta: { tool_calls: [call] } }] })), 8);
  const parts = [{ functionCall: { name: "weather", args: { city: "Ulm" } } }];
  assert.equal(textBytes(data({ candidates: [{ content: { parts } }] })), 14);
});

test("events that say nothing have no text, and what cannot be read is taken as text", () => {
  assert.equal(textShare(Buffer.from(data({ choices: [{ delta: { role: "assistant" } }] }))), 0);
  for (const bytes of ["", ": comment\n\n", "data: [DONE]\n\n", "data: {no\n\n", "\u0000\u0001"]) {
    assert.equal(textShare(Buffer.from(bytes)), 1);
  }
});

test("an event as deep as can be is no trouble", () => {
  const deep = `data: {"a":${'[{"a":'.repeat(20_000)}1${"}]".repeat(20_000)}}\n\n`;
  assert.equal(textShare(Buffer.from(deep)), 0);
});
