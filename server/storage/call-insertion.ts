import type { RowBatch, MinuteSpan } from "./row-batch.js";
import { CALL_COLUMNS } from "./call-rows.js";
import type { Db } from "./db.js";
import type { StagedRefs } from "./ledger-refs.js";
import type { CombinationSum } from "./rollup-rows.js";
import { SQLITE } from "./sql-dialect.js";

/**
 * Inserts the calls of a batch, none of which may be there already. Returns what they add up to, for the roll-ups.
 * Throws what the database throws, or an error that says that some are there.
 */
export async function insertCalls(
  db: Db,
  staged: StagedRefs,
  batch: RowBatch,
): Promise<readonly CombinationSum[]> {
  const { rows, sums } = batch.number(await staged.of(batch.unnumbered));
  await db.rows(`${SQLITE.insertJson("calls", CALL_COLUMNS, true)} ON CONFLICT (id) DO NOTHING`, [
    rows,
  ]);
  const [after] = await db.rows<{ rows: number; seq: number }>(
    `SELECT n.rows AS rows, (SELECT COALESCE(max(seq), 0) FROM calls) AS seq FROM (${SQLITE.changedRows}) n`,
  );
  if (after?.rows !== batch.size) throw new Error("calls of a batch are in the ledger already");
  await addMinutes(db, batch.spans, after.seq - batch.size + 1);
  return sums;
}

const MINUTE_COLUMNS = ["minute_ms", "first_seq", "last_seq"];

/** Notes the minutes of calls that were inserted one after the other, from `firstSeq` on. */
async function addMinutes(db: Db, spans: Iterable<MinuteSpan>, firstSeq: number): Promise<void> {
  const rows = Array.from(spans, ({ minuteMs, first, last }) => [
    minuteMs,
    firstSeq + first,
    firstSeq + last,
  ]);
  await db.rows(
    `${SQLITE.insertJson("call_minutes", MINUTE_COLUMNS)}
     ON CONFLICT (minute_ms) DO UPDATE SET last_seq = excluded.last_seq`,
    [JSON.stringify(rows)],
  );
}
