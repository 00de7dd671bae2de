import assert from "node:assert/strict";
import test from "node:test";
import { keys, OWN, result, SUPER, World } from "../../test/support/pool-world.js";
import { aRoute } from "../../test/support/records.js";

const OTHER_CALLER = { ...SUPER, ownerId: "usr_other" };

for (const outcome of ["PROVIDER_ERROR", "TIMEOUT", "CUT", "UNREACHABLE"] as const) {
  test(`${outcome}: what only one caller gets keeps no key from the others`, () => {
    const world = new World(keys(1));
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
}

test("what goes wrong before the provider has the request, or with a key that is not public, counts whoever calls", () => {
  for (const outcome of ["TIMEOUT", "UNREACHABLE"] as const) {
    const world = new World(keys(1));
    for (let i = 0; i < 5; i++) world.call(outcome, { unsent: true });
    assert.equal(world.state("pk_00000"), "COOLDOWN", outcome);
  }
  for (const outcome of ["TIMEOUT", "CUT", "UNREACHABLE"] as const) {
    const world = new World(keys(1, { visibility: "PRIVATE" }));
    for (let i = 0; i < 5; i++) world.call(outcome, { principal: OWN, unsent: false });
    assert.equal(world.state("pk_00000"), "COOLDOWN", outcome);
  }
});

test("what one caller alone asks cannot make a key that is on proof rest for longer", () => {
  const world = new World(keys(1));
  world.call("KEY_REFUSED", { httpStatus: 401 });
  world.clock.advance(world.pool.waitMs(SUPER, aRoute()) ?? -1);
  for (let i = 0; i < 20; i++) world.call("PROVIDER_ERROR", { httpStatus: 500 });
  assert.equal(world.pool.waitMs(SUPER, aRoute()), 0);
  world.call("OK", { principal: OTHER_CALLER });
});

test("errors of calls that another key served are the key's own, whoever called", () => {
  const world = new World(keys(2), "ROUND_ROBIN");
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
