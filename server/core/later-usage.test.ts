import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_TOKENS } from "./call.js";
import { restOf } from "./later-usage.js";

test("what was counted of a response and what is left make up all of it", () => {
  const told = { input: 9, output: 7, cacheRead: 4, cacheWrite: 3, reasoning: 2 };
  assert.deepEqual(restOf({ ...told, parts: { imageInput: 5 } }, NO_TOKENS), {
    ...told,
    parts: { imageInput: 5 },
  });
  const counted = { input: 1, output: 1, cacheRead: 1, cacheWrite: 1, reasoning: 1 };
  assert.deepEqual(restOf(told, counted), {
    input: 8,
    output: 6,
    cacheRead: 3,
    cacheWrite: 2,
    reasoning: 1,
  });
  assert.deepEqual(restOf(counted, told), NO_TOKENS, "an estimate may have been too much");
});

test("what is priced apart is left to be counted as far as it was not", () => {
  const told = { ...NO_TOKENS, input: 90, output: 70 };
  const parts = { imageInput: 50, audioOutput: 40, webSearches: 3, cacheWriteLong: 2 };
  const counted = {
    ...NO_TOKENS,
    input: 60,
    output: 70,
    parts: { imageInput: 20, webSearches: 3 },
  };
  assert.deepEqual(restOf({ ...told, parts }, counted), {
    ...NO_TOKENS,
    input: 30,
    parts: { imageInput: 30, audioOutput: 40, cacheWriteLong: 2 },
  });
  assert.deepEqual(restOf({ ...told, parts }, { ...told, parts }), NO_TOKENS);
  const searched = { ...NO_TOKENS, parts: { webSearches: 1 } };
  assert.deepEqual(restOf({ ...told, parts: { webSearches: 3 } }, searched), {
    ...told,
    parts: { webSearches: 2 },
  });
});
