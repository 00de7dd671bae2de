import assert from "node:assert/strict";
import test from "node:test";
import { Fault } from "../../core/fault.js";
import type { JsonObject } from "./json.js";
import type { Form } from "./side.js";
import { translatorFor } from "./translator.js";

const CALL = { id: "id", nowSeconds: 1, streamed: false, modelAsked: "m", asArray: false };
const TARGET = { model: "m", maxOutput: null, providerSlug: "x", asksUsage: true };

function ask(from: Form, to: Form, body: JsonObject) {
  const sent = translatorFor(from, to)!.request(Buffer.from(JSON.stringify(body)), TARGET, CALL);
  return JSON.parse(sent.body.toString());
}

const USER = { role: "user", content: "x" };
const CALLED = { type: "function_call_output", call_id: "c", output: { a: 1 } };

const MALFORMED: readonly (readonly [Form, JsonObject, RegExp])[] = [
  ["CHAT", { messages: ["x"] }, /"messages"/],
  ["CHAT", { messages: [{ role: "user", content: 5 }] }, /"content"/],
  ["CHAT", { messages: [{ role: "user", content: ["x"] }] }, /"content"/],
  ["CHAT", { messages: [{ role: "assistant", content: {} }] }, /"content"/],
  ["CHAT", { messages: [USER], tools: "f" }, /"tools"/],
  ["CHAT", { messages: [USER], max_tokens: "100" }, /"max_tokens"/],
  ["MESSAGES", { messages: [USER, "x"] }, /"messages"/],
  ["MESSAGES", { messages: [{ role: "user", content: null }] }, /"content"/],
  ["MESSAGES", { messages: [USER], system: { text: "x" } }, /"system"/],
  ["MESSAGES", { messages: [USER], max_tokens: [1] }, /"max_tokens"/],
  ["RESPONSES", { input: ["x"] }, /"input"/],
  ["RESPONSES", { input: [{ role: "user", content: ["x"] }] }, /"content"/],
  ["RESPONSES", { input: [CALLED] }, /"content"/],
  ["RESPONSES", { input: "x", max_output_tokens: true }, /"max_output_tokens"/],
  [
    "GENERATE",
    { contents: [{ parts: [{ text: "x" }] }], generationConfig: { temperature: "hot" } },
    /"temperature"/,
  ],
];

for (const [from, body, name] of MALFORMED) {
  test(`what no provider could read is refused by its name (${from}: ${JSON.stringify(body)})`, () => {
    for (const to of ["CHAT", "MESSAGES"] as const) {
      if (to === from) continue;
      assert.throws(
        () => ask(from, to, body),
        (thrown) =>
          thrown instanceof Fault &&
          thrown.code === "malformed_request" &&
          name.test(thrown.publicMessage),
      );
    }
  });
}

test("Google's numbers may be written as text", () => {
  const generationConfig = { maxOutputTokens: "100", temperature: 0.5 };
  const body = ask("GENERATE", "CHAT", {
    contents: [{ parts: [{ text: "x" }] }],
    generationConfig,
  });
  assert.equal(body.max_tokens, 100);
  assert.equal(body.temperature, 0.5);
});

test("what is missing or null is no fault", () => {
  const nothing = { tools: null, max_tokens: null, temperature: null, response_format: null };
  const messages = [{ role: "assistant", content: null, tool_calls: null }, USER];
  assert.equal(ask("CHAT", "MESSAGES", { messages, ...nothing }).messages.at(-1).content, "x");
});

test("formats of replies that other dialects do not know are refused by their names", () => {
  const format = { type: "grammar" };
  for (const [from, body] of [
    ["CHAT", { messages: [USER], response_format: format }],
    ["RESPONSES", { input: "x", text: { format } }],
  ] as const) {
    assert.throws(() => ask(from, "MESSAGES", body), /the format "grammar" of replies/);
  }
  const plain = { messages: [USER], response_format: { type: "text" } };
  assert.equal("output_config" in ask("CHAT", "MESSAGES", plain), false);
});
