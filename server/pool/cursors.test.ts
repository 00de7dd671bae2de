import assert from "node:assert/strict";
import test from "node:test";
import { PROOF_EVERY_LEASES } from "./chooser.js";
import { keys, result, SUPER, tally, World } from "../../test/support/pool-world.js";
import { aProviderKey, aRoute } from "../../test/support/records.js";

const X = aRoute("x");
const Y = aRoute("y");

/** The keys of a number of calls for a model. */
function used(world: World, route: typeof X, calls: number): string[] {
  return Array.from({ length: calls }, () => world.call("OK", { route }));
}

test("keys take turns by what they serve, whatever is asked for in between", () => {
  const world = new World(
    [
      aProviderKey("pk_1", { modelAllowlist: ["x"] }),
      aProviderKey("pk_2", { modelAllowlist: ["y"] }),
      aProviderKey("pk_3", { modelAllowlist: ["x"] }),
    ],
    "ROUND_ROBIN",
  );
  const ofX: string[] = [];
  for (let i = 0; i < 20; i++) {
    ofX.push(world.call("OK", { route: X }));
    assert.equal(world.call("OK", { route: Y }), "pk_2");
  }
  assert.deepEqual([...tally(ofX).values()], [10, 10]);
});

test("the order of one model does not move on for calls of another, nor for its limits", () => {
  const world = new World(
    [...keys(2), aProviderKey("pk_z", { modelAllowlist: ["z"] })],
    "SEQUENTIAL",
  );
  const z = aRoute("z");
  used(world, z, 3);
  assert.deepEqual(used(world, X, 3), Array(3).fill("pk_00000"));
  world.call("RATE_LIMITED", { route: X, retryAfterMs: 60_000 });
  assert.deepEqual(used(world, X, 3), Array(3).fill("pk_00001"));
  assert.deepEqual(used(world, Y, 3), Array(3).fill("pk_00000"));
  world.clock.advance(60_000);
  assert.equal(world.call("OK", { route: X }), "pk_00001", "it stays where it went on");
});

test("an order that has moved on stays there when the catalogue changes or keys come", () => {
  const world = new World(keys(2), "SEQUENTIAL");
  for (let i = 0; i < 5; i++) world.call("CUT");
  assert.deepEqual(used(world, X, 3), Array(3).fill("pk_00001"));
  world.clock.advance(1_000);
  const back = used(world, X, PROOF_EVERY_LEASES);
  assert.equal(back.filter((id) => id === "pk_00000").length, 1, "it has proven itself");
  world.pool.applyChange({ seq: 1, kind: "model", id: "m", value: null });
  world.change(aProviderKey("pk_0"));
  assert.deepEqual(used(world, X, 3), Array(3).fill("pk_00001"));
});

test("an order that a limit of one model has moved on stays there when the catalogue changes", () => {
  const world = new World(keys(3), "SEQUENTIAL");
  world.call("RATE_LIMITED", { route: X, retryAfterMs: 1_000 });
  assert.equal(world.call("OK", { route: X }), "pk_00001");
  world.clock.advance(1_000);
  world.pool.applyChange({ seq: 1, kind: "model", id: "m", value: null });
  assert.deepEqual(used(world, X, 3), Array(3).fill("pk_00001"));
  assert.deepEqual(used(world, Y, 3), Array(3).fill("pk_00000"));
});

test("an order waits for a key that has all the calls it may have at a time, and goes on past one that rests", () => {
  const world = new World(keys(3), "SEQUENTIAL");
  const first = world.lease({ route: X });
  world.lease({ route: X }).release(result("RATE_LIMITED"));
  first.release(result("OK"));
  world.clock.advance(10_000);
  const full = world.lease({ route: X });
  assert.equal(full.providerKey.id, "pk_00000");
  assert.equal(world.pool.registry.slot("pk_00000")?.loads.isFull("x"), true);
  assert.deepEqual(used(world, X, 3), Array(3).fill("pk_00001"), "what it has no room for");
  full.release(result("OK"));
  assert.equal(world.call("OK", { route: X }), "pk_00000");
  const busy = world.lease({ route: X });
  world.change(aProviderKey("pk_00000", { enabled: false }));
  assert.equal(world.call("OK", { route: X }), "pk_00001");
  busy.release(result("OK"));
  world.change(aProviderKey("pk_00000"));
  assert.equal(world.call("OK", { route: X }), "pk_00001", "one that is out is not waited for");
});

test("an order goes on past each key that nearly always fails, to the first that does not", () => {
  const world = new World(keys(3), "SEQUENTIAL");
  world.call("OK", { principal: { ...SUPER, ownerId: "usr_other" } });
  for (const tried of [
    ["pk_00001", "pk_00002"],
    ["pk_00000", "pk_00002"],
  ]) {
    for (let i = 0; i < 30; i++) {
      world.lease({ tried }).release(result("PROVIDER_ERROR", { httpStatus: 500 }));
    }
  }
  assert.equal(world.pool.waitMs(SUPER, aRoute()), 0);
  assert.deepEqual(used(world, X, 2), Array(2).fill("pk_00002"));
});

test("calls that are bound to a key leave the turns of all others as they are", () => {
  for (const bound of [{ affinity: "s" }, { home: "pk_00000" }]) {
    const world = new World(keys(4), "ROUND_ROBIN");
    assert.equal(world.lease(bound).providerKey.id, "pk_00000");
    const plain = Array.from({ length: 40 }, () => {
      assert.equal(world.lease(bound).providerKey.id, "pk_00000");
      return world.call();
    });
    assert.deepEqual([...tally(plain).values()], [10, 10, 10, 10]);
  }
});

test("an order does not jump to the key of a session while its own key rests", () => {
  const world = new World(keys(4), "SEQUENTIAL");
  assert.equal(world.call(), "pk_00000");
  const aside = world.lease({ tried: ["pk_00000", "pk_00001"], affinity: "s" });
  aside.release(result("OK"));
  assert.equal(aside.providerKey.id, "pk_00002");
  assert.equal(world.call("QUOTA_EXHAUSTED"), "pk_00000");
  assert.equal(world.call("OK", { affinity: "s" }), "pk_00002");
  assert.deepEqual(used(world, X, 2), Array(2).fill("pk_00001"));
});
