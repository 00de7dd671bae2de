import { constants } from "node:fs";
import { access, copyFile, mkdir, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { Fault } from "../core/fault.js";
import { Secret } from "../core/secret.js";
import { SealedRecords } from "../keys/sealed-records.js";
import { DATA_FILE, prepareDataFolder, RESTORE_FOLDER } from "../storage/data-folder.js";
import { lockDataFolder } from "../storage/instance-lock.js";
import { openStorage, type Storage } from "../storage/open.js";
import { checkSecrets } from "../vault/check.js";
import { MANIFEST_NAME, verifyBackup } from "../vault/manifest.js";
import { createFilePin } from "../vault/public-key-pin.js";
import { createVault, type Vault } from "../vault/vault.js";
import { readArchive } from "./backup-archive.js";
import { INFO_NAME } from "./backup.js";
import type { World } from "./foundation.js";
import { checkRootKeySource, rootKeyProvider } from "./root-key.js";
import { syncPath } from "./sync-path.js";

const REFUSED_SHOWN_MAX = 20;
const PASSPHRASE_CHARS_MAX = 4096;

export interface RestoreOptions extends World {
  /** A backup file, or a folder with what is in one. */
  readonly backup: string;
  /** Restores although some secrets do not open; they are listed. */
  readonly acceptUnreadable: boolean;
  /** Where the passphrase comes from, if the vault needs one. */
  readonly input: AsyncIterable<unknown>;
  readonly say: (line: string) => void;
}

/**
 * Puts a backup in the place of the database. Everything is verified first, on a copy: the manifest, every
 * row's MAC, every secret, the audit chain. The database that was there is kept beside it. Throws Fault
 * `data_folder_unusable` while a server runs on the folder, `root_key_wrong`, `database_corrupt`,
 * `database_newer`, `not_found`.
 */
export async function restore(options: RestoreOptions): Promise<void> {
  const { config, say } = options;
  // On the same disk, so that it can be moved.
  const stage = path.join(config.data, RESTORE_FOLDER);
  await requireThere(options.backup);
  await prepareDataFolder(config.data);
  const lock = await lockDataFolder(config.data);
  try {
    await rm(stage, { recursive: true, force: true });
    const pristine = path.join(stage, "backup");
    const opened = path.join(stage, "opened");
    for (const folder of [stage, pristine, opened]) await mkdir(folder, { mode: 0o700 });
    say(`Reading ${options.backup} …`);
    await fetchParts(options.backup, pristine);
    // Opening a database changes its file, so the one that the manifest describes is left alone.
    await copyFile(
      path.join(pristine, DATA_FILE),
      path.join(opened, DATA_FILE),
      constants.COPYFILE_FICLONE,
    );
    await verify(options, { pristine, opened });
    await replace(options, path.join(opened, DATA_FILE));
  } finally {
    await rm(stage, { recursive: true, force: true });
    await lock.release();
  }
}

async function requireThere(backup: string): Promise<void> {
  try {
    await access(backup, constants.R_OK);
  } catch (error) {
    if (isForbidden(error)) throw unreadable(backup, error);
    throw new Fault("not_found", `There is no backup ${backup}; name a backup file or its folder.`);
  }
}

function isForbidden(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EACCES";
}

/** Backups are for their owner alone, and on another machine that is somebody else. */
function unreadable(file: string, cause: unknown): Fault {
  return new Fault(
    "config_invalid",
    `The backup ${file} cannot be read (permission denied); give it to the user that runs this, with \`chown\`.`,
    { cause },
  );
}

async function fetchParts(backup: string, folder: string): Promise<void> {
  if (!(await stat(backup)).isDirectory()) {
    await readArchive(backup, folder);
    return;
  }
  for (const name of [INFO_NAME, MANIFEST_NAME, DATA_FILE]) {
    await copyFile(path.join(backup, name), path.join(folder, name)).catch((error: unknown) => {
      if (isForbidden(error)) throw unreadable(path.join(backup, name), error);
      throw new Fault("not_found", `There is no backup in ${backup}: ${name} is missing.`, {
        cause: error,
      });
    });
  }
}

async function verify(
  options: RestoreOptions,
  folders: { readonly pristine: string; readonly opened: string },
): Promise<void> {
  const { clock, logger, say } = options;
  let vault: Vault | undefined;
  const storage = await openStorage({
    dataFolder: folders.opened,
    clock,
    logger,
    onCommit: () => undefined,
    auditMac: (hash) => (vault?.state === "UNLOCKED" ? vault.auditMac(hash) : null),
    checkAuditMac: (hash, mac) => vault?.auditMacFits(hash, mac) === true,
  });
  try {
    vault = await unlockedVault(options, storage, folders.opened);
    const manifest = await verifyBackup(vault, folders.pristine);
    say(`The manifest is right: made ${new Date(manifest.createdAt).toISOString()}.`);
    const verdict = await storage.auditTrail.verify();
    if (!verdict.ok) {
      throw new Fault(
        "database_corrupt",
        `The audit chain in the backup is broken at event ${verdict.brokenAt ?? 0}: ${verdict.reason}. Use another backup.`,
      );
    }
    await checkAll(options, vault, storage);
  } finally {
    vault?.close();
    await storage.close();
  }
}

async function unlockedVault(
  options: RestoreOptions,
  storage: Storage,
  folder: string,
): Promise<Vault> {
  const { config, random, clock, logger, say } = options;
  checkRootKeySource(config, await storage.keyring.loadKeyring());
  const vault = await createVault({
    store: storage.keyring,
    rootKey: await rootKeyProvider(options),
    pin: createFilePin({ path: path.join(folder, "vault.pin") }),
    random,
    clock,
    logger,
  });
  if (vault.state === "UNINITIALISED") {
    throw new Fault("database_corrupt", "There is no vault in the backup. Use another backup.");
  }
  if (!vault.status().needsPassphrase) await vault.unlock();
  else {
    say("Type the passphrase of the vault, or give it on standard input:");
    await vault.unlock(await readPassphrase(options.input));
  }
  return vault;
}

async function checkAll(options: RestoreOptions, vault: Vault, storage: Storage): Promise<void> {
  const { clock, logger, say, acceptUnreadable } = options;
  const records = new SealedRecords({ store: storage.keys, clock, log: logger });
  for await (const { checked, refused, finished } of checkSecrets({
    vault,
    rows: records.rows(),
    clock,
  })) {
    if (!finished) continue;
    for (const { id, reason } of refused.slice(0, REFUSED_SHOWN_MAX)) say(`  ${id}: ${reason}`);
    if (refused.length > 0 && !acceptUnreadable) {
      throw new Fault(
        "database_corrupt",
        `${refused.length} of ${checked} secrets in the backup do not open. Nothing was changed; use another backup, or add --accept-unreadable.`,
      );
    }
    say(`${checked - refused.length} of ${checked} secrets open.`);
  }
}

/** The old database is moved aside and never deleted: the operator decides when it may go. */
async function replace({ config, clock, say }: RestoreOptions, restored: string): Promise<void> {
  const stamp = new Date(clock.now()).toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const aside = path.join(config.data, `replaced-${stamp}`);
  const target = path.join(config.data, DATA_FILE);
  await syncPath(restored);
  await mkdir(aside, { mode: 0o700 });
  let moved = 0;
  // Calls in the journal are part of the history that is replaced.
  for (const name of [DATA_FILE, `${DATA_FILE}-wal`, `${DATA_FILE}-shm`, "vault.pin", "journal"]) {
    const isMoved = await rename(path.join(config.data, name), path.join(aside, name)).then(
      () => true,
      () => false,
    );
    if (isMoved) moved++;
  }
  await rename(restored, target);
  await syncPath(config.data);
  if (moved > 0) say(`What was there before is in ${aside}.`);
  else await rm(aside, { recursive: true, force: true });
  say(`The backup is in place in ${config.data}; start the server.`);
}

async function readPassphrase(input: AsyncIterable<unknown>): Promise<Secret> {
  let text = "";
  for await (const chunk of input) {
    text += String(chunk);
    if (text.includes("\n") || text.length > PASSPHRASE_CHARS_MAX) break;
  }
  return new Secret(text.split(/\r?\n/, 1)[0] ?? "");
}
