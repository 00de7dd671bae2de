import assert from "node:assert/strict";
import test from "node:test";
import { keys, result, tally, World } from "../../../test/support/pool-world.js";
import { aProviderKey } from "../../../test/support/records.js";

/** How many of a number of calls each key gets, in the order of keys. */
function shares(world: World, ids: readonly string[], calls: number): number[] {
  const counts = tally(Array.from({ length: calls }, () => world.call()));
  return ids.map((id) => counts.get(id) ?? 0);
}

const ABC = ["pk_a", "pk_b", "pk_c"];

test("a weight that is changed holds from the next call on, and nothing is made up for", () => {
  const world = new World(
    ABC.map((id) => aProviderKey(id, { weight: id === "pk_a" ? 1 : 100, ownerId: `usr_${id}` })),
    "WEIGHTED",
  );
  const holds = (weight: number, turns: number): void => {
    for (let round = 0; round < 5; round++) {
      const [a = 0, b = 0, c = 0] = shares(world, ABC, turns);
      const told = `weight ${weight}, round ${round}: ${a} ${b} ${c}`;
      assert.ok(Math.abs(a - (turns * weight) / (200 + weight)) <= 2, told);
      assert.ok(Math.abs(b - c) <= 2, told);
    }
  };
  holds(1, 203);
  const owned = { ownerId: "usr_pk_a" };
  world.change(aProviderKey("pk_a", { ...owned, weight: 100, version: 2 }));
  holds(100, 30);
  world.change(aProviderKey("pk_a", { ...owned, weight: 1, version: 3 }));
  holds(1, 203);
  world.ban("usr_pk_a", "BANNED");
  world.change(aProviderKey("pk_a", { ...owned, weight: 100, version: 4 }));
  world.ban("usr_pk_a", "ACTIVE");
  holds(100, 30);
});

test("a key that comes back has its share at once, however busy one of the others is with a session", () => {
  const world = new World([...keys(3), aProviderKey("pk_out", { ownerId: "usr_out" })], "WEIGHTED");
  for (let i = 0; i < 1_001; i++) assert.equal(world.call("OK", { affinity: "s" }), "pk_00000");
  world.ban("usr_out", "BANNED");
  for (let i = 0; i < 10; i++) assert.notEqual(world.call(), "pk_out");
  world.ban("usr_out", "ACTIVE");
  const [busy, first, second, out = 0] = shares(
    world,
    ["pk_00000", "pk_00001", "pk_00002", "pk_out"],
    300,
  );
  assert.ok(Math.abs(out - 100) <= 2, `${busy} ${first} ${second} ${out}`);
  assert.equal(busy, 0, "calls of sessions are part of a key's share");
});

test("a key that came while another served alone is not swamped with what that one had before", () => {
  const world = new World([aProviderKey("pk_a")], "WEIGHTED");
  for (let i = 0; i < 1_000; i++) world.call("OK", { affinity: "s" });
  world.change(aProviderKey("pk_b"));
  world.clock.advance(60_000);
  const [a = 0, b = 0] = shares(world, ABC, 20);
  assert.ok(Math.abs(a - b) <= 2, `${a} and ${b}`);
});

test("a key that a call bound to it has proven gets its share", () => {
  const world = new World(keys(2), "WEIGHTED");
  const out = world.call("QUOTA_EXHAUSTED", { retryAfterMs: 1_000 });
  world.clock.advance(1_000);
  world.lease({ home: out }).release(result("OK"));
  world.clock.advance(60_000);
  assert.ok(Math.abs((shares(world, [out], 20)[0] ?? 0) - 10) <= 1);
});

test("a light key gets its share beside heavy ones also where it often goes and comes, or is looked at, or models change", () => {
  const goesAndComes = (world: World): void => {
    world.ban("usr_b", "BANNED");
    world.ban("usr_b", "ACTIVE");
  };
  const isLookedAt = ({ pool }: World): void => {
    pool.resetHealth("pk_b");
  };
  const catalogueChanges = ({ pool }: World): void => {
    pool.applyChange({ seq: 1, kind: "model", id: "m", value: null });
  };
  for (const disturb of [goesAndComes, isLookedAt, catalogueChanges]) lightKeyGetsItsShare(disturb);
});

function lightKeyGetsItsShare(disturb: (world: World) => void): void {
  const world = new World(
    [aProviderKey("pk_a", { weight: 20 }), aProviderKey("pk_b", { ownerId: "usr_b" })],
    "WEIGHTED",
  );
  const used: string[] = [];
  for (let round = 0; round < 210; round++) {
    for (let i = 0; i < 10; i++) used.push(world.call());
    disturb(world);
  }
  const light = tally(used).get("pk_b") ?? 0;
  assert.ok(Math.abs(light - 100) <= 2, String(light));
}

test("keys that all come back at once share by weight from the first call on", () => {
  const world = new World(
    ABC.map((id) => aProviderKey(id, { weight: id === "pk_a" ? 3 : 1 })),
    "WEIGHTED",
  );
  const leases = ABC.map((id) => world.lease({ tried: ABC.filter((each) => each !== id) }));
  for (const lease of leases) lease.release(result("RATE_LIMITED", { retryAfterMs: 2_000 }));
  world.clock.advance(2_000);
  const [a = 0, b = 0, c = 0] = shares(world, ABC, 20);
  assert.ok(Math.abs(a - 12) <= 1 && Math.abs(b - c) <= 1, `${a} ${b} ${c}`);
});

test("a limit of one model starts the wait for a turn anew for no other key", () => {
  const world = new World(
    [aProviderKey("pk_a", { weight: 20 }), aProviderKey("pk_b"), aProviderKey("pk_c")],
    "WEIGHTED",
  );
  const once = { tried: ["pk_a", "pk_b"] };
  for (let i = 0; i < 15; i++) assert.equal(world.call(), "pk_a");
  world.lease(once).release(result("RATE_LIMITED", { retryAfterMs: 600_000 }));
  const [heavy, light] = shares(world, ["pk_a", "pk_b"], 10);
  assert.deepEqual([heavy, light], [9, 1]);
});

test("a key that was far ahead by calls bound to it waits for no more than one turn once it is back", () => {
  const world = new World(
    [...keys(2), aProviderKey("pk_ahead", { ownerId: "usr_ahead" })],
    "WEIGHTED",
  );
  world.lease({ tried: ["pk_00000", "pk_00001"], affinity: "s" }).release(result("OK"));
  for (let i = 0; i < 1_000; i++) assert.equal(world.call("OK", { affinity: "s" }), "pk_ahead");
  world.ban("usr_ahead", "BANNED");
  world.call();
  world.ban("usr_ahead", "ACTIVE");
  const [ahead = 0] = shares(world, ["pk_ahead"], 30);
  assert.ok(Math.abs(ahead - 10) <= 1, String(ahead));
});
