import type { CallRecord } from "../core/call.js";
import { CALL_COLUMNS, callValues } from "./call-rows.js";
import type { CallRefs } from "./call-rows.js";
import type { Db } from "./db.js";
import type { StagedRefs } from "./ledger-refs.js";
import { MINUTE_MS } from "./rollup-rows.js";
import type { CountedCall } from "./rollup-rows.js";
import { SQLITE } from "./sql-dialect.js";

/** Inserts calls behind row `newestSeq`, the newest there is. Returns those that were not there yet, for the roll-ups. */
export async function insertCalls(
  db: Db,
  staged: StagedRefs,
  calls: readonly CallRecord[],
  newestSeq: number,
): Promise<readonly CountedCall[]> {
  const refs = await staged.ofCalls(calls);
  const rows = calls.map((call, index) => callValues(call, found(refs[index])));
  await db.rows(`${SQLITE.insertJson("calls", CALL_COLUMNS, true)} ON CONFLICT (id) DO NOTHING`, [
    JSON.stringify(rows),
  ]);
  const added = await newCalls(db, newestSeq, calls, refs);
  if (added.length === 0) return [];
  await noteMinutes(db, newestSeq);
  const keyIds = await staged.ofCombinations(added.map((call) => call.refs));
  return added.map((each, index) => ({ ...each, keyId: found(keyIds[index]) }));
}

interface AddedCall {
  readonly call: CallRecord;
  readonly refs: CallRefs;
}

/** Those of `calls` that the statement before really inserted, each once. */
async function newCalls(
  db: Db,
  before: number,
  calls: readonly CallRecord[],
  refs: readonly CallRefs[],
): Promise<readonly AddedCall[]> {
  const all = calls.map((call, index): AddedCall => ({ call, refs: found(refs[index]) }));
  const [inserted] = await db.rows<{ rows: number }>(SQLITE.changedRows);
  if (inserted?.rows === calls.length) return all;
  const rows = await db.rows<{ id: string }>("SELECT id FROM calls WHERE seq > ?", [before]);
  const ids = new Set(rows.map((row) => row.id));
  // Deleting the id lets the first of two equal ones through alone, as the insertion did.
  return all.filter(({ call }) => ids.delete(call.id));
}

async function noteMinutes(db: Db, before: number): Promise<void> {
  await db.rows(
    `INSERT INTO call_minutes (minute_ms, first_seq, last_seq)
     SELECT started_at / ${MINUTE_MS} * ${MINUTE_MS} AS minute, min(seq), max(seq)
     FROM calls WHERE seq > ? GROUP BY minute
     ON CONFLICT (minute_ms) DO UPDATE SET last_seq = excluded.last_seq`,
    [before],
  );
}

function found<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("a call lost its numbers");
  return value;
}
