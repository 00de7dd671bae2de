import assert from "node:assert/strict";
import test from "node:test";
import { OWN, SUPER, World } from "../../test/support/pool-world.js";
import { aProviderKey, aRoute } from "../../test/support/records.js";

/** The load that a key is taken to carry. */
function loadOf(world: World, principal: typeof OWN, id: string): number | undefined {
  const tiers = world.pool.explain(principal, aRoute(), 100).flatMap((target) => target.tiers);
  return tiers.flatMap((tier) => tier.keys).find((key) => key.providerKeyId === id)?.load;
}

test("keys that are private are none of the pool's, and of nobody but their owner", () => {
  const world = new World([aProviderKey("pk_own", { visibility: "PRIVATE" })]);
  const has = (principal: typeof OWN, model?: string): boolean =>
    world.pool.hasKeys("prv_test", principal, model);
  assert.deepEqual([has(OWN), has(OWN, "model-x")], [true, true]);
  assert.deepEqual([has(SUPER), has(SUPER, "model-x")], [false, false]);
  assert.equal(has({ ...OWN, ownerId: "usr_other" }), false);
  world.change(aProviderKey("pk_own"));
  assert.equal(has(SUPER), true);
  world.remove("pk_own");
  assert.deepEqual([has(SUPER), has(OWN)], [false, false]);
});

test("a key that comes late is taken as busy as those beside it: a public one as the pool's, a private one as its owner's", () => {
  const mine = { ownerId: OWN.ownerId, visibility: "PRIVATE" } as const;
  const donated = { ownerId: "usr_donor" };
  const world = new World([aProviderKey("pk_mine", mine), aProviderKey("pk_donated", donated)]);
  for (let i = 0; i < 40; i++) world.call("OK");
  for (let i = 0; i < 10; i++) world.call("OK", { principal: OWN });
  world.change(aProviderKey("pk_new_mine", mine));
  world.change(aProviderKey("pk_new_public", { ownerId: "usr_new" }));
  assert.equal(loadOf(world, OWN, "pk_new_mine"), 10);
  assert.equal(loadOf(world, SUPER, "pk_new_public"), 40);
});

test("tiers are tried in their order, whichever had a key first", () => {
  const world = new World([
    aProviderKey("pk_overflow", { tier: "OVERFLOW" }),
    aProviderKey("pk_backup", { tier: "BACKUP" }),
  ]);
  world.change(aProviderKey("pk_primary"));
  const tried: string[] = [];
  for (let i = 0; i < 3; i++) {
    tried.push(world.lease({ tried }).providerKey.id);
  }
  assert.deepEqual(tried, ["pk_primary", "pk_backup", "pk_overflow"]);
  world.remove("pk_primary");
  assert.equal(world.call(), "pk_backup");
});
