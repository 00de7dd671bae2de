import { Fault } from "../core/fault.js";
import type { Db } from "./db.js";
import { bytes } from "./json.js";
import type { Writer } from "./writer.js";

/** A key of the vault as it is stored: wrapped under the root key. */
export interface WrappedKey {
  readonly purpose: "VAULT_KEY_PAIR" | "PEPPER" | "ROW_MAC" | "FINGERPRINT" | "AUDIT";
  readonly version: number;
  readonly publicKey: Uint8Array | null;
  readonly wrapped: Uint8Array;
  readonly rootKeyId: string;
  readonly createdAt: number;
  readonly retiredAt: number | null;
}

interface VaultKeyRow {
  purpose: WrappedKey["purpose"];
  version: number;
  public_key: Buffer | null;
  wrapped: Buffer;
  root_key_id: string;
  created_at: number;
  retired_at: number | null;
}

/** Keeps the vault's wrapped keys. */
export class Keyring {
  readonly #writer: Writer;
  readonly #reader: Db;

  constructor(options: { writer: Writer; reader: Db }) {
    this.#writer = options.writer;
    this.#reader = options.reader;
  }

  async loadKeyring(): Promise<readonly WrappedKey[]> {
    const rows = await this.#reader.rows<VaultKeyRow>(
      "SELECT * FROM vault_keys ORDER BY purpose, version",
    );
    return rows.map((row) => ({
      purpose: row.purpose,
      version: row.version,
      publicKey: row.public_key,
      wrapped: row.wrapped,
      rootKeyId: row.root_key_id,
      createdAt: row.created_at,
      retiredAt: row.retired_at,
    }));
  }

  /** How many secrets are under each version of the vault key; versions without any are left out. */
  async sealedCounts(): Promise<ReadonlyMap<number, number>> {
    const rows = await this.#reader.rows<{ version: number; count: number }>(
      `SELECT version, SUM(count) AS count FROM (
        SELECT vault_key_version AS version, COUNT(*) AS count FROM provider_keys GROUP BY 1
        UNION ALL
        SELECT sealed_key_version, COUNT(*) FROM client_keys
          WHERE sealed_key_version IS NOT NULL GROUP BY 1
      ) AS sealed GROUP BY version`,
    );
    return new Map(rows.map(({ version, count }) => [version, count]));
  }

  /** Replaces the whole keyring in one transaction. Throws Fault `failed_precondition` for an empty one. */
  async saveKeyring(keys: readonly WrappedKey[]): Promise<void> {
    // Without its keys every stored secret is lost for good; nobody means to do that.
    if (keys.length === 0) {
      throw new Fault("failed_precondition", "The keyring cannot be emptied.");
    }
    await this.#writer.run(async (db) => {
      await db.query((knex) => knex("vault_keys").delete());
      await db.query((knex) => knex("vault_keys").insert(keys.map(fromVaultKey)));
    });
  }
}

function fromVaultKey(key: WrappedKey): VaultKeyRow {
  return {
    purpose: key.purpose,
    version: key.version,
    public_key: key.publicKey === null ? null : bytes(key.publicKey),
    wrapped: bytes(key.wrapped),
    root_key_id: key.rootKeyId,
    created_at: key.createdAt,
    retired_at: key.retiredAt,
  };
}
