import { SYSTEM_ACTOR, type Actor } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import type { Logger } from "../core/logger.js";
import type { ProviderKey } from "../core/provider-key.js";
import {
  sameSealed,
  type SealBinding,
  type SealedMove,
  type SealedSecret,
} from "../core/sealed.js";
import { copyBinding } from "./client-key-mint.js";
import type { KeysStore } from "./ports.js";
import { bindingOf, isPendingFingerprint } from "./provider-key-rules.js";

/** Secrets read at a time: few enough that the event loop does not notice. */
const CHUNK_SECRETS = 250;

/** A stored secret with what it is bound to. */
export interface SealedRecord {
  readonly id: string;
  readonly binding: SealBinding;
  readonly sealed: SealedSecret;
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
    for await (const chunk of this.#store.read.providerKeys.sealedChunks(CHUNK_SECRETS)) {
      for (const key of chunk) {
        const provider = providers.get(key.providerId);
        if (provider === undefined) continue;
        yield { id: key.id, binding: bindingOf(key, provider), sealed: key.sealed };
      }
    }
    for await (const chunk of this.#store.read.clientKeys.sealedChunks(CHUNK_SECRETS)) {
      for (const { id, ownerId, sealedCopy } of chunk) {
        yield { id, binding: copyBinding(id, ownerId), sealed: sealedCopy };
      }
    }
  }

  /** Applies re-sealed secrets in one transaction; returns how many records still held what they came from. */
  async save(moves: readonly SealedMove[], actor: Actor = SYSTEM_ACTOR): Promise<number> {
    return this.#store.write(async (tx) => {
      const providerKeys = await tx.providerKeys.reseal(moves);
      const isMoved = new Set(providerKeys.map(({ id }) => id));
      const clientKeys = await tx.clientKeys.reseal(moves.filter(({ id }) => !isMoved.has(id)));
      const applied = providerKeys.length + clientKeys.length;
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
}

function duplicateOf(key: ProviderKey): Pick<ProviderKey, "enabled" | "health"> {
  const lastError = "The same secret is stored in another provider key: delete one of the two.";
  return { enabled: false, health: { ...key.health, state: "INVALID", lastError } };
}
