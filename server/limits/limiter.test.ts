import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { FakeClock } from "../../test/support/fake-clock.js";
import { aClientKey } from "../../test/support/records.js";
import type { Principal } from "../core/client-key.js";
import type { Fault, FaultCode } from "../core/fault.js";
import { UNLIMITED, type Budget, type Limits } from "../core/limits.js";
import type { Dialect } from "../core/provider.js";
import { periodEnd, periodStart } from "../core/period.js";
import { duration } from "./headers.js";
import type { SubjectId } from "./limit-subject.js";
import { Limiter, type LimiterOptions, SERVER, type Ticket } from "./limiter.js";
import { restoreBudgets } from "./restore-budgets.js";

const NOON = Date.UTC(2030, 4, 15, 12);
const DAY_MS = 86_400_000;

function world(options: Partial<LimiterOptions> = {}): { clock: FakeClock; limiter: Limiter } {
  const clock = new FakeClock(NOON);
  return { clock, limiter: new Limiter({ clock, ...options }) };
}

function who(limits: Partial<Limits>, id = "ck_1", ownerId = "usr_1"): Principal {
  return { ownerId, clientKey: aClientKey(id, { ownerId, limits: { ...UNLIMITED, ...limits } }) };
}

const CALL = { inputTokens: 40, maxOutputTokens: 60, costMicros: 1_000 };

/** Header lines by name. */
function pairs(headers: string): Map<string, string> {
  assert.match(headers, /^(?:[a-z-]+: \S+\r\n)*$/);
  return new Map(
    Array.from(headers.matchAll(/(.+): (.+)\r\n/g), ([, name = "", value = ""]) => [name, value]),
  );
}

function admits(limiter: Limiter, principal: Principal, estimate = CALL): Ticket | FaultCode {
  try {
    return limiter.admit(principal, estimate, "OPENAI");
  } catch (thrown) {
    return (thrown as Fault).code;
  }
}

/** What a key has used of its one budget. */
function used(limiter: Limiter, { clientKey }: Principal): { tokens: number; costMicros: number } {
  const { id, limits } = clientKey;
  const [use] = limiter.budgetUse({ kind: "client key", id }, limits.budgets);
  return { tokens: use?.tokens ?? NaN, costMicros: use?.costMicros ?? NaN };
}

function admitted(limiter: Limiter, principal: Principal, times: number): number {
  let count = 0;
  for (let i = 0; i < times; i++) if (typeof admits(limiter, principal) === "object") count++;
  return count;
}

function refusal(
  limiter: Limiter,
  principal: Principal,
  estimate = CALL,
  dialect: Dialect = "OPENAI",
): Fault {
  try {
    limiter.admit(principal, estimate, dialect);
  } catch (thrown) {
    return thrown as Fault;
  }
  throw new Error("was admitted");
}

test("a key without limits is let through and nothing is kept of it", () => {
  const { limiter } = world();
  assert.equal(admitted(limiter, who({}), 1_000), 1_000);
  assert.equal(limiter.size, 0);
});

test("a burst gets exactly the limit, and the refusal says when to come back", () => {
  const { clock, limiter } = world();
  const key = who({ requestsPerMinute: 100 });
  assert.equal(admitted(limiter, key, 300), 100);
  const fault = refusal(limiter, key);
  assert.equal(fault.code, "rate_limit_exceeded");
  assert.equal(fault.retryAfterSeconds, 60);
  assert.match(fault.publicMessage, /100 requests per minute/);
  clock.advance(59_999);
  assert.equal(admitted(limiter, key, 1), 0);
  clock.advance(1);
  assert.equal(admitted(limiter, key, 300), 100);
});

test("in no minute whatever does more than the limit get through, at any pace", () => {
  const gaps = fc.array(fc.nat(4_000), { minLength: 1, maxLength: 400, size: "max" });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 150 }), gaps, (limit, pauses) => {
      const { clock, limiter } = world();
      const key = who({ requestsPerMinute: limit });
      const times: number[] = [];
      for (const pause of pauses) {
        clock.advance(pause);
        for (let i = 0; i < 3; i++) {
          if (typeof admits(limiter, key) === "object") times.push(clock.monotonic());
        }
      }
      for (let i = limit; i < times.length; i++) {
        assert.ok((times[i] ?? 0) - (times[i - limit] ?? 0) >= 60_000);
      }
    }),
    { numRuns: 60 },
  );
});

test("who waits as long as Retry-After says is let in", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.array(fc.nat(9_000), { maxLength: 60, size: "max" }),
      (limit, pauses) => {
        const { clock, limiter } = world();
        const key = who({ requestsPerMinute: limit });
        for (const pause of pauses) {
          clock.advance(pause);
          if (typeof admits(limiter, key) === "object") continue;
          clock.advance((refusal(limiter, key).retryAfterSeconds ?? 0) * 1000);
          assert.equal(typeof admits(limiter, key), "object");
        }
      },
    ),
    { numRuns: 100 },
  );
});

test("a caller that keeps to its limit is never refused", () => {
  for (const limit of [1, 7, 60, 64, 600]) {
    const { clock, limiter } = world();
    const key = who({ requestsPerMinute: limit });
    const slack = limit > 64 ? 1.05 : 1;
    for (let i = 0; i < limit * 3; i++) {
      assert.equal(typeof admits(limiter, key), "object", `${limit} per minute, request ${i}`);
      clock.advance(Math.ceil((60_000 / limit) * slack));
    }
  }
});

test("tokens are reserved by the estimate and corrected by what was used", () => {
  const { clock, limiter } = world();
  const key = who({ tokensPerMinute: 250 });
  const first = limiter.admit(key, CALL, "OPENAI");
  const second = limiter.admit(key, CALL, "OPENAI");
  assert.equal(admits(limiter, key), "rate_limit_exceeded");
  first.settle({ tokens: 10, costMicros: 0 });
  const third = limiter.admit(key, CALL, "OPENAI");
  assert.equal(admits(limiter, key), "rate_limit_exceeded");
  second.settle({ tokens: 300, costMicros: 0 });
  third.settle({ tokens: 0, costMicros: 0 });
  assert.equal(admits(limiter, key), "rate_limit_exceeded", "more was used than reserved");
  clock.advance(60_000);
  assert.equal(typeof admits(limiter, key), "object");
});

test("a call larger than a whole minute's tokens is let in when the minute is empty", () => {
  const { clock, limiter } = world();
  const key = who({ tokensPerMinute: 50 });
  assert.equal(typeof admits(limiter, key), "object");
  assert.equal(admits(limiter, key), "rate_limit_exceeded");
  clock.advance(60_000);
  assert.equal(typeof admits(limiter, key), "object");
});

test("concurrency counts calls under way", () => {
  const { limiter } = world();
  const key = who({ concurrency: 2 });
  const first = limiter.admit(key, CALL, "OPENAI");
  limiter.admit(key, CALL, "OPENAI");
  assert.equal(refusal(limiter, key).retryAfterSeconds, 1);
  first.settle({ tokens: 0, costMicros: 0 });
  first.settle({ tokens: 0, costMicros: 0 });
  assert.equal(admitted(limiter, key, 5), 1, "settling twice gives back once");
});

test("a limit of concurrency counts the calls that were under way when it was set", () => {
  const id = { kind: "client key", id: "ck_1" } as const;
  let underWay = 0;
  const { limiter } = world({ underWay: () => underWay });
  const begin = (limits: Partial<Limits>): Ticket => {
    const ticket = limiter.admit(who(limits), CALL, "OPENAI");
    underWay += 1;
    return ticket;
  };
  const end = (ticket: Ticket): void => {
    underWay -= 1;
    const call = { id: "call_1", startedAt: NOON, clientKeyId: "ck_1", ownerId: "usr_1" };
    ticket.settle({ tokens: 0, costMicros: 0 }, call);
  };
  const limit = (limits: Partial<Limits>): void => {
    limiter.setLimits(id, { ...UNLIMITED, ...limits });
  };
  const free = [begin({}), begin({}), begin({})];
  limit({ requestsPerMinute: 100 });
  const held = begin({ requestsPerMinute: 100 });
  limit({ concurrency: 3 });
  const tooMany = () =>
    assert.equal(refusal(limiter, who({ concurrency: 3 })).retryAfterSeconds, 1);
  tooMany();
  for (const each of free.splice(0, 1)) end(each);
  tooMany();
  end(held);
  free.push(begin({ concurrency: 3 }));
  tooMany();
  limit({});
  free.push(begin({}));
  limit({ concurrency: 3 });
  for (const each of free.splice(0, 1)) end(each);
  tooMany();
  for (const each of free.splice(0)) end(each);
  assert.equal(admitted(limiter, who({ concurrency: 3 }), 5), 3);
});

test("twenty calls at once on a budget for five admit five", () => {
  const { limiter } = world();
  const key = who({ budgets: [{ period: "DAY", costMicros: 5_000, tokens: null }] });
  assert.equal(admitted(limiter, key, 20), 5);
  const fault = refusal(limiter, key);
  assert.equal(fault.code, "budget_exceeded");
  assert.equal(fault.retryAfterSeconds, 43_200);
  assert.match(fault.publicMessage, /\$0\.005 per day.*nothing is left.*2030-05-16/);
});

test("what is left of a budget and what a call may use are told to the last digit", () => {
  const { limiter } = world();
  const key = who({ budgets: [{ period: "DAY", costMicros: 1_999, tokens: null }] });
  limiter.admit(key, CALL, "OPENAI").settle({ tokens: 1, costMicros: 1_000 });
  const { publicMessage } = refusal(limiter, key);
  assert.match(
    publicMessage,
    /^Of the budget of \$0\.001999 per day .* \$0\.000999 can still be used, and this call /,
  );
  assert.match(publicMessage, /may use up to \$0\.001; /);
});

test("limits of one are told in the singular, and of more in the plural", () => {
  for (const [limits, words] of [
    [{ concurrency: 1 }, /limit of 1 concurrent request of this client key is reached/],
    [{ concurrency: 2 }, /limit of 2 concurrent requests of/],
    [{ requestsPerMinute: 1 }, /limit of 1 request per minute of/],
    [{ requestsPerMinute: 2 }, /limit of 2 requests per minute of/],
    [{ tokensPerMinute: 1 }, /limit of 1 token per minute of/],
    [{ tokensPerMinute: 2 }, /limit of 2 tokens per minute of/],
  ] as const) {
    const { limiter } = world();
    const key = who(limits);
    limiter.admit(key, CALL, "OPENAI");
    if (typeof admits(limiter, key) === "object") admits(limiter, key);
    assert.match(refusal(limiter, key).publicMessage, words);
  }
  for (const [tokens, spent, words] of [
    [1, 0, /^Of the budget of 1 token per day .* 1 token can still be used, and this call may/],
    [2, 1, /^Of the budget of 2 tokens per day .* 1 token can still be used/],
    [2, 2, /^Of the budget of 2 tokens per day of this client key nothing is left\./],
  ] as const) {
    const { limiter } = world();
    const key = who({ budgets: [{ period: "DAY", costMicros: null, tokens }] });
    const small = { ...CALL, inputTokens: 0, maxOutputTokens: 0 };
    limiter.admit(key, small, "OPENAI").settle({ tokens: spent, costMicros: 0 });
    assert.match(refusal(limiter, key).publicMessage, words);
  }
});

test("what a call did not use is free again, and what it used is spent until the period ends", () => {
  for (const [period, days] of [
    ["DAY", 1],
    ["WEEK", 5],
    ["MONTH", 17],
  ] as const) {
    const { clock, limiter } = world();
    const key = who({ budgets: [{ period, costMicros: null, tokens: 500 }] });
    for (let i = 0; i < 5; i++)
      limiter.admit(key, CALL, "OPENAI").settle({ tokens: 90, costMicros: 0 });
    const fault = refusal(limiter, key);
    assert.match(
      fault.publicMessage,
      /50 tokens can still be used, and this call may use up to 100 tokens/,
    );
    assert.deepEqual(used(limiter, key), { tokens: 450, costMicros: 0 });
    clock.advance(days * DAY_MS - DAY_MS / 2 - 1);
    assert.equal(admits(limiter, key), "budget_exceeded", period);
    clock.advance(1);
    assert.equal(typeof admits(limiter, key), "object", period);
  }
});

test("a budget is never overshot when calls use no more than they reserved", () => {
  const step = fc.tuple(fc.nat(9), fc.nat(100));
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 200, size: "max" }),
      fc.integer({ min: 0, max: 2_000 }),
      (steps, limit) => {
        const { limiter } = world();
        const key = who({ budgets: [{ period: "MONTH", costMicros: null, tokens: limit }] });
        const open: Ticket[] = [];
        for (const [at, tokens] of steps) {
          const ticket = admits(limiter, key);
          if (typeof ticket === "object") open.push(ticket);
          if (at < 6) continue;
          open.splice(0, 1)[0]?.settle({ tokens, costMicros: 0 });
          assert.ok(used(limiter, key).tokens <= limit);
        }
      },
    ),
  );
});

test("an estimate that would give room instead of taking it is refused, and changes nothing", () => {
  const { limiter } = world();
  const budget = { period: "DAY", costMicros: 5_000, tokens: 500 } as const;
  const key = who({ tokensPerMinute: 100, budgets: [budget] });
  for (const wrong of [-1, NaN, Infinity]) {
    for (const part of ["inputTokens", "maxOutputTokens", "costMicros"]) {
      const estimate = { ...CALL, [part]: wrong };
      assert.throws(() => limiter.admit(key, estimate, "OPENAI"), /assertion failed/);
    }
  }
  assert.deepEqual(used(limiter, key), { tokens: 0, costMicros: 0 });
  assert.equal(admitted(limiter, key, 2), 1);
});

test("an unpriced call needs a budget that is not used up", () => {
  const { limiter } = world();
  const key = who({ budgets: [{ period: "DAY", costMicros: 1_000, tokens: null }] });
  const free = { ...CALL, costMicros: 0 };
  assert.equal(typeof admits(limiter, key, free), "object");
  limiter.admit(key, CALL, "OPENAI").settle({ tokens: 0, costMicros: 1_000 });
  assert.equal(admits(limiter, key, free), "budget_exceeded");
});

test("a start takes up what the ledger knows, and a budget set later asks for it", async () => {
  const asked: [string, number][] = [];
  const { limiter } = world({
    loadSpent: ({ id }, { startMs }) => {
      asked.push([id, startMs]);
      return Promise.resolve({ tokens: 0, costMicros: 4_000 });
    },
  });
  const budget = { period: "DAY", costMicros: 5_000, tokens: null } as const;
  limiter.restore("client key", "DAY", [{ id: "ck_1", tokens: 0, costMicros: 3_000 }]);
  assert.equal(admitted(limiter, who({ budgets: [budget] }), 10), 2);
  assert.deepEqual(asked, []);
  const later = who({ budgets: [budget] }, "ck_2");
  limiter.admit(later, CALL, "OPENAI").settle({ tokens: 0, costMicros: 500 });
  await Promise.resolve();
  assert.deepEqual(asked, [["ck_2", Date.UTC(2030, 4, 15)]]);
  assert.deepEqual(used(limiter, later), { tokens: 0, costMicros: 4_500 });
  assert.equal(admits(limiter, later), "budget_exceeded");
});

test("a ledger that does not answer is reported and does not stop calls", async () => {
  const failed: string[] = [];
  const { limiter } = world({
    loadSpent: () => Promise.reject(new Error("away")),
    onLoadFailed: ({ id }) => void failed.push(id),
  });
  const key = who({ budgets: [{ period: "DAY", costMicros: 5_000, tokens: null }] });
  assert.equal(typeof admits(limiter, key), "object");
  await new Promise(setImmediate);
  assert.deepEqual(failed, ["ck_1"]);
});

test("a wall clock that jumps an hour or a day either way denies nobody wrongly", () => {
  for (const jumpMs of [3_600_000, -3_600_000, -DAY_MS, DAY_MS]) {
    const { clock, limiter } = world();
    const key = who({
      requestsPerMinute: 10,
      tokensPerMinute: 10_000,
      budgets: [{ period: "DAY", costMicros: 50_000, tokens: null }],
    });
    for (let i = 0; i < 20; i++) {
      if (i % 5 === 2) clock.jumpWall(i % 2 === 0 ? jumpMs : -jumpMs);
      const ticket = admits(limiter, key);
      assert.equal(typeof ticket, "object", `jump ${jumpMs}, call ${i}: ${String(ticket)}`);
      if (typeof ticket === "object") ticket.settle({ tokens: 10, costMicros: 10 });
      clock.advance(6_000);
    }
  }
});

test("a wall clock that was set far wrong and right again gives nobody a budget twice, nor keeps one from beginning anew", () => {
  for (const days of [1, 17, 40, 5 * 365, -17, -5 * 365]) {
    for (const period of ["DAY", "WEEK", "MONTH"] as const) {
      const { clock, limiter } = world();
      const key = who({ budgets: [{ period, costMicros: 5_000, tokens: null }] });
      limiter.admit(key, CALL, "OPENAI").settle({ tokens: 0, costMicros: 3_500 });
      const running = limiter.admit(key, CALL, "OPENAI");
      clock.jumpWall(days * DAY_MS);
      const end = periodEnd(period, periodStart(period, NOON));
      const wrong = periodStart(period, clock.now());
      const isOther = wrong !== periodStart(period, NOON);
      if (isOther) assert.deepEqual(used(limiter, key), { tokens: 0, costMicros: 0 });
      running.settle({ tokens: 0, costMicros: 1_000 });
      if (isOther) limiter.admit(key, CALL, "OPENAI").settle({ tokens: 0, costMicros: 500 });
      clock.jumpWall(-days * DAY_MS);
      const fault = refusal(limiter, key);
      assert.equal(used(limiter, key).costMicros, 4_500, `${days} days, ${period}`);
      assert.equal(fault.retryAfterSeconds, (end - NOON) / 1000);
      clock.advance(end - NOON);
      // What was spent under the wrong date was spent in that period.
      assert.equal(admitted(limiter, key, 10), wrong === end ? 4 : 5);
    }
  }
});

test("what a batch used in a period that the clock comes to from elsewhere adds to what the ledger knows", async () => {
  const { clock, limiter } = world({
    loadSpent: (_subject, { startMs }) =>
      Promise.resolve({ tokens: 0, costMicros: startMs === Date.UTC(2030, 4) ? 3_500 : 0 }),
  });
  const key = who({ budgets: [{ period: "MONTH", costMicros: 9_000, tokens: null }] });
  clock.jumpWall(-60 * 365 * DAY_MS);
  admitted(limiter, key, 1);
  clock.jumpWall(60 * 365 * DAY_MS);
  const batch = { id: "call_1", clientKeyId: key.clientKey.id, ownerId: key.ownerId };
  limiter.book({ tokens: 0, costMicros: 1_000 }, { ...batch, startedAt: clock.now() });
  await Promise.resolve();
  assert.equal(used(limiter, key).costMicros, 4_500);
});

test("a period that the clock comes to from elsewhere than the one before it begins with what the ledger knows", async () => {
  const asked: number[] = [];
  const { clock, limiter } = world({
    loadSpent: (_subject, { startMs }) => {
      asked.push(startMs);
      return Promise.resolve({ tokens: 0, costMicros: startMs === Date.UTC(2030, 4) ? 3_500 : 0 });
    },
  });
  const key = who({ budgets: [{ period: "MONTH", costMicros: 5_000, tokens: null }] });
  clock.jumpWall(-60 * 365 * DAY_MS);
  admitted(limiter, key, 1);
  clock.jumpWall(60 * 365 * DAY_MS);
  admitted(limiter, key, 1);
  await Promise.resolve();
  assert.equal(admitted(limiter, key, 5), 0);
  clock.advance(17 * DAY_MS);
  assert.equal(
    admitted(limiter, key, 9),
    5,
    "a month that follows on the last begins with nothing",
  );
  assert.deepEqual(asked, [Date.UTC(1970, 4), Date.UTC(2030, 4)]);
});

test("limits of a user bind all of the user's keys together, and nobody else's", () => {
  const { limiter } = world({
    ownerLimits: (ownerId) => (ownerId === "usr_1" ? { ...UNLIMITED, requestsPerMinute: 5 } : null),
  });
  assert.equal(admitted(limiter, who({}, "ck_1"), 3), 3);
  assert.equal(admitted(limiter, who({ requestsPerMinute: 100 }, "ck_2"), 10), 2);
  assert.match(refusal(limiter, who({}, "ck_1")).publicMessage, /of this user/);
  assert.equal(admitted(limiter, who({}, "ck_3", "usr_2"), 10), 10);
});

test("several budgets hold at once, each over its own period", () => {
  const { clock, limiter } = world();
  const key = who({
    budgets: [
      { period: "DAY", costMicros: 2_000, tokens: null },
      { period: "MONTH", costMicros: null, tokens: 300 },
    ],
  });
  assert.equal(admitted(limiter, key, 5), 2);
  assert.match(refusal(limiter, key).publicMessage, /per day/);
  clock.advance(DAY_MS);
  assert.equal(admitted(limiter, key, 5), 1);
  assert.match(refusal(limiter, key).publicMessage, /per month/);
  const { id, limits } = key.clientKey;
  assert.deepEqual(
    limiter
      .budgetUse({ kind: "client key", id }, limits.budgets)
      .map(({ tokens, costMicros, resetsAt }) => [tokens, costMicros, resetsAt]),
    [
      [100, 1_000, Date.UTC(2030, 4, 17)],
      [300, 3_000, Date.UTC(2030, 5, 1)],
    ],
  );
});

test("a user's budget counts the calls of all keys, those before it was set too", async () => {
  const budgets: readonly Budget[] = [{ period: "DAY", costMicros: 5_000, tokens: null }];
  const limits = { ...UNLIMITED, budgets };
  const { limiter } = world({
    ownerLimits: (ownerId) => (ownerId === "usr_1" ? limits : null),
    loadSpent: ({ kind, id }) =>
      Promise.resolve({ tokens: 0, costMicros: kind === "user" && id === "usr_1" ? 3_000 : 0 }),
  });
  const user = { kind: "user", id: "usr_1" } as const;
  limiter.setLimits(user, limits);
  await Promise.resolve();
  assert.equal(admitted(limiter, who({}, "ck_1"), 1), 1);
  assert.equal(admitted(limiter, who({}, "ck_2"), 5), 1);
  assert.match(refusal(limiter, who({}, "ck_2")).publicMessage, /of this user/);
  assert.equal(limiter.budgetUse(user, budgets)[0]?.costMicros, 5_000);
  limiter.forget(user);
  assert.equal(limiter.budgetUse(user, budgets)[0]?.costMicros, 0);
});

test("a call refused by one limit takes nothing from the others", () => {
  const { limiter } = world({ ownerLimits: () => ({ ...UNLIMITED, concurrency: 0 }) });
  const key = who({
    requestsPerMinute: 1,
    budgets: [{ period: "DAY", costMicros: 1_000, tokens: null }],
  });
  assert.equal(admits(limiter, key), "rate_limit_exceeded");
  assert.deepEqual(used(limiter, key), { tokens: 0, costMicros: 0 });
});

test("limits of the server bind all keys together, and do not tell what the server may spend", () => {
  const budgets: readonly Budget[] = [{ period: "DAY", costMicros: 3_000, tokens: null }];
  const { limiter } = world({
    serverLimits: () => ({ ...UNLIMITED, requestsPerMinute: 5, budgets }),
  });
  assert.equal(admitted(limiter, who({}, "ck_1"), 2), 2);
  assert.equal(admitted(limiter, who({}, "ck_2", "usr_2"), 2), 1);
  const fault = refusal(limiter, who({}, "ck_2", "usr_2"));
  assert.equal(fault.code, "budget_exceeded");
  assert.equal(
    fault.publicMessage,
    "The server's budget for this day is used up; it begins anew on 2030-05-16 (UTC).",
  );
});

test("a changed limit holds for the next call", () => {
  const { limiter } = world();
  assert.equal(admitted(limiter, who({ requestsPerMinute: 2 }), 5), 2);
  assert.equal(admitted(limiter, who({ requestsPerMinute: 4 }), 5), 2);
});

test("the headers have the names that the caller's SDKs read, and the tightest of several limits", () => {
  const { clock, limiter } = world({
    ownerLimits: () => ({ ...UNLIMITED, requestsPerMinute: 3 }),
  });
  const key = who({ requestsPerMinute: 100, tokensPerMinute: 1_000 });
  limiter.admit(key, CALL, "OPENAI");
  clock.advance(1_500);
  const headers = pairs(limiter.admit(key, CALL, "OPENAI").headers);
  assert.equal(headers.get("x-ratelimit-limit-requests"), "3");
  assert.equal(headers.get("x-ratelimit-remaining-requests"), "1");
  assert.equal(headers.get("x-ratelimit-reset-requests"), "1m0s");
  assert.equal(headers.get("x-ratelimit-remaining-tokens"), "800");
  assert.equal(headers.size, 6);
  clock.advance(1_000);
  limiter.admit(who({}, "ck_9", "usr_9"), CALL, "GEMINI");
  const anthropic = pairs(limiter.admit(who({}, "ck_9", "usr_9"), CALL, "ANTHROPIC").headers);
  assert.equal(anthropic.get("anthropic-ratelimit-requests-remaining"), "1");
  assert.equal(anthropic.get("anthropic-ratelimit-requests-reset"), "2030-05-15T12:01:03Z");
  assert.equal(anthropic.size, 3);
});

test("a refusal tells how the limits stand, as an answer does, in the caller's words", () => {
  const { limiter } = world();
  const budget = { period: "DAY", costMicros: 1_500, tokens: null } as const;
  const limits = { requestsPerMinute: 2, tokensPerMinute: 150 };
  for (const [key, code] of [
    [who({ requestsPerMinute: 1, tokensPerMinute: 1_000 }, "ck_rpm"), "rate_limit_exceeded"],
    [who(limits, "ck_tpm"), "rate_limit_exceeded"],
    [who({ ...limits, concurrency: 1 }, "ck_many"), "rate_limit_exceeded"],
    [who({ ...limits, budgets: [budget] }, "ck_spent"), "budget_exceeded"],
  ] as const) {
    for (const dialect of ["OPENAI", "ANTHROPIC", "GEMINI"] as const) {
      const own = { ...key, clientKey: { ...key.clientKey, id: `${key.clientKey.id}_${dialect}` } };
      const { headers } = limiter.admit(own, CALL, dialect);
      const fault = refusal(limiter, own, CALL, dialect);
      assert.equal(fault.code, code);
      assert.equal(fault.headers, headers);
      assert.equal(pairs(headers).size, 6);
    }
  }
  assert.equal(refusal(limiter, who({ concurrency: 0 }, "ck_none")).headers, "");
});

test("durations read as clients parse them", () => {
  assert.deepEqual([0, 6, 999, 1_000, 12_340, 60_000, 90_050].map(duration), [
    "0ms",
    "6ms",
    "999ms",
    "1s",
    "12.4s",
    "1m0s",
    "1m30.1s",
  ]);
});

test("idle keys are forgotten, those with something to remember are not", () => {
  const { clock, limiter } = world();
  for (let i = 0; i < 1_000; i++) {
    limiter
      .admit(who({ requestsPerMinute: 5 }, `ck_${i}`), CALL, "OPENAI")
      .settle({ tokens: 0, costMicros: 0 });
  }
  const budget = { period: "DAY", costMicros: 5_000, tokens: null } as const;
  const spender = who({ budgets: [budget] }, "ck_spender");
  limiter.admit(spender, CALL, "OPENAI").settle({ tokens: 0, costMicros: 4_500 });
  const running = limiter.admit(who({ concurrency: 1 }, "ck_running"), CALL, "OPENAI");
  clock.advance(61_000);
  for (let i = 0; i < 1_200; i++) {
    limiter
      .admit(who({ requestsPerMinute: 10_000 }, "ck_busy"), CALL, "OPENAI")
      .settle({ tokens: 0, costMicros: 0 });
  }
  assert.ok(limiter.size <= 4, `${limiter.size} kept`);
  assert.equal(admits(limiter, spender), "budget_exceeded");
  assert.equal(admits(limiter, who({ concurrency: 1 }, "ck_running")), "rate_limit_exceeded");
  running.settle({ tokens: 0, costMicros: 0 });
});

test("a restart fills each key's budget for its own period, and asks once for each period in use", async () => {
  const { clock, limiter } = world();
  const asked: [number, number][] = [];
  const rows = [
    { id: "ck_day", tokens: 0, costMicros: 4_000 },
    { id: "ck_month", tokens: 0, costMicros: 3_000 },
    { id: "ck_both", tokens: 0, costMicros: 4_000 },
    { id: "ck_none", tokens: 0, costMicros: 9_000 },
  ];
  const budget = (period: "DAY" | "MONTH"): Budget => ({ period, costMicros: 5_000, tokens: null });
  const both = [budget("DAY"), { ...budget("MONTH"), costMicros: 90_000 }];
  await restoreBudgets({
    limiter,
    clock,
    kind: "client key",
    limits: new Map([
      ["ck_day", { ...UNLIMITED, budgets: [budget("DAY")] }],
      ["ck_month", { ...UNLIMITED, budgets: [budget("MONTH")] }],
      ["ck_both", { ...UNLIMITED, budgets: both }],
    ]),
    spentIn: ({ startMs, endMs }) => {
      asked.push([startMs, endMs]);
      return Promise.resolve(rows);
    },
  });
  assert.deepEqual(asked, [
    [Date.UTC(2030, 4, 15), Date.UTC(2030, 4, 16)],
    [Date.UTC(2030, 4, 1), Date.UTC(2030, 5, 1)],
  ]);
  assert.equal(admitted(limiter, who({ budgets: [budget("DAY")] }, "ck_day"), 5), 1);
  assert.equal(admitted(limiter, who({ budgets: [budget("MONTH")] }, "ck_month"), 5), 2);
  assert.equal(admitted(limiter, who({ budgets: both }, "ck_both"), 5), 1);
  assert.equal(limiter.size, 3);
});

const LATER = { ...CALL, isLater: true } as const;

test("what is set aside for a batch is free again as soon as it is given back", () => {
  const daily = { budgets: [{ period: "DAY", tokens: null, costMicros: 2_000 }] } as const;
  const limits = { ...UNLIMITED, ...daily };
  const { limiter } = world({ ownerLimits: () => limits, serverLimits: () => limits });
  const principal = who(daily);
  const holder = { clientKeyId: principal.clientKey.id, ownerId: principal.ownerId };
  limiter.setLimits({ kind: "client key", id: holder.clientKeyId }, limits);
  limiter.setLimits({ kind: "user", id: holder.ownerId }, limits);
  limiter.setLimits(SERVER, limits);
  const first = limiter.setAside(holder, LATER);
  const second = limiter.setAside(holder, LATER);
  assert.equal(admits(limiter, principal), "budget_exceeded");
  first();
  assert.equal(admitted(limiter, principal, 2), 1);
  second();
  assert.equal(admitted(limiter, principal, 2), 1);
});

test("what a batch may use is set aside in budgets that are set, or begin anew, before it is counted", () => {
  const daily = { budgets: [{ period: "DAY", tokens: null, costMicros: 2_000 }] } as const;
  const monthly = { budgets: [{ period: "MONTH", tokens: null, costMicros: 2_000 }] } as const;
  for (const limited of ["KEY", "USER", "SERVER"] as const) {
    let limits: Limits = UNLIMITED;
    const whose = (kind: typeof limited): Limits => (limited === kind ? limits : UNLIMITED);
    const { limiter, clock } = world({
      ownerLimits: () => whose("USER"),
      serverLimits: () => whose("SERVER"),
    });
    const principal = (): Principal => who(whose("KEY"));
    const { clientKey, ownerId } = principal();
    const subject: SubjectId = {
      KEY: { kind: "client key", id: clientKey.id } as const,
      USER: { kind: "user", id: ownerId } as const,
      SERVER,
    }[limited];
    const giveBack = limiter.setAside({ clientKeyId: clientKey.id, ownerId }, LATER);
    for (const next of [daily, monthly]) {
      limits = { ...UNLIMITED, ...next };
      limiter.setLimits(subject, limits);
      assert.equal(admitted(limiter, principal(), 2), 1, limited);
      assert.equal(limiter.budgetUse(subject, next.budgets)[0]?.costMicros, 2_000);
      clock.advance(40 * DAY_MS);
      assert.equal(limiter.budgetUse(subject, next.budgets)[0]?.costMicros, 1_000);
      assert.equal(admitted(limiter, principal(), 2), 1, limited);
    }
    clock.advance(40 * DAY_MS);
    giveBack();
    assert.equal(limiter.budgetUse(subject, monthly.budgets)[0]?.costMicros, 0);
    assert.equal(admitted(limiter, principal(), 3), 2, limited);
  }
});

test("those of whom only a batch is known are forgotten once it is counted", () => {
  const { limiter, clock } = world();
  const giveBack = limiter.setAside({ clientKeyId: "ck_1", ownerId: "usr_1" }, LATER);
  const passes = (): void => {
    for (let calls = 0; calls < 200; calls++) admits(limiter, who({}, "ck_other", "usr_other"));
  };
  passes();
  assert.equal(limiter.size, 3);
  giveBack();
  clock.advance(DAY_MS);
  passes();
  assert.equal(limiter.size, 0);
});

test("a caller has a budget where the key, its user or the server has one", () => {
  const budgets: Budget[] = [{ period: "DAY", tokens: 1_000, costMicros: null }];
  const limited = { ...UNLIMITED, budgets };
  assert.equal(world().limiter.hasBudget(who({ requestsPerMinute: 5 })), false);
  assert.equal(world().limiter.hasBudget(who({ budgets })), true);
  const ofUser = world({ ownerLimits: (id) => (id === "usr_1" ? limited : null) }).limiter;
  assert.equal(ofUser.hasBudget(who({})), true);
  assert.equal(ofUser.hasBudget(who({}, "ck_2", "usr_2")), false);
  assert.equal(world({ serverLimits: () => limited }).limiter.hasBudget(who({})), true);
});

test("what is used in a batch fills the budgets of its key, its user and the server, and no minute", () => {
  const daily = { budgets: [{ period: "DAY", tokens: null, costMicros: 10_000 }] } as const;
  const limits = { ...UNLIMITED, ...daily };
  const { limiter, clock } = world({ ownerLimits: () => limits, serverLimits: () => limits });
  const principal = who({ ...daily, tokensPerMinute: 150 });
  const { id } = principal.clientKey;
  const call = { id: "call_1", clientKeyId: id, ownerId: "usr_1" };
  const ticket = admits(limiter, principal, LATER);
  assert.ok(typeof ticket === "object");
  ticket.settle({ tokens: 0, costMicros: 0 }, { ...call, startedAt: clock.now() });
  const giveBack = limiter.setAside(call, LATER);
  assert.deepEqual(used(limiter, principal), { tokens: 100, costMicros: 1_000 });
  // A minute's tokens are all there, and no call is in flight.
  assert.equal(admitted(limiter, principal, 1), 1);
  clock.advance(DAY_MS);
  const spent = { tokens: 5_000_000, costMicros: 9_500 };
  limiter.book(spent, { ...call, startedAt: clock.now() });
  // That of a day that is long over fills no budget.
  limiter.book(spent, { ...call, startedAt: clock.now() - 3 * DAY_MS });
  giveBack();
  assert.deepEqual(used(limiter, principal), { tokens: 5_000_000, costMicros: 9_500 });
  for (const subject of [
    { kind: "user", id: "usr_1" },
    { kind: "server", id: "server" },
  ] as const) {
    assert.equal(limiter.budgetUse(subject, daily.budgets)[0]?.costMicros, 9_500);
  }
  assert.equal(admits(limiter, principal), "budget_exceeded");
  const free = { inputTokens: 0, maxOutputTokens: 0, costMicros: 0, isFree: true } as const;
  assert.equal(typeof admits(limiter, principal, free), "object");
});
