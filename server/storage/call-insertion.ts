import type { CallRecord } from "../core/call.js";
import { CALL_COLUMNS, rowEnd, rowText } from "./call-rows.js";
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
  /** The same calls with their numbers; undefined where a name or a combination has not been seen before. */
  readonly known: readonly (CountedCall | undefined)[];
  /** Their rows in the same order: text of some that are known, or how many in a row are not. */
  readonly pieces: readonly (string | number)[];
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
  readonly #known: (CountedCall | undefined)[] = [];
  readonly #pieces: (string | number)[] = [];

  constructor(calls: readonly CallRecord[], refs: LedgerRefs) {
    this.#calls = calls;
    this.#refs = refs;
  }

  /** Makes a slice of the rows; false when it was the last. */
  goOn(): boolean {
    const start = this.#known.length;
    let together: CountedCall[] = [];
    for (const call of this.#calls.slice(start, start + SLICE_ROWS)) {
      const known = this.#refs.known(call);
      this.#known.push(known);
      if (known !== undefined) {
        together.push(known);
        continue;
      }
      this.#addText(together);
      together = [];
      this.#addUnknown();
    }
    this.#addText(together);
    return this.#known.length < this.#calls.length;
  }

  #addText(calls: readonly CountedCall[]): void {
    if (calls.length > 0) this.#pieces.push(sliceText(calls));
  }

  #addUnknown(): void {
    const last = this.#pieces.at(-1);
    if (typeof last === "number") this.#pieces[this.#pieces.length - 1] = last + 1;
    else this.#pieces.push(1);
  }

  end(): PreparedCalls {
    return { calls: this.#calls, known: this.#known, pieces: this.#pieces };
  }
}

/**
 * Rows in JSON with commas between them. One string for many of them: what a row is put together from would
 * outlive many calls otherwise, and moving it about in memory is half of what a row costs.
 */
function sliceText(calls: readonly CountedCall[]): string {
  return calls.map(({ call, refs }) => rowText(call, rowEnd(call), refs)).join(",");
}

/** Those of the prepared calls that are to be kept. */
export function keepCalls(
  prepared: PreparedCalls,
  keep: (call: CallRecord) => boolean,
): PreparedCalls {
  const calls = prepared.calls.filter(keep);
  return { calls, known: calls.map(() => undefined), pieces: [calls.length] };
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
  const { calls, rows } = await numberCalls(staged, prepared);
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

/** All calls with their numbers, and their rows as a JSON array. */
async function numberCalls(
  staged: StagedRefs,
  { calls, known, pieces }: PreparedCalls,
): Promise<{ readonly calls: readonly CountedCall[]; readonly rows: string }> {
  const others = await staged.ofCalls(calls.filter((_, index) => known[index] === undefined));
  const texts = [];
  let at = 0;
  for (const piece of pieces) {
    if (typeof piece === "string") {
      texts.push(piece);
      continue;
    }
    for (const end = at + piece; at < end;) {
      const next = Math.min(end, at + SLICE_ROWS);
      texts.push(sliceText(others.slice(at, next)));
      if (next < end) await pause();
      at = next;
    }
  }
  const learnt = others.values();
  return {
    calls: known.map((call) => call ?? found(learnt.next().value)),
    rows: `[${texts.join(",")}]`,
  };
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

function found<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("a call lost its numbers");
  return value;
}
