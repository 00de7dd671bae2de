import { mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import type {
  BackupFacts,
  Backups,
  FinishedBackup,
  RunningBackup,
} from "../control/system-backup.js";
import type { Actor } from "../core/audit.js";
import type { Clock } from "../core/clock.js";
import { Fault } from "../core/fault.js";
import type { AuditLog } from "../keys/audit-log.js";
import { backUp } from "../storage/backup.js";
import { DATA_FILE } from "../storage/data-folder.js";
import type { Storage } from "../storage/open.js";
import { createManifest, MANIFEST_NAME } from "../vault/manifest.js";
import type { Vault } from "../vault/vault.js";
import { VERSION } from "../version.js";
import { writeArchive } from "./backup-archive.js";
import { syncPath } from "./sync-path.js";

/** In the data folder; also where the parts of a backup are put together. */
const BACKUPS_FOLDER = "backups";
/** What is in a backup, for people and for the status; the manifest covers it. */
export const INFO_NAME = "backup.json";
const LATEST_NAME = "latest.json";

export interface BackupMakerOptions {
  readonly dataFolder: string;
  readonly storage: Storage;
  readonly vault: Vault;
  readonly auditLog: Pick<AuditLog, "record">;
  readonly clock: Clock;
}

/**
 * Makes backups while the server goes on: a consistent copy of the database, in which secrets are
 * ciphertext, with a manifest that only this vault can have made. The root key is not in it.
 */
export class BackupMaker implements Backups {
  readonly #options: BackupMakerOptions;
  readonly #folder: string;
  readonly #stopping = new AbortController();
  #busy = false;
  /** The copy that is being made of the database. */
  #copying: Promise<unknown> | undefined;
  #latest: BackupFacts | undefined;

  constructor(options: BackupMakerOptions) {
    this.#options = options;
    this.#folder = path.join(options.dataFolder, BACKUPS_FOLDER);
  }

  /** The newest backup; undefined without one. */
  get latest(): BackupFacts | undefined {
    return this.#latest;
  }

  /** Removes what a killed server left half made, and reads what the newest backup was. */
  async start(): Promise<void> {
    await rm(path.join(this.#folder, "making"), { recursive: true, force: true });
    try {
      this.#latest = JSON.parse(
        await readFile(path.join(this.#folder, LATEST_NAME), "utf8"),
      ) as BackupFacts;
    } catch {
      // None was made, or it can no longer be known: the status then shows none.
    }
  }

  /** Gives up what is being made; what there is of it, the next start removes. */
  async stop(): Promise<void> {
    this.#stopping.abort(new Fault("shutting_down", "Latchkey is stopping; try again soon."));
    await this.#copying?.catch(() => undefined);
  }

  /** One at a time. Throws Fault `vault_locked`, `failed_precondition` while another one is made, `storage_unavailable`. */
  async begin(
    actor: Actor,
    request: { readonly keep: boolean; readonly withoutUsage: boolean },
  ): Promise<RunningBackup> {
    const { vault, storage, clock } = this.#options;
    if (vault.state !== "UNLOCKED") {
      throw new Fault("vault_locked", "The vault is locked; unlock it, then make the backup.");
    }
    if (this.#busy) {
      throw new Fault("failed_precondition", "A backup is being made already; wait for its end.");
    }
    this.#busy = true;
    const createdAt = clock.now();
    const begun: BackupFacts = {
      name: nameAt(createdAt),
      createdAt,
      bytes: 0,
      sha256: "",
      version: VERSION,
      schemaVersion: storage.schemaVersion,
      rowCounts: {},
      vaultKeyVersions: [...(await storage.keyring.sealedCounts()).keys()].toSorted(
        (one, other) => one - other,
      ),
      durationMs: 0,
    };
    const progress = { writtenBytes: 0, totalBytes: await sizeOf(storage.file) };
    const finished = this.#make(actor, begun, { ...request, progress }).finally(() => {
      this.#busy = false;
    });
    // A failure is thrown where the result is awaited; here it only must not end the process.
    finished.catch(() => undefined);
    return { begun, progress: () => progress, finished };
  }

  async #make(
    actor: Actor,
    begun: BackupFacts,
    request: {
      readonly keep: boolean;
      readonly withoutUsage: boolean;
      readonly progress: { writtenBytes: number; totalBytes: number };
    },
  ): Promise<FinishedBackup> {
    const { auditLog, clock } = this.#options;
    const target = { targetName: begun.name };
    try {
      const began = clock.monotonic();
      const made = await this.#write(begun, request);
      const durationMs = Math.round(clock.monotonic() - began);
      const facts = { ...begun, ...made, durationMs };
      if (request.keep) await this.#remember(facts);
      await auditLog.record(actor, "system.backup", {
        ...target,
        note: `${facts.bytes} bytes, sha256 ${facts.sha256}`,
      });
      const file = path.join(this.#folder, begun.name);
      return { facts, chunks: request.keep ? nothing() : chunksOf(file) };
    } catch (error) {
      await auditLog.record(actor, "system.backup", { ...target, outcome: "FAILED" });
      throw error;
    }
  }

  async #write(
    begun: BackupFacts,
    {
      withoutUsage,
      progress,
    }: { withoutUsage: boolean; progress: { writtenBytes: number; totalBytes: number } },
  ): Promise<Pick<BackupFacts, "bytes" | "sha256" | "rowCounts">> {
    const { storage, vault } = this.#options;
    const folder = path.join(this.#folder, "making");
    try {
      await makeFolder(folder);
      const { signal } = this.#stopping;
      const copying = backUp(storage.file, path.join(folder, DATA_FILE), { withoutUsage, signal });
      this.#copying = copying;
      const copy = await copying;
      progress.totalBytes = copy.bytes;
      const rowCounts = Object.fromEntries(copy.rowCounts);
      const { name, createdAt, version, schemaVersion, vaultKeyVersions } = begun;
      const known = { name, createdAt, version, schemaVersion, rowCounts, vaultKeyVersions };
      await write(path.join(folder, INFO_NAME), `${JSON.stringify(known, undefined, 2)}\n`);
      const names = [INFO_NAME, DATA_FILE];
      const manifest = await createManifest(vault, { folder, names, nowMs: createdAt });
      await write(path.join(folder, MANIFEST_NAME), manifest);
      const made = await writeArchive({
        folder,
        names: [INFO_NAME, MANIFEST_NAME, DATA_FILE],
        target: path.join(folder, begun.name),
        nowMs: createdAt,
        onBytes: (written) => (progress.writtenBytes = written),
      });
      await rename(path.join(folder, begun.name), path.join(this.#folder, begun.name));
      await syncPath(this.#folder);
      return { ...made, rowCounts };
    } catch (error) {
      throw asFault(error, this.#folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async #remember(facts: BackupFacts): Promise<void> {
    this.#latest = facts;
    await write(path.join(this.#folder, LATEST_NAME), `${JSON.stringify(facts)}\n`);
  }
}

/** `latchkey-20261120T112108Z.backup` */
function nameAt(nowMs: number): string {
  const stamp = new Date(nowMs).toISOString().replace(/\.\d+/, "").replaceAll(/[-:]/g, "");
  return `latchkey-${stamp}.backup`;
}

async function* chunksOf(file: string): AsyncGenerator<Uint8Array, void, undefined> {
  const handle = await open(file, "r");
  try {
    for await (const chunk of handle.createReadStream({ autoClose: false })) {
      yield chunk as Uint8Array;
    }
  } finally {
    await handle.close();
    await rm(file, { force: true });
  }
}

async function* nothing(): AsyncGenerator<Uint8Array, void, undefined> {
  // A backup that stays in the data folder is not sent.
}

async function makeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
}

async function write(file: string, text: string): Promise<void> {
  await writeFile(file, text, { mode: 0o600, flush: true });
}

async function sizeOf(file: string): Promise<number> {
  return (await stat(file)).size;
}

/** What the file system threw, as a sentence for the caller. */
function asFault(error: unknown, folder: string): unknown {
  if (error instanceof Fault || !(error instanceof Error) || !("code" in error)) return error;
  return new Fault(
    "storage_unavailable",
    `The backup cannot be written to ${folder} (${String(error.code)}); free some space and check the folder's permissions.`,
    { cause: error },
  );
}
