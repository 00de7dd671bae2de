import type { Clock } from "../core/clock.js";
import type { Tier } from "../core/provider-key.js";
import type { CallSums } from "./call-sums.js";
import type { GroupWindow } from "./dimension-table.js";
import type { Dimension, Meter, Percentiles } from "./meter.js";
import type { RecentError } from "./recent-errors.js";
import type { Spend } from "./spend.js";

/** Seconds of history in each snapshot, so that a new watcher draws its trend at once. */
export const HISTORY_SECONDS = 120;
/** Rates are over the last minute, whatever the window of the shares and percentiles is. */
const RATE_SECONDS = 60;
const PROVIDER_ROWS_MAX = 20;
const TOP_ROWS_MAX = 10;
/** Below this share of successes, from this many calls on, a provider is degraded. */
const DEGRADED_BELOW = 0.95;
const DEGRADED_CALLS_MIN = 20;

/** How many keys of a tier are in which condition; the conditions exclude each other. */
export interface TierSummary {
  readonly tier: Tier;
  readonly total: number;
  readonly eligible: number;
  readonly cooldown: number;
  readonly exhausted: number;
  readonly invalid: number;
  readonly disabled: number;
}

/** The state of the pool, as the pool itself tells it. */
export interface PoolSummary {
  readonly tiers: readonly TierSummary[];
  readonly publicEligible: number;
  readonly publicTotal: number;
  /** Milliseconds since the epoch; null when nothing cools down. */
  readonly nextCooldownEndsAt: number | null;
  /** Keys by provider id. */
  readonly providers: ReadonlyMap<string, KeyCounts>;
}

export interface KeyCounts {
  readonly eligible: number;
  readonly total: number;
}

const NO_KEYS: KeyCounts = { eligible: 0, total: 0 };

const NO_CALLS: GroupWindow = {
  key: "",
  calls: 0,
  successes: 0,
  inputTokens: 0,
  outputTokens: 0,
  costMicros: 0,
  latencyP50Ms: null,
  latencyP95Ms: null,
};

export const EMPTY_POOL: PoolSummary = {
  tiers: [],
  publicEligible: 0,
  publicTotal: 0,
  nextCooldownEndsAt: null,
  providers: new Map(),
};

export type ProviderState = "OK" | "DEGRADED" | "DOWN";

/** A provider in the window. Without calls its percentiles and share are null. */
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
  readonly state: ProviderState;
}

/** A line of a ranking. */
export interface TopRow {
  readonly id: string;
  readonly name: string;
  readonly calls: number;
  readonly callsPerSecond: number;
  readonly tokens: number;
  readonly costMicros: number;
}

export interface TopList {
  /** By calls, most first, at most ten. */
  readonly rows: readonly TopRow[];
  /** What all others have together, and how many they are. */
  readonly others: {
    readonly groups: number;
    readonly calls: number;
    readonly callsPerSecond: number;
  };
}

/** One second of the trend. */
export interface HistoryBucket {
  /** Start of the second, milliseconds since the epoch. */
  readonly atMs: number;
  readonly calls: number;
  readonly errors: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costMicros: number;
  readonly latencyP50Ms: number | null;
  readonly latencyP95Ms: number | null;
}

/** Everything that the overview shows, at one moment. Shares are 0 to 1 and null without calls. */
export interface OverviewSnapshot {
  /** Rises by one with each tick of this process. */
  readonly seq: number;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** Asked for; shares, percentiles, providers and rankings are over it. */
  readonly windowSeconds: number;
  /** What the window really covers; less just after the start. */
  readonly coveredSeconds: number;
  readonly traffic: {
    /** Mean over the last minute. */
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
  readonly providers: readonly ProviderRow[];
  readonly topClientKeys: TopList;
  readonly topModels: TopList;
  readonly topOwners: TopList;
  /** Newest first, at most 200. */
  readonly errors: readonly RecentError[];
  readonly spend: Spend;
}

export interface SnapshotSources {
  readonly meter: Meter;
  readonly clock: Clock;
  readonly inflight: () => number;
  readonly poolSummary: () => PoolSummary;
  /** A name to show for an id; undefined shows the id. */
  readonly nameOf: (dimension: Dimension, id: string) => string | undefined;
}

/** Reads the meter for one snapshot. Cost depends on the window and the groups in use, not on who watches. */
export function buildSnapshot(
  sources: SnapshotSources,
  tick: { readonly seq: number; readonly windowSeconds: number },
): OverviewSnapshot {
  const { meter, clock } = sources;
  const { seq, windowSeconds } = tick;
  const window = meter.window(windowSeconds);
  const history = historyOf(meter);
  const pool = sources.poolSummary();
  const top = (dimension: Dimension): TopList =>
    topList({ sources, dimension, windowSeconds, seconds: window.seconds, all: window.sums.calls });
  return {
    seq,
    atMs: clock.now(),
    windowSeconds,
    coveredSeconds: window.seconds,
    traffic: trafficOf(meter, history, sources.inflight()),
    quality: qualityOf(window.sums),
    latency: meter.latency(windowSeconds),
    ttfb: meter.ttfb(windowSeconds),
    history,
    pool,
    providers: providerRows(sources, pool, { windowSeconds, seconds: window.seconds }),
    topClientKeys: top("CLIENT_KEY"),
    topModels: top("MODEL"),
    topOwners: top("OWNER"),
    errors: meter.recentErrors(),
    spend: meter.spend,
  };
}

function historyOf(meter: Meter): HistoryBucket[] {
  return meter.history(HISTORY_SECONDS).map(({ atMs, sums, latency }) => ({
    atMs,
    calls: sums.calls,
    errors: sums.calls - sums.successes,
    inputTokens: sums.inputTokens,
    outputTokens: sums.outputTokens,
    costMicros: sums.costMicros,
    latencyP50Ms: latency.p50Ms,
    latencyP95Ms: latency.p95Ms,
  }));
}

function trafficOf(
  meter: Meter,
  history: readonly HistoryBucket[],
  inflight: number,
): OverviewSnapshot["traffic"] {
  const { seconds, sums } = meter.wholeSeconds(RATE_SECONDS);
  const perMinute = (tokens: number): number => Math.round(rate(tokens, seconds) * 60);
  return {
    callsPerSecond: rate(sums.calls, seconds),
    callsLastSecond: history.at(-1)?.calls ?? 0,
    callsPeakSecond: history.reduce((most, bucket) => Math.max(most, bucket.calls), 0),
    inputTokensPerMinute: perMinute(sums.inputTokens),
    outputTokensPerMinute: perMinute(sums.outputTokens),
    cacheReadTokensPerMinute: perMinute(sums.cacheReadTokens),
    inflight,
  };
}

function qualityOf(sums: CallSums): OverviewSnapshot["quality"] {
  const share = (part: number): number | null => ratio(part, sums.calls);
  return {
    sums,
    successRatio: share(sums.successes),
    rateLimitedRatio: share(sums.rateLimited),
    callerErrorRatio: share(sums.callerErrors),
    serverErrorRatio: share(sums.serverErrors),
    abortedRatio: share(sums.aborted),
  };
}

/** Every provider that has keys or had calls: most calls first, then by name. */
function providerRows(
  sources: SnapshotSources,
  pool: PoolSummary,
  span: { windowSeconds: number; seconds: number },
): ProviderRow[] {
  const groups = new Map<string, GroupWindow | undefined>();
  for (const id of pool.providers.keys()) groups.set(id, undefined);
  for (const group of sources.meter.groups("PROVIDER", span.windowSeconds)) {
    groups.set(group.key, group);
  }
  return [...groups]
    .map(([id, group]) => {
      const name = sources.nameOf("PROVIDER", id) ?? id;
      return providerRow({ id, name, keys: pool.providers.get(id), group, seconds: span.seconds });
    })
    .toSorted((a, b) => b.calls - a.calls || (a.name < b.name ? -1 : 1))
    .slice(0, PROVIDER_ROWS_MAX);
}

function providerRow(input: {
  id: string;
  name: string;
  keys: KeyCounts | undefined;
  group: GroupWindow | undefined;
  seconds: number;
}): ProviderRow {
  const { id, name, keys = NO_KEYS, group = NO_CALLS, seconds } = input;
  const { calls, latencyP50Ms, latencyP95Ms } = group;
  const successRatio = ratio(group.successes, calls);
  const tokens = group.inputTokens + group.outputTokens;
  return {
    id,
    name,
    keysEligible: keys.eligible,
    keysTotal: keys.total,
    calls,
    callsPerSecond: rate(calls, seconds),
    successRatio,
    latencyP50Ms,
    latencyP95Ms,
    tokensPerMinute: Math.round(rate(tokens, seconds) * 60),
    costMicrosPerHour: Math.round(rate(group.costMicros, seconds) * 3600),
    state: stateOf(keys, calls, successRatio),
  };
}

function stateOf(keys: KeyCounts, calls: number, successRatio: number | null): ProviderState {
  if (keys.total > 0 && keys.eligible === 0) return "DOWN";
  const bad = successRatio !== null && successRatio < DEGRADED_BELOW && calls >= DEGRADED_CALLS_MIN;
  return bad ? "DEGRADED" : "OK";
}

function topList(input: {
  sources: SnapshotSources;
  dimension: Dimension;
  windowSeconds: number;
  seconds: number;
  all: number;
}): TopList {
  const { sources, dimension, windowSeconds, seconds, all } = input;
  const groups = sources.meter.groups(dimension, windowSeconds);
  const top = groups
    .toSorted((a, b) => b.calls - a.calls || (a.key < b.key ? -1 : 1))
    .slice(0, TOP_ROWS_MAX);
  const shown = top.reduce((sum, group) => sum + group.calls, 0);
  // Groups are added up in longer spans than the whole, so at the window's edge they may hold a few more.
  const rest = Math.max(0, all - shown);
  return {
    rows: top.map((group) => ({
      id: group.key,
      name: sources.nameOf(dimension, group.key) ?? group.key,
      calls: group.calls,
      callsPerSecond: rate(group.calls, seconds),
      tokens: group.inputTokens + group.outputTokens,
      costMicros: group.costMicros,
    })),
    others: {
      groups: groups.length - top.length,
      calls: rest,
      callsPerSecond: rate(rest, seconds),
    },
  };
}

function rate(amount: number, seconds: number): number {
  return seconds === 0 ? 0 : amount / seconds;
}

function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}
