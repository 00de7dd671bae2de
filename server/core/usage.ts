/** What usage is grouped by. */
export type UsageGroup = "NONE" | "MODEL" | "PROVIDER" | "PROVIDER_KEY" | "CLIENT_KEY" | "OWNER";

export type UsageBucket = "MINUTE" | "HOUR" | "DAY" | "ALL";

/** Which calls count; null takes all. */
export interface UsageFilter {
  readonly ownerId: string | null;
  readonly clientKeyId: string | null;
  readonly providerKeyId: string | null;
  readonly providerId: string | null;
  readonly model: string | null;
}

export const ALL_USAGE: UsageFilter = {
  ownerId: null,
  clientKeyId: null,
  providerKeyId: null,
  providerId: null,
  model: null,
};

/** What is asked of the roll-ups. Times are milliseconds since the epoch. */
export interface UsageQuery extends UsageFilter {
  readonly fromMs: number;
  readonly toMs: number;
  readonly bucket: UsageBucket;
  /** Length of the buckets, counted from `fromMs`: a multiple of the length of `bucket`, which holds without it. */
  readonly stepMs?: number;
  readonly groupBy: UsageGroup;
}

/** Sums over calls. Integers; money in micro-US-dollars, of the priced calls only. */
export interface UsageSums {
  readonly calls: number;
  readonly errors: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
  readonly reasoningTokens: number;
  readonly costMicros: number;
  /** Calls of models without a price. */
  readonly unpricedCalls: number;
  readonly latencySumMs: number;
  /** Calls that `latencySumMs` adds up; those without a measured latency are left out. */
  readonly timedCalls: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

/** One bucket of one group. */
export interface UsageRow extends UsageSums {
  /** Start of the bucket, milliseconds since the epoch; with ALL the start that was asked for. */
  readonly bucketMs: number;
  /** Id or model name; empty where there is none, and without groups. */
  readonly group: string;
}
