import assert from "node:assert/strict";
import test from "node:test";
import type { Form } from "./side.js";
import { translatorFor } from "./translator.js";

const CALL = { id: "id", nowSeconds: 1, streamed: false, modelAsked: "m", asArray: false };
const TARGET = { model: "m", maxOutput: null, providerSlug: "x", asksUsage: true };
/** Ids alike to their last character. */
const LONG = ["a", "b"].map((end) => `call_${"x".repeat(90)}${end}`);

/** A Gemini caller's request with calls and results of these ids, as the provider gets it. */
function asked(to: Form, ids: readonly string[]) {
  const body = {
    contents: [
      { role: "user", parts: [{ text: "go" }] },
      { role: "model", parts: ids.map((id) => ({ functionCall: { id, name: "run" } })) },
      { role: "user", parts: ids.map((id) => ({ functionResponse: { id, name: "run" } })) },
    ],
  };
  const translator = translatorFor("GENERATE", to)!;
  const sent = translator.request(Buffer.from(JSON.stringify(body)), TARGET, CALL);
  const found: string[] = [];
  JSON.parse(sent.body.toString(), (key, value: unknown) => {
    if (/^(?:tool_call_|tool_use_|call_)?id$/.test(key)) found.push(String(value));
    return value;
  });
  return { calls: found.slice(0, 2), results: found.slice(2), dropped: sent.dropped };
}

for (const [to, charsMax] of [
  ["CHAT", 40],
  ["RESPONSES", 64],
  ["MESSAGES", 64],
] as const) {
  test(`${to}: ids that are too long become short ones, each call's and its result's the same`, () => {
    const { calls, results, dropped } = asked(to, LONG);
    assert.deepEqual(calls, results);
    assert.equal(new Set(calls).size, 2);
    assert.ok(calls.every((id) => /^[\w-]+$/.test(id) && id.length <= charsMax));
    assert.deepEqual(asked(to, LONG).calls, calls);
    assert.equal(dropped.length, 1);
  });

  test(`${to}: ids that are short enough stay`, () => {
    const ids = ["a", "b".repeat(charsMax)];
    const { calls, dropped } = asked(to, ids);
    assert.deepEqual(calls, ids);
    assert.deepEqual(dropped, []);
  });
}

test("ids that come again get a number for Anthropic, and results stay with their calls", () => {
  const call = (id: string) => ({ id, type: "function", function: { name: "f", arguments: "{}" } });
  const result = (tool_call_id: string, content: string) => ({
    role: "tool",
    tool_call_id,
    content,
  });
  const body = {
    messages: [
      { role: "user", content: "go" },
      { role: "assistant", tool_calls: [call("d")] },
      { role: "user", content: "stop" },
      { role: "assistant", tool_calls: [call("c"), call("c")] },
      result("c", "1"),
      result("c", "2"),
      { role: "assistant", tool_calls: [call("c"), call("d")] },
      result("d", "4"),
      result("c", "3"),
    ],
  };
  const translator = translatorFor("CHAT", "MESSAGES")!;
  const sent = translator.request(Buffer.from(JSON.stringify(body)), TARGET, CALL);
  const { messages } = JSON.parse(sent.body.toString());
  const ids = [];
  const results: Record<string, string> = {};
  for (const { content } of messages.slice(1)) {
    for (const block of typeof content === "string" ? [] : content) {
      if (block.type === "tool_use") ids.push(block.id);
      else results[block.tool_use_id] = block.content;
    }
  }
  // What was stopped has no result, and takes none of a later call.
  assert.deepEqual(ids, ["d", "c", "c_2", "c_3", "d_2"]);
  assert.deepEqual(results, { c: "1", c_2: "2", c_3: "3", d_2: "4" });
});
