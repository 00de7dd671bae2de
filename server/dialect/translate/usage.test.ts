import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { anthropicTokens, geminiTokens, openaiTokens } from "../tokens.js";
import {
  chatUsage,
  generateUsage,
  messagesUsage,
  ownMessagesUsage,
  responsesUsage,
} from "./usage.js";

const count = fc.nat(1000);
const usages = fc
  .tuple(count, count, count, count, count)
  .map(([rest, cacheRead, cacheWrite, said, reasoning]) => ({
    input: rest + cacheRead + cacheWrite,
    output: said + reasoning,
    cacheRead,
    cacheWrite,
    reasoning,
  }));

test("tokens that are said in any form are read there as what they are", () => {
  fc.assert(
    fc.property(usages, (usage) => {
      const { cacheWrite: _, ...known } = usage;
      assert.deepEqual(openaiTokens(chatUsage(usage)), usage);
      assert.deepEqual(openaiTokens(responsesUsage(usage)), usage);
      assert.deepEqual(anthropicTokens(messagesUsage(usage)), usage);
      assert.deepEqual(anthropicTokens(ownMessagesUsage(usage)), usage);
      // Google's form has no word for what a cache took.
      assert.deepEqual(geminiTokens(generateUsage(usage)), { ...known, cacheWrite: 0 });
      const total = usage.input + usage.output;
      assert.equal(chatUsage(usage)["total_tokens"], total);
      assert.equal(responsesUsage(usage)["total_tokens"], total);
      assert.equal(generateUsage(usage)["totalTokenCount"], total);
    }),
  );
});

test("what did not happen is left out where providers leave it out", () => {
  const usage = { input: 3, output: 2, cacheRead: 0, cacheWrite: 0, reasoning: 0 };
  assert.deepEqual(chatUsage(usage)["prompt_tokens_details"], { cached_tokens: 0 });
  // Here OpenAI's SDK insists on both.
  assert.deepEqual(responsesUsage(usage)["input_tokens_details"], {
    cached_tokens: 0,
    cache_write_tokens: 0,
  });
  assert.equal("output_tokens_details" in messagesUsage(usage), false);
  assert.deepEqual(generateUsage(usage), {
    promptTokenCount: 3,
    candidatesTokenCount: 2,
    totalTokenCount: 5,
  });
});
