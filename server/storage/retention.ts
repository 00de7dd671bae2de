import type { Clock } from "../core/clock.js";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../core/durations.js";
import type { Db } from "./db.js";
import { pruneDeletedUse } from "./deleted-use.js";
import { DIMENSIONS, subtractClientKey, TOTALS } from "./totals.js";
import type { Writer } from "./writer.js";

/**
 * How long a batch should take, in milliseconds; the size of the next one is chosen accordingly, since others wait for
 * the writer meanwhile.
 */
const BATCH_TIME_MS = 8;
const BATCH_ROWS_MIN = 10;
/** Rows that the first batch deletes, before it is known how fast the disk is. */
const BATCH_ROWS_FIRST = 30;
/** A batch that took too long is followed by a much smaller one, one that did not by a slightly larger one. */
const BATCH_SHRINK_MAX = 0.2;
const BATCH_GROWTH_MAX = 1.5;
/** Rows that a batch of the sweep deletes at most. */
const SWEEP_ROWS_MAX = 2_000;
/** Buckets of roll-ups that a batch of the sweep takes it out of at most. */
const SWEEP_BUCKETS_MAX = 500;
/** How long calls of a deleted client key are kept out; a journal is never replayed later than this. */
const TOMBSTONE_MS = 30 * DAY_MS;

/** Roll-ups before these times go; milliseconds since the epoch, 0 to keep all. */
export interface RollupRetention {
  readonly minutesBeforeMs: number;
  readonly hoursBeforeMs: number;
  readonly daysBeforeMs: number;
}

interface Pruner {
  readonly writer: Writer;
  readonly clock: Clock;
}

/** Deletes calls older than `beforeMs`, oldest first; returns how many went. Roll-ups stay. */
export async function pruneCalls(
  pruner: Pruner,
  beforeMs: number,
  batchSize: number,
): Promise<number> {
  const lastMinute = Math.floor(beforeMs / MINUTE_MS) * MINUTE_MS;
  const [range] = await pruner.writer.run((db) =>
    db.rows<{ last: number | null }>(
      "SELECT max(last_seq) AS last FROM call_minutes WHERE minute_ms <= ?",
      [lastMinute],
    ),
  );
  const untilSeq = range?.last ?? 0;
  let afterSeq = 0;
  let deleted = 0;
  // A long call has a place among newer ones, so a batch is bounded by the rows looked at and not by those found.
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
  await inBatches(pruner, batchSize, (db, limit) =>
    deleteRows(
      db,
      "call_minutes",
      `minute_ms IN (SELECT minute_ms FROM call_minutes WHERE minute_ms < ? ORDER BY minute_ms LIMIT ${limit})`,
      [lastMinute],
    ),
  );
  return deleted;
}

/**
 * Deletes old roll-ups; returns how many went. Times are rounded down to whole hours and days, so that
 * what a coarser roll-up says of a time is never less than what the finer one says.
 */
export async function pruneRollups(
  pruner: Pruner,
  retention: RollupRetention,
  batchSize: number,
): Promise<number> {
  const [minutes, hours, days] = TOTALS;
  const limits = [
    [minutes, floorTo(retention.minutesBeforeMs, HOUR_MS), "minutes_from_ms"],
    [hours, floorTo(retention.hoursBeforeMs, DAY_MS), "hours_from_ms"],
    [days, floorTo(retention.daysBeforeMs, DAY_MS), undefined],
  ] as const;
  let deleted = 0;
  for (const [level, wantedMs, floorColumn] of limits) {
    const beforeMs = await lowerLimit(pruner, wantedMs, floorColumn);
    deleted += await pruneBuckets(pruner, level, beforeMs, batchSize);
  }
  return deleted;
}

/** Deletes one table of roll-ups and its totals before a time. */
async function pruneBuckets(
  pruner: Pruner,
  { table, rollups }: (typeof TOTALS)[number],
  beforeMs: number,
  batchSize: number,
): Promise<number> {
  let deleted = await inBatches(pruner, batchSize, (db, limit) =>
    deleteRows(
      db,
      rollups,
      `(bucket_ms, key_id) IN (SELECT bucket_ms, key_id FROM ${rollups} WHERE bucket_ms < ?
         ORDER BY bucket_ms LIMIT ${limit})`,
      [beforeMs],
    ),
  );
  for (const { number } of Object.values(DIMENSIONS)) {
    deleted += await inBatches(pruner, batchSize, (db, limit) =>
      deleteRows(
        db,
        table,
        `(dimension, bucket_ms, ref) IN (SELECT dimension, bucket_ms, ref FROM ${table}
           WHERE dimension = ${number} AND bucket_ms < ? ORDER BY bucket_ms LIMIT ${limit})`,
        [beforeMs],
      ),
    );
  }
  return deleted;
}

/** Records first what is about to be missing. What has not been folded yet must stay. */
async function lowerLimit(
  { writer }: Pruner,
  wantedMs: number,
  column: "minutes_from_ms" | "hours_from_ms" | undefined,
): Promise<number> {
  if (column === undefined) return wantedMs;
  return writer.run(async (db) => {
    const [state] = await db.rows<{ folded: number }>(
      "SELECT folded_until_ms AS folded FROM ledger_state",
    );
    const step = column === "minutes_from_ms" ? HOUR_MS : DAY_MS;
    const beforeMs = Math.min(wantedMs, floorTo(state?.folded ?? 0, step));
    await db.rows(`UPDATE ledger_state SET ${column} = ? WHERE ${column} < ?`, [
      beforeMs,
      beforeMs,
    ]);
    return beforeMs;
  });
}

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

async function sweepKey(pruner: Pruner, clientKeyId: string): Promise<void> {
  const { writer, clock } = pruner;
  const ref = "(SELECT id FROM ledger_names WHERE name = ?)";
  const keys = `(SELECT id FROM usage_keys WHERE client_key_ref = ${ref})`;
  await inBatches(pruner, SWEEP_ROWS_MAX, (db, limit) =>
    deleteRows(
      db,
      "calls",
      `seq IN (SELECT seq FROM calls WHERE client_key_ref = ${ref} LIMIT ${limit})`,
      [clientKeyId],
    ),
  );
  // First the minutes that are in no total yet, so that they cannot be folded into one.
  await writer.run((db) =>
    deleteRows(
      db,
      "rollups_minute",
      `bucket_ms >= (SELECT folded_until_ms FROM ledger_state) AND key_id IN ${keys}`,
      [clientKeyId],
    ),
  );
  for (const level of TOTALS) {
    await inBatches(pruner, SWEEP_BUCKETS_MAX, (db, limit) =>
      sweepBuckets(db, level, clientKeyId, limit),
    );
  }
  await writer.run(async (db) => {
    await db.rows(`DELETE FROM usage_keys WHERE client_key_ref = ${ref}`, [clientKeyId]);
    await db.rows("UPDATE deleted_client_keys SET swept_at = ? WHERE client_key_id = ?", [
      clock.now(),
      clientKeyId,
    ]);
  });
}

/** Takes a client key out of its oldest buckets; returns how many there were. */
async function sweepBuckets(
  db: Db,
  level: (typeof TOTALS)[number],
  clientKeyId: string,
  limit: number,
): Promise<number> {
  const rows = await db.rows<{ ref: number; bucket: number }>(
    `SELECT ref, bucket_ms AS bucket FROM ${level.table}
     WHERE dimension = ${DIMENSIONS.CLIENT_KEY.number}
       AND ref = (SELECT id FROM ledger_names WHERE name = ?) ORDER BY bucket_ms LIMIT ${limit}`,
    [clientKeyId],
  );
  const [first] = rows;
  if (first === undefined) return 0;
  const buckets = rows.map(({ bucket }) => bucket);
  await subtractClientKey(db, level, first.ref, buckets);
  return rows.length;
}

/**
 * Calls `deleteSome`, each time in a transaction of its own, until it deletes less than it was allowed to. The size of
 * the batches follows the speed of the disk, so that none holds the writer for long.
 */
async function inBatches(
  { writer, clock }: Pruner,
  batchSize: number,
  deleteSome: (db: Db, limit: number) => Promise<number>,
): Promise<number> {
  const most = Math.max(batchSize, 1);
  let limit = Math.min(most, BATCH_ROWS_FIRST);
  let deleted = 0;
  for (;;) {
    const asked = limit;
    let began = 0;
    const went = await writer.runInBackground((db) => {
      began = clock.monotonic();
      return deleteSome(db, asked);
    });
    const tookMs = clock.monotonic() - began;
    deleted += went;
    if (went < asked) return deleted;
    const pace = Math.min(
      Math.max(BATCH_TIME_MS / Math.max(tookMs, 1), BATCH_SHRINK_MAX),
      BATCH_GROWTH_MAX,
    );
    limit = Math.min(Math.max(Math.floor(asked * pace), BATCH_ROWS_MIN), most);
  }
}

async function deleteRows(
  db: Db,
  table: string,
  condition: string,
  values: readonly (string | number)[],
): Promise<number> {
  return db.query((knex) =>
    knex(table)
      .whereRaw(condition, [...values])
      .delete(),
  );
}

function floorTo(ms: number, stepMs: number): number {
  return Math.floor(ms / stepMs) * stepMs;
}
