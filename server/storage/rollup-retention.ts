import { DAY_MS, HOUR_MS } from "../core/durations.js";
import { floorTo } from "../core/multiples.js";
import { deleteInBatches, type Pruner } from "./batched-deletion.js";
import { DAYS, HOURS, type Level, MINUTES } from "./rollup-levels.js";
import { DIMENSIONS } from "./totals.js";
import type { Writer } from "./writer.js";

/** Roll-ups before these times go; milliseconds since the epoch, 0 to keep all. */
export interface RollupRetention {
  readonly minutesBeforeMs: number;
  readonly hoursBeforeMs: number;
  readonly daysBeforeMs: number;
}

/**
 * Deletes old roll-ups; returns how many went. A level ends where a bucket of the next coarser one does, so that what a
 * coarser roll-up says of a time is never less than what the finer one says. What is about to be missing of minutes and
 * hours is on record first, for whoever asks for usage meanwhile.
 */
export async function pruneRollups(
  pruner: Pruner,
  retention: RollupRetention,
  batchSize: number,
): Promise<number> {
  const { writer } = pruner;
  const minutesMs = floorTo(retention.minutesBeforeMs, HOUR_MS);
  const hoursMs = floorTo(retention.hoursBeforeMs, DAY_MS);
  const daysMs = floorTo(retention.daysBeforeMs, DAY_MS);
  const minutesFromMs = await moveStart(writer, "minutes_from_ms", minutesMs, HOUR_MS);
  const minutes = await pruneLevel(pruner, MINUTES, minutesFromMs, batchSize);
  const hoursFromMs = await moveStart(writer, "hours_from_ms", hoursMs, DAY_MS);
  const hours = await pruneLevel(pruner, HOURS, hoursFromMs, batchSize);
  const days = await pruneLevel(pruner, DAYS, daysMs, batchSize);
  return minutes + hours + days;
}

/**
 * Records that a level begins at a time from now on, unless it begins later already. Answers up to when it may be
 * deleted: what has not been folded yet must stay.
 */
function moveStart(
  writer: Writer,
  column: "minutes_from_ms" | "hours_from_ms",
  wantedMs: number,
  coarserMs: number,
): Promise<number> {
  return writer.run(async (db) => {
    const [state] = await db.rows<{ folded: number }>(
      "SELECT folded_until_ms AS folded FROM ledger_state",
    );
    const fromMs = Math.min(wantedMs, floorTo(state?.folded ?? 0, coarserMs));
    await db.rows(`UPDATE ledger_state SET ${column} = ? WHERE ${column} < ?`, [fromMs, fromMs]);
    return fromMs;
  });
}

/** Deletes both tables of a level before a time. */
async function pruneLevel(
  pruner: Pruner,
  { rollups, totals }: Level,
  beforeMs: number,
  batchSize: number,
): Promise<number> {
  const values = [beforeMs];
  const order = "bucket_ms";
  let deleted = await deleteInBatches(pruner, batchSize, {
    table: rollups,
    key: "bucket_ms, key_id",
    where: "bucket_ms < ?",
    values,
    order,
  });
  for (const { number } of Object.values(DIMENSIONS)) {
    deleted += await deleteInBatches(pruner, batchSize, {
      table: totals,
      key: "dimension, bucket_ms, ref",
      where: `dimension = ${number} AND bucket_ms < ?`,
      values,
      order,
    });
  }
  return deleted;
}
