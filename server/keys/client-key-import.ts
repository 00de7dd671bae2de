import { createHash } from "node:crypto";
import type { Actor, AuditDraft } from "../core/audit.js";
import type { ClientKey, ClientKeyKind } from "../core/client-key.js";
import type { Clock } from "../core/clock.js";
import { Fault, invalidField } from "../core/fault.js";
import type { IdSource } from "../core/ids.js";
import type { Secret } from "../core/secret.js";
import { cleanClientKeyDraft, newClientKey, type ClientKeyDraft } from "./client-key-draft.js";
import type { Operations } from "./operations.js";
import { ownerIdOf, requireOwner } from "./owners.js";
import type { ClientKeyForms, KeysStore, KeysVault } from "./ports.js";
import type { Settings } from "./settings.js";

/** Keys in one import. */
export const CLIENT_KEY_IMPORT_MAX = 1_000;
/** Keys stored in one transaction, so that other writers get their turn. */
const ENTRIES_PER_WRITE = 200;
/** Shorter tokens can be guessed over the network. */
export const IMPORTED_TOKEN_CHARS_MIN = 16;

const ACTION = "client_key.import";
const STORED = "The same key is stored already.";

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
  /** Reports what would happen and stores nothing. */
  readonly dryRun?: boolean;
}

type OwnedTarget = ImportTarget & { readonly ownerId: string };

/** Entries that are stored together. */
interface Part {
  readonly part: readonly ImportedToken[];
  readonly from: number;
  /** Keys of earlier parts, which a dry run does not find stored. */
  readonly seen: Set<string>;
}

/** What became of one entry. */
export interface ImportedClientKey {
  /** From 1. */
  readonly position: number;
  readonly outcome: "CREATED" | "DUPLICATE" | "INVALID";
  /** Null unless it is stored. */
  readonly clientKey: ClientKey | null;
  /** Empty when created. */
  readonly message: string;
}

/** The SHA-256 of a token, hex. */
function sha256Of(token: string): string {
  return createHash("sha256").update(token, "utf8").digest("hex");
}

/** Takes over tokens and hashed keys of other systems, so that callers need not change theirs. */
export class ClientKeyImport {
  readonly #operations: Operations;
  readonly #store: KeysStore;
  readonly #vault: KeysVault;
  readonly #forms: ClientKeyForms;
  readonly #ids: IdSource;
  readonly #settings: Pick<Settings, "values">;
  readonly #clock: Clock;

  constructor(options: {
    operations: Operations;
    store: KeysStore;
    vault: KeysVault;
    forms: ClientKeyForms;
    ids: IdSource;
    settings: Pick<Settings, "values">;
    clock: Clock;
  }) {
    this.#operations = options.operations;
    this.#store = options.store;
    this.#vault = options.vault;
    this.#forms = options.forms;
    this.#ids = options.ids;
    this.#settings = options.settings;
    this.#clock = options.clock;
  }

  /** Stores each entry on its own and reports on each; a bad one does not stop the others. ADMIN only. */
  async importAll(
    actor: Actor,
    target: ImportTarget,
    entries: readonly ImportedToken[],
  ): Promise<readonly ImportedClientKey[]> {
    return this.#operations.run(actor, ACTION, async () => {
      if (entries.length > CLIENT_KEY_IMPORT_MAX) {
        throw invalidField("keys", `must have at most ${String(CLIENT_KEY_IMPORT_MAX)} entries`);
      }
      const ownerId = ownerIdOf(actor, target.ownerId);
      const report: ImportedClientKey[] = [];
      const seen = new Set<string>();
      for (let from = 0; from < entries.length; from += ENTRIES_PER_WRITE) {
        const part = entries.slice(from, from + ENTRIES_PER_WRITE);
        report.push(
          ...(await this.#importPart(actor, { ...target, ownerId }, { part, from, seen })),
        );
      }
      return report;
    });
  }

  async #importPart(
    actor: Actor,
    target: OwnedTarget,
    { part, from, seen }: Part,
  ): Promise<readonly ImportedClientKey[]> {
    const drafts = part.map((entry) => this.#check(target, entry));
    return this.#store.write(async (tx) => {
      await requireOwner(tx, actor, ACTION, target.ownerId);
      const macs = drafts.flatMap((draft) => (draft instanceof Fault ? [] : [draft.mac]));
      const taken = new Set(await tx.clientKeys.storedMacs(macs));
      const report = drafts.map((draft, i): ImportedClientKey => {
        const position = from + i + 1;
        if (draft instanceof Fault) return refused(position, "INVALID", draft.publicMessage);
        if (taken.has(draft.mac) || seen.has(draft.mac)) {
          return refused(position, "DUPLICATE", STORED);
        }
        seen.add(draft.mac);
        const clientKey = target.dryRun === true ? null : draft;
        return { position, outcome: "CREATED", clientKey, message: "" };
      });
      const made = report.flatMap(({ clientKey }) => clientKey ?? []);
      await tx.clientKeys.insertAll(made);
      await tx.audit.appendAll(made.map((key) => auditOf(actor, key)));
      return report;
    });
  }

  /** The key that an entry becomes, or what is wrong with it. */
  #check(target: OwnedTarget, entry: ImportedToken): ClientKey | Fault {
    try {
      const nowMs = this.#clock.now();
      const known = this.#known(entry);
      const clean = cleanClientKeyDraft(entry, this.#settings.values.defaultClientKeyLimits, nowMs);
      const mac = this.#vault.importedClientKeyMac(known.sha256);
      const minted = { ...mac, prefix: known.prefix, sealedCopy: null };
      const id = this.#ids.next("ck");
      return newClientKey({ id, ...target, format: "SK", clean, minted, nowMs });
    } catch (thrown) {
      if (thrown instanceof Fault && thrown.code === "invalid_argument") return thrown;
      throw thrown;
    }
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

function refused(
  position: number,
  outcome: "DUPLICATE" | "INVALID",
  message: string,
): ImportedClientKey {
  return { position, outcome, clientKey: null, message };
}

/** Each key that came in has an audit event of its own. */
function auditOf(actor: Actor, key: ClientKey): AuditDraft {
  return {
    actor,
    action: ACTION,
    targetId: key.id,
    targetName: key.name,
    changedFields: [],
    outcome: "OK",
    note: "",
  };
}
