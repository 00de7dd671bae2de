import { type CandidateSet, lowerBound } from "../candidate-set.js";
import type { KeySlot } from "../key-slot.js";
import { RATE_COUNTS_FROM } from "../health-policy.js";
import { type ChoiceContext, firstOpen, isOpen } from "./context.js";

/** Below this success rate, once there is enough to judge by, a key counts as used up. */
const USED_UP_RATE = 0.3;

/** One key until it is used up (not eligible any more, or nearly always failing), then the next by id. */
export function chooseInOrder(set: CandidateSet, context: ChoiceContext): KeySlot | undefined {
  const { sequential } = set.cursors;
  const current = set.findReady(sequential);
  if (current !== undefined && isOpen(current, context) && !isUsedUp(current, context.nowMs))
    return current;
  const from = lowerBound(set.ready, sequential);
  const start = current === undefined ? from : from + 1;
  return firstGood(set.ready, start, context) ?? firstOpen(set.ready, start, context);
}

/**
 * Whether the order moves on to the key that was chosen, or the call just stepped aside for once: the key may have refused
 * that call, or have all the calls that it may have at a time, which does not make it any less eligible.
 */
export function movesOn(set: CandidateSet, nowMs: number): boolean {
  const { sequential } = set.cursors;
  const current = set.findReady(sequential) ?? set.findFull(sequential);
  return current === undefined || isUsedUp(current, nowMs);
}

function firstGood(
  ready: readonly KeySlot[],
  from: number,
  context: ChoiceContext,
): KeySlot | undefined {
  for (let step = 0; step < ready.length; step++) {
    const slot = ready[(from + step) % ready.length];
    if (slot !== undefined && isOpen(slot, context) && !isUsedUp(slot, context.nowMs)) return slot;
  }
  return undefined;
}

function isUsedUp(slot: KeySlot, nowMs: number): boolean {
  slot.outcomes.forgetOld(nowMs);
  return slot.outcomes.count > RATE_COUNTS_FROM && slot.outcomes.rate < USED_UP_RATE;
}
