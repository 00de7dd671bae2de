import type { CallRecord } from "../core/call.js";
import type { CallRefs } from "./call-rows.js";
import type { Db } from "./db.js";
import { SQLITE } from "./sql-dialect.js";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** What a roll-up counts, in the order of its columns. */
export const COUNTERS = [
  "calls",
  "errors",
  "input_tokens",
  "output_tokens",
  "cache_read_tokens",
  "cache_write_tokens",
  "reasoning_tokens",
  "cost_micros",
  "unpriced_calls",
  "latency_sum_ms",
  "timed_calls",
  "request_bytes",
  "response_bytes",
] as const;

/** A counted call: what it adds, and under which names and which combination of them. */
export interface CountedCall {
  readonly call: CallRecord;
  readonly refs: CallRefs;
  readonly keyId: number;
}

/** What calls of one bucket that are counted under one number add up to. */
export interface Rollup {
  readonly bucketMs: number;
  readonly id: number;
  /** In the order of `COUNTERS`. */
  readonly counters: readonly number[];
}

/** Calls added up by bucket and by the number that `idOf` gives. */
export function sumUp(
  counted: readonly CountedCall[],
  bucketMs: number,
  idOf: (counted: CountedCall) => number,
): readonly Rollup[] {
  const all: Rollup[] = [];
  // By number within a bucket: a key of both would have to be a text, which costs more than the sums.
  const buckets = new Map<number, Map<number, number[]>>();
  for (const each of counted) {
    const bucket = Math.floor(each.call.startedAt / bucketMs) * bucketMs;
    let sums = buckets.get(bucket);
    if (sums === undefined) buckets.set(bucket, (sums = new Map()));
    const id = idOf(each);
    let counters = sums.get(id);
    if (counters === undefined) {
      counters = COUNTERS.map(() => 0);
      sums.set(id, counters);
      all.push({ bucketMs: bucket, id, counters });
    }
    addCall(counters, each.call);
  }
  return all;
}

/** Calls added up by bucket and combination of names. */
export function sumByCombination(
  counted: readonly CountedCall[],
  bucketMs: number,
): readonly Rollup[] {
  return sumUp(counted, bucketMs, ({ keyId }) => keyId);
}

/** The end of an INSERT that adds to the rows that are there already; `key` is the table's primary key. */
export function addUp(key: readonly string[]): string {
  const sums = COUNTERS.map((name) => `${name} = ${name} + excluded.${name}`);
  return `ON CONFLICT (${key.join(", ")}) DO UPDATE SET ${sums.join(", ")}`;
}

/** Adds rows of the key's values followed by the counters, in one statement. */
export async function insertRollups(
  db: Db,
  table: string,
  key: readonly string[],
  rows: readonly (readonly number[])[],
): Promise<void> {
  await db.rows(`${SQLITE.insertJson(table, [...key, ...COUNTERS])} ${addUp(key)}`, [
    JSON.stringify(rows),
  ]);
}

/** In the order of `COUNTERS`; written out, since a list for each call costs as much as all of its sums. */
function addCall(counters: number[], call: CallRecord): void {
  const { tokens, costMicros, latencyMs } = call;
  add(counters, 0, 1);
  if (call.status === "ERROR") add(counters, 1, 1);
  add(counters, 2, tokens.input);
  add(counters, 3, tokens.output);
  add(counters, 4, tokens.cacheRead);
  add(counters, 5, tokens.cacheWrite);
  add(counters, 6, tokens.reasoning);
  if (costMicros === null) add(counters, 8, 1);
  else add(counters, 7, costMicros);
  add(counters, 9, Math.round(latencyMs));
  if (latencyMs > 0) add(counters, 10, 1);
  add(counters, 11, call.requestBytes);
  add(counters, 12, call.responseBytes);
}

function add(counters: number[], at: number, by: number): void {
  counters[at] = (counters[at] ?? 0) + by;
}
