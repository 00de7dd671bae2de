import assert from "node:assert/strict";
import test from "node:test";
import { keys, result, World } from "../../test/support/pool-world.js";
import type { AttemptOutcome } from "../core/call.js";

const ONLY = "pk_00000";
const MINUTE_MS = 60_000;

/** Keys that the pool counts, whatever their tier and standing. */
function counted({ pool }: World): number[] {
  const { all, open } = pool.registry.counts;
  return [all, open].flatMap((tiers) =>
    Object.values(tiers).flatMap((each) => Object.values(each)),
  );
}

/** A key whose next call is its proof, that has a quota and soon expires. */
function worldOfOne(): World {
  const world = new World([]);
  const quota = { period: "DAY", requests: 3, tokens: null, costMicros: null } as const;
  const expiresAt = world.clock.now() + 2 * MINUTE_MS;
  for (const key of keys(1, { quota, expiresAt })) world.change(key);
  world.call("QUOTA_EXHAUSTED", { retryAfterMs: MINUTE_MS });
  world.clock.advance(MINUTE_MS);
  return world;
}

const OUTCOMES: readonly AttemptOutcome[] = [
  "OK",
  "KEY_REFUSED",
  "QUOTA_EXHAUSTED",
  "RATE_LIMITED",
  "PROVIDER_ERROR",
  "CALLER_ABORTED",
];

for (const outcome of OUTCOMES) {
  test(`a call that ends ${outcome} after its key was removed leaves no trace of it, then or later`, () => {
    const world = worldOfOne();
    const lease = world.lease();
    assert.deepEqual(
      counted(world).filter((count) => count !== 0),
      [1, 1],
    );
    world.remove(ONLY);
    const heard = world.heard.length;
    world.clock.advance(2 * MINUTE_MS);
    lease.proven();
    lease.release(result(outcome, { httpStatus: 500, retryAfterMs: 1_000 }));
    lease.outdone();
    lease.settle({ tokens: 1, costMicros: 1 });
    world.clock.advance(86_400_000);
    world.fails("no_public_token");
    assert.deepEqual(
      counted(world).filter((count) => count !== 0),
      [],
    );
    assert.equal(world.heard.length, heard);
  });
}

test("what ends twice counts once", () => {
  const world = new World(keys(1));
  const lease = world.lease();
  lease.release(result("OK"));
  lease.release(result("PROVIDER_ERROR"));
  const health = world.pool.health(ONLY);
  assert.deepEqual([health?.successes, health?.failures], [1, 0]);
});
