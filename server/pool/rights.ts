import type { Holder } from "../core/client-key.js";
import { FairMap } from "../core/fair-map.js";
import { MODEL_REFUSAL_COOLDOWN_MS } from "./health-policy.js";

/** Kinds of calls for which some key lacks a right; callers may ask for any model, and who asks for most loses some. */
export const KINDS_MAX = 256;
/** Keys of which that is known for one kind of call. */
export const KEYS_MAX = 256;

/** What is asked for. */
interface Kind {
  readonly endpoint: string;
  readonly model: string;
}

/** The keys that lack a right to a kind, with when that is forgotten, monotonic; what is forgotten first stands first. */
interface Lacking extends Kind {
  readonly keys: Map<string, number>;
}

/** Ids of keys. */
export type KeyIds = Pick<ReadonlySet<string>, "has" | "size">;

export const NO_KEYS: KeyIds = new Set();

/**
 * Keys that were refused a right while another key served the same call. Which rights a call needs is up to its
 * caller, so nothing is held against such a key: for calls of the same kind and model it comes after the others for
 * a while, and no other call notices anything.
 */
export class Rights {
  readonly #lacking = new FairMap<Lacking>(KINDS_MAX);

  /** @param caller by whose call it is known. */
  lacks(caller: Holder, keyId: string, { endpoint, model }: Kind, nowMs: number): void {
    const kind = nameOf(endpoint, model);
    const keys = this.#lacking.get(kind)?.keys ?? new Map<string, number>();
    keys.delete(keyId);
    keys.set(keyId, nowMs + MODEL_REFUSAL_COOLDOWN_MS);
    dropFirst(keys, KEYS_MAX);
    this.#lacking.set(caller, kind, { endpoint, model, keys });
  }

  /** The key has served such a call after all. */
  has(keyId: string, endpoint: string, model: string): void {
    if (this.#lacking.size > 0) this.#lacking.get(nameOf(endpoint, model))?.keys.delete(keyId);
  }

  /** The keys that come after the others: none for nearly all calls. */
  without(endpoint: string, model: string, nowMs: number): KeyIds {
    if (this.#lacking.size === 0) return NO_KEYS;
    const kind = nameOf(endpoint, model);
    const keys = this.#lacking.get(kind)?.keys;
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
    for (const { keys } of this.#lacking.values()) keys.delete(keyId);
  }

  /** The kinds of calls of a model for which a key lacks the right. */
  lackedBy(keyId: string, model: string, nowMs: number): readonly string[] {
    const found: string[] = [];
    for (const lacking of this.#lacking.values()) {
      const untilMs = lacking.model === model ? lacking.keys.get(keyId) : undefined;
      if (untilMs !== undefined && untilMs > nowMs) found.push(lacking.endpoint);
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
