import { createHash } from "node:crypto";
import type { Actor } from "../core/audit.js";
import type { ClientKey, ClientKeyKind } from "../core/client-key.js";
import type { Clock } from "../core/clock.js";
import { Fault, invalidField } from "../core/fault.js";
import type { IdSource } from "../core/ids.js";
import type { Secret } from "../core/secret.js";
import { cleanClientKeyDraft, newClientKey, type ClientKeyDraft } from "./client-key-draft.js";
import { insert } from "./client-keys.js";
import type { Operations } from "./operations.js";
import { ownerIdOf, requireOwner } from "./owners.js";
import type { KeysVault } from "./ports.js";

/** Keys in one import. */
export const CLIENT_KEY_IMPORT_MAX = 10_000;
/** Characters of a presented text that can be an imported key. */
export const IMPORTED_TOKEN_CHARS_MAX = 512;
/** Shorter tokens can be guessed over the network. */
export const IMPORTED_TOKEN_CHARS_MIN = 16;

/** Marks, in the place of a prefix, keys whose clear text was never ours. */
const IMPORTED_PREFIX = "sha256:";

/** An old static token, in clear or as the hex SHA-256 that another system kept of it. */
export interface ImportedToken extends Pick<
  ClientKeyDraft,
  "name" | "description" | "expiresAt" | "modelAllowlist" | "ipAllowlist" | "limits"
> {
  readonly token?: Secret | undefined;
  readonly sha256?: string | undefined;
}

/** What became of one entry. */
export interface ImportedClientKey {
  /** From 1. */
  readonly position: number;
  readonly outcome: "CREATED" | "DUPLICATE" | "INVALID";
  readonly clientKey: ClientKey | null;
  /** Empty when created. */
  readonly message: string;
}

/** True of a key that came from another system. */
export function isImported(key: Pick<ClientKey, "prefix">): boolean {
  return key.prefix.startsWith(IMPORTED_PREFIX);
}

/**
 * What an imported key's MAC is taken over. The hash alone would be no protection: whoever can write to
 * the database could then add one of a key of their own.
 */
export function importedForm(sha256Hex: string): string {
  return `${IMPORTED_PREFIX}${sha256Hex}`;
}

/** The SHA-256 of a token, hex. */
export function sha256Of(token: string): string {
  return createHash("sha256").update(token, "utf8").digest("hex");
}

/** Takes over tokens and hashed keys of other systems, so that callers need not change theirs. */
export class ClientKeyImport {
  readonly #operations: Operations;
  readonly #vault: KeysVault;
  readonly #ids: IdSource;
  readonly #clock: Clock;

  constructor(options: { operations: Operations; vault: KeysVault; ids: IdSource; clock: Clock }) {
    this.#operations = options.operations;
    this.#vault = options.vault;
    this.#ids = options.ids;
    this.#clock = options.clock;
  }

  /** Stores each entry on its own and reports on each; a bad one does not stop the others. ADMIN only. */
  async importAll(
    actor: Actor,
    target: {
      readonly ownerId?: string | undefined;
      readonly kind: Exclude<ClientKeyKind, "BYOR">;
    },
    entries: readonly ImportedToken[],
  ): Promise<readonly ImportedClientKey[]> {
    return this.#operations.run(actor, "client_key.import", async () => {
      if (entries.length > CLIENT_KEY_IMPORT_MAX) {
        throw invalidField("keys", `must have at most ${String(CLIENT_KEY_IMPORT_MAX)} entries`);
      }
      const ownerId = ownerIdOf(actor, target.ownerId);
      const report: ImportedClientKey[] = [];
      for (const [index, entry] of entries.entries()) {
        // One after the other: there is a single writer, and the report keeps the order.
        report.push(await this.#importOne(actor, { ...target, ownerId }, entry, index + 1));
      }
      return report;
    });
  }

  async #importOne(
    actor: Actor,
    target: { readonly ownerId: string; readonly kind: ClientKeyKind },
    entry: ImportedToken,
    position: number,
  ): Promise<ImportedClientKey> {
    try {
      const clientKey = await this.#store(actor, target, entry);
      return { position, outcome: "CREATED", clientKey, message: "" };
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown;
      if (thrown.code === "already_exists") {
        const message = "The same key is stored already.";
        return { position, outcome: "DUPLICATE", clientKey: null, message };
      }
      if (thrown.code !== "invalid_argument") throw thrown;
      return { position, outcome: "INVALID", clientKey: null, message: thrown.publicMessage };
    }
  }

  async #store(
    actor: Actor,
    target: { readonly ownerId: string; readonly kind: ClientKeyKind },
    entry: ImportedToken,
  ): Promise<ClientKey> {
    const nowMs = this.#clock.now();
    const hash = hashOf(entry);
    const clean = cleanClientKeyDraft(entry, nowMs);
    const minted = {
      ...this.#vault.clientKeyMac(importedForm(hash)),
      prefix: `${IMPORTED_PREFIX}${hash.slice(0, 8)}`,
      sealedCopy: null,
    };
    return this.#operations.write(actor, "client_key.import", async (tx) => {
      await requireOwner(tx, actor, "client_key.import", target.ownerId);
      const id = this.#ids.next("ck");
      const key = newClientKey({ id, ...target, format: "SK", clean, minted, nowMs });
      await insert(tx, key);
      return { value: key, targetId: id, targetName: key.name, changedFields: [] };
    });
  }
}

function hashOf(entry: ImportedToken): string {
  if (entry.sha256 !== undefined && entry.sha256 !== "") {
    const hash = entry.sha256.trim().toLowerCase();
    if (/^[0-9a-f]{64}$/.test(hash)) return hash;
    throw invalidField("sha256", "must be 64 hexadecimal digits");
  }
  const token = entry.token?.reveal().trim() ?? "";
  if (token.length < IMPORTED_TOKEN_CHARS_MIN || token.length > IMPORTED_TOKEN_CHARS_MAX) {
    throw invalidField(
      "token",
      `must have ${String(IMPORTED_TOKEN_CHARS_MIN)} to ${String(IMPORTED_TOKEN_CHARS_MAX)} characters`,
    );
  }
  if (!/^[\x21-\x7e]+$/.test(token)) throw invalidField("token", "must be printable ASCII");
  return sha256Of(token);
}
