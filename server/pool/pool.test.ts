import assert from "node:assert/strict";
import test from "node:test";
import type { KeyExplanation } from "./explain.js";
import {
  ALLOCATION_SETTING,
  DEFAULT_ALLOCATION,
  formatAllocation,
  STRATEGIES,
} from "./allocation.js";
import { OWN, SUPER, World, keys, result } from "../../test/support/pool-world.js";
import { aProvider, aPrincipal, aProviderKey, aRoute } from "../../test/support/records.js";

test("a super key draws on the public keys of all owners and never on a private one, not even its owner's", () => {
  const world = new World([
    aProviderKey("pk_a", { ownerId: "usr_a" }),
    aProviderKey("pk_b", { ownerId: "usr_b" }),
    aProviderKey("pk_c", { ownerId: "usr_owner", visibility: "PRIVATE" }),
  ]);
  const used = new Set(Array.from({ length: 50 }, () => world.call()));
  assert.deepEqual([...used].toSorted(), ["pk_a", "pk_b"]);
});

test("other keys draw on their owner's keys, private or public, and never on the pool", () => {
  const world = new World([
    aProviderKey("pk_own", { visibility: "PRIVATE" }),
    aProviderKey("pk_donated", { visibility: "PUBLIC" }),
    aProviderKey("pk_other", { ownerId: "usr_b" }),
  ]);
  const seen = new Set<string>();
  for (let i = 0; i < 50; i++) {
    const lease = world.lease({ principal: OWN });
    seen.add(lease.providerKey.id);
    lease.release(result("OK"));
  }
  assert.deepEqual([...seen].toSorted(), ["pk_donated", "pk_own"]);
  assert.equal(
    world.fails("no_own_token", { principal: aPrincipal("BYOR", "usr_c") }).code,
    "no_own_token",
  );
});

test("an empty pool is refused for everybody in their own words, with a time to try again", () => {
  const world = new World([]);
  assert.ok((world.fails("no_public_token").retryAfterSeconds ?? 0) > 0);
  assert.ok((world.fails("no_own_token", { principal: OWN }).retryAfterSeconds ?? 0) > 0);
  // A call about a thing, such as a batch, asks for no model.
  const { publicMessage } = world.fails("no_own_token", { principal: OWN, route: aRoute("") });
  assert.match(publicMessage, /^No provider key of your own can serve this call now\./);
});

test("a key that becomes public serves super keys at once, and one that becomes private no more", () => {
  const key = aProviderKey("pk_a", { visibility: "PRIVATE" });
  const world = new World([key]);
  world.fails("no_public_token");
  world.change({ ...key, visibility: "PUBLIC", version: 2 });
  assert.equal(world.call(), "pk_a");
  world.change({ ...key, visibility: "PRIVATE", version: 3 });
  world.fails("no_public_token");
});

test("disabled, expired, banned owner's, disabled provider's and deleted keys are out at once", () => {
  const key = aProviderKey("pk_a");
  const world = new World([key]);
  const out: [string, () => void, () => void][] = [
    ["disabled", () => world.change({ ...key, enabled: false }), () => world.change(key)],
    ["banned", () => world.ban("usr_owner", "BANNED"), () => world.ban("usr_owner", "ACTIVE")],
    [
      "provider",
      () =>
        world.pool.applyChange({
          seq: 1,
          kind: "provider",
          id: aRoute().targets[0]?.provider.id ?? "",
          value: { enabled: false } as never,
        }),
      () =>
        world.pool.applyChange({
          seq: 2,
          kind: "provider",
          id: aRoute().targets[0]?.provider.id ?? "",
          value: { enabled: true } as never,
        }),
    ],
    ["deleted", () => world.remove("pk_a"), () => world.change(key)],
  ];
  for (const [name, takeOut, bringBack] of out) {
    takeOut();
    world.fails("no_public_token");
    bringBack();
    assert.equal(world.call(), "pk_a", name);
  }
  world.change({ ...key, expiresAt: world.clock.now() + 5_000 });
  assert.equal(world.call(), "pk_a");
  world.clock.advance(5_000);
  world.fails("no_public_token");
});

test("life ends by the wall clock even where that was set forward without time passing", () => {
  const world = new World([aProviderKey("pk_a", { expiresAt: Date.UTC(2030, 0, 2) })]);
  assert.equal(world.call(), "pk_a");
  world.clock.jumpWall(86_400_000);
  world.fails("no_public_token");
});

test("a tier is entered only when the tiers above have no eligible key, and left again at once", () => {
  const world = new World([
    aProviderKey("pk_1"),
    aProviderKey("pk_2", { tier: "BACKUP" }),
    aProviderKey("pk_3", { tier: "OVERFLOW" }),
  ]);
  assert.equal(world.call("RATE_LIMITED", { retryAfterMs: 10_000 }), "pk_1");
  assert.equal(world.call("RATE_LIMITED", { retryAfterMs: 60_000 }), "pk_2");
  assert.equal(world.call(), "pk_3");
  world.clock.advance(10_000);
  assert.equal(world.call(), "pk_1");
});

test("a call moves on through the tiers past what it has tried", () => {
  const world = new World([aProviderKey("pk_1"), aProviderKey("pk_2", { tier: "BACKUP" })]);
  assert.equal(world.lease({ tried: ["pk_1"] }).providerKey.id, "pk_2");
  const fault = world.fails("no_public_token", { tried: ["pk_1", "pk_2"] });
  assert.match(fault.publicMessage, /Both that could be tried failed/);
});

test("the second target of a route serves only when the first has no key left in any tier", () => {
  const world = new World([
    aProviderKey("pk_1", { providerId: "prv_a", tier: "OVERFLOW" }),
    aProviderKey("pk_2", { providerId: "prv_b" }),
  ]);
  const route = aRoute("model-x", "prv_a", "prv_b");
  assert.equal(world.lease({ route }).providerKey.id, "pk_1");
  const second = world.lease({ route, tried: ["pk_1"] });
  assert.equal(second.providerKey.id, "pk_2");
  assert.equal(second.target.provider.id, "prv_b");
});

test("a key's service and model allowlist decide which models it serves", () => {
  const world = new World([
    aProviderKey("pk_service", { service: "qwen" }),
    aProviderKey("pk_list", { modelAllowlist: ["gpt-4*"] }),
  ]);
  assert.equal(world.lease({ route: aRoute("qwen-plus") }).providerKey.id, "pk_service");
  assert.equal(world.lease({ route: aRoute("gpt-4o") }).providerKey.id, "pk_list");
  world.fails("no_public_token", { route: aRoute("claude-opus-5") });
});

test("each change of condition is announced once, and counters are handed out for storing", () => {
  const world = new World(keys(1));
  world.call();
  world.call();
  assert.deepEqual(
    world.heard.map((change) => change.health.state),
    ["HEALTHY"],
  );
  assert.equal(world.pool.takeDirtyHealth().length, 1);
  assert.deepEqual(world.pool.takeDirtyHealth(), []);
  world.call("RATE_LIMITED", { retryAfterMs: 2_000, detail: "slow down" });
  const last = world.heard.at(-1);
  assert.equal(last?.health.state, "COOLDOWN");
  const until = world.clock.now() + 2_000;
  assert.equal(last?.health.cooldownUntil, null, "it rests for one model only");
  assert.deepEqual(last?.health.modelCooldowns, [
    { model: "model-x", until, lastError: "slow down" },
  ]);
  assert.equal(last?.health.lastError, "slow down");
  assert.equal(last?.health.successes, 2);
});

test("releasing twice gives a key back once", () => {
  const world = new World(keys(1));
  const lease = world.lease();
  lease.release(result("OK"));
  lease.release(result("KEY_REFUSED"));
  assert.equal(world.state("pk_00000"), "HEALTHY");
  assert.equal(world.pool.explain(SUPER, aRoute(), 5)[0]?.tiers[0]?.keys[0]?.inFlight, 0);
});

test("a lease of a key that was deleted meanwhile is released without a trace", () => {
  const world = new World(keys(1));
  const lease = world.lease();
  world.remove("pk_00000");
  lease.release(result("KEY_REFUSED"));
  assert.equal(world.heard.length, 0);
  assert.equal(world.pool.summary().tiers[0]?.total, 0);
});

test("the explanation shows the three terms, the tier in use and why a key is out", () => {
  const world = new World([
    aProviderKey("pk_1"),
    aProviderKey("pk_2", { enabled: false }),
    aProviderKey("pk_3", { service: "qwen" }),
    aProviderKey("pk_4", { tier: "BACKUP" }),
  ]);
  const explained = (): {
    strategy: string;
    inUse: string[];
    keys: Map<string, KeyExplanation>;
  } => {
    const target = world.pool.explain(SUPER, aRoute(), 10)[0]!;
    return {
      strategy: target.strategy,
      inUse: target.tiers.filter((tier) => tier.inUse).map((tier) => tier.tier),
      keys: new Map(
        target.tiers.flatMap((tier) => tier.keys).map((key) => [key.providerKeyId, key]),
      ),
    };
  };
  world.call();
  const before = explained();
  assert.equal(before.strategy, "SCORE_BASED");
  assert.deepEqual(before.inUse, ["PRIMARY"]);
  const best = before.keys.get("pk_1")!;
  assert.deepEqual(best.score, { success: 70, freshness: 15, balance: 0, total: 85 });
  assert.equal(best.rank, 1);
  assert.equal(before.keys.get("pk_2")!.reason, "disabled");
  assert.equal(before.keys.get("pk_3")!.servesModel, false);
  assert.match(before.keys.get("pk_4")!.reason, /higher tier/);
  world.call("RATE_LIMITED", { retryAfterMs: 30_000 });
  const after = explained();
  assert.deepEqual(after.inUse, ["BACKUP"]);
  assert.match(after.keys.get("pk_1")!.reason, /30 s left/);
});

test("the summary counts every key once by tier and condition, and knows the next cooldown's end", () => {
  const world = new World([
    aProviderKey("pk_1"),
    aProviderKey("pk_2", { enabled: false }),
    aProviderKey("pk_3", { visibility: "PRIVATE" }),
    aProviderKey("pk_4", { tier: "BACKUP" }),
  ]);
  world.lease().release(result("RATE_LIMITED", { retryAfterMs: 30_000 }));
  const summary = world.pool.summary();
  const [primary, backup] = summary.tiers;
  assert.deepEqual(
    [primary?.total, primary?.eligible, primary?.cooling, primary?.disabled, backup?.eligible],
    [3, 1, 1, 1, 1],
  );
  assert.equal(summary.publicTiers[0]?.total, 2);
  assert.equal(summary.nextCooldownEndAt, world.clock.now() + 30_000);
  world.clock.advance(30_000);
  assert.equal(world.pool.summary().nextCooldownEndAt, null);
});

test("the explanation ranks keys in the order in which a call would try them, and moves nothing", () => {
  for (const strategy of STRATEGIES) {
    const world = new World([...keys(4), aProviderKey("pk_backup", { tier: "BACKUP" })], strategy);
    for (let i = 0; i < 7; i++) world.call();
    const ranked = world.pool
      .explain(SUPER, aRoute(), 10)
      .flatMap((target) => target.tiers.flatMap((tier) => tier.keys))
      .toSorted((a, b) => a.rank - b.rank)
      .map((key) => key.providerKeyId);
    const tried: string[] = [];
    while (tried.length < 5) {
      const lease = world.lease({ tried });
      tried.push(lease.providerKey.id);
    }
    assert.deepEqual(tried, ranked, strategy);
    assert.equal(tried.at(-1), "pk_backup");
  }
});

test("the pool can be closed to super keys, while everybody's own keys go on", () => {
  const world = new World(keys(1));
  const set = (value: string): void => {
    const id = "publicPoolEnabled";
    world.pool.applyChange({ seq: 1, kind: "setting", id, value: { id, value } });
  };
  set("false");
  const closed = world.fails("no_public_token");
  assert.match(closed.publicMessage, /closed/);
  assert.equal(closed.retryAfterSeconds, 5);
  assert.equal(world.pool.waitMs(SUPER, aRoute()), null);
  assert.equal(world.pool.waitMs(OWN, aRoute()), 0);
  assert.equal(world.lease({ principal: OWN }).providerKey.id, "pk_00000");
  const asked = (principal: typeof OWN): number =>
    world.pool.keysToAsk(aRoute().targets[0]?.provider.id ?? "", principal, { turn: 0, keysMax: 1 })
      .length;
  assert.deepEqual([asked(SUPER), asked(OWN)], [0, 1]);
  set("true");
  assert.equal(world.call(), "pk_00000");
  assert.equal(asked(SUPER), 1);
  const settings = new Map([["publicPoolEnabled", "false"]]);
  world.pool.load({ keys: keys(1), users: [], providers: [] }, settings);
  assert.match(world.fails("no_public_token").publicMessage, /closed/);
});

test("the setting of the allocation is in force at once", () => {
  const world = new World(keys(1));
  const id = ALLOCATION_SETTING;
  const value = formatAllocation({ ...DEFAULT_ALLOCATION, failoverDeadlineMs: 5_000 });
  world.pool.applyChange({ seq: 1, kind: "setting", id, value: { id, value } });
  assert.equal(world.pool.failoverDeadlineMs, 5_000);
});

test("session affinity can be switched off", () => {
  const world = new World(keys(4), "ROUND_ROBIN");
  world.pool.setAllocation({ ...world.pool.allocation, sessionAffinity: false });
  const used = new Set(Array.from({ length: 4 }, () => world.call("OK", { affinity: "s" })));
  assert.equal(used.size, 4);
});

test("loading again replaces what is known and keeps what calls have shown", () => {
  const world = new World(keys(3));
  const out = world.call("RATE_LIMITED", { retryAfterMs: 60_000 });
  world.pool.load({ keys: keys(2), users: [], providers: [] }, new Map());
  assert.equal(world.pool.summary().tiers[0]?.total, 2);
  assert.equal(world.state(out), "COOLDOWN");
  for (let i = 0; i < 10; i++) assert.notEqual(world.call(), out);
  const users = [{ id: "usr_owner", state: "BANNED" }] as const;
  world.pool.load({ keys: keys(2), users, providers: [] }, new Map());
  world.fails("no_public_token");
  for (const enabled of [true, false]) {
    const providers = [aProvider("prv_test", { enabled })];
    world.pool.load({ keys: keys(2), users: [], providers }, new Map());
    if (enabled) world.call();
    else world.fails("no_public_token");
  }
  world.pool.load({ keys: keys(2), users: [], providers: [] }, new Map());
  world.call();
});

test("a quota that was used up before the start keeps its key from the first call on", () => {
  const quota = { period: "DAY", requests: 2, tokens: null, costMicros: null } as const;
  const world = new World(keys(1, { quota }));
  const past = { period: "DAY", startMs: world.clock.now(), tokens: 0, costMicros: 0 } as const;
  world.pool.registry.restoreQuotas([{ ...past, providerKeyId: "pk_00000", requests: 2 }]);
  world.fails("no_public_token");
  assert.equal(world.pool.summary().tiers[0]?.exhausted, 1);
});

test("what a call changes of its key is handed out for storing, at its begin and at its end", () => {
  const world = new World(keys(1));
  const ends = [
    ["OK", 1, 0],
    ["CUT", 1, 1],
    ["REQUEST_REFUSED", 1, 1],
  ] as const;
  for (const [outcome, successes, failures] of ends) {
    world.clock.advance(1_000);
    const lease = world.lease();
    const [begun] = world.pool.takeDirtyHealth();
    assert.equal(begun?.health.lastUsedAt, world.clock.now());
    lease.release(result(outcome));
    const [ended] = world.pool.takeDirtyHealth();
    assert.deepEqual([ended?.health.successes, ended?.health.failures], [successes, failures]);
  }
  const shown = world.pool.explain(SUPER, aRoute(), 1)[0]?.tiers[0]?.keys[0];
  assert.equal(shown?.outcomes, 2, "a call that was refused for its own sake says nothing");
});

test("what changed is handed out for storing also where it was announced", () => {
  const world = new World(keys(1));
  world.call("RATE_LIMITED", { retryAfterMs: 60_000 });
  assert.equal(world.pool.takeDirtyHealth()[0]?.health.state, "COOLDOWN");
  world.clock.advance(60_000);
  world.pool.summary();
  assert.equal(world.pool.takeDirtyHealth()[0]?.health.state, "UNKNOWN");
});
