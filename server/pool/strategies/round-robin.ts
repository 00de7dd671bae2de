import { type CandidateSet, lowerBound } from "../candidate-set.js";
import type { KeySlot } from "../key-slot.js";
import { type ChoiceContext, firstOpen } from "./context.js";

/** The next key by id after the one that was used last, round the end: all take turns evenly. */
export function chooseInTurn(set: CandidateSet, context: ChoiceContext): KeySlot | undefined {
  const { ready } = set;
  const last = set.cursors.roundRobin;
  const at = lowerBound(ready, last);
  return firstOpen(ready, ready[at]?.id === last ? at + 1 : at, context);
}
