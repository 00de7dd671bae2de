import assert from "node:assert/strict";
import test from "node:test";
import type { Lease } from "../core/lease.js";
import { aRoute } from "../../test/support/records.js";
import { uniformOf } from "../../test/support/chaos-provider.js";
import { keys, result, SUPER, World } from "../../test/support/pool-world.js";
import { CEILING_KEPT_MS, LOADS_MAX, ModelLoad, ModelLoads } from "./model-load.js";
import { STRATEGIES, type Strategy } from "./allocation.js";

const SERVED_MS = 2_000;
const REFUSED_MS = 50;
const STEP_MS = 10;
const RUN_MS = 120_000;
/** Until the first refusal is back nothing can be known. */
const LEARNT_MS = 10_000;

interface Setup {
  readonly keys: number;
  readonly callers: number;
  /** Calls that each key serves at a time; more are refused at once. */
  readonly capacity: number;
  /** Part of the other calls that is refused all the same, however few are under way. */
  readonly refusing: number;
  /** How long the provider counts a call after its reply. */
  readonly countedMs: number;
  /** What a refusal says of the time to wait. */
  readonly retryAfterMs: number | null;
}

const REAL: Omit<Setup, "keys" | "callers" | "capacity"> = {
  refusing: 0,
  countedMs: 0,
  retryAfterMs: null,
};

interface Run {
  served: number;
  /** Once it could be known. */
  refused: number;
}

/** Callers that ask without end. They are told millions of times to wait, and nobody reads where that was thrown. */
function run(strategy: Strategy, setup: Setup): Run {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return runCallers(strategy, setup);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function runCallers(strategy: Strategy, setup: Setup): Run {
  const world = new World(keys(setup.keys), strategy);
  const { clock, pool } = world;
  const busy = new Map<string, number>();
  const counts: Run = { served: 0, refused: 0 };
  const startedMs = clock.monotonic();
  const { retryAfterMs } = setup;
  let asked = 0;
  const end = (lease: Lease, outcome: "OK" | "RATE_LIMITED", next: () => void): void => {
    const isOk = outcome === "OK";
    const told = isOk ? { httpStatus: 200 } : { httpStatus: 429, retryAfterMs };
    lease.release(result(outcome, told));
    next();
  };
  const ask = (): void => {
    let lease: Lease;
    try {
      lease = world.lease();
    } catch {
      const waitMs = pool.waitMs(SUPER, aRoute()) ?? 1_000;
      clock.setTimer(ask, Math.max(waitMs, STEP_MS));
      return;
    }
    const { id } = lease.providerKey;
    const atOnce = busy.get(id) ?? 0;
    const draw = uniformOf(11, asked++);
    if (atOnce >= setup.capacity || draw < setup.refusing) {
      if (clock.monotonic() > startedMs + LEARNT_MS) counts.refused++;
      clock.setTimer(() => end(lease, "RATE_LIMITED", ask), REFUSED_MS);
      return;
    }
    busy.set(id, atOnce + 1);
    // From half of it to one and a half, so that calls do not end together.
    const takesMs = SERVED_MS * (0.5 + ((asked * 7) % 16) / 16);
    clock.setTimer(() => {
      const free = (): void => void busy.set(id, (busy.get(id) ?? 0) - 1);
      if (setup.countedMs === 0) free();
      else clock.setTimer(free, setup.countedMs);
      counts.served++;
      end(lease, "OK", ask);
    }, takesMs);
  };
  for (let caller = 0; caller < setup.callers; caller++) clock.setTimer(ask, caller);
  while (clock.monotonic() < startedMs + RUN_MS) clock.advance(STEP_MS);
  return counts;
}

test("callers in excess of what the provider takes at a time cost hardly a refusal, and what it takes is used", () => {
  for (const strategy of STRATEGIES) {
    for (const setup of [
      { keys: 1, capacity: 8, callers: 30 },
      { keys: 4, capacity: 4, callers: 64 },
    ]) {
      const { served, refused } = run(strategy, { ...REAL, ...setup });
      const possible = (setup.keys * setup.capacity * RUN_MS) / SERVED_MS;
      const name = `${strategy}, ${setup.keys} keys: ${served} of ${possible}, ${refused} refused`;
      assert.ok(served > possible * 0.8, name);
      assert.ok(refused < served / 12, name);
    }
  }
});

test("a provider that counts a call for a moment after its reply is not run into again and again", () => {
  for (const setup of [
    { keys: 1, capacity: 8, callers: 30 },
    { keys: 4, capacity: 4, callers: 64 },
  ]) {
    const { served, refused } = run("SCORE_BASED", { ...REAL, ...setup, countedMs: 20 });
    const possible = (setup.keys * setup.capacity * RUN_MS) / SERVED_MS;
    const name = `${setup.keys} keys: ${served} of ${possible}, ${refused} refused`;
    assert.ok(served > possible * 0.7, name);
    assert.ok(refused < served / 2, name);
  }
});

test("refusals at random, however many calls are under way, are not taken for a limit of calls at a time", () => {
  const nine = STRATEGIES.map((strategy) => ({ strategy, keys: 9, callers: 32, refusing: 0.3 }));
  for (const setup of [
    ...nine,
    { strategy: "SCORE_BASED" as const, keys: 9, callers: 120, refusing: 0.1 },
    { strategy: "SCORE_BASED" as const, keys: 1, callers: 16, refusing: 0.1 },
  ]) {
    const { strategy, keys: count, refusing } = setup;
    const random = { ...REAL, ...setup, capacity: Infinity };
    const told = run(strategy, { ...random, retryAfterMs: 1_000 });
    const untold = run(strategy, random);
    const name = `${strategy}, ${count} keys, ${refusing}: ${untold.served} of ${told.served}`;
    assert.ok(untold.served > told.served * 0.85, name);
  }
});

test("once calls at a time were limited no more are let through, and one more after four rounds of successes", () => {
  const world = new World(keys(1));
  const [first, second, third] = [world.lease(), world.lease(), world.lease()];
  third.release(result("RATE_LIMITED", { httpStatus: 429 }));
  world.clock.advance(1_000);
  world.fails("no_public_token");
  assert.ok((world.pool.waitMs(SUPER, aRoute()) ?? 0) > 0, "calls wait for it");
  const explained = world.pool.explain(SUPER, aRoute(), 1)[0]?.tiers[0]?.keys[0];
  assert.equal(explained?.ceiling, 2);
  assert.equal(explained?.rank, 0);
  assert.match(explained?.reason ?? "", /all the calls at a time/);
  assert.equal(world.lease({ route: aRoute("another") }).providerKey.id, "pk_00000");
  first.release(result("OK"));
  second.release(result("OK"));
  for (let round = 0; round < 4; round++) {
    const both = [world.lease(), world.lease()];
    if (round < 3) world.fails("no_public_token");
    for (const lease of both) lease.release(result("OK"));
  }
  world.lease();
  world.lease();
  world.lease();
  world.fails("no_public_token");
});

test("a limit that says when it ends, or is met below what was served, is none of calls at a time", () => {
  const world = new World(keys(1));
  const held = [world.lease(), world.lease()];
  world.lease().release(result("RATE_LIMITED", { httpStatus: 429, retryAfterMs: 1_000 }));
  world.clock.advance(1_000);
  held.push(world.lease(), world.lease());
  for (const lease of held) lease.release(result("OK"));
  world.lease().release(result("RATE_LIMITED", { httpStatus: 429 }));
  world.clock.advance(1_000);
  for (let at = 0; at < 5; at++) world.lease();
});

test("what limits have shown is forgotten in time, and when the key's owner says that it works", () => {
  const load = new ModelLoad();
  load.inFlight = 1;
  load.limited({ inFlight: 2, limits: 0, begun: 2 }, 0);
  assert.ok(load.isFull);
  load.served({ inFlight: 1, limits: 1, begun: 1 }, CEILING_KEPT_MS + 1);
  assert.ok(!load.isFull);
  const world = new World(keys(1));
  world.lease();
  world.lease().release(result("RATE_LIMITED", { httpStatus: 429 }));
  world.fails("no_public_token");
  world.pool.resetHealth("pk_00000");
  world.lease();
});

test("models that callers make up push out no ceiling, nor a model that is being called", () => {
  const loads = new ModelLoads();
  const calls = [0, 1, 2].map(() => ({ ...pickBegin(loads.begin("limited")) }));
  const load = loads.begin("limited");
  const refused = { ...pickBegin(load) };
  load.inFlight--;
  load.limited(refused, 0);
  assert.equal(loads.ceiling("limited"), calls.length);
  load.inFlight = 0;
  loads.begin("busy");
  for (let at = 0; at < 3 * LOADS_MAX; at++) loads.begin(`made-up-${String(at)}`).inFlight = 0;
  assert.equal(loads.ceiling("limited"), calls.length);
  assert.equal(loads.begin("busy").inFlight, 2);
});

function pickBegin({
  inFlight,
  limits,
  begun,
}: ModelLoad): Pick<ModelLoad, "inFlight" | "limits" | "begun"> {
  return { inFlight, limits, begun };
}
