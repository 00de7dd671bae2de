import { DAY_MS } from "../core/durations.js";
import { deleteRows, inBatches, type Pruner } from "./batched-deletion.js";
import type { Db } from "./db.js";
import { pruneDeletedUse } from "./deleted-use.js";
import { type Level, LEVELS } from "./rollup-levels.js";
import { DIMENSIONS, subtractClientKey } from "./totals.js";

/** Rows that a batch of the sweep deletes at most. */
const SWEEP_ROWS_MAX = 2_000;
/** Buckets of roll-ups that a batch of the sweep takes it out of at most. */
const SWEEP_BUCKETS_MAX = 500;
/** How long calls of a deleted client key are kept out; a journal is never replayed later than this. */
const TOMBSTONE_MS = 30 * DAY_MS;

/** The number of a client key's name. */
const REF = "(SELECT id FROM ledger_names WHERE name = ?)";

/**
 * Removes what deleted client keys have left behind, and, once it is too old to matter, what budgets need of them.
 * Returns how many keys were finished.
 */
export async function sweepDeletedKeys(pruner: Pruner): Promise<number> {
  const { writer, clock } = pruner;
  let swept = 0;
  for (;;) {
    const [key] = await writer.run((db) =>
      db.rows<{ id: string }>(
        "SELECT client_key_id AS id FROM deleted_client_keys WHERE swept_at IS NULL LIMIT 1",
      ),
    );
    if (key === undefined) break;
    await sweepKey(pruner, key.id);
    swept += 1;
  }
  await writer.run(async (db) => {
    const nowMs = clock.now();
    await db.rows("DELETE FROM deleted_client_keys WHERE swept_at < ?", [nowMs - TOMBSTONE_MS]);
    await pruneDeletedUse(db, nowMs);
  });
  return swept;
}

/** Its calls, then what they add up to, then its combinations of names; with these it is finished. */
async function sweepKey(pruner: Pruner, clientKeyId: string): Promise<void> {
  const { writer, clock } = pruner;
  await inBatches(pruner, SWEEP_ROWS_MAX, (db, limit) => {
    const some = `seq IN (SELECT seq FROM calls WHERE client_key_ref = ${REF} LIMIT ${limit})`;
    return deleteRows(db, "calls", some, [clientKeyId]);
  });
  await writer.run((db) => deleteOpenMinutes(db, clientKeyId));
  for (const level of LEVELS) {
    await inBatches(pruner, SWEEP_BUCKETS_MAX, (db, limit) =>
      sweepBuckets(db, level, clientKeyId, limit),
    );
  }
  await writer.run(async (db) => {
    await db.rows(`DELETE FROM usage_keys WHERE client_key_ref = ${REF}`, [clientKeyId]);
    await db.rows("UPDATE deleted_client_keys SET swept_at = ? WHERE client_key_id = ?", [
      clock.now(),
      clientKeyId,
    ]);
  });
}

/** First the minutes that are in no total yet, so that they cannot be folded into one. */
function deleteOpenMinutes(db: Db, clientKeyId: string): Promise<number> {
  return deleteRows(
    db,
    "rollups_minute",
    `bucket_ms >= (SELECT folded_until_ms FROM ledger_state)
     AND key_id IN (SELECT id FROM usage_keys WHERE client_key_ref = ${REF})`,
    [clientKeyId],
  );
}

/** Takes a client key out of its oldest buckets; returns how many there were. */
async function sweepBuckets(
  db: Db,
  level: Level,
  clientKeyId: string,
  limit: number,
): Promise<number> {
  const rows = await db.rows<{ ref: number; bucket: number }>(
    `SELECT ref, bucket_ms AS bucket FROM ${level.totals}
     WHERE dimension = ${DIMENSIONS.CLIENT_KEY.number} AND ref = ${REF}
     ORDER BY bucket_ms LIMIT ${limit}`,
    [clientKeyId],
  );
  const [first] = rows;
  if (first === undefined) return 0;
  const buckets = rows.map(({ bucket }) => bucket);
  await subtractClientKey(db, level, first.ref, buckets);
  return rows.length;
}
