import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  ExplainAllocationResponseSchema,
  Strategy as StrategyMessage,
} from "../../../proto/gen/latchkey/v1/pool_pb.js";
import { ProviderKey_Eligibility } from "../../../proto/gen/latchkey/v1/provider_keys_pb.js";
import type { FaultCode } from "../../core/fault.js";
import type { Route, RouteTarget } from "../../core/provider.js";
import type { Standing } from "../../pool/eligibility.js";
import type { KeyExplanation, TargetExplanation } from "../../pool/explain.js";
import type { Strategy } from "../../pool/allocation.js";
import type { NameLookup } from "../names.js";
import { DIALECTS } from "./calls.js";
import { TIERS } from "./overview.js";

const STANDINGS: Record<Standing, ProviderKey_Eligibility> = {
  ELIGIBLE: ProviderKey_Eligibility.ELIGIBLE,
  DISABLED: ProviderKey_Eligibility.DISABLED,
  OWNER_BANNED: ProviderKey_Eligibility.OWNER_BANNED,
  PROVIDER_DISABLED: ProviderKey_Eligibility.PROVIDER_DISABLED,
  EXPIRED: ProviderKey_Eligibility.EXPIRED,
  UNREADABLE: ProviderKey_Eligibility.UNREADABLE,
  INVALID: ProviderKey_Eligibility.INVALID,
  EXHAUSTED: ProviderKey_Eligibility.EXHAUSTED,
  COOLDOWN: ProviderKey_Eligibility.COOLDOWN,
  PROBING: ProviderKey_Eligibility.COOLDOWN,
};

/** Which keys a call would try, in which order, and why not the others. */
export function explanationMessage(found: {
  /** Whether the reader may know of this owner's keys; a super key draws on those of others. */
  readonly seesOwner: (ownerId: string) => boolean;
  readonly route: Route;
  readonly fallbacks: ReadonlySet<RouteTarget>;
  readonly targets: readonly TargetExplanation[];
  /** What a call gets while no key is left for it. */
  readonly codeWithoutKey: FaultCode;
  readonly candidatesMax: number;
  readonly names: NameLookup;
  readonly strategies: Record<Strategy, StrategyMessage>;
}): MessageInitShape<typeof ExplainAllocationResponseSchema> {
  const { seesOwner, route, targets, candidatesMax, names, strategies } = found;
  const all = targets.flatMap(({ tiers }) => tiers);
  const inUse = all.find((tier) => tier.inUse);
  const chosen = inUse?.keys.find((key) => key.rank === 1);
  const first = targets[0];
  const told = targets
    .flatMap(({ tiers, providerId }) =>
      tiers.flatMap((tier) => tier.keys.map((key) => ({ key, providerId }))),
    )
    .toSorted((one, other) => placeOf(one.key) - placeOf(other.key));
  return {
    routes: route.targets.map((target) => ({
      providerId: target.provider.id,
      providerSlug: target.provider.slug,
      upstreamModel: target.upstreamModel,
      dialect: DIALECTS[target.provider.dialect],
      unpriced: target.price === null,
      fallback: found.fallbacks.has(target),
    })),
    ...(first === undefined ? {} : { strategy: strategies[first.strategy] }),
    ...(inUse === undefined ? {} : { tier: TIERS[inUse.tier] }),
    candidates: told
      .slice(0, candidatesMax)
      .map(({ key, providerId }) =>
        candidate(key, { providerId, names, isSeen: seesOwner(key.ownerId) }),
      ),
    considered: told.length + all.reduce((sum, { omitted }) => sum + omitted, 0),
    chosenProviderKeyId:
      chosen !== undefined && seesOwner(chosen.ownerId) ? chosen.providerKeyId : "",
    errorCode: chosen === undefined ? found.codeWithoutKey : "",
  };
}

/** By rank, then those that would not be tried. */
function placeOf({ rank }: KeyExplanation): number {
  return rank === 0 ? Number.MAX_SAFE_INTEGER : rank;
}

function candidate(
  key: KeyExplanation,
  from: { readonly providerId: string; readonly names: NameLookup; readonly isSeen: boolean },
) {
  const { providerId, names, isSeen } = from;
  const { success, freshness, balance } = key.score;
  return {
    providerKeyId: isSeen ? key.providerKeyId : "",
    name: isSeen ? key.name : "",
    ownerUsername: isSeen ? names.usernameOf(key.ownerId) : "",
    providerSlug: names.providerSlugOf(providerId),
    tier: TIERS[key.tier],
    eligibility: key.servesModel
      ? STANDINGS[key.standing]
      : ProviderKey_Eligibility.MODEL_NOT_ALLOWED,
    reason: key.reason,
    rank: key.rank,
    score: { success, freshness, balance, total: success + freshness + balance },
    inFlight: key.inFlight,
    weight: key.weight,
    ceiling: key.ceiling ?? 0,
  };
}
