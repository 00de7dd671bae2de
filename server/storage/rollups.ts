import { DAY_MS, HOUR_MS, MINUTE_MS } from "../core/durations.js";
import type { Db } from "./db.js";
import { addUp, COUNTERS, insertRollups, sumByCombination } from "./rollup-rows.js";
import type { CombinationSum, Rollup } from "./rollup-rows.js";
import { addToTotals, foldTotals } from "./totals.js";

/** Minutes that are not folded yet, since most new calls belong to them. */
const OPEN_MINUTES = 2;
/** Roll-ups that one transaction folds, so that it stays short when much has to be caught up; a minute at least. */
const FOLD_ROWS_MAX = 4000;

const KEY = ["bucket_ms", "key_id"] as const;

/**
 * Counts calls, added up by minute, into the roll-ups. A call goes to its minute; hours, days and totals take over
 * whole minutes, once a minute instead of with every batch. A call that is late, its minute having been taken over,
 * goes to all of them. So at any moment the minutes by combination hold everything, and all others everything before
 * `foldedUntilMs`, the start of a minute. Returns the new `foldedUntilMs`.
 */
export async function countCalls(
  db: Db,
  minutes: readonly CombinationSum[],
  foldedUntilMs: number,
): Promise<number> {
  await addRollups(db, "rollups_minute", sumByCombination(minutes, MINUTE_MS));
  const late = minutes.filter(({ bucketMs }) => bucketMs < foldedUntilMs);
  if (late.length > 0) {
    await addRollups(db, "rollups_hour", sumByCombination(late, HOUR_MS));
    await addRollups(db, "rollups_day", sumByCombination(late, DAY_MS));
    await addToTotals(db, late);
  }
  // More than came in, so that the folding keeps up however large the batches are.
  const rowsMax = Math.max(FOLD_ROWS_MAX, 2 * minutes.length);
  const newestMs = minutes.reduce((newest, { bucketMs }) => Math.max(newest, bucketMs), 0);
  return fold(db, foldedUntilMs, newestMs - OPEN_MINUTES * MINUTE_MS, rowsMax);
}

/** Takes whole minutes over into hours, days and totals, from `fromMs` on and before `untilMs`. */
async function fold(db: Db, fromMs: number, untilMs: number, rowsMax: number): Promise<number> {
  if (untilMs <= fromMs) return fromMs;
  const endMs = Math.min(untilMs, await enoughUntil(db, fromMs, rowsMax));
  for (const [table, bucketMs] of [
    ["rollups_hour", HOUR_MS],
    ["rollups_day", DAY_MS],
  ] as const) {
    await db.rows(
      `INSERT INTO ${table} (${KEY.join(", ")}, ${COUNTERS.join(", ")})
       SELECT bucket_ms / ${bucketMs} * ${bucketMs} AS bucket, key_id, ${COUNTERS.map((name) => `sum(${name})`).join(", ")}
       FROM rollups_minute WHERE bucket_ms >= ? AND bucket_ms < ? GROUP BY bucket, key_id
       ${addUp(KEY)}`,
      [fromMs, endMs],
    );
  }
  await foldTotals(db, fromMs, endMs);
  return endMs;
}

/** The end of the minutes that hold about as many roll-ups as one transaction may fold. */
async function enoughUntil(db: Db, fromMs: number, rowsMax: number): Promise<number> {
  const [edge] = await db.rows<{ first: number; edge: number }>(
    `SELECT bucket_ms AS edge, (SELECT min(bucket_ms) FROM rollups_minute WHERE bucket_ms >= ?) AS first
     FROM rollups_minute WHERE bucket_ms >= ? ORDER BY bucket_ms LIMIT 1 OFFSET ${rowsMax}`,
    [fromMs, fromMs],
  );
  if (edge === undefined) return Number.POSITIVE_INFINITY;
  return Math.max(edge.edge, edge.first + MINUTE_MS);
}

/** Adds what calls add up to by combination. */
export async function addRollups(db: Db, table: string, rollups: readonly Rollup[]): Promise<void> {
  const rows = rollups.map((each) => [each.bucketMs, each.id, ...each.counters]);
  await insertRollups(db, table, KEY, rows);
}
