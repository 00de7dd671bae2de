import { type Tier, TIERS } from "../core/provider-key.js";
import type { Standing } from "./eligibility.js";
import type { KeySlot } from "./key-slot.js";
import { type Moment, wallTimeOf } from "./moment.js";
import type { KeyRegistry, StandingCounts } from "./registry.js";

/** How many keys of a tier are in which condition. */
export interface TierSummary {
  readonly tier: Tier;
  readonly total: number;
  readonly eligible: number;
  readonly cooling: number;
  readonly exhausted: number;
  readonly invalid: number;
  readonly disabled: number;
  readonly expired: number;
  /** Owner banned, provider disabled, or secret unreadable. */
  readonly withheld: number;
  /** Part of `withheld`: the secret cannot be opened. */
  readonly unreadable: number;
}

export interface PoolSummary {
  /** All keys, by tier. */
  readonly tiers: readonly TierSummary[];
  /** The pool: the public keys, by tier. */
  readonly publicTiers: readonly TierSummary[];
  /** Wall clock, milliseconds since the epoch; null when nothing cools down. */
  readonly nextCooldownEndAt: number | null;
}

/** The state of the pool for a dashboard, from counters that are kept as keys change. */
export function summarize(registry: KeyRegistry, now: Moment): PoolSummary {
  registry.wake(now.monotonicMs);
  const { all, open } = registry.counts;
  const kept = [...registry.index.unreachable(now.monotonicMs)].filter(
    ({ shown }) => shown === "ELIGIBLE",
  );
  const keptOpen = kept.filter(({ key }) => key.visibility === "PUBLIC");
  const cooling = kept.length > 0 || TIERS.some((tier) => all[tier].COOLDOWN > 0);
  return {
    tiers: TIERS.map((tier) => tierSummary(tier, all, kept)),
    publicTiers: TIERS.map((tier) => tierSummary(tier, open, keptOpen)),
    nextCooldownEndAt: cooling ? nextCooldownEnd(registry, now) : null,
  };
}

/** @param kept eligible keys whose provider cannot be reached, which wait as those do that cool down. */
function tierSummary(tier: Tier, counts: StandingCounts, kept: readonly KeySlot[]): TierSummary {
  const of = counts[tier];
  const waiting = kept.filter(({ key }) => key.tier === tier).length;
  const sum = (...standings: readonly Standing[]): number =>
    standings.reduce((total, standing) => total + of[standing], 0);
  return {
    tier,
    total: Object.values(of).reduce((total, count) => total + count, 0),
    eligible: sum("ELIGIBLE") - waiting,
    cooling: sum("COOLDOWN", "PROBING") + waiting,
    exhausted: sum("EXHAUSTED"),
    invalid: sum("INVALID"),
    disabled: sum("DISABLED"),
    expired: sum("EXPIRED"),
    withheld: sum("OWNER_BANNED", "PROVIDER_DISABLED", "UNREADABLE"),
    unreadable: sum("UNREADABLE"),
  };
}

function nextCooldownEnd(registry: KeyRegistry, now: Moment): number | null {
  let endMs = Infinity;
  for (const { origin } of registry.index.unreachable(now.monotonicMs)) {
    endMs = Math.min(endMs, origin.reachableMs(now.monotonicMs));
  }
  for (const slot of registry.slots()) {
    if (slot.shown !== "COOLDOWN") continue;
    endMs = Math.min(endMs, slot.condition.restsUntilMs ?? slot.models?.nextEndMs() ?? Infinity);
  }
  return endMs === Infinity ? null : wallTimeOf(endMs, now);
}
