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
  const rollups = new Map<string, Rollup & { readonly counters: number[] }>();
  for (const each of counted) {
    const bucket = Math.floor(each.call.startedAt / bucketMs) * bucketMs;
    const id = idOf(each);
    const place = `${bucket},${id}`;
    let rollup = rollups.get(place);
    if (rollup === undefined) {
      rollup = { bucketMs: bucket, id, counters: COUNTERS.map(() => 0) };
      rollups.set(place, rollup);
    }
    addCall(rollup.counters, each.call);
  }
  return [...rollups.values()];
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

function addCall(counters: number[], call: CallRecord): void {
  const { tokens } = call;
  const values = [
    1,
    call.status === "ERROR" ? 1 : 0,
    tokens.input,
    tokens.output,
    tokens.cacheRead,
    tokens.cacheWrite,
    tokens.reasoning,
    call.costMicros ?? 0,
    call.costMicros === null ? 1 : 0,
    Math.round(call.latencyMs),
    call.latencyMs > 0 ? 1 : 0,
    call.requestBytes,
    call.responseBytes,
  ];
  for (let i = 0; i < values.length; i++) counters[i] = (counters[i] ?? 0) + (values[i] ?? 0);
}
