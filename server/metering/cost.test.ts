import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import type { TokenUsage } from "../core/call.js";
import { NO_TOKENS } from "../core/call.js";
import type { Price } from "../core/provider.js";
import { costOf, soundTokens, TOKENS_MAX } from "./cost.js";

const FLAT: Price = {
  effectiveFrom: 0,
  input: 3_000_000,
  output: 15_000_000,
  cacheRead: 300_000,
  cacheWrite: 3_750_000,
  longContextFrom: null,
  longContextInput: null,
  longContextOutput: null,
  longContextCacheRead: null,
  longContextCacheWrite: null,
};

const tokens = fc.nat(2_000_000_000);
const rate = fc.nat(1_000_000_000);
const optionalRate = fc.option(rate);
const usages = fc
  .record({
    input: tokens,
    output: tokens,
    cacheRead: fc.nat(5_000_000),
    cacheWrite: fc.nat(5_000_000),
  })
  .map((part): TokenUsage => ({ ...part, reasoning: 0 }));
const prices = fc.record({
  effectiveFrom: fc.constant(0),
  input: rate,
  output: rate,
  cacheRead: optionalRate,
  cacheWrite: optionalRate,
  longContextFrom: fc.option(fc.nat(1_000_000)),
  longContextInput: optionalRate,
  longContextOutput: optionalRate,
  longContextCacheRead: optionalRate,
  longContextCacheWrite: optionalRate,
});

/** The same sum in big integers, written out anew. */
function exact(price: Price, usage: TokenUsage): bigint {
  const sound = soundTokens(usage);
  const long = price.longContextFrom !== null && sound.input > price.longContextFrom;
  const input = long ? (price.longContextInput ?? price.input) : price.input;
  const output = long ? (price.longContextOutput ?? price.output) : price.output;
  const read = (long ? price.longContextCacheRead : price.cacheRead) ?? input;
  const write = (long ? price.longContextCacheWrite : price.cacheWrite) ?? input;
  const plain = sound.input - sound.cacheRead - sound.cacheWrite;
  const sum =
    BigInt(plain) * BigInt(input) +
    BigInt(sound.cacheRead) * BigInt(read) +
    BigInt(sound.cacheWrite) * BigInt(write) +
    BigInt(sound.output) * BigInt(output);
  return (sum + 999_999n) / 1_000_000n;
}

test("a call costs its parts at their own prices", () => {
  const usage = { input: 1000, output: 200, cacheRead: 600, cacheWrite: 100, reasoning: 50 };
  // 300 × $3 + 600 × $0.30 + 100 × $3.75 + 200 × $15, per million.
  assert.equal(costOf(FLAT, usage), 900 + 180 + 375 + 3000);
});

test("an unpriced model costs null, a free one 0", () => {
  const usage = { ...NO_TOKENS, input: 10 };
  assert.equal(costOf(null, usage), null);
  assert.equal(costOf({ ...FLAT, input: 0 }, usage), 0);
  assert.equal(costOf(FLAT, NO_TOKENS), 0);
});

test("the sum is exact to the last micro, at any size", () => {
  fc.assert(
    fc.property(prices, usages, (price, usage) => {
      assert.equal(BigInt(costOf(price, usage)!), exact(price, usage));
    }),
    { numRuns: 500 },
  );
});

test("a priced token never costs nothing", () => {
  assert.equal(costOf({ ...FLAT, input: 1 }, { ...NO_TOKENS, input: 1 }), 1);
});

test("more tokens never cost less, within one tier", () => {
  const flat = prices.map((price) => ({ ...price, longContextFrom: null }));
  fc.assert(
    fc.property(flat, usages, fc.nat(1000), (price, usage, more) => {
      const larger = { ...usage, input: usage.input + more, output: usage.output + more };
      assert.ok(costOf(price, larger)! >= costOf(price, usage)!);
    }),
    { numRuns: 200 },
  );
});

test("above the long-context limit the whole call is billed at the long-context prices", () => {
  const price = { ...FLAT, longContextFrom: 200_000, longContextInput: 6_000_000 };
  const at = (input: number): number | null => costOf(price, { ...NO_TOKENS, input });
  assert.equal(at(200_000), 600_000);
  assert.equal(at(200_001), 1_200_006);
});

test("whatever a provider says, tokens are whole, bounded, not negative and parts fit in their whole", () => {
  const wild = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(-1, NaN, Infinity, 1e300));
  const usage = fc.record({
    input: wild,
    output: wild,
    cacheRead: wild,
    cacheWrite: wild,
    reasoning: wild,
  });
  fc.assert(
    fc.property(usage, prices, (given, price) => {
      const sound = soundTokens(given);
      for (const value of Object.values(sound)) {
        assert.ok(Number.isInteger(value) && value >= 0 && value <= TOKENS_MAX);
      }
      assert.ok(sound.cacheRead + sound.cacheWrite <= sound.input);
      assert.ok(sound.reasoning <= sound.output);
      assert.equal(soundTokens(sound), sound);
      assert.ok(costOf(price, given)! >= 0);
    }),
    { numRuns: 500 },
  );
});
