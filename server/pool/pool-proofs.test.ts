import assert from "node:assert/strict";
import test from "node:test";
import { keys, result, SUPER, World } from "../../test/support/pool-world.js";
import { aProviderKey, aRoute } from "../../test/support/records.js";
import { DAY_MS, HOUR_MS } from "../core/durations.js";

const ONLY = "pk_00000";
const GOOD_CHECK = { ok: true, outcome: "OK", error: "" } as const;

/** A world whose one key has an empty quota that is full again, so that the next call is its proof. */
function onProof(): World {
  const world = new World(keys(1));
  world.call("QUOTA_EXHAUSTED", { retryAfterMs: 10_000 });
  world.clock.advance(10_000);
  return world;
}

test("an empty quota is full again after an hour where its reset is not told, and after a month at most", () => {
  for (const [retryAfterMs, waitMs] of [
    [null, HOUR_MS],
    [30 * DAY_MS, 30 * DAY_MS],
    [365 * DAY_MS, 31 * DAY_MS],
  ] as const) {
    const world = new World(keys(1));
    world.call("QUOTA_EXHAUSTED", { retryAfterMs });
    assert.equal(world.pool.waitMs(SUPER, aRoute()), waitMs);
  }
});

test("a health check that succeeds does not fill an empty quota", () => {
  const world = new World(keys(1));
  world.call("QUOTA_EXHAUSTED", { retryAfterMs: 60_000 });
  world.check(ONLY, GOOD_CHECK);
  assert.equal(world.state(ONLY), "EXHAUSTED");
  world.fails("no_public_token");
  world.clock.advance(60_000);
  assert.equal(world.call(), ONLY);
});

test("a health check that succeeds fills no empty quota of a key that was refused or failed before or since", () => {
  for (const outcome of ["KEY_REFUSED", "CUT"] as const) {
    const world = new World(keys(1));
    const late = world.lease();
    while (world.state(ONLY) !== "COOLDOWN") world.call(outcome);
    world.clock.advance(30_000);
    world.call("QUOTA_EXHAUSTED", { retryAfterMs: 60_000 });
    late.release(result(outcome));
    world.check(ONLY, GOOD_CHECK);
    assert.equal(world.state(ONLY), "EXHAUSTED", outcome);
    world.clock.advance(59_999);
    world.fails("no_public_token");
    world.clock.advance(1);
    assert.equal(world.call(), ONLY);
  }
});

test("a health check that succeeds ends no limit of rate of a key that was refused before", () => {
  const world = new World(keys(1));
  const late = world.lease({ route: aRoute("") });
  world.call("KEY_REFUSED");
  late.release(result("RATE_LIMITED", { retryAfterMs: 60_000 }));
  world.check(ONLY, GOOD_CHECK);
  assert.equal(world.state(ONLY), "COOLDOWN");
  assert.equal(world.pool.waitMs(SUPER, aRoute()), 60_000);
});

test("a health check that succeeds ends a rest for refusals and for failures", () => {
  for (const outcome of ["KEY_REFUSED", "CUT"] as const) {
    const world = new World(keys(1));
    while (world.state(ONLY) !== "COOLDOWN") world.call(outcome);
    world.fails("no_public_token");
    world.check(ONLY, GOOD_CHECK);
    assert.equal(world.state(ONLY), "HEALTHY");
    assert.equal(world.call(), ONLY);
  }
});

test("a call on proof that its provider refuses for the call's sake proves the key all the same", () => {
  for (const outcome of ["REQUEST_REFUSED", "RIGHT_REFUSED"] as const) {
    const world = onProof();
    const proof = world.lease();
    world.fails("no_public_token");
    proof.release(result(outcome));
    world.lease();
    world.lease();
  }
});

test("a call on proof for a model that the provider does not have proves the key for all others", () => {
  const world = onProof();
  const proof = world.lease();
  proof.release(result("MODEL_REFUSED", { httpStatus: 404 }));
  const other = { route: aRoute("other") };
  world.lease(other);
  world.lease(other);
  world.fails("model_not_found");
});

test("a limit or an overload of one model proves nothing of a key on proof", () => {
  for (const [outcome, httpStatus] of [
    ["RATE_LIMITED", 429],
    ["PROVIDER_ERROR", 503],
  ] as const) {
    const world = onProof();
    world.lease().release(result(outcome, { httpStatus }));
    const other = { route: aRoute("other") };
    world.lease(other);
    world.fails("no_public_token", other);
  }
});

test("a call on proof whose caller leaves proves nothing", () => {
  const world = onProof();
  world.lease().release(result("CALLER_ABORTED"));
  world.lease();
  world.fails("no_public_token");
});

test("a reply on proof that begins after a new block proves nothing for the time behind it", () => {
  const world = new World(keys(1));
  const [first, second] = [world.lease(), world.lease()];
  first.release(result("QUOTA_EXHAUSTED", { retryAfterMs: 10_000 }));
  world.clock.advance(10_000);
  const proof = world.lease();
  second.release(result("KEY_REFUSED"));
  proof.proven();
  proof.release(result("CALLER_ABORTED"));
  world.fails("no_public_token");
  world.clock.advance(30_000);
  world.lease();
  world.fails("no_public_token");
});

test("a straggler's refusal does not soften an empty quota", () => {
  const world = new World(keys(1));
  const [first, second] = [world.lease(), world.lease()];
  first.release(result("QUOTA_EXHAUSTED", { retryAfterMs: 60_000 }));
  second.release(result("KEY_REFUSED"));
  assert.equal(world.state(ONLY), "EXHAUSTED");
  world.clock.advance(59_999);
  world.fails("no_public_token");
});

test("a session's key that has failed a call is not lent to it again", () => {
  const world = new World(keys(3));
  const session = { affinity: "s" };
  const kept = world.call("OK", session);
  assert.equal(world.call("OK", session), kept);
  const lease = world.lease({ ...session, tried: [kept] });
  assert.notEqual(lease.providerKey.id, kept);
});

test("a session loses a key whose life has ended, also where only the wall clock tells", () => {
  const world = new World(keys(2));
  const session = { affinity: "s" };
  const kept = world.call("OK", session);
  world.change(aProviderKey(kept, { version: 2, expiresAt: world.clock.now() + 1000 }));
  assert.equal(world.call("OK", session), kept);
  world.clock.jumpWall(1000);
  assert.notEqual(world.call("OK", session), kept);
});

test("while others are ready a key on proof is tried by every fourth call, and only as its first attempt", () => {
  const world = new World(keys(2));
  const key = world.call("QUOTA_EXHAUSTED", { retryAfterMs: 20_000 });
  world.clock.advance(20_000);
  const tried: number[] = [];
  for (let at = 0; at < 20; at++) {
    const lease = world.lease();
    const isProof = lease.providerKey.id === key;
    if (isProof) tried.push(at);
    lease.release(result(isProof ? "CALLER_ABORTED" : "OK"));
  }
  assert.equal(tried.length, 5);
  assert.ok(tried.every((at) => at % 4 === tried[0]));
  for (let at = 0; at < 20; at++) {
    const lease = world.lease({ tried: ["pk_another"] });
    assert.notEqual(
      lease.providerKey.id,
      key,
      "a call that has failed once fails on no other proof",
    );
    lease.release(result("OK"));
  }
});

test("a call that failed once goes to any key that is ready, of whichever tier or provider, before one on proof", () => {
  const elsewhere = [{ tier: "BACKUP" }, { providerId: "prv_second" }] as const;
  for (const other of elsewhere) {
    const world = new World([...keys(3), aProviderKey("pk_else", other)]);
    const unproven = ["pk_00000", "pk_00001", "pk_00002"];
    for (let i = 0; i < 3; i++) world.call("QUOTA_EXHAUSTED", { retryAfterMs: 20_000 });
    world.clock.advance(20_000);
    const tried: string[] = [];
    for (let attempt = 0; attempt < 4; attempt++) {
      const lease = world.lease({ route: aRoute("model-x", "prv_test", "prv_second"), tried });
      tried.push(lease.providerKey.id);
      lease.release(result("CALLER_ABORTED"));
    }
    assert.equal(tried[1], "pk_else");
    assert.deepEqual(tried.filter((id) => id !== "pk_else").toSorted(), unproven);
  }
});

test("a key on proof is tried also where every call fails first with another key", () => {
  const world = new World(keys(3));
  const key = world.call("QUOTA_EXHAUSTED", { retryAfterMs: 20_000 });
  world.clock.advance(20_000);
  const first: string[] = [];
  for (let i = 0; i < 8; i++) {
    const lease = world.lease();
    first.push(lease.providerKey.id);
    lease.release(result("CALLER_ABORTED"));
    world.lease({ tried: [lease.providerKey.id] }).release(result("OK"));
  }
  assert.equal(first.filter((id) => id === key).length, 2, first.join(" "));
});

test("a key on proof is tried also where the catalogue has changed since, and not once it is gone", () => {
  const world = onProof();
  world.pool.applyChange({ seq: 1, kind: "model", id: "m", value: null });
  assert.equal(world.call("CALLER_ABORTED"), ONLY);
  world.remove(ONLY);
  world.fails("no_public_token");
});

test("a key on proof that lacks a right holds up no other that has to be proven", () => {
  const world = new World(keys(3));
  const refused = world.lease();
  const other = world.lease({ tried: [refused.providerKey.id] });
  refused.release(result("RIGHT_REFUSED"));
  other.release(result("OK"));
  refused.outdone();
  for (const id of ["pk_00000", "pk_00001"]) {
    const tried = ["pk_00000", "pk_00001", "pk_00002"].filter((each) => each !== id);
    world.lease({ tried }).release(result("QUOTA_EXHAUSTED", { retryAfterMs: 20_000 }));
  }
  assert.equal(refused.providerKey.id, "pk_00000");
  world.clock.advance(20_000);
  const taken = Array.from({ length: 4 }, () => world.call());
  assert.ok(taken.includes("pk_00001"), taken.join(" "));
});

test("a secret that was changed while a call tried the old one is tried by one call of its own", () => {
  const world = new World(keys(1));
  const endOf = { retryAfterMs: 20_000 };
  world.call("QUOTA_EXHAUSTED", endOf);
  world.clock.advance(20_000);
  const old = [world.lease()];
  world.change(aProviderKey(ONLY, { fingerprint: "another", version: 2 }));
  const early = [world.lease(), world.lease()];
  for (const lease of early) lease.release(result("QUOTA_EXHAUSTED", endOf));
  world.clock.advance(20_000);
  const proof = world.lease();
  world.fails("no_public_token");
  for (const lease of old) {
    lease.proven();
    lease.release(result("OK"));
  }
  world.fails("no_public_token");
  proof.proven();
  assert.equal(world.call(), ONLY);
});
