import { TIERS, type Tier } from "../core/provider-key.js";
import type { KeyCounts, PoolSummary, TierSummary } from "../metering/snapshot.js";
import type { Standing } from "../pool/eligibility.js";
import type { KeySlot } from "../pool/key-slot.js";
import type { Pool } from "../pool/pool.js";

/** The pool's own summary in the words of the dashboard. */
export function poolSummaryOf(pool: Pool): PoolSummary {
  const { tiers, publicTiers, nextCooldownEndAt } = pool.summary();
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
    providers: providersOf(pool.registry.slots()),
  };
}

/** The same of one owner's keys alone, as if there were no others. */
export function ownPoolSummaryOf(pool: Pool, ownerId: string): PoolSummary {
  const own = [...pool.registry.slots()].filter(({ key }) => key.ownerId === ownerId);
  const ofPublic = own.filter(({ key }) => key.visibility === "PUBLIC");
  const ends = own
    .filter(({ standing }) => standing === "COOLDOWN")
    .flatMap(({ id }) => pool.health(id)?.cooldownUntil ?? []);
  return {
    tiers: TIERS.map((tier) =>
      tierSummary(
        tier,
        own.filter(({ key }) => key.tier === tier),
      ),
    ),
    publicEligible: ofPublic.filter(isEligible).length,
    publicTotal: ofPublic.length,
    nextCooldownEndsAt: ends.reduce<number | null>((first, at) => Math.min(first ?? at, at), null),
    providers: providersOf(own),
  };
}

type Slot = Pick<KeySlot, "key" | "standing">;

function tierSummary(tier: Tier, slots: readonly Slot[]): TierSummary {
  const count = (...standings: readonly Standing[]): number =>
    slots.filter(({ standing }) => standings.includes(standing)).length;
  return {
    tier,
    total: slots.length,
    eligible: count("ELIGIBLE"),
    cooldown: count("COOLDOWN", "PROBING"),
    exhausted: count("EXHAUSTED"),
    invalid: count("INVALID"),
    disabled: count("DISABLED", "EXPIRED", "OWNER_BANNED", "PROVIDER_DISABLED", "UNREADABLE"),
  };
}

function providersOf(slots: Iterable<Slot>): ReadonlyMap<string, KeyCounts> {
  const providers = new Map<string, KeyCounts>();
  for (const slot of slots) {
    const { providerId } = slot.key;
    const { eligible, total } = providers.get(providerId) ?? { eligible: 0, total: 0 };
    providers.set(providerId, {
      eligible: eligible + (isEligible(slot) ? 1 : 0),
      total: total + 1,
    });
  }
  return providers;
}

function isEligible({ standing }: Slot): boolean {
  return standing === "ELIGIBLE";
}
