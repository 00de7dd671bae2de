// What is known of keys when their provider moves to another address.
import assert from "node:assert/strict";
import test from "node:test";
import { keys, OWN, result, World } from "../../test/support/pool-world.js";
import { aProvider } from "../../test/support/records.js";
import type { AttemptOutcome } from "../core/call.js";
import type { ProviderKey } from "../core/provider-key.js";

const KEY = "pk_00000";
const BEFORE = "https://before.example/v1";
const AFTER = "https://after.example/v1";

class MovingWorld extends World {
  constructor(all: readonly ProviderKey[] = keys(1)) {
    super(all);
    const providers = [aProvider("prv_test", { baseUrl: BEFORE })];
    this.pool.load({ keys: all, users: [], providers }, new Map());
  }

  moveTo(baseUrl: string, over: { readonly displayName?: string } = {}): void {
    const value = aProvider("prv_test", { baseUrl, ...over });
    this.pool.applyChange({ seq: 1, kind: "provider", id: value.id, value });
  }

  isFree(): boolean {
    try {
      this.lease().release(result("CALLER_ABORTED"));
      return true;
    } catch {
      return false;
    }
  }
}

const TAKEN_OUT: readonly (readonly [string, AttemptOutcome, number])[] = [
  ["refused the model", "MODEL_REFUSED", 1],
  ["limited its rate", "RATE_LIMITED", 1],
  ["said that its quota is used up", "QUOTA_EXHAUSTED", 1],
  ["refused it", "KEY_REFUSED", 1],
  ["could not be reached", "UNREACHABLE", 6],
];

for (const [what, outcome, times] of TAKEN_OUT) {
  test(`a key is free again once its provider, which ${what}, has another address`, () => {
    const world = new MovingWorld();
    const leases = Array.from({ length: times }, () => world.lease());
    for (const lease of leases) lease.release(result(outcome, { httpStatus: null }));
    assert.equal(world.isFree(), false);
    world.moveTo(BEFORE, { displayName: "Renamed" });
    assert.equal(world.isFree(), outcome === "UNREACHABLE", "a name is no address");
    world.moveTo(AFTER);
    assert.equal(world.isFree(), true);
  });

  test(`what a call still hears from the address before says nothing of the one after: that ${what}`, () => {
    const world = new MovingWorld();
    const leases = Array.from({ length: 6 }, () => world.lease());
    world.moveTo(AFTER);
    for (const lease of leases) lease.release(result(outcome, { httpStatus: null }));
    assert.equal(world.isFree(), true);
  });
}

test("a key that a provider refused for good at one address is tried at another", () => {
  const world = new MovingWorld();
  for (let i = 0; i < 3; i++) {
    world.call("KEY_REFUSED");
    world.clock.advance(30_000);
  }
  assert.equal(world.state(KEY), "INVALID");
  world.moveTo(AFTER);
  assert.equal(world.call(), KEY);
});

test("a right that a key lacked at one address is not held against it at another", () => {
  const world = new MovingWorld(keys(2));
  const first = world.lease();
  first.release(result("RIGHT_REFUSED", { httpStatus: 403 }));
  const second = world.lease({ tried: [first.providerKey.id] });
  second.release(result("OK"));
  first.outdone();
  const lacks = (): number =>
    world.pool.registry.rights.without("/v1/chat/completions", "model-x", world.clock.monotonic())
      .size;
  assert.equal(lacks(), 1);
  world.moveTo(AFTER);
  const { rights } = world.pool.registry;
  const without = rights.without("/v1/chat/completions", "model-x", world.clock.monotonic());
  assert.equal(without.has(first.providerKey.id), false);
});

test("that a key was withdrawn when its provider moved stays stored, whatever calls still find", () => {
  const [key] = keys(1);
  assert.ok(key !== undefined);
  for (const order of ["KEY_FIRST", "PROVIDER_FIRST"]) {
    const world = new MovingWorld([key]);
    const underWay = world.lease({ principal: OWN });
    const health = { ...key.health, state: "INVALID", lastError: "withdrawn" } as const;
    if (order === "PROVIDER_FIRST") world.moveTo(AFTER);
    world.change({ ...key, enabled: false, health, version: key.version + 1 });
    if (order === "KEY_FIRST") world.moveTo(AFTER);
    underWay.release(result("OK"));
    const stored = world.pool.takeDirtyHealth().map((each) => each.health);
    assert.deepEqual(
      stored.map(({ state, lastError }) => [state, lastError]),
      [["INVALID", "withdrawn"]],
      order,
    );
    // Its owner enters the secret again.
    world.change({ ...key, version: key.version + 2 });
    assert.equal(world.call("OK", { principal: OWN }), KEY);
  }
});
