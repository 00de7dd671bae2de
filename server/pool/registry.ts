import type { Used } from "../core/call.js";
import type { Change } from "../core/change.js";
import type { Holder } from "../core/client-key.js";
import type { Clock } from "../core/clock.js";
import { HOUR_MS } from "../core/durations.js";
import { type Period, PERIODS } from "../core/period.js";
import { PeriodBooks } from "../core/period-books.js";
import {
  type Health,
  type KeyHealth,
  type ProviderKey,
  type Tier,
  TIERS,
} from "../core/provider-key.js";
import type { Provider } from "../core/provider.js";
import type { User } from "../core/user.js";
import { isExpired, type Standing, standingOf, STANDINGS } from "./eligibility.js";
import { type Condition, FRESH, rampingUp } from "./condition.js";
import { afterRest, afterProof } from "./health.js";
import { KeyGroups } from "./key-groups.js";
import { KeyIndex } from "./key-index.js";
import { conditionFrom, healthOf, KeySlot, type Place } from "./key-slot.js";
import { type InService, servesAlike } from "./lane.js";
import { ModelConditions } from "./model-conditions.js";
import { type Moment, momentOf } from "./moment.js";
import type { PastUse } from "./quota-meter.js";
import { Rights } from "./rights.js";
import type { UseWindow } from "./use-window.js";
import { WakeQueue } from "./wake-queue.js";

/** A provider key whose health changed, for storing and for watchers. */
export interface HealthChange {
  readonly providerKeyId: string;
  readonly previous: Health;
  readonly health: KeyHealth;
}

export interface PoolContent {
  readonly keys: readonly ProviderKey[];
  readonly users: readonly Pick<User, "id" | "state">[];
  readonly providers: readonly Pick<Provider, "id" | "enabled" | "baseUrl">[];
}

/** Keys by tier and standing. */
export type StandingCounts = Readonly<Record<Tier, Readonly<Record<Standing, number>>>>;

export interface RegistryOptions {
  readonly clock: Clock;
  readonly inService: InService;
  readonly onHealthChange: (change: HealthChange) => void;
}

/** How many peers a returning key's load is measured by. */
const PEERS_MAX = 16;
const PEERS_LOOKED_MAX = 200;
/** A shorter absence does not change who carried how much of the hour. */
const ABSENCE_MIN_MS = 10_000;
const WALL_SLACK_MS = 1_000;
/** How soon a key that has expired, or whose quota is used up, is looked at again: the wall clock may be set meanwhile. */
const WALL_LOOK_MS = HOUR_MS;

/** All provider keys with their standing, kept up to date by changes, attempts and time. */
export class KeyRegistry {
  readonly index: KeyIndex;
  readonly rights = new Rights();
  readonly #clock: Clock;
  readonly #onHealthChange: (change: HealthChange) => void;
  #onUnknownPeriod: (period: Period) => void = () => undefined;
  /** The periods that the wall clock was seen in. */
  readonly #calendar: readonly PeriodBooks<null>[];
  readonly #slots = new Map<string, KeySlot>();
  readonly #groups = new KeyGroups();
  readonly #banned = new Set<string>();
  readonly #disabledProviders = new Set<string>();
  /** Of providers, by their ids. */
  readonly #baseUrls = new Map<string, string>();
  readonly #wakes = new WakeQueue();
  readonly #counts = { all: zeroCounts(), open: zeroCounts() };

  constructor(options: RegistryOptions) {
    this.#clock = options.clock;
    this.#onHealthChange = options.onHealthChange;
    const wallMs = options.clock.now();
    this.#calendar = PERIODS.map((period) => new PeriodBooks(period, wallMs, () => null));
    this.index = new KeyIndex({ inService: options.inService });
  }

  /** Keys by tier and standing: all, and the public ones. */
  get counts(): { readonly all: StandingCounts; readonly open: StandingCounts } {
    return this.#counts;
  }

  slot(id: string): KeySlot | undefined {
    return this.#slots.get(id);
  }

  slots(): Iterable<KeySlot> {
    return this.#slots.values();
  }

  /** Takes in what the storage holds, in place of what was known. Keys that stay keep what calls have shown. */
  load(content: PoolContent): void {
    this.#banned.clear();
    this.#disabledProviders.clear();
    for (const user of content.users) if (user.state === "BANNED") this.#banned.add(user.id);
    for (const provider of content.providers) {
      if (!provider.enabled) this.#disabledProviders.add(provider.id);
      this.#noteAddress(provider);
    }
    const ids = new Set(content.keys.map((key) => key.id));
    for (const slot of this.#slots.values()) if (!ids.has(slot.id)) this.#remove(slot);
    for (const key of content.keys) {
      const slot = this.#slots.get(key.id);
      if (slot === undefined) this.#add(key);
      else this.#replace(slot, key);
    }
  }

  /** Takes a committed change; kinds that do not concern keys are passed over. */
  applyChange(change: Change): void {
    switch (change.kind) {
      case "provider_key":
        this.#applyKey(change.id, change.value);
        return;
      case "user":
        setMember(this.#banned, change.id, change.value?.state === "BANNED");
        this.#refreshAll(this.#groups.ofOwner(change.id));
        return;
      case "provider":
        setMember(this.#disabledProviders, change.id, change.value?.enabled === false);
        this.index.origin(change.id)?.forget();
        if (change.value === null) this.#baseUrls.delete(change.id);
        else this.#noteAddress(change.value);
        this.#refreshAll(this.#groups.ofProvider(change.id));
        this.index.forgetModels();
        return;
      case "model":
        this.index.forgetModels();
        return;
      case "client_key":
      case "setting":
        return;
    }
  }

  /** Brings back the keys whose time has come; called before each look at the pool. */
  wake(nowMs: number): void {
    for (
      let slot = this.#wakes.takeDue(nowMs);
      slot !== undefined;
      slot = this.#wakes.takeDue(nowMs)
    ) {
      slot.wakeAtMs = Infinity;
      for (const model of slot.models?.due(nowMs) ?? []) this.#endModelRest(slot, model, nowMs);
      const endsMs = slot.condition.restsUntilMs;
      if (endsMs !== null && endsMs <= nowMs)
        this.setCondition(slot, afterRest(slot.condition, nowMs));
      else this.refresh(slot);
    }
  }

  /** Whether a key has expired by the wall clock, which may have been set since the key was last looked at. */
  hasExpired(slot: KeySlot): boolean {
    if (!isExpired(slot.key, this.#clock.now())) return false;
    this.refresh(slot);
    return true;
  }

  /** Puts a key into another condition and tells of it. */
  setCondition(slot: KeySlot, next: Condition): void {
    const previous = slot.condition;
    if (next === previous) return;
    slot.condition = next;
    // A call that was to prove what is not asked any more proves nothing that is asked later.
    if (!next.onProof) slot.prover = null;
    this.refresh(slot);
    if (next.state === previous.state && next.restsUntilMs === previous.restsUntilMs) return;
    slot.dirty = true;
    this.#onHealthChange({
      providerKeyId: slot.id,
      previous: previous.state,
      health: healthOf(slot, momentOf(this.#clock)),
    });
  }

  /** The call that had to prove a key has: others may follow. */
  endProof(slot: KeySlot): void {
    slot.prover = null;
    if (!slot.gone) this.setCondition(slot, afterProof(slot.condition));
  }

  /**
   * Puts what is known of a key for one model into another condition, undefined to forget it.
   * @param holder by whose call it is known; whose it was where none is named.
   */
  setModelCondition(
    slot: KeySlot,
    model: string,
    next: Condition | undefined,
    holder = slot.holderOf(model),
  ): void {
    const previous = slot.models?.get(model);
    if (next === previous) return;
    const before = healthOf(slot, momentOf(this.#clock));
    this.#count(slot, -1);
    let forgotten: string | undefined;
    if (next === undefined) slot.models?.delete(model);
    else forgotten = (slot.models ??= new ModelConditions()).set(model, next, holder);
    this.#count(slot, 1);
    if (forgotten !== undefined) this.settleModel(slot, forgotten, holder);
    this.settleModel(slot, model, holder);
    if ((next?.restsUntilMs ?? null) === (previous?.restsUntilMs ?? null)) return;
    this.refresh(slot);
    if (next !== undefined && next.refusals > 0) return;
    slot.dirty = true;
    const health = healthOf(slot, momentOf(this.#clock));
    this.#onHealthChange({ providerKeyId: slot.id, previous: before.state, health });
  }

  /** Forgets what is known of a key for single models, e.g. because its secret is another. */
  forgetModels(slot: KeySlot): void {
    for (const model of slot.models?.models() ?? []) this.setModelCondition(slot, model, undefined);
    slot.loads.forget();
    this.rights.forget(slot.id);
    for (const set of slot.sets) set.settle(slot);
  }

  /** A key that comes back takes its part of the model's calls slowly, and no more for having been away. */
  #endModelRest(slot: KeySlot, model: string, nowMs: number): void {
    const known = slot.models?.get(model);
    if (known === undefined) return;
    this.#catchUp(slot, nowMs);
    this.setModelCondition(slot, model, { ...rampingUp(known, nowMs), restsUntilMs: null });
  }

  /** Moves a key to its place among the candidates for one model, where a call of the holder has shown it. */
  settleModel(slot: KeySlot, model: string, holder: Holder): void {
    for (const lane of this.index.lanesOf(slot)) lane.settleModel(slot, model, holder);
  }

  /** Works out a key's standing anew and moves it to its place. */
  refresh(slot: KeySlot): void {
    const nowMs = this.#clock.monotonic();
    const wallMs = this.#clock.now();
    const { key, condition } = slot;
    const quotaUntil = slot.quota.spentUntil(key.quota, wallMs);
    const expired = isExpired(key, wallMs);
    const standing = standingOf({
      enabled: key.enabled,
      ownerBanned: this.#banned.has(key.ownerId),
      providerEnabled: !this.#disabledProviders.has(key.providerId),
      expired,
      unreadable: slot.unreadable,
      health: condition.state,
      blocked: condition.restsUntilMs !== null,
      quotaSpent: quotaUntil !== null,
      probing: slot.prover !== null,
    });
    this.#count(slot, -1);
    const { place: placeBefore, standing: standingBefore } = slot;
    slot.standing = standing;
    this.#count(slot, 1);
    this.#moveTo(slot, placeOf(slot), nowMs);
    const isElsewhen = setEnds(slot, quotaUntil, { wallMs, monotonicMs: nowMs });
    const isStillOut = slot.place === "OUT" && placeBefore === "OUT";
    if (isElsewhen || (isStillOut && standing !== standingBefore)) {
      for (const set of slot.sets) set.noteReturn(slot);
    }
    const isOutByWall = quotaUntil !== null || expired;
    const lookMs = Math.min((quotaUntil ?? Infinity) - wallMs, WALL_LOOK_MS) + nowMs;
    this.#wakeAt(
      slot,
      Math.min(condition.restsUntilMs ?? Infinity, slot.models?.nextEndMs() ?? Infinity),
      Math.min(slot.keyEndMs, isOutByWall ? lookMs : Infinity),
    );
  }

  /**
   * Has a listener told when the wall clock was set into a period of which what keys used is not known here; it may be
   * said later, to `restoreQuotas`.
   */
  onUnknownPeriod(listener: (period: Period) => void): void {
    this.#onUnknownPeriod = listener;
  }

  /** Follows the wall clock, which may have been set. */
  followWall(wallMs: number): void {
    for (const books of this.#calendar) {
      if (books.follow(wallMs)) this.#onUnknownPeriod(books.period);
    }
  }

  /**
   * Adds what the ledger knows of keys; call it before the first call, and for periods that were unknown. Unknown ids
   * change nothing.
   */
  restoreQuotas(past: readonly PastUse[]): void {
    for (const use of past) {
      const slot = this.#slots.get(use.providerKeyId);
      if (slot === undefined) continue;
      slot.quota.restore(use, this.#clock.now());
      if (slot.key.quota !== null) this.refresh(slot);
    }
  }

  /** Ends the count of a call that began at a time (wall clock) against a key's quota; see `Lease.settle`. */
  settleQuota(slot: KeySlot, begunAt: number, used: Used | null): void {
    slot.quota.end(begunAt, used);
    if (slot.key.quota !== null && !slot.gone) this.refresh(slot);
  }

  /** The other keys that share a key's limits. */
  quotaPeers(slot: KeySlot): Iterable<KeySlot> {
    return this.#groups.quotaPeers(slot);
  }

  /** What calls have shown of a provider and its keys says nothing of what is at another address. */
  #noteAddress({ id, baseUrl }: Pick<Provider, "id" | "baseUrl">): void {
    const before = this.#baseUrls.get(id);
    this.#baseUrls.set(id, baseUrl);
    if (before === undefined || before === baseUrl) return;
    this.index.origin(id)?.move();
    for (const slot of this.#groups.ofProvider(id)) {
      this.forgetModels(slot);
      slot.outcomes.clear();
      if (slot.key.enabled) this.setCondition(slot, FRESH);
    }
  }

  #applyKey(id: string, key: ProviderKey | null): void {
    const slot = this.#slots.get(id);
    if (key === null) {
      if (slot !== undefined) this.#remove(slot);
    } else if (slot === undefined) {
      this.#join(this.#add(key));
    } else {
      this.#replace(slot, key);
    }
  }

  #add(key: ProviderKey): KeySlot {
    const slot = new KeySlot(key, momentOf(this.#clock));
    this.#slots.set(key.id, slot);
    this.#count(slot, 1);
    this.#link(slot);
    this.refresh(slot);
    return slot;
  }

  /** A key that comes to others at work starts as busy as they and grows into its full share. */
  #join(slot: KeySlot): void {
    const peers = this.#peersOf(slot);
    if (peers.length === 0) return;
    const nowMs = this.#clock.monotonic();
    slot.uses.raiseTo(peers, nowMs);
    slot.condition = rampingUp(slot.condition, nowMs);
  }

  #remove(slot: KeySlot): void {
    this.#count(slot, -1);
    this.#unlink(slot);
    this.#slots.delete(slot.id);
    this.rights.forget(slot.id);
    slot.place = "OUT";
    slot.gone = true;
  }

  /**
   * A changed key keeps what calls have shown of it, unless its secret is another or it was enabled anew. Where it stands
   * beside others now, or for other models, it comes to these as a new one.
   */
  #replace(slot: KeySlot, key: ProviderKey): void {
    const before = slot.key;
    const peersBefore = this.index.peers(slot);
    const isOtherSecret = before.fingerprint !== key.fingerprint;
    const isGivenAnotherChance = !before.enabled && key.enabled;
    this.#count(slot, -1);
    this.#unlink(slot);
    slot.key = key;
    // A new version may be a re-sealed secret, which can be read where the old one could not.
    slot.unreadable = slot.unreadable && before.version === key.version;
    this.#count(slot, 1);
    this.#link(slot);
    if (isOtherSecret || isGivenAnotherChance) this.forgetModels(slot);
    if (isOtherSecret) {
      slot.outcomes.clear();
      this.setCondition(slot, conditionFrom(key.health, momentOf(this.#clock)));
    } else if (isGivenAnotherChance) {
      this.setCondition(slot, FRESH);
    } else if (!key.enabled && isOtherHealth(slot.condition, key.health)) {
      // It may have been withdrawn, and must stay so when its counters are stored.
      this.setCondition(slot, conditionFrom(key.health, momentOf(this.#clock)));
    }
    this.refresh(slot);
    const isElsewhere = this.index.peers(slot) !== peersBefore || !servesAlike(before, key);
    if (isElsewhere || isGivenAnotherChance) this.#join(slot);
  }

  #link(slot: KeySlot): void {
    this.#groups.add(slot);
    this.index.add(slot);
  }

  #unlink(slot: KeySlot): void {
    this.#groups.remove(slot);
    this.index.remove(slot);
  }

  #moveTo(slot: KeySlot, place: Place, nowMs: number): void {
    if (slot.place === place) return;
    if (slot.place === "OUT") this.#catchUp(slot, nowMs);
    slot.place = place;
    for (const set of slot.sets) set.settle(slot);
  }

  /** A key that was away for long would look idle beside peers that worked on: it comes back as busy as they. */
  #catchUp(slot: KeySlot, nowMs: number): void {
    if (nowMs - slot.lastUsedMs >= ABSENCE_MIN_MS) slot.uses.raiseTo(this.#peersOf(slot), nowMs);
  }

  /** Some keys of the same lane that are in use, for comparison. */
  #peersOf(slot: KeySlot): readonly UseWindow[] {
    const peers: UseWindow[] = [];
    let looked = 0;
    for (const peer of this.index.peers(slot)) {
      if (peer !== slot && peer.place === "READY") peers.push(peer.uses);
      if (peers.length >= PEERS_MAX || ++looked >= PEERS_LOOKED_MAX) break;
    }
    return peers;
  }

  /** Ends by the wall clock wander by fractions against the monotonic one; that is no reason to queue anew. */
  #wakeAt(slot: KeySlot, blockEndMs: number, wallEndMs: number): void {
    const dueMs = Math.min(blockEndMs, wallEndMs);
    if (slot.wakeAtMs === dueMs) return;
    if (dueMs === wallEndMs && Math.abs(slot.wakeAtMs - dueMs) < WALL_SLACK_MS) return;
    slot.wakeAtMs = dueMs;
    if (dueMs !== Infinity) this.#wakes.add(slot);
  }

  #refreshAll(slots: Iterable<KeySlot>): void {
    for (const slot of slots) this.refresh(slot);
  }

  #count(slot: KeySlot, by: number): void {
    const { tier, visibility } = slot.key;
    this.#counts.all[tier][slot.shown] += by;
    if (visibility === "PUBLIC") this.#counts.open[tier][slot.shown] += by;
  }
}

function isOtherHealth(condition: Condition, { state, lastError }: KeyHealth): boolean {
  return condition.state !== state || condition.lastError !== lastError;
}

function placeOf(slot: KeySlot): Place {
  if (slot.standing !== "ELIGIBLE") return "OUT";
  return slot.condition.onProof ? "AWAITING_PROOF" : "READY";
}

/** Notes when what keeps a key out ends, and when the key itself does. True when that is another time than it was. */
function setEnds(
  slot: KeySlot,
  quotaUntil: number | null,
  { wallMs, monotonicMs }: Moment,
): boolean {
  const { keyBackMs, keyEndMs, condition } = slot;
  const { expiresAt } = slot.key;
  const quotaEndMs = quotaUntil === null ? 0 : monotonicMs + quotaUntil - wallMs;
  slot.keyBackMs = Math.max(quotaEndMs, condition.restsUntilMs ?? 0);
  const isLeft = expiresAt !== null && expiresAt > wallMs;
  slot.keyEndMs = isLeft ? monotonicMs + expiresAt - wallMs : Infinity;
  return slot.keyBackMs !== keyBackMs || slot.keyEndMs !== keyEndMs;
}

function zeroCounts(): Record<Tier, Record<Standing, number>> {
  const zero = (): Record<Standing, number> =>
    Object.fromEntries(STANDINGS.map((each) => [each, 0])) as Record<Standing, number>;
  return Object.fromEntries(TIERS.map((tier) => [tier, zero()])) as Record<
    Tier,
    Record<Standing, number>
  >;
}

function setMember(set: Set<string>, id: string, isMember: boolean): void {
  if (isMember) set.add(id);
  else set.delete(id);
}
