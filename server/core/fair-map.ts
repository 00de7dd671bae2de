interface Entry<V> {
  readonly value: V;
  readonly weight: number;
}

/** What one owner has; the order of the map is the order of use. */
interface Share<V> {
  readonly entries: Map<string, Entry<V>>;
  weight: number;
}

/**
 * A bounded map that owners share: where it is too heavy, the owner who has most in it loses what was used the longest
 * ago, so that nobody's things are pushed out by another's many.
 */
export class FairMap<V> {
  readonly #weightMax: number;
  readonly #onDeleted: (value: V) => void;
  readonly #shares = new Map<string, Share<V>>();
  #weight = 0;

  /**
   * @param weightMax of all entries together.
   * @param onDeleted hears of what is no longer in it.
   */
  constructor(weightMax: number, onDeleted: (value: V) => void = () => undefined) {
    this.#weightMax = weightMax;
    this.#onDeleted = onDeleted;
  }

  /** It counts as used. */
  get(owner: string, id: string): V | undefined {
    const entries = this.#shares.get(owner)?.entries;
    const entry = entries?.get(id);
    if (entries === undefined || entry === undefined) return undefined;
    entries.delete(id);
    entries.set(id, entry);
    return entry.value;
  }

  set(owner: string, id: string, value: V, weight = 1): void {
    this.#delete(owner, id);
    const share = this.#shares.get(owner) ?? { entries: new Map<string, Entry<V>>(), weight: 0 };
    this.#shares.set(owner, share);
    share.entries.set(id, { value, weight });
    share.weight += weight;
    this.#weight += weight;
    while (this.#weight > this.#weightMax) this.#deleteOne();
  }

  /** Whoever's it is. */
  find(id: string): V | undefined {
    for (const { entries } of this.#shares.values()) {
      const entry = entries.get(id);
      if (entry !== undefined) return entry.value;
    }
    return undefined;
  }

  *values(): Iterable<V> {
    for (const { entries } of this.#shares.values()) {
      for (const { value } of entries.values()) yield value;
    }
  }

  #deleteOne(): void {
    let heaviest: [string, Share<V>] | undefined;
    for (const each of this.#shares) {
      if (heaviest === undefined || each[1].weight > heaviest[1].weight) heaviest = each;
    }
    if (heaviest === undefined) return;
    const [owner, { entries }] = heaviest;
    const [oldest = ""] = entries.keys();
    this.#delete(owner, oldest);
  }

  #delete(owner: string, id: string): void {
    const share = this.#shares.get(owner);
    const entry = share?.entries.get(id);
    if (share === undefined || entry === undefined) return;
    share.entries.delete(id);
    share.weight -= entry.weight;
    this.#weight -= entry.weight;
    if (share.entries.size === 0) this.#shares.delete(owner);
    this.#onDeleted(entry.value);
  }
}
