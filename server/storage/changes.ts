import type { Change, ChangeDraft, ChangeKind } from "../core/change.js";
import type { Clock } from "../core/clock.js";
import type { Db } from "./db.js";
import { flag } from "./json.js";

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

/** Appends to the change log inside a transaction, and remembers what to announce after its commit. */
export function changeTable(db: Db, clock: Clock, announced: Change[]) {
  return {
    async append(draft: ChangeDraft): Promise<void> {
      const [head] = await db.rows<{ seq: number }>(
        "UPDATE change_head SET seq = seq + 1 RETURNING seq",
      );
      if (head === undefined) throw new Error("the change counter is missing");
      const row: ChangeRow = {
        seq: head.seq,
        kind: draft.kind,
        target_id: draft.id,
        deleted: flag(draft.value === null),
        at: clock.now(),
      };
      await db.query((knex) => knex("changes").insert(row));
      announced.push({ seq: head.seq, ...draft });
    },
  };
}

/** Deletes all but the newest `keep` changes; returns how many went. */
export async function pruneChanges(db: Db, keep: number): Promise<number> {
  return db.query((knex) =>
    knex("changes")
      .where("seq", "<=", knex.raw("(SELECT seq FROM change_head) - ?", [keep]))
      .delete(),
  );
}
