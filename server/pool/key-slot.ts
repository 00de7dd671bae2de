import { type Holder, NOBODY } from "../core/client-key.js";
import type { KeyHealth, ProviderKey } from "../core/provider-key.js";
import { QUOTA_RESET_MAX_MS, RETRY_AFTER_MAX_MS } from "../core/rests.js";
import type { CandidateSet } from "./candidate-set.js";
import type { Standing } from "./eligibility.js";
import { type Condition, FRESH, rampShare } from "./condition.js";
import type { ModelConditions } from "./model-conditions.js";
import { ModelLoads } from "./model-load.js";
import { type Moment, wallTimeOf } from "./moment.js";
import { Origin } from "./origin.js";
import { OutcomeWindow } from "./outcome-window.js";
import { QuotaMeter } from "./quota-meter.js";
import { UseWindow } from "./use-window.js";

const NO_MODELS: readonly string[] = [];
/** Of a key that is in no index yet. */
const UNPLACED = new Origin();

/** Where a key stands for selection: to be chosen, to be tried by one call first, or not now. */
export type Place = "READY" | "AWAITING_PROOF" | "OUT";

/** A provider key in the pool, with all that selection knows of it. Only the registry changes its standing. */
export class KeySlot {
  readonly id: string;
  key: ProviderKey;
  condition: Condition;
  standing: Standing = "DISABLED";
  place: Place = "OUT";
  inFlight = 0;
  /** The call under way that has to prove the key, and of which nothing good has come; null when there is none. */
  prover: object | null = null;
  unreadable = false;
  /** The number of its last turn among those of all keys, so that "longest unused" is certain within one millisecond too. */
  lastTurn = 0;
  // When it was last used, minus infinity if never: by the monotonic clock, and by the wall's for the record. Both are
  // fractions from the start, or each lease would make new objects of them, which hang on one key each: with ten
  // thousand keys the collector of garbage then stops all calls for 10 ms, where it takes 0.5 ms.
  lastUsedMs = -Infinity;
  lastUsedAt = -Infinity;
  lastCheckedAt: number | null;
  /** The shares of calls that a ramping key has saved up; at 1 it may take a call. */
  rampCredit = 0;
  successes: number;
  failures: number;
  /** Counters changed since they were last handed out for storing. */
  dirty = false;
  /** When the registry looks at it next, monotonic. */
  wakeAtMs = Infinity;
  /** The end of all that keeps the key as a whole out for a while, monotonic; 0 when nothing does. */
  keyBackMs = 0;
  /** When it expires, monotonic; infinity if it does not. */
  keyEndMs = Infinity;
  /** What is known of it for single models; null for most keys, of which nothing is. */
  models: ModelConditions | null = null;
  /** Its provider, which the index knows. */
  origin = UNPLACED;
  gone = false;
  readonly loads = new ModelLoads();
  readonly outcomes = new OutcomeWindow();
  readonly uses: UseWindow;
  readonly quota = new QuotaMeter();
  readonly sets: CandidateSet[] = [];

  constructor(key: ProviderKey, now: Moment) {
    this.id = key.id;
    this.key = key;
    this.uses = new UseWindow(now.monotonicMs);
    this.condition = conditionFrom(key.health, now);
    const { lastUsedAt, lastCheckedAt, successes, failures } = key.health;
    this.lastCheckedAt = lastCheckedAt;
    this.successes = successes;
    this.failures = failures;
    if (lastUsedAt !== null) {
      this.lastUsedAt = lastUsedAt;
      this.lastUsedMs = now.monotonicMs - Math.max(0, now.wallMs - lastUsedAt);
    }
  }

  /** When it may be asked for a model again that it rests for, monotonic; null when it may be now. */
  modelBackMs(model: string): number | null {
    return this.models?.get(model)?.restsUntilMs ?? null;
  }

  /** By whose call something is known of it for a model. */
  holderOf(model: string): Holder {
    return this.models?.holderOf(model) ?? NOBODY;
  }

  /** True when it must not be asked for a model now, although it may be usable for others. */
  isApart(model: string): boolean {
    return this.modelBackMs(model) !== null || this.loads.isFull(model);
  }

  /** Models for which `isApart` may hold. */
  modelsKnown(): readonly string[] {
    const rests = this.models?.models() ?? NO_MODELS;
    const full = this.loads.full();
    return full.length === 0 ? rests : [...rests, ...full];
  }

  /** True when the provider said that it does not serve the model to this key. */
  refusesModel(model: string): boolean {
    const known = this.models?.get(model);
    return known !== undefined && known.restsUntilMs !== null && known.refusals > 0;
  }

  /** Its standing for people: a key that rests for some model counts as cooling down. */
  get shown(): Standing {
    return this.standing === "ELIGIBLE" && this.models?.rests() === true
      ? "COOLDOWN"
      : this.standing;
  }

  /** The part of its full share of a model's calls that it may take now: it, or it for that model, may be on its way back. */
  shareOf(model: string, nowMs: number): number {
    const { condition, models } = this;
    const own = condition.rampLeft === 0 ? 1 : rampShare(condition, nowMs);
    return models === null ? own : own * models.shareOf(model, nowMs);
  }

  /** Whether it may be taken: always with its full share, else as often as its share allows. */
  isDue(model: string, nowMs: number): boolean {
    const share = this.shareOf(model, nowMs);
    if (share === 1) return true;
    this.rampCredit += share;
    if (this.rampCredit < 1) return false;
    this.rampCredit -= 1;
    return true;
  }

  /** Calls in flight, each against the share that it may have of such calls now. */
  busy(model: string, nowMs: number): number {
    const { inFlight, condition, models } = this;
    const own = condition.rampLeft === 0 ? inFlight : inFlight / rampShare(condition, nowMs);
    const share = models === null ? 1 : models.shareOf(model, nowMs);
    return share === 1 ? own : own + this.loads.inFlight(model) * (1 / share - 1);
  }

  /** The load that selection balances: uses in the last hour, and calls in flight on top. */
  load(nowMs: number): number {
    return this.uses.total(nowMs) + this.inFlight;
  }
}

/** The condition that a stored health means now. An end that lies further ahead than any rest lasts is not believed. */
export function conditionFrom(health: KeyHealth, now: Moment): Condition {
  const base: Condition = {
    ...FRESH,
    state: health.state,
    consecutiveFailures: health.consecutiveFailures,
    lastError: health.lastError,
  };
  if (health.state !== "COOLDOWN" && health.state !== "EXHAUSTED") return base;
  const longestMs = health.state === "COOLDOWN" ? RETRY_AFTER_MAX_MS : QUOTA_RESET_MAX_MS;
  const leftMs = Math.min((health.cooldownUntil ?? 0) - now.wallMs, longestMs);
  if (leftMs <= 0) return { ...base, state: "DEGRADED" };
  const onProof = health.state === "EXHAUSTED";
  return { ...base, restsUntilMs: now.monotonicMs + leftMs, onProof };
}

/** What is stored of a key's health. */
export function healthOf(slot: KeySlot, now: Moment): KeyHealth {
  const { condition } = slot;
  const modelCooldowns = slot.models?.cooldowns(now) ?? [];
  const isWhole = condition.restsUntilMs === null && condition.state !== "INVALID";
  return {
    state: isWhole && slot.models?.rests() === true ? "COOLDOWN" : condition.state,
    consecutiveFailures: condition.consecutiveFailures,
    cooldownUntil: condition.restsUntilMs === null ? null : wallTimeOf(condition.restsUntilMs, now),
    modelCooldowns,
    lastCheckedAt: slot.lastCheckedAt,
    lastUsedAt: slot.lastUsedAt === -Infinity ? null : slot.lastUsedAt,
    lastError: modelCooldowns[0]?.lastError ?? condition.lastError,
    successes: slot.successes,
    failures: slot.failures,
  };
}
