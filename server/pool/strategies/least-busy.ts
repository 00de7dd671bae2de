import type { CandidateSet } from "../candidate-set.js";
import type { KeySlot } from "../key-slot.js";
import { type ChoiceContext, compared, goesFirst } from "./context.js";

/** The key with the fewest calls in flight; among equals the longest unused, then the lower id. */
export function chooseLeastBusy(set: CandidateSet, context: ChoiceContext): KeySlot | undefined {
  let best: KeySlot | undefined;
  for (const slot of compared(set.ready, context)) {
    if (best === undefined || goesFirst(slot, best, context)) best = slot;
  }
  return best;
}
