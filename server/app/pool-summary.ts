import { TIERS } from "../core/provider-key.js";
import { type KeyCounts, NO_KEYS, type PoolSummary } from "../metering/snapshot.js";
import type { Standing } from "../pool/eligibility.js";
import type { KeySlot } from "../pool/key-slot.js";
import type { Pool } from "../pool/pool.js";
import type { TierSummary } from "../pool/summary.js";

/** The pool's own summary in the words of the dashboard. */
export function poolSummaryOf(pool: Pool): PoolSummary {
  const { tiers, publicTiers, nextCooldownEndAt } = pool.summary();
  return {
    tiers: tiers.map((each) => ({ tier: each.tier, ...countsOf([each]) })),
    publicKeys: countsOf(publicTiers),
    nextCooldownEndsAt: nextCooldownEndAt,
    providers: providersOf(pool, pool.registry.slots()),
  };
}

/** The same of one owner's keys alone, as if there were no others. */
export function ownPoolSummaryOf(pool: Pool, ownerId: string): PoolSummary {
  const own = [...pool.registry.slots()].filter(({ key }) => key.ownerId === ownerId);
  const ends = own
    .filter(({ standing }) => standing === "COOLDOWN")
    .flatMap(({ id }) => pool.health(id)?.cooldownUntil ?? []);
  return {
    tiers: TIERS.map((tier) => ({
      tier,
      ...tally(
        pool,
        own.filter(({ key }) => key.tier === tier),
      ),
    })),
    publicKeys: tally(
      pool,
      own.filter(({ key }) => key.visibility === "PUBLIC"),
    ),
    nextCooldownEndsAt: ends.reduce<number | null>((first, at) => Math.min(first ?? at, at), null),
    providers: providersOf(pool, own),
  };
}

type Counting = { -readonly [name in keyof KeyCounts]: number };
type Condition = Exclude<keyof KeyCounts, "total">;

/** What the dashboard calls the pool's standings. */
const CONDITIONS: Readonly<Record<Standing, Condition>> = {
  ELIGIBLE: "eligible",
  COOLDOWN: "cooldown",
  PROBING: "cooldown",
  EXHAUSTED: "exhausted",
  INVALID: "invalid",
  DISABLED: "disabled",
  EXPIRED: "disabled",
  OWNER_BANNED: "disabled",
  PROVIDER_DISABLED: "disabled",
  UNREADABLE: "disabled",
};

function countsOf(tiers: readonly TierSummary[]): KeyCounts {
  const sum = (...names: readonly Exclude<keyof TierSummary, "tier">[]): number =>
    tiers.reduce((total, tier) => names.reduce((rest, name) => rest + tier[name], total), 0);
  return {
    total: sum("total"),
    eligible: sum("eligible"),
    cooldown: sum("cooling"),
    exhausted: sum("exhausted"),
    invalid: sum("invalid"),
    disabled: sum("disabled", "expired", "withheld"),
  };
}

function tally(pool: Pool, slots: readonly KeySlot[]): KeyCounts {
  const counts = { ...NO_KEYS };
  for (const slot of slots) count(counts, pool.standingOf(slot));
  return counts;
}

function providersOf(pool: Pool, slots: Iterable<KeySlot>): ReadonlyMap<string, KeyCounts> {
  const providers = new Map<string, Counting>();
  for (const slot of slots) {
    const { providerId } = slot.key;
    let counts = providers.get(providerId);
    if (counts === undefined) providers.set(providerId, (counts = { ...NO_KEYS }));
    count(counts, pool.standingOf(slot));
  }
  return providers;
}

function count(counts: Counting, standing: Standing): void {
  counts.total++;
  counts[CONDITIONS[standing]]++;
}
