import type { KeySlot, Place } from "./key-slot.js";
import type { Cursors } from "./strategies/context.js";
import { WeightedQueue } from "./strategies/weighted.js";

/** For how long the answer "when is the next key back" is kept while a dry pool is asked again and again. */
const NEXT_BACK_KEPT_MS = 50;

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
  /** Leases given, to space out the calls that prove keys. */
  leases = 0;
  /** Every set has its own, so that a use for other models does not move the order on for these. */
  readonly cursors: Cursors;
  #weighted: WeightedQueue | null = null;
  #nextBack: { readonly atMs: number; readonly backMs: number } | null = null;

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
    take(this.members, slot);
    take(this.ready, slot);
    take(this.awaiting, slot);
    this.#weighted?.leave(slot);
    this.#nextBack = null;
    const at = slot.sets.indexOf(this);
    if (at >= 0) slot.sets.splice(at, 1);
  }

  /** Puts a member into the list where it belongs now. */
  settle(slot: KeySlot): void {
    const place = this.#placeOf(slot);
    if (place !== "READY") take(this.ready, slot);
    if (place !== "AWAITING_PROOF") take(this.awaiting, slot);
    if (place === "READY") insert(this.ready, slot);
    if (place === "AWAITING_PROOF") insert(this.awaiting, slot);
    if (place === "READY") this.#weighted?.enter(slot);
    this.#nextBack = null;
  }

  /** True when the provider refuses the model to every key that could serve it otherwise, and there is one. */
  modelRefused(): boolean {
    const { model } = this;
    if (model === null) return false;
    const able = this.members.filter((slot) => slot.standing === "ELIGIBLE");
    return able.length > 0 && able.every((slot) => slot.refusesModel(model));
  }

  /** Ends the set: its members forget it. */
  dissolve(): void {
    for (const slot of this.members) {
      const at = slot.sets.indexOf(this);
      if (at >= 0) slot.sets.splice(at, 1);
    }
  }

  /** The queue of the weighted strategy, made when it is first asked for. */
  weighted(): WeightedQueue {
    this.#weighted ??= new WeightedQueue(this.ready, (slot) => this.#placeOf(slot) === "READY");
    return this.#weighted;
  }

  /** A ready member by id. */
  findReady(id: string): KeySlot | undefined {
    return find(this.ready, id);
  }

  /** A member by id, whatever its standing. */
  findMember(id: string): KeySlot | undefined {
    return find(this.members, id);
  }

  /** When the first blocked member comes back, monotonic milliseconds; infinity if none will by itself. */
  nextBackMs(nowMs: number): number {
    const kept = this.#nextBack;
    if (kept !== null && nowMs - kept.atMs < NEXT_BACK_KEPT_MS) return kept.backMs;
    let backMs = Infinity;
    for (const slot of this.members) {
      if (this.#placeOf(slot) === "OUT") backMs = Math.min(backMs, this.#backMs(slot, nowMs));
    }
    this.#nextBack = { atMs: nowMs, backMs };
    return backMs;
  }

  /** To be called when a member that is out will be back at another time than before. */
  forgetNextBack(): void {
    this.#nextBack = null;
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
