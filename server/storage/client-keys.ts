import type { ChangeDraft } from "../core/change.js";
import type { ClientKey, KnownClientKey, Scope } from "../core/client-key.js";
import type { Clock } from "../core/clock.js";
import { isUnlimited, UNLIMITED, type Limits } from "../core/limits.js";
import type { PageQuery } from "../core/page.js";
import type { SealedMove, SealedSecret } from "../core/sealed.js";
import { touchClientKeys, type ClientKeyUse } from "./client-key-uses.js";
import type { Db } from "./db.js";
import { keepUse } from "./deleted-use.js";
import { bytes, flag, readList, readObject } from "./json.js";
import { insertRows } from "./insert-rows.js";
import { type Listing, listPage } from "./listing.js";
import type { FullPage } from "./paging.js";
import { noSuchRow, requireRow } from "./rows.js";
import { userField } from "./references.js";
import { moveSealed, sealedChunks, type SealedRow, toSealedSecret } from "./sealed-columns.js";
import { SQLITE } from "./sql-dialect.js";

interface ClientKeyRow {
  id: string;
  owner_id: string;
  kind: ClientKey["kind"];
  format: ClientKey["format"];
  mac: string;
  pepper_version: number;
  previous_mac: string | null;
  grace_until: number | null;
  sealed_key_version: number | null;
  sealed_ciphertext: Buffer | null;
  sealed_row_mac: Buffer | null;
  prefix: string;
  name: string;
  description: string;
  enabled: number;
  revoked_at: number | null;
  expires_at: number | null;
  /** Null where nothing is restricted, so that a million keys load without parsing. */
  model_allowlist: string | null;
  ip_allowlist: string | null;
  scopes: string | null;
  limits: string | null;
  created_at: number;
  updated_at: number;
  rotated_at: number | null;
  last_used_at: number | null;
  usage_count: number;
  version: number;
  last_used_ip: string | null;
  new_address_at: number | null;
}

/** The state is derived, so its expression holds the present time. */
function listing(nowMs: number): Listing<ClientKeyRow, ClientKey> {
  return {
    table: "client_keys",
    fields: {
      id: { sql: "id", kind: "text", choices: true, searched: true },
      ownerId: { sql: "owner_id", kind: "text", choices: true },
      kind: { sql: "kind", kind: "text", values: ["STANDARD", "SUPER", "BYOR"] },
      format: { sql: "format", kind: "text", values: ["SK", "UUID", "ALNUM32"] },
      state: {
        sql: `CASE WHEN revoked_at IS NOT NULL THEN 'REVOKED'
          WHEN expires_at IS NOT NULL AND expires_at <= ${Math.trunc(nowMs)} THEN 'EXPIRED'
          WHEN enabled = 0 THEN 'DISABLED' ELSE 'ACTIVE' END`,
        kind: "text",
        values: ["ACTIVE", "DISABLED", "EXPIRED", "REVOKED"],
      },
      prefix: { sql: "prefix", kind: "text", searched: true },
      name: { sql: "name", kind: "text", searched: true },
      description: { sql: "description", kind: "text", searched: true },
      enabled: { sql: "enabled", kind: "boolean" },
      revokeTime: { sql: "revoked_at", kind: "time", nullable: true },
      expireTime: { sql: "expires_at", kind: "time", nullable: true },
      modelAllowlist: { sql: "model_allowlist", kind: "list", nullable: true },
      ipAllowlist: { sql: "ip_allowlist", kind: "list", nullable: true },
      scopes: { sql: "scopes", kind: "list", nullable: true },
      pepperVersion: { sql: "pepper_version", kind: "integer" },
      createTime: { sql: "created_at", kind: "time" },
      updateTime: { sql: "updated_at", kind: "time" },
      rotatedAt: { sql: "rotated_at", kind: "time", nullable: true },
      lastUsedTime: { sql: "last_used_at", kind: "time", nullable: true },
      lastUsedIp: { sql: "last_used_ip", kind: "text", nullable: true },
      callCount: { sql: "usage_count", kind: "integer" },
      owner: userField("owner_id"),
      recoverable: { sql: "(sealed_ciphertext IS NOT NULL)", kind: "boolean" },
    },
    natural: { field: "createTime", descending: true },
    tieBreaker: { column: "id", kind: "string" },
    toItem: toClientKey,
  };
}

/** Reads client keys. */
export function clientKeyReader(db: Db, clock: Clock) {
  return {
    async get(id: string): Promise<ClientKey | undefined> {
      const [row] = await db.rows<ClientKeyRow>("SELECT * FROM client_keys WHERE id = ?", [id]);
      return row === undefined ? undefined : toClientKey(row);
    },
    /** Which of the MACs are stored already. */
    async storedMacs(macs: readonly string[]): Promise<ReadonlySet<string>> {
      const found = await db.rows<{ mac: string }>(
        `SELECT mac FROM client_keys WHERE mac IN (${SQLITE.eachText})`,
        [JSON.stringify(macs)],
      );
      return new Set(found.map(({ mac }) => mac));
    },
    list: (query: PageQuery): Promise<FullPage<ClientKey>> =>
      listPage(db, listing(clock.now()), query),
    async ofOwner(ownerId: string): Promise<readonly ClientKey[]> {
      const rows = await db.rows<ClientKeyRow>(
        "SELECT * FROM client_keys WHERE owner_id = ? ORDER BY created_at, id",
        [ownerId],
      );
      return rows.map(toClientKey);
    },
    /**
     * Of all keys, what is needed to judge one that is presented; in no order, at most `size` at a time. Keys that are
     * added or removed meanwhile may or may not be among them.
     */
    async *knownChunks(size: number): AsyncGenerator<readonly KnownClientKey[], void, undefined> {
      const [end] = await db.rows<{ last: number | null }>(
        "SELECT max(rowid) AS last FROM client_keys",
      );
      const last = end?.last ?? 0;
      // The database reads on, on several connections, while these are taken in.
      const reading: Promise<string>[] = [];
      for (let from = 0; from < last || reading.length > 0; from += size) {
        if (from < last) {
          const chunk = readKnown(db, from, size);
          // If the reader stops early, nobody awaits this chunk, and its failure must not end the process; otherwise it
          // is thrown where the chunk is awaited.
          chunk.catch(() => undefined);
          reading.push(chunk);
        }
        if (reading.length <= READ_AHEAD && from < last) continue;
        const json = await reading.shift();
        const rows = JSON.parse(json ?? "[]") as KnownRow[];
        if (rows.length > 0) yield rows.map(toKnown);
      }
    },
    /** The sealed copies of all recoverable keys, by id, `size` at a time. */
    async *sealedChunks(size: number): AsyncGenerator<readonly SealedClientKey[], void, undefined> {
      for await (const chunk of sealedChunks<SealedClientKeyRow>(db, SEALED, size)) {
        yield chunk.map((row) => ({
          id: row.id,
          ownerId: row.owner_id,
          sealedCopy: toSealedSecret(row),
        }));
      }
    },
  };
}

/** The sealed copy of a recoverable client key, with what it is bound to. */
type SealedClientKey = Pick<ClientKey, "id" | "ownerId"> & { readonly sealedCopy: SealedSecret };
type SealedClientKeyRow = SealedRow & Pick<ClientKeyRow, "owner_id">;

const SEALED = {
  table: "client_keys",
  version: "sealed_key_version",
  ciphertext: "sealed_ciphertext",
  rowMac: "sealed_row_mac",
  others: ["owner_id"],
} as const;

/** Reads and writes client keys inside a transaction. */
export function clientKeyTable(db: Db, clock: Clock, noted: ChangeDraft[]) {
  const insertAll = async (keys: readonly ClientKey[]): Promise<void> => {
    await insertRows(db, "client_keys", keys.map(fromClientKey));
    for (const key of keys) noted.push({ kind: "client_key", id: key.id, value: key });
  };
  return {
    ...clientKeyReader(db, clock),
    /** Throws Fault `already_exists` when the MAC is taken, or when the owner has a BYOR key already. */
    insert: (key: ClientKey): Promise<void> => insertAll([key]),
    /** Many in one statement; the same. */
    insertAll,
    /** Throws Fault `not_found` or `already_exists`. */
    async update(key: ClientKey): Promise<void> {
      const { id, ...columns } = fromClientKey(key);
      requireRow(
        "client key",
        await db.query((knex) => knex("client_keys").where({ id }).update(columns)),
      );
      noted.push({ kind: "client_key", id, value: key });
    },
    /** Moves many sealed copies, where the key still holds the one that is replaced; answers the changed keys. */
    async reseal(moves: readonly SealedMove[]): Promise<readonly ClientKey[]> {
      const keys = (await moveSealed<ClientKeyRow>(db, SEALED, moves)).map(toClientKey);
      for (const key of keys) noted.push({ kind: "client_key", id: key.id, value: key });
      return keys;
    },
    /** Adds to usage counters, many keys in one statement. Keys that were deleted meanwhile are passed over. */
    touch: (uses: readonly ClientKeyUse[]): Promise<void> => touchClientKeys(db, uses),
    /**
     * Removes the key. From the commit on its calls and roll-ups are not seen any more and no new ones come
     * in; they are removed afterwards in batches, since there may be millions. Budgets of its owner and of the server
     * and quotas of provider keys keep what it has used. Throws Fault `not_found`.
     */
    async delete(id: string): Promise<void> {
      const [gone] = await db.rows<Pick<ClientKeyRow, "owner_id">>(
        "DELETE FROM client_keys WHERE id = ? RETURNING owner_id",
        [id],
      );
      if (gone === undefined) throw noSuchRow("client key");
      await keepUse(db, { id, ownerId: gone.owner_id }, clock.now());
      await db.query((knex) =>
        knex("deleted_client_keys").insert({ client_key_id: id, deleted_at: clock.now() }),
      );
      noted.push({ kind: "client_key", id, value: null });
    },
  };
}

const KNOWN_COLUMNS: readonly string[] = [
  "id",
  "owner_id",
  "kind",
  "mac",
  "pepper_version",
  "previous_mac",
  "grace_until",
  "prefix",
  "name",
  "enabled",
  "revoked_at",
  "expires_at",
  "model_allowlist",
  "ip_allowlist",
  "scopes",
  "limits",
] satisfies (keyof ClientKeyRow)[];

/** The values of those columns. */
type KnownRow = [
  id: string,
  ownerId: string,
  kind: ClientKey["kind"],
  mac: string,
  pepperVersion: number,
  previousMac: string | null,
  graceUntil: number | null,
  prefix: string,
  name: string,
  enabled: number,
  revokedAt: number | null,
  expiresAt: number | null,
  modelAllowlist: string | null,
  ipAllowlist: string | null,
  scopes: string | null,
  limits: string | null,
];

const READ_KNOWN = SQLITE.rowsAsJson(
  `SELECT ${KNOWN_COLUMNS.join(", ")} FROM client_keys WHERE rowid > ? AND rowid <= ?`,
  KNOWN_COLUMNS,
);

/** Chunks that are read while one is taken in. */
const READ_AHEAD = 2;

/** The keys of the next `count` rows in the order of the file, which is the quickest way to read all of them. */
async function readKnown(db: Db, after: number, count: number): Promise<string> {
  const [all] = await db.rows<{ json: string }>(READ_KNOWN, [after, after + count]);
  if (all === undefined) throw new Error("an aggregate has no row");
  return all.json;
}

function toKnown(row: KnownRow): KnownClientKey {
  return {
    id: row[0],
    ownerId: row[1],
    kind: row[2],
    mac: row[3],
    pepperVersion: row[4],
    previousMac: row[5],
    graceUntil: row[6],
    prefix: row[7],
    name: row[8],
    enabled: row[9] === 1,
    revokedAt: row[10],
    expiresAt: row[11],
    modelAllowlist: readList(row[12]),
    ipAllowlist: readList(row[13]),
    scopes: readList<Scope>(row[14]),
    limits: readObject<Limits>(row[15]) ?? UNLIMITED,
  };
}

function toClientKey(row: ClientKeyRow): ClientKey {
  return {
    id: row.id,
    ownerId: row.owner_id,
    kind: row.kind,
    format: row.format,
    mac: row.mac,
    pepperVersion: row.pepper_version,
    previousMac: row.previous_mac,
    graceUntil: row.grace_until,
    sealedCopy: toSealed(row),
    prefix: row.prefix,
    name: row.name,
    description: row.description,
    enabled: row.enabled === 1,
    revokedAt: row.revoked_at,
    expiresAt: row.expires_at,
    modelAllowlist: readList(row.model_allowlist),
    ipAllowlist: readList(row.ip_allowlist),
    scopes: readList<Scope>(row.scopes),
    limits: readObject<Limits>(row.limits) ?? UNLIMITED,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    rotatedAt: row.rotated_at,
    lastUsedAt: row.last_used_at,
    lastUsedIp: row.last_used_ip,
    newAddressAt: row.new_address_at,
    usageCount: row.usage_count,
    version: row.version,
  };
}

function toSealed(row: ClientKeyRow): SealedSecret | null {
  const { sealed_key_version, sealed_ciphertext, sealed_row_mac } = row;
  if (sealed_key_version === null || sealed_ciphertext === null || sealed_row_mac === null) {
    return null;
  }
  return {
    vaultKeyVersion: sealed_key_version,
    ciphertext: sealed_ciphertext,
    rowMac: sealed_row_mac,
  };
}

function fromClientKey(key: ClientKey): ClientKeyRow {
  const sealed = key.sealedCopy;
  return {
    id: key.id,
    owner_id: key.ownerId,
    kind: key.kind,
    format: key.format,
    mac: key.mac,
    pepper_version: key.pepperVersion,
    previous_mac: key.previousMac,
    grace_until: key.graceUntil,
    sealed_key_version: sealed?.vaultKeyVersion ?? null,
    sealed_ciphertext: sealed === null ? null : bytes(sealed.ciphertext),
    sealed_row_mac: sealed === null ? null : bytes(sealed.rowMac),
    prefix: key.prefix,
    name: key.name,
    description: key.description,
    enabled: flag(key.enabled),
    revoked_at: key.revokedAt,
    expires_at: key.expiresAt,
    model_allowlist: listOrNull(key.modelAllowlist),
    ip_allowlist: listOrNull(key.ipAllowlist),
    scopes: listOrNull(key.scopes),
    limits: isUnlimited(key.limits) ? null : JSON.stringify(key.limits),
    created_at: key.createdAt,
    updated_at: key.updatedAt,
    rotated_at: key.rotatedAt,
    last_used_at: key.lastUsedAt,
    usage_count: key.usageCount,
    version: key.version,
    last_used_ip: key.lastUsedIp,
    new_address_at: key.newAddressAt,
  };
}

function listOrNull(list: readonly string[]): string | null {
  return list.length === 0 ? null : JSON.stringify(list);
}
