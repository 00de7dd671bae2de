import { type BegunCall, type CallRecord, type Estimate, NO_TOKENS } from "../core/call.js";

/** The error code of a call during which the process died. */
const PROCESS_DIED = "process_died";

/** What a call of a journal that says no more had set aside. */
export const NOTHING_RESERVED: Estimate = { inputTokens: 0, maxOutputTokens: 0, costMicros: 0 };

/**
 * The record of a call that began and of which nothing more is known. A provider may have made and billed all of
 * what was reserved, so that is what the call is taken to have used: a kill gives no budget back.
 */
export function recordOfLostCall({ reserved, ...call }: BegunCall): CallRecord {
  const { inputTokens: input, maxOutputTokens: output, costMicros } = reserved;
  return {
    ...call,
    providerKeyId: null,
    providerId: null,
    modelServed: null,
    status: "ERROR",
    httpStatus: 500,
    errorCode: PROCESS_DIED,
    errorMessage:
      "Latchkey stopped while this call was running; what the provider billed for it is unknown, so all that was reserved for it counts as used.",
    latencyMs: 0,
    ttfbMs: null,
    requestBytes: 0,
    responseBytes: 0,
    tokens: { ...NO_TOKENS, input, output },
    // Nothing reserved says that no price was known, which is not the same as free.
    costMicros: costMicros === 0 ? null : costMicros,
    usageSource: input + output === 0 ? "NONE" : "ESTIMATED",
    attempts: [],
  };
}
