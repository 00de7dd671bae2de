import test from "node:test";
import * as fc from "fast-check";
import { SUPER, World } from "../../test/support/pool-world.js";
import { aProviderKey, aRoute } from "../../test/support/records.js";
import { DAY_MS, HOUR_MS } from "../core/durations.js";

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
