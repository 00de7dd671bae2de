import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_TOKENS } from "./call.js";
import type { Price } from "./provider.js";
import { inTier, tierNamed, tierPrice } from "./service-tier.js";

const PRICE: Price = {
  effectiveFrom: 1,
  input: 150_000,
  output: 600_000,
  cacheRead: 75_000,
  cacheWrite: null,
  longContextFrom: 272_000,
  longContextInput: 300_000,
  longContextOutput: null,
  longContextCacheRead: null,
  longContextCacheWrite: null,
  webSearches: 10_000,
  batchPercent: 50,
};

test("the ordinary tier has many names, and each other one", () => {
  for (const word of ["default", "standard", "AUTO", "on_demand", "SERVICE_TIER_STANDARD"]) {
    assert.equal(tierNamed(word), undefined, word);
  }
  for (const word of ["", null, undefined, 7, {}, "x".repeat(41)]) {
    assert.equal(tierNamed(word), undefined);
  }
  assert.equal(tierNamed("Priority"), "priority");
  assert.equal(tierNamed("SERVICE_TIER_FLEX"), "flex");
  assert.equal(tierNamed("ON_DEMAND_PRIORITY"), "priority");
});

test("a tier changes what tokens cost, and neither searches nor thresholds", () => {
  const serviceTiers = [{ tier: "priority", percent: 166.66667 }];
  const price = tierPrice({ ...PRICE, serviceTiers }, "priority");
  assert.deepEqual(price, {
    ...PRICE,
    serviceTiers,
    input: 250_000,
    output: 1_000_000,
    cacheRead: 125_000,
    longContextInput: 500_000,
  });
});

test("tiers without a price of their own cost twice as much where they are quicker, and the same elsewhere", () => {
  assert.equal(tierPrice(PRICE, "priority").input, 300_000);
  assert.equal(tierPrice(PRICE, "fast").input, 300_000);
  assert.equal(tierPrice(PRICE, "flex").input, 150_000);
  assert.equal(tierPrice(PRICE, "scale"), PRICE);
  assert.equal(
    tierPrice({ ...PRICE, serviceTiers: [{ tier: "fast", percent: 0 }] }, "fast").input,
    0,
  );
});

test("what used nothing is in no tier", () => {
  assert.equal(inTier(NO_TOKENS, "fast"), NO_TOKENS);
  const used = { ...NO_TOKENS, input: 1 };
  assert.equal(inTier(used, undefined), used);
  assert.deepEqual(inTier(used, "fast"), { ...used, parts: { serviceTier: "fast" } });
});
