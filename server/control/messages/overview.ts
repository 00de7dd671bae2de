import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { PoolHealthSchema } from "../../../proto/gen/latchkey/v1/pool_pb.js";
import { ProviderKey_Tier } from "../../../proto/gen/latchkey/v1/provider_keys_pb.js";
import {
  OverviewProvider_State,
  type OverviewErrorSchema,
  type OverviewProviderSchema,
  type OverviewSchema,
  type OverviewSecondSchema,
  type OverviewTopSchema,
} from "../../../proto/gen/latchkey/v1/usage_pb.js";
import type { Limits } from "../../core/limits.js";
import type { Period } from "../../core/period.js";
import type { Tier } from "../../core/provider-key.js";
import type { RecentError } from "../../metering/recent-errors.js";
import type {
  HistoryBucket,
  OverviewSnapshot,
  PoolSummary,
  ProviderRow,
  ProviderState,
  TopList,
} from "../../metering/snapshot.js";
import type { NameLookup } from "../names.js";
import { int64 } from "./values.js";

/** At these gauge values the needle is at its end; they follow the highest value seen, so that a gauge never sticks. */
const REQUESTS_PER_SECOND_SCALE_MIN = 10;
const TOKENS_PER_MINUTE_SCALE_MIN = 10_000;
const IN_FLIGHT_SCALE_MIN = 16;
/** Success of 99 % and more is good, below 95 % is bad. */
const SUCCESS_GOOD = 0.99;
const SUCCESS_BAD = 0.95;
const LATENCY_P95_BAD_MS = 10_000;

export const TIERS: Record<Tier, ProviderKey_Tier> = {
  PRIMARY: ProviderKey_Tier.PRIMARY,
  BACKUP: ProviderKey_Tier.BACKUP,
  OVERFLOW: ProviderKey_Tier.OVERFLOW,
};

const PROVIDER_STATES: Record<ProviderState, OverviewProvider_State> = {
  OK: OverviewProvider_State.OK,
  DEGRADED: OverviewProvider_State.DEGRADED,
  DOWN: OverviewProvider_State.DOWN,
};

/** Calls that wait for admission, and how many may. */
export interface CallQueue {
  readonly waiting: number;
  readonly waitingMax: number;
}

export interface OverviewView {
  readonly intervalMs: number;
  readonly topN: number;
  /** Only errors above this number are sent. */
  readonly afterErrorSeq: number;
  readonly vaultLocked: boolean;
  /** The limits of the whole server, or of the watcher. */
  readonly limits: Limits;
  /** Calls that wait for admission. */
  readonly queue: CallQueue;
  readonly names: NameLookup;
  /** The snapshot is of the watcher's own calls and keys alone. */
  readonly own: boolean;
  /** Whether the watcher may know of a provider key: a user's calls may have been served by other people's. */
  readonly seesKey: (providerKeyId: string) => boolean;
}

/** One snapshot of the meter as a message; absent ratios and percentiles mean "no calls", never zero. */
export function overviewMessage(
  snapshot: OverviewSnapshot,
  view: OverviewView,
): MessageInitShape<typeof OverviewSchema> {
  const errors = snapshot.errors.filter((error) => error.seq > view.afterErrorSeq);
  const oldestKept = snapshot.errors.at(-1)?.seq ?? 0;
  return {
    intervalMs: view.intervalMs,
    windowSeconds: snapshot.windowSeconds,
    gauges: { ...gauges(snapshot), queued: view.queue.waiting },
    limits: { ...scales(snapshot, view.limits), queued: view.queue.waitingMax },
    history: snapshot.history.map(historySecond),
    pool: poolHealth(snapshot.pool),
    providers: snapshot.providers.map((row) => providerRow(row, view.names)),
    providerCount: snapshot.providerCount,
    topClientKeys: topList(snapshot.topClientKeys, snapshot, view.topN),
    topModels: topList(snapshot.topModels, snapshot, view.topN),
    topUsers: topList(snapshot.topOwners, snapshot, view.topN),
    errors: errors.map((error) => errorRow(error, view)),
    lastErrorSeq: BigInt(snapshot.errors[0]?.seq ?? 0),
    errorsGap: view.afterErrorSeq > 0 && oldestKept > view.afterErrorSeq + 1,
    spend: {
      todayMicros: BigInt(snapshot.spend.todayMicros),
      monthMicros: BigInt(snapshot.spend.monthMicros),
      todayBudgetMicros: budgetOf(view.limits, "DAY"),
      monthBudgetMicros: budgetOf(view.limits, "MONTH"),
      unpricedCallsToday: BigInt(snapshot.spend.unpricedCallsToday),
    },
    ...(snapshot.pool.nextCooldownEndsAt === null
      ? {}
      : { nextCooldown: { endTime: timestampFromMs(snapshot.pool.nextCooldownEndsAt) } }),
    vaultLocked: view.vaultLocked,
    own: view.own,
  };
}

function gauges(snapshot: OverviewSnapshot): MessageInitShape<typeof OverviewSchema>["gauges"] {
  const { traffic, quality, latency, ttfb } = snapshot;
  return {
    calls: BigInt(quality.sums.calls),
    requestsPerSecond: traffic.callsPerSecond,
    requestsPerSecondPeak: traffic.callsPeakSecond,
    inputTokensPerMinute: traffic.inputTokensPerMinute,
    outputTokensPerMinute: traffic.outputTokensPerMinute,
    ...present("successRatio", quality.successRatio),
    ...present("rateLimitedRatio", quality.rateLimitedRatio),
    ...present("clientErrorRatio", quality.callerErrorRatio),
    ...present("serverErrorRatio", quality.serverErrorRatio),
    ...present("abortedRatio", quality.abortedRatio),
    ...present("latencyP50Ms", latency.p50Ms),
    ...present("latencyP95Ms", latency.p95Ms),
    ...present("timeToFirstByteP50Ms", ttfb.p50Ms),
    ...present("timeToFirstByteP95Ms", ttfb.p95Ms),
    inFlight: traffic.inflight,
    failovers: BigInt(quality.sums.failovers),
  };
}

/** What may be spent in each of these periods, in micros; 0 without a budget. */
function budgetOf({ budgets }: Limits, period: Period): bigint {
  return int64(budgets.find((budget) => budget.period === period)?.costMicros ?? 0);
}

/** Where a limit is set its scale ends there; others follow the highest value seen. */
function scales(
  { traffic }: OverviewSnapshot,
  limits: Limits,
): MessageInitShape<typeof OverviewSchema>["limits"] {
  const { requestsPerMinute, tokensPerMinute, concurrency } = limits;
  const tokens = traffic.inputTokensPerMinute + traffic.outputTokensPerMinute;
  return {
    requestsPerSecond:
      requestsPerMinute === null
        ? roundScale(Math.max(traffic.callsPeakSecond, REQUESTS_PER_SECOND_SCALE_MIN))
        : requestsPerMinute / 60,
    tokensPerMinute: tokensPerMinute ?? roundScale(Math.max(tokens, TOKENS_PER_MINUTE_SCALE_MIN)),
    inFlight: concurrency ?? roundScale(Math.max(traffic.inflight, IN_FLIGHT_SCALE_MIN)),
    successRatioGood: SUCCESS_GOOD,
    successRatioBad: SUCCESS_BAD,
    latencyP95BadMs: LATENCY_P95_BAD_MS,
  };
}

/** The next of 1, 2, 5, 10, 20, 50 … that is not below the value: the scale changes rarely. */
function roundScale(value: number): number {
  const magnitude = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((each) => each * magnitude >= value) ?? 10;
  return step * magnitude;
}

function historySecond(second: HistoryBucket): MessageInitShape<typeof OverviewSecondSchema> {
  return {
    unixSeconds: BigInt(Math.floor(second.atMs / 1000)),
    gap: second.gap,
    calls: second.calls,
    errors: second.errors,
    rateLimited: second.rateLimited,
    serverErrors: second.serverErrors,
    aborted: second.aborted,
    inFlight: second.inflight,
    inputTokens: BigInt(second.inputTokens),
    outputTokens: BigInt(second.outputTokens),
    ...present("latencyP50Ms", second.latencyP50Ms),
    ...present("latencyP95Ms", second.latencyP95Ms),
  };
}

export function poolHealth(pool: PoolSummary): MessageInitShape<typeof PoolHealthSchema> {
  return {
    tiers: pool.tiers.map(({ tier, ...counts }) => ({ tier: TIERS[tier], counts })),
    publicPool: pool.publicKeys,
  };
}

function providerRow(
  row: ProviderRow,
  names: NameLookup,
): MessageInitShape<typeof OverviewProviderSchema> {
  const idle = row.state === "OK" && row.calls === 0;
  return {
    providerId: row.id,
    providerSlug: names.providerSlugOf(row.id),
    displayName: row.name,
    state: idle ? OverviewProvider_State.IDLE : PROVIDER_STATES[row.state],
    eligibleKeys: row.keysEligible,
    totalKeys: row.keysTotal,
    requestsPerSecond: row.callsPerSecond,
    ...present("successRatio", row.successRatio),
    ...present("latencyP50Ms", row.latencyP50Ms),
    ...present("latencyP95Ms", row.latencyP95Ms),
    tokensPerMinute: row.tokensPerMinute,
    costPerHourMicros: row.costMicrosPerHour,
    unpriced: row.unpriced,
  };
}

function topList(
  list: TopList,
  snapshot: OverviewSnapshot,
  topN: number,
): MessageInitShape<typeof OverviewTopSchema> {
  const all = Math.max(snapshot.quality.sums.calls, 1);
  const folded = list.rows.slice(topN);
  const othersCalls = list.others.calls + folded.reduce((sum, row) => sum + row.calls, 0);
  const othersRate =
    list.others.callsPerSecond + folded.reduce((sum, row) => sum + row.callsPerSecond, 0);
  return {
    rows: list.rows.slice(0, topN).map((row) => ({
      id: row.id,
      label: row.name,
      requestsPerSecond: row.callsPerSecond,
      tokensPerMinute: row.tokensPerMinute,
      share: row.share,
      ...present("successRatio", row.successRatio),
    })),
    ...(othersCalls === 0
      ? {}
      : { others: { requestsPerSecond: othersRate, share: othersCalls / all } }),
    othersCount: list.others.groups + folded.length,
  };
}

function errorRow(
  { seq, atMs, record }: RecentError,
  { names, seesKey }: OverviewView,
): MessageInitShape<typeof OverviewErrorSchema> {
  const failed = record.attempts.find((attempt) => attempt.outcome !== "OK");
  const seen = (id: string | null): string => (id !== null && seesKey(id) ? id : "");
  const providerKeyId = seen(failed?.providerKeyId ?? record.providerKeyId);
  const recovered = record.status === "SUCCESS";
  return {
    seq: BigInt(seq),
    time: timestampFromMs(atMs),
    httpStatus: failed?.httpStatus ?? record.httpStatus,
    providerSlug: names.providerSlugOf(failed?.providerId ?? record.providerId ?? ""),
    errorCode: record.errorCode ?? failed?.outcome.toLowerCase() ?? "",
    providerKeyId,
    providerKeyName: names.providerKeyNameOf(providerKeyId),
    action: recovered
      ? `→ ${names.providerKeyNameOf(seen(record.providerKeyId)) || "another key"}`
      : (record.errorMessage ?? ""),
    callId: record.id,
    clientKeyName: names.clientKeyNameOf(record.clientKeyId),
    model: record.modelAsked,
    recovered,
  };
}

/** An optional field: left out when there is no value, so that it can be told from zero. */
function present<K extends string>(key: K, value: number | null): { [P in K]?: number } {
  return value === null ? {} : ({ [key]: value } as { [P in K]: number });
}
