import assert from "node:assert/strict";
import test from "node:test";
import { keys, result, SUPER, World } from "../../../test/support/pool-world.js";
import { aProviderKey, aRoute } from "../../../test/support/records.js";
import { Strategy as StrategyMessage } from "../../../proto/gen/latchkey/v1/pool_pb.js";
import type { Strategy } from "../../pool/allocation.js";
import { explanationMessage } from "./explanation.js";

const STRATEGIES: Record<Strategy, StrategyMessage> = {
  SCORE_BASED: StrategyMessage.SCORE_BASED,
  ROUND_ROBIN: StrategyMessage.ROUND_ROBIN,
  SEQUENTIAL: StrategyMessage.SEQUENTIAL,
  LEAST_BUSY: StrategyMessage.LEAST_BUSY,
  WEIGHTED: StrategyMessage.WEIGHTED,
};

const NAMES = {
  usernameOf: (id: string) => id,
  providerSlugOf: (id: string) => id,
  providerKeyNameOf: (id: string) => id,
  clientKeyNameOf: (id: string) => id,
};

function told(world: World, candidatesMax: number) {
  const route = aRoute("model-x", "prv_a", "prv_b");
  return explanationMessage({
    seesOwner: () => true,
    route,
    fallbacks: new Set(route.targets.slice(1)),
    targets: world.pool.explain(SUPER, route, candidatesMax),
    codeWithoutKey: world.pool.codeWithoutKey(SUPER, route),
    candidatesMax,
    names: NAMES,
    strategies: STRATEGIES,
  });
}

test("keys are told by rank, over all tiers and providers, and after them those that would not be tried", () => {
  const world = new World([
    aProviderKey("pk_1", { providerId: "prv_a" }),
    aProviderKey("pk_off", { providerId: "prv_a", enabled: false }),
    aProviderKey("pk_2", { providerId: "prv_a", tier: "BACKUP" }),
    aProviderKey("pk_3", { providerId: "prv_b" }),
  ]);
  const { candidates = [], chosenProviderKeyId, errorCode } = told(world, 10);
  assert.deepEqual(
    candidates.map(({ providerKeyId, rank, ceiling }) => [providerKeyId, rank, ceiling]),
    [
      ["pk_1", 1, 0],
      ["pk_2", 2, 0],
      ["pk_3", 3, 0],
      ["pk_off", 0, 0],
    ],
  );
  assert.deepEqual([chosenProviderKeyId, errorCode], ["pk_1", ""]);
});

test("no more keys are told than asked for, and how many there are", () => {
  const world = new World([
    ...keys(5, { providerId: "prv_a" }),
    aProviderKey("pk_backup", { providerId: "prv_a", tier: "BACKUP" }),
    aProviderKey("pk_other", { providerId: "prv_b" }),
  ]);
  const { candidates = [], considered } = told(world, 3);
  assert.equal(candidates.length, 3);
  assert.equal(considered, 7);
});

test("where no key is left the error is told that a call would get", () => {
  const route = aRoute("model-x", "prv_a", "prv_b");
  for (const [outcome, code] of [
    ["KEY_REFUSED", "no_public_token"],
    ["MODEL_REFUSED", "model_not_found"],
  ] as const) {
    const world = new World(keys(1, { providerId: "prv_a" }));
    assert.equal(told(world, 1).errorCode, "");
    world.lease({ route }).release(result(outcome));
    assert.equal(told(world, 1).errorCode, code);
    world.fails(code, { route });
  }
});
