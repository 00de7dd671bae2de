import type { Clock } from "../core/clock.js";
import { Fault } from "../core/fault.js";
import type { Logger } from "../core/logger.js";
import type { Db } from "./db.js";
import { corruptFault } from "./faults.js";
import { type SqlDialect, SQLITE } from "./sql-dialect.js";
import type { Writer } from "./writer.js";

/** One step of the schema, as data. Steps only go forward. */
export interface Migration {
  /** Rises by one. */
  readonly version: number;
  readonly name: string;
  readonly statements: (dialect: SqlDialect) => readonly string[];
}

/**
 * Brings the schema up to the newest step. Each step and its entry in the version table commit together,
 * so that a kill at any moment leaves the schema at a whole step. Returns the version reached.
 * Throws Fault `database_newer` when the file was written by a newer Latchkey.
 */
export async function migrate(options: {
  writer: Writer;
  migrations: readonly Migration[];
  dataFile: string;
  clock: Clock;
  logger: Logger;
}): Promise<number> {
  const { writer, migrations, dataFile, clock, logger } = options;
  const newest = migrations.at(-1)?.version ?? 0;
  const current = await writer.run((db) => prepareVersionTable(db, dataFile));
  if (current > newest) {
    throw new Fault(
      "database_newer",
      `The database ${dataFile} was written by a newer Latchkey (schema ${current}, this one knows ${newest}); ` +
        "install that version again, or restore a backup from before the update.",
    );
  }
  for (const migration of migrations) {
    if (migration.version <= current) continue;
    await writer.run(async (db) => {
      for (const statement of migration.statements(SQLITE)) await db.rows(statement);
      await db.query((knex) =>
        knex("schema_versions").insert({
          version: migration.version,
          name: migration.name,
          applied_at: clock.now(),
        }),
      );
    });
    logger.info({ version: migration.version, name: migration.name }, "schema step applied");
  }
  return newest;
}

async function prepareVersionTable(db: Db, dataFile: string): Promise<number> {
  const tables = await db.rows<{ name: string }>(SQLITE.schemaNames);
  if (!tables.some((table) => table.name === "schema_versions")) {
    // A file with other tables is another program's database: writing to it would destroy it.
    if (tables.length > 0) throw corruptFault(dataFile);
    await db.rows(SQLITE.markFile);
    await db.rows(
      `CREATE TABLE schema_versions (
        version ${SQLITE.integer} PRIMARY KEY,
        name ${SQLITE.text} NOT NULL,
        applied_at ${SQLITE.integer} NOT NULL
      )${SQLITE.tableEnd}`,
    );
  }
  const [row] = await db.rows<{ version: number | null }>(
    "SELECT max(version) AS version FROM schema_versions",
  );
  return row?.version ?? 0;
}
