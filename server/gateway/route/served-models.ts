import type { Holder } from "../../core/client-key.js";
import { FairMap } from "../../core/fair-map.js";
import type { RouteTarget } from "../../core/provider.js";
import { modelAt } from "./addresses.js";

/** Of more, the user whose calls have shown most is the first to lose some. */
const MODELS_MAX = 4_096;
/** Calls of one user that may look for an unknown model with every key, in a window of this long: each may cost sixteen tries. */
const SEARCHES_MAX = 8;
const SEARCH_WINDOW_MS = 10 * 60_000;

/** What one user's calls have looked for. */
interface Searches {
  count: number;
  readonly endsMs: number;
}

/**
 * Models that providers are known to serve: what the catalogue lists, and what was served once. Of others nobody knows
 * whether a caller made them up.
 */
export class ServedModels {
  readonly #served = new FairMap<true>(MODELS_MAX);
  /** The next call is mostly for the same. */
  #last: RouteTarget | undefined;
  /** By user, the window that ends first in front. */
  readonly #searches = new Map<string, Searches>();

  isKnown(target: RouteTarget): boolean {
    return target.listed === true || this.#served.has(modelAt(target));
  }

  /** Whether a call may look for a model that nobody knows with further keys, which is counted. */
  maySearch({ ownerId }: Holder, nowMs: number): boolean {
    for (const [id, { endsMs }] of this.#searches) {
      if (endsMs > nowMs) break;
      this.#searches.delete(id);
    }
    const searches = this.#searches.get(ownerId) ?? { count: 0, endsMs: nowMs + SEARCH_WINDOW_MS };
    if (searches.count >= SEARCHES_MAX) return false;
    searches.count++;
    this.#searches.set(ownerId, searches);
    return true;
  }

  /** A key has served it. */
  note(holder: Holder, target: RouteTarget): void {
    if (target === this.#last) return;
    this.#last = target;
    if (target.upstreamModel === "" || this.isKnown(target)) return;
    this.#served.set(holder, modelAt(target), true);
  }
}
