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
import type { ClientKeyForms, KeysVault } from "./ports.js";
import type { Settings } from "./settings.js";

/** Keys in one import. */
export const CLIENT_KEY_IMPORT_MAX = 1_000;
/** Shorter tokens can be guessed over the network. */
export const IMPORTED_TOKEN_CHARS_MIN = 16;

/** An old static token, in clear or as the hex SHA-256 that another system kept of it. */
export interface ImportedToken extends Pick<
  ClientKeyDraft,
  "name" | "description" | "expiresAt" | "modelAllowlist" | "ipAllowlist" | "limits"
> {
  readonly token?: Secret | undefined;
  readonly sha256?: string | undefined;
}

/** Whose the imported keys become, and what they may draw on. */
export interface ImportTarget {
  /** Default: the caller. */
  readonly ownerId?: string | undefined;
  readonly kind: Exclude<ClientKeyKind, "BYOR">;
}

type OwnedTarget = ImportTarget & { readonly ownerId: string };

/** What became of one entry. */
export interface ImportedClientKey {
  /** From 1. */
  readonly position: number;
  readonly outcome: "CREATED" | "DUPLICATE" | "INVALID";
  readonly clientKey: ClientKey | null;
  /** Empty when created. */
  readonly message: string;
}

/** The SHA-256 of a token, hex. */
export function sha256Of(token: string): string {
  return createHash("sha256").update(token, "utf8").digest("hex");
}

/** Takes over tokens and hashed keys of other systems, so that callers need not change theirs. */
export class ClientKeyImport {
  readonly #operations: Operations;
  readonly #vault: KeysVault;
  readonly #forms: ClientKeyForms;
  readonly #ids: IdSource;
  readonly #settings: Pick<Settings, "values">;
  readonly #clock: Clock;

  constructor(options: {
    operations: Operations;
    vault: KeysVault;
    forms: ClientKeyForms;
    ids: IdSource;
    settings: Pick<Settings, "values">;
    clock: Clock;
  }) {
    this.#operations = options.operations;
    this.#vault = options.vault;
    this.#forms = options.forms;
    this.#ids = options.ids;
    this.#settings = options.settings;
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
    target: OwnedTarget,
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

  async #store(actor: Actor, target: OwnedTarget, entry: ImportedToken): Promise<ClientKey> {
    const nowMs = this.#clock.now();
    const known = this.#known(entry);
    const clean = cleanClientKeyDraft(entry, this.#settings.values.defaultClientKeyLimits, nowMs);
    const mac = this.#vault.importedClientKeyMac(known.sha256);
    const minted = { ...mac, prefix: known.prefix, sealedCopy: null };
    return this.#operations.write(actor, "client_key.import", async (tx) => {
      await requireOwner(tx, actor, "client_key.import", target.ownerId);
      const id = this.#ids.next("ck");
      const { ownerId, kind } = target;
      const key = newClientKey({ id, ownerId, kind, format: "SK", clean, minted, nowMs });
      await insert(tx, key);
      return { value: key, targetId: id, targetName: key.name, changedFields: [] };
    });
  }

  /** What can be known of an entry: its hash, and something by which people tell it from others. */
  #known(entry: ImportedToken): { readonly sha256: string; readonly prefix: string } {
    if (entry.sha256 !== undefined && entry.sha256 !== "") {
      const sha256 = entry.sha256.trim().toLowerCase();
      if (!/^[0-9a-f]{64}$/.test(sha256)) {
        throw invalidField("sha256", "must be 64 hexadecimal digits");
      }
      return { sha256, prefix: `sha256:${sha256.slice(0, 8)}` };
    }
    const token = entry.token?.reveal().trim() ?? "";
    if (token.length < IMPORTED_TOKEN_CHARS_MIN) {
      throw invalidField(
        "secret",
        `must have at least ${String(IMPORTED_TOKEN_CHARS_MIN)} characters: shorter keys can be guessed`,
      );
    }
    if (this.#forms.recognise(token) === undefined) {
      throw invalidField("secret", "is too long, not printable ASCII, or a mistyped key of ours");
    }
    return { sha256: sha256Of(token), prefix: this.#forms.prefix(token) };
  }
}
