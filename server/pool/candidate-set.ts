import { Heap } from "./heap.js";
import type { KeySlot, Place } from "./key-slot.js";
import type { Cursors } from "./strategies/context.js";
import { NO_WAITS, WeightedQueue } from "./strategies/weighted.js";

/** Stale entries that the queue of members that are out may have beside one for each member. */
const STALE_MAX = 64;

/** Of the keys that are eligible but for single models, if there are any: whether one serves the model. */
export type Serving = "SERVED" | "REFUSED" | "NONE_WORKS";

/** When a member is back, as it was known when it was noted. */
interface Return {
  readonly backMs: number;
  readonly slot: KeySlot;
}

/**
 * The keys that can serve the same models in one lane, sorted by id, and apart from them those that can be
 * chosen right now. A change of one key's standing moves it between the lists; choosing looks at a few.
 */
export class CandidateSet {
  readonly members: KeySlot[] = [];
  /** The model whose own rests count here; null for a set that several models share. */
  readonly model: string | null;
  readonly ready: KeySlot[] = [];
  readonly awaiting: KeySlot[] = [];
  /** Calls that have asked while a key waited to be proven; such proofs are spaced out by them. */
  proofsAsked = 0;
  /** Every set has its own, so that a use for other models does not move the order on for these. */
  readonly cursors: Cursors;
  #weighted: WeightedQueue | null = null;
  /** Kept until a member is put elsewhere; null when it has to be found out. A dry pool is asked at every call. */
  #serving: Serving | null = null;
  /** Members that are out, by when they are back; made when it is first asked for, as by every call to a dry pool. */
  #returns: Heap<Return> | null = null;

  constructor(slots: Iterable<KeySlot>, cursors: Cursors, model: string | null = null) {
    this.cursors = cursors;
    this.model = model;
    for (const slot of [...slots].toSorted(byId)) {
      this.members.push(slot);
      const place = this.#placeOf(slot);
      if (place === "READY") this.ready.push(slot);
      if (place === "AWAITING_PROOF") this.awaiting.push(slot);
      slot.sets.push(this);
    }
  }

  add(slot: KeySlot): void {
    insert(this.members, slot);
    slot.sets.push(this);
    this.settle(slot);
  }

  remove(slot: KeySlot): void {
    this.#serving = null;
    take(this.members, slot);
    take(this.ready, slot);
    take(this.awaiting, slot);
    this.#weighted?.leave(slot);
    const at = slot.sets.indexOf(this);
    if (at >= 0) slot.sets.splice(at, 1);
  }

  /** Puts a member into the list where it belongs now. */
  settle(slot: KeySlot): void {
    const place = this.#placeOf(slot);
    this.#serving = null;
    if (place !== "READY") take(this.ready, slot);
    if (place !== "AWAITING_PROOF") take(this.awaiting, slot);
    if (place === "READY") insert(this.ready, slot);
    if (place === "AWAITING_PROOF") insert(this.awaiting, slot);
    if (place === "READY") this.#weighted?.enter(slot);
    else this.#weighted?.pause(slot);
    if (place === "OUT") this.noteReturn(slot);
  }

  /** Whether any key that works serves the model, as far as the provider has said. */
  get serving(): Serving {
    this.#serving ??= this.#servingNow();
    return this.#serving;
  }

  #servingNow(): Serving {
    let serving: Serving = "NONE_WORKS";
    for (const slot of this.members) {
      if (slot.standing !== "ELIGIBLE") continue;
      if (this.model === null || !slot.refusesModel(this.model)) return "SERVED";
      serving = "REFUSED";
    }
    return serving;
  }

  /** Where the strategies stand now, for a set that goes on from here. */
  turns(): Cursors {
    return { ...this.cursors, waits: this.#weighted?.waits() ?? this.cursors.waits };
  }

  /** Ends the set: its members forget it. */
  dissolve(): void {
    this.cursors.waits = this.turns().waits;
    for (const slot of this.members) {
      const at = slot.sets.indexOf(this);
      if (at >= 0) slot.sets.splice(at, 1);
    }
  }

  /** The queue of the weighted strategy, made when it is first asked for. */
  weighted(): WeightedQueue {
    if (this.#weighted !== null) return this.#weighted;
    this.#weighted = new WeightedQueue(this.members, this.ready, this.cursors.waits);
    this.cursors.waits = NO_WAITS;
    return this.#weighted;
  }

  /** A ready member by id. */
  findReady(id: string): KeySlot | undefined {
    return find(this.ready, id);
  }

  /** A member by id that would be ready if it had not all the calls of the model that it may have at a time. */
  findFull(id: string): KeySlot | undefined {
    const { model } = this;
    const slot = model === null ? undefined : find(this.members, id);
    if (model === null || slot?.place !== "READY") return undefined;
    return slot.loads.isFull(model) && slot.modelBackMs(model) === null ? slot : undefined;
  }

  /** A member by id, whatever its standing. */
  findMember(id: string): KeySlot | undefined {
    return find(this.members, id);
  }

  /** When the first blocked member comes back, monotonic milliseconds; infinity if none will by itself. */
  nextBackMs(nowMs: number): number {
    const returns = (this.#returns ??= this.#returnsOf(nowMs));
    for (;;) {
      const { first } = returns;
      if (first === undefined) return Infinity;
      const { backMs, slot } = first;
      const isOut = slot.sets.includes(this) && this.#placeOf(slot) === "OUT";
      const knownMs = isOut ? this.#backMs(slot, nowMs) : Infinity;
      const isRight = this.#isGuessed(slot) ? backMs > nowMs : backMs === knownMs;
      if (knownMs !== Infinity && isRight) return backMs;
      returns.pop();
      if (knownMs !== Infinity) returns.push({ backMs: knownMs, slot });
    }
  }

  /** To be called when a member goes out, or is out and will be back at another time than before. */
  noteReturn(slot: KeySlot): void {
    if (this.#returns === null) return;
    // Its time is looked at when somebody asks.
    this.#returns.push({ backMs: -Infinity, slot });
    if (this.#returns.size > 2 * this.members.length + STALE_MAX) this.#returns = null;
  }

  #returnsOf(nowMs: number): Heap<Return> {
    const returns = new Heap<Return>((a, b) => a.backMs < b.backMs);
    for (const slot of this.members) {
      const backMs = this.#placeOf(slot) === "OUT" ? this.#backMs(slot, nowMs) : Infinity;
      if (backMs !== Infinity) returns.push({ backMs, slot });
    }
    return returns;
  }

  /** When a member can be taken, monotonic milliseconds: `nowMs` when it can now, infinity if it will not by itself. */
  memberBackMs(slot: KeySlot, nowMs: number): number {
    return this.#placeOf(slot) === "OUT" ? this.#backMs(slot, nowMs) : nowMs;
  }

  /** When a member that is out comes back; infinity for one that expires before. */
  #backMs(slot: KeySlot, nowMs: number): number {
    const backMs = this.#restsEndMs(slot, nowMs);
    return backMs < slot.keyEndMs ? backMs : Infinity;
  }

  #restsEndMs(slot: KeySlot, nowMs: number): number {
    const { standing } = slot;
    const modelBackMs = this.model === null ? null : slot.modelBackMs(this.model);
    if (standing === "COOLDOWN" || standing === "EXHAUSTED") {
      return Math.max(slot.keyBackMs, modelBackMs ?? 0);
    }
    if (standing !== "ELIGIBLE" && standing !== "PROBING") return Infinity;
    return modelBackMs ?? nowMs + (standing === "PROBING" ? PROOF_TAKES_MS : FULL_WAIT_MS);
  }

  /** True of a member that waits for a call to end, which nobody knows the time of. */
  #isGuessed(slot: KeySlot): boolean {
    const { standing } = slot;
    if (standing !== "ELIGIBLE" && standing !== "PROBING") return false;
    return this.model === null || slot.modelBackMs(this.model) === null;
  }

  #placeOf(slot: KeySlot): Place {
    const { model } = this;
    if (model === null) return slot.place;
    return slot.isApart(model) ? "OUT" : slot.place;
  }
}

/** When to look again at a key that has all the calls that it may have at a time. */
const FULL_WAIT_MS = 200;
/** How long a call that proves a key is guessed to take, for Retry-After. */
const PROOF_TAKES_MS = 1_000;

/** The first place whose id is not below `id`. */
export function lowerBound(slots: readonly KeySlot[], id: string): number {
  let low = 0;
  let high = slots.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((slots[middle]?.id ?? "") < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

function find(slots: readonly KeySlot[], id: string): KeySlot | undefined {
  const slot = slots[lowerBound(slots, id)];
  return slot?.id === id ? slot : undefined;
}

function insert(slots: KeySlot[], slot: KeySlot): void {
  const at = lowerBound(slots, slot.id);
  if (slots[at] !== slot) slots.splice(at, 0, slot);
}

function take(slots: KeySlot[], slot: KeySlot): void {
  const at = lowerBound(slots, slot.id);
  if (slots[at] === slot) slots.splice(at, 1);
}

function byId(a: KeySlot, b: KeySlot): number {
  return a.id < b.id ? -1 : 1;
}
