import type { CallRecord } from "../core/call.js";
import type { Clock } from "../core/clock.js";
import type { PageQuery } from "../core/page.js";
import { listCalls, readCall } from "./call-list.js";
import type { CallPage } from "./call-list.js";
import { insertCalls, keepCalls, prepareCalls } from "./call-insertion.js";
import type { PreparedCalls } from "./call-insertion.js";
import type { Db } from "./db.js";
import { LedgerRefs } from "./ledger-refs.js";
import type { StagedRefs } from "./ledger-refs.js";
import { pruneCalls, pruneRollups, sweepDeletedKeys } from "./retention.js";
import type { RollupRetention } from "./retention.js";
import { countCalls } from "./rollups.js";
import { SQLITE } from "./sql-dialect.js";
import { countActive } from "./usage-active.js";
import type { ActiveNames, ActiveQuery } from "./usage-active.js";
import { readUsage } from "./usage.js";
import type { UsageQuery, UsageRow } from "./usage.js";
import type { Writer } from "./writer.js";

/** A place in the journal. */
export interface JournalPlace {
  readonly file: number;
  readonly offset: number;
}

/** Calls, what they used, and the place in the journal up to which they are here. */
export class Ledger {
  readonly #writer: Writer;
  readonly #reader: Db;
  readonly #clock: Clock;
  readonly #refs = new LedgerRefs();
  /** Calls that come next, see `prepareCalls`. */
  #next:
    | {
        readonly batch: readonly CallRecord[];
        readonly prepared: ReturnType<typeof prepareCalls>;
      }
    | undefined;

  constructor(options: { writer: Writer; reader: Db; clock: Clock }) {
    this.#writer = options.writer;
    this.#reader = options.reader;
    this.#clock = options.clock;
  }

  /**
   * Writes calls, their roll-ups and the journal position in one transaction. A call whose id is there
   * already changes nothing, so a replay is harmless; nor does one of a deleted client key. Returns how
   * many were new.
   */
  async appendCalls(batch: readonly CallRecord[], position: JournalPlace): Promise<number> {
    const preparing = this.#next?.batch === batch ? this.#next.prepared : this.#prepare(batch);
    this.#next = undefined;
    // Few calls are in the writer's queue when this returns.
    const calls = preparing instanceof Promise ? await preparing : preparing;
    let staged: StagedRefs | undefined;
    return this.#writer.run(
      async (db) => {
        staged = this.#refs.stage(db);
        const added = await appendCalls(db, staged, calls);
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

  /**
   * Makes ready what is going to be appended next, this very list, as far as that needs no database: for while it is
   * busy with the calls before. Appending does the same without it.
   */
  prepareCalls(batch: readonly CallRecord[]): void {
    this.#next = { batch, prepared: this.#prepare(batch) };
  }

  #prepare(batch: readonly CallRecord[]): ReturnType<typeof prepareCalls> {
    return prepareCalls(batch, this.#refs);
  }

  /** The position up to which the journal is in the database; undefined at the first start. */
  async journalPosition(): Promise<JournalPlace | undefined> {
    const [state] = await this.#reader.rows<{ file: number | null; offset: number | null }>(
      "SELECT journal_file AS file, journal_offset AS offset FROM ledger_state",
    );
    const { file, offset } = state ?? { file: null, offset: null };
    return file === null || offset === null ? undefined : { file, offset };
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

  /** See `countActive`. */
  countActive(query: ActiveQuery): Promise<ActiveNames> {
    return countActive(this.#reader, query);
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
   * Removes the calls and roll-ups of deleted client keys, in batches; they are hidden already. Goes on
   * where an earlier process left off. Returns how many keys were finished.
   */
  async sweep(): Promise<number> {
    const swept = await sweepDeletedKeys({ writer: this.#writer, clock: this.#clock });
    if (swept > 0) this.#refs.clear();
    return swept;
  }
}

async function appendCalls(db: Db, staged: StagedRefs, batch: PreparedCalls): Promise<number> {
  const state = await readState(db, batch);
  // The log of a client key that was deleted meanwhile is gone, and nothing starts it anew.
  const calls =
    state.deleted.size === 0
      ? batch
      : keepCalls(batch, (call) => !state.deleted.has(call.clientKeyId));
  if (calls.calls.length === 0) return 0;
  const added = await insertCalls(db, staged, calls, state.newestSeq);
  if (added.calls.length === 0) return 0;
  const folded = await countCalls(db, added, state.foldedUntilMs);
  if (folded !== state.foldedUntilMs) {
    await db.rows("UPDATE ledger_state SET folded_until_ms = ?", [folded]);
  }
  return added.calls.length;
}

/** What has to be known before calls go in. */
interface LedgerState {
  readonly newestSeq: number;
  readonly foldedUntilMs: number;
  /** Those client keys of the calls that have been deleted. */
  readonly deleted: ReadonlySet<string>;
}

/** In one statement, since each costs the loop a turn. */
async function readState(db: Db, batch: PreparedCalls): Promise<LedgerState> {
  const keys = [...new Set(batch.calls.map((call) => call.clientKeyId))];
  const rows = await db.rows<{ seq: number; folded: number; id: string | null }>(
    `SELECT s.folded_until_ms AS folded, d.client_key_id AS id,
       (SELECT COALESCE(max(seq), 0) FROM calls) AS seq
     FROM ledger_state s
     LEFT JOIN deleted_client_keys d ON d.client_key_id IN (${SQLITE.eachText})`,
    [JSON.stringify(keys)],
  );
  const [first] = rows;
  if (first === undefined) throw new Error("the state of the ledger is missing");
  const deleted = new Set(rows.flatMap(({ id }) => (id === null ? [] : [id])));
  return { newestSeq: first.seq, foldedUntilMs: first.folded, deleted };
}
