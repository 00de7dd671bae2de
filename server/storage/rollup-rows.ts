import type { CallRecord } from "../core/call.js";
import { MINUTE_MS } from "../core/durations.js";
import { floorTo } from "../core/multiples.js";
import type { Db } from "./db.js";
import type { Combination } from "./ledger-refs.js";
import { SQLITE } from "./sql-dialect.js";

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

/** The counters of several rows added up, as columns of a SELECT. */
export const SUMS = COUNTERS.map((name) => `sum(${name})`).join(", ");

/** What calls of one bucket that are counted under one combination of names add up to. */
export interface CombinationSum<C = Combination> {
  readonly bucketMs: number;
  readonly combination: C;
  /** In the order of `COUNTERS`. */
  readonly counters: readonly number[];
}

/** What calls of one bucket that are counted under one number add up to. */
export interface Rollup {
  readonly bucketMs: number;
  readonly id: number;
  /** In the order of `COUNTERS`. */
  readonly counters: readonly number[];
}

/** Adds calls up by minute and combination as they come. */
export class MinuteSums<C> {
  readonly sums: CombinationSum<C>[] = [];
  readonly #minutes = new Map<number, Map<C, number[]>>();
  /** Those of the last call: the next one most likely shares them. */
  #bucketMs = Number.NaN;
  #minute = new Map<C, number[]>();

  add(call: CallRecord, combination: C): void {
    const bucketMs = floorTo(call.startedAt, MINUTE_MS);
    if (bucketMs !== this.#bucketMs) {
      this.#bucketMs = bucketMs;
      this.#minute = this.#minuteAt(bucketMs);
    }
    let counters = this.#minute.get(combination);
    if (counters === undefined) {
      counters = COUNTERS.map(() => 0);
      this.#minute.set(combination, counters);
      this.sums.push({ bucketMs, combination, counters });
    }
    addCall(counters, call);
  }

  #minuteAt(bucketMs: number): Map<C, number[]> {
    let minute = this.#minutes.get(bucketMs);
    if (minute === undefined) this.#minutes.set(bucketMs, (minute = new Map()));
    return minute;
  }
}

/** Sums added up further: by longer buckets, and by the number that `idOf` gives. */
export function sumUp(
  sums: readonly CombinationSum[],
  bucketMs: number,
  idOf: (combination: Combination) => number,
): readonly Rollup[] {
  const all: Rollup[] = [];
  // A map of numbers for each bucket: one key for both would have to be a text, which costs more than the sums.
  const buckets = new Map<number, Map<number, number[]>>();
  for (const sum of sums) {
    const bucket = floorTo(sum.bucketMs, bucketMs);
    let rollups = buckets.get(bucket);
    if (rollups === undefined) buckets.set(bucket, (rollups = new Map()));
    const id = idOf(sum.combination);
    let counters = rollups.get(id);
    if (counters === undefined) {
      counters = COUNTERS.map(() => 0);
      rollups.set(id, counters);
      all.push({ bucketMs: bucket, id, counters });
    }
    for (const [at, by] of sum.counters.entries()) add(counters, at, by);
  }
  return all;
}

/** Sums added up by longer buckets. */
export function sumByCombination(
  sums: readonly CombinationSum[],
  bucketMs: number,
): readonly Rollup[] {
  return sumUp(sums, bucketMs, ({ keyId }) => keyId);
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
