import assert from "node:assert/strict";
import test from "node:test";
import type { ProviderKey } from "../core/provider-key.js";
import { FakeClock } from "../../test/support/fake-clock.js";
import { SUPER, World, keys, result } from "../../test/support/pool-world.js";
import { aProviderKey, aRoute } from "../../test/support/records.js";

const OTHER_CALLER = { ...SUPER, ownerId: "usr_other" };

test("a rate-limited key is not asked before its time, and its quota group waits with it", () => {
  const world = new World(
    [
      aProviderKey("pk_1", { quotaGroup: "org" }),
      aProviderKey("pk_2", { quotaGroup: "org" }),
      aProviderKey("pk_3", { quotaGroup: "org", ownerId: "usr_other" }),
    ],
    "ROUND_ROBIN",
  );
  let limited = world.call("RATE_LIMITED", { retryAfterMs: 10_000 });
  while (limited === "pk_3") {
    world.clock.advance(10_000);
    limited = world.call("RATE_LIMITED", { retryAfterMs: 10_000 });
  }
  for (let i = 0; i < 50; i++)
    assert.equal(world.call(), "pk_3", "another owner's group is another group");
  world.clock.advance(9_999);
  assert.equal(world.call(), "pk_3");
  world.clock.advance(1);
  const back = new Set(Array.from({ length: 50 }, () => world.call()));
  assert.equal(back.size, 3);
});

test("many refusals at once move a group's other keys once and not again and again", () => {
  const world = new World(keys(50, { quotaGroup: "org" }));
  const leases = Array.from({ length: 50 }, () => world.lease());
  for (const lease of leases) {
    world.clock.advance(1);
    lease.release(result("RATE_LIMITED", { retryAfterMs: 10_000 }));
  }
  assert.ok(world.heard.length <= 100, `${world.heard.length} changes`);
  world.fails("no_public_token");
});

test("Retry-After is believed for an hour at most, and without it the wait grows step by step", () => {
  const world = new World(keys(1));
  world.call("RATE_LIMITED", { retryAfterMs: 86_400_000 });
  assert.equal(world.fails("no_public_token").retryAfterSeconds, 3_600);
  world.clock.advance(3_600_000);
  const waits: number[] = [];
  for (let i = 0; i < 10; i++) {
    world.call("RATE_LIMITED");
    const wait = world.pool.waitMs(SUPER, aRoute()) ?? -1;
    waits.push(wait);
    world.clock.advance(wait);
  }
  assert.deepEqual(
    waits,
    [2, 4, 8, 16, 32, 64, 128, 256, 300, 300].map((seconds) => seconds * 1000),
  );
});

test("stragglers of one limit do not move the wait up, and a late success does not shorten it", () => {
  const world = new World(keys(1));
  const leases = Array.from({ length: 5 }, () => world.lease());
  for (const lease of leases.slice(0, 4)) lease.release(result("RATE_LIMITED"));
  assert.equal(world.pool.waitMs(SUPER, aRoute()), 1_000);
  leases[4]?.release(result("OK"));
  world.fails("no_public_token");
});

test("an exhausted key is out until its reset, then one call has to prove it before others follow", () => {
  const world = new World([aProviderKey("pk_1"), aProviderKey("pk_2", { tier: "BACKUP" })]);
  world.call("QUOTA_EXHAUSTED", { retryAfterMs: 20_000 });
  assert.equal(world.state("pk_1"), "EXHAUSTED");
  assert.equal(world.call(), "pk_2");
  world.clock.advance(20_000);
  const proof = world.lease();
  assert.equal(proof.providerKey.id, "pk_1");
  assert.equal(world.call(), "pk_2", "others wait for the proof");
  proof.release(result("OK"));
  assert.equal(world.call(), "pk_1");
});

test("a reply that begins well proves its key for all others, and its end is booked all the same", () => {
  const world = new World(keys(1));
  for (let i = 0; i < 5; i++) world.call("UNREACHABLE");
  world.clock.advance(1_000);
  const stream = world.lease();
  world.fails("no_public_token");
  stream.proven();
  world.call();
  stream.release(result("OK"));
  stream.proven();
  world.call();
  assert.equal(world.pool.health("pk_00000")?.successes, 3);
  assert.equal(world.pool.health("pk_00000")?.consecutiveFailures, 0);
});

test("a key whose replies begin well and break off rests ever longer", () => {
  const world = new World(keys(1));
  for (let i = 0; i < 4; i++) world.call("CUT");
  world.call("CUT", { principal: OTHER_CALLER });
  for (const wait of [1_000, 2_000, 4_000]) {
    assert.equal(world.pool.waitMs(SUPER, aRoute()), wait);
    world.clock.advance(wait);
    const stream = world.lease();
    stream.proven();
    stream.release(result("CUT"));
  }
});

test("a reply that began before a block neither lifts it nor stands for the next proof", () => {
  const world = new World(keys(1));
  world.call("QUOTA_EXHAUSTED", { retryAfterMs: 20_000 });
  world.clock.advance(20_000);
  const first = world.lease();
  first.proven();
  world.call("QUOTA_EXHAUSTED", { retryAfterMs: 20_000 });
  first.release(result("OK"));
  assert.equal(world.fails("no_public_token").retryAfterSeconds, 20);
  world.clock.advance(20_000);
  const second = world.lease();
  world.fails("no_public_token");
  second.release(result("OK"));
  world.call();
});

test("a refused key is out after one call, and INVALID after three refusals over a minute", () => {
  const world = new World([aProviderKey("pk_1"), aProviderKey("pk_2", { tier: "BACKUP" })]);
  assert.equal(world.call("KEY_REFUSED", { detail: "401 from provider" }), "pk_1");
  assert.equal(world.state("pk_1"), "COOLDOWN");
  for (let i = 0; i < 10; i++) assert.equal(world.call(), "pk_2");
  for (const expected of ["COOLDOWN", "INVALID"]) {
    world.clock.advance(30_000);
    assert.equal(world.call("KEY_REFUSED"), "pk_1");
    assert.equal(world.state("pk_1"), expected);
  }
  world.clock.advance(86_400_000);
  assert.equal(world.call(), "pk_2");
});

test("refusals of calls in flight together are one finding", () => {
  const world = new World(keys(1));
  world.clock.advance(3_600_000);
  const leases = Array.from({ length: 10 }, () => world.lease());
  for (const lease of leases) lease.release(result("KEY_REFUSED"));
  assert.equal(world.state("pk_00000"), "COOLDOWN");
  world.clock.advance(30_000);
  assert.equal(world.call(), "pk_00000");
  assert.equal(world.state("pk_00000"), "DEGRADED", "its rate of success is still poor");
});

test("the caller's own mistakes never count against a key", () => {
  const world = new World(keys(1));
  for (let i = 0; i < 50; i++) world.call("REQUEST_REFUSED", { httpStatus: 400 });
  for (let i = 0; i < 50; i++) world.call("CALLER_ABORTED", { httpStatus: null });
  assert.equal(world.state("pk_00000"), "UNKNOWN");
  assert.equal(world.pool.health("pk_00000")?.failures, 0);
});

test("a key is DEGRADED by two failures in a row or by many in all, and not by one", () => {
  const inARow = new World(keys(1));
  const some = new World(keys(1));
  for (const world of [inARow, some]) {
    world.call();
    world.call("CUT");
    assert.equal(world.state("pk_00000"), "HEALTHY");
  }
  inARow.call("CUT");
  assert.equal(inARow.state("pk_00000"), "DEGRADED");
  for (let i = 0; i < 8; i++) some.call(i % 2 === 0 ? "OK" : "CUT");
  assert.equal(some.state("pk_00000"), "HEALTHY", "ten outcomes are too few to judge by");
  for (let i = 0; i < 2; i++) some.call(i % 2 === 0 ? "OK" : "CUT");
  assert.equal(some.state("pk_00000"), "DEGRADED");
});

test("what this server's host cannot do never counts against a key, on proof either", () => {
  const world = new World(keys(1));
  for (let i = 0; i < 50; i++) world.call("NO_SOCKET", { httpStatus: null });
  assert.equal(world.state("pk_00000"), "UNKNOWN");
  assert.equal(world.pool.health("pk_00000")?.failures, 0);
  world.call("QUOTA_EXHAUSTED", { retryAfterMs: 1000 });
  world.clock.advance(1000);
  world.call("NO_SOCKET", { httpStatus: null });
  assert.equal(world.state("pk_00000"), "DEGRADED");
  world.call("OK");
  assert.equal(world.state("pk_00000"), "HEALTHY");
});

test("repeated failures open the breaker for a growing while, and one success closes it", () => {
  const world = new World(keys(1));
  for (let i = 0; i < 4; i++) world.call("CUT");
  assert.equal(world.state("pk_00000"), "DEGRADED");
  world.call("CUT", { principal: OTHER_CALLER });
  assert.equal(world.state("pk_00000"), "COOLDOWN");
  const waits: number[] = [];
  for (let i = 0; i < 8; i++) {
    const wait = world.pool.waitMs(SUPER, aRoute()) ?? -1;
    waits.push(wait);
    world.clock.advance(wait);
    world.call("PROVIDER_ERROR");
  }
  assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  world.clock.advance(60_000);
  world.call();
  assert.equal(world.pool.waitMs(SUPER, aRoute()), 0);
  for (let i = 0; i < 100; i++) world.call();
  assert.equal(world.state("pk_00000"), "HEALTHY");
});

test("a health check brings an INVALID key back, but does not lift a rate limit", () => {
  const world = new World(keys(1));
  for (let i = 0; i < 3; i++) {
    world.check("pk_00000", { ok: false, outcome: "KEY_REFUSED", error: "invalid key" });
    world.clock.advance(30_000);
  }
  assert.equal(world.state("pk_00000"), "INVALID");
  world.fails("no_public_token");
  world.check("pk_00000", { ok: true, outcome: "OK", error: "" });
  assert.equal(world.state("pk_00000"), "HEALTHY");
  world.call("RATE_LIMITED", { retryAfterMs: 60_000 });
  world.check("pk_00000", { ok: true, outcome: "OK", error: "" });
  world.fails("no_public_token");
});

test("a new secret, enabling anew and a reset give a key another chance; renaming it does not", () => {
  const key = aProviderKey("pk_1");
  const world = new World([key]);
  const spoil = (): void => {
    for (let i = 0; i < 3; i++) {
      world.check("pk_1", { ok: false, outcome: "KEY_REFUSED", error: "" });
      world.clock.advance(30_000);
    }
    assert.equal(world.state("pk_1"), "INVALID");
  };
  spoil();
  world.change({ ...key, name: "renamed", version: 2 });
  assert.equal(world.state("pk_1"), "INVALID");
  world.change({ ...key, fingerprint: "another", version: 3 });
  assert.equal(world.call(), "pk_1");
  spoil();
  world.change({ ...key, enabled: false, fingerprint: "another", version: 4 });
  world.change({ ...key, enabled: true, fingerprint: "another", version: 5 });
  assert.equal(world.call(), "pk_1");
  spoil();
  world.pool.resetHealth("pk_1");
  assert.equal(world.call(), "pk_1");
});

test("a reset forgets what calls have shown, of the key and of single models", () => {
  const world = new World(keys(1));
  for (let i = 0; i < 4; i++) world.call("CUT");
  world.call("RATE_LIMITED", { retryAfterMs: 60_000 });
  world.fails("no_public_token");
  world.pool.resetHealth("pk_00000");
  assert.equal(world.call(), "pk_00000");
  const shown = world.pool.explain(SUPER, aRoute(), 1)[0]?.tiers[0]?.keys[0];
  assert.equal(shown?.outcomes, 1);
  assert.equal(shown?.successRate, 1);
});

test("a health check is on record even where it changes nothing", () => {
  const world = new World(keys(1));
  world.call();
  world.pool.takeDirtyHealth();
  world.clock.advance(1_000);
  world.check("pk_00000", { ok: true, outcome: "OK", error: "" });
  const [stored] = world.pool.takeDirtyHealth();
  assert.equal(stored?.health.lastCheckedAt, world.clock.now());
});

test("a key whose secret cannot be opened is out until a new version of it comes", () => {
  const key = aProviderKey("pk_1");
  const world = new World([key]);
  world.pool.markUnreadable("pk_1");
  world.fails("no_public_token");
  world.change({ ...key });
  world.fails("no_public_token");
  world.change({ ...key, version: 2 });
  assert.equal(world.call(), "pk_1");
});

test("a key's own quota ends at its limit, counts calls in flight, and begins anew with the period", () => {
  const quota = { period: "DAY", requests: 5, tokens: null, costMicros: null } as const;
  const world = new World([
    aProviderKey("pk_1", { quota }),
    aProviderKey("pk_2", { tier: "BACKUP" }),
  ]);
  const past = { providerKeyId: "pk_1", period: "DAY", startMs: world.clock.now() } as const;
  world.pool.registry.restoreQuotas([{ ...past, requests: 2, tokens: 0, costMicros: 0 }]);
  const open = [world.lease(), world.lease(), world.lease()];
  assert.deepEqual(
    open.map((lease) => lease.providerKey.id),
    ["pk_1", "pk_1", "pk_1"],
  );
  assert.equal(world.call(), "pk_2");
  for (const lease of open) lease.release(result("UNREACHABLE"));
  assert.equal(world.call(), "pk_2", "an ended attempt counts until the call goes on or ends");
  open[0]?.settle(null);
  open[1]?.settle({ tokens: 0, costMicros: 0 });
  open[1]?.settle(null);
  assert.equal(world.call(), "pk_1", "a call that goes on with another key is that key's");
  assert.equal(world.call(), "pk_2");
  world.clock.advance(86_400_000);
  assert.equal(world.call(), "pk_1");
});

test("a key's quota of tokens and money counts what was used", () => {
  const quota = { period: "MONTH", requests: null, tokens: 25, costMicros: null } as const;
  const world = new World([aProviderKey("pk_1", { quota })]);
  for (let i = 0; i < 3; i++) world.call("OK", { tokens: 10 });
  const fault = world.fails("no_public_token");
  assert.equal(fault.retryAfterSeconds, 31 * 86_400);
});

test("the wall clock going back or forth by hours causes no wrong denial and keeps cooldowns honest", () => {
  const quota = { period: "DAY", requests: 100, tokens: null, costMicros: null } as const;
  const world = new World([aProviderKey("pk_1", { quota })]);
  for (const jumpMs of [3_600_000, -3_600_000, -86_400_000, 86_400_000]) {
    world.clock.jumpWall(jumpMs);
    assert.equal(world.call(), "pk_1");
    world.call("RATE_LIMITED", { retryAfterMs: 5_000 });
    world.clock.jumpWall(-jumpMs);
    world.clock.advance(4_999);
    world.fails("no_public_token");
    world.clock.advance(1);
    assert.equal(world.call(), "pk_1");
    world.clock.jumpWall(jumpMs);
  }
});

test("a quota that is used up while the wall clock is wrong keeps its key out for an hour at most after that is set right", () => {
  const quota = { period: "MONTH", requests: 2, tokens: null, costMicros: null } as const;
  for (const jumpMs of [70 * 86_400_000, -70 * 86_400_000]) {
    const world = new World([aProviderKey("pk_1", { quota })]);
    world.clock.jumpWall(jumpMs);
    world.call();
    world.call();
    world.fails("no_public_token");
    world.clock.jumpWall(-jumpMs);
    world.clock.advance(3_600_000);
    assert.equal(world.call(), "pk_1");
  }
});

test("a stored cooldown is taken up at the start, and believed only as far as one can be long", () => {
  const clock = new FakeClock(Date.UTC(2030, 0, 1));
  const health = (
    state: "COOLDOWN" | "EXHAUSTED" | "INVALID",
    leftMs: number,
  ): ProviderKey["health"] => ({
    ...aProviderKey("x").health,
    state,
    cooldownUntil: clock.now() + leftMs,
  });
  const world = new World([
    aProviderKey("pk_1", { health: health("COOLDOWN", 10_000) }),
    aProviderKey("pk_2", { tier: "BACKUP", health: health("COOLDOWN", 1e12) }),
    aProviderKey("pk_3", { tier: "OVERFLOW", health: health("INVALID", 0) }),
  ]);
  world.fails("no_public_token");
  world.clock.advance(10_000);
  assert.equal(world.call("RATE_LIMITED", { retryAfterMs: 86_400_000 }), "pk_1");
  world.clock.advance(3_590_000);
  assert.equal(world.call(), "pk_2");
});

test("what a call finds out of a secret that was replaced meanwhile says nothing of the new one", () => {
  const key = aProviderKey("pk_1");
  for (const outcome of [
    "KEY_REFUSED",
    "QUOTA_EXHAUSTED",
    "RATE_LIMITED",
    "UNREACHABLE",
  ] as const) {
    const world = new World([key]);
    const leases = Array.from({ length: 6 }, () => world.lease());
    world.change({ ...key, fingerprint: "another", version: 2 });
    for (const lease of leases) lease.release(result(outcome));
    assert.equal(world.state("pk_1"), "UNKNOWN", outcome);
    assert.equal(world.call(), "pk_1");
    assert.equal(world.pool.registry.slot("pk_1")?.inFlight, 0);
  }
});

test("a call on proof that succeeds does not lift a block that came while it ran", () => {
  const world = new World(keys(1));
  const running = world.lease();
  world.call("KEY_REFUSED");
  world.clock.advance(30_000);
  const proof = world.lease();
  running.release(result("QUOTA_EXHAUSTED", { retryAfterMs: 60_000 }));
  proof.release(result("OK"));
  assert.equal(world.fails("no_public_token").retryAfterSeconds, 60);
  world.clock.advance(60_000);
  world.call();
  world.call();
});

test("a health check that a key may not make takes it neither out nor back in", () => {
  const world = new World(keys(1));
  const refused = { ok: false, outcome: "RIGHT_REFUSED", error: "HTTP 403: may not list" } as const;
  for (let i = 0; i < 5; i++) {
    world.check("pk_00000", refused);
    world.clock.advance(3_600_000);
  }
  assert.equal(world.call("KEY_REFUSED"), "pk_00000");
  world.check("pk_00000", refused);
  assert.equal(world.fails("no_public_token").retryAfterSeconds, 30);
});
