import type { UsageRow, UsageSums } from "../core/usage.js";

/** What groups are ranked by. TOKENS is input and output together. */
export type UsageUnit =
  "CALLS" | "ERRORS" | "TOKENS" | "INPUT_TOKENS" | "OUTPUT_TOKENS" | "CACHE_READ_TOKENS" | "COST";

export const NO_USAGE: UsageSums = {
  calls: 0,
  errors: 0,
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
  costMicros: 0,
  unpricedCalls: 0,
  latencySumMs: 0,
  timedCalls: 0,
  requestBytes: 0,
  responseBytes: 0,
};

const UNITS: Readonly<Record<UsageUnit, (sums: UsageSums) => number>> = {
  CALLS: (sums) => sums.calls,
  ERRORS: (sums) => sums.errors,
  TOKENS: (sums) => sums.inputTokens + sums.outputTokens,
  INPUT_TOKENS: (sums) => sums.inputTokens,
  OUTPUT_TOKENS: (sums) => sums.outputTokens,
  CACHE_READ_TOKENS: (sums) => sums.cacheReadTokens,
  COST: (sums) => sums.costMicros,
};

/** The amount of a unit in sums. */
export function amountOf(sums: UsageSums, unit: UsageUnit): number {
  return UNITS[unit](sums);
}

/** Sums of one row of the roll-ups. */
export function sumsOf(row: UsageRow): UsageSums {
  const { bucketMs: _bucket, group: _group, ...sums } = row;
  return sums;
}

export function addSums(a: UsageSums, b: UsageSums): UsageSums {
  return combine(a, b, 1);
}

/** What of `a` is not in `b`; never below zero, as two queries may be a few calls apart. */
export function withoutSums(a: UsageSums, b: UsageSums): UsageSums {
  return combine(a, b, -1);
}

export function totalOf(rows: readonly UsageRow[]): UsageSums {
  return rows.reduce((sum, row) => addSums(sum, sumsOf(row)), NO_USAGE);
}

/** Successful calls of all, 0 to 1; null without calls. */
export function successRatio(sums: UsageSums): number | null {
  return sums.calls === 0 ? null : (sums.calls - sums.errors) / sums.calls;
}

/** Mean latency in milliseconds of the calls that have one; null without any. */
export function averageLatencyMs(sums: UsageSums): number | null {
  return sums.timedCalls === 0 ? null : sums.latencySumMs / sums.timedCalls;
}

function combine(a: UsageSums, b: UsageSums, sign: 1 | -1): UsageSums {
  const of = (key: keyof UsageSums): number => Math.max(0, a[key] + sign * b[key]);
  return {
    calls: of("calls"),
    errors: of("errors"),
    inputTokens: of("inputTokens"),
    outputTokens: of("outputTokens"),
    cacheReadTokens: of("cacheReadTokens"),
    cacheWriteTokens: of("cacheWriteTokens"),
    reasoningTokens: of("reasoningTokens"),
    costMicros: of("costMicros"),
    unpricedCalls: of("unpricedCalls"),
    latencySumMs: of("latencySumMs"),
    timedCalls: of("timedCalls"),
    requestBytes: of("requestBytes"),
    responseBytes: of("responseBytes"),
  };
}
