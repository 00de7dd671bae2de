import type { Home } from "../core/home.js";
import type { Db } from "./db.js";
import { SQLITE } from "./sql-dialect.js";
import type { Writer } from "./writer.js";

const COLUMNS = ["scope", "thing_id", "provider_key_id"];
const NO_BYTES: ReadonlySet<string> = new Set();

/** Which provider key's account holds what; goes with the key. */
export class HomeStore {
  readonly #writer: Writer;
  readonly #reader: Db;

  constructor(options: { writer: Writer; reader: Db }) {
    this.#writer = options.writer;
    this.#reader = options.reader;
  }

  /** All that are kept, the oldest first. */
  async all(): Promise<readonly Home[]> {
    const rows = await this.#reader.rows<{ scope: string; thing: string; key: string }>(
      "SELECT scope, thing_id AS thing, provider_key_id AS key FROM homes ORDER BY number",
    );
    return rows.map(({ scope, thing, key }) => ({ scope, thingId: thing, providerKeyId: key }));
  }

  /** Keeps these, passing over those whose key was deleted meanwhile, and of all the newest `max`. */
  async keep(homes: readonly Home[], max: number): Promise<void> {
    const rows = homes.map(({ scope, thingId, providerKeyId }) => [scope, thingId, providerKeyId]);
    await this.#writer.run(async (db) => {
      await db.rows(
        `WITH learnt AS (${SQLITE.eachRow(COLUMNS, NO_BYTES)})
         INSERT INTO homes (${COLUMNS.join(", ")})
         SELECT learnt.* FROM learnt JOIN provider_keys ON provider_keys.id = provider_key_id WHERE true
         ON CONFLICT (scope, thing_id) DO UPDATE SET provider_key_id = excluded.provider_key_id`,
        [JSON.stringify(rows)],
      );
      await db.rows("DELETE FROM homes WHERE number <= (SELECT max(number) FROM homes) - ?", [max]);
    });
  }
}
