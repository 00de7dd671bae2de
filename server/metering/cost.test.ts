import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { NO_TOKENS, TOKENS_MAX, type TokenUsage, type UsageParts } from "../core/call.js";
import type { Price } from "../core/provider.js";
import { costOf, soundTokens } from "./cost.js";

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

const AUDIO: Price = {
  ...FLAT,
  cacheWriteLong: 6_000_000,
  audioInput: 32_000_000,
  audioOutput: 64_000_000,
  audioCacheRead: 400_000,
  imageInput: 8_000_000,
  imageOutput: 30_000_000,
  webSearches: 10_000_000,
};

/** What ten thousand tokens in and as many out cost with these parts. */
function costWith(parts: UsageParts, price: Price = AUDIO): number | null {
  const usage = { input: 10_000, output: 10_000, cacheRead: 1000, cacheWrite: 1000, reasoning: 0 };
  return costOf(price, { ...usage, parts });
}

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

test("audio and images cost what they are priced at, and each token is billed once", () => {
  const plain = costWith({})!;
  assert.equal(plain, 8000 * 3 + 300 + 3750 + 150_000);
  assert.equal(costWith({ audioInput: 2000 }), plain + 2000 * (32 - 3));
  assert.equal(costWith({ audioOutput: 3000 }), plain + 3000 * (64 - 15));
  assert.equal(costWith({ imageInput: 100, imageOutput: 400 }), plain + 100 * 5 + 400 * 15);
  assert.equal(costWith({ cacheWriteLong: 1000 }), plain + 6000 - 3750);
  // Of 1,500 audio tokens 500 come from the cache, at 40 cents instead of 30.
  assert.equal(
    costWith({ audioInput: 1500, audioCacheRead: 500 }),
    plain + 1000 * 29 + (500 * (400_000 - 300_000)) / 1_000_000,
  );
  // This model has no price of its own for cached images.
  assert.equal(costWith({ imageInput: 500, imageCacheRead: 500 }), plain);
});

test("without a price of its own a part costs what other tokens cost", () => {
  const parts = { audioInput: 5, audioOutput: 6, imageInput: 7, imageOutput: 8, cacheWriteLong: 9 };
  assert.equal(costWith({ ...parts, webSearches: 3 }, FLAT), costWith({}, FLAT));
});

test("searches and hours of audio are billed besides the tokens", () => {
  assert.equal(costWith({ webSearches: 3 }), costWith({})! + 30_000);
  const whisper = { ...FLAT, input: 0, output: 0, audioHour: 360_000 };
  const seconds = (audioSeconds: number): number | null =>
    costOf(whisper, { ...NO_TOKENS, parts: { audioSeconds } });
  assert.equal(seconds(60), 6000);
  assert.equal(seconds(3601), 360_100);
  assert.equal(
    costOf({ ...whisper, audioHour: 111_000 }, { ...NO_TOKENS, parts: { audioSeconds: 1 } }),
    31,
  );
});

test("images are billed by their number besides the tokens, where a model is priced so", () => {
  const perImage = { ...FLAT, perImage: 40_000 };
  assert.equal(costWith({ images: 3 }, perImage), costWith({}, perImage)! + 120_000);
  assert.equal(costWith({ images: 3 }, FLAT), costWith({}, FLAT));
  assert.equal(costOf(perImage, { ...NO_TOKENS, parts: { images: 0 } }), 0);
});

test("a million characters of speech have a price, of which a letter costs a micro at least", () => {
  const speech = { ...FLAT, input: 0, output: 0, speechCharacters: 15_000_000 };
  const of = (characters: number): number | null =>
    costOf(speech, { ...NO_TOKENS, parts: { characters } });
  assert.deepEqual([of(0), of(1), of(4096), of(1_000_000)], [0, 15, 61_440, 15_000_000]);
  assert.equal(
    costOf({ ...speech, speechCharacters: 1 }, { ...NO_TOKENS, parts: { characters: 1 } }),
    1,
  );
});

test("the cost of a usage is the sum of what each kind in it costs by itself", () => {
  const sizes = ["256x256", "512x512", "1024x1024"];
  const size = fc.option(fc.constantFrom(...sizes), { nil: undefined });
  const kindOf = ({ imageSize }: UsageParts): UsageParts => ({ imageSize });
  const parts = fc.record({
    imageSize: size,
    audioSeconds: fc.nat(100_000),
    images: fc.nat(1_000),
    characters: fc.nat(1_000_000),
    webSearches: fc.nat(1_000),
  });
  const units = fc.record({
    audioHour: optionalRate,
    perImage: optionalRate,
    images: fc.array(
      fc.record({ size: fc.constantFrom(...sizes), quality: fc.constant(""), micros: rate }),
    ),
    speechCharacters: optionalRate,
    webSearches: optionalRate,
  });
  fc.assert(
    fc.property(prices, units, usages, parts, (price, more, usage, told) => {
      const whole = { ...price, ...more };
      let sum = costOf(whole, usage)!;
      for (const name of ["audioSeconds", "images", "characters", "webSearches"] as const) {
        sum += costOf(whole, { ...NO_TOKENS, parts: { ...kindOf(told), [name]: told[name] } })!;
      }
      assert.equal(costOf(whole, { ...usage, parts: told }), sum);
    }),
  );
});

test("long cache writes have a long-context price too", () => {
  const long = { ...AUDIO, longContextFrom: 5000, longContextCacheWrite: 7_500_000 };
  const parts = { cacheWriteLong: 1000 };
  const tiered = costWith(parts, { ...long, longContextCacheWriteLong: 12_000_000 })!;
  assert.equal(tiered - costWith(parts, long)!, 12_000 - 6000);
});

test("whatever parts a provider tells, their tokens are never billed beyond its sums", () => {
  const wild = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(NaN, -1, 1e300));
  const names = [
    "audioInput",
    "audioOutput",
    "audioCacheRead",
    "imageInput",
    "imageOutput",
    "imageCacheRead",
    "cacheWriteLong",
  ] as const;
  const parts = fc.record(Object.fromEntries(names.map((name) => [name, wild])));
  const one = { ...FLAT, output: FLAT.input, cacheRead: null, cacheWrite: null };
  const dear = { ...one, ...Object.fromEntries(names.map((name) => [name, 2 * FLAT.input])) };
  fc.assert(
    fc.property(usages, parts, (usage, told) => {
      const least = costOf(one, usage)!;
      assert.equal(costOf(one, { ...usage, parts: told }), least);
      const cost = costOf(dear, { ...usage, parts: told })!;
      assert.ok(cost >= least && cost <= 2 * least);
    }),
    { numRuns: 300 },
  );
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

test("each number of tokens is made sound by itself", () => {
  const sound: TokenUsage = { input: 9, output: 8, cacheRead: 3, cacheWrite: 2, reasoning: 4 };
  assert.equal(soundTokens(sound), sound);
  const of = (part: Partial<TokenUsage>): TokenUsage => soundTokens({ ...sound, ...part });
  for (const bad of [Number.NaN, -1, -Infinity]) {
    assert.deepEqual(of({ input: bad }), { ...sound, input: 5 });
    assert.deepEqual(of({ output: bad }), { ...sound, output: 4 });
    assert.deepEqual(of({ cacheRead: bad }), { ...sound, cacheRead: 0 });
    assert.deepEqual(of({ cacheWrite: bad }), { ...sound, cacheWrite: 0 });
    assert.deepEqual(of({ reasoning: bad }), { ...sound, reasoning: 0 });
  }
  for (const part of ["input", "output", "cacheRead", "cacheWrite", "reasoning"] as const) {
    assert.deepEqual(of({ [part]: sound[part] + 0.9 }), sound, part);
  }
  const parts = { webSearches: 1 };
  assert.deepEqual(of({ output: 8.5, parts }), { ...sound, parts });
});

test("long cache writes below the long-context limit cost what they cost there", () => {
  const price: Price = { ...AUDIO, longContextFrom: 200_000, longContextCacheWriteLong: 1 };
  assert.equal(costWith({ cacheWriteLong: 1000 }, price), costWith({ cacheWriteLong: 1000 }));
});

test("a price that is no price costs nothing", () => {
  for (const input of [-3_000_000, Number.NaN]) {
    assert.equal(costOf({ ...FLAT, input }, { ...NO_TOKENS, input: 5 }), 0);
  }
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
