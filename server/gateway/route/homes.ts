import { drawsOn, type Principal } from "../../core/client-key.js";
import { FairMap } from "../../core/fair-map.js";
import type { Home, HomeChange } from "../../core/home.js";

/** Providers' ids have some thirty characters; what is longer is not worth its memory. */
const ID_CHARS_MAX = 256;

/**
 * Which provider key's account holds a thing with an id: files, batches, conversations and the like live where they
 * were made. Homes are learnt from replies, bounded in number, and handed out to be stored for the next start. Those of
 * each owner and of the pool are kept apart. Whether a caller may use the key at all is decided where keys are leased;
 * there, no other key is given as long as that one may serve the call soon.
 */
export class Homes {
  readonly #homes: FairMap<Home>;
  readonly #changesMax: number;
  /** Since they were last handed out; the oldest are let go when nobody takes them. */
  readonly #changes = new Map<string, HomeChange>();

  /** @param idsMax ids kept in all. */
  constructor(idsMax: number) {
    this.#homes = new FairMap(idsMax, (home) => {
      this.#note({ home, isForgotten: true });
    });
    this.#changesMax = 2 * idsMax;
  }

  /** Nothing is known of any thing. */
  get isEmpty(): boolean {
    return this.#homes.size === 0;
  }

  /** Takes what an earlier process had learnt, the oldest first. */
  load(homes: readonly Home[]): void {
    for (const home of homes) this.#set(home);
  }

  /** The id of the provider key; empty if it is not known. */
  of(principal: Principal, id: string): string {
    return this.#homes.get(nameOf(drawsOn(principal), id))?.providerKeyId ?? "";
  }

  learn(principal: Principal, ids: readonly string[], providerKeyId: string): void {
    const { ownerId, clientKey } = principal;
    const scope = drawsOn(principal);
    for (const thingId of ids) {
      if (thingId === "" || thingId.length > ID_CHARS_MAX) continue;
      if (this.#homes.get(nameOf(scope, thingId))?.providerKeyId === providerKeyId) continue;
      const home = { scope, thingId, providerKeyId, ownerId, clientKeyId: clientKey.id };
      this.#set(home);
      this.#note({ home, isForgotten: false });
    }
  }

  /** What was learnt and forgotten since this was last asked, the newest of each thing. */
  takeChanges(): readonly HomeChange[] {
    const changes = [...this.#changes.values()];
    this.#changes.clear();
    return changes;
  }

  #set(home: Home): void {
    const { scope, thingId, ownerId, clientKeyId } = home;
    this.#homes.set({ ownerId, clientKey: { id: clientKeyId } }, nameOf(scope, thingId), home);
  }

  #note(change: HomeChange): void {
    const { scope, thingId } = change.home;
    const name = nameOf(scope, thingId);
    this.#changes.delete(name);
    this.#changes.set(name, change);
    if (this.#changes.size <= this.#changesMax) return;
    const [oldest = ""] = this.#changes.keys();
    this.#changes.delete(oldest);
  }
}

function nameOf(scope: string, thingId: string): string {
  return `${scope} ${thingId}`;
}
