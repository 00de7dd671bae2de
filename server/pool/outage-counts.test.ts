import assert from "node:assert/strict";
import test from "node:test";
import { FakeClock } from "../../test/support/fake-clock.js";
import { keys, result, SUPER, tally, World } from "../../test/support/pool-world.js";
import { aProviderKey, aRoute, seededRandom, silentLogger } from "../../test/support/records.js";
import { MINUTE_MS } from "../core/durations.js";
import { Pool } from "./pool.js";

const OTHER_CALLER = { ...SUPER, ownerId: "usr_other" };

test("of failures by an outage in a row the first alone is held against a key", () => {
  const world = new World(keys(3), "ROUND_ROBIN");
  const failed = Array.from({ length: 3 }, () => world.call("PROVIDER_ERROR", { httpStatus: 500 }));
  assert.equal(tally(failed).size, 3, "other failures are each key's own");
  for (let i = 0; i < 3; i++) world.call();
  for (let i = 0; i < 3; i++) world.call("TIMEOUT", { httpStatus: null });
  const counted = keys(3).map(({ id }) => world.pool.health(id)?.consecutiveFailures);
  assert.deepEqual(counted, [1, 0, 0]);
});

test("a user alone finds a provider left alone that gives no reply", () => {
  const world = new World(keys(3));
  for (let i = 0; i < 5; i++) world.call("TIMEOUT", { httpStatus: null });
  assert.equal(world.pool.waitMs(SUPER, aRoute()), 1_000);
});

test("connections that cannot be made count whoever of several users meets them", () => {
  const world = new World(keys(3));
  world.call("OK", { principal: OTHER_CALLER });
  world.call();
  for (let i = 0; i < 5; i++) world.call("UNREACHABLE", { httpStatus: null });
  assert.equal(world.pool.waitMs(SUPER, aRoute()), 1_000);
});

test("the Overview tells when the first cooldown ends, also of one key whose provider cannot be reached", () => {
  const world = new World([aProviderKey("pk_a"), aProviderKey("pk_b", { providerId: "prv_b" })]);
  const ends = (): number | null => world.pool.summary().nextCooldownEndAt;
  assert.equal(ends(), null);
  world.call("QUOTA_EXHAUSTED", { retryAfterMs: 500 });
  assert.equal(ends(), null, "that is no cooldown");
  const route = aRoute("model-x", "prv_b");
  for (let i = 0; i < 5; i++) world.call("UNREACHABLE", { httpStatus: null, route });
  assert.equal(ends(), world.clock.now() + 1_000);
  world.clock.advance(MINUTE_MS);
  world.call("OK", { route });
  world.call("OK", { route });
  world.call("KEY_REFUSED", { route });
  world.call("QUOTA_EXHAUSTED", { retryAfterMs: 500 });
  assert.equal(ends(), world.clock.now() + 30_000, "an exhaustion that ends sooner is none");
});

test("the log tells once of an outage which provider is left alone, and why", () => {
  const clock = new FakeClock();
  const said: unknown[] = [];
  const pool = new Pool({
    clock,
    random: seededRandom(1),
    logger: { ...silentLogger, warn: (...words) => void said.push(words) },
    inService: () => true,
    onHealthChange: () => undefined,
  });
  pool.load({ keys: keys(2), users: [], providers: [] }, new Map());
  const call = { principal: SUPER, route: aRoute(), tried: new Set<string>() };
  for (let i = 0; i < 8; i++) {
    clock.advance(pool.waitMs(SUPER, aRoute()) ?? 0);
    const lease = pool.lease({ ...call, affinity: "", home: "", endpoint: "/v1/responses" });
    const endedMs = clock.monotonic();
    lease.release(result("UNREACHABLE", { httpStatus: null, endedMs, detail: "no route to it" }));
  }
  const what = { provider: "prv_test", reason: "no route to it" };
  assert.deepEqual(said, [[what, "provider left alone for a while"]]);
});
