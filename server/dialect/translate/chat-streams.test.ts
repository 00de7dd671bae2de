import assert from "node:assert/strict";
import test from "node:test";
import type { JsonObject } from "./json.js";
import { translatorFor } from "./translator.js";

// Streams of chat completions, as callers of messages hear them.

/** A stream of these pieces of data, to a caller of messages. */
function heard(...data: readonly (JsonObject | string)[]): JsonObject[] {
  const target = { model: "m", maxOutput: null, providerSlug: "x", asksUsage: true };
  const call = { id: "id", nowSeconds: 1, streamed: true, modelAsked: "m", asArray: false };
  const body = { max_tokens: 9, messages: [{ role: "user", content: "hi" }] };
  const request = Buffer.from(JSON.stringify(body));
  const stream = translatorFor("MESSAGES", "CHAT")!.request(request, target, call).stream();
  const sent = data.map(
    (each) => `data: ${typeof each === "string" ? each : JSON.stringify(each)}\n\n`,
  );
  const text = stream.push(Buffer.from(sent.join(""))).toString() + stream.end().toString();
  return [...text.matchAll(/^data: (\{.*)$/gm)].map(([, json]) => JSON.parse(json!));
}

function chunk(delta: JsonObject, more: JsonObject = {}): JsonObject {
  return { id: "c", choices: [{ index: 0, delta, finish_reason: null, ...more }] };
}

function textOf(events: readonly JsonObject[]): string {
  const deltas = events.map(({ delta }) => delta as JsonObject | undefined);
  return deltas.map((delta) => delta?.["text"] ?? "").join("");
}

function stopOf(events: readonly JsonObject[]): unknown {
  const end = events.find(({ type }) => type === "message_delta");
  return (end?.["delta"] as JsonObject | undefined)?.["stop_reason"];
}

const STOP = chunk({}, { finish_reason: "stop" });

test("a model that refuses in a stream has refused, whatever it says before and behind that", () => {
  const [text, refusal] = [chunk({ content: "Well" }), chunk({ refusal: "No." })];
  for (const events of [[refusal], [text, refusal], [refusal, text]]) {
    assert.equal(stopOf(heard(...events, STOP, "[DONE]")), "refusal");
  }
  assert.equal(stopOf(heard(text, STOP, "[DONE]")), "end_turn");
});

test("of several choices the first is told, and one without a number is the first", () => {
  const second = chunk({ content: "Two" }, { index: 1, finish_reason: "length" });
  const bare = { choices: [{ delta: { content: "One" } }] };
  for (const first of [chunk({ content: "One" }), bare]) {
    const events = heard(second, first, second, STOP, "[DONE]");
    assert.deepEqual([textOf(events), stopOf(events)], ["One", "end_turn"]);
  }
});

test("data that is no object says nothing", () => {
  const events = heard("ping", "1", "[]", chunk({ content: "Hi" }), "", STOP, "[DONE]");
  assert.equal(textOf(events), "Hi");
  assert.equal(stopOf(events), "end_turn");
});

test("a call without any arguments is called with none", () => {
  const call = { index: 0, id: "a", type: "function", function: { name: "run" } };
  const events = heard(chunk({ tool_calls: [call] }), STOP, "[DONE]");
  assert.equal(stopOf(events), "tool_use");
  assert.ok(events.every(({ delta }) => !("partial_json" in ((delta ?? {}) as JsonObject))));
});
