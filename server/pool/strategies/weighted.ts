import { Heap } from "../heap.js";
import type { KeySlot } from "../key-slot.js";

interface Entry {
  readonly slot: KeySlot;
  readonly timeAt: number;
}

/** What is left of the wait for their turn, in virtual time, by the ids of keys. */
export type Waits = ReadonlyMap<string, number>;

export const NO_WAITS: Waits = new Map();

/**
 * Weighted fair queueing: each key has a virtual time that moves on by 1/weight with each use, and the earliest is next.
 * Shares are exactly by weight, at O(log keys) for a call. A key that comes in waits for one turn from the present
 * virtual time on, and one that was out for as much of it as it had left: each gets its share from now on and nothing
 * for the past, however often it goes and comes.
 */
export class WeightedQueue {
  readonly #heap = new Heap<Entry>(isBefore);
  /** The virtual times of the keys that can be chosen. */
  readonly #times = new Map<KeySlot, number>();
  /** What keys had left of the wait for their turn when they last went out. */
  readonly #waits = new Map<KeySlot, number>();
  /** The time of each key's entry in the heap; other entries of it are stale. It may be behind the key's own time. */
  readonly #queuedAt = new Map<KeySlot, number>();
  /** The earliest time of all when a key was last used. */
  #virtualNow = 0;

  /** @param waits what keys had left of the wait for their turn, whatever their weight was. */
  constructor(members: readonly KeySlot[], ready: readonly KeySlot[], waits: Waits) {
    for (const slot of members) {
      const wait = waits.get(slot.id);
      if (wait !== undefined) this.#waits.set(slot, Math.min(wait, stepOf(slot)));
    }
    for (const slot of ready) this.enter(slot);
  }

  /** What each key has left of the wait for its turn, for a queue that goes on from here. */
  waits(): Waits {
    const waits = new Map<string, number>();
    for (const [slot, wait] of this.#waits) waits.set(slot.id, wait);
    for (const [slot, timeAt] of this.#times) waits.set(slot.id, this.#leftOf(slot, timeAt));
    return waits;
  }

  /** A key can be chosen, from now on or as before. */
  enter(slot: KeySlot): void {
    if (this.#times.has(slot)) return;
    const timeAt = this.#virtualNow + (this.#waits.get(slot) ?? stepOf(slot));
    this.#times.set(slot, timeAt);
    if ((this.#queuedAt.get(slot) ?? Infinity) > timeAt) this.#push(slot, timeAt);
  }

  /** A key cannot be chosen for a while. */
  pause(slot: KeySlot): void {
    const timeAt = this.#times.get(slot);
    if (timeAt === undefined) return;
    this.#times.delete(slot);
    this.#waits.set(slot, this.#leftOf(slot, timeAt));
  }

  /** A key does not belong to the set any more. Its entry in the heap is dropped when it comes up. */
  leave(slot: KeySlot): void {
    this.#times.delete(slot);
    this.#waits.delete(slot);
  }

  /** The next key that `isOpen` lets through. Nothing is booked before `used` is called. */
  next(isOpen: (slot: KeySlot) => boolean): KeySlot | undefined {
    const aside: Entry[] = [];
    let entry = this.#first();
    while (entry !== undefined && !isOpen(entry.slot)) {
      aside.push(entry);
      this.#heap.pop();
      entry = this.#first();
    }
    for (const each of aside) this.#heap.push(each);
    return entry?.slot;
  }

  /** Books a use of a key, be it out of turn: its virtual time moves on, and that of all when none is behind. */
  used(slot: KeySlot): void {
    const timeAt = this.#times.get(slot);
    if (timeAt === undefined) return;
    this.#times.set(slot, timeAt + stepOf(slot));
    this.#virtualNow = this.#first()?.timeAt ?? this.#virtualNow;
  }

  /** The earliest entry. Those before it that do not hold any more are dropped, or put where their keys are now. */
  #first(): Entry | undefined {
    for (;;) {
      const { first } = this.#heap;
      if (first === undefined) return undefined;
      const { slot, timeAt } = first;
      const nowAt = this.#times.get(slot);
      if (nowAt === timeAt) return first;
      this.#heap.pop();
      const isStale = this.#queuedAt.get(slot) !== timeAt;
      if (isStale) continue;
      this.#queuedAt.delete(slot);
      if (nowAt !== undefined) this.#push(slot, nowAt);
    }
  }

  #leftOf(slot: KeySlot, timeAt: number): number {
    return Math.min(timeAt - this.#virtualNow, stepOf(slot));
  }

  #push(slot: KeySlot, timeAt: number): void {
    this.#queuedAt.set(slot, timeAt);
    this.#heap.push({ slot, timeAt });
  }
}

function stepOf(slot: KeySlot): number {
  return 1 / slot.key.weight;
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.timeAt < b.timeAt || (a.timeAt === b.timeAt && a.slot.id < b.slot.id);
}
