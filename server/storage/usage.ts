import type { UsageFilter, UsageGroup, UsageQuery, UsageRow } from "../core/usage.js";
import type { Db } from "./db.js";
import { COUNTERS } from "./rollup-rows.js";
import { SQLITE } from "./sql-dialect.js";
import { DIMENSIONS, PAIR_PARTS, type TotalDimension } from "./totals.js";
import {
  BUCKET_MS,
  cutAtTotals,
  type Piece,
  planUsage,
  type RollupState,
  type Segment,
} from "./usage-plan.js";

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
  const sweeping = state.sweeping === 1;
  const asked: Asked = {
    query,
    conditions: conditionsOf(query),
    sweeping,
    // While a deleted key's part is being taken out, the totals still hold some of it.
    dimension: sweeping ? undefined : dimensionOf(query),
  };
  const pieces =
    asked.dimension === undefined
      ? segments.map((segment) => ({ ...segment, totals: false }))
      : cutAtTotals(segments, state.foldedUntilMs);
  const { sql, values } = usageSql(asked, pieces);
  const rows = await db.rows<UsageDbRow>(sql, values);
  return rows.map((row) => toUsageRow(row, query));
}

interface Asked {
  readonly query: UsageQuery;
  readonly conditions: readonly NameCondition[];
  readonly sweeping: boolean;
  /** The totals that answer; undefined when only combinations do. */
  readonly dimension: TotalDimension | undefined;
}

/** What the filter wants one name to be. */
interface NameCondition {
  readonly dimension: UsageGroup;
  readonly name: string;
}

export function conditionsOf(query: UsageFilter): readonly NameCondition[] {
  const wanted: readonly [UsageGroup, string | null][] = [
    ["OWNER", query.ownerId],
    ["CLIENT_KEY", query.clientKeyId],
    ["PROVIDER_KEY", query.providerKeyId],
    ["PROVIDER", query.providerId],
    ["MODEL", query.model],
  ];
  return wanted.flatMap(([dimension, name]) => (name === null ? [] : [{ dimension, name }]));
}

/** The totals that know all names that are filtered and grouped by; most are of one kind of name each. */
function dimensionOf(query: UsageQuery): TotalDimension | undefined {
  const named = new Set(conditionsOf(query).map(({ dimension }) => dimension));
  if (query.groupBy !== "NONE") named.add(query.groupBy);
  const [only = "NONE"] = named;
  if (named.size <= 1) return only;
  return named.size === 2 && named.has("PROVIDER") && named.has("MODEL")
    ? "PROVIDER_MODEL"
    : undefined;
}

export async function readState(db: Db): Promise<RollupState & { sweeping: number }> {
  const [state] = await db.rows<RollupState & { sweeping: number }>(
    `SELECT folded_until_ms AS foldedUntilMs, minutes_from_ms AS minutesFromMs, hours_from_ms AS hoursFromMs,
       EXISTS (${SWEEPING}) AS sweeping FROM ledger_state`,
  );
  if (state === undefined) throw new Error("the state of the ledger is missing");
  return state;
}

/** Whether calls of deleted client keys are still being removed. */
export const SWEEPING = "SELECT 1 FROM deleted_client_keys WHERE swept_at IS NULL";
/**
 * Numbers of client keys that were deleted and whose calls are still being removed. CROSS JOIN holds the order: few
 * keys are unswept, and there may be a million names.
 */
export const UNSWEPT = `SELECT n.id FROM deleted_client_keys d CROSS JOIN ledger_names n ON n.name = d.client_key_id
  WHERE d.swept_at IS NULL`;

function usageSql(
  asked: Asked,
  pieces: readonly Piece[],
): { sql: string; values: (string | number)[] } {
  const parts = pieces.map((piece) =>
    piece.totals ? totalsSql(asked, piece) : combinationsSql(asked, piece),
  );
  const grouped = asked.query.groupBy !== "NONE";
  const names = grouped ? "LEFT JOIN ledger_names n ON n.id = ref" : "";
  return {
    sql: `SELECT bucket, ${grouped ? "n.name" : "NULL AS name"}, ${SUMS}
      FROM (${parts.map(({ sql }) => sql).join(" UNION ALL ")}) ${names}
      GROUP BY bucket ${grouped ? ", n.name" : ""} HAVING sum(calls) > 0 ORDER BY 1, 2`,
    values: parts.flatMap(({ values }) => values),
  };
}

function totalsSql({ query, conditions, dimension = "NONE" }: Asked, piece: Piece) {
  const { totals } = piece.level;
  const bucket = bucketOf(query, piece);
  const isPair = dimension === "PROVIDER_MODEL";
  const part = (name: UsageGroup) => (isPair ? PAIR_PARTS[name] : "ref");
  const group = part(query.groupBy);
  const columns = [bucket, group].filter((column) => column !== undefined);
  // Left to itself the database reads the totals of all names in this time; of pairs there are few.
  const byRef = conditions.length > 0 && !isPair;
  const wanted = conditions.map((condition) => `AND ${part(condition.dimension)} = ${REF}`);
  return {
    sql: `SELECT ${bucket ?? "0"} AS bucket, ${group ?? "0"} AS ref, ${SUMS}
      FROM ${byRef ? SQLITE.byIndex(totals, `${totals}_ref`) : totals}
      WHERE dimension = ${DIMENSIONS[dimension].number} ${wanted.join(" ")}
        AND bucket_ms >= ? AND bucket_ms < ?
      ${columns.length === 0 ? "" : `GROUP BY ${columns.join(", ")}`}`,
    values: [...conditions.map(({ name }) => name), piece.fromMs, piece.toMs],
  };
}

function combinationsSql(asked: Asked, piece: Piece) {
  const { query } = asked;
  const filter = keyFilter(asked);
  const grouped = query.groupBy !== "NONE";
  const bucket = bucketOf(query, piece);
  const columns = [...(bucket === undefined ? [] : [bucket]), ...(grouped ? ["key_id"] : [])];
  const sums = `SELECT ${bucket ?? "0"} AS bucket, ${grouped ? "key_id" : "0 AS ref"}, ${SUMS} FROM ${piece.level.rollups}
    WHERE bucket_ms >= ? AND bucket_ms < ? ${filter.sql}
    ${columns.length === 0 ? "" : `GROUP BY ${columns.join(", ")}`}`;
  const values = [piece.fromMs, piece.toMs, ...filter.values];
  if (!grouped) return { sql: sums, values };
  const ref = DIMENSIONS[query.groupBy].column;
  return {
    sql: `SELECT bucket, ${ref} AS ref, ${COUNTERS.join(", ")} FROM (${sums}) JOIN usage_keys k ON k.id = key_id`,
    values,
  };
}

/** The number of a name, the value of its `?`. */
const REF = "(SELECT id FROM ledger_names WHERE name = ?)";
const SUMS = COUNTERS.map((name) => `sum(${name}) AS ${name}`).join(", ");

/** The bucket of a roll-up: its own where the table has just these buckets, so that the key's order is used. */
function bucketOf(query: UsageQuery, { level }: Segment): string | undefined {
  const { bucket, fromMs } = query;
  if (bucket === "ALL") return undefined;
  const stepMs = query.stepMs ?? BUCKET_MS[bucket];
  if (level.bucketMs === stepMs) return "bucket_ms";
  if (query.stepMs === undefined) return `bucket_ms / ${stepMs} * ${stepMs}`;
  return `(bucket_ms - ${fromMs}) / ${stepMs} * ${stepMs} + ${fromMs}`;
}

/** Which combinations count; the database looks them up once for each piece. */
export function keyFilter({ conditions, sweeping }: Pick<Asked, "conditions" | "sweeping">): {
  sql: string;
  values: string[];
} {
  const clauses = conditions.map(({ dimension }) => `${DIMENSIONS[dimension].column} = ${REF}`);
  const values = conditions.map(({ name }) => name);
  if (sweeping) clauses.push(`client_key_ref NOT IN (${UNSWEPT})`);
  if (clauses.length === 0) return { sql: "", values };
  return {
    sql: `AND key_id IN (SELECT id FROM usage_keys WHERE ${clauses.join(" AND ")})`,
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
