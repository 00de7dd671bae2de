import type { CandidateSet } from "../candidate-set.js";
import type { KeySlot } from "../key-slot.js";
import { totalOf } from "../score.js";
import { type ChoiceContext, compared, goesFirst } from "./context.js";

/** The key with the highest score; among equals the less busy, longer unused, lower id. */
export function chooseByScore(set: CandidateSet, context: ChoiceContext): KeySlot | undefined {
  const candidates = compared(set.ready, context);
  let maxLoad = 0;
  for (const slot of candidates) maxLoad = Math.max(maxLoad, slot.load(context.nowMs));
  let best: KeySlot | undefined;
  let bestTotal = -Infinity;
  for (const slot of candidates) {
    const total = totalOf(slot, context.nowMs, maxLoad);
    if (
      best === undefined ||
      total > bestTotal ||
      (total === bestTotal && goesFirst(slot, best, context))
    ) {
      best = slot;
      bestTotal = total;
    }
  }
  return best;
}
