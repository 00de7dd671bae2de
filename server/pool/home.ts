import { poolName } from "../core/model-apart.js";
import type { Route, RouteTarget } from "../core/provider.js";
import type { CandidateSet } from "./candidate-set.js";
import { maySoonServe } from "./eligibility.js";
import type { KeyIndex } from "./key-index.js";
import type { KeySlot } from "./key-slot.js";
import type { Scope } from "./scope.js";

/** The one key that can serve a call, with the set and the target that it is found in. */
export interface HomeSlot {
  readonly slot: KeySlot;
  readonly set: CandidateSet;
  readonly target: RouteTarget;
}

/** When the key can be taken, monotonic milliseconds: `nowMs` when it can now, infinity if it will not by itself. */
export function homeBackMs({ slot, set, target }: HomeSlot, nowMs: number): number {
  return Math.max(set.memberBackMs(slot, nowMs), slot.origin.backMs(poolName(target), nowMs));
}

/**
 * The key whose account holds what a call names; undefined when it is gone, switched off or refused for good.
 * Only among the keys that the call could get anyway: whoever names a home gets no further by it.
 */
export function findHome(
  index: KeyIndex,
  { route, home, scope }: { route: Route; home: string; scope: Scope },
): HomeSlot | undefined {
  if (home === "") return undefined;
  for (const target of route.targets) {
    for (const lane of index.lanes(target.provider.id, scope)) {
      const set = lane.candidates(poolName(target));
      const slot = set.findMember(home);
      if (slot !== undefined && maySoonServe(slot.standing)) return { slot, set, target };
    }
  }
  return undefined;
}
