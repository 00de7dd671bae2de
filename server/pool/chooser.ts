import type { Clock } from "../core/clock.js";
import type { LeaseRequest } from "../core/lease.js";
import type { RouteTarget } from "../core/provider.js";
import { AffinityMap } from "./affinity.js";
import type { CandidateSet } from "./candidate-set.js";
import type { KeySlot } from "./key-slot.js";
import type { Lane } from "./lane.js";
import type { Prng } from "./prng.js";
import type { KeyRegistry } from "./registry.js";
import { type KeyIds, NO_KEYS } from "./rights.js";
import { type Scope, scopeName } from "./scope.js";
import { choose, passedOver, taken } from "./strategies/choose.js";
import type { ChoiceContext } from "./strategies/context.js";
import { type Allocation, type Strategy, strategyFor } from "./allocation.js";

/** While others are ready, one lease in this many may go to a key that has to prove itself. */
export const PROOF_EVERY_LEASES = 4;
/** Ramping keys that one lease passes over before it takes the first of them after all. */
const RAMPING_PASSED_MAX = 4;

export interface ChooserOptions {
  readonly clock: Clock;
  readonly registry: KeyRegistry;
  readonly prng: Prng;
  /** The settings as they are now. */
  readonly allocation: () => Allocation;
}

/** What a key is chosen for. */
export interface Asking {
  readonly request: LeaseRequest;
  readonly scope: Scope;
  readonly nowMs: number;
}

/**
 * Chooses among the keys of one target: tier by tier, by session and strategy. It also gives calls to keys that have to
 * prove themselves, and fewer to those that come back from a rest.
 */
export class Chooser {
  readonly #clock: Clock;
  readonly #registry: KeyRegistry;
  readonly #prng: Prng;
  readonly #allocation: () => Allocation;
  readonly #affinities = new AffinityMap();
  readonly #scratch: KeySlot[] = [];
  #turns = 0;

  constructor(options: ChooserOptions) {
    this.#clock = options.clock;
    this.#registry = options.registry;
    this.#prng = options.prng;
    this.#allocation = options.allocation;
  }

  /**
   * The key of a target for a call; undefined when none is left. Keys that lack a right for such calls come last: this
   * call may not need it.
   */
  pick(target: RouteTarget, call: Asking): KeySlot | undefined {
    const { request, scope, nowMs } = call;
    const lanes = this.#registry.index.lanes(target.provider.id, scope);
    const [first] = lanes;
    if (first === undefined) return undefined;
    const { origin } = first;
    origin.callers.note(request.principal.ownerId, nowMs);
    if (origin.isTroubled && origin.backMs(target.upstreamModel, nowMs) > nowMs) return undefined;
    const lacking = this.#registry.rights.without(request.endpoint, target.upstreamModel, nowMs);
    for (const lane of lanes) {
      const slot = this.#pickIn(lane, target, lacking, call);
      if (slot !== undefined) return slot;
    }
    if (lacking.size === 0) return undefined;
    for (const lane of lanes) {
      const slot = this.#pickIn(lane, target, NO_KEYS, call);
      if (slot !== undefined) return slot;
    }
    return undefined;
  }

  /** A key is used, or passed over on its way back to its full share: what it misses is not made up for later. */
  noteTurn(slot: KeySlot, nowMs: number): void {
    slot.lastTurn = ++this.#turns;
    slot.uses.add(nowMs);
  }

  /** Whether a key has expired by the wall clock, which may have been set since the key was last looked at. */
  hasExpired(slot: KeySlot): boolean {
    const { expiresAt } = slot.key;
    if (expiresAt === null || expiresAt > this.#clock.now()) return false;
    this.#registry.refresh(slot);
    return true;
  }

  #pickIn(lane: Lane, target: RouteTarget, lacking: KeyIds, call: Asking): KeySlot | undefined {
    const { request, nowMs } = call;
    const set = lane.candidates(target.upstreamModel);
    set.leases++;
    const proof = this.#proofDue(set, request.tried);
    if (proof !== undefined && isLeft(proof, request, lacking)) return proof;
    const strategy = strategyFor(this.#allocation(), target.provider.id);
    const { affinity: name, principal: caller } = request;
    const session = name === "" ? "" : `${scopeName(call.scope)} ${target.provider.id}`;
    const kept = this.#sessionKey(set, session, call);
    const slot =
      kept !== undefined && isLeft(kept, request, lacking)
        ? kept
        : this.#choose(strategy, set, lacking, call);
    if (slot !== undefined) {
      taken(strategy, set, slot, nowMs);
      if (name !== "") this.#affinities.set({ scope: session, name, caller }, slot.id, nowMs);
      return slot;
    }
    return set.awaiting.find((each) => isLeft(each, request, lacking));
  }

  /** A key on proof is tried by a call's first attempt and now and then, so that nobody fails on two of them. */
  #proofDue(set: CandidateSet, tried: ReadonlySet<string>): KeySlot | undefined {
    if (set.awaiting.length === 0 || tried.size > 0) return undefined;
    return set.leases % PROOF_EVERY_LEASES === 0 ? set.awaiting[0] : undefined;
  }

  #sessionKey(
    set: CandidateSet,
    session: string,
    call: { request: LeaseRequest; nowMs: number },
  ): KeySlot | undefined {
    if (call.request.affinity === "" || !this.#allocation().sessionAffinity) return undefined;
    const id = this.#affinities.get(session, call.request.affinity, call.nowMs);
    if (id === undefined) return undefined;
    const slot = set.findReady(id);
    return slot === undefined || this.hasExpired(slot) ? undefined : slot;
  }

  #choose(
    strategy: Strategy,
    set: CandidateSet,
    lacking: KeyIds,
    call: Asking,
  ): KeySlot | undefined {
    const passed: KeySlot[] = [];
    const context: ChoiceContext = {
      nowMs: call.nowMs,
      tried: call.request.tried,
      lacking,
      passed,
      prng: this.#prng,
      scratch: this.#scratch,
    };
    let first: KeySlot | undefined;
    for (;;) {
      const slot = choose(strategy, set, context);
      if (slot === undefined) return first;
      if (this.hasExpired(slot)) continue;
      if (strategy === "SEQUENTIAL" || slot.isDue(call.nowMs)) return slot;
      first ??= slot;
      if (passed.length >= RAMPING_PASSED_MAX) return first;
      passed.push(slot);
      this.noteTurn(slot, call.nowMs);
      passedOver(strategy, set, slot);
    }
  }
}

function isLeft({ id }: KeySlot, { tried }: LeaseRequest, lacking: KeyIds): boolean {
  return !tried.has(id) && !lacking.has(id);
}
