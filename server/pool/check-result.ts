import type { HealthEvent } from "./health.js";
import type { KeySlot } from "./key-slot.js";
import type { CheckResult } from "./lease.js";

/** A failed health check as the event that a call with the same answer would have been. */
export function checkEvent(
  slot: KeySlot,
  result: CheckResult,
  atMs: number,
): Omit<HealthEvent, "policy"> {
  return {
    outcome: result.outcome,
    atMs,
    begunAtMs: atMs,
    retryAfterMs: null,
    detail: result.error,
    rate: slot.outcomes.rate,
    outcomes: slot.outcomes.count,
    wasProof: slot.condition.onProof,
  };
}
