import { LruMap } from "../catalog/lru.js";
import { drawsOn, type Principal } from "../core/client-key.js";
import type { Home } from "../core/home.js";

/** Providers' ids have some thirty characters; what is longer is not worth its memory. */
const ID_CHARS_MAX = 256;

/**
 * Which provider key's account holds what has an id: files, batches, conversations and the like live where they were
 * made. Learnt from replies, bounded, and handed out to be kept for the next start. It is kept apart for each owner
 * and for the pool, and the pool of keys decides whether a caller may use the key at all, and asks no other while that
 * key may serve it soon.
 */
export class Homes {
  readonly #homes: LruMap<string, Home>;
  readonly #idsMax: number;
  /** Learnt since they were last handed out; the oldest are forgotten when nobody takes them. */
  readonly #learnt = new Map<string, Home>();

  /** @param idsMax ids kept in all. */
  constructor(idsMax: number) {
    this.#idsMax = idsMax;
    this.#homes = new LruMap(idsMax);
  }

  /** Nothing is known of any thing. */
  get isEmpty(): boolean {
    return this.#homes.size === 0;
  }

  /** Takes what an earlier process had learnt, the oldest first. */
  load(homes: readonly Home[]): void {
    for (const home of homes) this.#homes.set(nameOf(home.scope, home.thingId), home);
  }

  /** The id of the provider key; empty if it is not known. */
  of(principal: Principal, id: string): string {
    return this.#homes.get(nameOf(drawsOn(principal), id))?.providerKeyId ?? "";
  }

  learn(principal: Principal, ids: readonly string[], providerKeyId: string): void {
    const scope = drawsOn(principal);
    for (const thingId of ids) {
      if (thingId === "" || thingId.length > ID_CHARS_MAX) continue;
      const name = nameOf(scope, thingId);
      if (this.#homes.get(name)?.providerKeyId === providerKeyId) continue;
      const home = { scope, thingId, providerKeyId };
      this.#homes.set(name, home);
      this.#note(name, home);
    }
  }

  /** What was learnt since this was last asked. */
  takeLearnt(): readonly Home[] {
    const homes = [...this.#learnt.values()];
    this.#learnt.clear();
    return homes;
  }

  #note(name: string, home: Home): void {
    this.#learnt.set(name, home);
    if (this.#learnt.size <= this.#idsMax) return;
    for (const oldest of this.#learnt.keys()) {
      this.#learnt.delete(oldest);
      return;
    }
  }
}

function nameOf(scope: string, thingId: string): string {
  return `${scope} ${thingId}`;
}
