import type { CallRecord } from "../../server/core/call.js";
import { HOUR_MS } from "../../server/core/durations.js";
import { floorTo } from "../../server/core/multiples.js";
import { JsonTexts } from "../../server/core/json-texts.js";
import { JsonWriter } from "../../server/core/json-writer.js";
import { RowBatch } from "../../server/storage/row-batch.js";
import { insertCalls } from "../../server/storage/call-insertion.js";
import { connect } from "../../server/storage/db.js";
import { storageFault } from "../../server/storage/faults.js";
import { LedgerRefs } from "../../server/storage/ledger-refs.js";
import { sumByCombination } from "../../server/storage/rollup-rows.js";
import { addRollups } from "../../server/storage/rollups.js";
import { HOURS, type Level, LEVELS, MINUTES } from "../../server/storage/rollup-levels.js";
import { addToTotals } from "../../server/storage/totals.js";
import { Writer } from "../../server/storage/writer.js";

/** Page cache of the connection that fills; larger than a server's, so that fewer pages are read twice. */
const CACHE_KIB = 512 * 1024;

/** What the rows of an hour have room for at first. */
const ROW_BYTES = 1024 * 1024;

/** Roll-ups that were made and deleted again while the time of a database went by. */
export interface Forgotten {
  /** Minutes before this one; a whole hour. */
  readonly minutesBeforeMs: number;
  /** Hours before this one; a whole day. */
  readonly hoursBeforeMs: number;
}

/**
 * Fills the ledger by whole hours, with the server's own statements. A server counts each call by the minute
 * first, takes minutes over into hours and days, and deletes those that are too old; here an hour goes at once
 * to where it ends up. The outcome is the same row by row, in a fraction of the time.
 */
export class HourFiller {
  readonly #knex: ReturnType<typeof connect>;
  readonly #writer: Writer;
  readonly #forgotten: Forgotten;
  readonly #refs = new LedgerRefs();
  readonly #texts = new JsonTexts();

  constructor(file: string, forgotten: Forgotten) {
    this.#knex = connect({ file, readOnly: false });
    this.#writer = new Writer({
      knex: this.#knex,
      toFault: (thrown) => storageFault(thrown, file),
    });
    this.#forgotten = forgotten;
  }

  async start(): Promise<void> {
    await this.#knex.raw(`PRAGMA cache_size = -${CACHE_KIB}`);
    // What a power cut would spoil is filled anew.
    await this.#knex.raw("PRAGMA synchronous = OFF");
  }

  /** Adds all calls of the hours before `untilMs` that are not there yet. */
  async add(calls: readonly CallRecord[], untilMs: number, offset: number): Promise<void> {
    const batch = new RowBatch(this.#refs, new JsonWriter(ROW_BYTES, this.#texts));
    for (const call of calls) batch.add(call);
    await this.#writer.run(async (db) => {
      const staged = this.#refs.stage(db);
      const sums = await insertCalls(db, staged, batch);
      for (const level of LEVELS) {
        const fromMs = this.#fromMs(level);
        const kept = sums.filter(({ bucketMs }) => bucketMs >= fromMs);
        if (kept.length === 0) continue;
        await addRollups(db, level.rollups, sumByCombination(kept, level.bucketMs));
        await addToTotals(db, kept, [level]);
      }
      await db.rows(
        `UPDATE ledger_state SET journal_file = 1, journal_offset = ?, folded_until_ms = ?,
           minutes_from_ms = min(?, ?), hours_from_ms = min(?, ?)`,
        [
          offset,
          untilMs,
          this.#forgotten.minutesBeforeMs,
          floorTo(untilMs, HOUR_MS),
          this.#forgotten.hoursBeforeMs,
          floorTo(untilMs, 24 * HOUR_MS),
        ],
      );
      this.#refs.keep(staged);
    });
  }

  async close(): Promise<void> {
    await this.#writer.drain();
    await this.#knex.destroy();
  }

  #fromMs(level: Level): number {
    if (level === MINUTES) return this.#forgotten.minutesBeforeMs;
    return level === HOURS ? this.#forgotten.hoursBeforeMs : 0;
  }
}
