import { closeSync, existsSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";
import type { CallRecord } from "../../server/core/call.js";
import type { JournalPosition } from "../../server/metering/ports.js";
import { MemoryLedger } from "./memory-ledger.js";
import { sampleCall } from "./sample-calls.js";
import { settle } from "../support/fake-clock.js";

type Kept = Pick<CallRecord, "id" | "status" | "errorCode">;

interface Line {
  readonly records: readonly Kept[];
  readonly position: JournalPosition;
}

/** A ledger that survives a kill: each batch is one line, and a line that is not whole never happened. */
export class FileLedger extends MemoryLedger {
  readonly #handle: number;

  constructor(file: string) {
    super();
    const text = existsSync(file) ? readFileSync(file, "utf8") : "";
    const whole = text.lastIndexOf("\n") + 1;
    if (whole < text.length) truncateSync(file, Buffer.byteLength(text.slice(0, whole)));
    for (const line of text.slice(0, whole).split("\n")) {
      if (line === "") continue;
      const { records, position } = JSON.parse(line) as Line;
      for (const record of records) {
        // A batch holds new calls only, so the same id twice means that one was recorded twice.
        if (this.calls.has(record.id)) throw new Error(`${record.id} is in the ledger twice`);
        this.calls.set(record.id, sampleCall(0, record));
      }
      this.position = position;
    }
    this.#handle = openSync(file, "a");
  }

  override async appendCalls(
    batch: readonly CallRecord[],
    position: JournalPosition,
  ): Promise<number> {
    await settle();
    const records = batch
      .filter((record) => !this.calls.has(record.id))
      .map(({ id, status, errorCode }): Kept => ({ id, status, errorCode }));
    writeSync(this.#handle, `${JSON.stringify({ records, position })}\n`);
    return super.appendCalls(batch, position);
  }

  close(): void {
    closeSync(this.#handle);
  }
}
