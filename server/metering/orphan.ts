import { type BegunCall, type CallRecord, NO_TOKENS } from "../core/call.js";

/** The error code of a call during which the process died. */
const PROCESS_DIED = "process_died";

/**
 * The record of an orphan: a call that began in an earlier process, which died before the call ended. A provider may have
 * made and billed all that was reserved, so the call counts as having used that: a kill gives no budget back.
 */
export function recordOfOrphan({ reserved, ...call }: BegunCall): CallRecord {
  const { inputTokens: input, maxOutputTokens: output, costMicros } = reserved;
  const isPriced = costMicros > 0;
  const usesTokens = input + output > 0;
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
    // Tokens without money say that no price was known, which is not the same as free. Where neither was reserved, as
    // for a list of models, a call costs nothing.
    costMicros: isPriced || !usesTokens ? costMicros : null,
    usageSource: isPriced || usesTokens ? "ESTIMATED" : "NONE",
    attempts: [],
  };
}
