import { DAY_MS, HOUR_MS, MINUTE_MS } from "../core/durations.js";
import { addressBlock } from "../core/ip.js";
import { bodyText } from "./call-rows.js";
import type { Db } from "./db.js";
import { SQLITE } from "./sql-dialect.js";

/** Uses of a client key since the last write of its counters. */
export interface ClientKeyUse {
  readonly id: string;
  readonly count: number;
  readonly lastUsedAt: number;
  /** From where, each address once, the one of the last use at the end; empty where none is known. */
  readonly addresses: readonly string[];
}

/** A last use that is further ahead of a newer one is that of a clock which was wrong. */
const AHEAD_MAX_MS = DAY_MS;
/** Uses in one statement. */
const USES_PER_STATEMENT = 1_000;
/** Addresses that are remembered of a key; the one unused for longest is forgotten first. */
export const ADDRESSES_PER_KEY_MAX = 64;
/** The last use of an address is written no more often: it only decides which one is forgotten. */
const ADDRESS_FRESH_MS = HOUR_MS;

/** Adds to usage counters, many keys in one statement. Keys that were deleted meanwhile are passed over. */
export async function touchClientKeys(db: Db, uses: readonly ClientKeyUse[]): Promise<void> {
  for (let start = 0; start < uses.length; start += USES_PER_STATEMENT) {
    const some = uses.slice(start, start + USES_PER_STATEMENT);
    await count(db, some);
    const added = await addAddresses(db, some);
    if (added.length > 0) await notice(db, added);
  }
}

async function count(db: Db, uses: readonly ClientKeyUse[]): Promise<void> {
  const rows = uses.map((use) => [use.id, use.count, use.lastUsedAt, use.addresses.at(-1) ?? null]);
  const isLater = `last_used_at > used_at AND last_used_at <= used_at + ${AHEAD_MAX_MS}`;
  await db.rows(
    `WITH uses AS (${SQLITE.eachRow(["key_id", "used_count", "used_at", "used_ip"], NO_BYTES)})
     UPDATE client_keys SET
       usage_count = usage_count + used_count,
       last_used_ip = CASE WHEN ${isLater} THEN last_used_ip ELSE coalesce(used_ip, last_used_ip) END,
       last_used_at = CASE WHEN ${isLater} THEN last_used_at ELSE used_at END
     FROM uses WHERE id = key_id`,
    [JSON.stringify(rows)],
  );
}

interface AddedAddress {
  readonly client_key_id: string;
  readonly at: number;
  readonly is_new: number;
}

/** Remembers the addresses; answers those that were not known. */
async function addAddresses(db: Db, uses: readonly ClientKeyUse[]): Promise<AddedAddress[]> {
  const rows = uses.flatMap(({ id, lastUsedAt, addresses }) =>
    [...new Set(addresses.map(addressBlock))].map((address) => [id, address, lastUsedAt]),
  );
  if (rows.length === 0) return [];
  const written = await db.rows<AddedAddress>(
    `WITH uses AS (${SQLITE.eachRow(["key_id", "address", "used_at"], NO_BYTES)})
     INSERT INTO client_key_addresses (client_key_id, address, first_used_at, last_used_at)
     SELECT key_id, address, used_at, used_at FROM uses JOIN client_keys ON id = key_id WHERE true
     ON CONFLICT (client_key_id, address) DO UPDATE SET last_used_at = excluded.last_used_at
       WHERE excluded.last_used_at >= client_key_addresses.last_used_at + ${ADDRESS_FRESH_MS}
     RETURNING client_key_id, last_used_at AS at, first_used_at = last_used_at AS is_new`,
    [JSON.stringify(rows)],
  );
  return written.filter(({ is_new }) => is_new === 1);
}

/** Marks keys that were known from other addresses before, and forgets the oldest addresses of each. */
async function notice(db: Db, added: readonly AddedAddress[]): Promise<void> {
  await db.rows(
    `WITH added AS (${SQLITE.eachRow(["key_id", "added_at"], NO_BYTES)})
     UPDATE client_keys SET new_address_at = added_at FROM added
     WHERE id = key_id AND (SELECT count(*) FROM client_key_addresses WHERE client_key_id = id) > 1`,
    [JSON.stringify(added.map(({ client_key_id, at }) => [client_key_id, at]))],
  );
  const ids = [...new Set(added.map(({ client_key_id }) => client_key_id))];
  await db.rows(
    `DELETE FROM client_key_addresses WHERE (client_key_id, address) IN (
       SELECT client_key_id, address FROM (
         SELECT client_key_id, address,
           row_number() OVER (PARTITION BY client_key_id ORDER BY last_used_at DESC) AS place
         FROM client_key_addresses WHERE client_key_id IN (${SQLITE.eachText})
       ) AS placed WHERE place > ${ADDRESSES_PER_KEY_MAX})`,
    [JSON.stringify(ids)],
  );
}

/** Calls that began this long before the newest one may have been counted in memory alone by a process that was killed. */
const UNCOUNTED_MAX_MS = 2 * MINUTE_MS;

/**
 * Uses that a process had counted and not written when it died, from the calls of its last minutes: those that began
 * after the last use that was written of their key. What batches used, without an address, is no use.
 */
export async function uncountedUses(db: Db): Promise<readonly ClientKeyUse[]> {
  const rows = await db.rows<{ id: string; ip: string; calls: number; at: number }>(
    `WITH recent AS (
       SELECT min(first_seq) AS first_seq FROM call_minutes
       WHERE minute_ms >= (SELECT max(minute_ms) FROM call_minutes) - ${UNCOUNTED_MAX_MS}
     )
     SELECT client_keys.id AS id, ${bodyText("ip")} AS ip, count(*) AS calls,
       max(calls.started_at) AS at
     FROM recent JOIN calls ON calls.seq >= recent.first_seq
     JOIN ledger_names ON ledger_names.id = calls.client_key_ref
     JOIN client_keys ON client_keys.id = ledger_names.name
     WHERE calls.started_at > coalesce(client_keys.last_used_at, -1)
     GROUP BY 1, 2 ORDER BY at`,
  );
  const uses = new Map<string, ClientKeyUse>();
  for (const { id, ip, calls, at } of rows) {
    if (ip === "") continue;
    const { count: before, addresses } = uses.get(id) ?? { count: 0, addresses: [] };
    uses.set(id, { id, count: before + calls, lastUsedAt: at, addresses: [...addresses, ip] });
  }
  return [...uses.values()];
}

const NO_BYTES: ReadonlySet<string> = new Set();
