import { MINUTE_MS } from "../core/durations.js";
import { floorTo } from "../core/multiples.js";
import { deleteInBatches, deleteRows, inBatches, type Pruner } from "./batched-deletion.js";

/** Deletes calls older than `beforeMs`, oldest first; returns how many went. Roll-ups stay. */
export async function pruneCalls(
  pruner: Pruner,
  beforeMs: number,
  batchSize: number,
): Promise<number> {
  const lastMinute = floorTo(beforeMs, MINUTE_MS);
  const [range] = await pruner.writer.run((db) =>
    db.rows<{ last: number | null }>(
      "SELECT max(last_seq) AS last FROM call_minutes WHERE minute_ms <= ?",
      [lastMinute],
    ),
  );
  const deleted = await deleteCalls(pruner, { untilSeq: range?.last ?? 0, beforeMs }, batchSize);
  await deleteInBatches(pruner, batchSize, {
    table: "call_minutes",
    key: "minute_ms",
    where: "minute_ms < ?",
    values: [lastMinute],
    order: "minute_ms",
  });
  return deleted;
}

/**
 * Deletes those calls up to a place that are old enough. A long call has a place among newer ones, so a batch is bounded
 * by the rows looked at and not by those found.
 */
async function deleteCalls(
  pruner: Pruner,
  { untilSeq, beforeMs }: { readonly untilSeq: number; readonly beforeMs: number },
  batchSize: number,
): Promise<number> {
  let afterSeq = 0;
  let deleted = 0;
  await inBatches(pruner, batchSize, async (db, limit) => {
    const [looked] = await db.rows<{ seen: number; last: number | null }>(
      `SELECT count(*) AS seen, max(seq) AS last FROM
         (SELECT seq FROM calls WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ${limit})`,
      [afterSeq, untilSeq],
    );
    const { seen, last } = looked ?? { seen: 0, last: null };
    if (last === null) return 0;
    const old = [afterSeq, last, beforeMs];
    deleted += await deleteRows(db, "calls", "seq > ? AND seq <= ? AND started_at < ?", old);
    afterSeq = last;
    return seen;
  });
  return deleted;
}
