import { unreachable } from "../../core/assert.js";
import type { CandidateSet } from "../candidate-set.js";
import type { KeySlot } from "../key-slot.js";
import type { Strategy } from "../allocation.js";
import { type ChoiceContext, isOpen } from "./context.js";
import { chooseLeastBusy } from "./least-busy.js";
import { chooseInTurn } from "./round-robin.js";
import { chooseByScore } from "./score-based.js";
import { chooseInOrder, movesOn } from "./sequential.js";

/** The key that a strategy would take among the ready ones; undefined when none is open to the call. */
export function choose(
  strategy: Strategy,
  set: CandidateSet,
  context: ChoiceContext,
): KeySlot | undefined {
  switch (strategy) {
    case "SCORE_BASED":
      return chooseByScore(set, context);
    case "ROUND_ROBIN":
      return chooseInTurn(set, context);
    case "SEQUENTIAL":
      return chooseInOrder(set, context);
    case "LEAST_BUSY":
      return chooseLeastBusy(set, context);
    case "WEIGHTED":
      return set.weighted().next((slot) => isOpen(slot, context));
    default:
      return unreachable(strategy);
  }
}

/** Notes a use of a key, or that it was passed over while ramping: what it missed is not made up for later. */
export function noteUse(strategy: Strategy, set: CandidateSet, slot: KeySlot): void {
  if (strategy === "WEIGHTED") set.weighted().used(slot);
}

/**
 * Notes that the key was taken that the strategy chose: an order goes on from there. A call that is bound to a key takes
 * no turn, or calls of one session would send all those in between to the key after its own.
 */
export function noteChoice(
  strategy: Strategy,
  set: CandidateSet,
  slot: KeySlot,
  nowMs: number,
): void {
  if (strategy === "ROUND_ROBIN") set.cursors.roundRobin = slot.id;
  if (strategy === "SEQUENTIAL" && movesOn(set, nowMs)) set.cursors.sequential = slot.id;
}
