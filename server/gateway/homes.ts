import { LruMap } from "../catalog/lru.js";
import type { Principal } from "../core/client-key.js";

/** Providers' ids have some thirty characters; what is longer is not worth its memory. */
const ID_CHARS_MAX = 256;

/**
 * Which provider key's account holds what has an id: files, batches and stored responses live where they were
 * made. Learned from replies, in memory alone and bounded. It is kept apart for each owner and for the pool, and the
 * pool of keys decides whether a caller may use the key at all, and asks no other while that key may serve it soon.
 */
export class Homes {
  readonly #keyIds: LruMap<string, string>;

  /** @param idsMax ids kept in all. */
  constructor(idsMax: number) {
    this.#keyIds = new LruMap(idsMax);
  }

  /** The id of the provider key; empty if it is not known. */
  of(principal: Principal, id: string): string {
    return this.#keyIds.get(nameOf(principal, id)) ?? "";
  }

  learn(principal: Principal, ids: readonly string[], providerKeyId: string): void {
    for (const id of ids) {
      if (id === "" || id.length > ID_CHARS_MAX) continue;
      this.#keyIds.set(nameOf(principal, id), providerKeyId);
    }
  }
}

/** SUPER keys draw on the same keys, whoever owns them; all others on their owner's. */
function nameOf({ clientKey, ownerId }: Principal, id: string): string {
  return `${clientKey.kind === "SUPER" ? "*" : ownerId} ${id}`;
}
