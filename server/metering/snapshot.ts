import type { Tier } from "../core/provider-key.js";
import type { CallSums } from "./call-sums.js";
import type { Percentiles } from "./meter.js";
import type { RecentError } from "./recent-errors.js";
import type { Spend } from "./spend.js";

/** Seconds of history in each snapshot, so that a new watcher draws its trend at once. */
export const HISTORY_SECONDS = 120;

/** How many keys are in which condition; the conditions exclude each other and add up to the total. */
export interface KeyCounts {
  readonly total: number;
  readonly eligible: number;
  readonly cooldown: number;
  readonly exhausted: number;
  readonly invalid: number;
  readonly disabled: number;
}

export interface TierSummary extends KeyCounts {
  readonly tier: Tier;
}

/** The state of the pool, as the pool itself tells it. */
export interface PoolSummary {
  readonly tiers: readonly TierSummary[];
  /** The public keys of all tiers. */
  readonly publicKeys: KeyCounts;
  /** Milliseconds since the epoch; null when nothing cools down. */
  readonly nextCooldownEndsAt: number | null;
  /** Keys by provider id. */
  readonly providers: ReadonlyMap<string, KeyCounts>;
}

export const NO_KEYS: KeyCounts = {
  total: 0,
  eligible: 0,
  cooldown: 0,
  exhausted: 0,
  invalid: 0,
  disabled: 0,
};

export const EMPTY_POOL: PoolSummary = {
  tiers: [],
  publicKeys: NO_KEYS,
  nextCooldownEndsAt: null,
  providers: new Map(),
};

/** DOWN has keys and none is eligible; DEGRADED fails often, or less than half of its keys are eligible. */
export type ProviderState = "OK" | "DEGRADED" | "DOWN";

/** A provider in the window. It counts attempts; without any, its percentiles and share are null. */
export interface ProviderRow {
  readonly id: string;
  readonly name: string;
  readonly keysEligible: number;
  readonly keysTotal: number;
  readonly calls: number;
  readonly callsPerSecond: number;
  readonly successRatio: number | null;
  readonly latencyP50Ms: number | null;
  readonly latencyP95Ms: number | null;
  readonly tokensPerMinute: number;
  readonly costMicrosPerHour: number;
  /** Some of its calls had no price. */
  readonly unpriced: boolean;
  readonly state: ProviderState;
}

/** A line of a ranking. */
export interface TopRow {
  readonly id: string;
  readonly name: string;
  readonly calls: number;
  readonly callsPerSecond: number;
  readonly successRatio: number | null;
  readonly tokens: number;
  readonly tokensPerMinute: number;
  readonly costMicros: number;
  /** Of all calls, 0 to 1. */
  readonly share: number;
}

export interface TopList {
  /** By calls, most first, at most ten. */
  readonly rows: readonly TopRow[];
  /** What all others have together, and how many they are. */
  readonly others: {
    readonly groups: number;
    readonly calls: number;
    readonly callsPerSecond: number;
    readonly tokensPerMinute: number;
    readonly share: number;
  };
}

/** One second of the trend. */
export interface HistoryBucket {
  /** Start of the second, milliseconds since the epoch. */
  readonly atMs: number;
  /** The server did not run yet, which is not the same as no calls. */
  readonly gap: boolean;
  readonly calls: number;
  readonly errors: number;
  /** Of the errors, by what the caller got: 429, 5xx, or nothing because it left. */
  readonly rateLimited: number;
  readonly serverErrors: number;
  readonly aborted: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costMicros: number;
  readonly latencyP50Ms: number | null;
  readonly latencyP95Ms: number | null;
  /** Calls in flight at the end of the second. */
  readonly inflight: number;
}

/** Everything that the overview shows, at one moment. Shares are 0 to 1 and null without calls. */
export interface OverviewSnapshot {
  /** Rises by one with each tick of this process. */
  readonly seq: number;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** Asked for; rates, shares, percentiles, providers and rankings are over it. */
  readonly windowSeconds: number;
  /** What the window really covers; less just after the start. */
  readonly coveredSeconds: number;
  readonly traffic: {
    /** Mean over the window. */
    readonly callsPerSecond: number;
    /** Of the last whole second. */
    readonly callsLastSecond: number;
    /** Most calls in one second of the history. */
    readonly callsPeakSecond: number;
    readonly inputTokensPerMinute: number;
    readonly outputTokensPerMinute: number;
    readonly cacheReadTokensPerMinute: number;
    readonly inflight: number;
  };
  readonly quality: {
    readonly sums: CallSums;
    readonly successRatio: number | null;
    readonly rateLimitedRatio: number | null;
    readonly callerErrorRatio: number | null;
    readonly serverErrorRatio: number | null;
    readonly abortedRatio: number | null;
  };
  readonly latency: Percentiles;
  readonly ttfb: Percentiles;
  readonly history: readonly HistoryBucket[];
  readonly pool: PoolSummary;
  /** Most attempts first, at most 20. */
  readonly providers: readonly ProviderRow[];
  /** How many providers have keys or calls. */
  readonly providerCount: number;
  readonly topClientKeys: TopList;
  readonly topModels: TopList;
  readonly topOwners: TopList;
  /** Newest first, at most 200. */
  readonly errors: readonly RecentError[];
  readonly spend: Spend;
}
