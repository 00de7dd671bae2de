import { assert } from "../core/assert.js";
import type { Actor } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import { Fault } from "../core/fault.js";
import type { IdSource } from "../core/ids.js";
import { NEW_KEY_HEALTH, type ProviderKey } from "../core/provider-key.js";
import type { Model, Provider } from "../core/provider.js";
import { previewOf, Secret } from "../core/secret.js";
import { requireOwner } from "./owners.js";
import { mayAll, type Action } from "./policy.js";
import type { KeysTx, KeysVault, StoredSecret } from "./ports.js";
import { cleanProviderKeyDraft, type ProviderKeyDraft } from "./provider-key-draft.js";
import {
  bindingOf,
  fingerprintOf,
  nameTaken,
  requireService,
  requireUsableProvider,
  secretTaken,
} from "./provider-key-rules.js";
import { cleanSecret } from "./validate.js";

/** Provider keys that one owner can have; admins may exceed it for them. */
export const PROVIDER_KEYS_PER_OWNER_MAX = 10_000;

/** Who makes keys, and whose they become. */
export interface ProviderKeyOrder {
  readonly actor: Actor;
  readonly action: Action;
  readonly ownerId: string;
  /** The secrets of all keys that will be made; looked up together. */
  readonly secrets: readonly Secret[];
  /**
   * Set for who looks for free names: then all of the owner's keys are read at once, and these are taken in addition.
   * Else each name is looked up by itself, for an owner may have thousands.
   */
  readonly taken?: Iterable<string>;
}

export interface ProviderKeyTools {
  readonly vault: KeysVault;
  readonly ids: IdSource;
  readonly clock: Clock;
}

/**
 * New provider keys of one owner, made and stored within one transaction. What they are checked against is
 * read once and what they write goes out in a few statements, so that thousands can come in one import.
 */
export class ProviderKeyBatch {
  readonly #tools: ProviderKeyTools;
  readonly #tx: KeysTx;
  readonly #order: ProviderKeyOrder;
  /** All that are taken; undefined where each is looked up by itself. */
  readonly #taken: Set<string> | undefined;
  /** How many keys the owner has, those of this batch included. */
  #count: number;
  readonly #stored: ReadonlyMap<string, StoredSecret>;
  readonly #providers = new Map<string, Provider>();
  #models: readonly Model[] | undefined;
  /** By fingerprint. */
  readonly #made = new Map<string, ProviderKey>();

  private constructor(
    tools: ProviderKeyTools,
    tx: KeysTx,
    order: ProviderKeyOrder,
    found: {
      readonly taken: Set<string> | undefined;
      readonly count: number;
      readonly stored: ReadonlyMap<string, StoredSecret>;
    },
  ) {
    this.#tools = tools;
    this.#tx = tx;
    this.#order = order;
    this.#taken = found.taken;
    this.#count = found.count;
    this.#stored = found.stored;
  }

  /** Throws if the actor may not make keys for this owner. */
  static async begin(
    tools: ProviderKeyTools,
    tx: KeysTx,
    order: ProviderKeyOrder,
  ): Promise<ProviderKeyBatch> {
    const { actor, action, ownerId, secrets } = order;
    await requireOwner(tx, actor, action, ownerId);
    const taken =
      order.taken && new Set([...(await tx.providerKeys.namesOf(ownerId)), ...order.taken]);
    const count = taken?.size ?? (await tx.providerKeys.countOf(ownerId));
    const { vault } = tools;
    // What cannot be a secret is refused when its key is made.
    const fingerprints =
      vault.state === "UNLOCKED" ? secrets.flatMap((secret) => fingerprintsOf(vault, secret)) : [];
    const stored = await tx.providerKeys.byFingerprints(fingerprints);
    return new ProviderKeyBatch(tools, tx, order, { taken, count, stored });
  }

  /** Names that are taken, those of this batch included; for a batch that was begun to look for free ones. */
  get taken(): ReadonlySet<string> {
    assert(this.#taken !== undefined, "the batch was begun to look for free names");
    return this.#taken;
  }

  /** Checks and seals a key, which `store` writes. Throws `invalid_argument`, `already_exists` or `not_found`. */
  async make(draft: ProviderKeyDraft): Promise<ProviderKey> {
    const { vault, ids, clock } = this.#tools;
    const { actor, action, ownerId } = this.#order;
    const nowMs = clock.now();
    const clean = cleanProviderKeyDraft(draft, nowMs);
    const secret = new Secret(cleanSecret("secret", draft.secret));
    const provider = await this.#provider(draft.providerId);
    await this.#requireService(provider, clean.service);
    requireRoom(actor, action, this.#count);
    if (await this.#isTaken(clean.name)) throw nameTaken(clean.name);

    const id = ids.next("pk");
    const fingerprint = fingerprintOf(vault, secret, id);
    const twin = this.#stored.get(fingerprint) ?? this.#made.get(fingerprint);
    if (twin !== undefined) throw secretTaken(actor, twin);
    const bound = { id, ownerId, providerId: provider.id, visibility: clean.visibility };
    const key: ProviderKey = {
      ...bound,
      ...clean,
      sealed: await vault.seal(secret, bindingOf(bound, provider)),
      fingerprint,
      preview: previewOf(secret.reveal()),
      health: NEW_KEY_HEALTH,
      secretAt: nowMs,
      createdAt: nowMs,
      updatedAt: nowMs,
      version: 1,
    };
    this.#count++;
    this.#taken?.add(key.name);
    this.#made.set(fingerprint, key);
    return key;
  }

  async #isTaken(name: string): Promise<boolean> {
    if (this.#taken !== undefined) return this.#taken.has(name);
    for (const made of this.#made.values()) if (made.name === name) return true;
    return this.#tx.providerKeys.hasName(this.#order.ownerId, name);
  }

  /** Writes what was made. */
  async store(): Promise<void> {
    await this.#tx.providerKeys.insertAll([...this.#made.values()]);
  }

  async #provider(id: string): Promise<Provider> {
    let provider = this.#providers.get(id);
    if (provider === undefined) {
      provider = await requireUsableProvider(this.#tx, id, this.#order.ownerId);
      this.#providers.set(id, provider);
    }
    return provider;
  }

  async #requireService(provider: Provider, service: string | null): Promise<void> {
    if (service === null || provider.custom) return;
    this.#models ??= await this.#tx.models.all();
    requireService(this.#models, provider, service);
  }
}

function fingerprintsOf(vault: KeysVault, secret: Secret): readonly string[] {
  try {
    return [vault.fingerprint(new Secret(cleanSecret("secret", secret)))];
  } catch {
    return [];
  }
}

function requireRoom(actor: Actor, action: Action, count: number): void {
  if (count < PROVIDER_KEYS_PER_OWNER_MAX || mayAll(actor, action)) return;
  throw new Fault(
    "failed_precondition",
    `There are ${String(count)} provider keys already, the most one user can have: delete some first.`,
  );
}
