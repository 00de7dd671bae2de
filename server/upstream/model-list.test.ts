import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { toldModels } from "./model-list.js";

test("the lists of each dialect, and of those that speak like them, are read", () => {
  const openai = { id: "gpt-9", object: "model", created: 1_760_000_000, owned_by: "x" };
  const router = { id: "meta/llama-9", name: "Llama 9", context_length: 131_072, created: 0 };
  const anthropic = {
    type: "model",
    id: "claude-9",
    display_name: "Claude 9",
    created_at: "2026-02-01T00:00:00Z",
    max_input_tokens: 200_000,
    max_tokens: 64_000,
  };
  const gemini = {
    name: "models/gemini-9",
    displayName: "Gemini 9",
    inputTokenLimit: 1_048_576,
    outputTokenLimit: 65_536,
  };
  const unknown = { createdAt: null, contextWindow: null, maxOutput: null };
  const told = [
    {
      ...unknown,
      modelId: "gpt-9",
      displayName: "gpt-9",
      createdAt: 1_760_000_000_000,
    },
    { ...unknown, modelId: "meta/llama-9", displayName: "meta/llama-9", contextWindow: 131_072 },
    {
      modelId: "claude-9",
      displayName: "Claude 9",
      createdAt: Date.UTC(2026, 1, 1),
      contextWindow: 200_000,
      maxOutput: 64_000,
    },
    {
      modelId: "gemini-9",
      displayName: "Gemini 9",
      createdAt: null,
      contextWindow: 1_048_576,
      maxOutput: 65_536,
    },
  ];
  const list = [openai, router, anthropic, gemini];
  for (const text of [list, { data: list }, { models: list }]) {
    assert.deepEqual(toldModels(JSON.stringify(text)), told);
  }
});

test("of a list no more is taken than fits, and nothing that is no model", () => {
  const odd = [
    null,
    7,
    "gpt-9",
    {},
    { id: 7 },
    { id: "" },
    { id: "a b" },
    { id: "x\r\ny" },
    { id: "ä" },
    { id: ".." },
    { id: "a//b" },
    { id: "a/../b" },
    { id: "a%2Fb" },
    { id: "a?b" },
    { id: "[redacted]-echo" },
  ];
  const long = { id: "x".repeat(257) };
  const twice = [{ id: "a", created: 1e300, display_name: "two\nlines" }, { id: "a" }];
  const noText = { id: "b", created_at: { toString: false }, created: [1] };
  const models = toldModels(JSON.stringify({ data: [...odd, long, ...twice, noText] }));
  const unsaid = { createdAt: null, contextWindow: null, maxOutput: null };
  assert.deepEqual(models, [
    { modelId: "a", displayName: "a", ...unsaid },
    { modelId: "b", displayName: "b", ...unsaid },
  ]);
  const many = Array.from({ length: 5_000 }, (_, at) => ({ id: `m${String(at)}` }));
  assert.equal(toldModels(JSON.stringify(many))?.length, 2_000);
  for (const text of ["", "<html>", "{}", '{"data": {}}', "null", "7", '{"data": [']) {
    assert.equal(toldModels(text), undefined, text);
  }
});

test("whatever a provider lists, each of its models can be written as JSON with a date", () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), fc.jsonValue(), (list, each) => {
      const text = JSON.stringify({
        data: [...list, { id: "a", created: each, created_at: each, max_tokens: each }],
      });
      for (const model of toldModels(text) ?? []) {
        if (model.createdAt !== null) new Date(model.createdAt).toISOString();
        for (const tokens of [model.contextWindow, model.maxOutput]) {
          assert.ok(tokens === null || (Number.isSafeInteger(tokens) && tokens > 0));
        }
      }
    }),
  );
});
