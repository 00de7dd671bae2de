import { HOUR_MS } from "../core/durations.js";

// By which numbers keys are judged.

/** How long a key with a used-up quota is kept out if the provider does not say when it is full again. */
export const QUOTA_RESET_DEFAULT_MS = HOUR_MS;
/** Rate limits in a row without Retry-After double the wait up to this. */
export const RATE_LIMIT_WAIT_MAX_MS = 300_000;
/** Even a Retry-After of zero keeps a key out this long, so that a burst does not hammer it. */
export const COOLDOWN_MIN_MS = 100;
/** After a refused key: out this long, then one call may show whether it was a mistake. */
export const REFUSAL_COOLDOWN_MS = 30_000;
/** A key that may not serve a model is not asked for it again for this long. */
export const MODEL_REFUSAL_COOLDOWN_MS = 600_000;
export const DEGRADED_AFTER_FAILURES = 2;
export const BREAKER_AFTER_FAILURES = 5;
export const BREAKER_BASE_MS = 1_000;
/** Waits double no more often than this. */
export const DOUBLINGS_MAX = 20;
/** Below this success rate, with more outcomes than `RATE_COUNTS_FROM`, a key is DEGRADED. */
export const DEGRADED_RATE = 0.7;
export const RATE_COUNTS_FROM = 10;
/** A key that came back gets its full share after this many successes, or after this long. */
export const RAMP_SUCCESSES = 50;
export const RAMP_MS = 60_000;
export const RAMP_SHARE_MIN = 0.1;

/** What an operator may set about how keys are judged. */
export interface HealthPolicy {
  /** First wait after a rate limit that names no time; it doubles with each in a row. */
  readonly rateLimitCooldownMs: number;
  /** Longest wait after repeated failures; the first is a second, and it doubles. */
  readonly errorCooldownMs: number;
  /** Refusals, each at least a refusal cooldown after the other, after which a key is INVALID. */
  readonly invalidAfterRefusals: number;
}

export const DEFAULT_HEALTH_POLICY: HealthPolicy = {
  rateLimitCooldownMs: 1_000,
  errorCooldownMs: 60_000,
  invalidAfterRefusals: 3,
};
