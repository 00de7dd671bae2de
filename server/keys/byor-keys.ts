import type { Actor } from "../core/audit.js";
import type { ClientKey } from "../core/client-key.js";
import type { Clock } from "../core/clock.js";
import type { IdSource } from "../core/ids.js";
import { cleanClientKeyDraft, newClientKey } from "./client-key-draft.js";
import type { ClientKeyMint } from "./client-key-mint.js";
import type { ClientKeyWithSecret } from "./client-keys.js";
import type { Operations } from "./operations.js";
import { requireOwner, userIdOf } from "./owners.js";
import type { KeysReader, KeysTx } from "./ports.js";
import type { Settings } from "./settings.js";

/** The one recoverable key of each user for runtimes of their own: made when first asked for. */
export class ByorKeys {
  readonly #operations: Operations;
  readonly #mint: ClientKeyMint;
  readonly #ids: IdSource;
  readonly #settings: Pick<Settings, "values">;
  readonly #clock: Clock;

  constructor(options: {
    operations: Operations;
    mint: ClientKeyMint;
    ids: IdSource;
    settings: Pick<Settings, "values">;
    clock: Clock;
  }) {
    this.#operations = options.operations;
    this.#mint = options.mint;
    this.#ids = options.ids;
    this.#settings = options.settings;
    this.#clock = options.clock;
  }

  /** The caller's BYOR key with its secret; made if there is none. Each showing is audited. */
  async get(actor: Actor): Promise<ClientKeyWithSecret & { readonly created: boolean }> {
    const action = "client_key.get_byor";
    return this.#operations.run(actor, action, async () => {
      const ownerId = userIdOf(actor);
      const stored = await this.#operations.read(actor, action, (reader) =>
        current(reader, ownerId),
      );
      const offered = stored === undefined ? await this.#fresh(ownerId) : undefined;
      const clientKey = await this.#operations.write(actor, action, async (tx) => {
        await requireOwner(tx, actor, action, ownerId);
        // Another request may have been faster: then its key counts, and ours is dropped unseen.
        const existing = await current(tx, ownerId);
        const value = existing ?? (offered ?? (await this.#fresh(ownerId))).clientKey;
        const made = existing === undefined;
        if (made) await tx.clientKeys.insert(value);
        return {
          value,
          targetId: value.id,
          targetName: value.name,
          changedFields: [],
          note: made ? "created" : "revealed",
        };
      });
      const created = offered?.clientKey.id === clientKey.id;
      const secret = created ? offered.secret : await this.#secretOf(clientKey);
      return { clientKey, secret, created };
    });
  }

  /**
   * Replaces the caller's BYOR key. The old one is revoked first, in the same transaction, so there is
   * no moment in which both or a forgotten one work.
   */
  async refresh(actor: Actor): Promise<ClientKeyWithSecret> {
    const action = "client_key.refresh_byor";
    return this.#operations.run(actor, action, async () => {
      const ownerId = userIdOf(actor);
      const fresh = await this.#fresh(ownerId);
      const clientKey = await this.#operations.write(actor, action, async (tx, nowMs) => {
        await requireOwner(tx, actor, action, ownerId);
        const old = await current(tx, ownerId);
        if (old !== undefined) await revoke(tx, old, nowMs);
        const value = fresh.clientKey;
        await tx.clientKeys.insert(value);
        return {
          value,
          targetId: value.id,
          targetName: value.name,
          changedFields: ["secret"],
          note: old === undefined ? "created" : `replaces ${old.id}`,
        };
      });
      return { clientKey, secret: fresh.secret };
    });
  }

  async #fresh(ownerId: string): Promise<ClientKeyWithSecret> {
    const nowMs = this.#clock.now();
    const id = this.#ids.next("ck");
    const parts = { id, ownerId, kind: "BYOR", format: "SK" } as const;
    const minted = await this.#mint.mint({ ...parts, recoverable: true });
    const clean = cleanClientKeyDraft(
      { name: "BYOR" },
      this.#settings.values.defaultClientKeyLimits,
      nowMs,
    );
    return {
      clientKey: newClientKey({ ...parts, clean, minted, nowMs }),
      secret: minted.secret,
    };
  }

  async #secretOf(key: ClientKey): Promise<ClientKeyWithSecret["secret"]> {
    if (key.sealedCopy === null) throw new Error(`BYOR key ${key.id} has no sealed copy`);
    return this.#mint.open(key, key.sealedCopy);
  }
}

async function current(reader: KeysReader, ownerId: string): Promise<ClientKey | undefined> {
  const keys = await reader.clientKeys.ofOwner(ownerId);
  return keys.find((key) => key.kind === "BYOR" && key.revokedAt === null);
}

async function revoke(tx: KeysTx, key: ClientKey, nowMs: number): Promise<void> {
  const value: ClientKey = {
    ...key,
    revokedAt: nowMs,
    sealedCopy: null,
    previousMac: null,
    graceUntil: null,
    updatedAt: nowMs,
    version: key.version + 1,
  };
  await tx.clientKeys.update(value);
}
