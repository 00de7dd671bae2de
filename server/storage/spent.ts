import { ALL_USAGE } from "../core/usage.js";
import type { Db } from "./db.js";
import { readDeletedUse } from "./deleted-use.js";
import { SQLITE } from "./sql-dialect.js";
import { readUsage } from "./usage.js";

/** Whose spending: that of client keys, of owners over all of their client keys, of the whole server, or of provider keys. */
export type Spender = "CLIENT_KEY" | "OWNER" | "SERVER" | "PROVIDER_KEY";

export interface SpentQuery {
  readonly by: Spender;
  /** The client key, owner or provider key; null for all of them, and for the server. */
  readonly id: string | null;
  /** The start of a day (UTC), and the end, best of a day too; milliseconds since the epoch. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Ids of calls of that client key, owner or server that do not count; asked when the state that is read is settled. */
  readonly except?: () => readonly string[];
}

/** LLM tokens in and out, and micro-US-dollars. */
export interface SpentRow {
  /** The client key, owner or provider key; empty for the server, and where no provider key was tried. */
  readonly id: string;
  readonly calls: number;
  readonly tokens: number;
  readonly costMicros: number;
}

/**
 * What was spent in a time, from the roll-ups; of those that have spent nothing there is no row. Unlike in usage, client
 * keys that were deleted count for their owners, the server and provider keys. `db`: of a snapshot, or a call may count twice or not at all.
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
    providerKeyId: by === "PROVIDER_KEY" ? id : null,
  });
  const present = usage.map(({ group, calls, inputTokens, outputTokens, costMicros }) => ({
    id: group,
    calls,
    tokens: inputTokens + outputTokens,
    costMicros,
  }));
  const except = await readExcept(db, query);
  if (by === "CLIENT_KEY") return addUp([...present, ...except]);
  const column = by === "PROVIDER_KEY" ? "provider_key_id" : "owner_id";
  const gone = await readDeletedUse(db, column, { fromMs, toMs, id });
  const named = by === "SERVER" ? gone.map((row) => ({ ...row, id: "" })) : gone;
  return addUp([...present, ...named, ...except]);
}

/** What takes the excepted calls out again, as far as they are there. */
async function readExcept(
  db: Db,
  { id, fromMs, toMs, except }: SpentQuery,
): Promise<readonly SpentRow[]> {
  const ids = except?.() ?? [];
  if (ids.length === 0) return [];
  const rows = await db.rows<{ calls: number; tokens: number | null; costMicros: number | null }>(
    `SELECT -count(*) AS calls, -sum(tokens) AS tokens, -sum(cost_micros) AS costMicros FROM calls
     WHERE id IN (${SQLITE.eachText}) AND started_at >= ? AND started_at < ?`,
    [JSON.stringify(ids), fromMs, toMs],
  );
  return rows.map(({ calls, tokens, costMicros }) => ({
    id: id ?? "",
    calls,
    tokens: tokens ?? 0,
    costMicros: costMicros ?? 0,
  }));
}

function addUp(rows: readonly SpentRow[]): readonly SpentRow[] {
  const sums = new Map<string, SpentRow>();
  for (const { id, calls, tokens, costMicros } of rows) {
    const sum = sums.get(id) ?? { calls: 0, tokens: 0, costMicros: 0 };
    sums.set(id, {
      id,
      calls: sum.calls + calls,
      tokens: sum.tokens + tokens,
      costMicros: sum.costMicros + costMicros,
    });
  }
  return [...sums.values()];
}
