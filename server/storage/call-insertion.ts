import type { CallRecord } from "../core/call.js";
import { CALL_COLUMNS, rowEnd, rowText } from "./call-rows.js";
import type { CallRefs } from "./call-rows.js";
import type { Db } from "./db.js";
import type { StagedRefs } from "./ledger-refs.js";
import { MINUTE_MS } from "./rollup-rows.js";
import type { CountedCall } from "./rollup-rows.js";
import { SQLITE } from "./sql-dialect.js";

/** Rows that are written as JSON at a stretch: about a millisecond, since callers wait for the same thread. */
const SLICE_ROWS = 250;

/** A call with the end of its row, see `rowEnd`. */
export interface EncodedCall {
  readonly call: CallRecord;
  readonly end: string;
}

/** Writes the rows of calls as far as that needs no database; many of them with pauses for everything else. */
export function encodeCalls(
  calls: readonly CallRecord[],
): readonly EncodedCall[] | Promise<readonly EncodedCall[]> {
  return calls.length <= SLICE_ROWS ? calls.map(encoded) : encodedInSlices(calls);
}

async function encodedInSlices(calls: readonly CallRecord[]): Promise<readonly EncodedCall[]> {
  const all: EncodedCall[] = [];
  for (const call of calls) {
    all.push(encoded(call));
    if (all.length % SLICE_ROWS === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return all;
}

function encoded(call: CallRecord): EncodedCall {
  return { call, end: rowEnd(call) };
}

/** Inserts calls behind row `newestSeq`, the newest there is. Returns those that were not there yet, for the roll-ups. */
export async function insertCalls(
  db: Db,
  staged: StagedRefs,
  calls: readonly EncodedCall[],
  newestSeq: number,
): Promise<readonly CountedCall[]> {
  const refs = await staged.ofCalls(calls.map(({ call }) => call));
  const all = calls.map(({ call }, index): AddedCall => ({ call, refs: found(refs[index]) }));
  const rows = calls.map(({ call, end }, index) => rowText(call, end, found(refs[index])));
  await db.rows(`${SQLITE.insertJson("calls", CALL_COLUMNS, true)} ON CONFLICT (id) DO NOTHING`, [
    `[${rows.join(",")}]`,
  ]);
  const added = await newOnes(db, newestSeq, all);
  if (added.length === 0) return [];
  await noteMinutes(db, newestSeq);
  const keyIds = await staged.ofCombinations(added.map((each) => each.refs));
  return added.map(({ call, refs: names }, index) => ({
    call,
    refs: names,
    keyId: found(keyIds[index]),
  }));
}

interface AddedCall {
  readonly call: CallRecord;
  readonly refs: CallRefs;
}

/** Those of `all` that the statement before really inserted, each once. */
async function newOnes(
  db: Db,
  before: number,
  all: readonly AddedCall[],
): Promise<readonly AddedCall[]> {
  const [inserted] = await db.rows<{ rows: number }>(SQLITE.changedRows);
  if (inserted?.rows === all.length) return all;
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
