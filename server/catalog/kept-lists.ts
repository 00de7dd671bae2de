import { drawsOn, type Principal } from "../core/client-key.js";
import { FairMap } from "../core/fair-map.js";
import type { Dialect, ToldModel } from "../core/provider.js";
import type { VisibleModel } from "./visible-models.js";

/**
 * Models in all lists that are kept for callers, each list counted as one more; beyond that, the user who has the most
 * loses the oldest list.
 */
const MODELS_MAX = 40_000;

/** What a list was made from that may change between two changes of the catalogue. */
type Told = readonly (readonly ToldModel[])[];

interface Kept {
  readonly told: Told;
  readonly models: readonly VisibleModel[];
}

/** Whose list it is, and of what. */
export interface ListName {
  readonly principal: Principal;
  /** The user whose custom providers are in it; empty if there are none. */
  readonly customOf: string;
  readonly dialect: Dialect;
  readonly told: Told;
}

/** The lists of models that callers were given of late: some ask for theirs all the time, and making one takes a while. */
export class KeptLists {
  #lists = new FairMap<Kept>(MODELS_MAX);

  /** What was kept says nothing any more. */
  clear(): void {
    if (this.#lists.size > 0) this.#lists = new FairMap(MODELS_MAX);
  }

  /** The same array again, as long as the same holds. */
  of(name: ListName, make: () => readonly VisibleModel[]): readonly VisibleModel[] {
    const { principal, told } = name;
    const text = textOf(name);
    const kept = this.#lists.get(text);
    if (kept !== undefined && areSame(kept.told, told)) return kept.models;
    const models = make();
    this.#lists.set(principal, text, { told, models }, 1 + models.length);
    return models;
  }
}

function textOf({ principal, customOf, dialect }: ListName): string {
  const { modelAllowlist } = principal.clientKey;
  return `${drawsOn(principal)} ${customOf} ${dialect} ${JSON.stringify(modelAllowlist)}`;
}

function areSame(before: Told, now: Told): boolean {
  return before.length === now.length && before.every((each, at) => each === now[at]);
}
