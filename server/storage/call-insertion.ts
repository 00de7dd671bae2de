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

/** A call with the end of its row, see `callText`. */
interface EncodedCall {
  readonly call: CallRecord;
  readonly end: string;
}

/** Calls and as much of their rows as could be made without asking the database. */
export interface PreparedCalls {
  readonly encoded: readonly EncodedCall[];
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
  const preparation = new Preparation(refs);
  if (calls.length > SLICE_ROWS) return inSlices(calls, preparation);
  for (const call of calls) preparation.add(call);
  return preparation.end();
}

async function inSlices(
  calls: readonly CallRecord[],
  preparation: Preparation,
): Promise<PreparedCalls> {
  for (const [index, call] of calls.entries()) {
    if (index % SLICE_ROWS === SLICE_ROWS - 1) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    preparation.add(call);
  }
  return preparation.end();
}

class Preparation {
  readonly #refs: LedgerRefs;
  readonly #encoded: EncodedCall[] = [];
  readonly #counted: CountedCall[] = [];
  readonly #rows: string[] = [];

  constructor(refs: LedgerRefs) {
    this.#refs = refs;
  }

  add(call: CallRecord): void {
    const end = callText(call);
    // After the first one with a name that is new, all are numbered in the transaction.
    const numbered =
      this.#counted.length === this.#encoded.length ? this.#refs.known(call) : undefined;
    this.#encoded.push({ call, end });
    if (numbered === undefined) return;
    this.#counted.push(numbered);
    this.#rows.push(rowText(call, end, numbered.refs));
  }

  end(): PreparedCalls {
    const encoded = this.#encoded;
    if (this.#counted.length < encoded.length) return { encoded, numbered: undefined };
    return { encoded, numbered: { calls: this.#counted, rows: `[${this.#rows.join(",")}]` } };
  }
}

/** Those of the prepared calls that are to be kept. */
export function keepCalls(
  prepared: PreparedCalls,
  keep: (call: CallRecord) => boolean,
): PreparedCalls {
  return { encoded: prepared.encoded.filter(({ call }) => keep(call)), numbered: undefined };
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
  const { calls, rows } = prepared.numbered ?? (await numberCalls(staged, prepared.encoded));
  const inserting = db.rows(
    `${SQLITE.insertJson("calls", CALL_COLUMNS, true)} ON CONFLICT (id) DO NOTHING`,
    [rows],
  );
  // While the database is busy with them; nearly always all of them are new.
  const minutes = sumByCombination(calls, MINUTE_MS);
  await inserting;
  const added = await newOnes(db, newestSeq, calls);
  if (added.length === 0) return { calls: added, minutes: [] };
  await noteMinutes(db, newestSeq);
  return { calls: added, minutes: added === calls ? minutes : sumByCombination(added, MINUTE_MS) };
}

async function numberCalls(
  staged: StagedRefs,
  encoded: readonly EncodedCall[],
): Promise<NumberedCalls> {
  const calls = await staged.ofCalls(encoded.map(({ call }) => call));
  const rows = encoded.map(({ call, end }, index) => rowText(call, end, found(calls[index]).refs));
  return { calls, rows: `[${rows.join(",")}]` };
}

/** Those of `all` that the statement before really inserted, each once. */
async function newOnes(
  db: Db,
  before: number,
  all: readonly CountedCall[],
): Promise<readonly CountedCall[]> {
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
