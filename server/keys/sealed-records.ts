import { SYSTEM_ACTOR, type Actor } from "../core/audit.js";
import type { ClientKey } from "../core/client-key.js";
import type { Clock } from "../core/clock.js";
import type { Logger } from "../core/logger.js";
import type { ProviderKey } from "../core/provider-key.js";
import type { Provider } from "../core/provider.js";
import type { SealBinding, SealedSecret } from "../core/sealed.js";
import { copyBinding } from "./client-key-mint.js";
import type { KeysStore, KeysTx } from "./ports.js";
import { bindingOf, isPendingFingerprint } from "./provider-key-rules.js";

const CLIENT_KEYS_PER_CHUNK = 1_000;

/** A stored secret with what it is bound to. */
export interface SealedRecord {
  readonly id: string;
  readonly binding: SealBinding;
  readonly sealed: SealedSecret;
}

/** Puts `to` in the place of `from`, if `from` is still what the record holds. */
export interface SealedMove {
  readonly id: string;
  readonly from: SealedSecret;
  readonly to: SealedSecret;
}

/** A secret that was stored while the vault was locked, with what could not be made then. */
export interface SealedAdoption extends SealedMove {
  readonly fingerprint: string;
}

/**
 * Every sealed secret there is, provider keys and recoverable client keys alike, for the vault's own work:
 * rotation, adoption after an unlock, the check at the start. Each batch is audited and announced.
 */
export class SealedRecords {
  readonly #store: KeysStore;
  readonly #clock: Clock;
  readonly #log: Logger;

  constructor(options: { store: KeysStore; clock: Clock; log: Logger }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** All records; those that change meanwhile may come in either state. */
  async *rows(): AsyncGenerator<SealedRecord, void, undefined> {
    const providers = new Map(
      (await this.#store.read.providers.all()).map((provider) => [provider.id, provider]),
    );
    for (const key of await this.#store.read.providerKeys.all()) {
      const record = recordOf(key, providers.get(key.providerId));
      if (record !== undefined) yield record;
    }
    for await (const chunk of this.#store.read.clientKeys.chunks(CLIENT_KEYS_PER_CHUNK)) {
      for (const key of chunk) {
        if (key.sealedCopy === null) continue;
        yield { id: key.id, binding: copyBinding(key.id, key.ownerId), sealed: key.sealedCopy };
      }
    }
  }

  /** Applies re-sealed secrets in one transaction; returns how many records still held what they came from. */
  async save(moves: readonly SealedMove[], actor: Actor = SYSTEM_ACTOR): Promise<number> {
    return this.#store.write(async (tx) => {
      let applied = 0;
      for (const move of moves) if (await this.#move(tx, move)) applied += 1;
      if (applied > 0) {
        await tx.audit.append({
          actor,
          action: "system.reseal",
          targetId: null,
          targetName: null,
          changedFields: ["secret"],
          outcome: "OK",
          note: `${String(applied)} secrets under the newest vault key`,
        });
      }
      return applied;
    });
  }

  /**
   * Gives a secret that was stored while the vault was locked its final form. One that turns out to be
   * stored twice is switched off, for its owner to delete.
   */
  async adopt(adoption: SealedAdoption): Promise<void> {
    await this.#store.write(async (tx) => {
      const key = await tx.providerKeys.get(adoption.id);
      if (key === undefined || !sameSealed(key.sealed, adoption.from)) return;
      const twin = await tx.providerKeys.byFingerprint(adoption.fingerprint);
      const isTwin = twin !== undefined && twin.id !== key.id;
      const value: ProviderKey = {
        ...key,
        sealed: adoption.to,
        fingerprint:
          isPendingFingerprint(key.fingerprint) && !isTwin ? adoption.fingerprint : key.fingerprint,
        ...(isTwin ? duplicateOf(key) : {}),
        updatedAt: this.#clock.now(),
        version: key.version + 1,
      };
      await tx.providerKeys.update(value);
      await tx.changes.append({ kind: "provider_key", id: key.id, value });
      await tx.audit.append({
        actor: SYSTEM_ACTOR,
        action: "provider_key.adopt",
        targetId: key.id,
        targetName: key.name,
        changedFields: isTwin ? ["secret", "enabled", "health"] : ["secret"],
        outcome: "OK",
        note: isTwin ? `the same secret is stored as ${twin.id}` : "stored while locked",
      });
      if (isTwin) this.#log.warn({ id: key.id, twin: twin.id }, "a secret is stored twice");
    });
  }

  async #move(tx: KeysTx, { id, from, to }: SealedMove): Promise<boolean> {
    const providerKey = await tx.providerKeys.get(id);
    if (providerKey !== undefined) {
      if (!sameSealed(providerKey.sealed, from)) return false;
      const value = { ...providerKey, sealed: to };
      await tx.providerKeys.update(value);
      await tx.changes.append({ kind: "provider_key", id, value });
      return true;
    }
    const clientKey = await tx.clientKeys.get(id);
    if (
      clientKey === undefined ||
      clientKey.sealedCopy === null ||
      !sameSealed(clientKey.sealedCopy, from)
    )
      return false;
    const value: ClientKey = { ...clientKey, sealedCopy: to };
    await tx.clientKeys.update(value);
    await tx.changes.append({ kind: "client_key", id, value });
    return true;
  }
}

function sameSealed(one: SealedSecret, other: SealedSecret): boolean {
  return (
    one.vaultKeyVersion === other.vaultKeyVersion &&
    Buffer.compare(one.ciphertext, other.ciphertext) === 0 &&
    Buffer.compare(one.rowMac, other.rowMac) === 0
  );
}

function recordOf(key: ProviderKey, provider: Provider | undefined): SealedRecord | undefined {
  if (provider === undefined) return undefined;
  return { id: key.id, binding: bindingOf(key, provider), sealed: key.sealed };
}

function duplicateOf(key: ProviderKey): Pick<ProviderKey, "enabled" | "health"> {
  const lastError = "The same secret is stored in another provider key: delete one of the two.";
  return { enabled: false, health: { ...key.health, state: "INVALID", lastError } };
}
