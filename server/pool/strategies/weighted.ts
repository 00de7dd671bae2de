import { Heap } from "../heap.js";
import type { KeySlot } from "../key-slot.js";

interface Entry {
  readonly slot: KeySlot;
  readonly timeAt: number;
}

/**
 * Weighted fair queueing: each key has a virtual time that moves on by 1/weight with each use, and the
 * earliest is next. Shares are exactly by weight, at O(log keys) for a call. A key that comes in starts
 * at the present virtual time, so it gets its share from now on and nothing for the past.
 */
export class WeightedQueue {
  readonly #heap = new Heap<Entry>(isBefore);
  /** Virtual times of the members; a key that is not in here does not belong to the set any more. */
  readonly #times = new Map<KeySlot, number>();
  readonly #queued = new Set<KeySlot>();
  #virtualNow = 0;

  readonly #isReady: (slot: KeySlot) => boolean;

  constructor(ready: readonly KeySlot[], isReady: (slot: KeySlot) => boolean) {
    this.#isReady = isReady;
    for (const slot of ready) this.enter(slot);
  }

  /** A key has become ready, or has come new. */
  enter(slot: KeySlot): void {
    const timeAt = Math.max(this.#times.get(slot) ?? 0, this.#virtualNow + stepOf(slot));
    this.#times.set(slot, timeAt);
    if (this.#queued.has(slot)) return;
    this.#queued.add(slot);
    this.#heap.push({ slot, timeAt });
  }

  /** A key does not belong to the set any more. Its entry in the heap is dropped when it comes up. */
  leave(slot: KeySlot): void {
    this.#times.delete(slot);
  }

  /** The next key that `isOpen` lets through. Nothing is booked before `used` is called. */
  next(isOpen: (slot: KeySlot) => boolean): KeySlot | undefined {
    const aside: Entry[] = [];
    let chosen: KeySlot | undefined;
    for (let entry = this.#heap.pop(); entry !== undefined; entry = this.#heap.pop()) {
      const { slot } = entry;
      const timeAt = this.#times.get(slot);
      if (timeAt === undefined || !this.#isReady(slot)) {
        this.#queued.delete(slot);
      } else if (entry.timeAt < timeAt) {
        this.#heap.push({ slot, timeAt });
      } else {
        aside.push(entry);
        if (!isOpen(slot)) continue;
        chosen = slot;
        break;
      }
    }
    for (const entry of aside) this.#heap.push(entry);
    return chosen;
  }

  /** Books a use of a key: its virtual time moves on. */
  used(slot: KeySlot): void {
    const timeAt = this.#times.get(slot);
    if (timeAt === undefined) return;
    this.#virtualNow = Math.max(this.#virtualNow, timeAt);
    this.#times.set(slot, timeAt + stepOf(slot));
  }
}

function stepOf(slot: KeySlot): number {
  return 1 / Math.max(1, slot.key.weight);
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.timeAt < b.timeAt || (a.timeAt === b.timeAt && a.slot.id < b.slot.id);
}
