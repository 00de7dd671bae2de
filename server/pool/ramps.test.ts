import assert from "node:assert/strict";
import test from "node:test";
import { keys, result, SUPER, tally, World } from "../../test/support/pool-world.js";
import { aProviderKey, aRoute } from "../../test/support/records.js";
import type { ProviderKey } from "../core/provider-key.js";
import { STRATEGIES } from "./allocation.js";
import { RAMP_MS, RAMP_SUCCESSES } from "./health-policy.js";

const X = aRoute("x");
const Y = aRoute("y");
/** The strategies that share calls out among keys. */
const SHARING = STRATEGIES.filter((each) => each !== "SEQUENTIAL");
const LIMITED = "pk_00000";
const OTHERS = ["pk_00001", "pk_00002", "pk_00003"];

/** The key meets a limit of one model, and is back from it. */
function limit(world: World): void {
  const lease = world.lease({ route: Y, tried: OTHERS });
  lease.release(result("RATE_LIMITED", { retryAfterMs: 2_000 }));
  world.clock.advance(2_000);
}

/** The part of its full share of a model's calls that a key may take. */
function shareOf(world: World, route: typeof X): number | undefined {
  const [tier] = world.pool.explain(SUPER, route, 10)[0]?.tiers ?? [];
  return tier?.keys.find(({ providerKeyId }) => providerKeyId === LIMITED)?.rampShare;
}

test("a key that meets limits of one model again and again keeps its share of the others", () => {
  for (const strategy of SHARING) {
    const world = new World(keys(4), strategy);
    const used: string[] = [];
    for (let round = 0; round < 50; round++) {
      limit(world);
      for (let i = 0; i < 40; i++) {
        world.clock.advance(50);
        used.push(world.call("OK", { route: X }));
      }
    }
    const share = tally(used).get(LIMITED) ?? 0;
    assert.ok(Math.abs(share - 500) <= 80, `${strategy}: ${share} of 2000`);
  }
});

test("a key that may serve few calls a minute serves most of these, and few calls meet its limit", () => {
  const perMinute = 30;
  for (const strategy of SHARING) {
    const world = new World(keys(4), strategy);
    const servedAt: number[] = [];
    let limits = 0;
    for (let i = 0; i < 6_000; i++) {
      world.clock.advance(300);
      const nowMs = world.clock.monotonic();
      const lease = world.lease();
      const firstMs = servedAt.at(-perMinute) ?? -Infinity;
      const waitMs = firstMs + 60_000 - nowMs;
      if (lease.providerKey.id !== LIMITED || waitMs <= 0) {
        lease.release(result("OK"));
        if (lease.providerKey.id === LIMITED) servedAt.push(nowMs);
      } else {
        lease.release(result("RATE_LIMITED", { httpStatus: 429, retryAfterMs: waitMs }));
        limits++;
      }
    }
    const told = `${strategy}: ${servedAt.length} of ${perMinute * 30}, ${limits} limits`;
    assert.ok(servedAt.length > perMinute * 30 * 0.75 && limits < 60, told);
  }
});

test("an order goes on to the next key, be that on its way back", () => {
  const world = new World(keys(3), "SEQUENTIAL");
  assert.equal(world.call("OK", { route: Y }), LIMITED);
  const second = world.lease({ route: Y, tried: ["pk_00000", "pk_00002"] });
  second.release(result("RATE_LIMITED", { retryAfterMs: 2_000 }));
  world.clock.advance(2_000);
  world.call("RATE_LIMITED", { route: Y, retryAfterMs: 60_000 });
  for (let i = 0; i < 3; i++) assert.equal(world.call("OK", { route: Y }), "pk_00001");
});

test("a key that is back from a limit of one model grows into its share of that one alone", () => {
  const world = new World(keys(4), "ROUND_ROBIN");
  limit(world);
  assert.deepEqual([shareOf(world, X), shareOf(world, Y)], [1, 0.1]);
  const first = Array.from({ length: 40 }, () => world.call("OK", { route: Y }));
  assert.equal(tally(first).get(LIMITED), 1);
  for (let i = 1; i < RAMP_SUCCESSES; i++) {
    assert.ok((shareOf(world, Y) ?? 1) < 1);
    world.lease({ route: Y, tried: OTHERS }).release(result("OK"));
  }
  assert.equal(shareOf(world, Y), 1);
});

test("the share of a model is full after a minute, and begins anew with the next limit", () => {
  const world = new World(keys(4));
  limit(world);
  for (const part of [0.1, 0.5, 1]) {
    assert.equal(shareOf(world, Y), part);
    world.clock.advance(RAMP_MS / 2);
  }
  world.lease({ route: Y, tried: OTHERS }).release(result("OK"));
  assert.equal(shareOf(world, Y), 1);
  limit(world);
  assert.equal(shareOf(world, Y), 0.1);
});

test("calls of a model in flight weigh as many as with the full share, and those of others as they are", () => {
  const world = new World(keys(4), "LEAST_BUSY");
  limit(world);
  const lent = (route: typeof X): string => world.lease({ route, tried: [] }).providerKey.id;
  world.lease({ route: Y, tried: OTHERS });
  for (let i = 0; i < 9; i++) assert.notEqual(lent(Y), LIMITED);
  const back = Array.from({ length: 3 }, () => lent(X));
  assert.ok(back.includes(LIMITED), back.join(" "));
});

/** How a key may come to keys that work: what it was before that. */
const COMING: Readonly<Record<string, Partial<ProviderKey>>> = {
  "made public": { visibility: "PRIVATE" },
  "moved to another tier": { tier: "BACKUP" },
  "allowed other models": { modelAllowlist: ["seldom-asked"] },
  "put to another service": { service: "seldom" },
  enabled: { enabled: false },
};

for (const [how, before] of Object.entries(COMING)) {
  test(`a key that is ${how} beside busy ones grows into its share, and makes up for nothing`, () => {
    for (const strategy of SHARING) {
      const world = new World([...keys(4), aProviderKey("pk_new", before)], strategy);
      const shares = (count: number): readonly number[] =>
        Array.from({ length: count }, () => {
          const used = Array.from({ length: 50 }, () => {
            world.clock.advance(100);
            return world.call("OK", { route: X });
          });
          return (tally(used).get("pk_new") ?? 0) / 10;
        });
      shares(20);
      world.change(aProviderKey("pk_new"));
      const [first = 1, ...others] = shares(30);
      const told = `${strategy}: ${first} ${others.join(" ")}`;
      assert.ok(first <= 0.3 && others.every((each) => each <= 1.3), told);
      assert.ok(
        others.slice(-10).every((each) => each >= 0.8),
        told,
      );
    }
  });
}

test("a key that was never used comes back with its owner as busy as the others", () => {
  const world = new World([...keys(4), aProviderKey("pk_new", { ownerId: "usr_other" })]);
  world.ban("usr_other", "BANNED");
  for (let i = 0; i < 1_000; i++) world.call();
  world.ban("usr_other", "ACTIVE");
  const share = tally(Array.from({ length: 100 }, () => world.call())).get("pk_new");
  assert.ok(share !== undefined && share <= 30, `${share} of 100`);
});
