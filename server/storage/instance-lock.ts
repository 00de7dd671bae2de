import { chmod, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { Fault } from "../core/fault.js";
import { connect } from "./db.js";

/** Held as long as this process uses the data folder. */
export interface InstanceLock {
  release(): Promise<void>;
}

/**
 * Makes sure that one server alone uses a data folder. The lock is an open transaction on a small
 * database of its own: the operating system drops it with the process, however that ends, so nothing has
 * to be cleaned up after a kill. A file names the holder, for people only.
 * Throws Fault `data_folder_unusable` when another process holds it.
 */
export async function lockDataFolder(folder: string): Promise<InstanceLock> {
  const pidFile = path.join(folder, "latchkey.pid");
  const lockFile = path.join(folder, "latchkey.lock");
  const knex = connect({ file: lockFile, readOnly: false, pragmas: false });
  try {
    await knex.raw("PRAGMA busy_timeout = 0");
    await knex.raw("BEGIN IMMEDIATE");
    await chmod(lockFile, 0o600);
    await writeFile(pidFile, `${process.pid}\n`, { mode: 0o600 });
  } catch (thrown) {
    await knex.destroy();
    throw await lockFault(thrown, folder, pidFile);
  }
  return {
    async release() {
      await rm(pidFile, { force: true });
      await knex.destroy();
    },
  };
}

async function lockFault(thrown: unknown, folder: string, pidFile: string): Promise<unknown> {
  const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
  if (code === "SQLITE_BUSY") {
    const holder = (await readFile(pidFile, "utf8").catch(() => "")).trim();
    const who = /^\d+$/.test(holder) ? ` (process ${holder})` : "";
    return new Fault(
      "data_folder_unusable",
      `The data folder ${folder} is in use by another Latchkey server${who}; stop that one first, or choose another folder with --data.`,
    );
  }
  if (code === "SQLITE_FULL" || code === "ENOSPC") {
    return new Fault(
      "data_folder_unusable",
      `The disk that holds the data folder ${folder} is full; free some space, then start again.`,
      { cause: thrown },
    );
  }
  return new Fault(
    "data_folder_unusable",
    `The data folder ${folder} cannot be written; make it writable for the user that runs Latchkey, or choose another folder with --data.`,
    { cause: thrown },
  );
}
