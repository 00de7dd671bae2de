import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { result, SUPER, World } from "../../test/support/pool-world.js";
import { aProviderKey, aRoute } from "../../test/support/records.js";
import { DAY_MS, HOUR_MS } from "../core/durations.js";
import type { Lease } from "../core/lease.js";
import type { ProviderKey } from "../core/provider-key.js";
import { CandidateSet } from "./candidate-set.js";

const ASKED = aRoute("model-a");
const OTHER = aRoute("model-b");
const QUOTA = { period: "DAY", requests: 5, tokens: null, costMicros: null } as const;

/** What the wall clock ends is seen to the second. */
const seconds = (maxMs: number) =>
  fc.integer({ min: 1, max: maxMs / 1000 }).map((count) => count * 1000);

const aKey = fc.record({
  expiresInMs: fc.option(seconds(2 * DAY_MS)),
  restMs: fc.option(fc.integer({ min: 1000, max: HOUR_MS })),
  modelRestMs: fc.option(fc.integer({ min: 1000, max: HOUR_MS })),
  quotaSpent: fc.boolean(),
  isGone: fc.boolean(),
});

test("a key is back when the pool says so and not before, and none comes where it says none", () => {
  fc.assert(
    fc.property(
      fc.array(aKey, { minLength: 1, maxLength: 4 }),
      seconds(DAY_MS - 1000),
      (plans, sinceMidnightMs) => {
        const world = new World([]);
        world.clock.advance(sinceMidnightMs);
        for (const [at, plan] of plans.entries()) {
          // Alone, so that what is done is done to it.
          const id = `pk_${String(at)}`;
          const { expiresInMs, restMs, modelRestMs } = plan;
          const expiresAt = expiresInMs === null ? null : world.clock.now() + expiresInMs;
          const key = aProviderKey(id, { quota: plan.quotaSpent ? QUOTA : null, expiresAt });
          const tried = plans.map((_, each) => `pk_${String(each)}`).filter((each) => each !== id);
          const endedMs = world.clock.monotonic();
          const end = { httpStatus: 429, endedMs, unsent: false, detail: "" };
          world.change(key);
          const leases = Array.from({ length: 5 }, () => world.lease({ tried, route: OTHER }));
          if (!plan.quotaSpent && modelRestMs !== null) {
            const limited = world.lease({ tried, route: ASKED });
            limited.release({ ...end, outcome: "RATE_LIMITED", retryAfterMs: modelRestMs });
          }
          const outcome = restMs === null ? "CALLER_ABORTED" : "QUOTA_EXHAUSTED";
          for (const lease of leases) lease.release({ ...end, outcome, retryAfterMs: restMs });
          if (plan.isGone) world.change({ ...key, enabled: false });
        }
        const waitMs = world.pool.waitMs(SUPER, ASKED);
        if (waitMs === null) {
          world.clock.advance(3 * DAY_MS);
          world.fails("no_public_token", { route: ASKED });
          return;
        }
        if (waitMs > 0) {
          world.clock.advance(waitMs - 1);
          world.fails("no_public_token", { route: ASKED });
          world.clock.advance(1);
        }
        world.lease({ route: ASKED });
      },
    ),
  );
});

test("when the first key is back, and whether any serves the model, is known through all that happens to them, as by looking at each anew", () => {
  const keys = Array.from({ length: 5 }, (_, at) => `pk_${String(at)}`);
  const step = fc.record({
    isLate: fc.boolean(),
    key: fc.constantFrom(...keys),
    isAsked: fc.boolean(),
    outcome: fc.constantFrom(
      "OK",
      "RATE_LIMITED",
      "QUOTA_EXHAUSTED",
      "KEY_REFUSED",
      "MODEL_REFUSED",
      "PROVIDER_ERROR",
    ),
    restMs: fc.option(fc.integer({ min: 1000, max: HOUR_MS })),
    change: fc.constantFrom("", "", "", "", "enable", "disable", "expire", "last", "ban", "unban"),
    passMs: fc.constantFrom(0, 0, 1, 5_000, HOUR_MS / 2),
    setMs: fc.constantFrom(0, 0, 0, 0, 0, HOUR_MS, -HOUR_MS),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 40, size: "max" }), (steps) => {
      const world = new World(keys.map((id) => keyOf(id)));
      const { clock, pool } = world;
      const running: (() => void)[] = [];
      for (const { key, isAsked, isLate, outcome, restMs, change, passMs, setMs } of steps) {
        const route = isAsked ? ASKED : OTHER;
        const tried = keys.filter((each) => each !== key);
        const lease = tryLease(world, { tried, route });
        const endedMs = clock.monotonic();
        const end = result(outcome, { endedMs, retryAfterMs: restMs });
        // Some end after the next ones.
        for (const each of isLate ? [] : running.splice(0)) each();
        if (lease !== undefined) running.push(() => lease.release(end));
        if (change === "ban" || change === "unban")
          world.ban(`usr_of_${key}`, change === "ban" ? "BANNED" : "ACTIVE");
        else if (change !== "") world.change(keyOf(key, changeOf(change, clock.now())));
        clock.advance(passMs);
        clock.jumpWall(setMs);
        const nowMs = clock.monotonic();
        pool.registry.wake(nowMs);
        for (const lane of pool.registry.index.lanes("prv_test", { kind: "PUBLIC" })) {
          const set = lane.candidates("model-a");
          const anew = new CandidateSet(set.members, set.cursors, set.model);
          const [knownMs, wantedMs] = [set.nextBackMs(nowMs), anew.nextBackMs(nowMs)];
          assert.equal(set.serving, anew.serving);
          anew.dissolve();
          // Of a key on proof, or with all its calls, nobody knows when; then the one is asked a little earlier than the other.
          const isEarlier = knownMs > nowMs && knownMs <= wantedMs;
          const isGuess = set.members.some(
            ({ standing, loads }) => standing === "PROBING" || loads.isFull("model-a"),
          );
          assert.ok(knownMs === wantedMs || (isGuess && isEarlier), `${knownMs} ${wantedMs}`);
        }
      }
    }),
  );
});

function tryLease(world: World, options: Parameters<World["lease"]>[0]): Lease | undefined {
  try {
    return world.lease(options);
  } catch {
    return undefined;
  }
}

/** Each is somebody else's. */
function keyOf(id: string, more: Partial<ProviderKey> = {}): ProviderKey {
  return aProviderKey(id, { ownerId: `usr_of_${id}`, ...more });
}

function changeOf(change: string, nowMs: number): Partial<ProviderKey> {
  if (change === "disable") return { enabled: false };
  if (change === "expire") return { expiresAt: nowMs + 10_000 };
  return change === "last" ? { expiresAt: nowMs + DAY_MS, quota: { ...QUOTA, requests: 2 } } : {};
}
