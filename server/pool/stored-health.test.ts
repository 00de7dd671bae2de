// What a server that starts makes of the health that was stored of a key.
import assert from "node:assert/strict";
import test from "node:test";
import { SUPER, World, result } from "../../test/support/pool-world.js";
import { aProviderKey, aRoute } from "../../test/support/records.js";
import { HOUR_MS } from "../core/durations.js";
import { type KeyHealth, NEW_KEY_HEALTH } from "../core/provider-key.js";
import type { KeyExplanation } from "./explain.js";

const STARTED_AT = Date.UTC(2030, 0, 1);

function worldOf(health: Partial<KeyHealth>): World {
  return new World([aProviderKey("pk_1", { health: { ...NEW_KEY_HEALTH, ...health } })]);
}

function explained(world: World): KeyExplanation | undefined {
  return world.pool.explain(SUPER, aRoute(), 1)[0]?.tiers[0]?.keys[0];
}

test("what is stored of a key is what is told of it again", () => {
  const health: KeyHealth = {
    ...NEW_KEY_HEALTH,
    state: "DEGRADED",
    consecutiveFailures: 4,
    lastError: "503 from provider",
    lastCheckedAt: STARTED_AT - 2_000,
    lastUsedAt: STARTED_AT - 1_000,
    successes: 7,
    failures: 5,
  };
  assert.deepEqual(worldOf(health).pool.health("pk_1"), health);
  assert.deepEqual(worldOf({}).pool.health("pk_1"), NEW_KEY_HEALTH);
});

test("failures in a row go on after a start", () => {
  const world = worldOf({ state: "DEGRADED", consecutiveFailures: 4 });
  world.call("TIMEOUT");
  assert.equal(world.state("pk_1"), "COOLDOWN");
});

test("how long ago a key was used is known after a start, and never less than nothing", () => {
  const since = (lastUsedAt: number | null): number | null | undefined =>
    explained(worldOf({ lastUsedAt }))?.sinceUsedMs;
  assert.equal(since(STARTED_AT - 3 * HOUR_MS), 3 * HOUR_MS);
  assert.equal(since(STARTED_AT + HOUR_MS), 0, "it was stored by a clock that was ahead");
  assert.equal(since(null), null);
});

test("an empty quota has to be proven after a start too, and a cooldown has not", () => {
  for (const [state, atOnce] of [
    ["EXHAUSTED", 1],
    ["COOLDOWN", 2],
  ] as const) {
    const world = worldOf({ state, cooldownUntil: STARTED_AT + 10_000, lastError: "429" });
    assert.equal(world.fails("no_public_token").retryAfterSeconds, 10);
    assert.equal(world.pool.health("pk_1")?.cooldownUntil, STARTED_AT + 10_000);
    assert.equal(world.pool.health("pk_1")?.lastError, "429");
    world.clock.advance(10_000);
    const leases = Array.from({ length: atOnce }, () => world.lease());
    if (state === "EXHAUSTED") world.fails("no_public_token");
    for (const lease of leases) lease.release(result("OK"));
    world.call();
  }
});

test("a rest that ended while no server ran is over, and the key not yet well", () => {
  for (const cooldownUntil of [STARTED_AT, STARTED_AT - HOUR_MS, null]) {
    const world = worldOf({ state: "COOLDOWN", cooldownUntil });
    assert.equal(world.state("pk_1"), "DEGRADED");
    assert.equal(world.pool.waitMs(SUPER, aRoute()), 0);
  }
});
