import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { estimateTokens, TokenEstimator } from "./estimate.js";

/** Texts with the number of tokens that a vocabulary of 200,000 entries makes of them, give or take. */
const TEXTS: readonly (readonly [string, number])[] = [
  ["The quick brown fox jumps over the lazy dog. ".repeat(10), 100],
  ["function add(a, b) {\n  return a + b;\n}\n".repeat(10), 150],
  ["今天天气很好，我们去公园散步吧。".repeat(10), 130],
  ["Сегодня хорошая погода, пойдём гулять в парк. ".repeat(10), 150],
  ['{"id": 123456, "name": "value", "ok": true}\n'.repeat(10), 180],
];

test("the estimate is within a factor of 1.6 for prose, code, data and three scripts", () => {
  for (const [text, tokens] of TEXTS) {
    const ratio = estimateTokens(text) / tokens;
    assert.ok(ratio > 1 / 1.6 && ratio < 1.6, `${ratio} for ${text.slice(0, 20)}`);
  }
});

test("any text has a finite count, an empty one none, a longer one not fewer", () => {
  assert.equal(estimateTokens(""), 0);
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (a, b) => {
      const tokens = estimateTokens(a + b);
      assert.ok(Number.isInteger(tokens) && tokens >= estimateTokens(a));
      assert.ok(tokens <= 3 * (a + b).length);
    }),
    { numRuns: 200 },
  );
});

test("a text of any length is sampled, and the sample stands for the whole", () => {
  const short = TEXTS.map(([text]) => text)
    .join("")
    .repeat(20);
  const long = short.repeat(100);
  const ratio = estimateTokens(long) / (100 * estimateTokens(short));
  assert.ok(ratio > 0.9 && ratio < 1.1, String(ratio));
});

test("an unbroken run of a million characters costs no more than any other text", () => {
  assert.ok(estimateTokens("a".repeat(1_000_000)) >= 200_000);
});

test("a stream is added up piece by piece", () => {
  const estimator = new TokenEstimator();
  for (const [text] of TEXTS) estimator.add(text);
  const whole = estimateTokens(TEXTS.map(([text]) => text).join(""));
  assert.ok(Math.abs(estimator.tokens - whole) <= TEXTS.length);
});
