import type { ChangeDraft } from "../core/change.js";
import type { PageQuery } from "../core/page.js";
import { type KeyHealth, type ProviderKey, type Quota, TIERS } from "../core/provider-key.js";
import type { SealedMove } from "../core/sealed.js";
import type { Db } from "./db.js";
import { insertRows } from "./insert-rows.js";
import { bytes, flag, readList, readObject } from "./json.js";
import { type Listing, listPage } from "./listing.js";
import type { FullPage } from "./paging.js";
import { requireRow } from "./rows.js";
import { providerField, userField } from "./references.js";
import { moveSealed, sealedChunks, type SealedRow, toSealedSecret } from "./sealed-columns.js";
import { SQLITE } from "./sql-dialect.js";

interface HealthRow {
  health_state: KeyHealth["state"];
  consecutive_failures: number;
  cooldown_until: number | null;
  last_checked_at: number | null;
  last_used_at: number | null;
  last_error: string | null;
  successes: number;
  failures: number;
}

interface ProviderKeyRow extends HealthRow {
  id: string;
  owner_id: string;
  provider_id: string;
  service: string | null;
  model_allowlist: string;
  name: string;
  description: string;
  tier: ProviderKey["tier"];
  weight: number;
  visibility: ProviderKey["visibility"];
  anonymous: number;
  enabled: number;
  vault_key_version: number;
  ciphertext: Buffer;
  row_mac: Buffer;
  fingerprint: string;
  preview: string;
  quota: string | null;
  quota_group: string | null;
  expires_at: number | null;
  secret_at: number;
  created_at: number;
  updated_at: number;
  version: number;
}

const LISTING: Listing<ProviderKeyRow, ProviderKey> = {
  table: "provider_keys",
  fields: {
    id: { sql: "id", kind: "text", choices: true, searched: true },
    ownerId: { sql: "owner_id", kind: "text", choices: true },
    providerId: { sql: "provider_id", kind: "text", choices: true },
    service: { sql: "service", kind: "text", choices: true, nullable: true, searched: true },
    modelAllowlist: { sql: "model_allowlist", kind: "list" },
    name: { sql: "name", kind: "text", searched: true },
    description: { sql: "description", kind: "text", searched: true },
    tier: { sql: "tier", kind: "text", values: TIERS },
    weight: { sql: "weight", kind: "integer" },
    visibility: { sql: "visibility", kind: "text", values: ["PRIVATE", "PUBLIC"] },
    anonymous: { sql: "anonymous", kind: "boolean" },
    enabled: { sql: "enabled", kind: "boolean" },
    vaultKeyVersion: { sql: "vault_key_version", kind: "integer" },
    preview: { sql: "preview", kind: "text", searched: true },
    quotaGroup: { sql: "quota_group", kind: "text", nullable: true },
    expireTime: { sql: "expires_at", kind: "time", nullable: true },
    health: {
      sql: "health_state",
      kind: "text",
      values: ["UNKNOWN", "HEALTHY", "DEGRADED", "COOLDOWN", "EXHAUSTED", "INVALID"],
    },
    consecutiveFailures: { sql: "consecutive_failures", kind: "integer" },
    cooldownUntil: { sql: "cooldown_until", kind: "time", nullable: true },
    lastCheckTime: { sql: "last_checked_at", kind: "time", nullable: true },
    lastUsedTime: { sql: "last_used_at", kind: "time", nullable: true },
    lastError: { sql: "last_error", kind: "text", nullable: true },
    successCount: { sql: "successes", kind: "integer" },
    failures: { sql: "failures", kind: "integer" },
    secretTime: { sql: "secret_at", kind: "time" },
    createTime: { sql: "created_at", kind: "time" },
    updateTime: { sql: "updated_at", kind: "time" },
    owner: userField("owner_id"),
    provider: providerField("provider_id"),
    useCount: { sql: "(successes + failures)", kind: "integer" },
  },
  natural: { field: "createTime", descending: true },
  tieBreaker: { column: "id", kind: "string" },
  toItem: toProviderKey,
};

/** The key that holds a secret. */
type StoredSecret = Pick<ProviderKey, "id" | "name" | "ownerId">;

/** The secret of a provider key, with what it is bound to. */
type SealedProviderKey = Pick<
  ProviderKey,
  "id" | "ownerId" | "providerId" | "visibility" | "sealed"
>;
type SealedProviderKeyRow = SealedRow &
  Pick<ProviderKeyRow, "owner_id" | "provider_id" | "visibility">;

const SEALED = {
  table: "provider_keys",
  version: "vault_key_version",
  ciphertext: "ciphertext",
  rowMac: "row_mac",
  others: ["owner_id", "provider_id", "visibility"],
} as const;

/** Keys that one statement brings. The driver holds rows several times over, and the process keeps that memory. */
const READ_ROWS_MAX = 500;

/** Reads what an owner's keys are called, and how many there are. */
function nameReader(db: Db) {
  return {
    /** Names of an owner's keys. */
    async namesOf(ownerId: string): Promise<readonly string[]> {
      const [names] = await db.rows<{ json: string }>(
        "SELECT json_group_array(name) AS json FROM provider_keys WHERE owner_id = ?",
        [ownerId],
      );
      return readList(names?.json ?? null);
    },
    /** Whether an owner has a key of this name. */
    async hasName(ownerId: string, name: string): Promise<boolean> {
      const found = await db.rows("SELECT 1 FROM provider_keys WHERE owner_id = ? AND name = ?", [
        ownerId,
        name,
      ]);
      return found.length > 0;
    },
    /** How many keys an owner has. */
    async countOf(ownerId: string): Promise<number> {
      const [row] = await db.rows<{ count: number }>(
        "SELECT COUNT(*) AS count FROM provider_keys WHERE owner_id = ?",
        [ownerId],
      );
      return row?.count ?? 0;
    },
  };
}

/** Reads provider keys. */
export function providerKeyReader(db: Db) {
  const rows = async (where: string, values: readonly (string | number)[], limit = "") =>
    (
      await db.rows<ProviderKeyRow>(
        `SELECT * FROM provider_keys ${where} ORDER BY created_at, id ${limit}`,
        values,
      )
    ).map(toProviderKey);
  return {
    async get(id: string): Promise<ProviderKey | undefined> {
      return (await rows("WHERE id = ?", [id]))[0];
    },
    async byFingerprint(fingerprint: string): Promise<ProviderKey | undefined> {
      return (await rows("WHERE fingerprint = ?", [fingerprint]))[0];
    },
    /** Those of the fingerprints that are stored, and with which key. */
    async byFingerprints(fingerprints: readonly string[]): Promise<Map<string, StoredSecret>> {
      const found = await db.rows<Pick<ProviderKeyRow, "fingerprint" | "id" | "name" | "owner_id">>(
        `SELECT fingerprint, id, name, owner_id FROM provider_keys
         WHERE fingerprint IN (${SQLITE.eachText})`,
        [JSON.stringify(fingerprints)],
      );
      return new Map(
        found.map(({ fingerprint, id, name, owner_id: ownerId }) => [
          fingerprint,
          { id, name, ownerId },
        ]),
      );
    },
    ...nameReader(db),
    list: (query: PageQuery): Promise<FullPage<ProviderKey>> => listPage(db, LISTING, query),
    ofOwner: (ownerId: string): Promise<readonly ProviderKey[]> =>
      rows("WHERE owner_id = ?", [ownerId]),
    ofProvider: (providerId: string): Promise<readonly ProviderKey[]> =>
      rows("WHERE provider_id = ?", [providerId]),
    /** Keys whose expiry lies after `afterMs` and not after `untilMs`. */
    expiringWithin: (afterMs: number, untilMs: number): Promise<readonly ProviderKey[]> =>
      rows("WHERE expires_at > ? AND expires_at <= ?", [afterMs, untilMs]),
    /** In the order in which they were made; those that change meanwhile may come in either state. */
    async all(): Promise<readonly ProviderKey[]> {
      const all: ProviderKey[] = [];
      for (;;) {
        const last = all.at(-1);
        const chunk = await rows(
          "WHERE (created_at, id) > (?, ?)",
          [last?.createdAt ?? -1, last?.id ?? ""],
          `LIMIT ${READ_ROWS_MAX}`,
        );
        for (const key of chunk) all.push(key);
        if (chunk.length < READ_ROWS_MAX) return all;
      }
    },
    /** All secrets with what they are bound to, by id, `size` at a time. */
    async *sealedChunks(
      size: number,
    ): AsyncGenerator<readonly SealedProviderKey[], void, undefined> {
      for await (const chunk of sealedChunks<SealedProviderKeyRow>(db, SEALED, size)) {
        yield chunk.map((row) => ({
          id: row.id,
          ownerId: row.owner_id,
          providerId: row.provider_id,
          visibility: row.visibility,
          sealed: toSealedSecret(row),
        }));
      }
    },
  };
}

/** Reads and writes provider keys inside a transaction. */
export function providerKeyTable(db: Db, noted: ChangeDraft[]) {
  const insertAll = async (keys: readonly ProviderKey[]): Promise<void> => {
    await insertRows(db, "provider_keys", keys.map(fromProviderKey));
    for (const key of keys) noted.push({ kind: "provider_key", id: key.id, value: key });
  };
  return {
    ...providerKeyReader(db),
    /** Throws Fault `already_exists` when the fingerprint, or the name of this owner, is taken. */
    insert: (key: ProviderKey): Promise<void> => insertAll([key]),
    /** Many in one statement; the same. */
    insertAll,
    /** Throws Fault `not_found` or `already_exists`. */
    async update(key: ProviderKey): Promise<void> {
      const { id, ...columns } = fromProviderKey(key);
      requireRow(
        "provider key",
        await db.query((knex) => knex("provider_keys").where({ id }).update(columns)),
      );
      noted.push({ kind: "provider_key", id, value: key });
    },
    /** Moves many secrets, where the key still holds the one that is replaced; answers the changed keys. */
    async reseal(moves: readonly SealedMove[]): Promise<readonly ProviderKey[]> {
      const keys = (await moveSealed<ProviderKeyRow>(db, SEALED, moves)).map(toProviderKey);
      for (const key of keys) noted.push({ kind: "provider_key", id: key.id, value: key });
      return keys;
    },
    /** Writes health alone. A key that was deleted since the health was seen is no error. */
    async saveHealth(id: string, health: KeyHealth): Promise<void> {
      await db.query((knex) => knex("provider_keys").where({ id }).update(fromHealth(health)));
    },
    /** Throws Fault `not_found`. */
    async delete(id: string): Promise<void> {
      requireRow(
        "provider key",
        await db.query((knex) => knex("provider_keys").where({ id }).delete()),
      );
      noted.push({ kind: "provider_key", id, value: null });
    },
  };
}

function toProviderKey(row: ProviderKeyRow): ProviderKey {
  return {
    id: row.id,
    ownerId: row.owner_id,
    providerId: row.provider_id,
    service: row.service,
    modelAllowlist: readList(row.model_allowlist),
    name: row.name,
    description: row.description,
    tier: row.tier,
    weight: row.weight,
    visibility: row.visibility,
    anonymous: row.anonymous === 1,
    enabled: row.enabled === 1,
    sealed: toSealedSecret(row),
    fingerprint: row.fingerprint,
    preview: row.preview,
    quota: readObject<Quota>(row.quota),
    quotaGroup: row.quota_group,
    expiresAt: row.expires_at,
    health: toHealth(row),
    secretAt: row.secret_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    version: row.version,
  };
}

/** They are not stored. */
const NO_COOLDOWNS: KeyHealth["modelCooldowns"] = [];

function toHealth(row: HealthRow): KeyHealth {
  return {
    state: row.health_state,
    consecutiveFailures: row.consecutive_failures,
    cooldownUntil: row.cooldown_until,
    modelCooldowns: NO_COOLDOWNS,
    lastCheckedAt: row.last_checked_at,
    lastUsedAt: row.last_used_at,
    lastError: row.last_error,
    successes: row.successes,
    failures: row.failures,
  };
}

function fromProviderKey(key: ProviderKey): ProviderKeyRow {
  return {
    id: key.id,
    owner_id: key.ownerId,
    provider_id: key.providerId,
    service: key.service,
    model_allowlist: JSON.stringify(key.modelAllowlist),
    name: key.name,
    description: key.description,
    tier: key.tier,
    weight: key.weight,
    visibility: key.visibility,
    anonymous: flag(key.anonymous),
    enabled: flag(key.enabled),
    vault_key_version: key.sealed.vaultKeyVersion,
    ciphertext: bytes(key.sealed.ciphertext),
    row_mac: bytes(key.sealed.rowMac),
    fingerprint: key.fingerprint,
    preview: key.preview,
    quota: key.quota === null ? null : JSON.stringify(key.quota),
    quota_group: key.quotaGroup,
    expires_at: key.expiresAt,
    ...fromHealth(key.health),
    secret_at: key.secretAt,
    created_at: key.createdAt,
    updated_at: key.updatedAt,
    version: key.version,
  };
}

function fromHealth(health: KeyHealth): HealthRow {
  return {
    health_state: health.state,
    consecutive_failures: health.consecutiveFailures,
    cooldown_until: health.cooldownUntil,
    last_checked_at: health.lastCheckedAt,
    last_used_at: health.lastUsedAt,
    last_error: health.lastError,
    successes: health.successes,
    failures: health.failures,
  };
}
