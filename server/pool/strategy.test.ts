import assert from "node:assert/strict";
import test from "node:test";
import { aProviderKey } from "../../test/support/records.js";
import { standingOf, standingOfKey } from "./eligibility.js";
import type { StandingFacts } from "./eligibility.js";
import {
  DEFAULT_ALLOCATION,
  formatAllocation,
  parseAllocation,
  parseStrategy,
} from "./strategy.js";

test("strategies are read in either case, and an unknown one is refused with the known ones", () => {
  assert.equal(parseStrategy("score_based"), "SCORE_BASED");
  assert.equal(parseStrategy(" ROUND_ROBIN "), "ROUND_ROBIN");
  assert.throws(() => parseStrategy("best"), /score_based, round_robin, sequential/);
});

test("an allocation survives being written and read, and what is left out has its default", () => {
  const allocation = {
    ...DEFAULT_ALLOCATION,
    strategy: "WEIGHTED",
    perProvider: new Map([["prv_x", "SEQUENTIAL"]] as const),
    sessionAffinity: false,
    errorCooldownMs: 5_000,
  } as const;
  assert.deepEqual(parseAllocation(formatAllocation(allocation)), allocation);
  assert.deepEqual(parseAllocation(""), DEFAULT_ALLOCATION);
  assert.deepEqual(parseAllocation("{}"), DEFAULT_ALLOCATION);
});

test("a setting that makes no sense is refused", () => {
  for (const text of [
    "[]",
    "nonsense",
    '{"strategy": "best"}',
    '{"providers": []}',
    '{"sessionAffinity": "yes"}',
    '{"errorCooldownMs": -1}',
    '{"invalidAfterRefusals": 0}',
    '{"rateLimitCooldownMs": "soon"}',
  ]) {
    assert.throws(() => parseAllocation(text), { code: "invalid_argument" }, text);
  }
});

const GOOD: StandingFacts = {
  enabled: true,
  ownerBanned: false,
  providerEnabled: true,
  expired: false,
  unreadable: false,
  health: "HEALTHY",
  blocked: false,
  quotaSpent: false,
  probing: false,
};

test("a key is eligible exactly when none of the reasons against it holds", () => {
  const reasons: [Partial<StandingFacts>, string][] = [
    [{ enabled: false }, "DISABLED"],
    [{ ownerBanned: true }, "OWNER_BANNED"],
    [{ providerEnabled: false }, "PROVIDER_DISABLED"],
    [{ expired: true }, "EXPIRED"],
    [{ unreadable: true }, "UNREADABLE"],
    [{ health: "INVALID" }, "INVALID"],
    [{ health: "EXHAUSTED", blocked: true }, "EXHAUSTED"],
    [{ quotaSpent: true }, "EXHAUSTED"],
    [{ health: "COOLDOWN", blocked: true }, "COOLDOWN"],
    [{ probing: true }, "PROBING"],
  ];
  assert.equal(standingOf(GOOD), "ELIGIBLE");
  for (const [against, standing] of reasons)
    assert.equal(standingOf({ ...GOOD, ...against }), standing);
  for (const health of ["UNKNOWN", "HEALTHY", "DEGRADED", "COOLDOWN", "EXHAUSTED"] as const) {
    assert.equal(standingOf({ ...GOOD, health }), "ELIGIBLE", `${health} whose end has passed`);
  }
});

test("the same rule holds for a key as it is stored", () => {
  const around = { nowMs: 1_000, ownerBanned: false, providerEnabled: true };
  const health = { ...aProviderKey("x").health, state: "COOLDOWN", cooldownUntil: 1_001 } as const;
  assert.equal(standingOfKey(aProviderKey("pk"), around), "ELIGIBLE");
  assert.equal(standingOfKey(aProviderKey("pk", { health }), around), "COOLDOWN");
  assert.equal(
    standingOfKey(aProviderKey("pk", { health }), { ...around, nowMs: 1_001 }),
    "ELIGIBLE",
  );
  assert.equal(standingOfKey(aProviderKey("pk", { expiresAt: 1_000 }), around), "EXPIRED");
});
