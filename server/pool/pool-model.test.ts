import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { World, OWN, result, SUPER } from "../../test/support/pool-world.js";
import { aProviderKey, aRoute } from "../../test/support/records.js";
import type { AttemptOutcome } from "../core/call.js";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../core/durations.js";
import type { Fault } from "../core/fault.js";
import type { Lease } from "../core/lease.js";
import type { ProviderKey } from "../core/provider-key.js";
import { QUOTA_RESET_MAX_MS, RETRY_AFTER_MAX_MS } from "../core/rests.js";
import {
  COOLDOWN_MIN_MS,
  MODEL_REFUSAL_COOLDOWN_MS,
  RATE_LIMIT_WAIT_MAX_MS,
  REFUSAL_COOLDOWN_MS,
} from "./health-policy.js";
import { STRATEGIES, type Strategy } from "./allocation.js";

/** When a key is to be asked again at the earliest and at the latest, by what is documented. */
interface Rest {
  earliestMs: number;
  latestMs: number;
}

interface Known {
  key: ProviderKey;
  whole: Rest;
  readonly models: Map<string, Rest>;
}

const MODELS = ["m1", "m2"];
const TOLD = [null, 0, 1_500, MINUTE_MS, 2 * HOUR_MS, 40 * DAY_MS];
const OUTCOMES: readonly AttemptOutcome[] = [
  "OK",
  "OK",
  "OK",
  "RATE_LIMITED",
  "RATE_LIMITED",
  "QUOTA_EXHAUSTED",
  "KEY_REFUSED",
  "MODEL_REFUSED",
  "RIGHT_REFUSED",
  "REQUEST_REFUSED",
  "PROVIDER_ERROR",
  "UNREACHABLE",
  "CUT",
  "CALLER_ABORTED",
];
/** Repeated failures rest a key for this long at most. */
const FAILURES_REST_MAX_MS = MINUTE_MS;
const CHANGES: readonly ((key: ProviderKey, nowMs: number) => Partial<ProviderKey>)[] = [
  ({ enabled }) => ({ enabled: !enabled }),
  ({ tier }) => ({ tier: tier === "PRIMARY" ? "BACKUP" : "PRIMARY" }),
  ({ visibility }) => ({ visibility: visibility === "PUBLIC" ? "PRIVATE" : "PUBLIC" }),
  ({ modelAllowlist }) => ({ modelAllowlist: modelAllowlist.length === 0 ? ["m1"] : [] }),
  ({ version }) => ({ fingerprint: `another ${String(version)}` }),
  ({ version }) => ({ name: `renamed ${String(version)}` }),
  ({ expiresAt }, nowMs) => ({ expiresAt: expiresAt === null ? nowMs + HOUR_MS : null }),
];

/** The pool beside what is documented of it. */
class Pair {
  readonly #world: World;
  readonly #known: Map<string, Known>;
  readonly #open: { lease: Lease; model: string }[] = [];

  constructor(keys: readonly ProviderKey[], strategy: Strategy) {
    this.#world = new World(keys, strategy);
    this.#known = new Map(keys.map((key) => [key.id, fresh(key)]));
  }

  /** A call asks for a key: one that the rules let through, and none is refused one that is surely back. */
  begin(model: string, principal: typeof SUPER): void {
    const { pool, clock } = this.#world;
    this.#shows(model, principal);
    const route = aRoute(model);
    const surely = [...this.#known.values()].filter(
      (known) => this.#may(known, model, principal) && this.#isSurelyBack(known, model),
    );
    const waitMs = pool.waitMs(principal, route);
    const explained = pool.explain(principal, route, 50).flatMap((target) => target.tiers);
    let lease: Lease;
    try {
      lease = this.#world.lease({ principal, route });
    } catch (thrown) {
      assert.match((thrown as Fault).code, /^(?:no_(?:public|own)_token|model_not_found)$/);
      assert.deepEqual(surely, [], "a key is surely back");
      assert.notEqual(waitMs, 0);
      return;
    }
    const { id, tier } = lease.providerKey;
    const known = this.#of(id);
    assert.ok(this.#may(known, model, principal), `${id} may not serve this`);
    const earliestMs = Math.max(known.whole.earliestMs, restOf(known, model).earliestMs);
    assert.ok(clock.monotonic() >= earliestMs, `${id} still rests`);
    if (tier === "BACKUP") assert.ok(surely.every(({ key }) => key.tier === "BACKUP"));
    const explanation = explained.flatMap(({ keys }) => keys);
    const told = explanation.find(({ providerKeyId }) => providerKeyId === id);
    assert.ok(told?.standing === "ELIGIBLE" && told.rank > 0);
    this.#open.push({ lease, model });
  }

  /** Which providers and models a caller is shown, and the keys that lists are asked with, are of the caller's own scope. */
  #shows(model: string, principal: typeof SUPER): void {
    const { pool } = this.#world;
    const seen = [...this.#known.values()].filter((known) => isInScope(known.key, principal));
    assert.equal(pool.hasKeys("prv_test", principal), seen.length > 0);
    assert.equal(
      pool.hasKeys("prv_test", principal, model),
      seen.some(({ key }) => serves(key, model)),
    );
    const asked = pool.keysToAsk("prv_test", principal, { turn: 1, keysMax: 10 });
    for (const key of asked) {
      assert.ok(seen.some((known) => known.key === key) && this.#isAlive(key));
    }
  }

  /** A call that waits as long as it is told gets a key. */
  wait(model: string, principal: typeof SUPER): void {
    const { pool, clock } = this.#world;
    const waitMs = pool.waitMs(principal, aRoute(model));
    const mayExpire = [...this.#known.values()].some(({ key }) => key.expiresAt !== null);
    if (waitMs === null || this.#open.length > 0 || mayExpire) return;
    clock.advance(waitMs);
    this.begin(model, principal);
    assert.equal(this.#open.length, 1);
  }

  end(at: number, outcome: AttemptOutcome, told: number | null): void {
    const [ended] = this.#open.splice(at % Math.max(1, this.#open.length), 1);
    if (ended === undefined) return;
    const { lease, model } = ended;
    const isLimit = outcome === "RATE_LIMITED" || outcome === "QUOTA_EXHAUSTED";
    const retryAfterMs = isLimit ? told : null;
    lease.release(result(outcome, { retryAfterMs, httpStatus: 500 }));
    lease.settle({ tokens: 1, costMicros: 1 });
    const known = this.#of(lease.providerKey.id);
    if (known.key.fingerprint === lease.providerKey.fingerprint) {
      this.#learn(known, model, outcome, retryAfterMs);
    }
  }

  change(at: number, kind: number): void {
    const known = [...this.#known.values()][at % this.#known.size];
    const change = CHANGES[kind % CHANGES.length];
    if (known === undefined || change === undefined) return;
    const { key } = known;
    const part = change(key, this.#world.clock.now());
    const next = { ...key, ...part, version: key.version + 1 };
    this.#world.change(next);
    known.key = next;
    const isGivenAnotherChance = part.fingerprint !== undefined || part.enabled === true;
    if (isGivenAnotherChance) this.#known.set(key.id, fresh(next));
  }

  advance(ms: number): void {
    this.#world.clock.advance(ms);
  }

  #learn(known: Known, model: string, outcome: AttemptOutcome, told: number | null): void {
    const nowMs = this.#world.clock.monotonic();
    const extend = (rest: Rest, leastMs: number, mostMs: number): void => {
      rest.earliestMs = Math.max(rest.earliestMs, nowMs + leastMs);
      rest.latestMs = Math.max(rest.latestMs, nowMs + mostMs);
    };
    switch (outcome) {
      case "RATE_LIMITED": {
        const ms =
          told === null ? null : Math.min(Math.max(told, COOLDOWN_MIN_MS), RETRY_AFTER_MAX_MS);
        return extend(restOf(known, model), ms ?? 1_000, ms ?? RATE_LIMIT_WAIT_MAX_MS);
      }
      case "QUOTA_EXHAUSTED": {
        const ms = Math.min(Math.max(told ?? HOUR_MS, COOLDOWN_MIN_MS), QUOTA_RESET_MAX_MS);
        const isInvalid = this.#world.state(known.key.id) === "INVALID";
        return extend(known.whole, isInvalid ? 0 : ms, ms);
      }
      case "KEY_REFUSED":
        extend(known.whole, REFUSAL_COOLDOWN_MS, REFUSAL_COOLDOWN_MS);
        // Out until something shows that it works, and from then on as that says, whatever was said before.
        if (this.#world.state(known.key.id) === "INVALID") known.whole.earliestMs = 0;
        return undefined;
      case "MODEL_REFUSED":
        return extend(restOf(known, model), MODEL_REFUSAL_COOLDOWN_MS, MODEL_REFUSAL_COOLDOWN_MS);
      case "PROVIDER_ERROR":
      case "UNREACHABLE":
      case "CUT":
        return extend(known.whole, 0, FAILURES_REST_MAX_MS);
      default:
        return undefined;
    }
  }

  #may({ key }: Known, model: string, principal: typeof SUPER): boolean {
    const isUsable = isInScope(key, principal) && serves(key, model) && this.#isAlive(key);
    return isUsable && this.#world.state(key.id) !== "INVALID";
  }

  #isAlive({ enabled, expiresAt }: ProviderKey): boolean {
    return enabled && (expiresAt === null || expiresAt > this.#world.clock.now());
  }

  /** Nothing that is documented keeps it any more, nor is it busy with a call that might. */
  #isSurelyBack(known: Known, model: string): boolean {
    const nowMs = this.#world.clock.monotonic();
    const isBusy = this.#open.some(({ lease }) => lease.providerKey.id === known.key.id);
    return !isBusy && nowMs >= Math.max(known.whole.latestMs, restOf(known, model).latestMs);
  }

  #of(id: string): Known {
    const known = this.#known.get(id);
    assert.ok(known !== undefined);
    return known;
  }
}

function isInScope(key: ProviderKey, principal: typeof SUPER): boolean {
  return principal === SUPER ? key.visibility === "PUBLIC" : key.ownerId === principal.ownerId;
}

function serves({ modelAllowlist }: ProviderKey, model: string): boolean {
  return modelAllowlist.length === 0 || modelAllowlist.includes(model);
}

function fresh(key: ProviderKey): Known {
  return { key, whole: { earliestMs: 0, latestMs: 0 }, models: new Map() };
}

function restOf({ models }: Known, model: string): Rest {
  const known = models.get(model) ?? { earliestMs: 0, latestMs: 0 };
  models.set(model, known);
  return known;
}

const model = fc.constantFrom(...MODELS);
const principal = fc.constantFrom(SUPER, SUPER, OWN);
const lapse = fc.oneof(fc.nat(900), fc.nat(2 * MINUTE_MS), fc.nat(HOUR_MS), fc.nat(2 * DAY_MS));
const step: fc.Arbitrary<(pair: Pair) => void> = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.tuple(model, principal).map((of) => (pair: Pair) => {
      pair.begin(...of);
    }),
  },
  {
    weight: 6,
    arbitrary: fc
      .tuple(fc.nat(20), fc.constantFrom(...OUTCOMES), fc.constantFrom(...TOLD))
      .map((of) => (pair: Pair) => {
        pair.end(...of);
      }),
  },
  {
    weight: 3,
    arbitrary: lapse.map((ms) => (pair: Pair) => {
      pair.advance(ms);
    }),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.nat(5), fc.nat(20)).map((of) => (pair: Pair) => {
      pair.change(...of);
    }),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(model, principal).map((of) => (pair: Pair) => {
      pair.wait(...of);
    }),
  },
);
const someKeys = fc.array(
  fc.record({
    tier: fc.constantFrom("PRIMARY" as const, "BACKUP" as const),
    visibility: fc.constantFrom("PUBLIC" as const, "PUBLIC" as const, "PRIVATE" as const),
    ownerId: fc.constantFrom("usr_owner", "usr_other"),
    modelAllowlist: fc.constantFrom([], [], ["m1"]),
  }),
  { minLength: 1, maxLength: 5 },
);

test("whatever is called, changed and when, keys rest as long as is documented, and no longer", () => {
  fc.assert(
    fc.property(
      someKeys,
      fc.constantFrom(...STRATEGIES),
      fc.array(step, { minLength: 100, maxLength: 300, size: "max" }),
      (parts, strategy, steps) => {
        const keys = parts.map((part, at) => aProviderKey(`pk_${String(at)}`, part));
        const pair = new Pair(keys, strategy);
        for (const each of steps) each(pair);
      },
    ),
    { numRuns: 200 },
  );
});
