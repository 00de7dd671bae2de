import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { FakeClock } from "../../test/support/fake-clock.js";
import {
  aPrincipal,
  aProviderKey,
  aRoute,
  seededRandom,
  seededUniform,
  silentLogger,
} from "../../test/support/records.js";
import type { AttemptOutcome } from "../core/call.js";
import type { Fault } from "../core/fault.js";
import type { ProviderKey } from "../core/provider-key.js";
import type { Route } from "../core/provider.js";
import { Pool } from "./pool.js";
import type { KeyExplanation } from "./explain.js";
import type { Lease, LeaseResult } from "./lease.js";
import type { HealthChange } from "./registry.js";
import { DEFAULT_ALLOCATION, STRATEGIES } from "./strategy.js";
import type { Strategy } from "./strategy.js";

const SUPER = aPrincipal("SUPER");
const OWN = aPrincipal("STANDARD");

class World {
  readonly clock = new FakeClock(Date.UTC(2030, 0, 1));
  readonly heard: HealthChange[] = [];
  readonly pool: Pool;
  #seq = 0;

  constructor(keys: readonly ProviderKey[], strategy: Strategy = "SCORE_BASED", seed = 1) {
    this.pool = new Pool({
      clock: this.clock,
      random: seededRandom(seed),
      logger: silentLogger,
      inService: (_providerId, service, model) => model.startsWith(service),
      onHealthChange: (change) => void this.heard.push(change),
    });
    this.pool.load({ keys, users: [], providers: [] }, new Map());
    this.pool.setAllocation({ ...DEFAULT_ALLOCATION, strategy });
  }

  lease(
    options: { principal?: typeof OWN; route?: Route; tried?: string[]; affinity?: string } = {},
  ): Lease {
    return this.pool.lease({
      principal: options.principal ?? SUPER,
      route: options.route ?? aRoute(),
      tried: new Set(options.tried),
      affinity: options.affinity ?? "",
    });
  }

  /** One call from lease to release; returns the key's id. */
  call(
    outcome: AttemptOutcome = "OK",
    more: Partial<LeaseResult> & { affinity?: string } = {},
  ): string {
    const lease = this.lease(more.affinity === undefined ? {} : { affinity: more.affinity });
    lease.release(result(outcome, more));
    return lease.providerKey.id;
  }

  fails(code: string, options: Parameters<World["lease"]>[0] = {}): Fault {
    let thrown: unknown;
    try {
      this.lease(options);
    } catch (error) {
      thrown = error;
    }
    assert.ok(thrown instanceof Error, "expected a refusal");
    assert.equal((thrown as Fault).code, code);
    return thrown as Fault;
  }

  change(key: ProviderKey): void {
    this.pool.applyChange({ seq: ++this.#seq, kind: "provider_key", id: key.id, value: key });
  }

  remove(id: string): void {
    this.pool.applyChange({ seq: ++this.#seq, kind: "provider_key", id, value: null });
  }

  ban(userId: string, state: "BANNED" | "ACTIVE"): void {
    const user = { id: userId, state } as never;
    this.pool.applyChange({ seq: ++this.#seq, kind: "user", id: userId, value: user });
  }

  state(id: string): string | undefined {
    return this.pool.health(id)?.state;
  }
}

function result(outcome: AttemptOutcome, more: Partial<LeaseResult> = {}): LeaseResult {
  return {
    outcome,
    httpStatus: 200,
    latencyMs: 100,
    tokens: 10,
    costMicros: 5,
    retryAfterMs: null,
    detail: "",
    ...more,
  };
}

function keys(count: number, over: Partial<ProviderKey> = {}): ProviderKey[] {
  return Array.from({ length: count }, (_, at) =>
    aProviderKey(`pk_${String(at).padStart(5, "0")}`, over),
  );
}

function tally(ids: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}

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
          id: "prv_test",
          value: { enabled: false } as never,
        }),
      () =>
        world.pool.applyChange({
          seq: 2,
          kind: "provider",
          id: "prv_test",
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
  assert.match(fault.publicMessage, /All 2 that could be tried failed/);
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

test("four equal keys share 10,000 calls within five percent, whatever the pace", () => {
  for (const strategy of STRATEGIES.filter((each) => each !== "SEQUENTIAL")) {
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

test("a recovered key ramps up instead of taking everything", () => {
  const world = new World(keys(4));
  for (let i = 0; i < 400; i++) {
    world.clock.advance(20);
    world.call();
  }
  const out = world.call("RATE_LIMITED", { retryAfterMs: 1_800_000 });
  for (let i = 0; i < 1_800; i++) {
    world.clock.advance(1_000);
    assert.notEqual(world.call(), out);
  }
  world.clock.advance(1_000);
  const early = tally(Array.from({ length: 60 }, () => world.call()));
  assert.ok((early.get(out) ?? 0) <= 20, `${early.get(out)} of the first 60`);
  const late = tally(Array.from({ length: 4_000 }, () => world.call()));
  assert.ok((late.get(out) ?? 0) > 700);
});

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

test("calls of one session stay on one key while it is eligible, and sessions of others do not share it", () => {
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
  const other = world.lease({ principal: OWN, affinity: "s1" });
  other.release(result("OK"));
});

test("a session returns to the primary tier as soon as that has an eligible key", () => {
  const world = new World([aProviderKey("pk_1"), aProviderKey("pk_2", { tier: "BACKUP" })]);
  world.call("RATE_LIMITED", { retryAfterMs: 5_000, affinity: "s" });
  assert.equal(world.call("OK", { affinity: "s" }), "pk_2");
  world.clock.advance(5_000);
  assert.equal(world.call("OK", { affinity: "s" }), "pk_1");
});

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
  for (let i = 0; i < 8; i++) {
    world.call("RATE_LIMITED");
    const wait = world.pool.waitMs(SUPER, aRoute()) ?? -1;
    waits.push(wait);
    world.clock.advance(wait);
  }
  assert.deepEqual(
    waits,
    [40, 80, 160, 300, 300, 300, 300, 300].map((seconds) => seconds * 1000),
  );
});

test("stragglers of one limit do not move the wait up, and a late success does not shorten it", () => {
  const world = new World(keys(1));
  const leases = Array.from({ length: 5 }, () => world.lease());
  for (const lease of leases.slice(0, 4)) lease.release(result("RATE_LIMITED"));
  assert.equal(world.pool.waitMs(SUPER, aRoute()), 20_000);
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

test("repeated failures open the breaker for a growing while, and one success closes it", () => {
  const world = new World(keys(1));
  for (let i = 0; i < 4; i++) world.call("TIMEOUT");
  assert.equal(world.state("pk_00000"), "DEGRADED");
  world.call("TIMEOUT");
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
    world.pool.reportCheck("pk_00000", { ok: false, httpStatus: 401, error: "invalid key" });
    world.clock.advance(30_000);
  }
  assert.equal(world.state("pk_00000"), "INVALID");
  world.fails("no_public_token");
  world.pool.reportCheck("pk_00000", { ok: true, httpStatus: 200, error: "" });
  assert.equal(world.state("pk_00000"), "HEALTHY");
  world.call("RATE_LIMITED", { retryAfterMs: 60_000 });
  world.pool.reportCheck("pk_00000", { ok: true, httpStatus: 200, error: "" });
  world.fails("no_public_token");
});

test("a new secret, enabling anew and a reset give a key another chance; renaming it does not", () => {
  const key = aProviderKey("pk_1");
  const world = new World([key]);
  const spoil = (): void => {
    for (let i = 0; i < 3; i++) {
      world.pool.reportCheck("pk_1", { ok: false, httpStatus: 403, error: "" });
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
  world.pool.restoreQuota("pk_1", { requests: 2, tokens: 0, costMicros: 0 });
  const open = [world.lease(), world.lease(), world.lease()];
  assert.deepEqual(
    open.map((lease) => lease.providerKey.id),
    ["pk_1", "pk_1", "pk_1"],
  );
  assert.equal(world.call(), "pk_2");
  open[0]?.release(result("UNREACHABLE"));
  open[1]?.release(result("OK"));
  assert.equal(
    world.call(),
    "pk_1",
    "a call that never reached the provider gives its request back",
  );
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
  assert.equal(last?.health.cooldownUntil, world.clock.now() + 2_000);
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
  assert.equal(best.eligible, true);
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
  assert.match(world.fails("no_public_token").publicMessage, /closed/);
  assert.equal(world.pool.waitMs(SUPER, aRoute()), null);
  assert.equal(world.lease({ principal: OWN }).providerKey.id, "pk_00000");
  set("true");
  assert.equal(world.call(), "pk_00000");
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
});

test("what changed is handed out for storing also where it was announced", () => {
  const world = new World(keys(1));
  world.call("RATE_LIMITED", { retryAfterMs: 60_000 });
  assert.equal(world.pool.takeDirtyHealth()[0]?.health.state, "COOLDOWN");
  world.clock.advance(60_000);
  world.pool.summary();
  assert.equal(world.pool.takeDirtyHealth()[0]?.health.state, "DEGRADED");
});

const ACTIONS = ["call", "advance", "change", "remove", "ban"] as const;
const OUTCOMES: AttemptOutcome[] = [
  "OK",
  "RATE_LIMITED",
  "QUOTA_EXHAUSTED",
  "KEY_REFUSED",
  "PROVIDER_ERROR",
  "CALLER_ABORTED",
];

/** A variant of a key, different in each field that matters for being found. */
function variant(id: string, at: number): ProviderKey {
  return aProviderKey(id, {
    enabled: at % 3 !== 0,
    visibility: at % 5 === 0 ? "PRIVATE" : "PUBLIC",
    tier: at % 7 === 0 ? "BACKUP" : "PRIMARY",
    ownerId: at % 4 === 0 ? "usr_b" : "usr_owner",
    modelAllowlist: at % 6 === 0 ? ["other-*"] : [],
    quotaGroup: at % 9 === 0 ? "g" : null,
    version: at,
  });
}

/** One call; what is leased must be what the rule of eligibility lets through. */
function callByTheRule(world: World, banned: ReadonlySet<string>, outcome: AttemptOutcome): void {
  let lease: Lease;
  try {
    lease = world.lease();
  } catch (thrown) {
    assert.equal((thrown as Fault).code, "no_public_token");
    return;
  }
  assert.equal(lease.providerKey.visibility, "PUBLIC");
  assert.equal(lease.providerKey.enabled, true);
  assert.equal(banned.has(lease.providerKey.ownerId), false);
  assert.deepEqual(lease.providerKey.modelAllowlist, []);
  lease.release(result(outcome));
}

function act(
  world: World,
  banned: Set<string>,
  [kind, at]: [(typeof ACTIONS)[number], number],
): void {
  const id = `pk_${String(at % 8).padStart(5, "0")}`;
  switch (kind) {
    case "call":
      return callByTheRule(world, banned, OUTCOMES[at % OUTCOMES.length]!);
    case "advance":
      return world.clock.advance(at ** 3);
    case "change":
      return world.change(variant(id, at));
    case "remove":
      return world.remove(id);
    case "ban": {
      const owner = at % 2 === 0 ? "usr_owner" : "usr_b";
      const wasBanned = banned.delete(owner);
      if (!wasBanned) banned.add(owner);
      return world.ban(owner, wasBanned ? "ACTIVE" : "BANNED");
    }
  }
}

test("whatever happens, counters, lists and the rule of eligibility agree", () => {
  const action = fc.tuple(fc.constantFrom(...ACTIONS), fc.nat(99));
  fc.assert(
    fc.property(
      fc.array(action, { maxLength: 80 }),
      fc.constantFrom(...STRATEGIES),
      (actions, strategy) => {
        const world = new World(keys(6), strategy);
        const banned = new Set<string>();
        for (const each of actions) act(world, banned, each);
        const slots = [...world.pool.registry.slots()];
        const { tiers } = world.pool.summary();
        const sum = (part: "total" | "eligible"): number =>
          tiers.reduce((total, tier) => total + tier[part], 0);
        assert.equal(sum("total"), slots.length);
        assert.equal(sum("eligible"), slots.filter((slot) => slot.standing === "ELIGIBLE").length);
        for (const slot of slots) {
          assert.equal(slot.inFlight, 0);
          for (const set of slot.sets) {
            assert.equal(set.ready.includes(slot), slot.place === "READY");
            assert.equal(set.awaiting.includes(slot), slot.place === "AWAITING_PROOF");
            assert.ok(set.members.includes(slot));
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});
