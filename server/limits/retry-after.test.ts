import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { FakeClock } from "../../test/support/fake-clock.js";
import { aClientKey } from "../../test/support/records.js";
import type { Principal } from "../core/client-key.js";
import { Fault } from "../core/fault.js";
import type { Limits } from "../core/limits.js";
import { Limiter } from "./limiter.js";

const OWNER = "usr_1";
/** Ends of periods are told to the second. */
const NOW = Date.UTC(2030, 1, 27, 22, 58, 3);

const someLimits = fc.record({
  requestsPerMinute: fc.option(fc.integer({ min: 1, max: 6 })),
  tokensPerMinute: fc.option(fc.integer({ min: 1, max: 300 })),
  concurrency: fc.constant(null),
  budgets: fc.uniqueArray(
    fc.record({
      period: fc.constantFrom("DAY" as const, "WEEK" as const, "MONTH" as const),
      tokens: fc.option(fc.integer({ min: 100, max: 2_000 })),
      costMicros: fc.constant(null),
    }),
    { selector: (budget) => budget.period, maxLength: 2 },
  ),
});

const aCall = fc.record({
  pauseMs: fc.oneof(fc.nat(2_000), fc.nat(90_000)),
  reserved: fc.integer({ min: 1, max: 100 }),
  used: fc.integer({ min: 0, max: 150 }),
});

function faultOf(step: () => unknown): Fault | undefined {
  try {
    step();
    return undefined;
  } catch (thrown) {
    assert.ok(thrown instanceof Fault);
    return thrown;
  }
}

/** Of a client key, of its user, and of the server. */
type AllLimits = readonly [Limits, Limits, Limits];

/** Calls of one client key under these limits, each of which has ended; they answer its headers. */
function limited([ofKey, ofOwner, ofServer]: AllLimits) {
  const clock = new FakeClock(NOW);
  const limiter = new Limiter({
    clock,
    ownerLimits: () => ofOwner,
    serverLimits: () => ofServer,
  });
  const clientKey = aClientKey("ck_1", { ownerId: OWNER, limits: ofKey });
  const who = { clientKey, ownerId: OWNER } as Principal;
  const call = (reserved: number, used: number): string => {
    const estimate = { inputTokens: reserved, maxOutputTokens: 0, costMicros: 0 };
    const ticket = limiter.admit(who, estimate, "OPENAI");
    ticket.settle({ tokens: used, costMicros: 0 });
    return ticket.headers;
  };
  return { clock, call };
}

test("who comes back after the time that is told gets in, whichever limits of key, user and server there are", () => {
  let rates = 0;
  let budgets = 0;
  fc.assert(
    fc.property(
      fc.tuple(someLimits, someLimits, someLimits),
      fc.array(aCall, { minLength: 1, maxLength: 40 }),
      (limits: AllLimits, calls) => {
        const { clock, call } = limited(limits);
        for (const { pauseMs, reserved, used } of calls) {
          clock.advance(pauseMs);
          const admit = () => call(reserved, used);
          let fault = faultOf(admit);
          // A budget may be followed by another, or by rates, but a rate by nothing.
          for (let i = 0; fault !== undefined; i++) {
            const isRate = fault.code === "rate_limit_exceeded";
            if (isRate) rates++;
            else budgets++;
            const { retryAfterSeconds = 0 } = fault;
            assert.ok(Number.isInteger(retryAfterSeconds) && retryAfterSeconds > 0);
            const waitMs = retryAfterSeconds * 1000;
            if (isRate) assert.ok(waitMs <= 60_000);
            clock.advance(waitMs);
            fault = faultOf(admit);
            if (isRate) assert.notEqual(fault?.code, "rate_limit_exceeded");
            assert.ok(i < 2, "a budget that is told to begin anew does");
          }
        }
      },
    ),
  );
  assert.ok(rates > 0 && budgets > 0);
});

test("of limits that hold equally long the client key's own is told, about which its caller can do most", () => {
  const day = { period: "DAY", tokens: 0, costMicros: null } as const;
  const none = { tokensPerMinute: null, concurrency: null, requestsPerMinute: null, budgets: [] };
  for (const limits of [
    { ...none, requestsPerMinute: 1 },
    { ...none, concurrency: 0 },
    { ...none, budgets: [day] },
  ]) {
    const { call } = limited([limits, limits, limits]);
    if (limits.requestsPerMinute !== null) call(1, 1);
    assert.match(faultOf(() => call(1, 1))?.publicMessage ?? "", /of this client key/);
  }
});

test("a spent budget of any subject is told before a rate that would pass", () => {
  const clock = new FakeClock(NOW);
  const budget = { period: "DAY", tokens: 10, costMicros: null } as const;
  const none = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null, budgets: [] };
  const limiter = new Limiter({ clock, ownerLimits: () => ({ ...none, budgets: [budget] }) });
  const clientKey = aClientKey("ck_1", {
    ownerId: OWNER,
    limits: { ...none, requestsPerMinute: 1 },
  });
  const who = { clientKey, ownerId: OWNER } as Principal;
  const estimate = { inputTokens: 10, maxOutputTokens: 0, costMicros: 0 };
  const admit = () => limiter.admit(who, estimate, "OPENAI");
  admit().settle({ tokens: 10, costMicros: 0 });
  assert.equal(faultOf(admit)?.code, "budget_exceeded");
});

test("as many calls and tokens get in as the headers say remain, and all of them after the reset", () => {
  const rates = fc.record({
    requestsPerMinute: fc.integer({ min: 1, max: 9 }),
    tokensPerMinute: fc.integer({ min: 100, max: 900 }),
    concurrency: fc.constant(null),
    budgets: fc.constant([]),
  });
  const told = (headers: string, name: string): string =>
    new RegExp(`x-ratelimit-${name}: (.*)\\r\\n`).exec(headers)?.[1] ?? "";
  fc.assert(
    fc.property(
      fc.tuple(rates, rates, rates),
      fc.array(aCall, { maxLength: 20 }),
      (limits: AllLimits, calls) => {
        const { clock, call } = limited(limits);
        const admit = (tokens: number): string => call(tokens, tokens);
        let headers = admit(0);
        for (const { pauseMs, reserved } of calls) {
          clock.advance(pauseMs);
          const fault = faultOf(() => (headers = admit(reserved)));
          if (fault !== undefined) headers = fault.headers;
        }
        const requests = Number(told(headers, "remaining-requests"));
        const tokens = Number(told(headers, "remaining-tokens"));
        if (requests > 0) headers = admit(tokens);
        for (let i = 1; i < requests; i++) headers = admit(0);
        assert.equal(faultOf(() => admit(1))?.code, "rate_limit_exceeded");
        const [reset, minutes = "0", seconds = "0", ms = "0"] =
          /^(?:(\d+)m(?!s))?(?:([\d.]+)s)?(?:(\d+)ms)?$/.exec(told(headers, "reset-requests")) ??
          [];
        assert.ok(reset);
        clock.advance(Number(minutes) * 60_000 + Number(seconds) * 1000 + Number(ms));
        const all = Math.min(...limits.map((each) => each.requestsPerMinute ?? 0));
        for (let i = 0; i < all; i++) admit(0);
      },
    ),
  );
});
