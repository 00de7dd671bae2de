import assert from "node:assert/strict";
import test from "node:test";
import { World, keys, result, SUPER, tally } from "../../test/support/pool-world.js";
import { aProviderKey, aRoute } from "../../test/support/records.js";
import { MODEL_REFUSAL_COOLDOWN_MS } from "./health-policy.js";
import { KEYS_MAX, KINDS_MAX, Rights } from "./rights.js";
import { STRATEGIES } from "./allocation.js";

const MIA = { ownerId: "usr_mia", clientKey: { id: "ck_mia" } };
const MAX = { ownerId: "usr_max", clientKey: { id: "ck_max" } };
const RESPONSES = { endpoint: "/v1/responses" };

/** Refuses a call of a kind with one key, and serves it with another. */
function refuse(
  world: World,
  id: string,
  options: Parameters<World["lease"]>[0] = RESPONSES,
): void {
  const others = [...world.pool.registry.slots()].map((slot) => slot.id);
  const lease = world.lease({ ...options, tried: others.filter((each) => each !== id) });
  assert.equal(lease.providerKey.id, id);
  lease.release(result("RIGHT_REFUSED", { httpStatus: 403, detail: "no such right" }));
  lease.outdone();
}

function takers(world: World, count: number, options = {}): Map<string, number> {
  return tally(
    Array.from({ length: count }, () => {
      const lease = world.lease(options);
      lease.release(result("CALLER_ABORTED"));
      return lease.providerKey.id;
    }),
  );
}

for (const strategy of STRATEGIES) {
  test(`${strategy}: a key that lacks a right comes after the others for calls that need it, and for no others`, () => {
    const world = new World(keys(2), strategy);
    refuse(world, "pk_00000");
    assert.deepEqual([...takers(world, 12, RESPONSES).keys()], ["pk_00001"]);
    const chats = takers(world, 12);
    assert.ok(chats.has("pk_00000"), "chat completions go to it as before");
    const other = takers(world, 12, { ...RESPONSES, route: aRoute("other-model") });
    assert.ok(other.has("pk_00000"), "and so do calls of another model");
    assert.equal(world.state("pk_00000"), "UNKNOWN");
    assert.equal(world.pool.health("pk_00000")?.lastError, "no such right");
    assert.equal(world.pool.health("pk_00000")?.failures, 0);
  });
}

test("a right that every key is refused takes no key out", () => {
  const world = new World(keys(3));
  for (let round = 0; round < 20; round++) {
    for (const id of ["pk_00000", "pk_00001", "pk_00002"]) refuse(world, id);
    world.clock.advance(31_000);
  }
  assert.deepEqual(takers(world, 9, RESPONSES).size, 3);
  assert.deepEqual(
    ["pk_00000", "pk_00001", "pk_00002"].map((id) => world.state(id)),
    ["UNKNOWN", "UNKNOWN", "UNKNOWN"],
  );
});

test("keys that lack a right are asked when no other is left, before a fallback is", () => {
  const world = new World([
    ...keys(1),
    aProviderKey("pk_backup", { tier: "BACKUP" }),
    aProviderKey("pk_fallback", { providerId: "prv_b" }),
  ]);
  const route = aRoute();
  const [first] = route.targets;
  assert.ok(first !== undefined);
  const fallback = { ...first, provider: { ...first.provider, id: "prv_b" } };
  const options = { ...RESPONSES, route: { ...route, targets: [first, fallback] } };
  refuse(world, "pk_00000", { ...RESPONSES, route });
  const order = (): string[] => {
    const tried: string[] = [];
    for (let i = 0; i < 3; i++) tried.push(world.lease({ ...options, tried }).providerKey.id);
    return tried;
  };
  assert.deepEqual(order(), ["pk_backup", "pk_00000", "pk_fallback"]);
  refuse(world, "pk_backup", { ...RESPONSES, route });
  assert.deepEqual(order(), ["pk_00000", "pk_backup", "pk_fallback"]);
});

test("what a key lacks is forgotten when it serves such a call, has another secret, or after ten minutes", () => {
  for (const forget of [
    (world: World) => {
      world.lease({ ...RESPONSES, tried: ["pk_00001"] }).release(result("OK"));
    },
    (world: World) => {
      world.change(aProviderKey("pk_00000", { fingerprint: "another", version: 2 }));
    },
    (world: World) => {
      world.clock.advance(600_000);
    },
  ]) {
    const world = new World(keys(2), "LEAST_BUSY");
    refuse(world, "pk_00000");
    assert.equal(takers(world, 4, RESPONSES).size, 1);
    forget(world);
    assert.equal(takers(world, 4, RESPONSES).size, 2);
  }
});

test("the explanation says for which calls a key comes after the others", () => {
  const world = new World(keys(2));
  refuse(world, "pk_00000");
  const [target] = world.pool.explain(SUPER, aRoute(), 10);
  const found = target?.tiers[0]?.keys.find((key) => key.providerKeyId === "pk_00000");
  assert.equal(found?.standing, "ELIGIBLE");
  assert.match(found.reason, /after others for \/v1\/responses, for which it lacks a right/);
});

test("a session leaves a key that lacks a right for its calls, and a key on proof is not chosen for them", () => {
  const world = new World(keys(2));
  const session = { ...RESPONSES, affinity: "s" };
  const kept = world.lease(session);
  kept.release(result("RIGHT_REFUSED"));
  kept.outdone();
  const other = kept.providerKey.id === "pk_00000" ? "pk_00001" : "pk_00000";
  assert.deepEqual([...takers(world, 3, session).keys()], [other]);
});

test("what a key lacks is told for its model alone, and for as long as it holds", () => {
  const rights = new Rights();
  rights.lacks(MIA, "pk_1", { endpoint: "/v1/a", model: "m" }, 0);
  rights.lacks(MIA, "pk_1", { endpoint: "/v1/b", model: "m" }, 1);
  rights.lacks(MIA, "pk_1", { endpoint: "/v1/c", model: "other" }, 0);
  rights.lacks(MIA, "pk_2", { endpoint: "/v1/d", model: "m" }, 0);
  assert.deepEqual(rights.lackedBy("pk_1", "m", 0), ["/v1/a", "/v1/b"]);
  assert.deepEqual(rights.lackedBy("pk_1", "m", MODEL_REFUSAL_COOLDOWN_MS), ["/v1/b"]);
  assert.deepEqual(rights.lackedBy("pk_1", "m", MODEL_REFUSAL_COOLDOWN_MS + 1), []);
  assert.deepEqual(rights.lackedBy("pk_3", "m", 0), []);
});

test("what is heard again of a key holds anew, and is forgotten after the rest", () => {
  const rights = new Rights();
  rights.lacks(MIA, "pk_1", { endpoint: "/v1/a", model: "m" }, 0);
  rights.lacks(MIA, "pk_2", { endpoint: "/v1/a", model: "m" }, 10);
  rights.lacks(MIA, "pk_1", { endpoint: "/v1/a", model: "m" }, 20);
  const at = (ms: number): boolean[] => {
    const keys = rights.without("/v1/a", "m", ms + MODEL_REFUSAL_COOLDOWN_MS);
    return [keys.has("pk_1"), keys.has("pk_2")];
  };
  assert.deepEqual(at(9), [true, true]);
  assert.deepEqual(at(10), [true, false]);
  assert.deepEqual(at(20), [false, false]);
  for (let i = 0; i < KINDS_MAX; i++) {
    rights.lacks(MIA, "pk_1", { endpoint: "/v1/often", model: "m" }, 30);
    rights.lacks(MIA, "pk_1", { endpoint: "/v1/once", model: String(i) }, 30);
  }
  assert.equal(rights.without("/v1/often", "m", 30).size, 1);
});

test("callers may ask for whatever they like: what is known is bounded", () => {
  const rights = new Rights();
  for (let i = 0; i < KINDS_MAX + 10; i++)
    rights.lacks(MIA, "pk", { endpoint: "/v1/x", model: `m${String(i)}` }, 0);
  assert.equal(rights.without("/v1/x", "m0", 0).size, 0);
  assert.equal(rights.without("/v1/x", `m${String(KINDS_MAX)}`, 0).size, 1);
  for (let i = 0; i < KEYS_MAX + 10; i++)
    rights.lacks(MIA, `pk_${String(i)}`, { endpoint: "/v1/x", model: "m" }, 0);
  assert.equal(rights.without("/v1/x", "m", 0).size, KEYS_MAX);
});

test("kinds of calls that one user makes up by the hundred push out nothing that was learnt by another's", () => {
  const rights = new Rights();
  rights.lacks(MIA, "pk_1", { endpoint: "/v1/a", model: "m" }, 0);
  for (let i = 0; i < 2 * KINDS_MAX; i++) {
    rights.lacks(MAX, "pk_1", { endpoint: "/v1/a", model: String(i) }, 0);
  }
  assert.ok(rights.without("/v1/a", "m", 1).has("pk_1"));
  assert.deepEqual(rights.lackedBy("pk_1", "m", 1), ["/v1/a"]);
});

test("a call that some keys refuse waits for the others, and not at all where none will be back", () => {
  const world = new World(keys(2));
  assert.equal(world.call("RATE_LIMITED", { retryAfterMs: 2_000 }), "pk_00000");
  const except = new Set(["pk_00001"]);
  assert.equal(world.pool.waitMs(SUPER, aRoute()), 0);
  assert.equal(world.pool.waitMs(SUPER, aRoute(), "", except), 2_000);
  world.clock.advance(2_000);
  assert.equal(world.pool.waitMs(SUPER, aRoute(), "", except), 0);
  except.add("pk_00000");
  assert.equal(world.pool.waitMs(SUPER, aRoute(), "", except), null);
});
