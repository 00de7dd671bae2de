import type { Change, ChangeDraft, ChangeKind } from "../core/change.js";
import type { Clock } from "../core/clock.js";
import type { Db } from "./db.js";
import { flag } from "./json.js";
import { SQLITE } from "./sql-dialect.js";

/** A change as the log keeps it: what changed, not the object itself. */
export interface LoggedChange {
  readonly seq: number;
  readonly kind: ChangeKind;
  readonly id: string;
  readonly deleted: boolean;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

interface ChangeRow {
  seq: number;
  kind: ChangeKind;
  target_id: string;
  deleted: number;
  at: number;
}

/** Reads the change log. */
export function changeReader(db: Db) {
  return {
    /** The number of the last committed change; 0 before the first. */
    async lastSeq(): Promise<number> {
      const [row] = await db.rows<{ seq: number }>("SELECT seq FROM change_head");
      return row?.seq ?? 0;
    },
    /**
     * Changes with `seq > afterSeq` in order, at most `limit`. When older ones have been pruned the first
     * is not `afterSeq + 1`: then whoever follows must read everything anew.
     */
    async after(afterSeq: number, limit: number): Promise<readonly LoggedChange[]> {
      const rows = await db.rows<ChangeRow>(
        "SELECT * FROM changes WHERE seq > ? ORDER BY seq LIMIT ?",
        [afterSeq, limit],
      );
      return rows.map((row) => ({
        seq: row.seq,
        kind: row.kind,
        id: row.target_id,
        deleted: row.deleted === 1,
        at: row.at,
      }));
    },
  };
}

/** Appends all that a transaction changed to the change log, in its order; answers it with its numbers. */
export async function logChanges(
  db: Db,
  clock: Clock,
  noted: readonly ChangeDraft[],
): Promise<readonly Change[]> {
  if (noted.length === 0) return [];
  const [head] = await db.rows<{ seq: number }>(
    "UPDATE change_head SET seq = seq + ? RETURNING seq",
    [noted.length],
  );
  if (head === undefined) throw new Error("the change counter is missing");
  const before = head.seq - noted.length;
  const changes = noted.map((draft, index): Change => ({ seq: before + index + 1, ...draft }));
  const at = clock.now();
  const rows = changes.map(({ seq, kind, id, value }) => [seq, kind, id, flag(value === null), at]);
  await db.rows(INSERT_CHANGES, [JSON.stringify(rows)]);
  return changes;
}

const INSERT_CHANGES = SQLITE.insertJson("changes", [
  "seq",
  "kind",
  "target_id",
  "deleted",
  "at",
] satisfies (keyof ChangeRow)[]);

/** Deletes all but the newest `keep` changes; returns how many went. */
export async function pruneChanges(db: Db, keep: number): Promise<number> {
  return db.query((knex) =>
    knex("changes")
      .where("seq", "<=", knex.raw("(SELECT seq FROM change_head) - ?", [keep]))
      .delete(),
  );
}
