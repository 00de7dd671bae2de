import type { CallRecord } from "../core/call.js";
import { toFault } from "../core/fault.js";
import type { Logger } from "../core/logger.js";
import type { Journal } from "./journal.js";
import type { LedgerBatch, JournalPosition, LedgerStore } from "./ports.js";

/** Calls that follow each other in the journal and are recorded together. */
export interface Piece {
  readonly batch: LedgerBatch;
  /** Where the first of them begins in the journal. */
  readonly from: JournalPosition;
  /** Where the last of them ends. */
  readonly end: JournalPosition;
}

/** A finished call and where its frame ends in the journal. */
interface JournaledCall {
  readonly record: CallRecord;
  readonly position: JournalPosition;
}

interface BatchWriterOptions {
  readonly ledger: Pick<LedgerStore, "appendCalls">;
  readonly journal: Pick<Journal, "read">;
  readonly logger: Logger;
}

/** Writes calls to the database. It distinguishes a database that is away from a call that the database refuses. */
export class BatchWriter {
  readonly #options: BatchWriterOptions;
  #recordedCalls = 0;
  #refusedCalls = 0;

  constructor(options: BatchWriterOptions) {
    this.#options = options;
  }

  get recordedCalls(): number {
    return this.#recordedCalls;
  }

  /** Calls that the database refuses for good; each is in the log. */
  get refusedCalls(): number {
    return this.#refusedCalls;
  }

  /** Throws what the ledger throws while it takes none of the calls; then all of them must be written again. */
  async writePiece({ batch, from, end }: Piece): Promise<void> {
    try {
      await batch.append(end);
      this.#recordedCalls += batch.size;
    } catch (error) {
      if (toFault(error).code === "storage_unavailable") throw error;
      // Some of the calls cannot go in. The batch does not have their records any more, but the journal does.
      const calls: JournaledCall[] = [];
      await this.#options.journal.read(from, batch.size, (record, position) => {
        calls.push({ record, position });
      });
      await this.writeCalls(calls);
    }
  }

  /** Writes calls that may be there already. Throws as `writePiece` does. */
  async writeCalls(calls: readonly JournaledCall[]): Promise<void> {
    const last = calls.at(-1);
    if (last === undefined) return;
    try {
      await this.#append(calls, last.position);
      this.#recordedCalls += calls.length;
    } catch (error) {
      if (calls.length === 1 || toFault(error).code === "storage_unavailable") throw error;
      await this.#writeOthers(calls, error);
    }
  }

  /**
   * Finds the calls that the database refuses, so that one bad row does not hold up all others. A call
   * counts as refused only when another one of them went in; otherwise the database is the trouble.
   */
  async #writeOthers(calls: readonly JournaledCall[], cause: unknown): Promise<void> {
    const refused: Refused[] = [];
    await this.#writeHalves(calls, refused);
    if (refused.length === calls.length) throw cause;
    this.#refusedCalls += refused.length;
    this.#recordedCalls += calls.length - refused.length;
    for (const { call, error } of refused) {
      this.#options.logger.error(
        { err: error, record: call.record },
        "the database refuses the record of a call",
      );
    }
  }

  /** By halves: a transaction for each of thousands would take the disk as many syncs. */
  async #writeHalves(calls: readonly JournaledCall[], refused: Refused[]): Promise<void> {
    const middle = calls.length >> 1;
    for (const part of [calls.slice(0, middle), calls.slice(middle)]) {
      const [first] = part;
      const last = part.at(-1);
      if (first === undefined || last === undefined) continue;
      try {
        await this.#append(part, last.position);
      } catch (error) {
        if (toFault(error).code === "storage_unavailable") throw error;
        if (part.length === 1) refused.push({ call: first, error });
        else await this.#writeHalves(part, refused);
      }
    }
  }

  #append(calls: readonly JournaledCall[], position: JournalPosition): Promise<number> {
    return this.#options.ledger.appendCalls(
      calls.map((call) => call.record),
      position,
    );
  }
}

interface Refused {
  readonly call: JournaledCall;
  readonly error: unknown;
}
