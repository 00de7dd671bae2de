import { unreachable } from "../core/assert.js";
import { type AttemptOutcome, saysOverload } from "../core/call.js";
import { HOUR_MS } from "../core/durations.js";
import type { Health } from "../core/provider-key.js";
import { QUOTA_RESET_MAX_MS, RETRY_AFTER_MAX_MS } from "../core/rests.js";

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
/** Below this success rate, with more outcomes than `RATE_COUNTS_FROM`, a key is DEGRADED. */
export const DEGRADED_RATE = 0.7;
export const RATE_COUNTS_FROM = 10;
/** A key that came back gets its full share after this many successes, or after this long. */
export const RAMP_SUCCESSES = 50;
export const RAMP_MS = 60_000;
const RAMP_SHARE_MIN = 0.1;

export const ERROR_CHARS_MAX = 200;
const DOUBLINGS_MAX = 20;

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

/** What is known of a key's condition. Times in monotonic milliseconds. */
export interface Condition {
  readonly state: Health;
  readonly consecutiveFailures: number;
  /** Id of the user whose calls all of these failures were, and may have caused them; null when the key is to blame. */
  readonly failedFor: string | null;
  /** Rate limits in a row, with no call served that began in between. */
  readonly rateLimits: number;
  /** When the last of these limits came, and the one before it. */
  readonly limitedAtMs: number;
  readonly limitedBeforeMs: number;
  readonly trips: number;
  readonly refusals: number;
  readonly lastRefusalAtMs: number;
  /** End of a cooldown or exhaustion; null when there is none. */
  readonly blockedUntilMs: number | null;
  /** One call has to succeed before others may follow. */
  readonly onProof: boolean;
  /** Successes that are still missing until the key gets its full share; 0 when it does. */
  readonly rampLeft: number;
  readonly rampStartedAtMs: number;
  readonly lastError: string | null;
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
  blockedUntilMs: null,
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

/** What an outcome counts as for the key: a success, a failure, or neither. */
export function countsAs(outcome: AttemptOutcome): "success" | "failure" | "neutral" {
  switch (outcome) {
    case "OK":
      return "success";
    case "CALLER_ABORTED":
    case "REQUEST_REFUSED":
    case "MODEL_REFUSED":
    case "RIGHT_REFUSED":
      return "neutral";
    case "RATE_LIMITED":
    case "QUOTA_EXHAUSTED":
    case "KEY_REFUSED":
    case "PROVIDER_ERROR":
    case "UNREACHABLE":
    case "TIMEOUT":
    case "CUT":
      return "failure";
    default:
      return unreachable(outcome);
  }
}

/** The condition after an attempt. Returns the same object when nothing changed, the usual case. */
export function afterAttempt(now: Condition, event: HealthEvent): Condition {
  switch (event.outcome) {
    case "OK":
      return afterSuccess(now, event);
    case "REQUEST_REFUSED":
    case "MODEL_REFUSED":
      // The provider accepted the key and read the request, which is the caller's fault.
      return event.wasProof ? afterSuccess(now, event) : now;
    case "RIGHT_REFUSED":
      // One refusal does not tell who is to blame, but the owner of the key may want to know of it.
      return { ...(event.wasProof ? afterSuccess(now, event) : now), lastError: errorOf(event) };
    case "CALLER_ABORTED":
      return now;
    case "RATE_LIMITED":
      return afterRateLimit(now, event);
    case "QUOTA_EXHAUSTED":
      return afterQuota(now, event);
    case "KEY_REFUSED":
      return afterRefusal(now, event);
    case "PROVIDER_ERROR":
    case "UNREACHABLE":
    case "TIMEOUT":
    case "CUT":
      return afterFailure(now, event);
    default:
      return unreachable(event.outcome);
  }
}

/**
 * The condition of a key after an attempt of a call. `isModels`: `isOfModel` holds. Then a limit says nothing about the
 * key, even on proof. A refused model proves that the provider accepts the key.
 */
export function afterRelease(now: Condition, event: HealthEvent, isModels: boolean): Condition {
  return isModels && event.outcome !== "MODEL_REFUSED" ? now : afterAttempt(now, event);
}

/** True when an outcome says something of the model that was asked for, and not of the key. */
export function isOfModel(outcome: AttemptOutcome, httpStatus: number | null): boolean {
  if (outcome === "RATE_LIMITED" || outcome === "MODEL_REFUSED") return true;
  return outcome === "PROVIDER_ERROR" && saysOverload(httpStatus);
}

/**
 * What is known of a key for one model, after an attempt of which `isOfModel` holds. Unlike a key, a model
 * that comes back need not be proven: it is the provider that was at its limit.
 */
export function afterModelAttempt(now: Condition, event: HealthEvent): Condition {
  if (event.outcome !== "MODEL_REFUSED") {
    // A provider that limits a model does serve it, whatever it said before.
    return { ...afterAttempt(now, event), onProof: false, refusals: 0 };
  }
  const refused = { ...now, refusals: now.refusals + 1 };
  return blocked(refused, "COOLDOWN", event, MODEL_REFUSAL_COOLDOWN_MS);
}

/**
 * The condition when a call is served during a rest that it began before. The rest stays, but a provider that
 * served something between two limits is not asked less and less: long calls end only when the next rest has begun.
 */
export function afterLateSuccess(now: Condition, begunAtMs: number): Condition {
  if (now.rateLimits === 0 || begunAtMs < now.limitedBeforeMs) return now;
  return { ...now, rateLimits: 0 };
}

/** The condition once the end of a block has come: still to be proven, or on the way back up. */
export function afterBlock(now: Condition, atMs: number): Condition {
  return {
    ...now,
    state: "DEGRADED",
    blockedUntilMs: null,
    rampLeft: RAMP_SUCCESSES,
    rampStartedAtMs: atMs,
  };
}

/**
 * The condition once a call has shown that the key works again, before it is known how that call ends. Earlier
 * failures still count: a key whose replies begin well and break off rests as long as before.
 */
export function afterProof(now: Condition): Condition {
  return now.onProof && now.blockedUntilMs === null ? { ...now, onProof: false } : now;
}

/** The condition once another key has served a call that failed with this one: the key is to blame. */
export function afterOutdone(now: Condition): Condition {
  return now.failedFor === null ? now : { ...now, failedFor: null };
}

/** The same condition with its full share still to be earned. */
export function rampingUp(now: Condition, atMs: number): Condition {
  return { ...now, rampLeft: RAMP_SUCCESSES, rampStartedAtMs: atMs };
}

/** The condition after a health check of a key, outside of any call, that succeeded. */
export function afterGoodCheck(now: Condition, atMs: number): Condition {
  // A rate limit or an empty quota does not end because listing models works.
  const held = now.blockedUntilMs !== null && now.refusals === 0 && now.trips === 0;
  if (held && now.state !== "INVALID") return now;
  return {
    ...FRESH,
    state: "HEALTHY",
    rampLeft: now.state === "INVALID" ? RAMP_SUCCESSES : now.rampLeft,
    rampStartedAtMs: atMs,
  };
}

/** The part of its full share that a key may take now, above 0 and at most 1. */
export function rampShare(now: Condition, atMs: number): number {
  if (now.rampLeft === 0) return 1;
  const earned = (RAMP_SUCCESSES - now.rampLeft) / RAMP_SUCCESSES;
  const bySuccess = RAMP_SHARE_MIN + (1 - RAMP_SHARE_MIN) * earned;
  const byTime = (atMs - now.rampStartedAtMs) / RAMP_MS;
  return Math.min(1, Math.max(bySuccess, byTime));
}

function afterSuccess(now: Condition, event: HealthEvent): Condition {
  const state = stateByRate(event);
  const rampLeft = Math.max(0, now.rampLeft - 1);
  if (now.blockedUntilMs !== null || now.state === "INVALID") {
    // A call from before the block came back late, be it one on proof: it does not shorten what the provider asked for.
    const known = afterLateSuccess(now, event.begunAtMs);
    return known.consecutiveFailures === 0 ? known : { ...known, consecutiveFailures: 0 };
  }
  const isSettled =
    now.state === state &&
    now.consecutiveFailures === 0 &&
    now.rateLimits === 0 &&
    now.trips === 0 &&
    now.refusals === 0 &&
    now.rampLeft === 0 &&
    now.lastError === null;
  if (isSettled) return now;
  if (now.onProof && !event.wasProof) return now;
  return { ...FRESH, state, rampLeft, rampStartedAtMs: now.rampStartedAtMs };
}

function afterRateLimit(now: Condition, event: HealthEvent): Condition {
  // Several calls in flight hear of the same limit; only the first moves the back-off up a step.
  const again = now.state === "COOLDOWN" && now.blockedUntilMs !== null;
  const rateLimits = again ? now.rateLimits : now.rateLimits + 1;
  const limitedAtMs = again ? now.limitedAtMs : event.atMs;
  const limitedBeforeMs = again ? now.limitedBeforeMs : now.limitedAtMs;
  const baseMs = event.policy.rateLimitCooldownMs;
  const doublings = Math.min(Math.max(rateLimits - 1, 0), DOUBLINGS_MAX);
  const steppedMs = Math.min(baseMs * 2 ** doublings, Math.max(baseMs, RATE_LIMIT_WAIT_MAX_MS));
  const waitMs = Math.min(event.retryAfterMs ?? steppedMs, RETRY_AFTER_MAX_MS);
  const counted = { ...now, rateLimits, limitedAtMs, limitedBeforeMs };
  return blocked(counted, "COOLDOWN", event, waitMs);
}

function afterQuota(now: Condition, event: HealthEvent): Condition {
  const waitMs = Math.min(event.retryAfterMs ?? QUOTA_RESET_DEFAULT_MS, QUOTA_RESET_MAX_MS);
  return { ...blocked(now, "EXHAUSTED", event, waitMs), onProof: true };
}

function afterRefusal(now: Condition, event: HealthEvent): Condition {
  if (now.state === "INVALID") return now;
  // Refusals of calls that were in flight together are one finding, not several.
  const isNew = now.refusals === 0 || event.atMs - now.lastRefusalAtMs >= REFUSAL_COOLDOWN_MS;
  const refusals = isNew ? now.refusals + 1 : now.refusals;
  const lastRefusalAtMs = isNew ? event.atMs : now.lastRefusalAtMs;
  const known = { ...now, refusals, lastRefusalAtMs };
  if (refusals >= event.policy.invalidAfterRefusals) {
    return {
      ...known,
      state: "INVALID",
      blockedUntilMs: null,
      onProof: false,
      lastError: errorOf(event),
    };
  }
  return { ...blocked(known, "COOLDOWN", event, REFUSAL_COOLDOWN_MS), onProof: true };
}

function afterFailure(now: Condition, event: HealthEvent): Condition {
  const consecutiveFailures = now.consecutiveFailures + 1;
  const failedFor = solelyFor(now, event);
  const counted = { ...now, consecutiveFailures, failedFor, lastError: errorOf(event) };
  if (now.state === "INVALID") return now;
  const toldMs =
    event.retryAfterMs === null ? null : Math.min(event.retryAfterMs, RETRY_AFTER_MAX_MS);
  const isMany = consecutiveFailures >= BREAKER_AFTER_FAILURES && now.blockedUntilMs === null;
  if (failedFor === null && (event.wasProof || isMany)) {
    const doubledMs = BREAKER_BASE_MS * 2 ** Math.min(now.trips, DOUBLINGS_MAX);
    // A provider that always asks to come back at once must not be asked more than one that says nothing.
    const waitMs = Math.max(Math.min(doubledMs, event.policy.errorCooldownMs), toldMs ?? 0);
    const tripped = blocked({ ...counted, trips: now.trips + 1 }, "COOLDOWN", event, waitMs);
    return { ...tripped, onProof: true };
  }
  if (toldMs !== null) return blocked(counted, "COOLDOWN", event, toldMs);
  if (now.blockedUntilMs !== null) return counted;
  const isDegraded =
    consecutiveFailures >= DEGRADED_AFTER_FAILURES || stateByRate(event) === "DEGRADED";
  return { ...counted, state: isDegraded ? "DEGRADED" : now.state };
}

/**
 * The user to whose calls all recent failures belong, this one included; null if there is none. The failures may come from
 * what that user asks for, and must not cost the others a key.
 */
function solelyFor(now: Condition, { callerId }: HealthEvent): string | null {
  return now.consecutiveFailures === 0 || now.failedFor === callerId ? callerId : null;
}

function blocked(now: Condition, state: Health, event: HealthEvent, waitMs: number): Condition {
  const untilMs = event.atMs + Math.max(waitMs, COOLDOWN_MIN_MS);
  return {
    ...now,
    // Of two blocks the later end holds, and a late answer does not turn an exhaustion into a mere cooldown.
    state: now.state === "EXHAUSTED" && now.blockedUntilMs !== null ? "EXHAUSTED" : state,
    blockedUntilMs: Math.max(untilMs, now.blockedUntilMs ?? 0),
    rampLeft: 0,
    lastError: errorOf(event),
  };
}

function stateByRate(event: HealthEvent): Health {
  return event.outcomes > RATE_COUNTS_FROM && event.rate < DEGRADED_RATE ? "DEGRADED" : "HEALTHY";
}

function errorOf(event: HealthEvent): string {
  return (event.detail === "" ? event.outcome : event.detail).slice(0, ERROR_CHARS_MAX);
}
