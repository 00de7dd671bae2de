import { unreachable } from "../core/assert.js";
import { type AttemptOutcome, saysOverload } from "../core/call.js";
import {
  type Condition,
  errorOf,
  FRESH,
  type HealthEvent,
  rampingUp,
  resting,
  stateByRate,
} from "./condition.js";
import { MODEL_REFUSAL_COOLDOWN_MS, RAMP_MS, RAMP_SUCCESSES } from "./health-policy.js";
import { afterTrouble } from "./troubles.js";

// How a key's condition goes on. Each function takes the present one and what happened, and answers the next.
//
//                                         too many of its calls fail
//   UNKNOWN ── a call is served ──► HEALTHY ◄────────────────────► DEGRADED ◄──────────┐
//                                      │          they are served again                │
//                                      │                                               │
//      from any of these three:        ├── rate limit, failures in a row, ──► COOLDOWN ┤ the rest is over; some
//                                      │   the key is refused                          │ must be proven by a call
//                                      ├── its quota is used up ───────────► EXHAUSTED ┘ before others follow
//                                      │
//                                      └── refused again and again ──► INVALID ── a good check ──► HEALTHY
//
// After a rest the key's share of calls ramps up. What an attempt shows of one model alone goes on in the same way, in a
// condition of that model's.

/** True when an outcome says something of the model that was asked for, and not of the key. */
export function isOfModel(outcome: AttemptOutcome, httpStatus: number | null): boolean {
  if (outcome === "RATE_LIMITED" || outcome === "MODEL_REFUSED") return true;
  return outcome === "PROVIDER_ERROR" && saysOverload(httpStatus);
}

// After attempts.

/**
 * The condition of a key after an attempt of a call. `isModels`: `isOfModel` holds. Then a limit says nothing about the
 * key, even on proof. A refused model proves that the provider accepts the key.
 */
export function afterRelease(now: Condition, event: HealthEvent, isModels: boolean): Condition {
  return isModels && event.outcome !== "MODEL_REFUSED" ? now : afterAttempt(now, event);
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
  return resting(refused, "COOLDOWN", event, MODEL_REFUSAL_COOLDOWN_MS);
}

/**
 * What is known of a key for one model, after a call of that model was served; undefined once the key has its full share
 * of such calls. A call that was under way when a rest began does not end it.
 */
export function afterModelSuccess(now: Condition, event: HealthEvent): Condition | undefined {
  if (now.restsUntilMs !== null) return afterLateSuccess(now, event.begunAtMs);
  const { rampLeft, rampStartedAtMs } = now;
  if (rampLeft <= 1 || event.atMs - rampStartedAtMs >= RAMP_MS) return undefined;
  return { ...FRESH, rampLeft: rampLeft - 1, rampStartedAtMs };
}

/** The condition after an attempt that failed by an outage of the provider, which its owner may want to know of. */
export function afterOutage(now: Condition, event: HealthEvent): Condition {
  return now.state === "INVALID" ? now : { ...now, lastError: errorOf(event) };
}

/** The condition after an attempt. Returns the same object when nothing changed, the usual case. */
export function afterAttempt(now: Condition, event: HealthEvent): Condition {
  switch (event.outcome) {
    case "OK":
      return afterSuccess(now, event);
    case "REQUEST_REFUSED":
    case "MODEL_REFUSED":
      return afterAnswer(now, event);
    case "RIGHT_REFUSED":
      // One refusal does not tell who is to blame, but the owner of the key may want to know of it.
      return { ...afterAnswer(now, event), lastError: errorOf(event) };
    case "CALLER_ABORTED":
    case "NO_SOCKET":
      return now;
    case "RATE_LIMITED":
    case "QUOTA_EXHAUSTED":
    case "KEY_REFUSED":
    case "PROVIDER_ERROR":
    case "UNREACHABLE":
    case "TIMEOUT":
    case "CUT":
      return afterTrouble(now, event);
    default:
      return unreachable(event.outcome);
  }
}

/** The provider accepted the key and read the request, which is the caller's fault. */
function afterAnswer(now: Condition, event: HealthEvent): Condition {
  return event.wasProof ? afterSuccess(now, event) : now;
}

function afterSuccess(now: Condition, event: HealthEvent): Condition {
  if (now.restsUntilMs !== null || now.state === "INVALID") {
    // A call from before the rest came back late, be it one on proof: it does not shorten what the provider asked for.
    const known = afterLateSuccess(now, event.begunAtMs);
    return known.consecutiveFailures === 0 ? known : { ...known, consecutiveFailures: 0 };
  }
  const state = stateByRate(event);
  if (now.state === state && isSettled(now)) return now;
  if (now.onProof && !event.wasProof) return now;
  const rampLeft = Math.max(0, now.rampLeft - 1);
  return { ...FRESH, state, rampLeft, rampStartedAtMs: now.rampStartedAtMs };
}

/** A success has nothing to clear away. */
function isSettled(now: Condition): boolean {
  return (
    now.consecutiveFailures === 0 &&
    now.rateLimits === 0 &&
    now.trips === 0 &&
    now.refusals === 0 &&
    now.rampLeft === 0 &&
    now.lastError === null
  );
}

/**
 * The condition when a call is served during a rest that it began before. The rest stays, but a provider that
 * served something between two limits is not asked less and less: long calls end only when the next rest has begun.
 */
export function afterLateSuccess(now: Condition, begunAtMs: number): Condition {
  if (now.rateLimits === 0 || begunAtMs < now.limitedBeforeMs) return now;
  return { ...now, rateLimits: 0 };
}

/** The condition once another key has served a call that failed with this one: the key is to blame. */
export function afterOutdone(now: Condition): Condition {
  return now.failedFor === null ? now : { ...now, failedFor: null };
}

// On the way back.

/** The condition once the end of a rest has come: still to be proven, or on the way back up. */
export function afterRest(now: Condition, atMs: number): Condition {
  return { ...rampingUp(now, atMs), state: "DEGRADED", restsUntilMs: null };
}

/**
 * The condition once a call has shown that the key works again, before it is known how that call ends. Earlier
 * failures still count: a key whose replies begin well and break off rests as long as before.
 */
export function afterProof(now: Condition): Condition {
  return now.onProof && now.restsUntilMs === null ? { ...now, onProof: false } : now;
}

/** The condition after a health check of a key, outside of any call, that succeeded. */
export function afterGoodCheck(now: Condition, atMs: number): Condition {
  // A rate limit or an empty quota does not end because listing models works, whatever else is held against the key.
  const isLimited = now.state === "EXHAUSTED" || now.rateLimits > 0;
  const isToBlame = now.refusals > 0 || now.trips > 0;
  if (now.restsUntilMs !== null && (isLimited || !isToBlame)) return now;
  const rampLeft = now.state === "INVALID" ? RAMP_SUCCESSES : now.rampLeft;
  return { ...FRESH, state: "HEALTHY", rampLeft, rampStartedAtMs: atMs };
}
