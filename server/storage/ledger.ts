import type { CallRecord } from "../core/call.js";
import type { Clock } from "../core/clock.js";
import type { FinishedCall } from "../core/finished-call.js";
import { JsonTexts } from "../core/json-texts.js";
import { JsonWriter } from "../core/json-writer.js";
import type { PageQuery } from "../core/page.js";
import type { UsageQuery, UsageRow } from "../core/usage.js";
import { noteNews } from "./batches.js";
import { type CallPage, listCalls, readCall } from "./call-list.js";
import { pruneCalls } from "./call-retention.js";
import { touchClientKeys, uncountedUses } from "./client-key-uses.js";
import { RowBatch } from "./row-batch.js";
import { insertCalls } from "./call-insertion.js";
import type { Db } from "./db.js";
import { sweepDeletedKeys } from "./deleted-keys.js";
import { addUse } from "./deleted-use.js";
import { LedgerRefs, type StagedRefs } from "./ledger-refs.js";
import { pruneRollups, type RollupRetention } from "./rollup-retention.js";
import { countCalls } from "./rollups.js";
import { readSpent, type SpentQuery, type SpentRow } from "./spent.js";
import { SQLITE } from "./sql-dialect.js";
import { type ActiveNames, type ActiveQuery, countActive } from "./usage-active.js";
import { readUsage } from "./usage.js";
import type { Writer } from "./writer.js";

/** A position in the journal: a file's number and a byte in it. */
export interface JournalPosition {
  readonly file: number;
  readonly offset: number;
}

/**
 * Calls that go into the database together. It takes them one by one and keeps them as the rows to be inserted, which
 * take far less memory than their records.
 */
export interface LedgerBatch {
  /** Calls in it. */
  readonly size: number;
  /** Takes a call; not allowed any more once `append` was called. */
  add(call: FinishedCall): void;
  /**
   * Writes the calls, their roll-ups, what they make known of batches, and the journal position in one transaction. All or
   * nothing: it throws when one of them is in the database already or its client key was deleted; `appendCalls` then deals
   * with them one by one. It may be tried again.
   */
  append(position: JournalPosition): Promise<number>;
}

/** Bytes that a batch has room for at first: some hundreds of calls. */
const ROW_BYTES = 64 * 1024;
/** Writers that are kept: while the database keeps up there are two batches, one that fills and one that is written. */
const ROW_WRITERS_MAX = 2;
/** A writer that has grown beyond this is not kept; a full batch of common calls takes half of it. */
const ROW_WRITER_BYTES_MAX = 8 * 1024 * 1024;
/** Calls that are made into rows before others get their turn: about a millisecond's work. */
const SLICE_CALLS = 500;

/** Calls, what they used, and the place in the journal up to which they are here. */
export class Ledger {
  readonly #writer: Writer;
  readonly #reader: Db;
  readonly #clock: Clock;
  readonly #refs = new LedgerRefs();
  readonly #texts = new JsonTexts();
  /** Kept from batches that have been written, for new ones: megabytes that come and go make the garbage collector run. */
  readonly #rowWriters: JsonWriter[] = [];

  constructor(options: { writer: Writer; reader: Db; clock: Clock }) {
    this.#writer = options.writer;
    this.#reader = options.reader;
    this.#clock = options.clock;
  }

  /** An empty batch; see `LedgerBatch`. */
  newBatch(): LedgerBatch {
    const rows = this.#rowWriters.pop() ?? new JsonWriter(ROW_BYTES, this.#texts);
    const batch = new RowBatch(this.#refs, rows);
    return new GrowingBatch(batch, async (position) => {
      const added = await this.#append(position, async (db, staged) => {
        const state = await readState(db, [...batch.clientKeyIds]);
        if (state.deleted.size > 0) throw new Error("a client key of a batch was deleted");
        return appendBatch(db, staged, batch, state);
      });
      this.#keepWriter(rows);
      return added;
    });
  }

  #keepWriter(rows: JsonWriter): void {
    const isLarge = rows.bytes.length > ROW_WRITER_BYTES_MAX;
    if (isLarge || this.#rowWriters.length >= ROW_WRITERS_MAX) return;
    rows.moveTo(0);
    this.#rowWriters.push(rows);
  }

  /**
   * Writes calls, their roll-ups, what they make known of batches, and the journal position in one transaction. A call
   * whose id is there already changes nothing, so a replay is harmless; one of a deleted client key counts for budgets
   * alone. Returns how many were new.
   */
  appendCalls(calls: readonly FinishedCall[], position: JournalPosition): Promise<number> {
    return this.#append(position, async (db, staged) => {
      const state = await readState(db, [...new Set(calls.map((call) => call.clientKeyId))]);
      const batch = new RowBatch(this.#refs, new JsonWriter(ROW_BYTES, this.#texts));
      for (const [index, call] of (await freshCalls(db, calls, state)).entries()) {
        batch.add(call);
        // The calls of callers run on this same thread.
        if (index % SLICE_CALLS === SLICE_CALLS - 1) await pause();
      }
      return appendBatch(db, staged, batch, state);
    });
  }

  #append(
    position: JournalPosition,
    work: (db: Db, staged: StagedRefs) => Promise<number>,
  ): Promise<number> {
    let staged: StagedRefs | undefined;
    return this.#writer.run(
      async (db) => {
        staged = this.#refs.stage(db);
        const added = await work(db, staged);
        await db.rows("UPDATE ledger_state SET journal_file = ?, journal_offset = ?", [
          position.file,
          position.offset,
        ]);
        return added;
      },
      () => {
        if (staged !== undefined) this.#refs.keep(staged);
      },
    );
  }

  /** The position up to which the journal is in the database; undefined at the first start. */
  async journalPosition(): Promise<JournalPosition | undefined> {
    const [state] = await this.#reader.rows<{ file: number | null; offset: number | null }>(
      "SELECT journal_file AS file, journal_offset AS offset FROM ledger_state",
    );
    const { file, offset } = state ?? { file: null, offset: null };
    return file === null || offset === null ? undefined : { file, offset };
  }

  /** The minute in which the newest call began, milliseconds since the epoch; undefined where there is none. */
  async newestCallAt(): Promise<number | undefined> {
    const [newest] = await this.#reader.rows<{ at: number | null }>(
      "SELECT max(minute_ms) AS at FROM call_minutes",
    );
    return newest?.at ?? undefined;
  }

  getCall(id: string): Promise<CallRecord | undefined> {
    return readCall(this.#reader, id);
  }

  /** See `listCalls` for order, totals and what a search costs. */
  listCalls(query: PageQuery): Promise<CallPage> {
    return listCalls(this.#reader, query, this.#clock);
  }

  /** See `readUsage`. */
  usage(query: UsageQuery): Promise<readonly UsageRow[]> {
    return readUsage(this.#reader, query);
  }

  /** See `readSpent`. */
  spent(query: SpentQuery): Promise<readonly SpentRow[]> {
    return this.#reader.snapshot((db) => readSpent(db, query));
  }

  /** See `countActive`. */
  countActive(query: ActiveQuery): Promise<ActiveNames> {
    return countActive(this.#reader, query);
  }

  /** Counts for their client keys the calls that a process had counted in memory alone when it died; answers for how many keys. */
  restoreUses(): Promise<number> {
    return this.#writer.run(async (db) => {
      const uses = await uncountedUses(db);
      if (uses.length > 0) await touchClientKeys(db, uses);
      return uses.length;
    });
  }

  /** Deletes calls older than `beforeMs` in batches of at most `batchSize`; returns how many went. Roll-ups stay. */
  pruneCalls(beforeMs: number, batchSize: number): Promise<number> {
    return pruneCalls({ writer: this.#writer, clock: this.#clock }, beforeMs, batchSize);
  }

  /** Deletes old roll-ups in batches; returns how many went. */
  pruneRollups(retention: RollupRetention, batchSize: number): Promise<number> {
    return pruneRollups({ writer: this.#writer, clock: this.#clock }, retention, batchSize);
  }

  /**
   * Removes the calls and roll-ups of deleted client keys, which are hidden already, in batches. Continues where an
   * earlier process stopped. Returns how many keys were finished.
   */
  async sweep(): Promise<number> {
    const swept = await sweepDeletedKeys({ writer: this.#writer, clock: this.#clock });
    if (swept > 0) this.#refs.clear();
    return swept;
  }
}

/** A class and not an object literal, whose getter V8 would look up again for every call. */
class GrowingBatch implements LedgerBatch {
  readonly #batch: RowBatch;
  readonly append: LedgerBatch["append"];

  constructor(batch: RowBatch, append: LedgerBatch["append"]) {
    this.#batch = batch;
    this.append = append;
  }

  get size(): number {
    return this.#batch.size;
  }

  add(call: FinishedCall): void {
    this.#batch.add(call);
  }
}

/** Returns how many calls were inserted, which is all of them. */
async function appendBatch(
  db: Db,
  staged: StagedRefs,
  batch: RowBatch,
  { foldedUntilMs }: LedgerState,
): Promise<number> {
  if (batch.size === 0) return 0;
  const folded = await countCalls(db, await insertCalls(db, staged, batch), foldedUntilMs);
  if (folded !== foldedUntilMs) {
    await db.rows("UPDATE ledger_state SET folded_until_ms = ?", [folded]);
  }
  await noteNews(db, batch.news);
  return batch.size;
}

/**
 * Those calls that are not in the database yet, each once, and whose client key still exists. A deleted key's log must
 * not start again, but what its last calls spent counts.
 */
async function freshCalls(
  db: Db,
  calls: readonly FinishedCall[],
  { deleted }: LedgerState,
): Promise<readonly FinishedCall[]> {
  const rows = await db.rows<{ id: string }>(
    `SELECT id FROM calls WHERE id IN (${SQLITE.eachText})`,
    [JSON.stringify(calls.map((call) => call.id))],
  );
  const seen = new Set(rows.map((row) => row.id));
  const fresh = calls.filter((call) => {
    if (seen.has(call.id)) return false;
    seen.add(call.id);
    return true;
  });
  const isLate = (call: CallRecord): boolean => deleted.has(call.clientKeyId);
  const late = fresh.filter(isLate);
  await addUse(db, late);
  await noteNews(
    db,
    late.flatMap(({ news }) => news ?? []),
  );
  return fresh.filter((call) => !isLate(call));
}

function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** What has to be known before calls are inserted. */
interface LedgerState {
  readonly foldedUntilMs: number;
  /** Those of the calls' client keys that have been deleted. */
  readonly deleted: ReadonlySet<string>;
}

/** In one statement, since each statement costs a turn of the event loop. */
async function readState(db: Db, clientKeyIds: readonly string[]): Promise<LedgerState> {
  const rows = await db.rows<{ folded: number; id: string | null }>(
    `SELECT s.folded_until_ms AS folded, d.client_key_id AS id
     FROM ledger_state s
     LEFT JOIN deleted_client_keys d ON d.client_key_id IN (${SQLITE.eachText})`,
    [JSON.stringify(clientKeyIds)],
  );
  const [first] = rows;
  if (first === undefined) throw new Error("the state of the ledger is missing");
  const deleted = new Set(rows.flatMap(({ id }) => (id === null ? [] : [id])));
  return { foldedUntilMs: first.folded, deleted };
}
