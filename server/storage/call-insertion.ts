import type { CallRecord } from "../core/call.js";
import { callText } from "../core/call-text.js";
import { CALL_COLUMNS, rowText } from "./call-rows.js";
import type { Db } from "./db.js";
import type { LedgerRefs, StagedRefs } from "./ledger-refs.js";
import { MINUTE_MS, sumByCombination } from "./rollup-rows.js";
import type { CountedCall, Rollup } from "./rollup-rows.js";
import { SQLITE } from "./sql-dialect.js";

/** Rows that are written as JSON at a stretch: about a millisecond, since callers wait for the same thread. */
const SLICE_ROWS = 250;

/** Calls and as much of their rows as could be made without asking the database. */
export interface PreparedCalls {
  readonly calls: readonly CallRecord[];
  /** Undefined when not all of their names have been seen before. */
  readonly numbered: NumberedCalls | undefined;
}

/** Calls with the numbers of their names, and their rows as a JSON array. */
interface NumberedCalls {
  readonly calls: readonly CountedCall[];
  readonly rows: string;
}

/** Makes calls ready to go into the database; many of them with pauses for everything else. */
export function prepareCalls(
  calls: readonly CallRecord[],
  refs: LedgerRefs,
): PreparedCalls | Promise<PreparedCalls> {
  const preparation = new Preparation(calls, refs);
  if (calls.length > SLICE_ROWS) return inSlices(preparation);
  preparation.goOn();
  return preparation.end();
}

async function inSlices(preparation: Preparation): Promise<PreparedCalls> {
  while (preparation.goOn()) await pause();
  return preparation.end();
}

function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

class Preparation {
  readonly #calls: readonly CallRecord[];
  readonly #refs: LedgerRefs;
  readonly #counted: CountedCall[] = [];
  readonly #slices: string[] = [];

  constructor(calls: readonly CallRecord[], refs: LedgerRefs) {
    this.#calls = calls;
    this.#refs = refs;
  }

  /** Makes a slice of the rows; false when no more can be made. */
  goOn(): boolean {
    const start = this.#counted.length;
    const slice = this.#calls.slice(start, start + SLICE_ROWS);
    for (const call of slice) {
      const counted = this.#refs.known(call);
      // It gets its number in the transaction, and so do all behind it.
      if (counted === undefined) return false;
      this.#counted.push(counted);
    }
    if (slice.length > 0) this.#slices.push(sliceText(this.#counted.slice(start)));
    return this.#counted.length < this.#calls.length;
  }

  end(): PreparedCalls {
    const [calls, counted] = [this.#calls, this.#counted];
    if (counted.length < calls.length) return { calls, numbered: undefined };
    return { calls, numbered: { calls: counted, rows: `[${this.#slices.join(",")}]` } };
  }
}

/**
 * Rows in JSON with commas between them. One string for many of them: what a row is put together from would
 * outlive many calls otherwise, and moving it about in memory is half of what a row costs.
 */
function sliceText(calls: readonly CountedCall[]): string {
  return calls.map(({ call, refs }) => rowText(call, callText(call), refs)).join(",");
}

/** Those of the prepared calls that are to be kept. */
export function keepCalls(
  prepared: PreparedCalls,
  keep: (call: CallRecord) => boolean,
): PreparedCalls {
  return { calls: prepared.calls.filter(keep), numbered: undefined };
}

/** Calls that went into the database, and what they add up to by minute. */
export interface InsertedCalls {
  readonly calls: readonly CountedCall[];
  readonly minutes: readonly Rollup[];
}

/** Inserts calls behind row `newestSeq`, the newest there is. Returns those that were not there yet, for the roll-ups. */
export async function insertCalls(
  db: Db,
  staged: StagedRefs,
  prepared: PreparedCalls,
  newestSeq: number,
): Promise<InsertedCalls> {
  const { calls, rows } = prepared.numbered ?? (await numberCalls(staged, prepared.calls));
  const inserting = db.rows(
    `${SQLITE.insertJson("calls", CALL_COLUMNS, true)} ON CONFLICT (id) DO NOTHING`,
    [rows],
  );
  // While the database is busy with them; nearly always all of them are new.
  const minutes = sumByCombination(calls, MINUTE_MS);
  await inserting;
  const [after] = await db.rows<{ rows: number; seq: number }>(
    `SELECT n.rows AS rows, (SELECT COALESCE(max(seq), 0) FROM calls) AS seq FROM (${SQLITE.changedRows}) n`,
  );
  const { rows: inserted, seq } = found(after);
  if (inserted === 0) return { calls: [], minutes: [] };
  if (inserted === calls.length) {
    await addMinutes(db, calls, seq - inserted + 1);
    return { calls, minutes };
  }
  const added = await newOnes(db, newestSeq, calls);
  await noteMinutes(db, newestSeq);
  return { calls: added, minutes: sumByCombination(added, MINUTE_MS) };
}

async function numberCalls(
  staged: StagedRefs,
  records: readonly CallRecord[],
): Promise<NumberedCalls> {
  const calls = await staged.ofCalls(records);
  const slices = [];
  for (let start = 0; start < calls.length; start += SLICE_ROWS) {
    if (start > 0) await pause();
    slices.push(sliceText(calls.slice(start, start + SLICE_ROWS)));
  }
  return { calls, rows: `[${slices.join(",")}]` };
}

/** Those of `all` that the statement before really inserted, each once. */
async function newOnes(
  db: Db,
  before: number,
  all: readonly CountedCall[],
): Promise<readonly CountedCall[]> {
  const rows = await db.rows<{ id: string }>("SELECT id FROM calls WHERE seq > ?", [before]);
  const ids = new Set(rows.map((row) => row.id));
  // Deleting the id lets the first of two equal ones through alone, as the insertion did.
  return all.filter(({ call }) => ids.delete(call.id));
}

const MINUTE_COLUMNS = ["minute_ms", "first_seq", "last_seq"];
const LATER_ONES = "ON CONFLICT (minute_ms) DO UPDATE SET last_seq = excluded.last_seq";

/** Notes the minutes of calls that all went in, one behind the other from `firstSeq` on. */
async function addMinutes(db: Db, calls: readonly CountedCall[], firstSeq: number): Promise<void> {
  const minutes = new Map<number, [minuteMs: number, first: number, last: number]>();
  for (const [index, { call }] of calls.entries()) {
    const minuteMs = Math.floor(call.startedAt / MINUTE_MS) * MINUTE_MS;
    const minute = minutes.get(minuteMs);
    const seq = firstSeq + index;
    if (minute === undefined) minutes.set(minuteMs, [minuteMs, seq, seq]);
    else minute[2] = seq;
  }
  await db.rows(`${SQLITE.insertJson("call_minutes", MINUTE_COLUMNS)} ${LATER_ONES}`, [
    JSON.stringify([...minutes.values()]),
  ]);
}

async function noteMinutes(db: Db, before: number): Promise<void> {
  await db.rows(
    `INSERT INTO call_minutes (${MINUTE_COLUMNS.join(", ")})
     SELECT started_at / ${MINUTE_MS} * ${MINUTE_MS} AS minute, min(seq), max(seq)
     FROM calls WHERE seq > ? GROUP BY minute ${LATER_ONES}`,
    [before],
  );
}
