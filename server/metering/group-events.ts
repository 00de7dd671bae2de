import { type Attempt, type CallRecord, countsAs } from "../core/call.js";
import type { DimensionTable, GroupEvent } from "./dimension-table.js";

/**
 * By what calls are grouped. Keys are ids, or model names. Providers and provider keys count attempts, since a
 * call that moves on from one to another is a failure of the first and a success of the second.
 */
export type Dimension = "PROVIDER" | "PROVIDER_KEY" | "CLIENT_KEY" | "OWNER" | "MODEL";

/** Adds a call that finished in `second` to each group that it belongs to. */
export function addToGroups(
  tables: Readonly<Record<Dimension, DimensionTable>>,
  second: number,
  record: CallRecord,
): void {
  const event = eventOfCall(record);
  tables.CLIENT_KEY.add(record.clientKeyId, second, event);
  tables.OWNER.add(record.ownerId, second, event);
  // Without a provider the model is whatever the caller wrote, so it does not get a row.
  if (record.providerId === null) return;
  tables.MODEL.add(record.modelServed ?? record.modelAsked, second, event);
  const last = record.attempts.length - 1;
  for (let i = 0; i <= last; i++) {
    const attempt = record.attempts[i];
    if (attempt === undefined) continue;
    const part = eventOfAttempt(attempt, i === last ? event : undefined);
    tables.PROVIDER.add(attempt.providerId, second, part);
    tables.PROVIDER_KEY.add(attempt.providerKeyId, second, part);
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
    success: countsAs(attempt.outcome) !== "failure",
    durationMs: attempt.durationMs,
    inputTokens: call?.inputTokens ?? 0,
    outputTokens: call?.outputTokens ?? 0,
    costMicros: call === undefined ? 0 : call.costMicros,
  };
}
