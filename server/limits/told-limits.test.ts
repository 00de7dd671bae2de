import assert from "node:assert/strict";
import test from "node:test";
import { admits, CALL, pairs, refusal, who, world } from "../../test/support/limiter-world.js";
import { UNLIMITED } from "../core/limits.js";
import { duration } from "./headers.js";

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
