import type { CallRecord } from "../core/call.js";
import { NO_TOKENS } from "../core/call.js";

/**
 * What is known of a call when it is admitted. The journal keeps it, so that a call during which the
 * process dies still leaves a row.
 */
export type BegunCall = Pick<
  CallRecord,
  | "id"
  | "startedAt"
  | "clientKeyId"
  | "clientKeyKind"
  | "ownerId"
  | "modelAsked"
  | "endpoint"
  | "dialect"
  | "streamed"
  | "ip"
>;

/** What is put on record of a call: that it begins, or how it ended. */
export type CallEntry =
  | { readonly kind: "BEGUN"; readonly call: BegunCall }
  | { readonly kind: "FINISHED"; readonly record: CallRecord };

/** The error code of a call during which the process died. */
export const PROCESS_DIED = "process_died";

/** The record of a call that began and of which nothing more is known. */
export function recordOfLostCall(call: BegunCall): CallRecord {
  return {
    ...call,
    providerKeyId: null,
    providerId: null,
    modelServed: null,
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
    attempts: [],
  };
}
