import { poolName } from "../core/model-apart.js";
import { countsAs } from "../core/call.js";
import type { Change } from "../core/change.js";
import type { Principal } from "../core/client-key.js";
import type { Clock } from "../core/clock.js";
import { type FaultCode, toFault } from "../core/fault.js";
import type { Logger } from "../core/logger.js";
import type { Lease, LeaseRequest, LeaseResult } from "../core/lease.js";
import type { Random } from "../core/random.js";
import type { KeyHealth, ProviderKey } from "../core/provider-key.js";
import type { Route, RouteTarget } from "../core/provider.js";
import { Callers } from "./callers.js";
import { type Asking, Chooser } from "./chooser.js";
import { type CheckedKey, checkEvent, type CheckResult } from "./check-result.js";
import { homeRests, nextBackMs, noneLeft, poolClosed } from "./no-key-left.js";
import type { Standing } from "./eligibility.js";
import { explain, type TargetExplanation } from "./explain.js";
import { FRESH, type HealthEvent } from "./condition.js";
import {
  afterAttempt,
  afterOutage,
  afterRelease,
  afterGoodCheck,
  afterModelAttempt,
  afterModelSuccess,
  isOfModel,
} from "./health.js";
import { findHome, homeBackMs, type HomeSlot } from "./home.js";
import { KeyLease, type Lender } from "./key-lease.js";
import { healthOf, type KeySlot } from "./key-slot.js";
import type { InService } from "./lane.js";
import { momentOf } from "./moment.js";
import { type Blame, blameFor } from "./outages.js";
import { Prng } from "./prng.js";
import { type HealthChange, KeyRegistry, type PoolContent } from "./registry.js";
import { type KeyIds, NO_KEYS } from "./rights.js";
import { type Drawer, type Scope, scopeOf } from "./scope.js";
import { type PoolSummary, summarize } from "./summary.js";
import {
  type Allocation,
  ALLOCATION_SETTING,
  DEFAULT_ALLOCATION,
  parseAllocation,
  PUBLIC_POOL_SETTING,
  type Strategy,
  strategyFor,
} from "./allocation.js";
import { noteUse } from "./strategies/choose.js";

/** Two ends of waits in a quota group that differ by less count as the same, or a burst would move each key many times. */
const GROUP_SLACK_MS = 250;
/** Keys from which `keysToAsk` chooses. */
const ASKABLE_MAX = 64;

export interface PoolOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Whether a key of a service may serve a model; the catalogue's `inService`. */
  readonly inService: InService;
  /** Hears of each change of a key's condition, within the call that caused it; must return at once. */
  readonly onHealthChange: (change: HealthChange) => void;
}

/** Chooses provider keys and learns from what became of the attempts. */
export class Pool {
  readonly registry: KeyRegistry;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #prng: Prng;
  readonly #chooser: Chooser;
  readonly #callers = new Callers();
  #allocation: Allocation = DEFAULT_ALLOCATION;
  #publicPoolOpen = true;
  readonly #lender: Lender;

  constructor(options: PoolOptions) {
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#prng = new Prng(options.random);
    this.registry = new KeyRegistry(options);
    this.#lender = {
      registry: this.registry,
      clock: this.#clock,
      onReleased: (lease, result) => {
        this.#release(lease, result);
      },
    };
    this.#chooser = new Chooser({
      registry: this.registry,
      prng: this.#prng,
      allocation: () => this.#allocation,
    });
  }

  /** Takes in what the storage holds, in place of what was known. */
  load(content: PoolContent, settings: ReadonlyMap<string, string>): void {
    this.registry.load(content);
    for (const id of [ALLOCATION_SETTING, PUBLIC_POOL_SETTING]) {
      this.#applySetting(id, settings.get(id) ?? "");
    }
  }

  /** Takes a committed change; call it after the catalogue has heard of the same change. */
  applyChange(change: Change): void {
    this.registry.applyChange(change);
    if (change.kind === "setting") this.#applySetting(change.id, change.value?.value ?? "");
  }

  get allocation(): Allocation {
    return this.#allocation;
  }

  setAllocation(allocation: Allocation): void {
    this.#allocation = allocation;
  }

  get failoverDeadlineMs(): number {
    return this.#allocation.failoverDeadlineMs;
  }

  strategyOf(providerId: string): Strategy {
    return strategyFor(this.#allocation, providerId);
  }

  /**
   * The best eligible key for the route that is not in `tried`, leased until released. It is the call's home as long as
   * that key may come back; otherwise it is of the first target that has a key, and of the first tier that has one.
   * Throws Fault `no_public_token` or `no_own_token` when none is left, with the time after which one may be back.
   */
  lease(request: LeaseRequest): Lease {
    const nowMs = this.#clock.monotonic();
    this.registry.wake(nowMs);
    const scope = scopeOf(request.principal);
    if (scope.kind === "PUBLIC") {
      if (!this.#publicPoolOpen) throw poolClosed();
      this.#callers.note(request.principal.ownerId, nowMs);
    }
    const home = this.#findHome(request.route, request.home, scope);
    if (home !== undefined) return this.#atHome(home, request, { scope, nowMs });
    const isFirst = request.tried.size === 0;
    // A call that has failed goes to any other key before it fails on one that has to be proven, too.
    const lease =
      this.#leaseFor({ request, scope, nowMs, mayProve: isFirst }) ??
      (isFirst ? undefined : this.#leaseFor({ request, scope, nowMs, mayProve: true }));
    if (lease === undefined) throw noneLeft(this.registry.index, { request, scope, nowMs });
    return lease;
  }

  /**
   * How long until a key of the route may be back, in milliseconds: 0 when one is eligible now, null when
   * none will come back by itself. A call may wait that long within its deadline and ask again. Of a call
   * with a home that is that key alone. Keys of `except`, which refused the call, do not count while they are eligible.
   */
  waitMs(principal: Principal, route: Route, home = "", except: KeyIds = NO_KEYS): number | null {
    const nowMs = this.#clock.monotonic();
    this.registry.wake(nowMs);
    const scope = scopeOf(principal);
    if (scope.kind === "PUBLIC" && !this.#publicPoolOpen) return null;
    const at = this.#findHome(route, home, scope);
    const backMs =
      at === undefined
        ? nextBackMs(this.registry.index, { route, scope, nowMs, except })
        : homeBackMs(at, nowMs);
    return backMs === Infinity ? null : Math.max(0, backMs - nowMs);
  }

  /** Whether a principal has any key at a provider, for a model if one is named, whatever the key's standing. */
  hasKeys(providerId: string, principal: Principal, model?: string): boolean {
    const { index } = this.registry;
    const scope = scopeOf(principal);
    if (model === undefined) return index.has(providerId, scope);
    return index.lanes(providerId, scope).some((lane) => lane.serves(model));
  }

  /**
   * Keys of a provider that may be used now, at most `keysMax` of them and others with each turn, for questions that
   * are no calls: nothing is lent, and what comes of them is not held against a key.
   */
  keysToAsk(
    providerId: string,
    drawer: Drawer,
    { turn, keysMax }: { readonly turn: number; readonly keysMax: number },
  ): readonly ProviderKey[] {
    this.registry.wake(this.#clock.monotonic());
    const scope = scopeOf(drawer);
    if (scope.kind === "PUBLIC" && !this.#publicPoolOpen) return [];
    const found: ProviderKey[] = [];
    for (const lane of this.registry.index.lanes(providerId, scope)) {
      for (const slot of lane.slots) {
        if (found.length >= ASKABLE_MAX) break;
        if (slot.standing === "ELIGIBLE" && !this.registry.hasExpired(slot)) found.push(slot.key);
      }
    }
    const first = found.length === 0 ? 0 : (turn * keysMax) % found.length;
    return [...found.slice(first), ...found.slice(0, first)].slice(0, keysMax);
  }

  /** Takes the result of a health check into account, unless the key has another secret by now, or is gone. */
  reportCheck({ id, fingerprint }: CheckedKey, result: CheckResult): void {
    const slot = this.registry.slot(id);
    if (slot?.key.fingerprint !== fingerprint) return;
    slot.lastCheckedAt = this.#clock.now();
    slot.dirty = true;
    const atMs = this.#clock.monotonic();
    if (result.ok) {
      slot.origin.answers(atMs);
      this.registry.setCondition(slot, afterGoodCheck(slot.condition, atMs));
      return;
    }
    const event = { ...checkEvent(slot, result, atMs), policy: this.#allocation };
    // That there is no way to the provider says nothing of its key.
    const next = result.outcome === "UNREACHABLE" ? afterOutage : afterAttempt;
    this.registry.setCondition(slot, next(slot.condition, event));
  }

  /** Forgets what is held against a key, e.g. when its owner says that it works again. */
  resetHealth(providerKeyId: string): void {
    const slot = this.registry.slot(providerKeyId);
    if (slot === undefined) return;
    slot.outcomes.clear();
    this.registry.forgetModels(slot);
    this.registry.setCondition(slot, { ...FRESH });
  }

  /** Keeps a key out whose secret could not be opened, until a new version of it is announced. */
  markUnreadable(providerKeyId: string): void {
    const slot = this.registry.slot(providerKeyId);
    if (slot === undefined) return;
    slot.unreadable = true;
    this.registry.refresh(slot);
  }

  /** How the pool stands for a route, with at most `keysMax` keys of each tier. */
  explain(principal: Principal, route: Route, keysMax: number): readonly TargetExplanation[] {
    const scope = scopeOf(principal);
    return explain({
      registry: this.registry,
      route,
      scope,
      isClosed: scope.kind === "PUBLIC" && !this.#publicPoolOpen,
      strategyOf: (providerId) => this.strategyOf(providerId),
      now: momentOf(this.#clock),
      keysMax,
      prng: this.#prng,
    });
  }

  /** The code of the fault that a call of the route gets while no key is left for it. */
  codeWithoutKey(principal: Principal, route: Route): FaultCode {
    const scope = scopeOf(principal);
    if (scope.kind === "PUBLIC" && !this.#publicPoolOpen) return poolClosed().code;
    const request = { route, tried: new Set<string>() };
    return noneLeft(this.registry.index, { request, scope, nowMs: this.#clock.monotonic() }).code;
  }

  /** The state of the pool for a dashboard; cheap enough for each tick. */
  summary(): PoolSummary {
    return summarize(this.registry, momentOf(this.#clock));
  }

  /** A key's standing as people count keys: one whose provider cannot be reached waits. */
  standingOf({ standing, origin }: KeySlot): Standing {
    if (standing !== "ELIGIBLE" || !origin.isTroubled) return standing;
    const nowMs = this.#clock.monotonic();
    return origin.reachableMs(nowMs) > nowMs ? "COOLDOWN" : standing;
  }

  /** The present health of a key, for listings. */
  health(providerKeyId: string): KeyHealth | undefined {
    const slot = this.registry.slot(providerKeyId);
    return slot === undefined ? undefined : healthOf(slot, momentOf(this.#clock));
  }

  /** Keys whose counters changed since the last call, for storing every few seconds. */
  takeDirtyHealth(): readonly { readonly providerKeyId: string; readonly health: KeyHealth }[] {
    const changed: { providerKeyId: string; health: KeyHealth }[] = [];
    for (const slot of this.registry.slots()) {
      if (!slot.dirty) continue;
      slot.dirty = false;
      changed.push({ providerKeyId: slot.id, health: healthOf(slot, momentOf(this.#clock)) });
    }
    return changed;
  }

  #findHome(route: Route, home: string, scope: Scope): HomeSlot | undefined {
    const at = findHome(this.registry.index, { route, home, scope });
    return at === undefined || this.registry.hasExpired(at.slot) ? undefined : at;
  }

  /** No other key will do: the account of each may be another, and it would say that there is no such thing. */
  #atHome(
    { slot, set, target }: HomeSlot,
    request: LeaseRequest,
    { scope, nowMs }: { scope: Scope; nowMs: number },
  ): Lease {
    const { tried, principal } = request;
    slot.origin.callers.note(principal.ownerId, nowMs);
    const backMs = homeBackMs({ slot, set, target }, nowMs);
    if (backMs > nowMs || tried.has(slot.id)) throw homeRests(scope, backMs - nowMs);
    noteUse(this.strategyOf(target.provider.id), set, slot);
    return this.#grant(slot, target, request, nowMs);
  }

  #leaseFor(call: Asking): Lease | undefined {
    const { request, nowMs } = call;
    for (const target of request.route.targets) {
      const slot = this.#chooser.pick(target, call);
      if (slot !== undefined) return this.#grant(slot, target, request, nowMs);
    }
    return undefined;
  }

  #grant(slot: KeySlot, target: RouteTarget, request: LeaseRequest, nowMs: number): Lease {
    const { endpoint, principal: caller } = request;
    const wallMs = this.#clock.now();
    this.registry.followWall(wallMs);
    slot.inFlight++;
    const load = slot.loads.begin(poolName(target));
    const terms = { slot, target, caller, endpoint, load, begunMs: nowMs, wallMs };
    const lease = new KeyLease(this.#lender, terms);
    if (lease.origin.isTroubled) lease.origin.begin(lease, nowMs);
    if (load.isFull) this.registry.settleModel(slot, lease.model, caller);
    this.#chooser.noteTurn(slot, nowMs);
    slot.lastUsedMs = nowMs;
    slot.lastUsedAt = wallMs;
    slot.dirty = true;
    slot.quota.begin(wallMs);
    if (lease.isProof) slot.prover = lease;
    if (lease.isProof || slot.key.quota !== null) this.registry.refresh(slot);
    return lease;
  }

  #release(lease: KeyLease, result: LeaseResult): void {
    const atMs = result.endedMs;
    const { slot, model, isProof: wasProof } = lease;
    slot.inFlight--;
    this.#endLoad(lease, result, atMs);
    const blame = this.#blameFor(lease, result);
    slot.dirty = true;
    const { outcome } = result;
    const verdict = countsAs(outcome);
    if (verdict === "success") slot.successes++;
    if (verdict === "failure") slot.failures++;
    if (slot.prover === lease) slot.prover = null;
    if (slot.gone) return;
    if (lease.isReplaced) {
      this.registry.refresh(slot);
      return;
    }
    if (verdict !== "neutral" && blame === "KEY" && outcome !== "RATE_LIMITED") {
      // A limit of rate says how much a key may serve, and not how well: its rest and the way back from it answer that.
      slot.outcomes.record(verdict === "success", atMs);
    }
    const isModels = model !== "" && isOfModel(outcome, result.httpStatus);
    // Field by field: spreading `result` here would cost more than all the rest of a lease.
    const event: HealthEvent = {
      outcome,
      callerId: this.#blamed(lease, result, isModels),
      atMs,
      begunAtMs: lease.begunMs,
      retryAfterMs: result.retryAfterMs,
      detail: result.detail,
      rate: slot.outcomes.rate,
      outcomes: slot.outcomes.count,
      wasProof,
      policy: this.#allocation,
    };
    if (blame === "PROVIDER") this.#spare(lease, event, isModels);
    else this.#learn(lease, event, isModels);
    if (wasProof) this.registry.refresh(slot);
  }

  #blameFor(lease: KeyLease, result: LeaseResult): Blame {
    if (lease.isMoved || (result.outcome === "OK" && !lease.origin.isTroubled)) return "KEY";
    return blameFor(lease, result, { policy: this.#allocation, logger: this.#logger });
  }

  /** What an attempt shows of its key. */
  #learn(lease: KeyLease, event: HealthEvent, isModels: boolean): void {
    const { slot } = lease;
    const { outcome } = event;
    if (isModels) this.#releaseModel(lease, event);
    this.registry.setCondition(slot, afterRelease(slot.condition, event, isModels));
    if (outcome === "QUOTA_EXHAUSTED" || (!isModels && outcome === "RATE_LIMITED")) {
      this.#coolGroup(slot, event);
    } else if (slot.models !== null && outcome === "OK") {
      this.#modelServed(slot, lease.model, event);
    }
  }

  /**
   * The user whose call may be to blame for what went wrong, where others want the key too; null for nobody. A user
   * alone is served best if the key rests.
   */
  #blamed({ slot, caller }: KeyLease, { unsent }: LeaseResult, isModels: boolean): string | null {
    const mayBe = !isModels && !unsent && slot.key.visibility === "PUBLIC";
    return mayBe && this.#callers.areSeveral(this.#clock.monotonic()) ? caller.ownerId : null;
  }

  /** The provider failed: nothing is held against its key, which rests only if it was told to. */
  #spare(lease: KeyLease, event: HealthEvent, isModels: boolean): void {
    const { slot } = lease;
    if (isModels && event.retryAfterMs !== null) this.#releaseModel(lease, event);
    this.registry.setCondition(slot, afterOutage(slot.condition, event));
  }

  #endLoad(lease: KeyLease, result: LeaseResult, atMs: number): void {
    const { slot, model, load, caller } = lease;
    const { outcome, retryAfterMs } = result;
    const wasFull = load.isFull;
    const counts = !lease.isReplaced;
    if (outcome === "OK" && counts) load.served(lease, atMs);
    load.inFlight--;
    // A limit that names a time to wait is one of rate, not of calls at a time.
    if (outcome === "RATE_LIMITED" && retryAfterMs === null && counts) load.limited(lease, atMs);
    if (wasFull && !slot.gone) this.registry.settleModel(slot, model, caller);
  }

  /** What an attempt showed of a model is held against the key for that model alone. */
  #releaseModel({ slot, model, caller }: KeyLease, event: HealthEvent): void {
    const next = afterModelAttempt(slot.models?.get(model) ?? FRESH, event);
    this.registry.setModelCondition(slot, model, next, caller);
    if (event.outcome !== "RATE_LIMITED") return;
    const untilMs = next.restsUntilMs ?? 0;
    for (const peer of this.registry.quotaPeers(slot)) {
      const known = peer.models?.get(model) ?? FRESH;
      if ((known.restsUntilMs ?? 0) >= untilMs - GROUP_SLACK_MS) continue;
      this.registry.setModelCondition(peer, model, afterModelAttempt(known, event), caller);
    }
  }

  #modelServed(slot: KeySlot, model: string, event: HealthEvent): void {
    const known = slot.models?.get(model);
    if (known === undefined) return;
    this.registry.setModelCondition(slot, model, afterModelSuccess(known, event));
  }

  /** Keys that share limits wait together. Those that wait about as long already are left as they are. */
  #coolGroup(slot: KeySlot, event: HealthEvent): void {
    const untilMs = slot.condition.restsUntilMs ?? 0;
    for (const peer of this.registry.quotaPeers(slot)) {
      if ((peer.condition.restsUntilMs ?? 0) >= untilMs - GROUP_SLACK_MS) continue;
      this.registry.setCondition(peer, afterAttempt(peer.condition, event));
    }
  }

  /** The setting was checked when it was written; one that is unreadable all the same leaves the old one in force. */
  #applySetting(id: string, text: string): void {
    if (id === PUBLIC_POOL_SETTING) this.#publicPoolOpen = text.trim() !== "false";
    if (id !== ALLOCATION_SETTING) return;
    try {
      this.#allocation = parseAllocation(text);
    } catch (thrown) {
      const reason = toFault(thrown).publicMessage;
      this.#logger.error({ setting: ALLOCATION_SETTING, reason }, "setting not applied");
    }
  }
}
