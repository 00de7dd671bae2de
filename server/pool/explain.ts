import type { Tier } from "../core/provider-key.js";
import type { Route, RouteTarget } from "../core/provider.js";
import type { CandidateSet } from "./candidate-set.js";
import type { Standing } from "./eligibility.js";
import type { KeySlot } from "./key-slot.js";
import type { Lane } from "./lane.js";
import { type Moment, wallTimeOf } from "./moment.js";
import type { OriginRest } from "./origin.js";
import type { KeyRegistry } from "./registry.js";
import type { Prng } from "./prng.js";
import { NO_KEYS } from "./rights.js";
import type { Scope } from "./scope.js";
import { type Score, scoreOf } from "./score.js";
import { choose } from "./strategies/choose.js";
import type { ChoiceContext } from "./strategies/context.js";
import type { Strategy } from "./allocation.js";

/** Why a key is or is not in the running for a model. */
export interface KeyExplanation {
  readonly providerKeyId: string;
  readonly ownerId: string;
  readonly name: string;
  readonly tier: Tier;
  readonly standing: Standing;
  /** End of all that makes it rest, a quota that is used up included; milliseconds since the epoch, null when it does not. */
  readonly blockedUntilAt: number | null;
  /** Its service and allowlist let it serve the model. */
  readonly servesModel: boolean;
  /** Place in the order in which a call would try keys, from 1; 0 for a key that it would not try. */
  readonly rank: number;
  /** The reason in words. */
  readonly reason: string;
  readonly score: Score;
  /** 0 to 1, over the latest outcomes. */
  readonly successRate: number;
  readonly outcomes: number;
  /** Uses in the last hour and calls in flight, the load that is balanced. */
  readonly load: number;
  readonly inFlight: number;
  /** Calls of the model that it is given at a time, learned from limits; null when none is known. */
  readonly ceiling: number | null;
  readonly weight: number;
  /** Part of its full share of the model's calls that it may take now. */
  readonly rampShare: number;
  /** Milliseconds since its last use; null if never used. */
  readonly sinceUsedMs: number | null;
}

export interface TierExplanation {
  readonly tier: Tier;
  /** The first tier with an eligible key: calls go here. */
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
  /** Nobody gets a key of this scope now. */
  readonly isClosed: boolean;
  readonly strategyOf: (providerId: string) => Strategy;
  readonly now: Moment;
  /** Keys shown of one tier, the best first. */
  readonly keysMax: number;
  /** For the draws that large tiers are compared by. */
  readonly prng: Prng;
}

/** How the pool stands for a route: every tier and key with its score in parts. Changes nothing. */
export function explain(options: ExplainOptions): readonly TargetExplanation[] {
  const { registry, route, scope, now } = options;
  registry.wake(now.monotonicMs);
  for (const target of route.targets) {
    const lanes = registry.index.lanes(target.provider.id, scope);
    // Expiry goes by the wall clock, which may have been set since.
    for (const lane of lanes) for (const slot of lane.slots) registry.hasExpired(slot);
  }
  const ranks = rankKeys(options);
  return route.targets.map((target, i) => ({
    providerId: target.provider.id,
    upstreamModel: target.upstreamModel,
    strategy: options.strategyOf(target.provider.id),
    tiers: explainTiers(options, target, ranks[i] ?? NO_RANKS),
  }));
}

/** The place of keys in the order in which a call would try them, by id. */
type Ranks = ReadonlyMap<string, number>;

const NO_RANKS: Ranks = new Map();

/** A tier of one target, to whose keys calls go now. */
interface OpenLane {
  readonly strategy: Strategy;
  readonly set: CandidateSet;
  readonly context: ChoiceContext;
  readonly ranks: Map<string, number>;
}

/**
 * Plays through whom a call would try one after the other, without the passing over of ramping keys: at first whatever
 * comes first, then all that are known to work, then those that have to be proven. Answers the ranks of each target.
 */
function rankKeys(options: ExplainOptions): readonly Ranks[] {
  const tried = new Set<string>();
  const ranks = options.route.targets.map(() => new Map<string, number>());
  const lanes = options.isClosed ? [] : openLanes(options, tried, ranks);
  const rank = (lane: OpenLane, slot: KeySlot): void => {
    tried.add(slot.id);
    lane.ranks.set(slot.id, tried.size);
  };
  for (const lane of lanes) {
    const first = choose(lane.strategy, lane.set, lane.context) ?? lane.set.awaiting[0];
    if (first === undefined) continue;
    rank(lane, first);
    break;
  }
  for (const lane of lanes) {
    for (let i = 0; i < options.keysMax; i++) {
      const slot = choose(lane.strategy, lane.set, lane.context);
      if (slot === undefined) break;
      rank(lane, slot);
    }
  }
  for (const lane of lanes) {
    for (const slot of lane.set.awaiting) if (!tried.has(slot.id)) rank(lane, slot);
  }
  return ranks;
}

function openLanes(
  { registry, route, scope, now, prng, strategyOf }: ExplainOptions,
  tried: ReadonlySet<string>,
  ranks: readonly Map<string, number>[],
): readonly OpenLane[] {
  return route.targets.flatMap((target, i) => {
    const { provider, upstreamModel: model } = target;
    const lanes = registry.index.lanes(provider.id, scope);
    if (restOf(lanes, target, now) !== undefined) return [];
    return lanes.map((lane) => ({
      strategy: strategyOf(provider.id),
      set: lane.candidates(model),
      context: {
        nowMs: now.monotonicMs,
        model,
        tried,
        lacking: NO_KEYS,
        passed: [],
        prng,
        scratch: [],
      },
      ranks: ranks[i] ?? new Map<string, number>(),
    }));
  });
}

function explainTiers(
  options: ExplainOptions,
  target: RouteTarget,
  ranks: Ranks,
): readonly TierExplanation[] {
  const lanes = options.registry.index.lanes(target.provider.id, options.scope);
  const rest = restOf(lanes, target, options.now);
  const isKept = options.isClosed || rest !== undefined;
  const inUse = isKept ? undefined : lanes.find((lane) => isOpen(lane, target));
  return lanes.map((lane) => {
    const serving = new Set(lane.candidates(target.upstreamModel).members);
    const maxLoad = maxLoadOf(lane, target, options.now.monotonicMs);
    const ranked = [...lane.slots].map((slot) => {
      const load = slot.load(options.now.monotonicMs);
      const score = scoreOf(slot, options.now.monotonicMs, Math.max(maxLoad, load));
      return { slot, rank: ranks.get(slot.id) ?? 0, score };
    });
    ranked.sort(byRank);
    // A tier may have ten thousand, of which few are shown.
    const keys = ranked.slice(0, options.keysMax).map(({ slot, rank, score }) =>
      explainKey(slot, {
        now: options.now,
        score,
        model: target.upstreamModel,
        servesModel: serving.has(slot),
        tierInUse: lane === inUse,
        isClosed: options.isClosed,
        rest: serving.has(slot) ? rest : undefined,
        lacked: options.registry.rights.lackedBy(
          slot.id,
          target.upstreamModel,
          options.now.monotonicMs,
        ),
        rank,
      }),
    );
    return {
      tier: lane.tier,
      inUse: lane === inUse,
      keys,
      omitted: ranked.length - keys.length,
    };
  });
}

interface Around {
  readonly now: Moment;
  readonly score: Score;
  readonly model: string;
  readonly servesModel: boolean;
  readonly tierInUse: boolean;
  readonly isClosed: boolean;
  /** Why its provider gets no calls of the model now; undefined when it does. */
  readonly rest: OriginRest | undefined;
  /** The kinds of calls of the model for which it lacks a right. */
  readonly lacked: readonly string[];
  readonly rank: number;
}

function explainKey(slot: KeySlot, around: Around): KeyExplanation {
  const nowMs = around.now.monotonicMs;
  const { standing, untilMs } = standingFor(slot, around);
  const ceiling = slot.loads.ceiling(around.model);
  return {
    providerKeyId: slot.id,
    ownerId: slot.key.ownerId,
    name: slot.key.name,
    tier: slot.key.tier,
    standing,
    blockedUntilAt: untilMs === null ? null : wallTimeOf(untilMs, around.now),
    servesModel: around.servesModel,
    rank: around.rank,
    reason: reasonOf(slot, around),
    score: around.score,
    successRate: slot.outcomes.rate,
    outcomes: slot.outcomes.count,
    load: slot.load(nowMs),
    inFlight: slot.inFlight,
    ceiling: ceiling === Infinity ? null : ceiling,
    weight: slot.key.weight,
    rampShare: slot.shareOf(around.model, nowMs),
    sinceUsedMs: slot.lastUsedMs === -Infinity ? null : nowMs - slot.lastUsedMs,
  };
}

/** Its standing for one model: a key that is fine may rest for that, and so may its provider. */
function standingFor(
  slot: KeySlot,
  { model, rest }: Pick<Around, "model" | "rest">,
): { readonly standing: Standing; readonly untilMs: number | null } {
  const { standing } = slot;
  const modelBackMs = slot.modelBackMs(model);
  if (standing === "COOLDOWN" || standing === "EXHAUSTED") {
    return { standing, untilMs: Math.max(slot.keyBackMs, modelBackMs ?? 0) };
  }
  const untilMs = standing === "ELIGIBLE" ? (modelBackMs ?? rest?.untilMs ?? null) : null;
  return { standing: untilMs === null ? standing : "COOLDOWN", untilMs };
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

function reasonOf(slot: KeySlot, around: Around): string {
  const { standing, untilMs } = standingFor(slot, around);
  if (standing !== "ELIGIBLE") {
    const leftMs = untilMs === null ? 0 : untilMs - around.now.monotonicMs;
    const why = slot.standing === "ELIGIBLE" ? whyApart(slot, around) : REASONS[standing];
    return `${why}${leftMs > 0 ? `, ${Math.ceil(leftMs / 1000)} s left` : ""}`;
  }
  if (!around.servesModel) return "its service or model allowlist leaves this model out";
  if (around.isClosed) return "the public pool is closed";
  if (slot.loads.isFull(around.model))
    return "it has all the calls at a time that the provider takes";
  if (!around.tierInUse) return "a higher tier has an eligible key";
  if (slot.condition.onProof) return "eligible; one call has to succeed first";
  const { lacked } = around;
  return lacked.length === 0
    ? REASONS.ELIGIBLE
    : `eligible; after others for ${lacked.join(", ")}, for which it lacks a right`;
}

/** Why a key that is fine does not serve a model now. */
function whyApart(slot: KeySlot, { model, rest }: Around): string {
  if (slot.refusesModel(model)) return "the provider does not serve this model to it";
  if (rest === undefined || slot.modelBackMs(model) !== null) return "cooling down for this model";
  if (rest.isTried) return "a call is finding out whether its provider is back";
  return rest.model === null
    ? "its provider cannot be reached"
    : "its provider has no room for this model";
}

function restOf(
  lanes: readonly Lane[],
  { upstreamModel }: RouteTarget,
  now: Moment,
): OriginRest | undefined {
  return lanes[0]?.origin.restFor(upstreamModel, now.monotonicMs);
}

/** The load of the busiest key that can be chosen. */
function maxLoadOf(lane: Lane, target: RouteTarget, nowMs: number): number {
  let maxLoad = 0;
  for (const slot of lane.candidates(target.upstreamModel).ready) {
    maxLoad = Math.max(maxLoad, slot.load(nowMs));
  }
  return maxLoad;
}

function isOpen(lane: Lane, target: RouteTarget): boolean {
  const set = lane.candidates(target.upstreamModel);
  return set.ready.length > 0 || set.awaiting.length > 0;
}

interface Ranked {
  readonly slot: KeySlot;
  readonly rank: number;
  readonly score: Score;
}

/** By rank, then those that would not be tried, the better score first. */
function byRank(a: Ranked, b: Ranked): number {
  const order = (each: Ranked): number => (each.rank === 0 ? Infinity : each.rank);
  if (order(a) !== order(b)) return order(a) - order(b);
  return b.score.total - a.score.total || (a.slot.id < b.slot.id ? -1 : 1);
}
