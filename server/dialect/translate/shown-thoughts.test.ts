import assert from "node:assert/strict";
import test from "node:test";
import { type JsonObject, object } from "./json.js";
import type { Form } from "./side.js";
import { translatorFor } from "./translator.js";

// A caller who asks to read what the model thinks, and does not say how hard it is to think, reads it.

const ASKED = {
  MESSAGES: { max_tokens: 9, messages: [{ role: "user", content: "go" }] },
  RESPONSES: { input: "go" },
} as const;

function sent(to: Form, model: string, from: keyof typeof ASKED, more: JsonObject): JsonObject {
  const target = { model, maxOutput: null, providerSlug: "x", asksUsage: true };
  const call = { id: "call_1", nowSeconds: 1, streamed: false, modelAsked: "m", asArray: false };
  const body = Buffer.from(JSON.stringify({ ...ASKED[from], ...more }));
  return JSON.parse(translatorFor(from, to)!.request(body, target, call).body.toString());
}

function toGemini(from: keyof typeof ASKED, more: JsonObject, model = "gemini-3-pro"): unknown {
  return object(sent("GENERATE", model, from, more)["generationConfig"])?.["thinkingConfig"];
}

test("Gemini models that think show their thoughts to whoever asks for them, however hard they think", () => {
  const shown = { includeThoughts: true };
  assert.deepEqual(toGemini("MESSAGES", { thinking: { type: "adaptive" } }), shown);
  assert.deepEqual(toGemini("RESPONSES", { reasoning: { summary: "auto" } }), shown);
  assert.equal(toGemini("MESSAGES", {}), undefined);
  assert.equal(toGemini("RESPONSES", { reasoning: { summary: null } }), undefined);
  for (const model of ["gemini-2.0-flash", "gemini-2.5-flash-image", "gemma-3-27b-it"]) {
    assert.equal(toGemini("MESSAGES", { thinking: { type: "adaptive" } }, model), undefined, model);
  }
});

test("thoughts that the caller wants left out are not asked for", () => {
  const thinking = { type: "adaptive", display: "omitted" };
  const asked = { thinking, output_config: { effort: "high" } };
  assert.equal(toGemini("MESSAGES", { thinking }), undefined);
  assert.deepEqual(toGemini("MESSAGES", asked), { thinkingLevel: "high", includeThoughts: false });
  const { reasoning } = sent("RESPONSES", "gpt-5.4", "MESSAGES", asked);
  assert.deepEqual(reasoning, { effort: "high" });
  const told = sent("RESPONSES", "gpt-5.4", "MESSAGES", { thinking: { type: "adaptive" } });
  assert.deepEqual(told["reasoning"], { summary: "auto" });
});

test("a Claude model that thinks by itself sums its thoughts up for whoever asks for a summary", () => {
  const asked = (reasoning: JsonObject): unknown =>
    sent("MESSAGES", "claude-sonnet-5", "RESPONSES", { reasoning })["thinking"];
  assert.deepEqual(asked({ summary: "auto" }), { type: "adaptive", display: "summarized" });
  assert.equal(asked({}), undefined);
});
