import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "./json.js";
import type { Target } from "./side.js";
import { translatorFor } from "./translator.js";

/** A model whose sampling can be set in each language. */
const TARGET: Target = {
  model: "claude-sonnet-4-5",
  maxOutput: null,
  providerSlug: "p",
  asksUsage: true,
};
const CALL = { id: "call_1", nowSeconds: 1, streamed: false, modelAsked: "m", asArray: false };

const CHAT = { model: "m", messages: [{ role: "user", content: "hi" }] };
const MESSAGES = { model: "m", max_tokens: 9, messages: [{ role: "user", content: "hi" }] };
const GENERATE = { contents: [{ role: "user", parts: [{ text: "hi" }] }] };

type Form = Parameters<typeof translatorFor>[0];

function asked(from: Form, to: Form, body: JsonObject): JsonObject {
  const text = Buffer.from(JSON.stringify(body));
  const { body: translated } = translatorFor(from, to)!.request(text, TARGET, CALL);
  return JSON.parse(translated.toString()) as JsonObject;
}

/** What of a request is as it is wanted. */
function part(of: unknown, like: JsonObject): JsonObject {
  const given = of as JsonObject;
  return Object.fromEntries(Object.keys(like).map((name) => [name, given[name]]));
}

const OF_CHAT = {
  max_tokens: 7,
  temperature: 0.25,
  top_p: 0.5,
  stop: ["a", "b"],
  seed: 3,
  frequency_penalty: 0.1,
  presence_penalty: 0.2,
};
const OF_GENERATE = {
  maxOutputTokens: 7,
  temperature: 0.25,
  topP: 0.5,
  stopSequences: ["a", "b"],
  seed: 3,
  frequencyPenalty: 0.1,
  presencePenalty: 0.2,
};
const OF_MESSAGES = { max_tokens: 7, temperature: 0.25, top_k: 4, stop_sequences: ["a", "b"] };

test("whatever sets how a model answers is said in each language that has a word for it", () => {
  const toGenerate = asked("CHAT", "GENERATE", { ...CHAT, ...OF_CHAT, top_k: 4 });
  const generated = { ...OF_GENERATE, topK: 4 };
  assert.deepEqual(part(toGenerate["generationConfig"], generated), generated);

  const toChat = asked("GENERATE", "CHAT", { ...GENERATE, generationConfig: OF_GENERATE });
  const wanted = { ...OF_CHAT, max_tokens: undefined, max_completion_tokens: undefined };
  const { max_tokens, max_completion_tokens, ...rest } = part(toChat, wanted);
  assert.equal(max_tokens ?? max_completion_tokens, 7);
  const { max_tokens: _, ...others } = OF_CHAT;
  assert.deepEqual(part(rest, others), others);

  const chat = { ...CHAT, max_tokens: 7, temperature: 0.25, top_k: 4, stop: ["a", "b"] };
  assert.deepEqual(part(asked("CHAT", "MESSAGES", chat), OF_MESSAGES), OF_MESSAGES);

  const messages = asked("MESSAGES", "GENERATE", { ...MESSAGES, ...OF_MESSAGES });
  const { maxOutputTokens, temperature, stopSequences } = OF_GENERATE;
  const told = { maxOutputTokens, temperature, stopSequences, topK: 4 };
  assert.deepEqual(part(messages["generationConfig"], told), told);
});
