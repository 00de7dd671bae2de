import type { Clock } from "../core/clock.js";
import type { Db } from "./db.js";
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

/** What deletes in the background. */
export interface Pruner {
  readonly writer: Writer;
  readonly clock: Clock;
}

/** Rows of one table that may go, the first in some order first. */
export interface OldRows {
  readonly table: string;
  /** Columns by which a row is found. */
  readonly key: string;
  readonly where: string;
  readonly values: readonly (string | number)[];
  readonly order: string;
}

/** Deletes all of them, batch by batch; returns how many there were. */
export function deleteInBatches(
  pruner: Pruner,
  batchSize: number,
  { table, key, where, values, order }: OldRows,
): Promise<number> {
  return inBatches(pruner, batchSize, (db, limit) => {
    const first = `SELECT ${key} FROM ${table} WHERE ${where} ORDER BY ${order} LIMIT ${limit}`;
    return deleteRows(db, table, `(${key}) IN (${first})`, values);
  });
}

/**
 * Calls `deleteSome`, each time in a transaction of its own, until it deletes less than it was allowed to. The size of
 * the batches follows the speed of the disk, so that none holds the writer for long. Returns the sum of its answers.
 */
export async function inBatches(
  { writer, clock }: Pruner,
  batchSize: number,
  deleteSome: (db: Db, limit: number) => Promise<number>,
): Promise<number> {
  const limitMax = Math.max(batchSize, 1);
  let limit = Math.min(limitMax, BATCH_ROWS_FIRST);
  let deleted = 0;
  for (;;) {
    const asked = limit;
    let begunMs = 0;
    const went = await writer.runInBackground((db) => {
      begunMs = clock.monotonic();
      return deleteSome(db, asked);
    });
    deleted += went;
    if (went < asked) return deleted;
    limit = nextLimit(asked, clock.monotonic() - begunMs, limitMax);
  }
}

function nextLimit(asked: number, tookMs: number, limitMax: number): number {
  const wanted = BATCH_TIME_MS / Math.max(tookMs, 1);
  const pace = Math.min(Math.max(wanted, BATCH_SHRINK_MAX), BATCH_GROWTH_MAX);
  return Math.min(Math.max(Math.floor(asked * pace), BATCH_ROWS_MIN), limitMax);
}

/** Returns how many went. */
export function deleteRows(
  db: Db,
  table: string,
  where: string,
  values: readonly (string | number)[],
): Promise<number> {
  return db.query((knex) =>
    knex(table)
      .whereRaw(where, [...values])
      .delete(),
  );
}
