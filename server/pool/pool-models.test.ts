import assert from "node:assert/strict";
import test from "node:test";
import { STRATEGIES } from "./allocation.js";
import { KEY_MODELS_MAX } from "./model-conditions.js";
import { SUPER, World, keys, result } from "../../test/support/pool-world.js";
import { aPrincipal, aProviderKey, aRoute } from "../../test/support/records.js";

const ASKED = aRoute("model-a");
const OTHER = aRoute("model-b");

test("a limit, an overload or a refusal of one model leaves the key in for the others", () => {
  for (const strategy of STRATEGIES) {
    for (const [outcome, httpStatus, times] of [
      ["RATE_LIMITED", 429, 1],
      ["MODEL_REFUSED", 404, 1],
      ["PROVIDER_ERROR", 529, 8],
      ["PROVIDER_ERROR", 503, 8],
    ] as const) {
      const world = new World(keys(1), strategy);
      for (let i = 0; i < times; i++) world.call(outcome, { httpStatus, route: ASKED });
      const name = `${strategy} ${outcome} ${String(httpStatus)}`;
      const code = outcome === "MODEL_REFUSED" ? "model_not_found" : "no_public_token";
      world.fails(code, { route: ASKED });
      assert.equal(world.call("OK", { route: OTHER }), "pk_00000", name);
      assert.equal(world.pool.waitMs(SUPER, OTHER), 0);
      const wait = world.pool.waitMs(SUPER, ASKED) ?? 0;
      assert.ok(wait > 0, name);
      world.clock.advance(wait);
      assert.equal(world.call("OK", { route: ASKED }), "pk_00000", name);
    }
  }
});

test("a refused key, an empty quota and a broken connection take it out for all models", () => {
  for (const [outcome, httpStatus, times] of [
    ["KEY_REFUSED", 401, 1],
    ["QUOTA_EXHAUSTED", 402, 1],
    ["UNREACHABLE", 0, 5],
    ["CUT", 200, 5],
  ] as const) {
    const world = new World(keys(1));
    for (let i = 0; i < times; i++) {
      const principal = { ...SUPER, ownerId: `usr_${i}` };
      world.call(outcome, { httpStatus, route: ASKED, principal });
    }
    world.fails("no_public_token", { route: ASKED });
    world.fails("no_public_token", { route: OTHER });
  }
});

test("an overloaded provider that names a time is believed, and after failures in a row not for less than without", () => {
  const world = new World(keys(1));
  const overload = (retryAfterMs: number | null): number => {
    world.call("PROVIDER_ERROR", { httpStatus: 503, route: ASKED, retryAfterMs });
    const wait = world.pool.waitMs(SUPER, ASKED) ?? -1;
    world.clock.advance(wait);
    return wait;
  };
  assert.equal(overload(30_000), 30_000);
  const waits = Array.from({ length: 16 }, () => overload(0));
  assert.deepEqual(waits.slice(0, 3), [100, 100, 100]);
  assert.equal(waits.at(-1), 60_000);
});

test("waits of one model grow by its own limits, and its success begins anew", () => {
  const world = new World(keys(1));
  const limit = (): number => {
    world.call("RATE_LIMITED", { route: ASKED });
    const wait = world.pool.waitMs(SUPER, ASKED) ?? -1;
    world.call("OK", { route: OTHER });
    world.clock.advance(wait);
    return wait;
  };
  assert.deepEqual([limit(), limit(), limit()], [1_000, 2_000, 4_000]);
  world.call("OK", { route: ASKED });
  assert.equal(limit(), 1_000);
});

test("limits between which a call began that was served are not in a row, even if it ends in the next rest", () => {
  const world = new World(keys(1));
  const limit = (): number => {
    world.call("RATE_LIMITED", { route: ASKED });
    return world.pool.waitMs(SUPER, ASKED) ?? -1;
  };
  // So many are served at a time that no limit below is taken for one of calls at a time.
  const many = Array.from({ length: 8 }, () => world.lease({ route: ASKED }));
  for (const lease of many) lease.release(result("OK"));
  const early = world.lease({ route: ASKED });
  world.clock.advance(10);
  world.clock.advance(limit());
  assert.equal(limit(), 2_000);
  early.release(result("OK"));
  world.clock.advance(2_000);
  const late = world.lease({ route: ASKED });
  assert.equal(limit(), 4_000, "a call from before them says nothing");
  late.release(result("OK"));
  assert.equal(world.pool.waitMs(SUPER, ASKED), 4_000, "the rest stays as long");
  world.clock.advance(4_000);
  assert.equal(limit(), 1_000);
});

test("keys of a quota group wait together for the model, and no longer than that", () => {
  const world = new World(keys(3, { quotaGroup: "org" }));
  world.call("RATE_LIMITED", { route: ASKED, retryAfterMs: 10_000 });
  world.fails("no_public_token", { route: ASKED });
  world.call("OK", { route: OTHER });
  world.clock.advance(10_000);
  world.call("OK", { route: ASKED });
});

test("keys that come, change and go keep their place for a model that others rest for", () => {
  const world = new World(keys(2));
  const out = world.call("RATE_LIMITED", { route: ASKED, retryAfterMs: 60_000 });
  const other = out === "pk_00000" ? "pk_00001" : "pk_00000";
  world.change(aProviderKey("pk_new", { modelAllowlist: ["model-a"] }));
  world.change(aProviderKey(out, { version: 2, name: "renamed" }));
  const used = new Set(Array.from({ length: 100 }, () => world.call("OK", { route: ASKED })));
  assert.deepEqual([...used].toSorted(), [other, "pk_new"].toSorted());
  world.remove("pk_new");
  world.remove(other);
  world.fails("no_public_token", { route: ASKED });
  world.change(aProviderKey(out, { version: 3, fingerprint: "another" }));
  assert.equal(world.call("OK", { route: ASKED }), out, "another secret, another account");
});

test("the explanation and the key's health say for which model it rests, and until when", () => {
  const world = new World(keys(1));
  world.call("RATE_LIMITED", { route: ASKED, retryAfterMs: 30_000, detail: "slow down" });
  const explained = (route: typeof ASKED) =>
    world.pool.explain(SUPER, route, 5)[0]?.tiers[0]?.keys[0];
  assert.equal(explained(ASKED)?.standing, "COOLDOWN");
  assert.equal(explained(ASKED)?.rank, 0);
  assert.equal(explained(ASKED)?.blockedUntilAt, world.clock.now() + 30_000);
  assert.match(explained(ASKED)?.reason ?? "", /for this model, 30 s left/);
  assert.equal(explained(OTHER)?.rank, 1);
  const health = world.pool.health("pk_00000");
  assert.equal(health?.state, "COOLDOWN");
  assert.deepEqual(
    health?.modelCooldowns.map((each) => each.model),
    ["model-a"],
  );
  assert.equal(world.pool.summary().tiers[0]?.cooling, 1);
  world.clock.advance(30_000);
  assert.equal(world.pool.summary().tiers[0]?.eligible, 1);
  assert.deepEqual(world.pool.health("pk_00000")?.modelCooldowns, []);
});

test("names that callers make up neither pile up nor show a key as cooling down", () => {
  const world = new World(keys(2));
  for (let i = 0; i < 500; i++) {
    world.call("MODEL_REFUSED", { httpStatus: 404, route: aRoute(`no-such-${String(i)}`) });
  }
  for (const slot of world.pool.registry.slots()) {
    assert.ok((slot.models?.models().length ?? 0) <= KEY_MODELS_MAX);
    assert.ok(slot.sets.length <= 140, `${String(slot.sets.length)} sets`);
  }
  assert.equal(world.pool.summary().tiers[0]?.eligible, 2);
  assert.equal(world.state("pk_00000"), "UNKNOWN");
});

test("names that one user makes up push out nothing that a key has shown for another's model", () => {
  const mia = { principal: aPrincipal("SUPER", "usr_mia") };
  const max = { principal: aPrincipal("SUPER", "usr_max") };
  for (const [outcome, more] of [
    ["MODEL_REFUSED", { httpStatus: 404 }],
    ["RATE_LIMITED", { httpStatus: 429, retryAfterMs: 600_000 }],
  ] as const) {
    const world = new World(keys(2));
    const resting = world.call(outcome, { ...mia, ...more, route: ASKED });
    for (let i = 0; i < 200; i++) {
      const route = aRoute(`no-such-${String(i)}`);
      world.call("MODEL_REFUSED", { ...max, httpStatus: 404, route });
      world.call("MODEL_REFUSED", { ...max, httpStatus: 404, route });
    }
    for (let i = 0; i < 10; i++) {
      assert.notEqual(world.call("CALLER_ABORTED", { ...mia, route: ASKED }), resting, outcome);
    }
  }
});

test("whatever is changed of a key, it rests for the model as long as before, and has no more calls at a time", () => {
  const key = aProviderKey("pk_1");
  const others = [aProviderKey("pk_other", { visibility: "PRIVATE", modelAllowlist: ["none"] })];
  for (const over of [
    { name: "another" },
    { tier: "BACKUP" },
    { visibility: "PRIVATE" },
    { modelAllowlist: ["*"] },
  ] as const) {
    const options = { principal: aPrincipal("STANDARD") };
    for (const beside of [[], others]) {
      const resting = new World([key, ...beside]);
      resting.call("RATE_LIMITED", { retryAfterMs: 60_000 });
      resting.change({ ...key, ...over, version: 2 });
      assert.equal(resting.fails("no_own_token", options).retryAfterSeconds, 60);
      resting.clock.advance(60_000);
      assert.equal(resting.lease(options).providerKey.id, "pk_1");

      const full = new World([key, ...beside]);
      const first = full.lease(options);
      full.lease(options).release(result("RATE_LIMITED"));
      full.clock.advance(1_000);
      full.change({ ...key, ...over, version: 2 });
      full.fails("no_own_token", options);
      first.release(result("OK"));
      assert.equal(full.lease(options).providerKey.id, "pk_1");
    }
  }
});

test("a key that may not serve a model any more does not, whatever it did while it might", () => {
  const key = aProviderKey("pk_1");
  const beside = aProviderKey("pk_2", { modelAllowlist: ["model-*"] });
  const world = new World([key, beside], "LEAST_BUSY");
  const running = world.lease();
  assert.equal(world.call("RATE_LIMITED", { retryAfterMs: 1_000 }), "pk_2");
  assert.equal(world.call("RATE_LIMITED", { retryAfterMs: 2_000 }), "pk_1");
  world.change({ ...key, modelAllowlist: ["other"], version: 2 });
  running.release(result("OK"));
  world.clock.advance(1_000);
  assert.equal(world.call("RATE_LIMITED", { retryAfterMs: 60_000 }), "pk_2");
  world.clock.advance(1_000);
  world.fails("no_public_token");
});

test("a key that rests as a whole and for the model is back when both are over", () => {
  const world = new World(keys(1));
  const [running, ...others] = Array.from({ length: 7 }, () => world.lease());
  running!.release(result("RATE_LIMITED", { retryAfterMs: 60_000 }));
  for (const lease of others) lease.release(result("UNREACHABLE"));
  assert.equal(world.pool.waitMs(SUPER, aRoute()), 60_000);
  assert.equal(world.fails("no_public_token").retryAfterSeconds, 60);
});

test("a model that a key was refused once and is limited for now is not said to be unknown", () => {
  const world = new World(keys(1));
  world.call("MODEL_REFUSED", { httpStatus: 404 });
  world.fails("model_not_found");
  world.clock.advance(600_000);
  world.call("RATE_LIMITED", { retryAfterMs: 60_000 });
  assert.equal(world.fails("no_public_token").retryAfterSeconds, 60);
});
