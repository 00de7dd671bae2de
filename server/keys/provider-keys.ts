import type { Actor } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import { Fault } from "../core/fault.js";
import type { IdSource } from "../core/ids.js";
import type { Page, PageQuery } from "../core/page.js";
import { NEW_KEY_HEALTH, type ProviderKey, type Visibility } from "../core/provider-key.js";
import { previewOf, Secret } from "../core/secret.js";
import { changedFields } from "./changed-fields.js";
import type { Done, Operations } from "./operations.js";
import { ownerIdOf, scoped } from "./owners.js";
import { authorize, type Action } from "./policy.js";
import type { ConfirmCaller, KeysReader, KeysTx, KeysVault } from "./ports.js";
import {
  ProviderKeyBatch,
  type ProviderKeyOrder,
  type ProviderKeyTools,
} from "./provider-key-batch.js";
import {
  cleanAnonymous,
  patchedFields,
  PROVIDER_KEY_PATCH_FIELDS,
  type ProviderKeyDraft,
  type ProviderKeyPatch,
} from "./provider-key-draft.js";
import {
  bindingOf,
  fingerprintOf,
  nameTaken,
  requireNewSecret,
  requireService,
  requireUsableProvider,
  withdrawal,
} from "./provider-key-rules.js";
import { found, requireVersion } from "./refusals.js";
import { cleanSecret, cleanVisibility } from "./validate.js";

/** The life cycle of the secrets of providers. */
export class ProviderKeys {
  readonly #operations: Operations;
  readonly #vault: KeysVault;
  readonly #tools: ProviderKeyTools;
  readonly #confirm: ConfirmCaller;

  constructor(options: {
    operations: Operations;
    vault: KeysVault;
    ids: IdSource;
    clock: Clock;
    confirm: ConfirmCaller;
  }) {
    this.#operations = options.operations;
    this.#vault = options.vault;
    this.#tools = options;
    this.#confirm = options.confirm;
  }

  /**
   * Seals and stores a secret; works while the vault is locked. Throws `already_exists` for a secret or a
   * name that is there already.
   */
  async create(actor: Actor, draft: ProviderKeyDraft): Promise<ProviderKey> {
    const action = "provider_key.create";
    return this.#operations.write(actor, action, async (tx) => {
      const ownerId = ownerIdOf(actor, draft.ownerId);
      const batch = await this.batch(tx, { actor, action, ownerId, secrets: [draft.secret] });
      const value = await batch.make(draft);
      await batch.store();
      return { value, targetId: value.id, targetName: value.name, changedFields: [] };
    });
  }

  /** Makes many keys within the transaction of another use case, such as an import, which audits them. */
  async batch(tx: KeysTx, order: ProviderKeyOrder): Promise<ProviderKeyBatch> {
    return ProviderKeyBatch.begin(this.#tools, tx, order);
  }

  async get(actor: Actor, id: string): Promise<ProviderKey> {
    return this.#operations.read(actor, "provider_key.get", (reader) =>
      permitted(reader, actor, "provider_key.get", id),
    );
  }

  /** One page; callers who may not see all keys get their own. */
  async list(actor: Actor, query: PageQuery): Promise<Page<ProviderKey>> {
    return this.#operations.read(actor, "provider_key.list", (reader) =>
      reader.providerKeys.list(scoped(actor, "provider_key.list", query)),
    );
  }

  /** The key, if the actor may do `action` to it; for tests, checks and diagnoses that run elsewhere. */
  async permitted(actor: Actor, action: Action, id: string): Promise<ProviderKey> {
    return this.#operations.read(actor, action, (reader) => permitted(reader, actor, action, id));
  }

  /** Changes what describes a key and steers its use. Throws `conflict` for a stale version. */
  async update(
    actor: Actor,
    id: string,
    patch: ProviderKeyPatch,
    expectedVersion?: number,
  ): Promise<ProviderKey> {
    return this.#change(actor, "provider_key.update", id, async (key, tx, nowMs) => {
      requireVersion(expectedVersion, key);
      const next: ProviderKey = { ...key, ...patchedFields(key, patch, nowMs) };
      if (next.name !== key.name) {
        if (await tx.providerKeys.hasName(key.ownerId, next.name)) throw nameTaken(next.name);
      }
      if (next.service !== key.service) {
        const provider = found(await tx.providers.get(key.providerId), "provider", key.providerId);
        requireService(await tx.models.ofProvider(provider.id), provider, next.service);
      }
      return { next, names: changedFields(key, next, PROVIDER_KEY_PATCH_FIELDS) };
    });
  }

  /** Replaces the secret and keeps everything else; health starts again. Works while the vault is locked. */
  async rotate(
    actor: Actor,
    id: string,
    newSecret: Secret,
    expectedVersion?: number,
  ): Promise<ProviderKey> {
    return this.#change(actor, "provider_key.rotate", id, async (key, tx, nowMs) => {
      requireVersion(expectedVersion, key);
      const secret = new Secret(cleanSecret("secret", newSecret));
      const fingerprint = fingerprintOf(this.#vault, secret, id);
      const provider = await requireUsableProvider(tx, key.providerId, key.ownerId);
      if (fingerprint !== key.fingerprint) await requireNewSecret(tx, actor, fingerprint);
      const next: ProviderKey = {
        ...key,
        sealed: await this.#vault.seal(secret, bindingOf(key, provider)),
        fingerprint,
        preview: previewOf(secret.reveal()),
        health: NEW_KEY_HEALTH,
        secretAt: nowMs,
        // Entering the secret again is the owner's consent to the provider's new address.
        enabled: key.enabled || withdrawal(key) === "WHILE_ENABLED",
      };
      return { next, names: ["secret", "preview", ...changedFields(key, next, ["enabled"])] };
    });
  }

  /** Switches a key on; one that the provider refused is tried again. */
  async enable(actor: Actor, id: string): Promise<ProviderKey> {
    return this.#change(actor, "provider_key.enable", id, async (key) => {
      if (withdrawal(key) !== undefined) {
        throw new Fault(
          "failed_precondition",
          `The base URL of this key's provider changed. ${key.name} can be used again when its owner has rotated it, entering its secret anew.`,
        );
      }
      const invalid = key.health.state === "INVALID";
      const next = { ...key, enabled: true, health: invalid ? NEW_KEY_HEALTH : key.health };
      return { next, names: changedFields(key, next, ["enabled", "health"]) };
    });
  }

  /** Switches a key off: never selected from the next call on; calls in flight finish. */
  async disable(actor: Actor, id: string): Promise<ProviderKey> {
    return this.#change(actor, "provider_key.disable", id, async (key) => {
      const next = { ...key, enabled: false };
      return { next, names: changedFields(key, next, ["enabled"]) };
    });
  }

  /**
   * Donates a key to the pool or takes it back. The secret is bound to its visibility, so this needs an
   * unlocked vault.
   */
  async setVisibility(
    actor: Actor,
    id: string,
    visibility: Visibility,
    anonymous: boolean,
  ): Promise<ProviderKey> {
    return this.#change(actor, "provider_key.set_visibility", id, async (key, tx) => {
      const wanted = cleanVisibility("visibility", visibility);
      let next: ProviderKey = { ...key, anonymous: cleanAnonymous(anonymous, wanted) };
      if (wanted !== key.visibility) {
        const provider = found(await tx.providers.get(key.providerId), "provider", key.providerId);
        const from = bindingOf(key, provider);
        const sealed = await this.#vault.rebind(key.sealed, from, { ...from, visibility: wanted });
        next = { ...next, visibility: wanted, sealed };
      }
      return { next, names: changedFields(key, next, ["visibility", "anonymous"]) };
    });
  }

  /** Removes a key and its secret for good; the calls it has served stay. */
  async delete(actor: Actor, id: string, expectedVersion?: number): Promise<void> {
    await this.#operations.write(actor, "provider_key.delete", async (tx): Promise<Done<void>> => {
      const key = await permitted(tx, actor, "provider_key.delete", id);
      requireVersion(expectedVersion, key);
      await tx.providerKeys.delete(id);
      return { value: undefined, targetId: id, targetName: key.name, changedFields: [] };
    });
  }

  /**
   * Shows the secret to its owner alone, not even to an admin. The audit event is committed before the secret is given.
   * A caller who signed in with a password has to give it again.
   */
  async reveal(actor: Actor, id: string, password?: Secret): Promise<Secret> {
    const action = "provider_key.reveal";
    return this.#operations.run(actor, action, async () => {
      const key = await this.permitted(actor, action, id);
      await this.#confirm(actor, password);
      return this.#operations.write(actor, action, async (tx) => {
        const provider = found(await tx.providers.get(key.providerId), "provider", key.providerId);
        const value = await this.#vault.open(key.sealed, bindingOf(key, provider));
        return { value, targetId: id, targetName: key.name, changedFields: [] };
      });
    });
  }

  async #change(
    actor: Actor,
    action: Action,
    id: string,
    decide: (key: ProviderKey, tx: KeysTx, nowMs: number) => Promise<KeyChange>,
  ): Promise<ProviderKey> {
    return this.#operations.write(actor, action, async (tx, nowMs) => {
      const key = await permitted(tx, actor, action, id);
      const { next, names } = await decide(key, tx, nowMs);
      if (names.length === 0) {
        return { value: key, targetId: id, targetName: key.name, changedFields: [] };
      }
      const value = { ...next, updatedAt: nowMs, version: key.version + 1 };
      await tx.providerKeys.update(value);
      return { value, targetId: id, targetName: value.name, changedFields: names };
    });
  }
}

interface KeyChange {
  readonly next: ProviderKey;
  readonly names: readonly string[];
}

async function permitted(
  reader: KeysReader,
  actor: Actor,
  action: Action,
  id: string,
): Promise<ProviderKey> {
  const key = found(await reader.providerKeys.get(id), "provider key", id);
  authorize(actor, action, { noun: "provider key", id, name: key.name, ownerId: key.ownerId });
  return key;
}
