import { MINUTE_MS } from "../core/durations.js";
import type { Db } from "./db.js";
import { COARSE_LEVELS, MINUTES } from "./rollup-levels.js";
import {
  addUp,
  type CombinationSum,
  COUNTERS,
  insertRollups,
  type Rollup,
  sumByCombination,
  SUMS,
} from "./rollup-rows.js";
import { addToTotals, foldTotals } from "./totals.js";

/** Minutes that are not folded yet, since most new calls belong to them. */
const OPEN_MINUTES = 2;
/** Roll-ups that one transaction folds, so that it stays short when much has to be caught up; a minute at least. */
const FOLD_ROWS_MAX = 4000;

const KEY = ["bucket_ms", "key_id"] as const;
const COLUMNS = [...KEY, ...COUNTERS].join(", ");

/**
 * Counts calls, added up by minute, into the roll-ups: each goes to its minute, and what is due is folded. A call that is
 * late, its minute having been folded, goes to all levels at once. `foldedUntilMs` is the start of a minute; returns the
 * new one.
 */
export async function countCalls(
  db: Db,
  minutes: readonly CombinationSum[],
  foldedUntilMs: number,
): Promise<number> {
  await addRollups(db, MINUTES.rollups, sumByCombination(minutes, MINUTES.bucketMs));
  await addLate(
    db,
    minutes.filter(({ bucketMs }) => bucketMs < foldedUntilMs),
  );
  const newestMs = minutes.reduce((newest, { bucketMs }) => Math.max(newest, bucketMs), 0);
  // More than came in, so that the folding keeps up however large the batches are.
  const rowsMax = Math.max(FOLD_ROWS_MAX, 2 * minutes.length);
  return fold(db, foldedUntilMs, newestMs - OPEN_MINUTES * MINUTE_MS, rowsMax);
}

async function addLate(db: Db, late: readonly CombinationSum[]): Promise<void> {
  if (late.length === 0) return;
  for (const { rollups, bucketMs } of COARSE_LEVELS) {
    await addRollups(db, rollups, sumByCombination(late, bucketMs));
  }
  await addToTotals(db, late);
}

/** Takes whole minutes over into hours, days and totals, from `fromMs` on and before `untilMs`; returns how far it came. */
async function fold(db: Db, fromMs: number, untilMs: number, rowsMax: number): Promise<number> {
  if (untilMs <= fromMs) return fromMs;
  const endMs = Math.min(untilMs, await enoughUntil(db, fromMs, rowsMax));
  for (const { rollups, bucketMs } of COARSE_LEVELS) {
    await db.rows(
      `INSERT INTO ${rollups} (${COLUMNS})
       SELECT bucket_ms / ${bucketMs} * ${bucketMs} AS bucket, key_id, ${SUMS}
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
