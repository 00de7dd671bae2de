import { SYSTEM_ACTOR } from "../core/audit.js";
import type { Logger } from "../core/logger.js";
import type { ChangeFeed } from "../keys/change-feed.js";
import type { KeysStore } from "../keys/ports.js";
import { refusalWords } from "../vault/box.js";
import type { Refusal, Vault } from "../vault/vault.js";

/** Refusals of rows that are sound but whose vault key is missing; any other one means that a row was altered. */
const UNREADABLE: ReadonlySet<Refusal["reason"]> = new Set([
  "UNKNOWN_FORMAT",
  "UNKNOWN_KEY_VERSION",
]);

/** Why a stored secret is not used. */
export interface SecretProblem {
  readonly eligibility: "QUARANTINED" | "UNREADABLE";
  /** Cause and remedy, for people. */
  readonly words: string;
}

/**
 * Every stored secret that was refused and is not used: counted for the status and written to the audit
 * log once. A record that changes afterwards counts as mended until it is refused again.
 */
export class RefusedSecrets {
  readonly #store: KeysStore;
  readonly #log: Logger;
  readonly #reasons = new Map<string, Refusal["reason"]>();

  constructor(options: { store: KeysStore; log: Logger }) {
    this.#store = options.store;
    this.#log = options.log;
  }

  /** Follows the vault's refusals and the records' changes; the returned function ends that. */
  follow(vault: Vault, feed: ChangeFeed): () => void {
    const ignore = vault.onRefusal((refusal) => this.#add(refusal));
    const leave = feed.subscribe(["provider_key", "client_key"], ({ id }) => {
      this.#reasons.delete(id);
    });
    return () => {
      ignore();
      leave();
    };
  }

  /** Why the secret of a record is refused; undefined while it is not. */
  problemOf(id: string): SecretProblem | undefined {
    const reason = this.#reasons.get(id);
    if (reason === undefined) return undefined;
    const eligibility = UNREADABLE.has(reason) ? "UNREADABLE" : "QUARANTINED";
    return { eligibility, words: refusalWords(reason) };
  }

  /** Records that were altered outside the server. */
  get quarantined(): number {
    return this.#reasons.size - this.unreadable;
  }

  /** Secrets that no vault key opens. */
  get unreadable(): number {
    let count = 0;
    for (const reason of this.#reasons.values()) if (UNREADABLE.has(reason)) count++;
    return count;
  }

  #add({ binding: { recordId }, reason }: Refusal): void {
    if (this.#reasons.has(recordId)) return;
    this.#reasons.set(recordId, reason);
    this.#log.error({ id: recordId, reason }, "a stored secret is refused and not used");
    this.#record(recordId, reason).catch((error: unknown) => {
      this.#log.warn({ err: error, id: recordId }, "a refused secret could not be audited");
    });
  }

  async #record(targetId: string, reason: Refusal["reason"]): Promise<void> {
    await this.#store.write(async (tx) => {
      const name = (await tx.providerKeys.get(targetId))?.name ?? null;
      await tx.audit.append({
        actor: SYSTEM_ACTOR,
        action: "vault.refuse",
        targetId,
        targetName: name,
        changedFields: [],
        outcome: "FAILED",
        note: UNREADABLE.has(reason) ? `unreadable: ${reason}` : `quarantined: ${reason}`,
      });
    });
  }
}
