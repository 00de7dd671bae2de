import { Heap } from "./heap.js";
import type { KeySlot } from "./key-slot.js";

interface Entry {
  readonly dueMs: number;
  readonly slot: KeySlot;
}

/**
 * Keys by the time at which something about them ends: a cooldown, a quota period, their life. The pool
 * looks at the front whenever it is asked for a key, so that no timer is needed and a key is back at once.
 */
export class WakeQueue {
  readonly #heap = new Heap<Entry>((a, b) => a.dueMs < b.dueMs);

  /** Entries, stale ones included. */
  get size(): number {
    return this.#heap.size;
  }

  /** Queues a key for its `wakeAtMs`. An older entry stays and is passed over when it comes up. */
  add(slot: KeySlot): void {
    this.#heap.push({ dueMs: slot.wakeAtMs, slot });
  }

  /** Takes out the next key that is due at `nowMs` (monotonic); undefined if none is. */
  takeDue(nowMs: number): KeySlot | undefined {
    for (;;) {
      const { first } = this.#heap;
      if (first === undefined || first.dueMs > nowMs) return undefined;
      this.#heap.pop();
      // An entry whose time is not the key's any more was replaced by an earlier or later one.
      if (!first.slot.gone && first.slot.wakeAtMs === first.dueMs) return first.slot;
    }
  }
}
