import type { CallRecord } from "../../server/core/call.js";
import { ALL_USAGE, type UsageQuery } from "../../server/core/usage.js";
import type { Storage } from "../../server/storage/open.js";
import { START_MS } from "./fixture.js";

export const AT = { file: 1, offset: 0 };
export const HOUR = 3_600_000;

/** All usage there is, or the part that is asked for. */
export function everything(part: Partial<UsageQuery> = {}): UsageQuery {
  return {
    fromMs: START_MS - 400 * 24 * HOUR,
    toMs: START_MS + 400 * 24 * HOUR,
    bucket: "ALL",
    groupBy: "NONE",
    ...ALL_USAGE,
    ...part,
  };
}

/** What roll-ups must say of these calls, by group. */
export function sums(calls: readonly CallRecord[], groupOf: (call: CallRecord) => string) {
  const all = new Map<string, Record<string, number>>();
  for (const one of calls) {
    const group = groupOf(one);
    const sum = all.get(group) ?? {
      calls: 0,
      errors: 0,
      input: 0,
      cost: 0,
      unpriced: 0,
      latency: 0,
      timed: 0,
    };
    sum["calls"]! += 1;
    sum["errors"]! += one.status === "ERROR" ? 1 : 0;
    sum["input"]! += one.tokens.input;
    sum["cost"]! += one.costMicros ?? 0;
    sum["unpriced"]! += one.costMicros === null ? 1 : 0;
    sum["latency"]! += one.latencyMs;
    sum["timed"]! += one.latencyMs > 0 ? 1 : 0;
    all.set(group, sum);
  }
  return Object.fromEntries([...all].toSorted());
}

/** What the roll-ups say, in the form of `sums`. */
export async function usage(storage: Storage, asked: UsageQuery) {
  const all = new Map<string, Record<string, number>>();
  for (const row of await storage.ledger.usage(asked)) {
    const group = asked.bucket === "ALL" ? row.group : `${row.bucketMs}/${row.group}`;
    all.set(group, {
      calls: row.calls,
      errors: row.errors,
      input: row.inputTokens,
      cost: row.costMicros,
      unpriced: row.unpricedCalls,
      latency: row.latencySumMs,
      timed: row.timedCalls,
    });
  }
  return Object.fromEntries([...all].toSorted());
}

/** A call with plausible numbers; `n` makes its id. */
export function call(n: number, part: Partial<CallRecord> = {}): CallRecord {
  return {
    id: `call_${String(n).padStart(6, "0")}`,
    startedAt: START_MS + n,
    clientKeyId: "ck_1",
    clientKeyKind: "STANDARD",
    ownerId: "usr_1",
    providerKeyId: "pk_1",
    providerId: "prv_1",
    modelAsked: "gpt-4o",
    modelServed: "gpt-4o-2024",
    endpoint: "/v1/chat/completions",
    dialect: "OPENAI",
    streamed: false,
    status: "SUCCESS",
    httpStatus: 200,
    errorCode: null,
    errorMessage: null,
    latencyMs: 512,
    ttfbMs: 120,
    requestBytes: 800,
    responseBytes: 2400,
    tokens: { input: 30, output: 20, cacheRead: 10, cacheWrite: 0, reasoning: 5 },
    costMicros: 1234,
    usageSource: "PROVIDER",
    ip: "10.1.2.3",
    attempts: [
      {
        providerKeyId: "pk_1",
        providerId: "prv_1",
        startedMs: 1,
        durationMs: 510,
        httpStatus: 200,
        outcome: "OK",
        detail: "",
      },
    ],
    ...part,
  };
}

export function failed(n: number, part: Partial<CallRecord> = {}): CallRecord {
  return call(n, {
    status: "ERROR",
    httpStatus: 503,
    errorCode: "no_own_token",
    errorMessage: "该用户暂无可用的 Token",
    providerKeyId: null,
    providerId: null,
    modelServed: null,
    ttfbMs: null,
    costMicros: null,
    tokens: { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, reasoning: 0 },
    usageSource: "NONE",
    attempts: [],
    ...part,
  });
}
