import { MODEL_REFUSAL_COOLDOWN_MS } from "./health.js";

/** Kinds of calls for which some key lacks a right; callers may ask for any model. */
export const KINDS_MAX = 256;
/** Keys of which that is known for one kind of call. */
export const KEYS_MAX = 256;

/** Ids of keys. */
export type KeyIds = Pick<ReadonlySet<string>, "has" | "size">;

export const NO_KEYS: KeyIds = new Set();

/**
 * Keys that were refused a right while another key served the same call. Which rights a call needs is up to its
 * caller, so nothing is held against such a key: for calls of the same kind and model it comes after the others for
 * a while, and no other call notices anything.
 */
export class Rights {
  /** By what was asked for and by key: when it is forgotten, monotonic. What is forgotten first comes first. */
  readonly #lacking = new Map<string, Map<string, number>>();

  /** The key lacks a right for such calls. */
  lacks(keyId: string, endpoint: string, model: string, nowMs: number): void {
    const kind = nameOf(endpoint, model);
    const keys = this.#lacking.get(kind) ?? new Map<string, number>();
    keys.delete(keyId);
    keys.set(keyId, nowMs + MODEL_REFUSAL_COOLDOWN_MS);
    dropFirst(keys, KEYS_MAX);
    this.#lacking.delete(kind);
    this.#lacking.set(kind, keys);
    dropFirst(this.#lacking, KINDS_MAX);
  }

  /** The key has served such a call after all. */
  has(keyId: string, endpoint: string, model: string): void {
    if (this.#lacking.size > 0) this.#lacking.get(nameOf(endpoint, model))?.delete(keyId);
  }

  /** The keys that come after the others: none for nearly all calls. */
  without(endpoint: string, model: string, nowMs: number): KeyIds {
    if (this.#lacking.size === 0) return NO_KEYS;
    const kind = nameOf(endpoint, model);
    const keys = this.#lacking.get(kind);
    if (keys === undefined) return NO_KEYS;
    for (const [keyId, untilMs] of keys) {
      if (untilMs > nowMs) return keys;
      keys.delete(keyId);
    }
    this.#lacking.delete(kind);
    return NO_KEYS;
  }

  /** Forgets a key, e.g. because its secret is another. */
  forget(keyId: string): void {
    for (const keys of this.#lacking.values()) keys.delete(keyId);
  }

  /** The kinds of calls of a model for which a key lacks the right. */
  lackedBy(keyId: string, model: string, nowMs: number): readonly string[] {
    const found: string[] = [];
    for (const [kind, keys] of this.#lacking) {
      const [endpoint = "", of] = kind.split("\n");
      if (of === model && (keys.get(keyId) ?? 0) > nowMs) found.push(endpoint);
    }
    return found;
  }
}

function nameOf(endpoint: string, model: string): string {
  return `${endpoint}\n${model}`;
}

function dropFirst(map: Map<string, unknown>, sizeMax: number): void {
  if (map.size <= sizeMax) return;
  for (const first of map.keys()) {
    map.delete(first);
    return;
  }
}
