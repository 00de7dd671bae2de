import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { keys, OWN, result, SUPER, World } from "../../test/support/pool-world.js";
import { aProviderKey, aRoute } from "../../test/support/records.js";
import type { AttemptOutcome } from "../core/call.js";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../core/durations.js";
import type { Fault } from "../core/fault.js";
import type { Lease } from "../core/lease.js";
import type { ProviderKey, Quota } from "../core/provider-key.js";
import { STRATEGIES } from "./allocation.js";
import type { KeyExplanation } from "./explain.js";
import { Rights } from "./rights.js";

const QUOTA: Quota = { period: "DAY", requests: 3, tokens: null, costMicros: null };

/** All keys that are told of for a model, the ones that would be tried first. */
function explained(world: World, principal: typeof OWN, model = "model-x"): KeyExplanation[] {
  const route = aRoute(model, "prv_a", "prv_b");
  const tiers = world.pool.explain(principal, route, 50).flatMap((target) => target.tiers);
  return tiers.flatMap((tier) => tier.keys).toSorted((a, b) => (a.rank || 99) - (b.rank || 99));
}

function only(world: World): KeyExplanation {
  const [key] = world.pool.explain(SUPER, aRoute(), 1)[0]?.tiers[0]?.keys ?? [];
  assert.ok(key !== undefined);
  return key;
}

test("a pool that is closed is told to be so, and gives no key", () => {
  const world = new World(keys(1));
  const id = "publicPoolEnabled";
  world.pool.applyChange({ seq: 1, kind: "setting", id, value: { id, value: "false" } });
  const { reason, rank } = only(world);
  assert.deepEqual([reason, rank], ["the public pool is closed", 0]);
  assert.equal(world.pool.explain(OWN, aRoute(), 1)[0]?.tiers[0]?.inUse, true);
});

test("a key that is used up here is told to be so until its period ends", () => {
  const world = new World(keys(1, { quota: { ...QUOTA, requests: 1 } }));
  world.call();
  assert.equal(only(world).blockedUntilAt, world.clock.now() + DAY_MS);
  assert.equal(only(world).reason, "its quota is used up, 86400 s left");
});

test("a key that rests, and longer for the model, is told to rest until it can serve it", () => {
  const world = new World(keys(1));
  const [limited, refused] = [world.lease(), world.lease()];
  limited.release(result("RATE_LIMITED", { retryAfterMs: 10 * MINUTE_MS }));
  refused.release(result("KEY_REFUSED"));
  assert.equal(only(world).reason, "cooling down, 600 s left");
});

test("why a key waits, and for how long at most, is told in words", () => {
  for (const [outcome, retryAfterMs, passedMs, reason] of [
    ["RATE_LIMITED", 1_500, 0, "cooling down for this model, 2 s left"],
    ["MODEL_REFUSED", null, 0, "the provider does not serve this model to it, 600 s left"],
    ["KEY_REFUSED", null, 0, "cooling down, 30 s left"],
    ["KEY_REFUSED", null, 30_000, "eligible; one call has to succeed first"],
    ["OK", null, 0, "eligible"],
  ] as const) {
    const world = new World(keys(1));
    world.call(outcome, { retryAfterMs });
    world.clock.advance(passedMs);
    assert.equal(only(world).reason, reason);
  }
});

test("a key that does not come back by itself is told no time at which it would", () => {
  const world = new World(keys(1));
  world.call("KEY_REFUSED");
  world.change(aProviderKey("pk_00000", { enabled: false, version: 2 }));
  assert.deepEqual([only(world).reason, only(world).blockedUntilAt], ["disabled", null]);
});

test("the balance of each key is told against the busiest of those that can be chosen", () => {
  const world = new World([...keys(3), aProviderKey("pk_off", { enabled: false })]);
  for (const [id, uses] of [
    ["pk_00001", 2],
    ["pk_00002", 4],
  ] as const) {
    const tried = keys(3).map((key) => key.id);
    for (let i = 0; i < uses; i++) {
      world.lease({ tried: tried.filter((each) => each !== id) }).release(result("OK"));
    }
  }
  const [tier] = world.pool.explain(SUPER, aRoute(), 5)[0]?.tiers ?? [];
  const told = (tier?.keys ?? []).map((key) => [key.providerKeyId, key.score.balance]);
  assert.deepEqual(told, [
    ["pk_00000", 15],
    ["pk_00001", 7.5],
    ["pk_00002", 0],
    ["pk_off", 15],
  ]);
});

test("of a tier of any size as many keys are explained as are shown, the best of all", (t) => {
  const world = new World(keys(300));
  const lacked = t.mock.method(Rights.prototype, "lackedBy");
  const shown = world.pool.explain(SUPER, aRoute(), 20).flatMap(({ tiers }) => tiers);
  assert.equal(lacked.mock.callCount(), 20);
  assert.deepEqual(
    shown.map(({ omitted, keys: all }) => [omitted, all.map(({ rank }) => rank)]),
    [[280, Array.from({ length: 20 }, (_each, at) => at + 1)]],
  );
});

test("a key has one rank, with the first model of the route that it would be tried for", () => {
  const world = new World(keys(3, { providerId: "prv_a" }));
  const route = aRoute("model-x", "prv_a", "prv_a");
  world.lease({ route }).release(result("QUOTA_EXHAUSTED", { retryAfterMs: 1_000 }));
  world.clock.advance(1_000);
  const ranks = world.pool
    .explain(SUPER, route, 5)
    .map(({ tiers }) => tiers.flatMap((tier) => tier.keys.map(({ rank }) => rank)));
  assert.deepEqual(ranks, [
    [1, 2, 3],
    [0, 0, 0],
  ]);
});

const OUTCOMES: readonly AttemptOutcome[] = [
  "OK",
  "OK",
  "OK",
  "OK",
  "RATE_LIMITED",
  "QUOTA_EXHAUSTED",
  "KEY_REFUSED",
  "MODEL_REFUSED",
  "REQUEST_REFUSED",
  "PROVIDER_ERROR",
  "UNREACHABLE",
  "TIMEOUT",
  "CUT",
  "CALLER_ABORTED",
];
const CHANGES: readonly ((key: ProviderKey, nowMs: number) => Partial<ProviderKey>)[] = [
  ({ enabled }) => ({ enabled: !enabled }),
  ({ tier }) => ({ tier: tier === "PRIMARY" ? "BACKUP" : "PRIMARY" }),
  ({ visibility }) => ({ visibility: visibility === "PUBLIC" ? "PRIVATE" : "PUBLIC" }),
  ({ modelAllowlist }) => ({ modelAllowlist: modelAllowlist.length === 0 ? ["m1"] : [] }),
  ({ weight }) => ({ weight: weight === 1 ? 7 : 1 }),
  ({ quota }) => ({ quota: quota === null ? QUOTA : null }),
  ({ expiresAt }, nowMs) => ({ expiresAt: expiresAt === null ? nowMs + HOUR_MS : null }),
];

/** A pool whose explanation is asked for before each call. */
class Explained {
  readonly world: World;
  readonly #keys: Map<string, ProviderKey>;
  readonly #open: Lease[] = [];

  constructor(parts: readonly Partial<ProviderKey>[], strategy: (typeof STRATEGIES)[number]) {
    const all = parts.map((part, at) => aProviderKey(`pk_${String(at)}`, part));
    this.world = new World(all, strategy);
    this.#keys = new Map(all.map((key) => [key.id, key]));
  }

  /** The call gets the very key that is told, and its further attempts others that are; or none, where none is told. */
  begin(principal: typeof OWN, model: string, attempts: number): void {
    // An attempt before it keeps the call from proving a key while others are ready.
    const tried = ["pk_of_before"];
    const { registry } = this.world.pool;
    const isProven = (id: string): boolean => registry.slot(id)?.condition.onProof !== true;
    for (let i = 0; i < attempts; i++) {
      const told = explained(this.world, principal, model);
      const lease = this.#lease(principal, model, tried);
      const left = told.filter(
        ({ rank, providerKeyId }) => rank > 0 && !tried.includes(providerKeyId),
      );
      assert.equal(lease?.providerKey.id === undefined, left.length === 0, JSON.stringify(told));
      if (lease === undefined) return;
      tried.push(lease.providerKey.id);
      this.#open.push(lease);
      const isRamping = left.some(({ rampShare }) => rampShare < 1);
      if (i === 0 && !isRamping) {
        const next = left.find(({ providerKeyId }) => isProven(providerKeyId)) ?? left[0];
        assert.equal(next?.providerKeyId, lease.providerKey.id, JSON.stringify(told));
      }
    }
  }

  /** A call that finds no key is told to come back when the first is told to be back. */
  wait(principal: typeof OWN, model: string): void {
    const told = explained(this.world, principal, model).filter((key) => key.servesModel);
    const waitMs = this.world.pool.waitMs(principal, aRoute(model, "prv_a", "prv_b"));
    const isEligible = told.some(({ rank }) => rank > 0);
    assert.equal(waitMs === 0, isEligible);
    const isOpenEnded =
      this.#open.length > 0 ||
      told.some(({ providerKeyId }) => this.#keys.get(providerKeyId)?.expiresAt !== null);
    if (isEligible || isOpenEnded) return;
    const backAt = Math.min(...told.map(({ blockedUntilAt }) => blockedUntilAt ?? Infinity));
    const saidAt = waitMs === null ? Infinity : this.world.clock.now() + Math.round(waitMs);
    assert.equal(saidAt, backAt, JSON.stringify(told));
  }

  end(at: number, outcome: AttemptOutcome, retryAfterMs: number | null): void {
    const [lease] = this.#open.splice(at % Math.max(1, this.#open.length), 1);
    const httpStatus = outcome === "PROVIDER_ERROR" && at % 2 === 0 ? 503 : 500;
    lease?.release(result(outcome, { retryAfterMs, httpStatus }));
    lease?.settle({ tokens: 1, costMicros: 1 });
  }

  change(at: number, kind: number): void {
    const key = [...this.#keys.values()][at % this.#keys.size];
    const change = CHANGES[kind % CHANGES.length];
    if (key === undefined || change === undefined) return;
    const next = { ...key, ...change(key, this.world.clock.now()), version: key.version + 1 };
    this.#keys.set(key.id, next);
    this.world.change(next);
  }

  #lease(principal: typeof OWN, model: string, tried: string[]): Lease | undefined {
    try {
      return this.world.lease({ principal, route: aRoute(model, "prv_a", "prv_b"), tried });
    } catch (thrown) {
      assert.match((thrown as Fault).code, /^(?:no_(?:public|own)_token|model_not_found)$/);
      return undefined;
    }
  }
}

const asked = fc.tuple(fc.constantFrom(SUPER, SUPER, OWN), fc.constantFrom("m1", "m2"));
const step: fc.Arbitrary<(pool: Explained) => void> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(asked, fc.integer({ min: 1, max: 4 }))
      .map(([of, attempts]) => (pool: Explained) => {
        pool.begin(...of, attempts);
      }),
  },
  {
    weight: 8,
    arbitrary: fc
      .tuple(
        fc.nat(20),
        fc.constantFrom(...OUTCOMES),
        fc.constantFrom(null, null, 0, 1_500, DAY_MS),
      )
      .map((of) => (pool: Explained) => {
        pool.end(...of);
      }),
  },
  {
    weight: 3,
    arbitrary: asked.map((of) => (pool: Explained) => {
      pool.wait(...of);
    }),
  },
  {
    weight: 3,
    arbitrary: fc
      .oneof(fc.nat(900), fc.nat(2 * MINUTE_MS), fc.nat(HOUR_MS))
      .map((ms) => (pool: Explained) => {
        pool.world.clock.advance(ms);
      }),
  },
  {
    weight: 1,
    arbitrary: fc
      .integer({ min: -2 * HOUR_MS, max: 2 * HOUR_MS })
      .map((ms) => (pool: Explained) => {
        pool.world.clock.jumpWall(ms);
      }),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.nat(6), fc.nat(20)).map((of) => (pool: Explained) => {
      pool.change(...of);
    }),
  },
);
const someKeys = fc.array(
  fc.record({
    providerId: fc.constantFrom("prv_a", "prv_a", "prv_b"),
    tier: fc.constantFrom("PRIMARY" as const, "PRIMARY" as const, "BACKUP" as const),
    visibility: fc.constantFrom("PUBLIC" as const, "PUBLIC" as const, "PRIVATE" as const),
    quotaGroup: fc.constantFrom(null, null, "account"),
  }),
  { minLength: 1, maxLength: 7 },
);

test("keys that have to be proven come after all that work, of whichever tier and provider, but for a call's first", () => {
  const world = new World([
    aProviderKey("pk_proof_1", {}),
    aProviderKey("pk_proof_2", {}),
    aProviderKey("pk_backup", { tier: "BACKUP" }),
    aProviderKey("pk_elsewhere", { providerId: "prv_second" }),
  ]);
  for (let i = 0; i < 2; i++) world.call("QUOTA_EXHAUSTED", { retryAfterMs: 20_000 });
  world.clock.advance(20_000);
  const ranks = world.pool
    .explain(OWN, aRoute("model-x", "prv_test", "prv_second"), 5)
    .flatMap(({ tiers }) => tiers.flatMap(({ keys }) => keys))
    .toSorted((a, b) => a.rank - b.rank)
    .map(({ providerKeyId }) => providerKeyId);
  assert.deepEqual(ranks, ["pk_proof_1", "pk_backup", "pk_elsewhere", "pk_proof_2"]);
});

test("whatever is called, changed and when, a call gets the very key that the explanation tells", () => {
  fc.assert(
    fc.property(
      someKeys,
      fc.constantFrom(...STRATEGIES),
      fc.array(step, { minLength: 60, maxLength: 200, size: "max" }),
      (parts, strategy, steps) => {
        const pool = new Explained(parts, strategy);
        for (const each of steps) each(pool);
      },
    ),
    { numRuns: 60 },
  );
});
