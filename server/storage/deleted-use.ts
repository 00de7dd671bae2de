import type { CallRecord } from "../core/call.js";
import { DAY_MS } from "../core/durations.js";
import { floorTo } from "../core/multiples.js";
import type { Db } from "./db.js";

/** How long a day's sum is kept: a month is the longest period, so no running one began earlier. */
const KEPT_MS = 31 * DAY_MS;

const COLUMNS = "owner_id, provider_key_id, day_ms, calls, tokens, cost_micros";
const ADD_UP = `ON CONFLICT (owner_id, provider_key_id, day_ms) DO UPDATE SET calls = calls + excluded.calls,
  tokens = tokens + excluded.tokens, cost_micros = cost_micros + excluded.cost_micros`;
const MINE =
  "SELECT id FROM usage_keys WHERE client_key_ref = (SELECT id FROM ledger_names WHERE name = ?)";

/**
 * Keeps what a client key has used in running periods, before its roll-ups are removed. Otherwise deleting keys would
 * give back a budget of their owner or of the server, or a provider key's quota. Nothing of the key itself is kept,
 * only a sum for each day, owner and provider key.
 */
export async function keepUse(
  db: Db,
  key: { readonly id: string; readonly ownerId: string },
  nowMs: number,
): Promise<void> {
  await db.rows(
    `INSERT INTO deleted_use (${COLUMNS})
     SELECT ?, coalesce(names.name, ''), bucket_ms / ${DAY_MS} * ${DAY_MS} AS day, sum(calls),
       sum(input_tokens + output_tokens), sum(cost_micros)
     FROM (
       SELECT key_id, bucket_ms, calls, input_tokens, output_tokens, cost_micros FROM rollups_day
       WHERE key_id IN (${MINE}) AND bucket_ms > ?
       UNION ALL
       SELECT key_id, bucket_ms, calls, input_tokens, output_tokens, cost_micros FROM rollups_minute
       WHERE bucket_ms >= (SELECT folded_until_ms FROM ledger_state) AND key_id IN (${MINE})
     )
     JOIN usage_keys ON usage_keys.id = key_id
     LEFT JOIN ledger_names AS names ON names.id = provider_key_ref
     GROUP BY provider_key_ref, day ${ADD_UP}`,
    [key.ownerId, key.id, nowMs - KEPT_MS, key.id],
  );
}

/** Adds calls of client keys that were deleted before their calls came in. */
export async function addUse(db: Db, calls: readonly CallRecord[]): Promise<void> {
  for (const { ownerId, providerKeyId, startedAt, tokens, costMicros } of calls) {
    const dayMs = floorTo(startedAt, DAY_MS);
    await db.rows(`INSERT INTO deleted_use (${COLUMNS}) VALUES (?, ?, ?, 1, ?, ?) ${ADD_UP}`, [
      ownerId,
      providerKeyId ?? "",
      dayMs,
      tokens.input + tokens.output,
      costMicros ?? 0,
    ]);
  }
}

/** What deleted client keys have used in whole days, for each owner or provider key, or for one of them. */
export function readDeletedUse(
  db: Db,
  by: "owner_id" | "provider_key_id",
  range: { readonly fromMs: number; readonly toMs: number; readonly id: string | null },
): Promise<readonly { id: string; calls: number; tokens: number; costMicros: number }[]> {
  const { fromMs, toMs, id } = range;
  return db.rows(
    `SELECT ${by} AS id, sum(calls) AS calls, sum(tokens) AS tokens, sum(cost_micros) AS costMicros
     FROM deleted_use WHERE day_ms >= ? AND day_ms < ? ${id === null ? "" : `AND ${by} = ?`} GROUP BY ${by}`,
    id === null ? [fromMs, toMs] : [fromMs, toMs, id],
  );
}

/** Deletes what no running period can have begun before. */
export async function pruneDeletedUse(db: Db, nowMs: number): Promise<void> {
  await db.rows("DELETE FROM deleted_use WHERE day_ms < ?", [nowMs - KEPT_MS - DAY_MS]);
}
