import assert from "node:assert/strict";
import { test } from "node:test";
import { provider, providerKey, user } from "../../test/storage/fixture.js";
import type { KeyHealth } from "../core/provider-key.js";
import { diagnose, verdictOf, type DiagnosisFacts, type FailedAttempt } from "./diagnosis.js";

const NOW_MS = Date.UTC(2026, 0, 15);
const KEY = providerKey("pk_1");

function facts(part: Partial<DiagnosisFacts> = {}): DiagnosisFacts {
  return {
    key: KEY,
    health: { ...KEY.health, state: "HEALTHY" },
    eligibility: "ELIGIBLE",
    owner: user("usr_1"),
    provider: provider("prv_1"),
    secretProblem: null,
    baseUrlProblem: null,
    model: "gpt-4o",
    inService: true,
    tierReached: "PRIMARY",
    recentAttempts: 20,
    recentFailures: [],
    nowMs: NOW_MS,
    ...part,
  };
}

function outcomes(part: Partial<DiagnosisFacts>): string[] {
  return diagnose(facts(part))
    .filter(({ outcome }) => outcome !== "PASSED")
    .map(({ question, outcome }) => `${question} ${outcome}`);
}

function health(part: Partial<KeyHealth>): KeyHealth {
  return { ...KEY.health, ...part };
}

const FAILURE: FailedAttempt = {
  callId: "call_1",
  at: NOW_MS,
  attempt: {
    providerKeyId: "pk_1",
    providerId: "prv_1",
    startedMs: 0,
    durationMs: 5,
    httpStatus: 429,
    outcome: "RATE_LIMITED",
    detail: "slow down",
  },
};

test("a good key passes every question", () => {
  assert.deepEqual(outcomes({}), []);
  assert.equal(verdictOf(diagnose(facts())), "Nothing is wrong with this key.");
});

test("each cause is found by its own question, and by no other", () => {
  const key = KEY;
  const cases: [Partial<DiagnosisFacts>, string][] = [
    [{ key: { ...key, enabled: false } }, "ENABLED FAILED"],
    [{ key: { ...key, expiresAt: NOW_MS - 1 } }, "NOT_EXPIRED FAILED"],
    [{ secretProblem: "The vault is locked." }, "SECRET FAILED"],
    [{ owner: user("usr_1", { state: "BANNED" }) }, "OWNER FAILED"],
    [{ owner: undefined }, "OWNER FAILED"],
    [{ provider: provider("prv_1", { enabled: false }) }, "PROVIDER FAILED"],
    [{ baseUrlProblem: "A private address." }, "PROVIDER FAILED"],
    [{ health: health({ state: "INVALID" }) }, "HEALTH FAILED"],
    [{ health: health({ state: "COOLDOWN", cooldownUntil: NOW_MS + 9 }) }, "HEALTH FAILED"],
    [{ health: health({ state: "DEGRADED" }) }, "HEALTH WARNING"],
    [{ health: health({ state: "UNKNOWN", lastError: "no connection" }) }, "HEALTH WARNING"],
    [{ eligibility: "LIMIT_REACHED" }, "QUOTA FAILED"],
    [{ key: { ...key, modelAllowlist: ["claude-*"] } }, "MODEL FAILED"],
    [{ key: { ...key, service: "qwen" }, inService: false }, "MODEL FAILED"],
    [{ key: { ...key, tier: "OVERFLOW" } }, "TIER WARNING"],
    [{ recentFailures: [FAILURE] }, "RECENT_ERRORS WARNING"],
  ];
  for (const [part, expected] of cases) assert.deepEqual(outcomes(part), [expected]);
});

test("a cooldown that is over is no fault, and a provider's quota is told apart from ours", () => {
  assert.deepEqual(outcomes({ health: health({ state: "COOLDOWN", cooldownUntil: 1 }) }), []);
  const spent = facts({
    health: health({ state: "EXHAUSTED", cooldownUntil: NOW_MS }),
    eligibility: "EXHAUSTED",
  });
  const quota = diagnose(spent).find(({ question }) => question === "QUOTA");
  assert.match(quota?.message ?? "", /provider's quota is used up until 2026-01-15/);
});

test("the verdict is the first thing that is wrong, with what to do", () => {
  const wrong = facts({ key: { ...KEY, enabled: false }, secretProblem: "The vault is locked." });
  assert.equal(verdictOf(diagnose(wrong)), "The key is disabled. Enable it.");
  const warned = verdictOf(diagnose(facts({ recentFailures: [FAILURE] })));
  assert.match(warned, /^Nothing keeps it from being used\. 1 of the last 20 attempts failed/);
});
