import type { ProviderKey } from "../core/provider-key.js";
import type { KeySlot } from "./key-slot.js";

type Groups = Map<string, Set<KeySlot>>;

/** Keys by what concerns several of them: their owner, their provider, and the limits that they share. */
export class KeyGroups {
  readonly #ofOwner: Groups = new Map();
  readonly #ofProvider: Groups = new Map();
  readonly #ofQuotaGroup: Groups = new Map();

  add(slot: KeySlot): void {
    const { key } = slot;
    addTo(this.#ofOwner, key.ownerId, slot);
    addTo(this.#ofProvider, key.providerId, slot);
    const group = quotaGroupOf(key);
    if (group !== null) addTo(this.#ofQuotaGroup, group, slot);
  }

  /** Takes out a key, which still says what it did when it was added. */
  remove(slot: KeySlot): void {
    const { key } = slot;
    removeFrom(this.#ofOwner, key.ownerId, slot);
    removeFrom(this.#ofProvider, key.providerId, slot);
    const group = quotaGroupOf(key);
    if (group !== null) removeFrom(this.#ofQuotaGroup, group, slot);
  }

  ofOwner(id: string): Iterable<KeySlot> {
    return this.#ofOwner.get(id) ?? [];
  }

  ofProvider(id: string): Iterable<KeySlot> {
    return this.#ofProvider.get(id) ?? [];
  }

  /** The other keys that share a key's limits. */
  quotaPeers(slot: KeySlot): Iterable<KeySlot> {
    const group = quotaGroupOf(slot.key);
    if (group === null) return [];
    return [...(this.#ofQuotaGroup.get(group) ?? [])].filter((peer) => peer !== slot);
  }
}

/** A group is its owner's and its provider's, so that nobody can cool down the keys of others by a name. */
function quotaGroupOf(key: ProviderKey): string | null {
  return key.quotaGroup === null ? null : `${key.ownerId} ${key.providerId} ${key.quotaGroup}`;
}

function addTo(groups: Groups, name: string, slot: KeySlot): void {
  const group = groups.get(name);
  if (group === undefined) groups.set(name, new Set([slot]));
  else group.add(slot);
}

function removeFrom(groups: Groups, name: string, slot: KeySlot): void {
  const group = groups.get(name);
  group?.delete(slot);
  if (group?.size === 0) groups.delete(name);
}
