import type { Tier } from "../core/provider-key.js";
import type { Route, RouteTarget } from "../core/provider.js";
import type { Standing } from "./eligibility.js";
import { rampShare } from "./health.js";
import type { Scope } from "./key-index.js";
import type { KeySlot } from "./key-slot.js";
import type { Lane } from "./lane.js";
import type { KeyRegistry } from "./registry.js";
import { scoreOf } from "./score.js";
import type { Score } from "./score.js";
import type { Strategy } from "./strategy.js";

/** Why a key is or is not in the running for a model. */
export interface KeyExplanation {
  readonly providerKeyId: string;
  readonly ownerId: string;
  readonly name: string;
  readonly tier: Tier;
  readonly standing: Standing;
  /** Its service and allowlist let it serve the model. */
  readonly servesModel: boolean;
  /** In the running now: serves the model, is eligible, and its tier is the one in use. */
  readonly eligible: boolean;
  /** The reason in words. */
  readonly reason: string;
  readonly score: Score;
  /** 0 to 1, over the latest outcomes. */
  readonly successRate: number;
  readonly outcomes: number;
  /** Uses in the last hour and calls in flight, the load that is balanced. */
  readonly load: number;
  readonly inFlight: number;
  /** Part of its full share that it may take now. */
  readonly rampShare: number;
  /** Milliseconds since its last use; null if never used. */
  readonly sinceUsedMs: number | null;
}

export interface TierExplanation {
  readonly tier: Tier;
  /** The lowest tier with an eligible key: calls go here. */
  readonly inUse: boolean;
  readonly keys: readonly KeyExplanation[];
  /** Keys of the tier that are not listed because of the limit. */
  readonly omitted: number;
}

export interface TargetExplanation {
  readonly providerId: string;
  readonly upstreamModel: string;
  readonly strategy: Strategy;
  readonly tiers: readonly TierExplanation[];
}

export interface ExplainOptions {
  readonly registry: KeyRegistry;
  readonly route: Route;
  readonly scope: Scope;
  readonly strategyOf: (providerId: string) => Strategy;
  readonly nowMs: number;
  /** Keys shown of one tier, the best first. */
  readonly keysMax: number;
}

/** How the pool stands for a route: every tier and key with its score in parts. Reads only. */
export function explain(options: ExplainOptions): readonly TargetExplanation[] {
  options.registry.wake(options.nowMs);
  return options.route.targets.map((target) => ({
    providerId: target.provider.id,
    upstreamModel: target.upstreamModel,
    strategy: options.strategyOf(target.provider.id),
    tiers: explainTiers(options, target),
  }));
}

function explainTiers(options: ExplainOptions, target: RouteTarget): readonly TierExplanation[] {
  const lanes = options.registry.index.lanes(target.provider.id, options.scope);
  const inUse = lanes.find((lane) => isOpen(lane, target));
  return lanes.map((lane) => {
    const serving = new Set(lane.candidates(target.upstreamModel).members);
    const maxLoad = Math.max(0, ...readyLoads(lane, target, options.nowMs));
    const keys = [...lane.slots].map((slot) =>
      explainKey(slot, {
        nowMs: options.nowMs,
        maxLoad,
        servesModel: serving.has(slot),
        tierInUse: lane === inUse,
      }),
    );
    keys.sort((a, b) => rankOf(b) - rankOf(a) || (a.providerKeyId < b.providerKeyId ? -1 : 1));
    return {
      tier: lane.tier,
      inUse: lane === inUse,
      keys: keys.slice(0, options.keysMax),
      omitted: Math.max(0, keys.length - options.keysMax),
    };
  });
}

function explainKey(
  slot: KeySlot,
  around: { nowMs: number; maxLoad: number; servesModel: boolean; tierInUse: boolean },
): KeyExplanation {
  const { nowMs, servesModel } = around;
  const load = slot.load(nowMs);
  const canServe = servesModel && slot.standing === "ELIGIBLE";
  return {
    providerKeyId: slot.id,
    ownerId: slot.key.ownerId,
    name: slot.key.name,
    tier: slot.key.tier,
    standing: slot.standing,
    servesModel,
    eligible: canServe && around.tierInUse,
    reason: reasonOf(slot, around),
    score: scoreOf(slot, nowMs, Math.max(around.maxLoad, load)),
    successRate: slot.outcomes.rate,
    outcomes: slot.outcomes.count,
    load,
    inFlight: slot.inFlight,
    rampShare: rampShare(slot.condition, nowMs),
    sinceUsedMs: slot.lastUsedMs === -Infinity ? null : nowMs - slot.lastUsedMs,
  };
}

const REASONS: Readonly<Record<Standing, string>> = {
  ELIGIBLE: "eligible",
  DISABLED: "disabled",
  OWNER_BANNED: "its owner is banned",
  PROVIDER_DISABLED: "its provider is disabled",
  EXPIRED: "expired",
  UNREADABLE: "its secret cannot be opened",
  INVALID: "the provider refuses it",
  EXHAUSTED: "its quota is used up",
  COOLDOWN: "cooling down",
  PROBING: "a call is finding out whether it works again",
};

function reasonOf(
  slot: KeySlot,
  around: { nowMs: number; servesModel: boolean; tierInUse: boolean },
): string {
  if (slot.standing !== "ELIGIBLE") {
    const untilMs = slot.condition.blockedUntilMs;
    const wait = untilMs === null ? "" : `, ${Math.ceil((untilMs - around.nowMs) / 1000)} s left`;
    return `${REASONS[slot.standing]}${wait}`;
  }
  if (!around.servesModel) return "its service or model allowlist leaves this model out";
  if (!around.tierInUse) return "a higher tier has an eligible key";
  return slot.condition.onProof ? "eligible; one call has to succeed first" : REASONS.ELIGIBLE;
}

function readyLoads(lane: Lane, target: RouteTarget, nowMs: number): readonly number[] {
  const { ready } = lane.candidates(target.upstreamModel);
  return ready.slice(0, LOADS_MAX).map((slot) => slot.load(nowMs));
}

/** As many loads as fit into one call's arguments with room to spare. */
const LOADS_MAX = 20_000;

function isOpen(lane: Lane, target: RouteTarget): boolean {
  const set = lane.candidates(target.upstreamModel);
  return set.ready.length > 0 || set.awaiting.length > 0;
}

function rankOf(key: KeyExplanation): number {
  return (key.eligible ? 1000 : 0) + (key.servesModel ? 200 : 0) + key.score.total;
}
