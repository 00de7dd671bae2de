import { access, open, rm, stat } from "node:fs/promises";
import type { Db } from "./db.js";
import { corruptFault, isCorrupt } from "./faults.js";

/** Files up to this size are checked as a whole at every start; it takes some tenths of a second. */
const CHECK_ALL_BYTES_MAX = 128 * 1024 * 1024;
/** After a crash, larger files are checked as a whole too, up to this size. */
const CHECK_ALL_AFTER_CRASH_BYTES_MAX = 1024 * 1024 * 1024;

/** The tables that can grow without bound; in a large file they are checked only on suspicion. */
const LARGE_TABLES = new Set([
  "calls",
  "usage_keys",
  "rollups_minute",
  "rollups_hour",
  "rollups_day",
  "totals_minute",
  "totals_hour",
  "totals_day",
  "client_key_addresses",
]);
/** Every start reads this one row by row anyway, and so meets what is damaged in it. */
const READ_WHOLE = "client_keys";

/**
 * Checks the database at start and throws Fault `database_corrupt` when it is damaged. Small files are
 * checked whole. Of large ones the tables that hold keys, users and audit are; the rest only when there is
 * reason to suspect it: the last run met damage, or did not end cleanly.
 */
export async function checkAtStart(options: {
  db: Db;
  file: string;
  /** The last run left its WAL behind: it was killed, or the machine went down. */
  crashed: boolean;
}): Promise<void> {
  const { db, file, crashed } = options;
  const suspect = await exists(suspicionFile(file));
  const { size } = await stat(file);
  const whole =
    suspect || size <= (crashed ? CHECK_ALL_AFTER_CRASH_BYTES_MAX : CHECK_ALL_BYTES_MAX);
  if (whole) {
    await check(db, file, suspect ? "PRAGMA integrity_check(1)" : "PRAGMA quick_check(1)");
    await rm(suspicionFile(file), { force: true });
    return;
  }
  const tables = await db.rows<{ name: string }>(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
  );
  for (const { name } of tables) {
    if (!LARGE_TABLES.has(name) && name !== READ_WHOLE)
      await check(db, file, `PRAGMA quick_check('${name}')`);
  }
}

/** Checks every page and index. Throws Fault `database_corrupt`. */
export async function checkEverything(db: Db, file: string): Promise<void> {
  await check(db, file, "PRAGMA integrity_check(1)");
}

/** Makes the next start check everything. */
export async function noteSuspicion(file: string): Promise<void> {
  const handle = await open(suspicionFile(file), "a", 0o600);
  await handle.close();
}

/** True when the last run left its WAL behind. */
export async function leftWal(file: string): Promise<boolean> {
  try {
    return (await stat(`${file}-wal`)).size > 0;
  } catch {
    // No WAL: the last run closed the database.
    return false;
  }
}

async function check(db: Db, file: string, pragma: string): Promise<void> {
  const rows = await db.rows<Record<string, unknown>>(pragma);
  const findings = rows.flatMap((row) => Object.values(row)).filter((text) => text !== "ok");
  if (findings.length > 0) throw corruptFault(file, new Error(findings.map(String).join("; ")));
}

function suspicionFile(file: string): string {
  return `${file}.suspect`;
}

async function exists(file: string): Promise<boolean> {
  try {
    await access(file);
    return true;
  } catch {
    return false;
  }
}

/** Calls `note` once, at the first sign of damage. */
export function watchForDamage(
  toFault: (thrown: unknown) => unknown,
  note: () => void,
): (thrown: unknown) => unknown {
  let noted = false;
  return (thrown) => {
    const fault = toFault(thrown);
    if (isCorrupt(fault) && !noted) {
      noted = true;
      note();
    }
    return fault;
  };
}
