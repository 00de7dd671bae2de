import { poolName } from "../core/model-apart.js";
import type { Used } from "../core/call.js";
import type { Principal } from "../core/client-key.js";
import type { Clock } from "../core/clock.js";
import type { Lease, LeaseResult } from "../core/lease.js";
import type { ProviderKey } from "../core/provider-key.js";
import type { RouteTarget } from "../core/provider.js";
import { afterOutdone } from "./health.js";
import type { KeySlot } from "./key-slot.js";
import type { LoadAtBegin, ModelLoad } from "./model-load.js";
import type { Origin } from "./origin.js";
import type { KeyRegistry } from "./registry.js";

/** Who lends keys, and learns from what became of each attempt. */
export interface Lender {
  readonly registry: KeyRegistry;
  readonly clock: Clock;
  /** The attempt is over. Called once for each lease. */
  onReleased(lease: KeyLease, result: LeaseResult): void;
}

/** What a key is lent for, and when. */
export interface LeaseTerms {
  readonly slot: KeySlot;
  readonly target: RouteTarget;
  /** Whose call it is for. */
  readonly caller: Principal;
  readonly endpoint: string;
  readonly load: ModelLoad;
  readonly begunMs: number;
  readonly wallMs: number;
}

/** A provider key as it is lent for one attempt. A class and not closures: one is made for each call. */
export class KeyLease implements Lease, LoadAtBegin {
  readonly providerKey: ProviderKey;
  readonly target: RouteTarget;
  readonly slot: KeySlot;
  readonly caller: Principal;
  readonly load: ModelLoad;
  readonly origin: Origin;
  readonly begunMs: number;
  // As they were at its begin.
  readonly inFlight: number;
  readonly limits: number;
  readonly begun: number;
  readonly #moves: number;
  readonly #lender: Lender;
  readonly #endpoint: string;
  readonly #wallMs: number;
  #isProof: boolean;
  #isOpen = true;
  #lacksRight = false;
  #isSettled = false;

  constructor(lender: Lender, terms: LeaseTerms) {
    const { slot, load } = terms;
    this.#lender = lender;
    this.slot = slot;
    this.origin = slot.origin;
    this.providerKey = slot.key;
    this.target = terms.target;
    this.caller = terms.caller;
    this.load = load;
    this.begunMs = terms.begunMs;
    this.inFlight = load.inFlight;
    this.limits = load.limits;
    this.begun = load.begun;
    this.#moves = slot.origin.moves;
    this.#endpoint = terms.endpoint;
    this.#wallMs = terms.wallMs;
    this.#isProof = slot.condition.onProof;
  }

  get model(): string {
    return poolName(this.target);
  }

  /** The key still has to prove itself, and this attempt is to show it. */
  get isProof(): boolean {
    return this.#isProof;
  }

  /** The provider has another address than when the key was lent. */
  get isMoved(): boolean {
    return this.origin.moves !== this.#moves;
  }

  /** The key has another secret, or place to go, than when it was lent: what became of the old one says nothing about it. */
  get isReplaced(): boolean {
    return this.isMoved || this.slot.key.fingerprint !== this.providerKey.fingerprint;
  }

  proven(): void {
    if (!this.#isOpen) return;
    if (this.origin.isTroubled && !this.isMoved)
      this.origin.served(this, this.#lender.clock.monotonic());
    if (!this.#isProof) return;
    this.#isProof = false;
    if (!this.isReplaced) this.#lender.registry.endProof(this.slot);
  }

  release(result: LeaseResult): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    const { rights } = this.#lender.registry;
    if (result.outcome === "OK" && !this.isMoved)
      rights.has(this.slot.id, this.#endpoint, this.target.upstreamModel);
    this.#lacksRight = result.outcome === "RIGHT_REFUSED";
    this.#lender.onReleased(this, result);
  }

  outdone(): void {
    const { slot, target } = this;
    const { registry, clock } = this.#lender;
    if (slot.gone || this.isReplaced) return;
    if (this.#lacksRight) {
      const endpoint = this.#endpoint;
      const kind = { endpoint, model: target.upstreamModel };
      registry.rights.lacks(this.caller, slot.id, kind, clock.monotonic());
    } else registry.setCondition(slot, afterOutdone(slot.condition));
  }

  settle(used: Used | null): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#lender.registry.settleQuota(this.slot, this.#wallMs, used);
  }
}
