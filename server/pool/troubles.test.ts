import assert from "node:assert/strict";
import test from "node:test";
import { keys, result, SUPER, World } from "../../test/support/pool-world.js";
import { aRoute } from "../../test/support/records.js";
import { DAY_MS, HOUR_MS } from "../core/durations.js";
import { DEFAULT_ALLOCATION } from "./allocation.js";
import { BREAKER_AFTER_FAILURES } from "./health-policy.js";

/** How long the pool's only key rests. */
function restOf(world: World): number | null {
  return world.pool.waitMs(SUPER, aRoute());
}

test("a time to wait that a failing provider names is kept, for an hour at most, also when the breaker trips by it", () => {
  for (const [toldMs, restMs] of [
    [30_000, 30_000],
    [DAY_MS, HOUR_MS],
  ] as const) {
    const world = new World(keys(1));
    for (let i = 0; i <= BREAKER_AFTER_FAILURES; i++) {
      world.call("PROVIDER_ERROR", { httpStatus: 500, retryAfterMs: toldMs });
      assert.equal(restOf(world), restMs);
      world.clock.advance(restMs);
    }
  }
});

test("what was under way when the breaker tripped makes its rest no longer, and after that one call goes first", () => {
  const world = new World(keys(1));
  const leases = Array.from({ length: 3 * BREAKER_AFTER_FAILURES }, () => world.lease());
  for (const lease of leases) lease.release(result("CUT"));
  assert.equal(restOf(world), 1_000);
  world.clock.advance(1_000);
  world.lease();
  world.fails("no_public_token");
});

test("a first wait after limits of rate that is set to more than five minutes is kept, and does not double", () => {
  const world = new World(keys(1));
  world.pool.setAllocation({ ...DEFAULT_ALLOCATION, rateLimitCooldownMs: HOUR_MS });
  for (let i = 0; i < 3; i++) {
    world.call("RATE_LIMITED");
    assert.equal(restOf(world), HOUR_MS);
    world.clock.advance(HOUR_MS);
  }
});
