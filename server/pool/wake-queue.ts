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
  readonly #heap: Entry[] = [];

  /** Entries, stale ones included. */
  get size(): number {
    return this.#heap.length;
  }

  /** Queues a key for its `wakeAtMs`. An older entry stays and is passed over when it comes up. */
  add(slot: KeySlot): void {
    const heap = this.#heap;
    const entry: Entry = { dueMs: slot.wakeAtMs, slot };
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const above = (at - 1) >>> 1;
      const parent = heap[above];
      if (parent === undefined || parent.dueMs <= entry.dueMs) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = entry;
  }

  /** The next key that is due, or undefined. */
  takeDue(nowMs: number): KeySlot | undefined {
    for (;;) {
      const top = this.#heap[0];
      if (top === undefined || top.dueMs > nowMs) return undefined;
      this.#removeTop();
      // An entry whose time is not the key's any more was replaced by an earlier or later one.
      if (!top.slot.gone && top.slot.wakeAtMs === top.dueMs) return top.slot;
    }
  }

  #removeTop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const a = heap[left];
      const b = heap[left + 1];
      const child = a !== undefined && b !== undefined && b.dueMs < a.dueMs ? left + 1 : left;
      const entry = heap[child];
      if (entry === undefined || entry.dueMs >= last.dueMs) break;
      heap[at] = entry;
      at = child;
    }
    heap[at] = last;
  }
}
