import assert from "node:assert/strict";
import test from "node:test";
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
import { Fault } from "../core/fault.js";
import { Pool } from "./pool.js";
import type { Lease } from "./lease.js";
import { DEFAULT_ALLOCATION, STRATEGIES } from "./strategy.js";
import type { Strategy } from "./strategy.js";

const CALLS = 10_000;
const KEYS = 10;
const DEAD = "pk_3";
const DEADLINE_MS = 30_000;
const RETRY_AFTER_MS = 1_000;
const PRINCIPAL = aPrincipal("SUPER");
const ROUTE = aRoute();

interface Run {
  readonly clock: FakeClock;
  readonly pool: Pool;
  uniform: () => number;
  /** Until when each key asked not to be called. */
  readonly cooledUntil: Map<string, number>;
  attempts: number;
  callsToCooled: number;
  callsToDead: number;
  failed: number;
}

function start(strategy: Strategy, seed: number): Run {
  const clock = new FakeClock();
  const pool = new Pool({
    clock,
    random: seededRandom(seed),
    logger: silentLogger,
    inService: () => true,
    onHealthChange: () => {},
  });
  const keys = Array.from({ length: KEYS }, (_, at) => aProviderKey(`pk_${at}`));
  pool.load({ keys, users: [], providers: [] }, new Map());
  pool.setAllocation({ ...DEFAULT_ALLOCATION, strategy });
  return {
    clock,
    pool,
    uniform: seededUniform(seed),
    cooledUntil: new Map(),
    attempts: 0,
    callsToCooled: 0,
    callsToDead: 0,
    failed: 0,
  };
}

/** A provider that limits 30 % of the calls and fails 10 %; one key of ten it does not know at all. */
function answer(run: Run, keyId: string): AttemptOutcome {
  const now = run.clock.monotonic();
  run.attempts++;
  if ((run.cooledUntil.get(keyId) ?? 0) > now) run.callsToCooled++;
  run.clock.advance(20);
  if (keyId === DEAD) {
    run.callsToDead++;
    return "KEY_REFUSED";
  }
  const draw = run.uniform();
  if (draw < 0.3) {
    run.cooledUntil.set(keyId, run.clock.monotonic() + RETRY_AFTER_MS);
    return "RATE_LIMITED";
  }
  return draw < 0.4 ? "PROVIDER_ERROR" : "OK";
}

/** One call as the gateway makes it: from key to key, waiting for one to come back within the deadline. */
function call(run: Run): boolean {
  const deadline = run.clock.monotonic() + DEADLINE_MS;
  const tried = new Set<string>();
  while (run.clock.monotonic() < deadline) {
    let lease: Lease;
    try {
      lease = run.pool.lease({ principal: PRINCIPAL, route: ROUTE, tried, affinity: "" });
    } catch (thrown) {
      assert.ok(thrown instanceof Fault);
      const wait = run.pool.waitMs(PRINCIPAL, ROUTE);
      if (wait === null) return false;
      run.clock.advance(Math.max(wait, 50));
      tried.clear();
      continue;
    }
    const keyId = lease.providerKey.id;
    const outcome = answer(run, keyId);
    lease.release({
      outcome,
      httpStatus: null,
      latencyMs: 20,
      tokens: 0,
      costMicros: 0,
      retryAfterMs: outcome === "RATE_LIMITED" ? RETRY_AFTER_MS : null,
      detail: "",
    });
    if (outcome === "OK") return true;
    tried.add(keyId);
  }
  return false;
}

test("30 % rate limits, 10 % failures and a dead key of ten are hidden from 99.99 % of 10,000 calls", () => {
  for (const strategy of STRATEGIES) {
    const run = start(strategy, 42);
    for (let i = 0; i < CALLS; i++) if (!call(run)) run.failed++;
    assert.ok(run.failed <= CALLS / 10_000, `${strategy}: ${run.failed} calls failed`);
    assert.equal(run.callsToCooled, 0, `${strategy}: asked a key that was cooling down`);
    assert.equal(run.callsToDead, 3, `${strategy}: a dead key is asked until it is certain`);
    assert.equal(run.pool.health(DEAD)?.state, "INVALID");
    const perCall = run.attempts / CALLS;
    assert.ok(perCall < 1.75, `${strategy}: ${perCall} attempts for each call`);
  }
});

test("the same seed gives the same run", () => {
  const attempts = [1, 2].map(() => {
    const run = start("SCORE_BASED", 9);
    for (let i = 0; i < 500; i++) call(run);
    return [run.attempts, run.clock.monotonic()];
  });
  assert.deepEqual(attempts[0], attempts[1]);
});

test("with rate limits alone a call takes at most 1.6 attempts on average", () => {
  const run = start("SCORE_BASED", 5);
  const { uniform } = run;
  run.uniform = () => {
    const draw = uniform();
    return draw < 0.3 ? draw : 0.99;
  };
  for (let i = 0; i < 5_000; i++) assert.ok(call(run));
  assert.ok(run.attempts / 5_000 <= 1.6);
});
