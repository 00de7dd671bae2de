import type { Holder } from "./client-key.js";

interface Entry<V> {
  readonly value: V;
  readonly weight: number;
  readonly key: Key<V>;
}

/** What one user has in the map. */
interface User<V> {
  readonly id: string;
  readonly keys: Map<string, Key<V>>;
  weight: number;
}

/** What a user has under one of their client keys; the entry used the longest ago comes first. */
interface Key<V> {
  readonly id: string;
  readonly user: User<V>;
  readonly entries: Map<string, Entry<V>>;
  weight: number;
}

/**
 * A bounded map that callers share. When it gets too heavy, an entry of the user who has most goes: of that user's client
 * key that has most, the one that was used the longest ago. So nobody's entries are pushed out by another's many.
 */
export class FairMap<V> {
  readonly #weightMax: number;
  readonly #onDeleted: (value: V) => void;
  readonly #users = new Map<string, User<V>>();
  /** All entries, by id. */
  readonly #entries = new Map<string, Entry<V>>();
  #weight = 0;

  /**
   * @param weightMax of all entries together.
   * @param onDeleted hears of each value that has left the map, for whatever reason.
   */
  constructor(weightMax: number, onDeleted: (value: V) => void = () => undefined) {
    this.#weightMax = weightMax;
    this.#onDeleted = onDeleted;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The value, which counts as used now. */
  get(id: string): V | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    const { entries } = entry.key;
    entries.delete(id);
    entries.set(id, entry);
    return entry.value;
  }

  has(id: string): boolean {
    return this.#entries.has(id);
  }

  /** Adds an entry in the place of any other with this id, whoever it belonged to. */
  set(holder: Holder, id: string, value: V, weight = 1): void {
    this.delete(id);
    const key = this.#keyOf(holder);
    const entry = { value, weight, key };
    this.#entries.set(id, entry);
    key.entries.set(id, entry);
    key.weight += weight;
    key.user.weight += weight;
    this.#weight += weight;
    while (this.#weight > this.#weightMax) this.#deleteOne();
  }

  /** Takes an entry out; answers its value. */
  delete(id: string): V | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    const { key, weight, value } = entry;
    const { user } = key;
    this.#entries.delete(id);
    key.entries.delete(id);
    key.weight -= weight;
    user.weight -= weight;
    this.#weight -= weight;
    if (key.entries.size === 0) user.keys.delete(key.id);
    if (user.keys.size === 0) this.#users.delete(user.id);
    this.#onDeleted(value);
    return value;
  }

  *values(): Iterable<V> {
    for (const { value } of this.#entries.values()) yield value;
  }

  #keyOf({ ownerId, clientKey }: Holder): Key<V> {
    const user = this.#users.get(ownerId) ?? { id: ownerId, keys: new Map(), weight: 0 };
    this.#users.set(ownerId, user);
    const key = user.keys.get(clientKey.id) ?? {
      id: clientKey.id,
      user,
      entries: new Map<string, Entry<V>>(),
      weight: 0,
    };
    user.keys.set(key.id, key);
    return key;
  }

  #deleteOne(): void {
    const user = heaviest(this.#users.values());
    const key = heaviest(user?.keys.values() ?? []);
    const [oldest = ""] = key?.entries.keys() ?? [];
    this.delete(oldest);
  }
}

/** The heaviest; of several the first. */
function heaviest<T extends { readonly weight: number }>(all: Iterable<T>): T | undefined {
  let found: T | undefined;
  for (const each of all) {
    if (found === undefined || each.weight > found.weight) found = each;
  }
  return found;
}
