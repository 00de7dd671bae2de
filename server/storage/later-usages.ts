import type { LaterUsage } from "../core/later-usage.js";
import type { Db } from "./db.js";
import { insertRows } from "./insert-rows.js";
import type { Writer } from "./writer.js";

/** Earlier versions did not keep it. */
const NO_KEY = { clientKeyId: "" };

/** What responses used that is still to be counted, as one process leaves it to the next. */
export class LaterUsageStore {
  readonly #writer: Writer;
  readonly #reader: Db;

  constructor(options: { writer: Writer; reader: Db }) {
    this.#writer = options.writer;
    this.#reader = options.reader;
  }

  /** All that were left, the oldest first. They are taken out, so that nothing counts twice, whatever becomes of this process. */
  async takeAll(): Promise<readonly LaterUsage[]> {
    const query = "SELECT usage FROM later_usages ORDER BY number";
    const rows = await this.#reader.rows<{ usage: string }>(query);
    if (rows.length > 0) await this.#writer.run((db) => db.rows("DELETE FROM later_usages"));
    return rows.map(({ usage }) => ({ ...NO_KEY, ...(JSON.parse(usage) as LaterUsage) }));
  }

  async leave(usages: readonly LaterUsage[]): Promise<void> {
    const rows = usages.map((usage) => ({ usage: JSON.stringify(usage) }));
    await this.#writer.run((db) => insertRows(db, "later_usages", rows));
  }
}
