import type { CallRecord } from "../core/call.js";
import type { ClientKeyKind } from "../core/client-key.js";
import { timeOfId } from "../core/ids.js";
import type { Dialect } from "../core/provider.js";
import { NO_TOKENS } from "../core/call.js";

/**
 * What is known of a call when it is admitted. The journal keeps it, so that a call during which the
 * process dies still leaves a row. Only the first two fields are certain; the more, the better the row.
 */
export interface BegunCall {
  readonly id: string;
  readonly clientKeyId: string;
  readonly clientKeyKind?: ClientKeyKind;
  readonly ownerId?: string;
  readonly modelAsked?: string;
  readonly endpoint?: string;
  readonly dialect?: Dialect;
  readonly streamed?: boolean;
  readonly ip?: string;
  /** Milliseconds since the epoch. */
  readonly startedAt?: number;
}

/** Who owns a client key; for calls whose begin did not say. */
export type OwnerLookup = (
  clientKeyId: string,
) => { readonly ownerId: string; readonly kind: ClientKeyKind } | undefined;

/** The error code of a call during which the process died. */
export const PROCESS_DIED = "process_died";

/** The record of a call that began and of which nothing more is known. */
export function recordOfLostCall(call: BegunCall, ownerOf: OwnerLookup): CallRecord {
  const owner = ownerOf(call.clientKeyId);
  return {
    id: call.id,
    startedAt: call.startedAt ?? timeOfId(call.id) ?? 0,
    clientKeyId: call.clientKeyId,
    clientKeyKind: call.clientKeyKind ?? owner?.kind ?? "STANDARD",
    ownerId: call.ownerId ?? owner?.ownerId ?? "",
    providerKeyId: null,
    providerId: null,
    modelAsked: call.modelAsked ?? "",
    modelServed: null,
    endpoint: call.endpoint ?? "",
    dialect: call.dialect ?? "OPENAI",
    streamed: call.streamed ?? false,
    status: "ERROR",
    httpStatus: 500,
    errorCode: PROCESS_DIED,
    errorMessage:
      "Latchkey stopped while this call was running; what the provider billed for it is unknown.",
    latencyMs: 0,
    ttfbMs: null,
    requestBytes: 0,
    responseBytes: 0,
    tokens: NO_TOKENS,
    costMicros: null,
    usageSource: "NONE",
    ip: call.ip ?? "",
    attempts: [],
  };
}
