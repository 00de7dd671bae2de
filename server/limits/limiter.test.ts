import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import {
  admits,
  admitted,
  CALL,
  NOON,
  refusal,
  used,
  who,
  world,
} from "../../test/support/limiter-world.js";
import { type Budget, type Limits, UNLIMITED } from "../core/limits.js";
import type { Ticket } from "./limiter.js";

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

test("limits of a user bind all of the user's keys together, and nobody else's", () => {
  const { limiter } = world({
    ownerLimits: (ownerId) => (ownerId === "usr_1" ? { ...UNLIMITED, requestsPerMinute: 5 } : null),
  });
  assert.equal(admitted(limiter, who({}, "ck_1"), 3), 3);
  assert.equal(admitted(limiter, who({ requestsPerMinute: 100 }, "ck_2"), 10), 2);
  assert.match(refusal(limiter, who({}, "ck_1")).publicMessage, /of this user/);
  assert.equal(admitted(limiter, who({}, "ck_3", "usr_2"), 10), 10);
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
