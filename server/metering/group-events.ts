import type { Attempt, AttemptOutcome, CallRecord } from "../core/call.js";
import type { GroupEvent } from "./dimension-table.js";

/**
 * By what calls are grouped. Keys are ids, or model names. Providers and provider keys count attempts, since a
 * call that moves on from one to another is a failure of the first and a success of the second.
 */
export type Dimension = "PROVIDER" | "PROVIDER_KEY" | "CLIENT_KEY" | "OWNER" | "MODEL";

/** Outcomes that say nothing against the provider or its key. */
const NOT_THE_PROVIDERS_FAULT: ReadonlySet<AttemptOutcome> = new Set([
  "OK",
  "REQUEST_REFUSED",
  "MODEL_REFUSED",
  "CALLER_ABORTED",
]);

/** Takes what a finished call adds to each group that it belongs to. */
export type GroupVisitor = (dimension: Dimension, key: string, event: GroupEvent) => void;

/** Tells `visit` what a finished call adds to each group that it belongs to; a list of it would cost more than the sums. */
export function visitGroups(record: CallRecord, visit: GroupVisitor): void {
  const event = eventOfCall(record);
  visit("CLIENT_KEY", record.clientKeyId, event);
  visit("OWNER", record.ownerId, event);
  // Without a provider the model is whatever the caller wrote, so it does not get a row.
  if (record.providerId === null) return;
  visit("MODEL", record.modelServed ?? record.modelAsked, event);
  const last = record.attempts.length - 1;
  for (let i = 0; i <= last; i++) {
    const attempt = record.attempts[i];
    if (attempt === undefined) continue;
    const part = eventOfAttempt(attempt, i === last ? event : undefined);
    visit("PROVIDER", attempt.providerId, part);
    visit("PROVIDER_KEY", attempt.providerKeyId, part);
  }
}

function eventOfCall(record: CallRecord): GroupEvent {
  return {
    success: record.status === "SUCCESS",
    durationMs: record.latencyMs,
    inputTokens: record.tokens.input,
    outputTokens: record.tokens.output,
    costMicros: record.providerId === null ? 0 : record.costMicros,
  };
}

/** Tokens and cost are those of the last attempt: the ones before it gave no answer. */
function eventOfAttempt(attempt: Attempt, call: GroupEvent | undefined): GroupEvent {
  return {
    success: NOT_THE_PROVIDERS_FAULT.has(attempt.outcome),
    durationMs: attempt.durationMs,
    inputTokens: call?.inputTokens ?? 0,
    outputTokens: call?.outputTokens ?? 0,
    costMicros: call === undefined ? 0 : call.costMicros,
  };
}
