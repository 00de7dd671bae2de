import type { CallRecord } from "../core/call.js";
import { DAY_MS } from "../core/durations.js";
import type { Db } from "./db.js";
import { DIMENSIONS } from "./totals.js";

/** How long a day of it is kept: no running period has begun earlier, for a month is the longest. */
const KEPT_MS = 31 * DAY_MS;

const ADD_UP = `ON CONFLICT (owner_id, day_ms) DO UPDATE SET
  tokens = tokens + excluded.tokens, cost_micros = cost_micros + excluded.cost_micros`;
const REF = "(SELECT id FROM ledger_names WHERE name = ?)";

/**
 * Keeps what a client key has spent in running periods, before its roll-ups go. A budget of its owner or of the server
 * would otherwise be given back by deleting keys. Of the key itself nothing is kept: it is a sum for each day of the owner.
 */
export async function keepSpend(
  db: Db,
  key: { readonly id: string; readonly ownerId: string },
  nowMs: number,
): Promise<void> {
  await db.rows(
    `INSERT INTO deleted_spend (owner_id, day_ms, tokens, cost_micros)
     SELECT ?, bucket_ms / ${DAY_MS} * ${DAY_MS} AS day, sum(input_tokens + output_tokens), sum(cost_micros) FROM (
       SELECT bucket_ms, input_tokens, output_tokens, cost_micros FROM totals_day
       WHERE dimension = ${DIMENSIONS.CLIENT_KEY.number} AND ref = ${REF} AND bucket_ms > ?
       UNION ALL
       SELECT bucket_ms, input_tokens, output_tokens, cost_micros FROM rollups_minute
       WHERE bucket_ms >= (SELECT folded_until_ms FROM ledger_state)
         AND key_id IN (SELECT id FROM usage_keys WHERE client_key_ref = ${REF})
     ) GROUP BY day ${ADD_UP}`,
    [key.ownerId, key.id, nowMs - KEPT_MS, key.id],
  );
}

/** Adds calls of client keys that were deleted before their calls came in. */
export async function addSpend(db: Db, calls: readonly CallRecord[]): Promise<void> {
  for (const { ownerId, startedAt, tokens, costMicros } of calls) {
    const dayMs = Math.floor(startedAt / DAY_MS) * DAY_MS;
    await db.rows(
      `INSERT INTO deleted_spend (owner_id, day_ms, tokens, cost_micros) VALUES (?, ?, ?, ?) ${ADD_UP}`,
      [ownerId, dayMs, tokens.input + tokens.output, costMicros ?? 0],
    );
  }
}

/** What deleted client keys have spent since the start of a day, for each owner or for one. */
export function readDeletedSpend(
  db: Db,
  fromMs: number,
  ownerId: string | null,
): Promise<readonly { ownerId: string; tokens: number; costMicros: number }[]> {
  return db.rows(
    `SELECT owner_id AS ownerId, sum(tokens) AS tokens, sum(cost_micros) AS costMicros FROM deleted_spend
     WHERE day_ms >= ? ${ownerId === null ? "" : "AND owner_id = ?"} GROUP BY owner_id`,
    ownerId === null ? [fromMs] : [fromMs, ownerId],
  );
}

/** Deletes what no running period can have begun before. */
export async function pruneDeletedSpend(db: Db, nowMs: number): Promise<void> {
  await db.rows("DELETE FROM deleted_spend WHERE day_ms < ?", [nowMs - KEPT_MS - DAY_MS]);
}
