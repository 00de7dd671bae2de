import { constants, existsSync, statSync } from "node:fs";
import { access, mkdir, open, stat, type FileHandle } from "node:fs/promises";
import path from "node:path";
import { Fault } from "../core/fault.js";

/** The database's name in the data folder. */
export const DATA_FILE = "latchkey.db";

/** Where a restore looks at a backup before it takes the database's place; there only while it runs. */
export const RESTORE_FOLDER = "restoring";

/** Creates the folder where it is missing, for its owner alone. Throws Fault `data_folder_unusable`. */
export async function prepareDataFolder(folder: string): Promise<void> {
  await orUnusable(folder, async () => {
    await makeFolder(path.resolve(folder));
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  });
}

/** What the mode of a folder lets others do than its owner. */
export interface OthersAccess {
  /** As `chmod` takes it. */
  readonly mode: string;
  /** They may put files in the place of others. */
  readonly writes: boolean;
}

/** What the group or everybody may do in a folder; undefined for nothing. */
export function othersAccess(folder: string): OthersAccess | undefined {
  const stats = statSync(folder, { throwIfNoEntry: false });
  const bits = (stats?.mode ?? 0) & 0o7777;
  if ((bits & 0o077) === 0) return undefined;
  return { mode: bits.toString(8).padStart(4, "0"), writes: (bits & 0o022) !== 0 };
}

/** The database's file. */
export interface DataFile {
  readonly path: string;
  /**
   * Stays open as long as SQLite has the file open, and is closed after that: closing a file drops all locks that this
   * process has on it, those of SQLite too.
   */
  readonly handle: FileHandle;
}

/**
 * Opens the database file, and creates it if it is missing, readable by its owner alone from the first moment. The
 * caller must hold the folder's lock. Throws Fault `data_folder_unusable`.
 */
export async function openDataFile(folder: string): Promise<DataFile> {
  const file = path.join(folder, DATA_FILE);
  // Between the old database and the new one there is none; a new one must not be made in their place.
  if (existsSync(path.join(folder, RESTORE_FOLDER)) && !existsSync(file)) {
    throw new Fault(
      "data_folder_unusable",
      `A restore into the data folder ${folder} was cut off; run it again. What was there before is in its newest folder replaced-….`,
    );
  }
  return orUnusable(folder, async () => {
    const handle = await open(file, "a", 0o600);
    try {
      await keepPrivate(handle);
    } catch (thrown) {
      await handle.close();
      throw thrown;
    }
    return { path: file, handle };
  });
}

async function orUnusable<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    throw new Fault(
      "data_folder_unusable",
      `The data folder ${folder} cannot be used (${reasonOf(thrown)}); make it a folder that is writable for the user ` +
        "that runs Latchkey, or choose another one with --data.",
      { cause: thrown },
    );
  }
}

/**
 * As `mkdir -p`. Node's own `recursive` never returns for a folder in /proc: it takes ENOENT for a missing
 * parent and tries again.
 */
async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (thrown) {
    const code = thrown instanceof Error && "code" in thrown ? thrown.code : undefined;
    if (code === "EEXIST" && (await isFolder(folder))) return;
    const parent = path.dirname(folder);
    if (code !== "ENOENT" || parent === folder || (await isFolder(parent))) throw thrown;
    await makeFolder(parent);
    await mkdir(folder, { mode: 0o700 });
  }
}

async function isFolder(folder: string): Promise<boolean> {
  try {
    return (await stat(folder)).isDirectory();
  } catch {
    return false;
  }
}

/** SQLite gives its WAL and shared-memory files the mode of the database, so this covers all three. */
async function keepPrivate(handle: FileHandle): Promise<void> {
  const { mode } = await handle.stat();
  if ((mode & 0o077) !== 0) await handle.chmod(0o600);
}

function reasonOf(thrown: unknown): string {
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  const reasons: Readonly<Record<string, string>> = {
    EACCES: "permission denied",
    EPERM: "permission denied",
    EROFS: "the file system is read-only",
    ENOSPC: "the disk is full",
    ENOTDIR: "a part of the path is a file",
    EEXIST: "a file has its name",
    EISDIR: `${DATA_FILE} is a folder`,
    ENOENT: "it does not exist and cannot be created",
  };
  return reasons[code] ?? (code === "" ? "unknown error" : code);
}
