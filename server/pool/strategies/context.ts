import type { KeySlot } from "../key-slot.js";
import type { Prng } from "../prng.js";
import type { KeyIds } from "../rights.js";
import type { Waits } from "./weighted.js";

/**
 * Tiers up to this size are compared in full. Of larger ones a few keys are drawn at random and compared:
 * the best of eight is in the best third of the pool in 19 of 20 draws, and drawing costs the same for a
 * hundred and for ten thousand keys, where ranking them all would cost a pass for each call.
 */
const COMPARED_IN_FULL_MAX = 16;
const DRAWN = 8;

/** Where the ordered strategies stand among the candidates; ids, so that keys may come and go in between. */
export interface Cursors {
  roundRobin: string;
  sequential: string;
  /** Of the weighted strategy, as it was when the last set ended. */
  waits: Waits;
}

/** What a strategy may look at besides the candidates. */
export interface ChoiceContext {
  readonly nowMs: number;
  /** What is asked for. */
  readonly model: string;
  /** Ids that this call has tried already. */
  readonly tried: ReadonlySet<string>;
  /** Ids of keys that come after the others for calls of this kind. */
  readonly lacking: KeyIds;
  /** Ramping keys that are passed over this time. */
  readonly passed: KeySlot[];
  readonly prng: Prng;
  /** Filled by `compared`, kept to spare an array for each call. */
  readonly scratch: KeySlot[];
}

/** True if no key is kept from the call, as for nearly every one. */
function areAllOpen({ tried, lacking, passed }: ChoiceContext): boolean {
  return tried.size === 0 && lacking.size === 0 && passed.length === 0;
}

/** True if the call may use the key. */
export function isOpen(slot: KeySlot, context: ChoiceContext): boolean {
  // All are empty for nearly every call, and then the key itself need not be looked at.
  if (context.tried.size > 0 && context.tried.has(slot.id)) return false;
  if (context.lacking.size > 0 && context.lacking.has(slot.id)) return false;
  return context.passed.length === 0 || !context.passed.includes(slot);
}

/** The keys to compare: all open ones of a small list, a random draw of a large one. */
export function compared(ready: readonly KeySlot[], context: ChoiceContext): readonly KeySlot[] {
  const { scratch, prng } = context;
  const isSmall = ready.length <= COMPARED_IN_FULL_MAX;
  if (isSmall && areAllOpen(context)) return ready;
  scratch.length = 0;
  if (isSmall) {
    for (const slot of ready) if (isOpen(slot, context)) scratch.push(slot);
    return scratch;
  }
  for (let i = 0; i < DRAWN; i++) {
    const slot = ready[prng.below(ready.length)];
    if (slot !== undefined && isOpen(slot, context)) scratch.push(slot);
  }
  if (scratch.length > 0) return scratch;
  // Nearly everything drawn was tried already: go on from a random place to the first open one.
  const from = prng.below(ready.length);
  const found = firstOpen(ready, from, context);
  if (found !== undefined) scratch.push(found);
  return scratch;
}

/** The first open key from a place on, round the end. Looks at no more than the tried ones and one. */
export function firstOpen(
  ready: readonly KeySlot[],
  from: number,
  context: ChoiceContext,
): KeySlot | undefined {
  for (let step = 0; step < ready.length; step++) {
    const slot = ready[(from + step) % ready.length];
    if (slot !== undefined && isOpen(slot, context)) return slot;
  }
  return undefined;
}

/** Among equals: less busy, then the longest unused, then the lower id. */
export function goesFirst(a: KeySlot, b: KeySlot, { model, nowMs }: ChoiceContext): boolean {
  const busyA = a.busy(model, nowMs);
  const busyB = b.busy(model, nowMs);
  if (busyA !== busyB) return busyA < busyB;
  if (a.lastTurn !== b.lastTurn) return a.lastTurn < b.lastTurn;
  if (a.lastUsedMs !== b.lastUsedMs) return a.lastUsedMs < b.lastUsedMs;
  return a.id < b.id;
}
