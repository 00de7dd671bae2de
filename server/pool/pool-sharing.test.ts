import assert from "node:assert/strict";
import test from "node:test";
import type { Lease } from "../core/lease.js";
import { STRATEGIES } from "./allocation.js";
import { SUPER, World, keys, result, tally } from "../../test/support/pool-world.js";
import { aPrincipal, aProviderKey, aRoute, seededUniform } from "../../test/support/records.js";
import { scopeName, scopeOf } from "./scope.js";

/** The strategies that share calls out among keys. */
const SHARING = STRATEGIES.filter((each) => each !== "SEQUENTIAL");

test("four equal keys share 10,000 calls within five percent, whatever the pace", () => {
  for (const strategy of SHARING) {
    for (const paceMs of [0, 7, 1_000, 20_000]) {
      const world = new World(keys(4), strategy);
      const counts = tally(
        Array.from({ length: 10_000 }, () => {
          world.clock.advance(paceMs);
          return world.call();
        }),
      );
      for (const [id, count] of counts) {
        assert.ok(
          Math.abs(count - 2_500) <= 125,
          `${strategy} at ${paceMs} ms: ${id} got ${count}`,
        );
      }
    }
  }
});

test("equal keys share evenly also when calls overlap and fail at random", () => {
  const uniform = seededUniform(7);
  const world = new World(keys(4));
  const open: Lease[] = [];
  const ids: string[] = [];
  for (let i = 0; i < 10_000; i++) {
    world.clock.advance(5);
    const lease = world.lease();
    ids.push(lease.providerKey.id);
    open.push(lease);
    if (open.length > 20) {
      const [ended] = open.splice(Math.floor(uniform() * open.length), 1);
      ended?.release(result(uniform() < 0.05 ? "CUT" : "OK"));
    }
  }
  for (const [id, count] of tally(ids)) {
    assert.ok(Math.abs(count - 2_500) <= 250, `${id} got ${count}`);
  }
});

test("a large pool is shared too: every one of 200 equal keys gets work and none much more than its share", () => {
  const world = new World(keys(200));
  const counts = tally(Array.from({ length: 20_000 }, () => world.call()));
  assert.equal(counts.size, 200);
  for (const count of counts.values()) assert.ok(count > 80 && count < 120, String(count));
});

test("a key that fails more gets less, and is heard again after an hour without calls", () => {
  const world = new World(keys(3));
  const uniform = seededUniform(3);
  const used: string[] = [];
  for (let i = 0; i < 6_000; i++) {
    world.clock.advance(10);
    const lease = world.lease();
    used.push(lease.providerKey.id);
    const isBad = lease.providerKey.id === "pk_00000" && uniform() < 0.25;
    lease.release(result(isBad ? "PROVIDER_ERROR" : "OK"));
  }
  const counts = tally(used);
  assert.ok((counts.get("pk_00000") ?? 0) < (counts.get("pk_00001") ?? 0) / 2);
  world.clock.advance(3_700_000);
  const later = tally(Array.from({ length: 300 }, () => world.call()));
  assert.ok((later.get("pk_00000") ?? 0) > 50);
});

test("a new key among busy ones takes its share and not everything", () => {
  const world = new World(keys(4));
  for (let i = 0; i < 4_000; i++) {
    world.clock.advance(100);
    world.call(i % 50 === 0 ? "CUT" : "OK");
  }
  world.change(aProviderKey("pk_new"));
  const first = tally(
    Array.from({ length: 100 }, () => {
      world.clock.advance(100);
      return world.call();
    }),
  );
  const share = first.get("pk_new") ?? 0;
  assert.ok(share >= 1 && share <= 40, `${share} of the first 100`);
});

test("a key that comes back ramps from a tenth to its full share in pools of any size, and makes up for nothing", () => {
  for (const strategy of SHARING) {
    for (const count of [4, 16, 40]) {
      const world = new World(keys(count), strategy);
      const back = comesBack(world, count);
      const shares = Array.from({ length: 16 }, () => {
        const ids = Array.from({ length: count * 20 }, () => world.call());
        return (tally(ids).get(back) ?? 0) / 20;
      });
      const told = `${strategy} among ${count}: ${shares.join(" ")}`;
      const [first = 1, second = 1, third = 1] = shares;
      assert.ok(first < 0.2 && second < 0.4 && third < 0.5, told);
      assert.ok(
        shares.every((each) => each < 2) && shares.slice(12).every((each) => each > 0.8),
        told,
      );
    }
  }
});

test("a key that comes back has no more than its part of the calls in flight either", () => {
  for (const strategy of SHARING) {
    for (const count of [4, 16, 40]) {
      const world = new World(keys(count), strategy);
      const open: Lease[] = [];
      const call = (): void => {
        world.clock.advance(1_000 / count);
        if (open.length === count * 10) open.shift()?.release(result("OK"));
        open.push(world.lease());
      };
      const back = comesBack(world, count);
      const shares = Array.from({ length: 16 }, () => {
        for (let i = 0; i < count * 5; i++) call();
        return open.filter((lease) => lease.providerKey.id === back).length / 10;
      });
      const told = `${strategy} among ${count}: ${shares.join(" ")}`;
      const [first = 1, second = 1, third = 1] = shares;
      assert.ok(first < 0.3 && second < 0.4 && third < 0.5, told);
      assert.ok(
        shares.every((each) => each < 2) && shares.slice(14).every((each) => each > 0.8),
        told,
      );
    }
  }
});

/** A key that rested while the others of the world worked on; its rest is over now. */
function comesBack(world: World, count: number): string {
  for (let i = 0; i < count * 50; i++) {
    world.clock.advance(20);
    world.call();
  }
  const out = world.call("RATE_LIMITED", { retryAfterMs: 600_000 });
  for (let i = 0; i < 600; i++) {
    world.clock.advance(1_000);
    assert.notEqual(world.call(), out);
  }
  world.clock.advance(1_000);
  return out;
}

test("round robin takes turns by id and keeps its place when keys come and go", () => {
  const world = new World(keys(3), "ROUND_ROBIN");
  assert.deepEqual(
    Array.from({ length: 4 }, () => world.call()),
    ["pk_00000", "pk_00001", "pk_00002", "pk_00000"],
  );
  world.remove("pk_00001");
  assert.equal(world.call(), "pk_00002");
  world.change(aProviderKey("pk_00001"));
  assert.equal(world.call(), "pk_00000");
});

test("sequential stays on one key until it is used up, then goes on to the next in order", () => {
  const world = new World(keys(3), "SEQUENTIAL");
  for (let i = 0; i < 20; i++) assert.equal(world.call(), "pk_00000");
  const aside = world.lease({ tried: ["pk_00000"] });
  assert.equal(aside.providerKey.id, "pk_00001");
  aside.release(result("OK"));
  assert.equal(world.call(), "pk_00000", "stepping aside for one call does not move the order on");
  assert.equal(world.call("QUOTA_EXHAUSTED"), "pk_00000");
  for (let i = 0; i < 5; i++) assert.equal(world.call(), "pk_00001");
  world.remove("pk_00001");
  assert.equal(world.call(), "pk_00002");
  world.clock.advance(3_600_001);
  assert.equal(
    world.call(),
    "pk_00002",
    "the first key is back, and the order goes on from the present one",
  );
});

const FOUR = ["pk_00000", "pk_00001", "pk_00002", "pk_00003"];

/** Has one of four keys fail nearly always, but never so often in a row that it has to rest. */
function wearOut(world: World, id: string): void {
  for (let i = 0; i < 60; i++) {
    const lease = world.lease({ tried: FOUR.filter((each) => each !== id) });
    lease.release(result(i % 5 === 0 ? "OK" : "CUT"));
  }
}

test("sequential takes keys in turns where all of them fail nearly always", () => {
  const world = new World(keys(4), "SEQUENTIAL");
  for (const id of FOUR) wearOut(world, id);
  const taken = Array.from({ length: 8 }, () => world.call("CALLER_ABORTED"));
  assert.deepEqual(taken.toSorted(), [...FOUR, ...FOUR].toSorted());
});

test("sequential gives a key another chance in its turn an hour after it failed", () => {
  const world = new World(keys(4), "SEQUENTIAL");
  wearOut(world, "pk_00000");
  assert.equal(world.call(), "pk_00001");
  for (const id of ["pk_00001", "pk_00002"]) wearOut(world, id);
  assert.equal(world.call(), "pk_00003");
  world.clock.advance(3_600_000);
  wearOut(world, "pk_00003");
  world.change(aProviderKey("pk_00002", { fingerprint: "another" }));
  assert.equal(world.call(), "pk_00000");
  assert.equal(world.call(), "pk_00000", "and the order stays with it");
});

test("sequential passes over keys that fail nearly always, and takes one of them where all do", () => {
  const world = new World(keys(4), "SEQUENTIAL");
  for (const id of ["pk_00000", "pk_00001", "pk_00003"]) wearOut(world, id);
  for (let i = 0; i < 3; i++) assert.equal(world.call(), "pk_00002");
  assert.notEqual(world.lease({ tried: ["pk_00002"] }).providerKey.id, "pk_00002");
  world.remove("pk_00002");
  assert.notEqual(world.call(), "pk_00002");
});

test("no call is lent a key twice, and each key is found at last, however many there are", () => {
  for (const strategy of STRATEGIES) {
    const world = new World(keys(40), strategy);
    const tried: string[] = [];
    for (let i = 0; i < 40; i++) {
      const lease = world.lease({ tried });
      lease.release(result("OK"));
      tried.push(lease.providerKey.id);
    }
    assert.equal(new Set(tried).size, 40, strategy);
    world.fails("no_public_token", { tried });
  }
});

test("least busy goes to the key with the fewest calls in flight", () => {
  const world = new World(keys(3), "LEAST_BUSY");
  const first = world.lease();
  const second = world.lease();
  const third = world.lease();
  const ids = [first, second, third].map((lease) => lease.providerKey.id);
  assert.equal(new Set(ids).size, 3);
  second.release(result("OK"));
  assert.equal(world.lease().providerKey.id, second.providerKey.id);
});

test("weighted gives shares by weight, also to a key that came late", () => {
  const world = new World(
    [aProviderKey("pk_a", { weight: 1 }), aProviderKey("pk_b", { weight: 3 })],
    "WEIGHTED",
  );
  const before = tally(Array.from({ length: 4_000 }, () => world.call()));
  assert.ok(Math.abs((before.get("pk_b") ?? 0) - 3_000) <= 10);
  world.change(aProviderKey("pk_c", { weight: 4 }));
  for (let i = 0; i < 1_000; i++) world.call();
  const after = tally(Array.from({ length: 8_000 }, () => world.call()));
  assert.ok(Math.abs((after.get("pk_c") ?? 0) - 4_000) <= 20);
});

test("weighted forgets a key that left the pool, and takes it again when it is back", () => {
  const world = new World(keys(3), "WEIGHTED");
  for (let i = 0; i < 6; i++) world.call();
  world.change(aProviderKey("pk_00001", { visibility: "PRIVATE", version: 2 }));
  for (let i = 0; i < 12; i++) assert.notEqual(world.call(), "pk_00001");
  world.change(aProviderKey("pk_00001", { version: 3 }));
  world.remove("pk_00002");
  world.change(aProviderKey("pk_00002"));
  const back = new Set(Array.from({ length: 200 }, () => world.call()));
  assert.equal(back.size, 3);
});

test("the strategy is settable while calls run, for all and for one provider", () => {
  const world = new World(keys(2), "SEQUENTIAL");
  assert.equal(world.call(), world.call());
  world.pool.applyChange({
    seq: 1,
    kind: "setting",
    id: "pool.allocation",
    value: {
      id: "pool.allocation",
      value: '{"strategy": "sequential", "providers": {"prv_test": "round_robin"}}',
    },
  });
  assert.notEqual(world.call(), world.call());
  world.pool.applyChange({
    seq: 2,
    kind: "setting",
    id: "pool.allocation",
    value: { id: "pool.allocation", value: "no json" },
  });
  assert.equal(world.pool.strategyOf("prv_test"), "ROUND_ROBIN");
});

test("calls of one session stay on one key while it is eligible", () => {
  const world = new World(keys(5));
  const home = world.call("OK", { affinity: "s1" });
  for (let i = 0; i < 20; i++) {
    world.call();
    assert.equal(world.call("OK", { affinity: "s1" }), home);
  }
  world.lease({ affinity: "s1" }).release(result("RATE_LIMITED", { retryAfterMs: 60_000 }));
  const next = world.call("OK", { affinity: "s1" });
  assert.notEqual(next, home);
  world.clock.advance(60_000);
  assert.equal(world.call("OK", { affinity: "s1" }), next);
});

test("sessions of the same name of different owners, and of the pool, each keep a key of their own", () => {
  const owners = ["usr_mia", "usr_max"];
  const owned = owners.flatMap((ownerId) =>
    Array.from({ length: 5 }, (_, at) =>
      aProviderKey(`pk_${ownerId}_${String(at)}`, { ownerId, visibility: "PRIVATE" }),
    ),
  );
  const world = new World([...keys(5), ...owned]);
  const callers = [SUPER, ...owners.map((ownerId) => aPrincipal("STANDARD", ownerId))];
  const calls = (): string[] =>
    callers.map((principal) => world.call("OK", { affinity: "s", principal }));
  const kept = calls();
  assert.equal(new Set(kept).size, callers.length);
  for (let i = 0; i < 20; i++) assert.deepEqual(calls(), kept);
});

test("each scope has a name of its own", () => {
  const names = [
    scopeName(scopeOf({ ownerId: "usr_mia", clientKey: { kind: "STANDARD" } })),
    scopeName(scopeOf({ ownerId: "usr_max", clientKey: { kind: "STANDARD" } })),
    scopeName(scopeOf({ ownerId: "usr_mia", clientKey: { kind: "SUPER" } })),
  ];
  assert.equal(new Set(names).size, names.length);
  const others = [
    scopeName(scopeOf({ ownerId: "usr_mia", clientKey: { kind: "BYOR" } })),
    scopeName(scopeOf({ ownerId: "usr_max", clientKey: { kind: "SUPER" } })),
  ];
  assert.deepEqual(others, [names[0], names[2]], "by whose keys are drawn on, not by who calls");
});

test("a session returns to the primary tier as soon as that has an eligible key", () => {
  const world = new World([aProviderKey("pk_1"), aProviderKey("pk_2", { tier: "BACKUP" })]);
  world.call("RATE_LIMITED", { retryAfterMs: 5_000, affinity: "s" });
  assert.equal(world.call("OK", { affinity: "s" }), "pk_2");
  world.clock.advance(5_000);
  assert.equal(world.call("OK", { affinity: "s" }), "pk_1");
});

test("a call goes to its home alone while that may serve it soon, and only where the call may use it", () => {
  const shared = [aProviderKey("pk_1"), aProviderKey("pk_2", { tier: "BACKUP" })];
  const world = new World([...shared, aProviderKey("pk_3", { visibility: "PRIVATE" })]);
  const leased = (options: Parameters<World["lease"]>[0]): string => {
    const lease = world.lease(options);
    lease.release(result("OK"));
    return lease.providerKey.id;
  };
  const wait = (): number | null => world.pool.waitMs(SUPER, aRoute(), "pk_2");
  assert.equal(leased({ home: "pk_2" }), "pk_2");
  assert.equal(leased({ home: "pk_2", affinity: "s" }), "pk_2");
  assert.equal(
    world.fails("no_public_token", { home: "pk_2", tried: ["pk_2"] }).retryAfterSeconds,
    1,
  );
  assert.equal(wait(), 0);
  assert.equal(leased({ home: "pk_3" }), "pk_1", "private, and not for the pool");
  assert.equal(leased({ home: "pk_gone" }), "pk_1");
  world.lease({ home: "pk_2" }).release(result("KEY_REFUSED"));
  assert.equal(world.fails("no_public_token", { home: "pk_2" }).retryAfterSeconds, 30);
  assert.equal(wait(), 30_000);
  assert.equal(world.pool.waitMs(SUPER, aRoute()), 0, "others need not wait");
  world.clock.advance(30_000);
  assert.equal(leased({ home: "pk_2" }), "pk_2", "as the call that proves it");
  world.lease({ home: "pk_2" }).release(result("RATE_LIMITED", { retryAfterMs: 5_000 }));
  assert.equal(wait(), 5_000);
  world.change(aProviderKey("pk_2", { tier: "BACKUP", enabled: false }));
  assert.equal(leased({ home: "pk_2" }), "pk_1", "switched off");
  world.change(aProviderKey("pk_2", { tier: "BACKUP" }));
  assert.equal(leased({ home: "pk_2" }), "pk_2");
  world.remove("pk_2");
  assert.equal(leased({ home: "pk_2" }), "pk_1", "deleted");
});
