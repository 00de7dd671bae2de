import assert from "node:assert/strict";
import { test } from "node:test";
import type { StreamForm } from "../codec.js";
import { withoutForeignThoughts } from "./foreign-thoughts.js";

function cleaned(form: StreamForm, body: object): unknown {
  const text = withoutForeignThoughts(Buffer.from(JSON.stringify(body)), form).toString();
  return JSON.parse(text) as unknown;
}

const OWN = { type: "thinking", thinking: "hm", signature: "c2ln" };
const TEXT = { type: "text", text: "ok" };
const CALL = { type: "tool_use", id: "t", name: "f", input: {} };
const USER = { role: "user", content: "hi" };
const RESULT = { role: "user", content: [{ type: "tool_result", tool_use_id: "t" }] };

function assistant(...content: object[]): object {
  return { role: "assistant", content };
}

test("Anthropic gets no thoughts of others, and all else as it is", () => {
  for (const foreign of [
    { type: "thinking", thinking: "", signature: "~gemini:AAA" },
    { type: "thinking", thinking: "x", signature: "~unsigned:" },
    { type: "redacted_thinking", data: "~openai:AAA" },
  ]) {
    const messages = [USER, assistant(foreign, OWN, TEXT, CALL), RESULT];
    const thinking = { type: "enabled", budget_tokens: 2000 };
    assert.deepEqual(cleaned("MESSAGES", { model: "m", thinking, messages, x: 1 }), {
      model: "m",
      thinking,
      messages: [USER, assistant(OWN, TEXT, CALL), RESULT],
      x: 1,
    });
  }
});

test("what the assistant only thought is not left empty, and a budget is not asked for where a loop began without", () => {
  const foreign = { type: "thinking", thinking: "x", signature: "~openai:AAA" };
  const thinking = { type: "enabled", budget_tokens: 2000 };
  const messages = [USER, assistant(foreign), USER, assistant(foreign, CALL), RESULT];
  assert.deepEqual(cleaned("MESSAGES", { thinking, messages }), {
    messages: [USER, assistant({ type: "text", text: "." }), USER, assistant(CALL), RESULT],
  });
  const adaptive = { thinking: { type: "adaptive" }, messages: [USER, assistant(foreign, CALL)] };
  assert.deepEqual(cleaned("MESSAGES", adaptive), {
    thinking: { type: "adaptive" },
    messages: [USER, assistant(CALL)],
  });
});

test("OpenAI gets no reasoning of others, and its own with and without its content", () => {
  const stored = { type: "reasoning", id: "rs_1", summary: [] };
  const own = { ...stored, encrypted_content: "gAAA" };
  const call = { type: "function_call", id: "fc_1", call_id: "c", name: "f", arguments: "{}" };
  for (const foreign of ["~anthropic:AAA", "~gemini:AAA", "~unsigned:"]) {
    const input = [{ ...stored, encrypted_content: foreign }, call, own, call, stored];
    const body = { model: "m", input };
    assert.deepEqual(cleaned("RESPONSES", body), { model: "m", input: [call, own, call, stored] });
  }
});

test("a request without such thoughts goes on byte by byte, whatever is said in it", () => {
  for (const form of ["MESSAGES", "RESPONSES", "CHAT", "GENERATE"] as const) {
    for (const text of [
      '{ "messages": [{"role":"user","content":"~gemini:x"}], "n": 12345678901234567890 }',
      '{ "input": [{"type":"reasoning","encrypted_content":"g~"}, "~unsigned:"] }',
      '{ "input": "~anthropic:x" }',
      "~unsigned: no JSON",
    ]) {
      const body = Buffer.from(text);
      assert.equal(withoutForeignThoughts(body, form), body);
    }
  }
});

test("numbers keep their digits where thoughts are left out", () => {
  const body = Buffer.from(
    '{"input":[{"type":"reasoning","summary":[],"encrypted_content":"~unsigned:"}],"seed":12345678901234567890}',
  );
  const text = withoutForeignThoughts(body, "RESPONSES").toString();
  assert.equal(text, '{"input":[],"seed":12345678901234567890}');
});
