import { poolName } from "../core/model-apart.js";
import type { LeaseRequest } from "../core/lease.js";
import type { RouteTarget } from "../core/provider.js";
import { AffinityMap, type Session } from "./affinity.js";
import type { CandidateSet } from "./candidate-set.js";
import type { KeySlot } from "./key-slot.js";
import type { Lane } from "./lane.js";
import type { Prng } from "./prng.js";
import type { KeyRegistry } from "./registry.js";
import { type KeyIds, NO_KEYS } from "./rights.js";
import { type Scope, scopeName } from "./scope.js";
import { choose, noteChoice, noteUse } from "./strategies/choose.js";
import type { ChoiceContext } from "./strategies/context.js";
import { type Allocation, type Strategy, strategyFor } from "./allocation.js";

/** While others are ready, one call in this many may go to a key that has to prove itself. */
export const PROOF_EVERY_LEASES = 4;
/** Ramping keys that one lease passes over before it takes the first of them after all. */
const RAMPING_PASSED_MAX = 4;

export interface ChooserOptions {
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
  /** Whether it may be one that has to be proven where no other is left. */
  readonly mayProve: boolean;
}

/** What binds a call to a key. */
interface Bond {
  readonly session: Session;
  /** Undefined while the session has none. */
  readonly keyId: string | undefined;
}

/**
 * Chooses among the keys of one target: tier by tier, by session and strategy. It also gives calls to keys that have to
 * prove themselves, and fewer to those that come back from a rest.
 */
export class Chooser {
  readonly #registry: KeyRegistry;
  readonly #prng: Prng;
  readonly #allocation: () => Allocation;
  readonly #affinities = new AffinityMap();
  readonly #scratch: KeySlot[] = [];
  #turns = 0;

  constructor(options: ChooserOptions) {
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
    if (origin.isTroubled && origin.backMs(poolName(target), nowMs) > nowMs) return undefined;
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

  #pickIn(lane: Lane, target: RouteTarget, lacking: KeyIds, call: Asking): KeySlot | undefined {
    const { request, nowMs, mayProve } = call;
    const set = lane.candidates(poolName(target));
    const proof = this.#isProofDue(set, request.tried)
      ? this.#awaiting(set, request, lacking)
      : undefined;
    if (proof !== undefined) return proof;
    const strategy = strategyFor(this.#allocation(), target.provider.id);
    const bond = request.affinity === "" ? undefined : this.#bondOf(set, target, call);
    const kept = bond?.keyId === undefined ? undefined : this.#keptOf(bond.keyId, set);
    const isKept = kept !== undefined && isLeft(kept, request, lacking);
    const slot = isKept
      ? kept
      : this.#choose(strategy, set, this.#contextOf(target, lacking, call));
    if (slot === undefined) return mayProve ? this.#awaiting(set, request, lacking) : undefined;
    noteUse(strategy, set, slot);
    if (!isKept) noteChoice(strategy, set, slot, nowMs);
    if (bond !== undefined) this.#affinities.set(bond.session, slot.id, nowMs);
    return slot;
  }

  /** A key on proof is tried by a call's first attempt and now and then, so that nobody fails on two of them. */
  #isProofDue(set: CandidateSet, tried: ReadonlySet<string>): boolean {
    if (set.awaiting.length === 0 || tried.size > 0) return false;
    return ++set.proofsAsked % PROOF_EVERY_LEASES === 0;
  }

  /** The first key that waits to be proven and may be by this call. */
  #awaiting(set: CandidateSet, request: LeaseRequest, lacking: KeyIds): KeySlot | undefined {
    if (set.awaiting.length === 0) return undefined;
    for (;;) {
      const slot = set.awaiting.find((each) => isLeft(each, request, lacking));
      if (slot === undefined || !this.#registry.hasExpired(slot)) return slot;
    }
  }

  /** For a model that the session's key does not serve, the session has another key, and keeps that too. */
  #bondOf(set: CandidateSet, target: RouteTarget, { request, scope, nowMs }: Asking): Bond {
    const { affinity, principal: caller } = request;
    const where = `${scopeName(scope)} ${target.provider.id}`;
    const keyId = this.#affinities.get(where, affinity, nowMs);
    if (keyId === undefined || set.findMember(keyId) !== undefined) {
      return { session: { scope: where, name: affinity, caller }, keyId };
    }
    const name = `${affinity}\n${target.upstreamModel}`;
    return {
      session: { scope: where, name, caller },
      keyId: this.#affinities.get(where, name, nowMs),
    };
  }

  #keptOf(keyId: string, set: CandidateSet): KeySlot | undefined {
    if (!this.#allocation().sessionAffinity) return undefined;
    const slot = set.findReady(keyId);
    return slot === undefined || this.#registry.hasExpired(slot) ? undefined : slot;
  }

  #contextOf(target: RouteTarget, lacking: KeyIds, { request, nowMs }: Asking): ChoiceContext {
    return {
      nowMs,
      model: poolName(target),
      tried: request.tried,
      lacking,
      passed: [],
      prng: this.#prng,
      scratch: this.#scratch,
    };
  }

  #choose(strategy: Strategy, set: CandidateSet, context: ChoiceContext): KeySlot | undefined {
    const { nowMs, passed } = context;
    for (;;) {
      const slot = choose(strategy, set, context);
      // Where all are on their way back they share as ever, and none lets a turn pass.
      if (slot === undefined) return passed[0];
      if (this.#registry.hasExpired(slot)) continue;
      const isDue = strategy === "SEQUENTIAL" || slot.isDue(context.model, nowMs);
      if (isDue || passed.length >= RAMPING_PASSED_MAX) {
        const taken = isDue ? slot : (passed[0] ?? slot);
        for (const other of passed)
          if (other !== taken) this.#notePassed(strategy, set, other, nowMs);
        return taken;
      }
      passed.push(slot);
    }
  }

  #notePassed(strategy: Strategy, set: CandidateSet, slot: KeySlot, nowMs: number): void {
    this.noteTurn(slot, nowMs);
    noteUse(strategy, set, slot);
  }
}

function isLeft({ id }: KeySlot, { tried }: LeaseRequest, lacking: KeyIds): boolean {
  return !tried.has(id) && !lacking.has(id);
}
