import assert from "node:assert/strict";
import test from "node:test";
import type { AttemptOutcome } from "../../server/core/call.js";
import type { Lease } from "../../server/core/lease.js";
import { WaitingRoom } from "../../server/gateway/waiting-room.js";
import { Failover } from "../../server/gateway/attempt/failover.js";
import { GATEWAY_LIMITS } from "../../server/gateway/limits.js";
import { Pool } from "../../server/pool/pool.js";
import { DEFAULT_ALLOCATION, STRATEGIES, type Strategy } from "../../server/pool/allocation.js";
import { uniformOf } from "../support/chaos-provider.js";
import { FakeClock } from "../support/fake-clock.js";
import {
  aPrincipal,
  aProviderKey,
  aRoute,
  seededRandom,
  silentLogger,
} from "../support/records.js";

const KEYS = 10;
const DEAD = "pk_3";
const LATENCY_MS = 20;
const STEP_MS = 5;
/** What a limited reply says of the time to wait; null for nothing. */
const PACES = [1000, 150, 250, null] as const;
const PRINCIPAL = aPrincipal("SUPER");
const ROUTE = aRoute();

interface Told {
  readonly outcome: AttemptOutcome;
  readonly retryAfterMs: number | null;
}

interface Call {
  readonly number: number;
  readonly startedMs: number;
  readonly failover: Failover;
  readonly trail: string[];
  attempts: number;
}

/** What a provider makes of an attempt on a key; `place` is different for each attempt of each call. */
type Answer = (keyId: string, place: number, nowMs: number) => Told;

/** The pool, the failover and the waiting room together without sockets: thousands of calls in simulated time. */
class Simulation {
  readonly clock = new FakeClock();
  readonly pool: Pool;
  readonly failed: string[] = [];
  attempts = 0;
  attemptsMost = 0;
  callsToCooled = 0;
  callsToDead = 0;
  readonly #room: WaitingRoom;
  readonly #answer: Answer;
  readonly #cooledUntil = new Map<string, number>();
  #calls = 0;
  #begun = 0;
  #done = 0;

  constructor(strategy: Strategy, answer: Answer) {
    const { clock } = this;
    this.#answer = answer;
    this.#room = new WaitingRoom({ clock, callsMax: GATEWAY_LIMITS.waitingCallsMax });
    this.pool = new Pool({
      clock,
      random: seededRandom(42),
      logger: silentLogger,
      inService: () => true,
      onHealthChange: () => {},
    });
    const keys = Array.from({ length: KEYS }, (_, at) => aProviderKey(`pk_${String(at)}`));
    this.pool.load({ keys, users: [], providers: [] }, new Map());
    this.pool.setAllocation({ ...DEFAULT_ALLOCATION, strategy });
  }

  /** Runs that many calls, so many at a time. */
  run(calls: number, callers: number): this {
    this.#calls = calls;
    for (let i = 0; i < callers; i++) this.#begin();
    while (this.#done < calls) this.clock.advance(STEP_MS);
    return this;
  }

  #begin(): void {
    if (this.#begun >= this.#calls) return;
    this.#next({
      number: this.#begun++,
      startedMs: this.clock.monotonic(),
      failover: new Failover(GATEWAY_LIMITS, this.pool),
      trail: [],
      attempts: 0,
    });
  }

  #next(call: Call): void {
    const elapsedMs = this.clock.monotonic() - call.startedMs;
    const { tried } = call.failover;
    if (!call.failover.mayGoOn(elapsedMs)) {
      this.#end(call, "enough was tried");
      return;
    }
    let lease: Lease;
    try {
      lease = this.pool.lease({
        principal: PRINCIPAL,
        route: ROUTE,
        tried,
        affinity: "",
        home: "",
        endpoint: "/v1/chat/completions",
      });
    } catch {
      this.#wait(call, elapsedMs);
      return;
    }
    call.failover.begin();
    this.#send(call, lease);
  }

  #wait(call: Call, elapsedMs: number): void {
    const backMs = this.pool.waitMs(PRINCIPAL, ROUTE);
    const jitter = uniformOf(9, call.number);
    const waitMs = backMs === null ? undefined : call.failover.wait(backMs, elapsedMs, jitter);
    if (waitMs === undefined) {
      this.#end(call, `no key is back before ${String(backMs)} ms`);
      return;
    }
    call.trail.push(`waited ${waitMs.toFixed(0)}`);
    const then = (): void => {
      this.#next(call);
    };
    if (this.#room.enter(PRINCIPAL, waitMs, then) === undefined) this.#end(call, "too many wait");
  }

  #send(call: Call, lease: Lease): void {
    const keyId = lease.providerKey.id;
    const place = call.number * 100 + ++call.attempts;
    this.attempts++;
    if (keyId === DEAD) this.callsToDead++;
    if ((this.#cooledUntil.get(keyId) ?? 0) > this.clock.monotonic()) this.callsToCooled++;
    this.clock.setTimer(() => {
      const nowMs = this.clock.monotonic();
      const told: Told =
        keyId === DEAD
          ? { outcome: "KEY_REFUSED", retryAfterMs: null }
          : this.#answer(keyId, place, nowMs);
      this.#cooledUntil.set(
        keyId,
        Math.max(nowMs + (told.retryAfterMs ?? 0), this.#cooledUntil.get(keyId) ?? 0),
      );
      call.trail.push(`${keyId} ${told.outcome}`);
      const facts = { httpStatus: null, unsent: false, detail: "" };
      lease.release({ ...told, ...facts, endedMs: nowMs });
      if (told.outcome === "OK") {
        this.#end(call, undefined);
        return;
      }
      const rest = { elsewhere: true, kind: undefined, reply: undefined };
      call.failover.failed(lease, { ...told, ...facts, ...rest });
      this.#next(call);
    }, LATENCY_MS);
  }

  #end(call: Call, why: string | undefined): void {
    this.attemptsMost = Math.max(this.attemptsMost, call.attempts);
    if (why !== undefined) this.failed.push(`${why}: ${call.trail.join(", ")}`);
    this.#done++;
    this.clock.setTimer(() => {
      this.#begin();
    }, 1);
  }
}

/** Limits three calls in ten whatever the pace, and fails one in ten. */
function atRandom(_keyId: string, place: number): Told {
  const draw = uniformOf(7, place);
  if (draw >= 0.4) return { outcome: "OK", retryAfterMs: null };
  if (draw >= 0.3) return { outcome: "PROVIDER_ERROR", retryAfterMs: null };
  const pace = PACES[Math.floor(uniformOf(8, place) * PACES.length)];
  return { outcome: "RATE_LIMITED", retryAfterMs: pace ?? null };
}

test("30 % rate limits, 10 % failures and a dead key of ten are hidden from 99.99 % of calls", () => {
  for (const [strategy, callers, calls, secondsMost] of [
    ["SCORE_BASED", 32, 10_000, 110],
    ["SCORE_BASED", 1, 2_000, 120],
    ["SCORE_BASED", 128, 2_000, 12],
    ["ROUND_ROBIN", 32, 2_000, 25],
    ["SEQUENTIAL", 32, 2_000, 18],
    ["LEAST_BUSY", 32, 2_000, 26],
    ["WEIGHTED", 32, 2_000, 26],
  ] as const) {
    const run = new Simulation(strategy, atRandom).run(calls, callers);
    const name = `${strategy}, ${String(callers)} at a time`;
    assert.ok(run.failed.length <= calls / 10_000, `${name}: ${run.failed.join("\n")}`);
    const seconds = run.clock.monotonic() / 1000;
    assert.ok(seconds <= secondsMost, `${name}: took ${String(seconds)} s`);
    assert.equal(run.callsToCooled, 0, `${name}: asked a key that was cooling down`);
    assert.ok(
      run.callsToDead <= callers + 2,
      `${name}: ${String(run.callsToDead)} to the dead key`,
    );
    const perCall = run.attempts / calls;
    assert.ok(perCall < 1.75, `${name}: ${String(perCall)} attempts for each call`);
    assert.ok(run.attemptsMost <= GATEWAY_LIMITS.attemptsMax);
    if (run.clock.monotonic() > 100_000) assert.equal(run.pool.health(DEAD)?.state, "INVALID");
  }
});

test("with rate limits alone a call takes at most 1.6 attempts on average", () => {
  const limited: Answer = (_keyId, place) =>
    uniformOf(5, place) < 0.3
      ? { outcome: "RATE_LIMITED", retryAfterMs: 1000 }
      : { outcome: "OK", retryAfterMs: null };
  const run = new Simulation("SCORE_BASED", limited).run(2_000, 8);
  assert.deepEqual(run.failed, []);
  assert.ok(run.attempts / 2_000 <= 1.6);
});

test("the same run comes out the same", () => {
  for (const strategy of STRATEGIES) {
    const [a, b] = [1, 2].map(() => {
      const run = new Simulation(strategy, atRandom).run(300, 8);
      return [run.attempts, run.clock.monotonic()];
    });
    assert.deepEqual(a, b);
  }
});
