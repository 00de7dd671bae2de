import { shownName } from "../core/model-apart.js";
import { saysOutage, saysOverload } from "../core/call.js";
import type { LeaseResult } from "../core/lease.js";
import type { Logger } from "../core/logger.js";
import { BREAKER_AFTER_FAILURES, type HealthPolicy } from "./health-policy.js";
import type { KeyLease } from "./key-lease.js";

/**
 * Calls of one model in a row that a provider has no room for before it gets no more for a while. A provider that has room
 * for most is hardly ever that unlucky, and then all would wait that it could serve.
 */
export const OVERLOADS_MAX = 8;

/** What an attempt says of whom. */
export type Blame =
  /** Of the key. */
  | "KEY"
  /** It failed by an outage, which one key alone may have, as far as is known. */
  | "FIRST_OUTAGE"
  /** It failed by an outage of the provider, of which nothing is held against the key. */
  | "PROVIDER";

/**
 * Tells the provider of a lease how an attempt ended, and finds out whom that speaks of. The first failure of several in a
 * row may be one key's. Those that follow before any call is served are the provider's, as are all connections that could
 * not be made, for these are the same with each key.
 */
export function blameFor(
  lease: KeyLease,
  result: LeaseResult,
  { policy, logger }: { readonly policy: HealthPolicy; readonly logger: Logger },
): Blame {
  const { origin, slot, model, caller, target } = lease;
  const { outcome, httpStatus, endedMs: atMs, unsent } = result;
  if (!saysOutage(outcome, httpStatus) || slot.unreadable) {
    if (outcome === "OK") origin.served(lease, atMs);
    else origin.ended(lease, result, atMs);
    return "KEY";
  }
  // A provider says that it is overloaded, but whether it can answer at all may depend on what was asked.
  const isOverload = saysOverload(httpStatus);
  const isDoubtful = !unsent && !isOverload && origin.callers.areSeveral(atMs);
  const { failures, isFirstRest } = origin.failed(lease, result, {
    atMs,
    callerId: isDoubtful ? caller.ownerId : null,
    retryAfterMs: result.retryAfterMs,
    failuresMax: isOverload ? OVERLOADS_MAX : BREAKER_AFTER_FAILURES,
    restMaxMs: policy.errorCooldownMs,
  });
  if (isFirstRest) {
    const provider = target.provider.id;
    const of = unsent ? {} : { model: shownName(model) };
    logger.warn({ provider, ...of, reason: result.detail }, "provider left alone for a while");
  }
  return unsent || failures > 1 ? "PROVIDER" : "FIRST_OUTAGE";
}
