import { TIERS } from "../core/provider-key.js";
import type { KeyCounts, PoolSummary } from "../metering/snapshot.js";
import type { Pool } from "../pool/pool.js";

/** The pool's own summary in the words of the dashboard. */
export function poolSummaryOf(pool: Pool): PoolSummary {
  const { tiers, publicTiers, nextCooldownEndAt } = pool.summary();
  const providers = new Map<string, KeyCounts>();
  for (const slot of pool.registry.slots()) {
    const { providerId } = slot.key;
    const { eligible, total } = providers.get(providerId) ?? { eligible: 0, total: 0 };
    const isEligible = slot.standing === "ELIGIBLE";
    providers.set(providerId, { eligible: eligible + (isEligible ? 1 : 0), total: total + 1 });
  }
  return {
    tiers: TIERS.flatMap((tier) => tiers.filter((each) => each.tier === tier)).map((each) => ({
      tier: each.tier,
      total: each.total,
      eligible: each.eligible,
      cooldown: each.cooling,
      exhausted: each.exhausted,
      invalid: each.invalid,
      disabled: each.disabled + each.expired + each.withheld,
    })),
    publicEligible: publicTiers.reduce((sum, { eligible }) => sum + eligible, 0),
    publicTotal: publicTiers.reduce((sum, { total }) => sum + total, 0),
    nextCooldownEndsAt: nextCooldownEndAt,
    providers,
  };
}
