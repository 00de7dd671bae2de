import assert from "node:assert/strict";
import test from "node:test";
import { keys, OWN, result, SUPER, tally, World } from "../../test/support/pool-world.js";
import { aProvider, aProviderKey, aRoute } from "../../test/support/records.js";
import { HOUR_MS, MINUTE_MS } from "../core/durations.js";
import type { LeaseResult } from "../core/lease.js";
import { RAMP_SUCCESSES } from "./health-policy.js";
import { OVERLOADS_MAX } from "./outages.js";

const OTHER_CALLER = { ...SUPER, ownerId: "usr_other" };
const BOTH = aRoute("model-x", "prv_test", "prv_second");

/** How a provider fails all calls alike, and after how many in a row no more go there. */
const OUTAGES: readonly {
  readonly name: string;
  readonly outcome: "PROVIDER_ERROR" | "TIMEOUT" | "UNREACHABLE";
  readonly more: Partial<LeaseResult>;
  readonly calls: number;
}[] = [
  { name: "503", outcome: "PROVIDER_ERROR", more: { httpStatus: 503 }, calls: OVERLOADS_MAX },
  { name: "529", outcome: "PROVIDER_ERROR", more: { httpStatus: 529 }, calls: OVERLOADS_MAX },
  { name: "no connection", outcome: "UNREACHABLE", more: { httpStatus: null }, calls: 5 },
  {
    name: "no connection in time",
    outcome: "TIMEOUT",
    more: { httpStatus: null, unsent: true },
    calls: 5,
  },
  { name: "closed", outcome: "UNREACHABLE", more: { httpStatus: null, unsent: false }, calls: 5 },
  { name: "no reply in time", outcome: "TIMEOUT", more: { httpStatus: null }, calls: 5 },
];

function shown(world: World, id: string) {
  const all = world.pool.explain(SUPER, BOTH, 100).flatMap(({ tiers }) => tiers);
  const found = all.flatMap((tier) => tier.keys).find((key) => key.providerKeyId === id);
  assert.ok(found !== undefined);
  return found;
}

/** Calls of two users until no more go to the provider. */
function breakDown(world: World, { outcome, more }: (typeof OUTAGES)[number]): number {
  let calls = 0;
  while (world.pool.waitMs(SUPER, aRoute()) === 0) {
    assert.ok(calls < 100, "never left alone");
    world.call(outcome, { ...more, principal: calls++ % 2 === 0 ? SUPER : OTHER_CALLER });
  }
  return calls;
}

for (const outage of OUTAGES) {
  test(`${outage.name}: a provider that is out costs none of its keys score or health, and soon gets no calls`, () => {
    const world = new World([...keys(10), aProviderKey("pk_else", { providerId: "prv_second" })]);
    for (let i = 0; i < 20; i++) world.call();
    const before = keys(10).map(({ id }) => shown(world, id).score.success);
    assert.equal(breakDown(world, outage), outage.calls);
    assert.equal(world.pool.waitMs(SUPER, aRoute()), 1_000);
    for (const [at, { id }] of keys(10).entries()) {
      assert.equal(world.state(id), "HEALTHY", id);
      assert.ok((world.pool.health(id)?.consecutiveFailures ?? 2) <= 1);
      assert.equal(shown(world, id).score.success, before[at]);
    }
    const told = world.fails("no_public_token");
    assert.equal(told.retryAfterSeconds, 1);
    const isAway = outage.more.unsent ?? outage.outcome === "UNREACHABLE";
    const why = isAway ? "cannot be reached" : "has no room for this model";
    assert.ok(told.publicMessage.endsWith(` now. The provider ${why}.`), told.publicMessage);
    for (let i = 0; i < 9; i++) assert.equal(world.call("OK", { route: BOTH }), "pk_else");
  });

  test(`${outage.name}: one call tries a provider that was out, then ever more, until all may`, () => {
    const world = new World(keys(10));
    breakDown(world, outage);
    for (const waitMs of [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
      assert.equal(world.pool.waitMs(SUPER, aRoute()), waitMs);
      world.clock.advance(waitMs - 1);
      world.fails("no_public_token");
      world.clock.advance(1);
      const first = world.lease();
      world.fails("no_public_token", { principal: OTHER_CALLER });
      first.release(result(outage.outcome, outage.more));
    }
    world.clock.advance(60_000);
    let served = 0;
    for (let room = 1; room <= RAMP_SUCCESSES; room *= 2) {
      const leases = Array.from({ length: room }, () => world.lease());
      world.fails("no_public_token");
      for (const lease of leases) lease.release(result("OK"));
      served += room;
    }
    assert.ok(served >= RAMP_SUCCESSES);
    for (let i = 0; i < 200; i++) world.lease();
  });
}

test("a key that alone is told of overload while others are served rests alone, for that model", () => {
  for (const httpStatus of [503, 529]) {
    const world = new World(keys(4), "ROUND_ROBIN");
    let asked = 0;
    for (let i = 0; i < 200; i++) {
      const lease = world.lease();
      const isBad = lease.providerKey.id === "pk_00002";
      if (isBad) asked++;
      lease.release(isBad ? result("PROVIDER_ERROR", { httpStatus }) : result("OK"));
    }
    assert.equal(asked, 5);
    assert.equal(world.pool.waitMs(SUPER, aRoute()), 0);
    assert.equal(tally(Array.from({ length: 30 }, () => world.call())).get("pk_00002"), undefined);
    const other = { route: aRoute("other") };
    assert.equal(
      tally(Array.from({ length: 40 }, () => world.call("OK", other))).get("pk_00002"),
      10,
    );
  }
});

test("a provider that has room for most calls gets them all", () => {
  const world = new World(keys(10));
  let refused = 0;
  for (let i = 0; i < 1_000; i++) {
    if (i % OVERLOADS_MAX === 0) world.call();
    else world.call("PROVIDER_ERROR", { httpStatus: 503 });
    if (world.pool.waitMs(SUPER, aRoute("other")) !== 0) refused++;
  }
  assert.equal(refused, 0);
});

test("what one of several users asks, and gets no reply to, keeps the provider from nobody", () => {
  for (const outcome of ["TIMEOUT", "UNREACHABLE"] as const) {
    const world = new World(keys(3));
    world.call("OK", { principal: OTHER_CALLER });
    for (let i = 0; i < 30; i++) world.call(outcome, { httpStatus: null, unsent: false });
    assert.equal(world.pool.waitMs(SUPER, aRoute()), 0, outcome);
    world.call(outcome, { httpStatus: null, unsent: false, principal: OTHER_CALLER });
    assert.notEqual(world.pool.waitMs(SUPER, aRoute()), 0, "another gets none either");
  }
});

test("what one of several users asks of the one key that can serve it keeps the provider from nobody either", () => {
  const world = new World(keys(2));
  world.call();
  for (let i = 0; i < 20; i++) {
    const lease = world.lease({ principal: OTHER_CALLER, home: "pk_00001" });
    lease.release(result("TIMEOUT", { httpStatus: null }));
  }
  assert.equal(world.pool.waitMs(SUPER, aRoute()), 0);
});

test("no room for one model keeps a provider's others, and no way to it keeps all", () => {
  const other = aRoute("other");
  for (const outage of OUTAGES) {
    const world = new World(keys(3));
    breakDown(world, outage);
    const isOut = outage.more.unsent ?? outage.outcome === "UNREACHABLE";
    assert.equal(world.pool.waitMs(SUPER, other), isOut ? 1_000 : 0, outage.name);
  }
});

test("a provider that cannot be reached is out for private keys too, and another provider's are not", () => {
  const world = new World([
    aProviderKey("pk_own", { visibility: "PRIVATE" }),
    aProviderKey("pk_pool"),
    aProviderKey("pk_else", { providerId: "prv_second" }),
  ]);
  for (let i = 0; i < 5; i++) world.call("UNREACHABLE", { principal: OWN });
  world.fails("no_public_token");
  assert.equal(world.call("OK", { route: aRoute("model-x", "prv_second") }), "pk_else");
});

test("a time to wait that an overloaded provider names is kept, by the key at once and by the provider in time", () => {
  const told = { httpStatus: 503, retryAfterMs: 30_000 };
  const world = new World(keys(20));
  const asked = Array.from({ length: OVERLOADS_MAX }, () => world.call("PROVIDER_ERROR", told));
  assert.equal(new Set(asked).size, OVERLOADS_MAX, "no key is asked twice");
  assert.equal(world.pool.waitMs(SUPER, aRoute()), 30_000);
});

test("a stream that has begun well shows that its provider is back, before it ends", () => {
  const world = new World(keys(2));
  breakDown(world, OUTAGES[0] ?? assert.fail());
  world.clock.advance(1_000);
  const first = world.lease();
  world.fails("no_public_token");
  first.proven();
  world.lease();
  world.lease();
  world.fails("no_public_token");
  first.release(result("CUT"));
  world.fails("no_public_token");
});

test("what was under way when a provider went out neither brings it back nor keeps it out for longer", () => {
  const world = new World(keys(2));
  const late = Array.from({ length: 4 }, () => world.lease());
  breakDown(world, OUTAGES[2] ?? assert.fail());
  late[0]?.release(result("OK"));
  late[1]?.release(result("UNREACHABLE"));
  assert.equal(world.pool.waitMs(SUPER, aRoute()), 1_000);
  world.clock.advance(1_000);
  late[2]?.release(result("OK"));
  late[3]?.release(result("UNREACHABLE"));
  const only = world.lease();
  world.fails("no_public_token");
  only.release(result("OK"));
  world.lease();
  world.lease();
});

test("a call that tries a provider and gets no reply for long keeps others from it no longer than seconds", () => {
  const world = new World(keys(2));
  breakDown(world, OUTAGES[0] ?? assert.fail());
  world.clock.advance(1_000);
  for (let i = 0; i < 4; i++) {
    world.lease();
    assert.equal(world.pool.waitMs(SUPER, aRoute()), 200);
    world.clock.advance(1_999);
    world.fails("no_public_token");
    world.clock.advance(1);
  }
});

test("a call that shows nothing gives its turn to try the provider to another", () => {
  for (const outage of OUTAGES) {
    const world = new World(keys(2));
    breakDown(world, outage);
    world.clock.advance(1_000);
    for (const outcome of ["CALLER_ABORTED", "NO_SOCKET"] as const) {
      const lease = world.lease();
      world.fails("no_public_token");
      lease.release(result(outcome, { httpStatus: null }));
    }
    world.call();
  }
});

test("a call that tries a provider for a model, and cannot be connected, shows nothing of its room for that", () => {
  const world = new World(keys(2));
  breakDown(world, OUTAGES[0] ?? assert.fail());
  world.clock.advance(1_000);
  world.call("UNREACHABLE", { httpStatus: null });
  world.call();
});

test("a rest that lasts longer than failures are remembered is kept to its end, and the next is no shorter", () => {
  const world = new World(keys(2));
  world.pool.setAllocation({ ...world.pool.allocation, errorCooldownMs: HOUR_MS });
  breakDown(world, OUTAGES[0] ?? assert.fail());
  for (let waitMs = 1_000; waitMs < 4 * HOUR_MS; waitMs *= 2) {
    const restMs = Math.min(waitMs, HOUR_MS);
    assert.equal(world.pool.waitMs(SUPER, aRoute()), restMs);
    world.clock.advance(restMs - 1);
    world.fails("no_public_token");
    world.clock.advance(1);
    world.call("PROVIDER_ERROR", { httpStatus: 503 });
  }
});

test("an answer of any kind shows that a provider can be reached", () => {
  for (const [outcome, httpStatus] of [
    ["RATE_LIMITED", 429],
    ["REQUEST_REFUSED", 400],
    ["PROVIDER_ERROR", 503],
  ] as const) {
    const world = new World(keys(9));
    breakDown(world, OUTAGES[2] ?? assert.fail());
    world.clock.advance(1_000);
    world.call(outcome, { httpStatus, route: aRoute("other") });
    world.lease();
    world.lease();
    world.fails("no_public_token");
  }
});

test("health checks that find no way to a provider cost its keys nothing, and one that does brings it back", () => {
  const world = new World(keys(2));
  const check = { ok: false, outcome: "UNREACHABLE", error: "no connection" } as const;
  for (let i = 0; i < 20; i++) world.check("pk_00000", check);
  assert.equal(world.state("pk_00000"), "UNKNOWN");
  assert.equal(world.pool.health("pk_00000")?.lastError, "no connection");
  breakDown(world, OUTAGES[2] ?? assert.fail());
  world.check("pk_00000", { ok: true, outcome: "OK", error: "" });
  assert.equal(world.pool.waitMs(SUPER, aRoute()), 0);
});

test("what is said of a key that its provider refuses is not lost to an outage", () => {
  const world = new World(keys(1));
  const says = (outcome: "KEY_REFUSED" | "UNREACHABLE", error: string): void => {
    world.check("pk_00000", { ok: false, outcome, error });
    world.clock.advance(30_000);
  };
  for (let i = 0; i < 3; i++) says("KEY_REFUSED", "HTTP 401: no such key");
  says("UNREACHABLE", "no connection");
  assert.equal(world.state("pk_00000"), "INVALID");
  assert.equal(world.pool.health("pk_00000")?.lastError, "HTTP 401: no such key");
});

test("a provider that was changed is asked again at once", () => {
  const world = new World(keys(2));
  for (const outage of OUTAGES) {
    breakDown(world, outage);
    const value = aProvider("prv_test");
    world.pool.applyChange({ seq: 1, kind: "provider", id: value.id, value });
    assert.equal(world.pool.waitMs(SUPER, aRoute()), 0, outage.name);
  }
});

test("failures of long ago are not counted with new ones", () => {
  for (const outage of OUTAGES) {
    const world = new World(keys(2));
    for (let i = 1; i < outage.calls; i++) world.call(outage.outcome, outage.more);
    world.clock.advance(10 * MINUTE_MS);
    assert.equal(breakDown(world, outage), outage.calls, outage.name);
    const soon = new World(keys(2));
    for (let i = 1; i < outage.calls; i++) soon.call(outage.outcome, outage.more);
    soon.clock.advance(10 * MINUTE_MS - 1);
    assert.equal(breakDown(soon, outage), 1, outage.name);
  }
});

test("a call that only one key can serve waits for its provider", () => {
  const world = new World(keys(2));
  breakDown(world, OUTAGES[2] ?? assert.fail());
  assert.equal(world.fails("no_public_token", { home: "pk_00001" }).retryAfterSeconds, 1);
  assert.equal(world.pool.waitMs(SUPER, aRoute(), "pk_00001"), 1_000);
  world.clock.advance(1_000);
  assert.equal(world.lease({ home: "pk_00001" }).providerKey.id, "pk_00001");
});

test("a key on proof that meets an outage has still to be proven, and rests no longer", () => {
  const world = new World(keys(1));
  world.call("KEY_REFUSED", { httpStatus: 401 });
  world.clock.advance(30_000);
  for (let i = 0; i < 4; i++) world.call("UNREACHABLE", { httpStatus: null });
  assert.equal(world.pool.waitMs(SUPER, aRoute()), 0);
  world.lease();
  world.fails("no_public_token");
});

test("why a provider gets no calls is said of each of its keys, and its keys count as waiting", () => {
  for (const [at, reason] of [
    [0, "its provider has no room for this model, 1 s left"],
    [2, "its provider cannot be reached, 1 s left"],
  ] as const) {
    const world = new World([
      ...keys(3),
      aProviderKey("pk_off", { enabled: false }),
      aProviderKey("pk_small", { modelAllowlist: ["small"] }),
    ]);
    breakDown(world, OUTAGES[at] ?? assert.fail());
    const key = shown(world, "pk_00000");
    assert.deepEqual([key.reason, key.standing, key.rank], [reason, "COOLDOWN", 0]);
    assert.equal(key.blockedUntilAt, world.clock.now() + 1_000);
    assert.equal(shown(world, "pk_off").reason, "disabled");
    assert.match(shown(world, "pk_small").reason, /model allowlist leaves this model out$/);
    const { tiers, publicTiers, nextCooldownEndAt } = world.pool.summary();
    for (const [tier] of [tiers, publicTiers]) {
      assert.equal(tier?.total, 5);
      assert.equal(tier.cooling, at === 0 ? 0 : 4);
      assert.equal(tier.eligible, at === 0 ? 4 : 0);
    }
    assert.equal(nextCooldownEndAt, at === 0 ? null : world.clock.now() + 1_000);
    world.clock.advance(1_000);
    world.lease();
    assert.match(shown(world, "pk_00000").reason, /^a call is finding out whether its provider/);
  }
});
