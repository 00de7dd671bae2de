import type { AttemptOutcome } from "../core/call.js";
import type { Health } from "../core/provider-key.js";
import {
  COOLDOWN_MIN_MS,
  DEGRADED_RATE,
  type HealthPolicy,
  RAMP_MS,
  RAMP_SHARE_MIN,
  RAMP_SUCCESSES,
  RATE_COUNTS_FROM,
} from "./health-policy.js";

const ERROR_CHARS_MAX = 200;

/**
 * What is known of how a key does, or of how it does for one model. It is never changed: each attempt makes the next one
 * of it (`health.ts`). Times in monotonic milliseconds.
 */
export interface Condition {
  readonly state: Health;
  readonly lastError: string | null;

  // Failures in a row.
  readonly consecutiveFailures: number;
  /** Id of the user whose calls all of these failures were, and may have caused them; null when the key is to blame. */
  readonly failedFor: string | null;
  /** Rests that such failures have cost it, with no success in between. */
  readonly trips: number;

  // Rate limits in a row, with no call served that began in between.
  readonly rateLimits: number;
  /** When the last of these limits came, and the one before it. */
  readonly limitedAtMs: number;
  readonly limitedBeforeMs: number;

  // Refusals of the key itself; of a model, that it may not serve it.
  readonly refusals: number;
  readonly lastRefusalAtMs: number;

  // Its rest, a cooldown or exhaustion, and the way back.
  /** Null when it does not rest. */
  readonly restsUntilMs: number | null;
  /** One call has to succeed before others may follow. */
  readonly onProof: boolean;
  /** Successes that are still missing until the key gets its full share; 0 when it does. */
  readonly rampLeft: number;
  readonly rampStartedAtMs: number;
}

export const FRESH: Condition = {
  state: "UNKNOWN",
  consecutiveFailures: 0,
  failedFor: null,
  rateLimits: 0,
  limitedAtMs: -Infinity,
  limitedBeforeMs: -Infinity,
  trips: 0,
  refusals: 0,
  lastRefusalAtMs: 0,
  restsUntilMs: null,
  onProof: false,
  rampLeft: 0,
  rampStartedAtMs: 0,
  lastError: null,
};

/** An attempt that ended. */
export interface HealthEvent {
  readonly outcome: AttemptOutcome;
  /** Id of the user whose call it was; null where the call cannot be to blame. */
  readonly callerId: string | null;
  readonly atMs: number;
  readonly begunAtMs: number;
  readonly retryAfterMs: number | null;
  readonly detail: string;
  /** Success rate of the window after this outcome, and how many outcomes it holds. */
  readonly rate: number;
  readonly outcomes: number;
  /** The call that had to prove that the key works again. */
  readonly wasProof: boolean;
  readonly policy: HealthPolicy;
}

// What several kinds of attempts do to a condition.

/** The condition with a rest that begins now, or goes on. */
export function resting(
  now: Condition,
  state: "COOLDOWN" | "EXHAUSTED",
  event: HealthEvent,
  waitMs: number,
): Condition {
  const untilMs = event.atMs + Math.max(waitMs, COOLDOWN_MIN_MS);
  return {
    ...now,
    // Of two rests the later end holds, and a late answer does not turn an exhaustion into a mere cooldown.
    state: now.state === "EXHAUSTED" && now.restsUntilMs !== null ? "EXHAUSTED" : state,
    restsUntilMs: Math.max(untilMs, now.restsUntilMs ?? 0),
    rampLeft: 0,
    lastError: errorOf(event),
  };
}

/** The state of a key that does not rest, by how many of its calls are served. */
export function stateByRate(event: HealthEvent): "HEALTHY" | "DEGRADED" {
  return event.outcomes > RATE_COUNTS_FROM && event.rate < DEGRADED_RATE ? "DEGRADED" : "HEALTHY";
}

export function errorOf(event: HealthEvent): string {
  return (event.detail === "" ? event.outcome : event.detail).slice(0, ERROR_CHARS_MAX);
}

// The way back to the full share.

/** The same condition with its full share still to be earned. */
export function rampingUp(now: Condition, atMs: number): Condition {
  return { ...now, rampLeft: RAMP_SUCCESSES, rampStartedAtMs: atMs };
}

/** The part of its full share that a key may take now, above 0 and at most 1. */
export function rampShare(now: Condition, atMs: number): number {
  if (now.rampLeft === 0) return 1;
  const earned = (RAMP_SUCCESSES - now.rampLeft) / RAMP_SUCCESSES;
  const bySuccess = RAMP_SHARE_MIN + (1 - RAMP_SHARE_MIN) * earned;
  const byTime = (atMs - now.rampStartedAtMs) / RAMP_MS;
  return Math.min(1, Math.max(bySuccess, byTime));
}
