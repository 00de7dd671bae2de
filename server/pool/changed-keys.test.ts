import assert from "node:assert/strict";
import test from "node:test";
import { keys, OWN, result, SUPER, World } from "../../test/support/pool-world.js";
import { aProviderKey, aRoute } from "../../test/support/records.js";
import { KEY_MODELS_MAX } from "./model-conditions.js";

// What a key keeps, loses and comes to know when it, or what it belongs to, is changed.

const ONLY = "pk_00000";
const ASKED = aRoute("model-a");

function successOf(world: World, id: string): number | undefined {
  const [tier] = world.pool.explain(SUPER, aRoute(), 10)[0]?.tiers ?? [];
  return tier?.keys.find(({ providerKeyId }) => providerKeyId === id)?.score.success;
}

test("a key that was switched off and on again is asked for a model that it rested for", () => {
  const world = new World(keys(1));
  world.call("MODEL_REFUSED", { route: ASKED, httpStatus: 404 });
  world.change(aProviderKey(ONLY, { enabled: false }));
  world.change(aProviderKey(ONLY));
  assert.equal(world.call("OK", { route: ASKED }), ONLY);
});

test("a new secret is not judged by what the old one failed, and another name changes nothing", () => {
  const world = new World(keys(1));
  for (let i = 0; i < 4; i++) world.call("CUT");
  const before = successOf(world, ONLY);
  world.change(aProviderKey(ONLY, { version: 2, name: "another" }));
  assert.equal(successOf(world, ONLY), before);
  assert.ok(before !== undefined && before < 70);
  world.change(aProviderKey(ONLY, { version: 3, fingerprint: "another" }));
  assert.equal(successOf(world, ONLY), 70);
});

test("a health check of a secret that was replaced meanwhile, or of a key that is gone, says nothing of the new one", () => {
  const world = new World(keys(1));
  const [old] = keys(1);
  assert.ok(old !== undefined);
  world.change({ ...old, version: 2, fingerprint: "another" });
  world.pool.reportCheck(old, { ok: false, outcome: "KEY_REFUSED", error: "401" });
  assert.equal(world.call("KEY_REFUSED"), ONLY);
  world.pool.reportCheck(old, { ok: true, outcome: "OK", error: "" });
  world.fails("no_public_token");
  assert.equal(world.pool.health(ONLY)?.lastCheckedAt, null);
  world.remove(ONLY);
  world.pool.reportCheck(old, { ok: true, outcome: "OK", error: "" });
  assert.equal(world.pool.health(ONLY), undefined);
});

test("a key that leaves its quota group rests no more for what the others are limited for", () => {
  const world = new World(keys(2, { quotaGroup: "org" }));
  const [first, second] = keys(2);
  assert.ok(first !== undefined && second !== undefined);
  world.change(second);
  world.lease({ tried: [second.id] }).release(result("QUOTA_EXHAUSTED"));
  assert.equal(world.call(), second.id);
  world.change({ ...second, quotaGroup: "org" });
  world.clock.advance(3_600_000);
  world.lease({ tried: [second.id] }).release(result("QUOTA_EXHAUSTED"));
  world.fails("no_public_token");
});

test("a key that comes where no other works has its full share at once", () => {
  const world = new World([]);
  world.change(aProviderKey(ONLY));
  const [tier] = world.pool.explain(SUPER, aRoute(), 10)[0]?.tiers ?? [];
  assert.equal(tier?.keys[0]?.rampShare, 1);
});

test("of more models than a key remembers one that it rests for is forgotten, and served again", () => {
  const world = new World(keys(1));
  const routes = Array.from({ length: KEY_MODELS_MAX + 1 }, (_, at) => aRoute(`model-${at}`));
  for (const route of routes) {
    world.call("RATE_LIMITED", { route, retryAfterMs: 60_000 });
    world.fails("no_public_token", { route });
  }
  const [first, ...others] = routes;
  for (const route of others) world.fails("no_public_token", { route });
  assert.ok(first !== undefined);
  assert.equal(world.call("OK", { route: first }), ONLY);
});

test("a change of the catalogue tells anew which models a key's service means", () => {
  for (const kind of ["model", "provider"] as const) {
    const world = new World(keys(1, { service: "special" }));
    world.fails("no_public_token", { route: ASKED });
    world.inService = () => true;
    world.pool.applyChange({ seq: 1, kind, id: "prv_test", value: null });
    assert.equal(world.call("OK", { route: ASKED }), ONLY, kind);
  }
});

test("only users that are banned take their keys out when the pool begins", () => {
  for (const state of ["ACTIVE", "DISABLED", "BANNED"] as const) {
    const world = new World([]);
    const users = [{ id: OWN.ownerId, state }];
    world.pool.load({ keys: keys(1), users, providers: [] }, new Map());
    assert.equal(world.pool.waitMs(SUPER, ASKED), state === "BANNED" ? null : 0, state);
  }
});

test("watchers hear of a key when its state or the end of its rest is another, and of nothing else", () => {
  const world = new World(keys(1));
  world.call();
  const early = world.lease();
  const heardOf = (step: () => unknown): number => {
    const before = world.heard.length;
    step();
    return world.heard.length - before;
  };
  assert.equal(
    heardOf(() => world.call("CUT")),
    0,
    "a failure that changes no state",
  );
  assert.equal(
    heardOf(() => world.call("MODEL_REFUSED", { route: ASKED })),
    0,
    "no such model",
  );
  assert.equal(
    heardOf(() => world.call("QUOTA_EXHAUSTED", { retryAfterMs: 5_000 })),
    1,
  );
  const late = result("QUOTA_EXHAUSTED", { retryAfterMs: 60_000 });
  assert.equal(
    heardOf(() => early.release(late)),
    1,
    "its rest is longer",
  );
});
