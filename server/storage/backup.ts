import { open, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import type { Knex } from "knex";
import { Fault } from "../core/fault.js";
import { connect, openDb } from "./db.js";
import { checkEverything } from "./integrity.js";

/** A finished copy of the database. */
export interface BackupCopy {
  readonly file: string;
  readonly bytes: number;
}

/**
 * Writes a consistent copy of the database while the server goes on, for its owner alone, checked and on
 * the disk before it gets its name. Secrets in it are ciphertext, as in the database.
 * Throws Fault `already_exists` when `target` is there, `storage_unavailable` when it cannot be written.
 */
export async function backUp(dataFile: string, target: string): Promise<BackupCopy> {
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
  try {
    await using(connect({ file: dataFile, readOnly: false }), async (knex) => {
      await openDb(knex, dataFile).rows("VACUUM INTO ?", [partial]);
    });
    await using(connect({ file: partial, readOnly: true, pragmas: false }), async (knex) => {
      await checkEverything(openDb(knex, partial), partial);
    });
    await syncFile(partial);
    await rename(partial, file);
    await syncFile(path.dirname(file));
  } catch (thrown) {
    await rm(partial, { force: true });
    throw thrown;
  }
  return { file, bytes: (await stat(file)).size };
}

async function using(knex: Knex, work: (knex: Knex) => Promise<void>): Promise<void> {
  try {
    await work(knex);
  } finally {
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
