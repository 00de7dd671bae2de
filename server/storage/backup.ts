import { open, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import type { Knex } from "knex";
import { Fault } from "../core/fault.js";
import { connect, type Db, openDb } from "./db.js";
import { checkEverything } from "./integrity.js";

/** A finished copy of the database. */
export interface BackupCopy {
  readonly file: string;
  readonly bytes: number;
  /** Rows by table. */
  readonly rowCounts: ReadonlyMap<string, number>;
}

/** Tables of calls and what they used: most of a database, and nothing that a key needs. */
const USAGE_TABLES = [
  "calls",
  "call_minutes",
  "rollups_minute",
  "rollups_hour",
  "rollups_day",
  "totals_minute",
  "totals_hour",
  "totals_day",
];

/**
 * Writes a consistent copy of the database while the server goes on, for its owner alone, checked and on
 * the disk before it gets its name. Secrets in it are ciphertext, as in the database.
 * Throws Fault `already_exists` when `target` is there, `storage_unavailable` when it cannot be written, and the signal's
 * reason once that is aborted: a copy of gigabytes takes minutes.
 */
export async function backUp(
  dataFile: string,
  target: string,
  options: { readonly withoutUsage?: boolean; readonly signal?: AbortSignal } = {},
): Promise<BackupCopy> {
  const { signal } = options;
  const file = path.resolve(target);
  const partial = `${file}.partial`;
  if (await isThere(file)) {
    throw new Fault("already_exists", `The file ${file} is there already; choose another name.`);
  }
  try {
    await rm(partial, { force: true });
    // SQLite fills an empty file and keeps its mode.
    await (await open(partial, "ax", 0o600)).close();
  } catch (thrown) {
    throw new Fault(
      "storage_unavailable",
      `The backup ${file} cannot be written; choose a folder that exists and is writable for the user that runs Latchkey.`,
      { cause: thrown },
    );
  }
  const rowCounts = new Map<string, number>();
  try {
    await using({ file: dataFile, readOnly: false, signal }, async (knex) => {
      await openDb(knex, dataFile).rows("VACUUM INTO ?", [partial]);
    });
    if (options.withoutUsage === true) await dropUsage(partial, signal);
    await using({ file: partial, readOnly: true, pragmas: false, signal }, async (knex) => {
      const db = openDb(knex, partial);
      await checkEverything(db, partial);
      await countRows(db, rowCounts);
    });
    signal?.throwIfAborted();
    await syncFile(partial);
    await rename(partial, file);
    await syncFile(path.dirname(file));
  } catch (thrown) {
    await rm(partial, { force: true });
    signal?.throwIfAborted();
    throw thrown;
  }
  return { file, bytes: (await stat(file)).size, rowCounts };
}

/** The copy alone loses its usage; the server's database is not touched. */
async function dropUsage(file: string, signal: AbortSignal | undefined): Promise<void> {
  await using({ file, readOnly: false, pragmas: false, signal }, async (knex) => {
    const db = openDb(knex, file);
    for (const table of await tables(db)) {
      if (USAGE_TABLES.includes(table)) await db.query((tx) => tx(table).delete());
    }
    await db.rows("VACUUM");
  });
}

async function countRows(db: Db, counts: Map<string, number>): Promise<void> {
  for (const table of await tables(db)) {
    const [row] = await db.query((tx) => tx(table).count<{ count: number }[]>({ count: "*" }));
    counts.set(table, row?.count ?? 0);
  }
}

async function tables(db: Db): Promise<readonly string[]> {
  const rows = await db.rows<{ name: string }>(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
  );
  return rows.map(({ name }) => name);
}

async function using(
  { signal, ...options }: Parameters<typeof connect>[0],
  work: (knex: Knex) => Promise<void>,
): Promise<void> {
  signal?.throwIfAborted();
  const interrupts = new AbortController();
  const interrupt = (): void => {
    interrupts.abort();
  };
  const knex = connect({ ...options, signal: interrupts.signal });
  signal?.addEventListener("abort", interrupt);
  try {
    await work(knex);
  } finally {
    // A connection that is closed cannot be interrupted any more.
    signal?.removeEventListener("abort", interrupt);
    await knex.destroy();
  }
}

async function syncFile(file: string): Promise<void> {
  const handle = await open(file, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function isThere(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch {
    return false;
  }
}
