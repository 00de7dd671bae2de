import { type Tier, TIERS } from "../core/provider-key.js";
import type { KeySlot } from "./key-slot.js";
import { type InService, Lane } from "./lane.js";
import { Origin } from "./origin.js";
import type { Scope } from "./scope.js";

/** At most one of each tier, in the order of tiers; those with a key alone. */
type Lanes = Lane[];

interface ProviderLanes {
  readonly origin: Origin;
  readonly open: Lanes;
  readonly ofOwner: Map<string, Lanes>;
}

/**
 * Provider × scope × tier. A lease asks for the lanes of one provider and one scope and gets at most three,
 * so its cost does not depend on how many keys there are elsewhere. The index is changed in place, one key
 * at a time: the process runs one thing at a time, so a reader always sees a whole state, and a change of
 * one key in a pool of ten thousand does not copy the other 9,999.
 */
export class KeyIndex {
  readonly #inService: InService;
  readonly #providers = new Map<string, ProviderLanes>();

  constructor(options: { inService: InService }) {
    this.#inService = options.inService;
  }

  /** The lanes of a provider in a scope, in the order of tiers; empty tiers are left out. */
  lanes(providerId: string, scope: Scope): readonly Lane[] {
    const provider = this.#providers.get(providerId);
    const lanes = scope.kind === "PUBLIC" ? provider?.open : provider?.ofOwner.get(scope.ownerId);
    return lanes ?? NO_LANES;
  }

  /** True when there is any key, whatever its standing. */
  has(providerId: string, scope: Scope): boolean {
    return this.lanes(providerId, scope).length > 0;
  }

  /** The lanes that a key is in. */
  lanesOf(slot: KeySlot): readonly Lane[] {
    const { providerId, ownerId, visibility, tier } = slot.key;
    const provider = this.#providers.get(providerId);
    const own = laneOf(provider?.ofOwner.get(ownerId), tier);
    const open = visibility === "PUBLIC" ? laneOf(provider?.open, tier) : undefined;
    return [own, open].filter((lane) => lane !== undefined);
  }

  /** The keys beside a key: of the pool if it is public, else of its owner. */
  peers(slot: KeySlot): Iterable<KeySlot> {
    const { providerId, ownerId, visibility, tier } = slot.key;
    const provider = this.#providers.get(providerId);
    const lanes = visibility === "PUBLIC" ? provider?.open : provider?.ofOwner.get(ownerId);
    return laneOf(lanes, tier)?.slots ?? [];
  }

  add(slot: KeySlot): void {
    const { providerId, ownerId, visibility, tier } = slot.key;
    let provider = this.#providers.get(providerId);
    if (provider === undefined) {
      provider = { origin: new Origin(), open: [], ofOwner: new Map() };
      this.#providers.set(providerId, provider);
    }
    let own = provider.ofOwner.get(ownerId);
    if (own === undefined) {
      own = [];
      provider.ofOwner.set(ownerId, own);
    }
    const { origin } = provider;
    slot.origin = origin;
    this.#laneOf(own, tier, origin).add(slot);
    if (visibility === "PUBLIC") this.#laneOf(provider.open, tier, origin).add(slot);
  }

  /** Takes a key out; it must still be what it was when it was added. */
  remove(slot: KeySlot): void {
    const { providerId, ownerId, tier } = slot.key;
    const provider = this.#providers.get(providerId);
    if (provider === undefined) return;
    removeFrom(provider.open, tier, slot);
    const own = provider.ofOwner.get(ownerId);
    if (own !== undefined && removeFrom(own, tier, slot)) provider.ofOwner.delete(ownerId);
    if (provider.ofOwner.size === 0) this.#providers.delete(providerId);
  }

  /** A provider; undefined when it has no keys. */
  origin(providerId: string): Origin | undefined {
    return this.#providers.get(providerId)?.origin;
  }

  /** The keys of providers that cannot be reached. */
  *unreachable(nowMs: number): Iterable<KeySlot> {
    for (const { origin, ofOwner } of this.#providers.values()) {
      if (origin.reachableMs(nowMs) <= nowMs) continue;
      for (const lanes of ofOwner.values()) for (const lane of lanes) yield* lane.slots;
    }
  }

  /** Forgets which models the keys' services mean. */
  forgetModels(): void {
    for (const { open, ofOwner } of this.#providers.values()) {
      for (const lanes of [open, ...ofOwner.values()]) {
        for (const lane of lanes) lane.forgetModels();
      }
    }
  }

  #laneOf(lanes: Lanes, tier: Tier, origin: Origin): Lane {
    const known = laneOf(lanes, tier);
    if (known !== undefined) return known;
    const lane = new Lane({ tier, origin, inService: this.#inService });
    lanes.push(lane);
    lanes.sort((a, b) => TIERS.indexOf(a.tier) - TIERS.indexOf(b.tier));
    return lane;
  }
}

const NO_LANES: readonly Lane[] = [];

function laneOf(lanes: Lanes | undefined, tier: Tier): Lane | undefined {
  return lanes?.find((lane) => lane.tier === tier);
}

/** Removes a key from its lane and an empty lane from its scope; true when the scope has no lane left. */
function removeFrom(lanes: Lanes, tier: Tier, slot: KeySlot): boolean {
  const lane = laneOf(lanes, tier);
  if (lane?.slots.has(slot) === true) {
    lane.remove(slot);
    if (lane.slots.size === 0) lanes.splice(lanes.indexOf(lane), 1);
  }
  return lanes.length === 0;
}
