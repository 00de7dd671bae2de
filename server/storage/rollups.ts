import type { CallRecord } from "../core/call.js";
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

/** Minutes that are still filling; they are not folded yet, since most calls that come in belong to them. */
const OPEN_MINUTES = 2;
/** Minutes that one transaction folds, so that it stays short when much has to be caught up. */
const FOLD_MINUTES_MAX = 5;

/** A counted call: what it adds, and under which combination. */
export interface CountedCall {
  readonly call: CallRecord;
  readonly keyId: number;
}

interface Rollup {
  readonly bucketMs: number;
  readonly keyId: number;
  readonly counters: number[];
}

/**
 * Counts calls into the roll-ups. A call goes to its minute; hours and days take over whole minutes, once
 * a minute instead of with every batch. A call that is late, its minute having been taken over, goes to all
 * three. So at any moment minutes hold everything, and hours and days everything before `foldedUntilMs`.
 * Returns the new `foldedUntilMs`.
 */
export async function countCalls(
  db: Db,
  counted: readonly CountedCall[],
  foldedUntilMs: number,
): Promise<number> {
  const minutes = sumUp(counted, MINUTE_MS);
  await addRollups(db, "rollups_minute", minutes);
  const late = counted.filter(({ call }) => call.startedAt < foldedUntilMs);
  if (late.length > 0) {
    await addRollups(db, "rollups_hour", sumUp(late, HOUR_MS));
    await addRollups(db, "rollups_day", sumUp(late, DAY_MS));
  }
  const newestMs = minutes.reduce((newest, { bucketMs }) => Math.max(newest, bucketMs), 0);
  return fold(db, foldedUntilMs, newestMs - OPEN_MINUTES * MINUTE_MS);
}

/** Takes whole minutes over into hours and days, from `fromMs` on and before `untilMs`. */
async function fold(db: Db, fromMs: number, untilMs: number): Promise<number> {
  if (untilMs <= fromMs) return fromMs;
  const [row] = await db.rows<{ first: number | null }>(
    "SELECT min(bucket_ms) AS first FROM rollups_minute WHERE bucket_ms >= ?",
    [fromMs],
  );
  const first = row?.first ?? untilMs;
  const end = Math.min(untilMs, Math.max(fromMs, first) + FOLD_MINUTES_MAX * MINUTE_MS);
  for (const [table, bucketMs] of [
    ["rollups_hour", HOUR_MS],
    ["rollups_day", DAY_MS],
  ] as const) {
    await db.rows(
      `INSERT INTO ${table} (bucket_ms, key_id, ${COUNTERS.join(", ")})
       SELECT bucket_ms / ${bucketMs} * ${bucketMs} AS bucket, key_id, ${COUNTERS.map((name) => `sum(${name})`).join(", ")}
       FROM rollups_minute WHERE bucket_ms >= ? AND bucket_ms < ? GROUP BY bucket, key_id
       ${ADD_UP}`,
      [fromMs, end],
    );
  }
  return end;
}

const ADD_UP = `ON CONFLICT (bucket_ms, key_id) DO UPDATE SET ${COUNTERS.map(
  (name) => `${name} = ${name} + excluded.${name}`,
).join(", ")}`;

async function addRollups(db: Db, table: string, rollups: readonly Rollup[]): Promise<void> {
  const rows = rollups.map(({ bucketMs, keyId, counters }) => [bucketMs, keyId, ...counters]);
  await db.rows(`${SQLITE.insertJson(table, ["bucket_ms", "key_id", ...COUNTERS])} ${ADD_UP}`, [
    JSON.stringify(rows),
  ]);
}

function sumUp(counted: readonly CountedCall[], bucketMs: number): readonly Rollup[] {
  const rollups = new Map<string, Rollup>();
  for (const { call, keyId } of counted) {
    const bucket = Math.floor(call.startedAt / bucketMs) * bucketMs;
    const place = `${bucket},${keyId}`;
    let rollup = rollups.get(place);
    if (rollup === undefined) {
      rollup = { bucketMs: bucket, keyId, counters: COUNTERS.map(() => 0) };
      rollups.set(place, rollup);
    }
    addCall(rollup.counters, call);
  }
  return [...rollups.values()];
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
