import type { AttemptOutcome } from "../core/call.js";
import type { ProviderKey } from "../core/provider-key.js";
import type { HealthEvent } from "./condition.js";
import type { KeySlot } from "./key-slot.js";

/** A key as it was checked. */
export type CheckedKey = Pick<ProviderKey, "id" | "fingerprint">;

/** What a health check outside of any call found. */
export interface CheckResult {
  readonly ok: boolean;
  /** What it says of the key where it did not succeed. */
  readonly outcome: AttemptOutcome;
  /** Without secrets; empty when it succeeded. */
  readonly error: string;
}

/** A failed health check as the event that a call with the same answer would have been. */
export function checkEvent(
  slot: KeySlot,
  result: CheckResult,
  atMs: number,
): Omit<HealthEvent, "policy"> {
  return {
    outcome: result.outcome,
    callerId: null,
    atMs,
    begunAtMs: atMs,
    retryAfterMs: null,
    detail: result.error,
    rate: slot.outcomes.rate,
    outcomes: slot.outcomes.count,
    wasProof: slot.condition.onProof,
  };
}
