import assert from "node:assert/strict";
import test from "node:test";
import { DAY_MS, HOUR_MS } from "../core/durations.js";
import { keys, result, SUPER, World } from "../../test/support/pool-world.js";
import { aProviderKey, aRoute } from "../../test/support/records.js";

const TOMORROW = Date.UTC(2030, 0, 2);

test("a key that expired by a clock that was ahead is back within an hour of that being set right", () => {
  const world = new World([aProviderKey("pk_a", { expiresAt: TOMORROW })]);
  world.clock.jumpWall(30 * DAY_MS);
  world.fails("no_public_token");
  world.clock.jumpWall(-30 * DAY_MS);
  world.clock.advance(HOUR_MS);
  assert.equal(world.call(), "pk_a");
});

test("a key that has to be proven is not tried once it has expired by the wall clock, and the next one is", () => {
  const world = new World([aProviderKey("pk_a", { expiresAt: TOMORROW }), aProviderKey("pk_b")]);
  for (const tried of [["pk_b"], ["pk_a"]]) {
    world.lease({ tried }).release(result("QUOTA_EXHAUSTED", { retryAfterMs: 1_000 }));
  }
  world.clock.advance(1_000);
  assert.equal(world.pool.waitMs(SUPER, aRoute()), 0, "both wait for a call to prove them");
  world.clock.jumpWall(DAY_MS);
  assert.equal(world.call(), "pk_b");
});

test("a key of many that has expired by the wall clock is not told to be in use", () => {
  const world = new World(keys(2, { expiresAt: TOMORROW }));
  world.clock.jumpWall(DAY_MS);
  const [tier] = world.pool.explain(SUPER, aRoute(), 5)[0]?.tiers ?? [];
  assert.equal(tier?.inUse, false);
  for (const { reason, rank } of tier?.keys ?? []) assert.deepEqual([reason, rank], ["expired", 0]);
});
