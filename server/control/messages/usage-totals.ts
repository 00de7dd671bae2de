import type { UsageSums } from "../../core/usage.js";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { UsageTotalsSchema } from "../../../proto/gen/latchkey/v1/common_pb.js";
import { averageLatencyMs, successRatio } from "../../metering/usage-sums.js";
import { int64 } from "./values.js";

/** Ratios and means are unset without calls; what the roll-ups do not keep is 0 or unset. */
export function usageTotalsMessage(sums: UsageSums): MessageInitShape<typeof UsageTotalsSchema> {
  const ratio = successRatio(sums);
  const latencyMs = averageLatencyMs(sums);
  return {
    calls: int64(sums.calls),
    successCalls: int64(sums.calls - sums.errors),
    errorCalls: int64(sums.errors),
    tokens: {
      input: int64(sums.inputTokens),
      output: int64(sums.outputTokens),
      cacheRead: int64(sums.cacheReadTokens),
      cacheWrite: int64(sums.cacheWriteTokens),
      reasoning: int64(sums.reasoningTokens),
    },
    costMicros: int64(sums.costMicros),
    unpricedCalls: int64(sums.unpricedCalls),
    requestBytes: int64(sums.requestBytes),
    responseBytes: int64(sums.responseBytes),
    ...(ratio === null ? {} : { successRatio: ratio }),
    ...(latencyMs === null ? {} : { averageLatencyMs: latencyMs }),
  };
}
