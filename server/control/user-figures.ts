import type { Clock } from "../core/clock.js";
import { DAY_MS } from "../core/durations.js";
import type { Condition, Page, PageQuery } from "../core/page.js";
import { ALL_USAGE, type UsageSums } from "../core/usage.js";
import { OWNER_FIELD, type KeysReader } from "../keys/ports.js";
import type { TimeSpan } from "../metering/usage-buckets.js";
import type { KeyUsage } from "./key-usage.js";

const OWNERS_MAX = 10_000;

/** What a user owns and has used. */
export interface UserFigures {
  readonly providerKeys: number;
  readonly publicProviderKeys: number;
  readonly clientKeys: number;
  readonly superClientKeys: number;
  readonly calls24h: number;
  /** Micro-US-dollars of the last 30 days, unpriced calls not included. */
  readonly cost30dMicros: number;
}

export interface UserFiguresDeps {
  readonly reader: Pick<KeysReader, "providerKeys" | "clientKeys">;
  readonly usage: Pick<KeyUsage, "breakdown">;
  readonly clock: Clock;
}

/** The figures of these users, by their ids. Counted by the database, so that nothing is loaded for it. */
export async function figuresOf(
  deps: UserFiguresDeps,
  userIds: readonly string[],
): Promise<ReadonlyMap<string, UserFigures>> {
  const nowMs = deps.clock.now();
  const [day, month] = await Promise.all([
    usageByOwner(deps, userIds, { fromMs: nowMs - DAY_MS, toMs: nowMs }),
    usageByOwner(deps, userIds, { fromMs: nowMs - 30 * DAY_MS, toMs: nowMs }),
  ]);
  const figures = userIds.map(async (id): Promise<[string, UserFigures]> => {
    const calls24h = day.get(id)?.calls ?? 0;
    const cost30dMicros = month.get(id)?.costMicros ?? 0;
    return [id, { ...(await countsOf(deps, id)), calls24h, cost30dMicros }];
  });
  return new Map(await Promise.all(figures));
}

async function countsOf({ reader }: UserFiguresDeps, userId: string) {
  const own: Condition = { field: OWNER_FIELD, op: "=", value: userId };
  const isPublic: Condition = { field: "visibility", op: "=", value: "PUBLIC" };
  const isSuper: Condition = { field: "kind", op: "=", value: "SUPER" };
  const [providerKeys, publicProviderKeys, clientKeys, superClientKeys] = await Promise.all([
    count(reader.providerKeys, own),
    count(reader.providerKeys, own, isPublic),
    count(reader.clientKeys, own),
    count(reader.clientKeys, own, isSuper),
  ]);
  return { providerKeys, publicProviderKeys, clientKeys, superClientKeys };
}

async function count(
  list: { list(query: PageQuery): Promise<Page<unknown>> },
  ...conditions: Condition[]
): Promise<number> {
  const page = { text: "", orderBy: "", descending: false, pageSize: 1, pageToken: "" };
  return (await list.list({ ...page, conditions })).total;
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
