import type { UsageFilter } from "../core/usage.js";
import type { Db } from "./db.js";
import { conditionsOf, keyFilter, readState } from "./usage.js";
import { planUsage } from "./usage-plan.js";

/** Whose calls are asked for, and of which time. */
export interface ActiveQuery extends UsageFilter {
  readonly fromMs: number;
  readonly toMs: number;
}

/** How many of each had calls. */
export interface ActiveNames {
  readonly clientKeys: number;
  readonly providerKeys: number;
  readonly owners: number;
}

/**
 * Counts those who took part in the calls that a filter leaves. Every combination is looked at once and nothing is
 * summed up, so it costs less than one question by group.
 */
export async function countActive(db: Db, query: ActiveQuery): Promise<ActiveNames> {
  const state = await readState(db);
  const segments = planUsage({ ...query, bucket: "ALL" }, state);
  const filter = keyFilter({ conditions: conditionsOf(query), sweeping: state.sweeping === 1 });
  const pieces = segments.map(
    ({ level }) =>
      `SELECT key_id FROM ${level.rollups} WHERE bucket_ms >= ? AND bucket_ms < ? ${filter.sql}`,
  );
  if (pieces.length === 0) return { clientKeys: 0, providerKeys: 0, owners: 0 };
  const [active] = await db.rows<ActiveNames>(
    `SELECT ${distinct("client_key_ref")} AS clientKeys, ${distinct("provider_key_ref")} AS providerKeys,
       ${distinct("owner_ref")} AS owners
     FROM usage_keys WHERE id IN (${pieces.join(" UNION ALL ")})`,
    segments.flatMap(({ fromMs, toMs }) => [fromMs, toMs, ...filter.values]),
  );
  if (active === undefined) throw new Error("a count has no row");
  return active;
}

/** Calls without a provider key, say, are nobody's. */
function distinct(column: string): string {
  return `count(DISTINCT NULLIF(${column}, 0))`;
}
