import assert from "node:assert/strict";
import test from "node:test";
import type { Strategy } from "./allocation.js";
import { keys, OWN, result, SUPER, World } from "../../test/support/pool-world.js";
import { aProviderKey, aRoute } from "../../test/support/records.js";
import type { Lease } from "../core/lease.js";

const OTHER_CALLER = { ...SUPER, ownerId: "usr_other" };

const BLAMED = ["PROVIDER_ERROR", "CUT"] as const;

/** A public pool of which two users have made use. */
function shared(count: number, strategy?: Strategy): World {
  const world = new World(keys(count), strategy);
  world.call("OK", { principal: OTHER_CALLER });
  world.call("OK");
  return world;
}

for (const outcome of BLAMED) {
  test(`${outcome}: what only one caller gets keeps no key from the others`, () => {
    const world = shared(1);
    const error = { httpStatus: 500, unsent: false };
    for (let i = 0; i < 20; i++) world.call(outcome, error);
    assert.equal(world.pool.waitMs(SUPER, aRoute()), 0);
    assert.equal(world.state("pk_00000"), "DEGRADED");
    world.call("OK", { principal: OTHER_CALLER });
    for (let i = 0; i < 4; i++) world.call(outcome, error);
    assert.equal(world.pool.waitMs(SUPER, aRoute()), 0);
    world.call(outcome, { ...error, principal: OTHER_CALLER });
    assert.equal(world.state("pk_00000"), "COOLDOWN", "two callers get them");
  });

  test(`${outcome}: a user who calls alone is spared a key that fails`, () => {
    const alone = new World(keys(1));
    for (let i = 0; i < 5; i++) alone.call(outcome, { httpStatus: 500 });
    assert.equal(alone.state("pk_00000"), "COOLDOWN");
    const left = shared(1);
    left.clock.advance(600_000);
    for (let i = 0; i < 5; i++) left.call(outcome, { httpStatus: 500 });
    assert.equal(left.state("pk_00000"), "COOLDOWN", "the others have not called for long");
  });
}

test("another user who is refused for want of a key is one to whom keys matter", () => {
  const world = new World(keys(1));
  for (let i = 0; i < 5; i++) world.call("PROVIDER_ERROR", { httpStatus: 500 });
  world.fails("no_public_token", { principal: OTHER_CALLER });
  world.clock.advance(world.pool.waitMs(SUPER, aRoute()) ?? -1);
  world.call("OK", { principal: OTHER_CALLER });
  for (let i = 0; i < 20; i++) world.call("PROVIDER_ERROR", { httpStatus: 500 });
  assert.equal(world.pool.waitMs(SUPER, aRoute()), 0);
});

test("what goes wrong with a key that is not public counts whoever calls", () => {
  for (const outcome of BLAMED) {
    const world = new World(keys(1, { visibility: "PRIVATE" }));
    for (let i = 0; i < 5; i++) world.call(outcome, { principal: OWN, httpStatus: 500 });
    assert.equal(world.state("pk_00000"), "COOLDOWN", outcome);
  }
});

test("what one caller alone asks cannot make a key that is on proof rest for longer", () => {
  const world = shared(1);
  world.call("KEY_REFUSED", { httpStatus: 401 });
  world.clock.advance(world.pool.waitMs(SUPER, aRoute()) ?? -1);
  for (let i = 0; i < 20; i++) world.call("PROVIDER_ERROR", { httpStatus: 500 });
  assert.equal(world.pool.waitMs(SUPER, aRoute()), 0);
  world.call("OK", { principal: OTHER_CALLER });
});

test("errors of calls that another key served are the key's own, whoever called", () => {
  const world = shared(2, "ROUND_ROBIN");
  for (let i = 0; i < 5; i++) {
    assert.equal(world.pool.waitMs(SUPER, aRoute()), 0);
    const bad = world.lease({ tried: ["pk_00001"] });
    bad.release(result("PROVIDER_ERROR", { httpStatus: 500 }));
    const good = world.lease({ tried: ["pk_00000"] });
    good.release(result("OK"));
    bad.outdone();
  }
  assert.equal(world.state("pk_00000"), "COOLDOWN");
  assert.equal(world.state("pk_00001"), "HEALTHY");
});

test("errors of a secret that was replaced since, or of a key that is gone, say nothing when another key serves", () => {
  const world = shared(2, "ROUND_ROBIN");
  const fails = (): Lease => {
    const bad = world.lease({ tried: ["pk_00001"] });
    bad.release(result("PROVIDER_ERROR", { httpStatus: 500 }));
    return bad;
  };
  const old = fails();
  const expiresAt = world.clock.now() + 60_000;
  world.change(aProviderKey("pk_00000", { fingerprint: "another", expiresAt }));
  world.call("OK", { principal: OTHER_CALLER });
  for (let i = 0; i < 9; i++) fails();
  old.outdone();
  fails();
  assert.equal(world.state("pk_00000"), "DEGRADED", "one caller alone gets them");
  const last = fails();
  world.remove("pk_00000");
  const { counts } = world.pool.registry;
  const before = structuredClone(counts);
  world.clock.advance(60_000);
  last.outdone();
  assert.deepEqual(counts, before);
});
