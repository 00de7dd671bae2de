// What calls find out of a key that is resting, on proof or refused by the time they end.
import assert from "node:assert/strict";
import test from "node:test";
import { SUPER, World, keys, result } from "../../test/support/pool-world.js";
import { aRoute } from "../../test/support/records.js";
import type { Lease } from "../core/lease.js";

const KEY = "pk_00000";
const EMPTY_MS = 20_000;

function leasesOf(world: World, count: number): Lease[] {
  return Array.from({ length: count }, () => world.lease());
}

test("an INVALID key stays so, and says why, whatever calls that began before still find", () => {
  const world = new World(keys(1));
  const served = world.lease();
  const refused = world.lease();
  const empty = world.lease();
  const failed = leasesOf(world, 6);
  for (const detail of ["401 once", "401 twice", "401 for good"]) {
    world.clock.advance(30_000);
    world.call("KEY_REFUSED", { detail });
  }
  assert.equal(world.pool.health(KEY)?.lastError, "401 for good");
  for (const lease of failed) lease.release(result("UNREACHABLE"));
  refused.release(result("KEY_REFUSED"));
  empty.release(result("QUOTA_EXHAUSTED"));
  served.release(result("OK"));
  world.clock.advance(86_400_000);
  world.fails("no_public_token");
  assert.equal(world.state(KEY), "INVALID");
});

test("an empty quota takes out its whole group, each key until it has proven itself, but lets no INVALID key back in", () => {
  const group = keys(3, { quotaGroup: "org" });
  const world = new World(group);
  for (let i = 0; i < 3; i++) {
    world.check(KEY, { ok: false, outcome: "KEY_REFUSED", error: "401" });
    world.clock.advance(30_000);
  }
  const refilled = world.lease();
  const empty = world.lease();
  refilled.release(result("QUOTA_EXHAUSTED", { retryAfterMs: 2 * EMPTY_MS }));
  empty.release(result("QUOTA_EXHAUSTED", { retryAfterMs: EMPTY_MS }));
  assert.deepEqual(
    group.map(({ id }) => world.state(id)),
    ["INVALID", "EXHAUSTED", "EXHAUSTED"],
  );
  assert.equal(world.pool.waitMs(SUPER, aRoute()), 2 * EMPTY_MS, "of two rests the longer holds");
  world.clock.advance(2 * EMPTY_MS);
  const proofs = leasesOf(world, 2);
  assert.equal(new Set(proofs.map(({ providerKey }) => providerKey.id)).size, 2);
  world.fails("no_public_token");
  for (const proof of proofs) proof.release(result("OK"));
  assert.equal(world.state(KEY), "INVALID");
});

test("a refusal that ends late leaves an INVALID key so, even if more refusals are allowed by then", () => {
  const world = new World(keys(1));
  const late = world.lease();
  for (let i = 0; i < 3; i++) {
    world.clock.advance(30_000);
    world.call("KEY_REFUSED");
  }
  world.pool.setAllocation({ ...world.pool.allocation, invalidAfterRefusals: 10 });
  late.release(result("KEY_REFUSED"));
  assert.equal(world.state(KEY), "INVALID");
});

test("failures of calls that began before a rest neither make it longer nor another one", () => {
  const world = new World(keys(1));
  const late = leasesOf(world, 6);
  world.call("QUOTA_EXHAUSTED", { retryAfterMs: EMPTY_MS });
  for (const lease of late) {
    lease.release(result("CUT"));
    assert.equal(world.state(KEY), "EXHAUSTED");
  }
  assert.equal(world.pool.waitMs(SUPER, aRoute()), EMPTY_MS);
});

test("a success that ends late, in a rest, ends the failures in a row before it", () => {
  const world = new World(keys(1));
  const late = world.lease();
  for (let i = 0; i < 4; i++) world.call("CUT");
  world.call("QUOTA_EXHAUSTED", { retryAfterMs: EMPTY_MS });
  assert.equal(world.pool.health(KEY)?.consecutiveFailures, 4);
  late.release(result("OK"));
  assert.equal(world.pool.health(KEY)?.consecutiveFailures, 0);
  assert.equal(world.pool.waitMs(SUPER, aRoute()), EMPTY_MS);
});

test("a success that ends late, after the rest, does not stand for the proof", () => {
  const world = new World(keys(1));
  const late = world.lease();
  world.call("QUOTA_EXHAUSTED", { retryAfterMs: EMPTY_MS });
  world.clock.advance(EMPTY_MS);
  assert.equal(world.pool.waitMs(SUPER, aRoute()), 0);
  assert.equal(world.state(KEY), "DEGRADED", "its rest is over, and nothing was served since");
  late.release(result("OK"));
  const proof = world.lease();
  world.fails("no_public_token");
  proof.release(result("OK"));
  world.call();
});

test("a call on proof that fails otherwise than before rests its key again at once", () => {
  const world = new World(keys(1));
  world.call("KEY_REFUSED");
  world.clock.advance(30_000);
  world.call("TIMEOUT", { detail: "no answer" });
  assert.equal(world.state(KEY), "COOLDOWN");
  assert.equal(world.pool.health(KEY)?.lastError, "no answer");
  world.fails("no_public_token");
});

test("a reply that begins after its attempt has ended proves nothing", () => {
  const world = new World(keys(1));
  world.call("QUOTA_EXHAUSTED", { retryAfterMs: EMPTY_MS });
  world.clock.advance(EMPTY_MS);
  const left = world.lease();
  left.release(result("CALLER_ABORTED"));
  left.proven();
  world.lease();
  world.fails("no_public_token");
});

test("a call that has proven its key and then breaks off counts as one failure among others", () => {
  const world = new World(keys(1));
  world.call("QUOTA_EXHAUSTED", { retryAfterMs: EMPTY_MS });
  world.clock.advance(EMPTY_MS);
  const proof = world.lease();
  proof.proven();
  proof.release(result("CUT"));
  assert.equal(world.pool.waitMs(SUPER, aRoute()), 0);
});
