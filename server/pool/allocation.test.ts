import assert from "node:assert/strict";
import test from "node:test";
import {
  DEFAULT_ALLOCATION,
  formatAllocation,
  parseAllocation,
  parseStrategy,
} from "./allocation.js";

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
