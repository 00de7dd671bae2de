import type { Clock } from "../core/clock.js";
import type { CallSums } from "./call-sums.js";
import type { GroupWindow } from "./dimension-table.js";
import type { Dimension } from "./group-events.js";
import type { HistorySecond, Meter } from "./meter.js";
import {
  HISTORY_SECONDS,
  type HistoryBucket,
  type KeyCounts,
  NO_KEYS,
  type OverviewSnapshot,
  type PoolSummary,
  type ProviderRow,
  type ProviderState,
  type TopList,
} from "./snapshot.js";

const PROVIDER_ROWS_MAX = 20;
const TOP_ROWS_MAX = 10;
/** Below this share of successes, from this many calls on, a provider is degraded. */
const DEGRADED_BELOW = 0.95;
const DEGRADED_CALLS_MIN = 20;

const NO_CALLS: GroupWindow = {
  key: "",
  calls: 0,
  successes: 0,
  inputTokens: 0,
  outputTokens: 0,
  costMicros: 0,
  unpricedCalls: 0,
  seconds: 0,
  latencyP50Ms: null,
  latencyP95Ms: null,
};

export interface SnapshotSources {
  readonly meter: Meter;
  readonly clock: Clock;
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
  const history = meter.history(HISTORY_SECONDS).map(historyBucket);
  const pool = sources.poolSummary();
  const providers = providerRows(sources, pool, windowSeconds);
  return {
    seq,
    atMs: clock.now(),
    windowSeconds,
    coveredSeconds: window.seconds,
    traffic: trafficOf(meter, history, windowSeconds),
    quality: qualityOf(window.sums),
    latency: meter.latency(windowSeconds),
    ttfb: meter.ttfb(windowSeconds),
    history,
    pool,
    providers: providers.slice(0, PROVIDER_ROWS_MAX),
    providerCount: providers.length,
    topClientKeys: topList(sources, "CLIENT_KEY", windowSeconds),
    topModels: topList(sources, "MODEL", windowSeconds),
    topOwners: topList(sources, "OWNER", windowSeconds),
    errors: meter.recentErrors(),
    spend: meter.spend,
  };
}

function historyBucket({ atMs, gap, sums, latency, inflight }: HistorySecond): HistoryBucket {
  return {
    atMs,
    gap,
    calls: sums.calls,
    errors: sums.calls - sums.successes,
    rateLimited: sums.rateLimited,
    serverErrors: sums.serverErrors,
    aborted: sums.aborted,
    inputTokens: sums.inputTokens,
    outputTokens: sums.outputTokens,
    costMicros: sums.costMicros,
    latencyP50Ms: latency.p50Ms,
    latencyP95Ms: latency.p95Ms,
    inflight,
  };
}

function trafficOf(
  meter: Meter,
  history: readonly HistoryBucket[],
  windowSeconds: number,
): OverviewSnapshot["traffic"] {
  const { seconds, sums } = meter.wholeSeconds(windowSeconds);
  const perMinute = (tokens: number): number => Math.round(rate(tokens, seconds) * 60);
  return {
    callsPerSecond: rate(sums.calls, seconds),
    callsLastSecond: history.at(-1)?.calls ?? 0,
    callsPeakSecond: history.reduce((most, bucket) => Math.max(most, bucket.calls), 0),
    inputTokensPerMinute: perMinute(sums.inputTokens),
    outputTokensPerMinute: perMinute(sums.outputTokens),
    cacheReadTokensPerMinute: perMinute(sums.cacheReadTokens),
    inflight: meter.inflight,
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

/** Every provider that has keys or had calls: most attempts first, then by name. */
function providerRows(
  sources: SnapshotSources,
  pool: PoolSummary,
  windowSeconds: number,
): ProviderRow[] {
  const groups = new Map<string, GroupWindow | undefined>();
  for (const id of pool.providers.keys()) groups.set(id, undefined);
  for (const group of sources.meter.groups("PROVIDER", windowSeconds)) groups.set(group.key, group);
  return [...groups]
    .map(([id, group]) => {
      const name = sources.nameOf("PROVIDER", id) ?? id;
      return providerRow({ id, name, keys: pool.providers.get(id), group });
    })
    .toSorted((a, b) => b.calls - a.calls || (a.name < b.name ? -1 : 1));
}

function providerRow(input: {
  id: string;
  name: string;
  keys: KeyCounts | undefined;
  group: GroupWindow | undefined;
}): ProviderRow {
  const { id, name, keys = NO_KEYS, group = NO_CALLS } = input;
  const { calls, seconds, latencyP50Ms, latencyP95Ms } = group;
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
    unpriced: group.unpricedCalls > 0,
    state: stateOf(keys, calls, successRatio),
  };
}

function stateOf(keys: KeyCounts, calls: number, successRatio: number | null): ProviderState {
  if (keys.total > 0 && keys.eligible === 0) return "DOWN";
  const bad = successRatio !== null && successRatio < DEGRADED_BELOW && calls >= DEGRADED_CALLS_MIN;
  return bad || keys.eligible * 2 < keys.total ? "DEGRADED" : "OK";
}

function topList(sources: SnapshotSources, dimension: Dimension, windowSeconds: number): TopList {
  const groups = sources.meter.groups(dimension, windowSeconds);
  const sorted = groups.toSorted((a, b) => b.calls - a.calls || (a.key < b.key ? -1 : 1));
  const all = sumOf(sorted, (group) => group.calls);
  const rest = sorted.slice(TOP_ROWS_MAX);
  const [restCalls, seconds] = [sumOf(rest, (group) => group.calls), sorted[0]?.seconds ?? 0];
  const tokens = sumOf(rest, (group) => group.inputTokens + group.outputTokens);
  return {
    rows: sorted.slice(0, TOP_ROWS_MAX).map((group) => ({
      id: group.key,
      name: sources.nameOf(dimension, group.key) ?? group.key,
      calls: group.calls,
      callsPerSecond: rate(group.calls, seconds),
      successRatio: ratio(group.successes, group.calls),
      tokens: group.inputTokens + group.outputTokens,
      tokensPerMinute: Math.round(rate(group.inputTokens + group.outputTokens, seconds) * 60),
      costMicros: group.costMicros,
      share: ratio(group.calls, all) ?? 0,
    })),
    others: {
      groups: rest.length,
      calls: restCalls,
      callsPerSecond: rate(restCalls, seconds),
      tokensPerMinute: Math.round(rate(tokens, seconds) * 60),
      share: ratio(restCalls, all) ?? 0,
    },
  };
}

function sumOf(groups: readonly GroupWindow[], amount: (group: GroupWindow) => number): number {
  return groups.reduce((sum, group) => sum + amount(group), 0);
}

function rate(amount: number, seconds: number): number {
  return seconds === 0 ? 0 : amount / seconds;
}

function ratio(part: number, whole: number): number | null {
  return whole === 0 ? null : part / whole;
}
