import assert from "node:assert/strict";
import { test } from "node:test";
import { batchPrice } from "../core/batch.js";
import { NO_TOKENS, type TokenUsage } from "../core/call.js";
import type { Price } from "../core/provider.js";
import { readBatch, readResult } from "../dialect/batch-use.js";
import { BatchSums } from "./batch-sums.js";

const PRICE: Price = {
  effectiveFrom: 0,
  input: 1_000_000,
  output: 4_000_000,
  cacheRead: 100_000,
  cacheWrite: null,
  longContextFrom: 200_000,
  longContextInput: 2_000_000,
  longContextOutput: null,
  longContextCacheRead: null,
  longContextCacheWrite: null,
  webSearches: 10_000_000,
};

/** One micro for each token of input, at the price that holds. */
const costOf = (price: Price | null, { input }: TokenUsage): number | null => {
  if (price === null) return null;
  const isLong = price.longContextFrom !== null && input > price.longContextFrom;
  return (input * ((isLong ? price.longContextInput : null) ?? price.input)) / 1_000_000;
};

const of = (input: number, more: Partial<TokenUsage> = {}) => ({
  model: "m",
  tokens: { ...NO_TOKENS, input, ...more },
});

test("requests in batches cost half of each rate, or what the price says, and searches as much as elsewhere", () => {
  const half = batchPrice(PRICE);
  assert.equal(half.input, 500_000);
  assert.equal(half.cacheRead, 50_000);
  assert.equal(half.longContextInput, 1_000_000);
  assert.equal(half.cacheWrite, null);
  assert.equal(half.longContextFrom, 200_000);
  assert.equal(half.webSearches, 10_000_000);
  const images = [{ size: "1024x1024", quality: "hd", micros: 80_001 }];
  assert.equal(batchPrice({ ...PRICE, images }).images?.[0]?.micros, 40_001);
  assert.deepEqual(batchPrice({ ...PRICE, batchPercent: 100 }), { ...PRICE, batchPercent: 100 });
  assert.equal(batchPrice({ ...PRICE, batchPercent: 0 }).input, 0);
});

test("the price of long inputs holds for long requests alone, however many tokens all have together", () => {
  const sums = new BatchSums({ priceOf: () => PRICE, costOf });
  for (let n = 0; n < 10; n++) sums.add(of(100_000));
  sums.add(of(300_000));
  assert.deepEqual(
    sums.sums.map(({ tokens, costMicros }) => [tokens.input, costMicros]),
    [[1_300_000, 500_000 + 300_000]],
  );
});

test("parts are added up, and models beyond a number count together without a price", () => {
  const sums = new BatchSums({ priceOf: () => PRICE, costOf });
  sums.add(of(5, { parts: { audioInput: 2 } }));
  sums.add(of(5, { parts: { audioInput: 3, imageInput: 1 } }));
  assert.deepEqual(sums.sums[0]?.tokens.parts, { audioInput: 5, imageInput: 1 });
  for (let n = 0; n < 100; n++) sums.add({ ...of(1), model: `m${String(n)}` });
  assert.equal(sums.sums.length, 33);
  assert.deepEqual(sums.sums.at(-1), {
    model: "",
    tokens: { ...NO_TOKENS, input: 69 },
    costMicros: null,
  });
});

test("what providers say of a batch is read in their words", () => {
  const openai = (batch: object) => readBatch("OPENAI", batch as never, "/v1/batches/b");
  for (const status of ["validating", "in_progress", "finalizing", "cancelling"]) {
    assert.equal(openai({ status }).isEnded, false);
  }
  const failed = openai({ status: "failed", output_file_id: null });
  assert.deepEqual([failed.isEnded, failed.isServed, failed.results], [true, false, undefined]);
  const odd = openai({ status: "cancelled", output_file_id: "a/../b" });
  assert.equal(odd.results?.path, "/v1/files/a%2F..%2Fb/content");
  const claude = readBatch(
    "ANTHROPIC",
    { processing_status: "ended", results_url: "https://elsewhere.example/x" },
    "/v1/messages/batches/m",
  );
  assert.equal(claude.results?.path, "/v1/messages/batches/m/results");
  const gemini = readBatch(
    "GEMINI",
    { metadata: { state: "BATCH_STATE_SUCCEEDED", output: { responsesFile: "files/abc" } } },
    "",
  );
  assert.equal(gemini.results?.path, "/download/v1beta/files/abc:download");
  const outside = readBatch(
    "GEMINI",
    { done: true, response: { responsesFile: "files/../../x" } },
    "",
  );
  assert.deepEqual([outside.isServed, outside.results], [true, undefined]);
});

test("embeddings of Google's batches tell their tokens in either of its ways", () => {
  const input = (response: object) => {
    const told = readResult("GEMINI", { response });
    return typeof told === "object" ? told.tokens.input : told;
  };
  assert.equal(input({ embedding: {}, tokenCount: "7" }), 7);
  assert.equal(input({ embedding: {}, usageMetadata: { promptTokenCount: 8 } }), 8);
  assert.equal(input({ embedding: {} }), "UNTOLD");
  assert.equal(readResult("GEMINI", { key: "a", error: { code: 3 } }), "NOTHING");
  assert.equal(readResult("GEMINI", { key: "a" }), undefined);
});

test("batches have their own price, whatever tier their results name", () => {
  const sums = new BatchSums({ priceOf: () => PRICE, costOf });
  const parts = { serviceTier: "priority", audioInput: 1 };
  sums.add(of(100, { parts }));
  sums.add(of(100, { parts }));
  const [sum] = sums.sums;
  assert.deepEqual(sum?.tokens.parts, { audioInput: 2 });
  assert.equal(sum?.costMicros, 100);
});
