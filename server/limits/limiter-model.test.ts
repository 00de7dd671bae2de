import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { FakeClock } from "../../test/support/fake-clock.js";
import { aClientKey } from "../../test/support/records.js";
import type { Estimate, Used } from "../core/call.js";
import { HOUR_MS } from "../core/durations.js";
import type { Fault } from "../core/fault.js";
import { UNLIMITED, type Budget, type Limits } from "../core/limits.js";
import { periodStart } from "../core/period.js";
import { Limiter, SERVER, type Ticket } from "./limiter.js";
import { WINDOW_ENTRIES_MAX, WINDOW_MS } from "./sliding-window.js";

/** Busy windows join neighbours, which counts the earlier one longer by no more than this. */
const SLACK_MS = (3 * WINDOW_MS) / WINDOW_ENTRIES_MAX;
const OWNER = "usr_1";
const KEYS = ["ck_1", "ck_2"];
const SUBJECTS = [...KEYS, OWNER, SERVER.id];
const BEFORE_MIDNIGHT = Date.UTC(2030, 3, 30, 23, 50);

/** A call as the documented rules see it. */
interface Call {
  readonly id: string;
  readonly clientKeyId: string;
  readonly startedAt: number;
  readonly atMs: number;
  readonly estimate: Estimate;
  readonly ticket: Ticket;
  used: Used | null;
  /** The limits that each of its subjects had when it was admitted. */
  readonly limits: ReadonlyMap<string, Limits>;
}

/** The rules of limits, told as plainly as they can be: it looks at every call there ever was. */
class Rules {
  readonly calls: Call[] = [];
  readonly limits = new Map<string, Limits>(SUBJECTS.map((id) => [id, UNLIMITED]));
  /** When budgets of a subject were last set, as the number of calls admitted by then. */
  readonly #since = new Map<string, number>();

  set(id: string, limits: Limits): void {
    const before = this.limits.get(id)?.budgets ?? [];
    this.limits.set(id, limits);
    for (const { period } of limits.budgets) {
      if (before.some((each) => each.period === period)) continue;
      this.#since.set(`${id} ${period}`, this.calls.length);
    }
  }

  /** What a budget of a subject has used: what is spent, and what calls have set aside since it was set. */
  used(id: string, { period }: Budget, nowMs: number): Used {
    const sum = { tokens: 0, costMicros: 0 };
    const since = this.#since.get(`${id} ${period}`) ?? 0;
    this.calls.forEach((call, at) => {
      if (!isOf(call, id)) return;
      if (periodStart(period, call.startedAt) !== periodStart(period, nowMs)) return;
      if (call.used === null && at < since) return;
      const { tokens, costMicros } = call.used ?? spendingOf(call.estimate);
      sum.tokens += tokens;
      sum.costMicros += costMicros;
    });
    return sum;
  }

  /** Why a call must be refused; with a slack, why it may be. */
  refuses(
    clientKeyId: string,
    estimate: Estimate,
    now: { wallMs: number; atMs: number; slackMs: number },
  ): string | null {
    const whys = [clientKeyId, OWNER, SERVER.id].map((id) =>
      this.#refusesOne(id, this.limits.get(id) ?? UNLIMITED, estimate, now),
    );
    return whys.find((why) => why === SPENT) ?? whys.find((why) => why !== null) ?? null;
  }

  #refusesOne(
    id: string,
    limits: Limits,
    estimate: Estimate,
    now: { wallMs: number; atMs: number; slackMs: number },
  ): string | null {
    const asked = spendingOf(estimate);
    for (const budget of limits.budgets) {
      const used = this.used(id, budget, now.wallMs);
      for (const part of ["tokens", "costMicros"] as const) {
        const limit = budget[part];
        if (limit === null) continue;
        if (used[part] + asked[part] > limit || used[part] >= limit) return SPENT;
      }
    }
    const mine = this.calls.filter((call) => isOf(call, id));
    const running = mine.filter((call) => call.used === null);
    if (limits.concurrency !== null && running.length >= limits.concurrency) return RATE;
    const late = mine.filter((call) => call.atMs > now.atMs - WINDOW_MS - now.slackMs);
    const { requestsPerMinute: rpm, tokensPerMinute: tpm } = limits;
    const asks = late.filter((call) => (call.limits.get(id)?.requestsPerMinute ?? null) !== null);
    if (rpm !== null && asks.length + 1 > rpm) return RATE;
    if (tpm === null) return null;
    let tokens = Math.min(asked.tokens, tpm);
    for (const call of late) {
      const then = call.limits.get(id)?.tokensPerMinute ?? null;
      if (then === null) continue;
      tokens += call.used?.tokens ?? Math.min(spendingOf(call.estimate).tokens, then);
    }
    return tokens > tpm ? RATE : null;
  }
}

const RATE = "rate_limit_exceeded";
const SPENT = "budget_exceeded";

function isOf(call: Call, id: string): boolean {
  return id === SERVER.id || id === OWNER || call.clientKeyId === id;
}

function spendingOf({ inputTokens, maxOutputTokens, costMicros }: Estimate): Used {
  return { tokens: inputTokens + maxOutputTokens, costMicros };
}

const someLimits = fc.oneof(
  { weight: 1, arbitrary: fc.constant(UNLIMITED) },
  {
    weight: 4,
    arbitrary: fc.record({
      requestsPerMinute: fc.option(fc.integer({ min: 1, max: 12 })),
      tokensPerMinute: fc.option(fc.integer({ min: 1, max: 800 })),
      concurrency: fc.option(fc.integer({ min: 1, max: 5 })),
      budgets: fc.uniqueArray(
        fc.record({
          period: fc.constantFrom("DAY" as const, "WEEK" as const, "MONTH" as const),
          tokens: fc.option(fc.integer({ min: 0, max: 3_000 })),
          costMicros: fc.option(fc.integer({ min: 0, max: 30_000 })),
        }),
        { selector: (budget) => budget.period, maxLength: 2 },
      ),
    }),
  },
);

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("begin" as const),
      key: fc.constantFrom(...KEYS),
      input: fc.nat(100),
      output: fc.nat(100),
      cost: fc.nat(2_000),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("end" as const),
      at: fc.nat(),
      tokens: fc.nat(250),
      cost: fc.nat(2_500),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("advance" as const),
      ms: fc.oneof(fc.nat(900), fc.nat(20_000), fc.nat(2 * HOUR_MS)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("set" as const),
      id: fc.constantFrom(...SUBJECTS),
      limits: someLimits,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("jump" as const),
      ms: fc.constantFrom(HOUR_MS, -HOUR_MS),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The limiter beside the rules. */
class Pair {
  readonly clock = new FakeClock(BEFORE_MIDNIGHT);
  readonly rules = new Rules();
  readonly limiter = new Limiter({
    clock: this.clock,
    ownerLimits: () => this.rules.limits.get(OWNER) ?? null,
    serverLimits: () => this.rules.limits.get(SERVER.id) ?? UNLIMITED,
    underWay: ({ id }) =>
      this.rules.calls.filter((call) => call.used === null && isOf(call, id)).length,
    loadSpent: ({ id }, { startMs, endMs }, booked) => {
      const sum = { tokens: 0, costMicros: 0 };
      const except = booked();
      for (const call of this.rules.calls) {
        const isIn = call.startedAt >= startMs && call.startedAt < endMs;
        if (call.used === null || !isIn || !isOf(call, id) || except.includes(call.id)) continue;
        sum.tokens += call.used.tokens;
        sum.costMicros += call.used.costMicros;
      }
      return Promise.resolve(sum);
    },
  });

  async take(each: Step): Promise<void> {
    if (each.kind === "begin") this.#begin(each);
    if (each.kind === "end") this.#end(each);
    if (each.kind === "advance") this.clock.advance(each.ms);
    if (each.kind === "jump") this.#jump(each.ms);
    if (each.kind === "set" && !this.#knowsTomorrow()) this.#set(each);
    for (let i = 0; i < 4; i++) await Promise.resolve();
    this.#compareBudgets();
  }

  /**
   * The clock was ahead over midnight, and calls were made. A budget that is set now does not look for them: it begins
   * the next day at nothing, as on every other day.
   */
  #knowsTomorrow(): boolean {
    const nowMs = this.clock.now();
    return this.rules.calls.some(({ startedAt }) => periodStart("DAY", startedAt) > nowMs);
  }

  #begin({ key, input, output, cost }: Step & { kind: "begin" }): void {
    const estimate = { inputTokens: input, maxOutputTokens: output, costMicros: cost };
    const limits = this.rules.limits.get(key) ?? UNLIMITED;
    const clientKey = aClientKey(key, { ownerId: OWNER, limits });
    const now = { wallMs: this.clock.now(), atMs: this.clock.monotonic() };
    const must = this.rules.refuses(key, estimate, { ...now, slackMs: 0 });
    const may = this.rules.refuses(key, estimate, { ...now, slackMs: SLACK_MS });
    let ticket: Ticket;
    try {
      ticket = this.limiter.admit({ ownerId: OWNER, clientKey }, estimate, "OPENAI");
    } catch (thrown) {
      const { code, retryAfterSeconds = 0 } = thrown as Fault;
      assert.equal(code, must ?? may, "refused for no reason");
      assert.ok(retryAfterSeconds >= 1);
      return;
    }
    assert.equal(must, null, "let in beyond a limit");
    this.rules.calls.push({
      id: `call_${String(this.rules.calls.length)}`,
      clientKeyId: key,
      startedAt: now.wallMs,
      atMs: now.atMs,
      estimate,
      ticket,
      used: null,
      limits: new Map(this.rules.limits),
    });
  }

  #end({ at, tokens, cost }: Step & { kind: "end" }): void {
    const running = this.rules.calls.filter((call) => call.used === null);
    const call = running[at % Math.max(1, running.length)];
    if (call === undefined) return;
    const used = { tokens, costMicros: cost };
    const { id, startedAt, clientKeyId } = call;
    call.used = used;
    call.ticket.settle(used, { id, startedAt, clientKeyId, ownerId: OWNER });
  }

  /** The next call finds that the clock is in another period, and asks the ledger; here that is done at once. */
  #jump(ms: number): void {
    this.clock.jumpWall(ms);
    for (const [id, limits] of this.rules.limits) this.limiter.setLimits(subjectOf(id), limits);
  }

  #set({ id, limits }: Step & { kind: "set" }): void {
    this.rules.set(id, limits);
    this.limiter.setLimits(subjectOf(id), limits);
  }

  #compareBudgets(): void {
    for (const id of SUBJECTS) {
      const budgets = this.rules.limits.get(id)?.budgets ?? [];
      for (const { budget, tokens, costMicros } of this.limiter.budgetUse(subjectOf(id), budgets)) {
        const wanted = this.rules.used(id, budget, this.clock.now());
        assert.deepEqual({ tokens, costMicros }, wanted, `${id} ${budget.period}`);
      }
    }
  }
}

function subjectOf(id: string): Parameters<Limiter["setLimits"]>[0] {
  if (id === SERVER.id) return SERVER;
  return { kind: id === OWNER ? "user" : "client key", id };
}

test("whatever is called, changed and when, the limiter lets in what the rules let in", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(someLimits, { minLength: SUBJECTS.length, maxLength: SUBJECTS.length }),
      fc.array(step, { maxLength: 120, size: "max" }),
      async (first, steps) => {
        const pair = new Pair();
        for (const [at, limits] of first.entries()) {
          await pair.take({ kind: "set", id: SUBJECTS[at] ?? OWNER, limits });
        }
        for (const each of steps) await pair.take(each);
      },
    ),
    { numRuns: 150 },
  );
});
