import { QUOTA_RESET_MAX_MS, RETRY_AFTER_MAX_MS } from "../core/rests.js";
import { type Condition, errorOf, type HealthEvent, resting, stateByRate } from "./condition.js";
import {
  BREAKER_AFTER_FAILURES,
  BREAKER_BASE_MS,
  DEGRADED_AFTER_FAILURES,
  DOUBLINGS_MAX,
  type HealthPolicy,
  QUOTA_RESET_DEFAULT_MS,
  RATE_LIMIT_WAIT_MAX_MS,
  REFUSAL_COOLDOWN_MS,
} from "./health-policy.js";

// The four troubles that a key can have, and the condition that it is in after each.

/** The condition after an attempt that shows one of them. */
export function afterTrouble(now: Condition, event: HealthEvent): Condition {
  // Calls that began before, or another key of its quota group, must not make a rest of it that ends by itself.
  if (now.state === "INVALID") return now;
  switch (event.outcome) {
    case "RATE_LIMITED":
      return afterRateLimit(now, event);
    case "QUOTA_EXHAUSTED":
      return afterQuota(now, event);
    case "KEY_REFUSED":
      return afterRefusal(now, event);
    default:
      return afterFailure(now, event);
  }
}

/** Its provider limits its rate: it rests, longer with each limit in a row unless it was told how long. */
function afterRateLimit(now: Condition, event: HealthEvent): Condition {
  // Several calls in flight hear of the same limit; only the first moves the back-off up a step.
  const isKnown = now.rateLimits > 0 && now.state === "COOLDOWN" && now.restsUntilMs !== null;
  const counted = isKnown
    ? now
    : {
        ...now,
        rateLimits: now.rateLimits + 1,
        limitedAtMs: event.atMs,
        limitedBeforeMs: now.limitedAtMs,
      };
  const waitMs = event.retryAfterMs ?? limitWaitMs(counted.rateLimits, event.policy);
  return resting(counted, "COOLDOWN", event, Math.min(waitMs, RETRY_AFTER_MAX_MS));
}

function limitWaitMs(rateLimits: number, { rateLimitCooldownMs }: HealthPolicy): number {
  const longestMs = Math.max(rateLimitCooldownMs, RATE_LIMIT_WAIT_MAX_MS);
  return Math.min(doubled(rateLimitCooldownMs, rateLimits - 1), longestMs);
}

/** Its quota is used up: it rests, and then has to be proven. */
function afterQuota(now: Condition, event: HealthEvent): Condition {
  const waitMs = Math.min(event.retryAfterMs ?? QUOTA_RESET_DEFAULT_MS, QUOTA_RESET_MAX_MS);
  return { ...resting(now, "EXHAUSTED", event, waitMs), onProof: true };
}

/** It was refused: it rests, and then has to be proven. Refused some times in a row it is INVALID. */
function afterRefusal(now: Condition, event: HealthEvent): Condition {
  // Refusals of calls that were in flight together are one finding, not several.
  const isNew = now.refusals === 0 || event.atMs - now.lastRefusalAtMs >= REFUSAL_COOLDOWN_MS;
  const counted = isNew ? { ...now, refusals: now.refusals + 1, lastRefusalAtMs: event.atMs } : now;
  if (counted.refusals < event.policy.invalidAfterRefusals) {
    return { ...resting(counted, "COOLDOWN", event, REFUSAL_COOLDOWN_MS), onProof: true };
  }
  const lastError = errorOf(event);
  return { ...counted, state: "INVALID", restsUntilMs: null, onProof: false, lastError };
}

/** Its provider failed: it is DEGRADED after a few failures in a row, and rests after some more. */
function afterFailure(now: Condition, event: HealthEvent): Condition {
  const failed = {
    ...now,
    consecutiveFailures: now.consecutiveFailures + 1,
    failedFor: solelyFor(now, event),
    lastError: errorOf(event),
  };
  const toldMs =
    event.retryAfterMs === null ? null : Math.min(event.retryAfterMs, RETRY_AFTER_MAX_MS);
  if (isTripped(failed, event)) return tripped(failed, event, toldMs ?? 0);
  if (toldMs !== null) return resting(failed, "COOLDOWN", event, toldMs);
  if (now.restsUntilMs !== null) return failed;
  const isDegraded =
    failed.consecutiveFailures >= DEGRADED_AFTER_FAILURES || stateByRate(event) === "DEGRADED";
  return isDegraded ? { ...failed, state: "DEGRADED" } : failed;
}

/**
 * The user to whose calls all recent failures belong, this one included; null if there is none. The failures may come from
 * what that user asks for, and must not cost the others a key.
 */
function solelyFor(now: Condition, { callerId }: HealthEvent): string | null {
  return now.consecutiveFailures === 0 || now.failedFor === callerId ? callerId : null;
}

/** The key is to blame, and has failed too often, or when it had to be proven. */
function isTripped(failed: Condition, event: HealthEvent): boolean {
  const isMany =
    failed.consecutiveFailures >= BREAKER_AFTER_FAILURES && failed.restsUntilMs === null;
  return failed.failedFor === null && (event.wasProof || isMany);
}

/** It rests for longer than the time before. `toldMs`: as its provider asks for. */
function tripped(failed: Condition, event: HealthEvent, toldMs: number): Condition {
  const ownMs = Math.min(doubled(BREAKER_BASE_MS, failed.trips), event.policy.errorCooldownMs);
  const counted = { ...failed, trips: failed.trips + 1 };
  // A provider that always asks to come back at once must not be asked more than one that says nothing.
  return { ...resting(counted, "COOLDOWN", event, Math.max(ownMs, toldMs)), onProof: true };
}

function doubled(baseMs: number, times: number): number {
  return baseMs * 2 ** Math.min(times, DOUBLINGS_MAX);
}
