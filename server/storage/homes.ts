import type { Home, HomeChange } from "../core/home.js";
import type { Db } from "./db.js";
import { SQLITE } from "./sql-dialect.js";
import type { Writer } from "./writer.js";

const NAME = ["scope", "thing_id"];
const COLUMNS = [...NAME, "provider_key_id", "owner_id", "client_key_id"];
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
  all(): Promise<readonly Home[]> {
    return this.#reader.rows<Home>(
      `SELECT scope, thing_id AS "thingId", provider_key_id AS "providerKeyId", owner_id AS "ownerId",
         client_key_id AS "clientKeyId"
       FROM homes ORDER BY number`,
    );
  }

  /** Keeps what was learnt, passing over that whose key was deleted meanwhile, and drops what was forgotten. */
  async keep(changes: readonly HomeChange[]): Promise<void> {
    const learnt = changes.filter(({ isForgotten }) => !isForgotten);
    const forgotten = changes.filter(({ isForgotten }) => isForgotten);
    const rows = learnt.map(({ home }) => [...nameOf(home), ...restOf(home)]);
    const names = forgotten.map(({ home }) => nameOf(home));
    await this.#writer.run(async (db) => {
      await db.rows(
        `DELETE FROM homes WHERE (${NAME.join(", ")}) IN (${SQLITE.eachRow(NAME, NO_BYTES)})`,
        [JSON.stringify(names)],
      );
      await db.rows(
        `WITH learnt AS (${SQLITE.eachRow(COLUMNS, NO_BYTES)})
         INSERT INTO homes (${COLUMNS.join(", ")})
         SELECT learnt.* FROM learnt JOIN provider_keys ON provider_keys.id = provider_key_id WHERE true
         ON CONFLICT (scope, thing_id) DO UPDATE SET provider_key_id = excluded.provider_key_id,
           owner_id = excluded.owner_id, client_key_id = excluded.client_key_id`,
        [JSON.stringify(rows)],
      );
    });
  }
}

function nameOf({ scope, thingId }: Home): readonly string[] {
  return [scope, thingId];
}

function restOf({ providerKeyId, ownerId, clientKeyId }: Home): readonly string[] {
  return [providerKeyId, ownerId, clientKeyId];
}
