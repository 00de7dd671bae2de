import { modelOfName } from "../core/model-apart.js";
import type { Holder } from "../core/client-key.js";
import { FairMap } from "../core/fair-map.js";
import type { Tier } from "../core/provider-key.js";
import { CandidateSet } from "./candidate-set.js";
import { allowsModel } from "./eligibility.js";
import type { KeySlot } from "./key-slot.js";
import type { Origin } from "./origin.js";
import type { Cursors } from "./strategies/context.js";
import { NO_WAITS } from "./strategies/weighted.js";

/** Says whether a key of a service may serve a model; the catalogue knows. */
export type InService = (providerId: string, service: string, model: string) => boolean;

/** Models whose candidates are remembered in one lane; callers may ask for any name. */
const LANE_MODELS_MAX = 256;

/** Models of one lane that have a set of their own because some key rests for them; of more, one of the user who asked for most shares again. */
const LANE_SPLITS_MAX = 64;

/** What tells which models of its provider a key serves. */
type Serving = Pick<KeySlot["key"], "service" | "modelAllowlist">;

/** Keys of a lane that serve the same models: same service, same allowlist. */
interface Group {
  readonly name: string;
  readonly slots: Set<KeySlot>;
  readonly sample: Pick<KeySlot["key"], "providerId" | "service" | "modelAllowlist">;
}

/**
 * The keys of one provider, one tier and one scope (an owner's, or the public ones). Most lanes hold keys
 * without service or allowlist, and all models share one set; otherwise models that the same groups of keys
 * serve share one. A model for which some key rests gets a set of its own, so that choosing costs the same.
 */
export class Lane {
  readonly tier: Tier;
  readonly slots = new Set<KeySlot>();
  /** The provider. */
  readonly origin: Origin;
  readonly #inService: InService;
  readonly #groups = new Map<string, Group>();
  readonly #sets = new Map<string, CandidateSet>();
  readonly #byModel = new Map<string, CandidateSet>();
  /** The turns of the sets, by name. They go on when services change, which ends the sets themselves. */
  readonly #cursors = new Map<string, Cursors>();
  /** Models for which some key rests, or did of late. */
  readonly #resting = new FairMap<string>(LANE_SPLITS_MAX, (model) => {
    this.#share(model);
  });
  /** Sets of single models, with the names of the groups that serve them. */
  readonly #splits = new Map<
    string,
    { readonly names: readonly string[]; readonly set: CandidateSet }
  >();

  constructor(options: { tier: Tier; origin: Origin; inService: InService }) {
    this.tier = options.tier;
    this.origin = options.origin;
    this.#inService = options.inService;
  }

  /** The keys that may serve a model, whatever their standing. */
  candidates(model: string): CandidateSet {
    const known = this.#byModel.get(model);
    if (known !== undefined) return known;
    const set = this.#resting.has(model) ? this.#split(model) : this.#shared(model);
    if (this.#byModel.size >= LANE_MODELS_MAX) this.#byModel.clear();
    this.#byModel.set(model, set);
    return set;
  }

  /** Whether any key may serve a model, whatever its standing; remembers nothing of the model. */
  serves(model: string): boolean {
    for (const { sample } of this.#groups.values()) {
      if (allowsModel(sample, model, this.#inService)) return true;
    }
    return false;
  }

  /** A key rests for a model or has all the calls of it that it may, by a call of the holder, or does not any more. */
  settleModel(slot: KeySlot, model: string, holder: Holder): void {
    const split = this.#splits.get(model);
    // A key may still be known to rest for a model that it may not serve any more; it is not in the set then.
    if (split !== undefined && slot.sets.includes(split.set)) split.set.settle(slot);
    if (split !== undefined || this.#resting.has(model) || !slot.isApart(model)) return;
    this.#byModel.delete(model);
    this.#resting.set(holder, model, model);
  }

  #shared(model: string): CandidateSet {
    const groups = this.#serving(model);
    const name = groups.map((group) => group.name).join("\u0001");
    let set = this.#sets.get(name);
    if (set === undefined) {
      const slots = groups.flatMap((group) => [...group.slots]);
      set = new CandidateSet(slots, this.#cursorsOf(name));
      this.#sets.set(name, set);
    }
    return set;
  }

  /** @param from the set whose turns one of this name goes on with at first. */
  #cursorsOf(name: string, from?: CandidateSet): Cursors {
    const known = this.#cursors.get(name);
    if (known !== undefined) return known;
    const cursors = from?.turns() ?? { roundRobin: "", sequential: "", waits: NO_WAITS };
    if (this.#cursors.size >= LANE_MODELS_MAX) this.#cursors.clear();
    this.#cursors.set(name, cursors);
    return cursors;
  }

  #split(model: string): CandidateSet {
    const known = this.#splits.get(model);
    if (known !== undefined) return known.set;
    const names = this.#serving(model).map((group) => group.name);
    const shared = this.#shared(model);
    const set = new CandidateSet(shared.members, this.#cursorsOf(splitName(model), shared), model);
    this.#splits.set(model, { names, set });
    return set;
  }

  /** Forgets that keys rest for a model: the next limit tells again. */
  #share(model: string): void {
    this.#splits.get(model)?.set.dissolve();
    this.#splits.delete(model);
    this.#cursors.delete(splitName(model));
    this.#byModel.delete(model);
  }

  #serving(model: string): readonly Group[] {
    return [...this.#groups.values()].filter((group) =>
      allowsModel(group.sample, modelOfName(model), this.#inService),
    );
  }

  add(slot: KeySlot): void {
    this.slots.add(slot);
    this.#addToGroup(slot);
    for (const model of slot.modelsKnown()) {
      this.settleModel(slot, model, slot.holderOf(model));
    }
  }

  #addToGroup(slot: KeySlot): void {
    const name = groupName(slot.key);
    const group = this.#groups.get(name);
    if (group === undefined) {
      const { providerId, service, modelAllowlist } = slot.key;
      const sample = { providerId, service, modelAllowlist };
      this.#groups.set(name, { name, slots: new Set([slot]), sample });
      this.forgetModels();
      return;
    }
    group.slots.add(slot);
    for (const [setName, set] of this.#sets) {
      if (setName.split("\u0001").includes(name)) set.add(slot);
    }
    for (const { names, set } of this.#splits.values()) if (names.includes(name)) set.add(slot);
  }

  /** Takes a key out; its service and allowlist must still be those it was added with. */
  remove(slot: KeySlot): void {
    this.slots.delete(slot);
    const name = groupName(slot.key);
    const group = this.#groups.get(name);
    if (group === undefined) return;
    group.slots.delete(slot);
    for (const [setName, set] of this.#sets) {
      if (setName.split("\u0001").includes(name)) set.remove(slot);
    }
    for (const { names, set } of this.#splits.values()) if (names.includes(name)) set.remove(slot);
    if (group.slots.size > 0) return;
    this.#groups.delete(name);
    this.forgetModels();
  }

  /** Forgets which models the groups serve, because services changed. */
  forgetModels(): void {
    for (const set of this.#sets.values()) set.dissolve();
    this.#sets.clear();
    this.#byModel.clear();
    for (const { set } of this.#splits.values()) set.dissolve();
    this.#splits.clear();
  }
}

/** Those of shared sets are lists. */
function splitName(model: string): string {
  return `model ${model}`;
}

/** True of keys of one provider that serve the same models, whatever the services mean. */
export function servesAlike(a: Serving, b: Serving): boolean {
  return groupName(a) === groupName(b);
}

function groupName({ service, modelAllowlist }: Serving): string {
  return JSON.stringify([service, modelAllowlist.toSorted()]);
}
