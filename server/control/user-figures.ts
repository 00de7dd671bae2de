import type { Clock } from "../core/clock.js";
import { DAY_MS } from "../core/durations.js";
import { ALL_USAGE, type UsageSums } from "../core/usage.js";
import type { KeysReader, OwnedKeys } from "../keys/ports.js";
import type { TimeSpan } from "../metering/usage-buckets.js";
import type { KeyUsage } from "./key-usage.js";

const OWNERS_MAX = 10_000;
const NO_KEYS: OwnedKeys = {
  providerKeys: 0,
  publicProviderKeys: 0,
  clientKeys: 0,
  superClientKeys: 0,
};

/** What a user owns and has used. */
export interface UserFigures extends OwnedKeys {
  readonly calls24h: number;
  /** Micro-US-dollars of the last 30 days, unpriced calls not included. */
  readonly cost30dMicros: number;
}

export interface UserFiguresDeps {
  readonly reader: { readonly users: Pick<KeysReader["users"], "ownedKeys"> };
  readonly usage: Pick<KeyUsage, "breakdown">;
  readonly clock: Clock;
}

/** The figures of these users, by their ids. Counted by the database, so that nothing is loaded for it. */
export async function figuresOf(
  deps: UserFiguresDeps,
  userIds: readonly string[],
): Promise<ReadonlyMap<string, UserFigures>> {
  const nowMs = deps.clock.now();
  const [owned, day, month] = await Promise.all([
    deps.reader.users.ownedKeys(userIds),
    usageByOwner(deps, userIds, { fromMs: nowMs - DAY_MS, toMs: nowMs }),
    usageByOwner(deps, userIds, { fromMs: nowMs - 30 * DAY_MS, toMs: nowMs }),
  ]);
  const figures = userIds.map((id): [string, UserFigures] => {
    const calls24h = day.get(id)?.calls ?? 0;
    const cost30dMicros = month.get(id)?.costMicros ?? 0;
    return [id, { ...(owned.get(id) ?? NO_KEYS), calls24h, cost30dMicros }];
  });
  return new Map(figures);
}

/** One user alone is asked for by id, so that a WhoAmI does not add up everybody's calls. */
async function usageByOwner(
  { usage }: UserFiguresDeps,
  userIds: readonly string[],
  period: TimeSpan,
): Promise<ReadonlyMap<string, UsageSums>> {
  const [only] = userIds;
  const { rows } = await usage.breakdown({
    period,
    groupBy: "OWNER",
    topN: OWNERS_MAX,
    rankBy: "CALLS",
    filter: { ...ALL_USAGE, ownerId: userIds.length === 1 ? (only ?? null) : null },
    compare: false,
    trendPoints: 0,
  });
  return new Map(rows.map(({ group, totals }) => [group, totals]));
}
