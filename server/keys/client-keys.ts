import type { Actor } from "../core/audit.js";
import type { ClientKey, ClientKeyKind } from "../core/client-key.js";
import type { Clock } from "../core/clock.js";
import { DAY_MS } from "../core/durations.js";
import { Fault, invalidField } from "../core/fault.js";
import type { IdSource } from "../core/ids.js";
import type { Page, PageQuery } from "../core/page.js";
import type { Secret } from "../core/secret.js";
import { changedFields } from "./changed-fields.js";
import {
  CLIENT_KEY_PATCH_FIELDS,
  cleanClientKeyDraft,
  newClientKey,
  patchedClientKey,
  type ClientKeyDraft,
  type ClientKeyPatch,
} from "./client-key-draft.js";
import type { ClientKeyMint } from "./client-key-mint.js";
import type { Done, Operations } from "./operations.js";
import { ownerIdOf, requireOwner, scoped } from "./owners.js";
import { authorize, mayAll, type Action } from "./policy.js";
import { OWNER_FIELD, type ConfirmCaller, type KeysReader, type KeysTx } from "./ports.js";
import { found, requireVersion } from "./refusals.js";
import type { Settings } from "./settings.js";

/** Client keys that one owner can have; admins may exceed it for them. */
export const CLIENT_KEYS_PER_OWNER_MAX = 10_000;
/** How long a rotated key's old secret can go on working. */
export const ROTATION_GRACE_MS_MAX = 30 * DAY_MS;

/** A client key and its secret, which is never seen again unless the key is recoverable. */
export interface ClientKeyWithSecret {
  readonly clientKey: ClientKey;
  readonly secret: Secret;
}

export interface Rotation {
  /** How long the old secret works on, in milliseconds. */
  readonly graceMs: number;
  /** A new expiry; undefined leaves it as it is, null takes it away. */
  readonly expiresAt?: number | null | undefined;
}

/** The life cycle of what callers present to the proxy. */
export class ClientKeys {
  readonly #operations: Operations;
  readonly #mint: ClientKeyMint;
  readonly #ids: IdSource;
  readonly #settings: Pick<Settings, "values">;
  readonly #clock: Clock;
  readonly #confirm: ConfirmCaller;

  constructor(options: {
    operations: Operations;
    mint: ClientKeyMint;
    ids: IdSource;
    settings: Pick<Settings, "values">;
    clock: Clock;
    confirm: ConfirmCaller;
  }) {
    this.#operations = options.operations;
    this.#mint = options.mint;
    this.#ids = options.ids;
    this.#settings = options.settings;
    this.#clock = options.clock;
    this.#confirm = options.confirm;
  }

  /** Makes a STANDARD key for the caller, or for another user if the caller is an admin. */
  async create(actor: Actor, draft: ClientKeyDraft): Promise<ClientKeyWithSecret> {
    return this.#create(actor, "client_key.create", "STANDARD", draft);
  }

  /** Makes a key over the whole public pool for a chosen user. ADMIN only. */
  async createSuper(
    actor: Actor,
    draft: ClientKeyDraft & { readonly ownerId: string },
  ): Promise<ClientKeyWithSecret> {
    return this.#create(actor, "client_key.create_super", "SUPER", draft);
  }

  async get(actor: Actor, id: string): Promise<ClientKey> {
    return this.#operations.read(actor, "client_key.get", (reader) =>
      permitted(reader, actor, "client_key.get", id),
    );
  }

  /** One page; keys of all states. Callers who may not see all keys get their own. */
  async list(actor: Actor, query: PageQuery): Promise<Page<ClientKey>> {
    return this.#operations.read(actor, "client_key.list", (reader) =>
      reader.clientKeys.list(scoped(actor, "client_key.list", query)),
    );
  }

  /** Throws `failed_precondition` for a revoked key and `conflict` for a stale version. */
  async update(
    actor: Actor,
    id: string,
    patch: ClientKeyPatch,
    expectedVersion?: number,
  ): Promise<ClientKey> {
    return this.#change(actor, "client_key.update", id, (key, nowMs) => {
      requireVersion(expectedVersion, key);
      requireNotRevoked(key);
      const next = patchedClientKey(key, patch, nowMs);
      const names = changedFields(key, next, CLIENT_KEY_PATCH_FIELDS);
      if (key.kind === "SUPER" && names.some((name) => name !== "name" && name !== "description")) {
        authorize(actor, "client_key.update_super");
      }
      return { next, names };
    });
  }

  /** Lets a disabled key be used again. Throws `failed_precondition` for a revoked one. */
  async enable(actor: Actor, id: string): Promise<ClientKey> {
    return this.#change(actor, "client_key.enable", id, (key) => {
      requireNotRevoked(key);
      if (key.kind === "SUPER") authorize(actor, "client_key.enable_super");
      return stateChange(key, { enabled: true });
    });
  }

  /** Takes a key out of use from the next request on; reversible. */
  async disable(actor: Actor, id: string): Promise<ClientKey> {
    return this.#change(actor, "client_key.disable", id, (key) =>
      stateChange(key, { enabled: false }),
    );
  }

  /** Ends a key for good; the record and its calls stay. Doing it twice changes nothing. */
  async revoke(actor: Actor, id: string): Promise<ClientKey> {
    return this.#change(actor, "client_key.revoke", id, (key, nowMs) =>
      stateChange(key, {
        revokedAt: key.revokedAt ?? nowMs,
        // A revoked key is never shown again, and its old secret has no grace left.
        sealedCopy: null,
        previousMac: null,
        graceUntil: null,
      }),
    );
  }

  /**
   * Gives the key a new secret. The old one keeps working for `graceMs`, 0 to 30 days; with 0 it is dead when this
   * returns, and streams that run on it are cut.
   */
  async rotate(actor: Actor, id: string, rotation: Rotation): Promise<ClientKeyWithSecret> {
    const { graceMs } = rotation;
    if (!Number.isSafeInteger(graceMs) || graceMs < 0 || graceMs > ROTATION_GRACE_MS_MAX) {
      throw invalidField("grace", "must be between 0 and 30 days");
    }
    return this.#operations.run(actor, "client_key.rotate", async () => {
      const before = await this.#operations.read(actor, "client_key.rotate", (reader) =>
        permitted(reader, actor, "client_key.rotate", id),
      );
      const minted = await this.#mint.mint({ ...before, recoverable: before.sealedCopy !== null });
      const clientKey = await this.#change(actor, "client_key.rotate", id, (key, nowMs) => {
        requireVersion(before.version, key);
        const renewed = patchedClientKey(key, { expiresAt: rotation.expiresAt }, nowMs);
        requireRotatable(renewed, nowMs);
        const next: ClientKey = {
          ...renewed,
          mac: minted.mac,
          pepperVersion: minted.pepperVersion,
          prefix: minted.prefix,
          sealedCopy: minted.sealedCopy,
          previousMac: graceMs > 0 ? key.mac : null,
          graceUntil: graceMs > 0 ? nowMs + graceMs : null,
          rotatedAt: nowMs,
        };
        const others = changedFields(key, next, ["prefix", "graceUntil", "expiresAt"]);
        if (key.kind === "SUPER" && others.includes("expires_at")) {
          authorize(actor, "client_key.update_super");
        }
        return { next, names: ["secret", ...others] };
      });
      return { clientKey, secret: minted.secret };
    });
  }

  /** Removes the key with all its calls. Audit events stay. */
  async delete(actor: Actor, id: string, expectedVersion?: number): Promise<void> {
    await this.#operations.write(actor, "client_key.delete", async (tx): Promise<Done<void>> => {
      const key = await permitted(tx, actor, "client_key.delete", id);
      requireVersion(expectedVersion, key);
      await tx.clientKeys.delete(id);
      return { value: undefined, targetId: id, targetName: key.name, changedFields: [] };
    });
  }

  /**
   * Shows the secret of a recoverable key to its owner alone; audited before it is given. A caller who signed in with a
   * password has to give it again.
   */
  async reveal(actor: Actor, id: string, password?: Secret): Promise<Secret> {
    return this.#operations.run(actor, "client_key.reveal", async () => {
      const read = (reader: KeysReader): Promise<ClientKey> =>
        permitted(reader, actor, "client_key.reveal", id);
      const key = await this.#operations.read(actor, "client_key.reveal", read);
      if (key.sealedCopy === null) {
        throw new Fault(
          "failed_precondition",
          `Client key ${key.name} keeps no copy of its secret: it was shown once. Rotate it for a new one.`,
        );
      }
      await this.#confirm(actor, password);
      const secret = await this.#mint.open(key, key.sealedCopy);
      await this.#operations.write(actor, "client_key.reveal", async () => ({
        value: undefined,
        targetId: id,
        targetName: key.name,
        changedFields: [],
      }));
      return secret;
    });
  }

  async #create(
    actor: Actor,
    action: "client_key.create" | "client_key.create_super",
    kind: ClientKeyKind,
    draft: ClientKeyDraft,
  ): Promise<ClientKeyWithSecret> {
    return this.#operations.run(actor, action, async () => {
      const nowMs = this.#clock.now();
      const clean = cleanClientKeyDraft(draft, this.#settings.values.defaultClientKeyLimits, nowMs);
      const id = this.#ids.next("ck");
      const format = draft.format ?? "SK";
      if (kind === "SUPER" && format !== "SK") {
        throw invalidField(
          "format",
          "a super key has the SK format, so that everybody sees what it is",
        );
      }
      const ownerId = ownerIdOf(actor, draft.ownerId);
      const recoverable = draft.recoverable ?? false;
      const minted = await this.#mint.mint({ id, ownerId, kind, format, recoverable });
      const clientKey = await this.#operations.write(actor, action, async (tx) => {
        await requireOwner(tx, actor, action, ownerId);
        await requireRoom(tx, actor, action, ownerId);
        const key = newClientKey({ id, ownerId, kind, format, clean, minted, nowMs });
        await tx.clientKeys.insert(key);
        return { value: key, targetId: id, targetName: key.name, changedFields: [] };
      });
      return { clientKey, secret: minted.secret };
    });
  }

  async #change(
    actor: Actor,
    action: Action,
    id: string,
    decide: (key: ClientKey, nowMs: number) => KeyChange,
  ): Promise<ClientKey> {
    return this.#operations.write(actor, action, async (tx, nowMs) => {
      const key = await permitted(tx, actor, action, id);
      const { next, names } = decide(key, nowMs);
      if (names.length === 0) {
        return { value: key, targetId: id, targetName: key.name, changedFields: [] };
      }
      const value = { ...next, updatedAt: nowMs, version: key.version + 1 };
      await tx.clientKeys.update(value);
      return { value, targetId: id, targetName: value.name, changedFields: names };
    });
  }
}

interface KeyChange {
  readonly next: ClientKey;
  readonly names: readonly string[];
}

/** The key if the actor may do this to it. */
async function permitted(
  reader: KeysReader,
  actor: Actor,
  action: Action,
  id: string,
): Promise<ClientKey> {
  const key = found(await reader.clientKeys.get(id), "client key", id);
  authorize(actor, action, { noun: "client key", id, name: key.name, ownerId: key.ownerId });
  return key;
}

function stateChange(key: ClientKey, part: Partial<ClientKey>): KeyChange {
  const next = { ...key, ...part };
  return { next, names: changedFields(key, next, ["enabled", "revokedAt"]) };
}

function requireNotRevoked(key: ClientKey): void {
  if (key.revokedAt === null) return;
  throw new Fault(
    "failed_precondition",
    `Client key ${key.name} is revoked, which is final: create a new one.`,
  );
}

function requireRotatable(key: ClientKey, nowMs: number): void {
  requireNotRevoked(key);
  if (key.expiresAt !== null && key.expiresAt <= nowMs) {
    throw new Fault(
      "failed_precondition",
      `Client key ${key.name} has expired: give it a later expiry first, or create a new one.`,
    );
  }
  if (key.kind === "BYOR") {
    throw new Fault("failed_precondition", "A BYOR key is not rotated but refreshed.");
  }
}

/** Throws `failed_precondition` when an owner has as many client keys as one may have. */
async function requireRoom(
  tx: KeysTx,
  actor: Actor,
  action: Action,
  ownerId: string,
): Promise<void> {
  if (mayAll(actor, action)) return;
  const own = { field: OWNER_FIELD, op: "=", value: ownerId } as const;
  const page = await tx.clientKeys.list({
    conditions: [own],
    text: "",
    orderBy: "",
    descending: false,
    pageSize: 1,
    pageToken: "",
  });
  if (page.total < CLIENT_KEYS_PER_OWNER_MAX) return;
  throw new Fault(
    "failed_precondition",
    `There are ${String(page.total)} client keys already, the most one user can have: delete some first.`,
  );
}
