import type { Db } from "./db.js";
import { COUNTERS } from "./rollups.js";
import { BUCKET_MS, planUsage, TABLE_MS } from "./usage-plan.js";
import type { RollupState, Segment, UsageBucket } from "./usage-plan.js";

export type UsageGroup = "NONE" | "MODEL" | "PROVIDER" | "PROVIDER_KEY" | "CLIENT_KEY" | "OWNER";

/** What is asked of the roll-ups. Null parts of the filter let everything through. */
export interface UsageQuery {
  readonly fromMs: number;
  readonly toMs: number;
  readonly bucket: UsageBucket;
  readonly groupBy: UsageGroup;
  readonly ownerId: string | null;
  readonly clientKeyId: string | null;
  readonly providerKeyId: string | null;
  readonly providerId?: string | null;
  readonly model?: string | null;
}

/** One bucket of one group. */
export interface UsageRow {
  /** Start of the bucket; with ALL the start that was asked for. */
  readonly bucketMs: number;
  /** Id or model name; empty where there is none, and without groups. */
  readonly group: string;
  readonly calls: number;
  readonly errors: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheReadTokens: number;
  readonly cacheWriteTokens: number;
  readonly reasoningTokens: number;
  readonly costMicros: number;
  readonly unpricedCalls: number;
  readonly latencySumMs: number;
  /** Calls that `latencySumMs` is of; those without a measured latency are left out. */
  readonly timedCalls: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
}

/** The column of a combination that each group goes by. */
const GROUP_COLUMNS = {
  MODEL: "model_ref",
  PROVIDER: "provider_ref",
  PROVIDER_KEY: "provider_key_ref",
  CLIENT_KEY: "client_key_ref",
  OWNER: "owner_ref",
} as const;

interface UsageDbRow extends Record<(typeof COUNTERS)[number], number> {
  bucket: number;
  name: string | null;
}

/**
 * Sums up roll-ups: one row for each bucket and group in which there were calls, by bucket and then by
 * group. Times are UTC. Buckets without calls have no row.
 */
export async function readUsage(db: Db, query: UsageQuery): Promise<readonly UsageRow[]> {
  const state = await readState(db);
  const segments = planUsage(query, state);
  if (segments.length === 0) return [];
  const { sql, values } = usageSql(query, segments, state.sweeping === 1);
  const rows = await db.rows<UsageDbRow>(sql, values);
  return rows.map((row) => toUsageRow(row, query));
}

async function readState(db: Db): Promise<RollupState & { sweeping: number }> {
  const [state] = await db.rows<RollupState & { sweeping: number }>(
    `SELECT folded_until_ms AS foldedUntilMs, minutes_from_ms AS minutesFromMs, hours_from_ms AS hoursFromMs,
       EXISTS (${UNSWEPT}) AS sweeping FROM ledger_state`,
  );
  if (state === undefined) throw new Error("the state of the ledger is missing");
  return state;
}

/** Numbers of client keys that were deleted and whose calls are still being removed. */
export const UNSWEPT = `SELECT n.id FROM deleted_client_keys d JOIN ledger_names n ON n.name = d.client_key_id
  WHERE d.swept_at IS NULL`;

function usageSql(
  query: UsageQuery,
  segments: readonly Segment[],
  sweeping: boolean,
): { sql: string; values: (string | number)[] } {
  const filter = keyFilter(query, sweeping);
  const grouped = query.groupBy !== "NONE";
  const parts = segments.map((segment) => {
    const bucket = bucketOf(query.bucket, segment);
    const columns = [...(bucket === undefined ? [] : [bucket]), ...(grouped ? ["key_id"] : [])];
    return `SELECT ${bucket ?? "0"} AS bucket, ${grouped ? "key_id, " : ""}${SUMS} FROM ${segment.table}
      WHERE bucket_ms >= ? AND bucket_ms < ? ${filter.sql}
      ${columns.length === 0 ? "" : `GROUP BY ${columns.join(", ")}`}`;
  });
  const values = segments.flatMap(({ fromMs, toMs }) => [fromMs, toMs, ...filter.values]);
  const union = parts.join(" UNION ALL ");
  const sql =
    query.groupBy === "NONE"
      ? `SELECT bucket, NULL AS name, ${SUMS} FROM (${union}) WHERE calls > 0 GROUP BY bucket`
      : `SELECT bucket, n.name, ${SUMS} FROM (${union}) u
         JOIN usage_keys k ON k.id = u.key_id
         LEFT JOIN ledger_names n ON n.id = k.${GROUP_COLUMNS[query.groupBy]} GROUP BY bucket, n.name`;
  return { sql: `${sql} ORDER BY 1, 2`, values };
}

const SUMS = COUNTERS.map((name) => `sum(${name}) AS ${name}`).join(", ");

/** The bucket of a roll-up: its own where the table has just these buckets, so that the key's order is used. */
function bucketOf(bucket: UsageBucket, { table }: Segment): string | undefined {
  if (bucket === "ALL") return undefined;
  const stepMs = BUCKET_MS[bucket];
  return TABLE_MS[table] === stepMs ? "bucket_ms" : `bucket_ms / ${stepMs} * ${stepMs}`;
}

/** Which combinations count; the database looks them up once for each segment. */
function keyFilter(query: UsageQuery, sweeping: boolean): { sql: string; values: string[] } {
  const wanted: readonly [string, string | null | undefined][] = [
    [GROUP_COLUMNS.OWNER, query.ownerId],
    [GROUP_COLUMNS.CLIENT_KEY, query.clientKeyId],
    [GROUP_COLUMNS.PROVIDER_KEY, query.providerKeyId],
    [GROUP_COLUMNS.PROVIDER, query.providerId],
    [GROUP_COLUMNS.MODEL, query.model],
  ];
  const conditions: string[] = [];
  const values: string[] = [];
  for (const [column, name] of wanted) {
    if (name === null || name === undefined) continue;
    conditions.push(`${column} = (SELECT id FROM ledger_names WHERE name = ?)`);
    values.push(name);
  }
  if (sweeping) conditions.push(`client_key_ref NOT IN (${UNSWEPT})`);
  if (conditions.length === 0) return { sql: "", values };
  return {
    sql: `AND key_id IN (SELECT id FROM usage_keys WHERE ${conditions.join(" AND ")})`,
    values,
  };
}

function toUsageRow(row: UsageDbRow, query: UsageQuery): UsageRow {
  return {
    bucketMs: query.bucket === "ALL" ? query.fromMs : row.bucket,
    group: row.name ?? "",
    calls: row.calls,
    errors: row.errors,
    inputTokens: row.input_tokens,
    outputTokens: row.output_tokens,
    cacheReadTokens: row.cache_read_tokens,
    cacheWriteTokens: row.cache_write_tokens,
    reasoningTokens: row.reasoning_tokens,
    costMicros: row.cost_micros,
    unpricedCalls: row.unpriced_calls,
    latencySumMs: row.latency_sum_ms,
    timedCalls: row.timed_calls,
    requestBytes: row.request_bytes,
    responseBytes: row.response_bytes,
  };
}
