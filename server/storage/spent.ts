import { ALL_USAGE } from "../core/usage.js";
import type { Db } from "./db.js";
import { readDeletedSpend } from "./deleted-spend.js";
import { SQLITE } from "./sql-dialect.js";
import { readUsage } from "./usage.js";

/** Whose spending: that of client keys, of owners over all of their client keys, or of the whole server. */
export type Spender = "CLIENT_KEY" | "OWNER" | "SERVER";

export interface SpentQuery {
  readonly by: Spender;
  /** The client key or owner; null for all of them, and for the server. */
  readonly id: string | null;
  /** The start of a day (UTC), and the end; milliseconds since the epoch. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Ids of calls of that client key, owner or server that do not count; asked when the state that is read is settled. */
  readonly except?: () => readonly string[];
}

/** LLM tokens in and out, and micro-US-dollars. */
export interface SpentRow {
  /** The client key or owner; empty for the server. */
  readonly id: string;
  readonly tokens: number;
  readonly costMicros: number;
}

/**
 * What was spent in a time, from the roll-ups; of those that have spent nothing there is no row. Unlike in usage, client
 * keys that were deleted count for their owners and the server. `db`: of a snapshot, or a call may count twice or not at all.
 */
export async function readSpent(db: Db, query: SpentQuery): Promise<readonly SpentRow[]> {
  const { by, id, fromMs, toMs } = query;
  const usage = await readUsage(db, {
    ...ALL_USAGE,
    fromMs,
    toMs,
    bucket: "ALL",
    groupBy: by === "SERVER" ? "NONE" : by,
    ownerId: by === "OWNER" ? id : null,
    clientKeyId: by === "CLIENT_KEY" ? id : null,
  });
  const present = usage.map(({ group, inputTokens, outputTokens, costMicros }) => ({
    id: group,
    tokens: inputTokens + outputTokens,
    costMicros,
  }));
  const except = await readExcept(db, query);
  if (by === "CLIENT_KEY") return addUp([...present, ...except]);
  const deleted = await readDeletedSpend(db, fromMs, id);
  const gone = deleted.map(({ ownerId, tokens, costMicros }) => ({
    id: by === "OWNER" ? ownerId : "",
    tokens,
    costMicros,
  }));
  return addUp([...present, ...gone, ...except]);
}

/** What takes the excepted calls out again, as far as they are there. */
async function readExcept(
  db: Db,
  { id, fromMs, except }: SpentQuery,
): Promise<readonly SpentRow[]> {
  const ids = except?.() ?? [];
  if (ids.length === 0) return [];
  const rows = await db.rows<{ tokens: number | null; costMicros: number | null }>(
    `SELECT -sum(tokens) AS tokens, -sum(cost_micros) AS costMicros FROM calls
     WHERE id IN (${SQLITE.eachText}) AND started_at >= ?`,
    [JSON.stringify(ids), fromMs],
  );
  return rows.map(({ tokens, costMicros }) => ({
    id: id ?? "",
    tokens: tokens ?? 0,
    costMicros: costMicros ?? 0,
  }));
}

function addUp(rows: readonly SpentRow[]): readonly SpentRow[] {
  const sums = new Map<string, SpentRow>();
  for (const { id, tokens, costMicros } of rows) {
    const sum = sums.get(id) ?? { tokens: 0, costMicros: 0 };
    sums.set(id, { id, tokens: sum.tokens + tokens, costMicros: sum.costMicros + costMicros });
  }
  return [...sums.values()];
}
