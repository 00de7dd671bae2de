import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  Strategy as StrategyMessage,
  type Allocation as AllocationMessage,
  type AllocationSchema,
  type PoolService,
} from "../../proto/gen/latchkey/v1/pool_pb.js";
import { allowedRoute } from "../catalog/allowlist.js";
import type { ClientKey, Principal } from "../core/client-key.js";
import type { FaultCode } from "../core/fault.js";
import type { Route } from "../core/provider.js";
import { changedFields } from "../keys/changed-fields.js";
import type { ClientKeys } from "../keys/client-keys.js";
import { userIdOf } from "../keys/owners.js";
import { authorize, mayAll } from "../keys/policy.js";
import type { Settings } from "../keys/settings.js";
import type { PoolSummary } from "../metering/snapshot.js";
import type { TargetExplanation } from "../pool/explain.js";
import {
  ALLOCATION_SETTING,
  DEFAULT_ALLOCATION,
  formatAllocation,
  parseAllocation,
  type Allocation,
  type Strategy,
} from "../pool/allocation.js";
import { BALANCE_POINTS, FRESHNESS_POINTS, SUCCESS_POINTS } from "../pool/score.js";
import { actorKey } from "./context.js";
import { explanationMessage } from "./messages/explanation.js";
import { poolHealth } from "./messages/overview.js";
import { int64, numberOf, wordOf, type EnumWords } from "./messages/values.js";
import type { NameLookup } from "./names.js";

export interface PoolDeps {
  readonly settings: Settings;
  readonly clientKeys: Pick<ClientKeys, "get">;
  readonly summary: () => PoolSummary;
  /** The summary of one owner's keys, for callers who may see only their own things. */
  readonly ownSummary: (ownerId: string) => PoolSummary;
  readonly allocation: () => Allocation;
  readonly explain: (
    principal: Principal,
    route: Route,
    keysMax: number,
  ) => readonly TargetExplanation[];
  /** The code of the fault that a call of the route gets while no key is left for it. */
  readonly codeWithoutKey: (principal: Principal, route: Route) => FaultCode;
  readonly resolve: (model: string, principal: Principal) => Route;
  /** How many targets of the route serve the model itself; those after them come from fallbacks. */
  readonly ownTargets: (model: string, principal: Principal) => number;
  readonly names: NameLookup;
}

const CANDIDATES_DEFAULT = 20;
const CANDIDATES_MAX = 200;

const STRATEGY_MESSAGES: Record<Strategy, StrategyMessage> = {
  SCORE_BASED: StrategyMessage.SCORE_BASED,
  ROUND_ROBIN: StrategyMessage.ROUND_ROBIN,
  SEQUENTIAL: StrategyMessage.SEQUENTIAL,
  LEAST_BUSY: StrategyMessage.LEAST_BUSY,
  WEIGHTED: StrategyMessage.WEIGHTED,
};

const STRATEGY_WORDS: EnumWords<typeof StrategyMessage, Strategy> = {
  UNSPECIFIED: undefined,
  SCORE_BASED: "SCORE_BASED",
  ROUND_ROBIN: "ROUND_ROBIN",
  SEQUENTIAL: "SEQUENTIAL",
  LEAST_BUSY: "LEAST_BUSY",
  WEIGHTED: "WEIGHTED",
};

/** The state of the pool, and how a key is chosen for a call. */
export function poolService(deps: PoolDeps): Partial<ServiceImpl<typeof PoolService>> {
  return {
    getPool(_request, context) {
      const actor = context.values.get(actorKey);
      authorize(actor, "pool.get");
      const summary = mayAll(actor, "pool.get") ? deps.summary() : deps.ownSummary(userIdOf(actor));
      return {
        health: poolHealth(summary),
        providers: [...summary.providers]
          .map(([providerId, counts]) => ({
            providerId,
            providerSlug: deps.names.providerSlugOf(providerId),
            counts,
          }))
          .toSorted((one, other) => (one.providerSlug < other.providerSlug ? -1 : 1)),
        publicPoolEnabled: deps.settings.values.publicPoolEnabled,
      };
    },
    getAllocation(_request, context) {
      authorize(context.values.get(actorKey), "pool.get_allocation");
      return { allocation: allocationMessage(deps.allocation()) };
    },
    async setAllocation(request, context) {
      const actor = context.values.get(actorKey);
      authorize(actor, "pool.set_allocation");
      const before = deps.allocation();
      // Written out and read back, so that every limit of the setting is checked in one place.
      const after = parseAllocation(formatAllocation(allocationOf(request.allocation)));
      await deps.settings.putDocument(actor, "pool.set_allocation", {
        id: ALLOCATION_SETTING,
        value: formatAllocation(after),
        changedFields: changesOf(allocationMessage(before), allocationMessage(after)),
      });
      return { allocation: allocationMessage(after) };
    },
    async explainAllocation(request, context) {
      const actor = context.values.get(actorKey);
      authorize(actor, "pool.explain_allocation");
      const clientKey: ClientKey = await deps.clientKeys.get(actor, request.clientKeyId);
      const principal = { clientKey, ownerId: clientKey.ownerId };
      const resolved = deps.resolve(request.model, principal);
      const allowed = allowedRoute(clientKey.modelAllowlist, resolved);
      const route = allowed ?? { ...resolved, targets: [] };
      const candidatesMax = Math.min(request.maxCandidates || CANDIDATES_DEFAULT, CANDIDATES_MAX);
      const targets = deps.explain(principal, route, candidatesMax);
      return explanationMessage({
        seesOwner: (ownerId) => ownerId === actor.userId || mayAll(actor, "provider_key.get"),
        route,
        fallbacks: new Set(resolved.targets.slice(deps.ownTargets(request.model, principal))),
        targets,
        codeWithoutKey:
          allowed === null ? "model_not_allowed" : deps.codeWithoutKey(principal, route),
        candidatesMax,
        names: deps.names,
        strategies: STRATEGY_MESSAGES,
      });
    },
  };
}

export function allocationMessage(
  allocation: Allocation,
): MessageInitShape<typeof AllocationSchema> {
  return {
    strategy: STRATEGY_MESSAGES[allocation.strategy],
    providerStrategies: [...allocation.perProvider].map(([providerId, strategy]) => ({
      providerId,
      strategy: STRATEGY_MESSAGES[strategy],
    })),
    sessionAffinity: allocation.sessionAffinity,
    rateLimitCooldownMs: int64(allocation.rateLimitCooldownMs),
    errorCooldownMs: int64(allocation.errorCooldownMs),
    failoverDeadlineMs: int64(allocation.failoverDeadlineMs),
    invalidAfterRefusals: allocation.invalidAfterRefusals,
    scoreWeights: {
      success: SUCCESS_POINTS,
      freshness: FRESHNESS_POINTS,
      balance: BALANCE_POINTS,
    },
  };
}

/** What a request leaves out takes its default, as does a number that is 0. */
function allocationOf(asked: AllocationMessage | undefined): Allocation {
  if (asked === undefined) return DEFAULT_ALLOCATION;
  const amount = (field: string, value: bigint, fallback: number): number =>
    value === 0n ? fallback : numberOf(field, value);
  return {
    strategy:
      wordOf("allocation.strategy", StrategyMessage, STRATEGY_WORDS, asked.strategy) ??
      DEFAULT_ALLOCATION.strategy,
    perProvider: new Map(
      asked.providerStrategies.map(({ providerId, strategy }) => [
        providerId,
        wordOf("allocation.provider_strategies", StrategyMessage, STRATEGY_WORDS, strategy) ??
          DEFAULT_ALLOCATION.strategy,
      ]),
    ),
    sessionAffinity: asked.sessionAffinity ?? DEFAULT_ALLOCATION.sessionAffinity,
    rateLimitCooldownMs: amount(
      "allocation.rate_limit_cooldown_ms",
      asked.rateLimitCooldownMs,
      DEFAULT_ALLOCATION.rateLimitCooldownMs,
    ),
    errorCooldownMs: amount(
      "allocation.error_cooldown_ms",
      asked.errorCooldownMs,
      DEFAULT_ALLOCATION.errorCooldownMs,
    ),
    failoverDeadlineMs: amount(
      "allocation.failover_deadline_ms",
      asked.failoverDeadlineMs,
      DEFAULT_ALLOCATION.failoverDeadlineMs,
    ),
    invalidAfterRefusals: asked.invalidAfterRefusals || DEFAULT_ALLOCATION.invalidAfterRefusals,
  };
}

/** By the API's names. */
function changesOf<T extends object>(before: T, after: T): readonly string[] {
  return changedFields(before, after, Object.keys(after) as (keyof T & string)[]);
}
