import type { Tier } from "../core/provider-key.js";
import { CandidateSet } from "./candidate-set.js";
import { allowsModel } from "./eligibility.js";
import type { KeySlot } from "./key-slot.js";
import type { Cursors } from "./strategies/context.js";

/** Says whether a key of a service may serve a model; the catalogue knows. */
export type InService = (providerId: string, service: string, model: string) => boolean;

/** Models whose candidates are remembered in one lane; callers may ask for any name. */
export const LANE_MODELS_MAX = 256;

/** Keys of a lane that serve the same models: same service, same allowlist. */
interface Group {
  readonly name: string;
  readonly slots: Set<KeySlot>;
  readonly sample: Pick<KeySlot["key"], "providerId" | "service" | "modelAllowlist">;
}

/**
 * The keys of one provider, one tier and one scope (an owner's, or the public ones). Most lanes hold keys
 * without service or allowlist, and all models share one set; otherwise models that the same groups of keys
 * serve share one.
 */
export class Lane {
  readonly tier: Tier;
  readonly slots = new Set<KeySlot>();
  readonly cursors: Cursors = { roundRobin: "", sequential: "" };
  readonly #inService: InService;
  readonly #groups = new Map<string, Group>();
  readonly #sets = new Map<string, CandidateSet>();
  readonly #byModel = new Map<string, CandidateSet>();

  constructor(options: { tier: Tier; inService: InService }) {
    this.tier = options.tier;
    this.#inService = options.inService;
  }

  /** The keys that may serve a model, whatever their standing. */
  candidates(model: string): CandidateSet {
    const known = this.#byModel.get(model);
    if (known !== undefined) return known;
    const groups = [...this.#groups.values()].filter((group) =>
      allowsModel(group.sample, model, this.#inService),
    );
    const name = groups.map((group) => group.name).join("\u0001");
    let set = this.#sets.get(name);
    if (set === undefined) {
      set = new CandidateSet(groups.flatMap((group) => [...group.slots]));
      this.#sets.set(name, set);
    }
    if (this.#byModel.size >= LANE_MODELS_MAX) this.#byModel.clear();
    this.#byModel.set(model, set);
    return set;
  }

  add(slot: KeySlot): void {
    this.slots.add(slot);
    const name = groupName(slot);
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
  }

  /** Takes a key out; its service and allowlist must still be those it was added with. */
  remove(slot: KeySlot): void {
    this.slots.delete(slot);
    const name = groupName(slot);
    const group = this.#groups.get(name);
    if (group === undefined) return;
    group.slots.delete(slot);
    for (const [setName, set] of this.#sets) {
      if (setName.split("\u0001").includes(name)) set.remove(slot);
    }
    if (group.slots.size > 0) return;
    this.#groups.delete(name);
    this.forgetModels();
  }

  /** Forgets which models the groups serve, because services changed. */
  forgetModels(): void {
    for (const set of this.#sets.values()) set.dissolve();
    this.#sets.clear();
    this.#byModel.clear();
  }
}

function groupName(slot: KeySlot): string {
  const { service, modelAllowlist } = slot.key;
  return JSON.stringify([service, modelAllowlist.toSorted()]);
}
