import type { Holder } from "../core/client-key.js";
import { FairMap } from "../core/fair-map.js";
import type { RouteTarget } from "../core/provider.js";

/** Of more, the user whose calls have shown most is the first to lose some. */
const MODELS_MAX = 4_096;

/**
 * Models that providers are known to serve: what the catalogue lists, and what was served once. Of others nobody knows
 * whether a caller made them up.
 */
export class ServedModels {
  readonly #served = new FairMap<true>(MODELS_MAX);
  /** The next call is mostly for the same. */
  #last: RouteTarget | undefined;

  isKnown(target: RouteTarget): boolean {
    return target.listed === true || this.#served.has(nameOf(target));
  }

  /** A key has served it. */
  note(holder: Holder, target: RouteTarget): void {
    if (target === this.#last) return;
    this.#last = target;
    if (target.upstreamModel === "" || this.isKnown(target)) return;
    this.#served.set(holder, nameOf(target), true);
  }
}

function nameOf({ provider, upstreamModel }: RouteTarget): string {
  return `${provider.id} ${upstreamModel}`;
}
