import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import type { Used } from "../core/call.js";
import { FakeClock } from "../../test/support/fake-clock.js";
import { aClientKey } from "../../test/support/records.js";
import { UNLIMITED, type Limits } from "../core/limits.js";
import type { EndedCall } from "./budget-fills.js";
import { Limiter, type Ticket } from "./limiter.js";

const NOON = Date.UTC(2030, 4, 15, 12);
const KEY = { kind: "client key", id: "ck_1" } as const;
const ESTIMATE = { inputTokens: 40, maxOutputTokens: 60, costMicros: 1_000 };
const BUDGET = { period: "DAY", tokens: 1_000_000, costMicros: null } as const;
const USED = { tokens: 18, costMicros: 200 };

/** A limiter whose one client key has a budget or none, and a ledger that lags behind and answers when told. */
class World {
  readonly clock = new FakeClock(NOON);
  readonly #running: { readonly ticket: Ticket; readonly call: EndedCall }[] = [];
  readonly #ended: string[] = [];
  #recorded = 0;
  #limits: Limits = UNLIMITED;
  #asked: { readonly atLeast: number; answer(): void }[] = [];
  #calls = 0;
  readonly limiter = new Limiter({
    clock: this.clock,
    loadSpent: (_subject, _fromMs, booked) =>
      new Promise<Used>((resolve) => {
        const answer = (): void => {
          const known = new Set(booked());
          const count = this.#ended.slice(0, this.#recorded).filter((id) => !known.has(id)).length;
          resolve({ tokens: count * USED.tokens, costMicros: count * USED.costMicros });
        };
        this.#asked.push({ atLeast: this.#ended.length, answer });
      }),
  });

  begin(): void {
    const clientKey = aClientKey(KEY.id, { ownerId: "usr_1", limits: this.#limits });
    const ticket = this.limiter.admit({ ownerId: "usr_1", clientKey }, ESTIMATE, "OPENAI");
    this.#calls += 1;
    const call = { id: `call_${this.#calls}`, startedAt: this.clock.now() };
    this.#running.push({ ticket, call: { ...call, clientKeyId: KEY.id, ownerId: "usr_1" } });
  }

  end(): void {
    const [first] = this.#running.splice(0, 1);
    if (first === undefined) return;
    first.ticket.settle(USED, first.call);
    this.#ended.push(first.call.id);
  }

  /** What was used in a batch goes on record as a call. */
  book(): void {
    this.#calls += 1;
    const call = { id: `call_${this.#calls}`, startedAt: this.clock.now() };
    this.limiter.book(USED, { ...call, clientKeyId: KEY.id, ownerId: "usr_1" });
    this.#ended.push(call.id);
  }

  /** The ledger takes in what has ended, or some of it. */
  record(count = this.#ended.length): void {
    this.#recorded = Math.min(this.#ended.length, this.#recorded + count);
  }

  setBudget(isSet: boolean): void {
    this.#limits = isSet ? { ...UNLIMITED, budgets: [BUDGET] } : UNLIMITED;
    this.limiter.setLimits(KEY, this.#limits);
  }

  /** The ledger answers what it was asked, once it has caught up to then. */
  async answer(): Promise<void> {
    const [first] = this.#asked.splice(0, 1);
    if (first === undefined) return;
    this.#recorded = Math.max(this.#recorded, first.atLeast);
    first.answer();
    await new Promise(setImmediate);
  }

  /** Ends and answers all that is left; what the budget has used then is what all calls have. */
  async mustAddUp(): Promise<void> {
    while (this.#running.length > 0) this.end();
    this.setBudget(true);
    while (this.#asked.length > 0) await this.answer();
    assert.equal(this.use, this.#ended.length * USED.tokens);
  }

  get use(): number | undefined {
    return this.limiter.budgetUse(KEY, [BUDGET])[0]?.tokens;
  }
}

test("a call that was running when the budget was set counts when it ends", async () => {
  const world = new World();
  world.begin();
  world.begin();
  world.setBudget(true);
  await world.answer();
  assert.equal(world.use, 0);
  world.end();
  assert.equal(world.use, USED.tokens);
  world.record();
  await world.mustAddUp();
});

test("what ends while the ledger is being read counts once, whether the ledger has it already or not", async () => {
  for (const recorded of [0, 1, 2]) {
    const world = new World();
    world.begin();
    world.setBudget(true);
    world.begin();
    world.end();
    world.end();
    world.record(recorded);
    await world.answer();
    assert.equal(world.use, 2 * USED.tokens, `${recorded} recorded`);
  }
});

test("what a batch uses while the ledger is being read counts once, whether the ledger has it already or not", async () => {
  for (const recorded of [0, 1, 2]) {
    const world = new World();
    world.book();
    world.setBudget(true);
    world.book();
    world.record(recorded);
    await world.answer();
    assert.equal(world.use, 2 * USED.tokens, `${recorded} recorded`);
  }
});

test("what others' calls use meanwhile is left to them", async () => {
  const asked: (() => readonly string[])[] = [];
  const limiter = new Limiter({
    clock: new FakeClock(NOON),
    loadSpent: async (_subject, _span, booked) => {
      asked.push(booked);
      await new Promise(() => undefined);
      return { tokens: 0, costMicros: 0 };
    },
  });
  const limits = { ...UNLIMITED, budgets: [BUDGET] };
  limiter.setLimits(KEY, limits);
  for (const [id, own] of [
    ["ck_2", UNLIMITED],
    [KEY.id, limits],
  ] as const) {
    const clientKey = aClientKey(id, { ownerId: "usr_1", limits: own });
    const principal = { ownerId: "usr_1", clientKey };
    const call = { id: `call_of_${id}`, startedAt: NOON, clientKeyId: id, ownerId: "usr_1" };
    limiter.admit(principal, ESTIMATE, "OPENAI").settle(USED, call);
  }
  assert.deepEqual(asked[0]?.(), ["call_of_ck_1"]);
  assert.equal(limiter.budgetUse(KEY, [BUDGET])[0]?.tokens, USED.tokens);
});

test("a call that ends while the clock is days ahead counts once when it is right again", async () => {
  const clock = new FakeClock(NOON);
  const loadSpent = (): Promise<Used> => Promise.resolve({ tokens: 0, costMicros: 0 });
  const limiter = new Limiter({ clock, loadSpent });
  const limits = { ...UNLIMITED, budgets: [BUDGET] };
  const clientKey = aClientKey(KEY.id, { ownerId: "usr_1", limits });
  const begin = (): Ticket => limiter.admit({ ownerId: "usr_1", clientKey }, ESTIMATE, "OPENAI");
  const running = begin();
  clock.jumpWall(3 * 86_400_000);
  begin();
  await new Promise(setImmediate);
  const call = { id: "call_1", startedAt: NOON, clientKeyId: KEY.id, ownerId: "usr_1" };
  running.settle(USED, call);
  clock.jumpWall(-3 * 86_400_000);
  begin();
  await new Promise(setImmediate);
  assert.equal(limiter.budgetUse(KEY, [BUDGET])[0]?.tokens, USED.tokens + 100);
});

test("a budget that is set again counts what was spent without it", async () => {
  const world = new World();
  world.setBudget(true);
  await world.answer();
  world.begin();
  world.setBudget(false);
  world.end();
  for (let i = 0; i < 5; i++) {
    world.begin();
    world.end();
  }
  assert.equal(world.use, 0);
  world.setBudget(true);
  await world.answer();
  assert.equal(world.use, 6 * USED.tokens);
});

test("whatever the order, each call counts once in a budget", async () => {
  const step = fc.constantFrom("begin", "begin", "end", "book", "record", "answer", "set", "unset");
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: "max" }), async (steps) => {
      const world = new World();
      for (const each of steps) {
        if (each === "begin") world.begin();
        else if (each === "end") world.end();
        else if (each === "book") world.book();
        else if (each === "record") world.record(1);
        else if (each === "answer") await world.answer();
        else world.setBudget(each === "set");
      }
      await world.mustAddUp();
    }),
    { numRuns: 300 },
  );
});

test("a ledger that does not answer while very many calls end is given up and said so", async () => {
  const failed: unknown[] = [];
  const asked: (() => readonly string[])[] = [];
  const limiter = new Limiter({
    clock: new FakeClock(NOON),
    loadSpent: async (_subject, _fromMs, booked) => {
      asked.push(booked);
      await new Promise(setImmediate);
      return { tokens: booked().length, costMicros: 0 };
    },
    onLoadFailed: (_subject, cause) => failed.push(cause),
  });
  const limits = { ...UNLIMITED, budgets: [BUDGET] };
  const clientKey = aClientKey(KEY.id, { ownerId: "usr_1", limits });
  for (let i = 0; i <= 10_000; i++) {
    const ticket = limiter.admit({ ownerId: "usr_1", clientKey }, ESTIMATE, "OPENAI");
    const call = { id: `call_${i}`, startedAt: NOON, clientKeyId: KEY.id, ownerId: "usr_1" };
    ticket.settle({ tokens: 0, costMicros: 0 }, call);
  }
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  assert.equal(asked.length, 1);
  assert.match(String(failed[0]), /too many calls/);
});
