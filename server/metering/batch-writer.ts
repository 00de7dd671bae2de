import type { CallRecord } from "../core/call.js";
import { toFault } from "../core/fault.js";
import type { Logger } from "../core/logger.js";
import type { JournaledCall } from "./journal-reader.js";
import type { LedgerStore } from "./ports.js";

/** Writes batches of calls to the database and tells a database that is away from a call that it refuses. */
export class BatchWriter {
  readonly #ledger: Pick<LedgerStore, "appendCalls" | "prepareCalls">;
  readonly #logger: Logger;
  #recordedCalls = 0;
  #refusedCalls = 0;
  #next: { readonly batch: readonly JournaledCall[]; readonly records: CallRecord[] } | undefined;

  constructor(options: {
    readonly ledger: Pick<LedgerStore, "appendCalls" | "prepareCalls">;
    readonly logger: Logger;
  }) {
    this.#ledger = options.ledger;
    this.#logger = options.logger;
  }

  get recordedCalls(): number {
    return this.#recordedCalls;
  }

  /** Calls that the database refuses for good; each is in the log. */
  get refusedCalls(): number {
    return this.#refusedCalls;
  }

  /** Lets the ledger begin with a batch that is written next, while it is busy with the one before. */
  prepare(batch: readonly JournaledCall[]): void {
    const records = recordsOf(batch);
    this.#next = { batch, records };
    this.#ledger.prepareCalls(records);
  }

  /** Throws what the ledger throws while it takes none of the calls; then all of them must be written again. */
  async write(batch: readonly JournaledCall[]): Promise<void> {
    const last = batch.at(-1);
    if (last === undefined) return;
    const records = this.#next?.batch === batch ? this.#next.records : recordsOf(batch);
    this.#next = undefined;
    try {
      await this.#ledger.appendCalls(records, last.position);
      this.#recordedCalls += batch.length;
    } catch (error) {
      if (batch.length === 1 || toFault(error).code === "storage_unavailable") throw error;
      await this.#writeOthers(batch, error);
    }
  }

  /**
   * Finds the calls that the database refuses, so that one bad row does not hold up all others. A call
   * counts as refused only when another one of the batch went in; otherwise the database is the trouble.
   */
  async #writeOthers(batch: readonly JournaledCall[], cause: unknown): Promise<void> {
    const refused: Refused[] = [];
    await this.#writeHalves(batch, refused);
    if (refused.length === batch.length) throw cause;
    this.#refusedCalls += refused.length;
    this.#recordedCalls += batch.length - refused.length;
    for (const { call, error } of refused) {
      this.#logger.error(
        { err: error, record: call.record },
        "the database refuses the record of a call",
      );
    }
  }

  /** By halves: a transaction for each of thousands would take the disk as many syncs. */
  async #writeHalves(batch: readonly JournaledCall[], refused: Refused[]): Promise<void> {
    const middle = batch.length >> 1;
    for (const part of [batch.slice(0, middle), batch.slice(middle)]) {
      const [first] = part;
      const last = part.at(-1);
      if (first === undefined || last === undefined) continue;
      try {
        await this.#ledger.appendCalls(recordsOf(part), last.position);
      } catch (error) {
        if (toFault(error).code === "storage_unavailable") throw error;
        if (part.length === 1) refused.push({ call: first, error });
        else await this.#writeHalves(part, refused);
      }
    }
  }
}

function recordsOf(batch: readonly JournaledCall[]): CallRecord[] {
  return batch.map((call) => call.record);
}

interface Refused {
  readonly call: JournaledCall;
  readonly error: unknown;
}
