import type { Clock } from "../core/clock.js";
import { Fault } from "../core/fault.js";
import type { Logger } from "../core/logger.js";
import { type AuditMacCheck, AuditTrail } from "./audit-trail.js";
import type { AuditMac } from "./audit.js";
import { BatchStore } from "./batches.js";
import { backUp, type BackupCopy } from "./backup.js";
import { changeReader, pruneChanges } from "./changes.js";
import { openDataFile, prepareDataFolder } from "./data-folder.js";
import { Checkpointer } from "./checkpointer.js";
import { BUSY_TIMEOUT_MS, connect, Db } from "./db.js";
import { corruptFault, storageFault } from "./faults.js";
import { HomeStore } from "./homes.js";
import { type InstanceLock, lockDataFolder } from "./instance-lock.js";
import {
  checkAtStart,
  checkEverything,
  leftWal,
  noteSuspicion,
  watchForDamage,
} from "./integrity.js";
import { Ledger } from "./ledger.js";
import { Keyring } from "./keyring.js";
import { type CommitListener, NounStore } from "./keys-store.js";
import { migrate, type Migration } from "./migrate.js";
import { MIGRATIONS } from "./migrations/all.js";
import { Writer } from "./writer.js";

/** What the storage needs. */
export interface StorageOptions {
  /** Created with mode 0700 when it is missing. */
  readonly dataFolder: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called after each commit that changed a noun or was audited, in commit order. Should not throw. */
  readonly onCommit: CommitListener;
  /** MAC of an audit event's hash; null while the vault is locked. */
  readonly auditMac: AuditMac;
  /** Needed when `auditMac` has had more than one key. */
  readonly checkAuditMac?: AuditMacCheck;
  /** How long a statement waits while another program has locked the database; 5 s by default. */
  readonly busyTimeoutMs?: number;
  /** The schema; for tests of the migrations themselves. */
  readonly migrations?: readonly Migration[];
  /** Refuses a transaction inside another one. For tests, since it slows down every asynchronous step. */
  readonly refusesNested?: boolean;
}

/**
 * Opens the database in a data folder, and makes it at the first start. Throws Fault
 * `data_folder_unusable` (not writable, or used by another server), `database_corrupt`,
 * `database_newer` or `storage_unavailable`; nothing stays open then.
 */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  await prepareDataFolder(options.dataFolder);
  const lock = await lockDataFolder(options.dataFolder);
  try {
    return await openLocked(options, lock);
  } catch (thrown) {
    await lock.release();
    throw thrown;
  }
}

async function openLocked(options: StorageOptions, lock: InstanceLock): Promise<Storage> {
  const { path: file, handle } = await openDataFile(options.dataFolder);
  const crashed = await leftWal(file);
  const toFault = watchForDamage(
    (thrown) => storageFault(thrown, file),
    () => noteDamage(file, options.logger),
  );
  const { clock, logger, migrations = MIGRATIONS, busyTimeoutMs = BUSY_TIMEOUT_MS } = options;
  const writing = connect({ file, readOnly: false, busyTimeoutMs });
  const reading = connect({ file, readOnly: true, busyTimeoutMs });
  const checkpointing = connect({ file, readOnly: false, busyTimeoutMs });
  const checkpointer = new Checkpointer({
    db: new Db({ knex: checkpointing, toFault }),
    sync: () => handle.datasync(),
    clock,
  });
  const disconnect = async () => {
    await checkpointer.stop();
    await Promise.all([checkpointing.destroy(), reading.destroy()]);
    await writing.destroy();
    await handle.close();
  };
  const release = async () => {
    await disconnect();
    await lock.release();
  };
  try {
    const db = new Db({ knex: writing, toFault });
    await useWal(db, file);
    await checkAtStart({ db, file, crashed });
    const onCommit = () => checkpointer.committed(writer);
    const refusesNested = options.refusesNested === true;
    const calm = () => checkpointer.calm();
    const writer: Writer = new Writer({ knex: writing, toFault, onCommit, calm, refusesNested });
    const schemaVersion = await migrate({ writer, migrations, dataFile: file, clock, logger });
    // The check has filled this connection's cache with pages that nobody asked for.
    await db.rows("PRAGMA shrink_memory");
    const reader = new Db({ knex: reading, toFault });
    return new Storage({ options, file, writer, reader, schemaVersion, db, release });
  } catch (thrown) {
    await disconnect();
    throw thrown;
  }
}

interface StorageParts {
  readonly options: StorageOptions;
  readonly file: string;
  readonly writer: Writer;
  readonly reader: Db;
  readonly schemaVersion: number;
  /** The writer's connection, for statements outside a transaction. */
  readonly db: Db;
  /** Closes all connections and lets go of the folder. */
  readonly release: () => Promise<void>;
}

/** An open database. Made by `openStorage`. */
export class Storage {
  /** Users, catalogue, keys, settings, audit. */
  readonly keys: NounStore;
  /** Calls and what they used. */
  readonly ledger: Ledger;
  /** Whose account holds what callers name by a provider's id. */
  readonly homes: HomeStore;
  /** What responses used that is still to be counted. */
  /** Batches of which it is still to be counted what they use. */
  readonly batches: BatchStore;
  /** The vault's wrapped keys. */
  readonly keyring: Keyring;
  /** Verification and completion of the audit chain. */
  readonly auditTrail: AuditTrail;
  /** The change log. */
  readonly changes: ReturnType<typeof changeReader>;
  /** Path of the database. */
  readonly file: string;
  readonly schemaVersion: number;
  readonly #parts: StorageParts;
  #closing: Promise<void> | undefined;
  #sweeping: Promise<void> = Promise.resolve();

  constructor(parts: StorageParts) {
    const { options, writer, reader } = parts;
    this.#parts = parts;
    this.file = parts.file;
    this.schemaVersion = parts.schemaVersion;
    this.keyring = new Keyring({ writer, reader });
    this.changes = changeReader(reader);
    this.auditTrail = new AuditTrail({
      writer,
      reader,
      auditMac: options.auditMac,
      checkMac: options.checkAuditMac,
    });
    this.keys = new NounStore({
      writer,
      reader,
      clock: options.clock,
      auditMac: options.auditMac,
      onCommit: (...commit) => this.#announce(...commit),
      onClientKeysDeleted: () => this.#startSweep(),
    });
    this.ledger = new Ledger({ writer, reader, clock: options.clock });
    this.homes = new HomeStore({ writer, reader });
    this.batches = new BatchStore({ writer, reader });
    this.#startSweep();
  }

  /** Transactions that wait for the writer or run now. */
  get backlog(): number {
    return this.#parts.writer.backlog;
  }

  /** Writes a consistent copy to `target` while everything goes on. See `backUp` for its Faults. */
  backup(target: string, signal?: AbortSignal): Promise<BackupCopy> {
    return backUp(this.file, target, { ...(signal !== undefined && { signal }) });
  }

  /** Checks every page and index; takes seconds per gigabyte. Throws Fault `database_corrupt`. */
  checkIntegrity(): Promise<void> {
    return checkEverything(this.#parts.reader, this.file);
  }

  /** Deletes all but the newest `keep` entries of the change log; returns how many went. */
  pruneChanges(keep: number): Promise<number> {
    return this.#parts.writer.run((db) => pruneChanges(db, keep));
  }

  /** Ends what deletes in the background after the transaction at hand; what is left, the next start removes. */
  endBackground(): void {
    this.#parts.writer.endBackground();
  }

  /** Refuses new transactions, lets the waiting ones finish, folds the WAL into the file and lets go of the folder. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { writer, db, release, options } = this.#parts;
    await writer.drain();
    await this.#sweeping;
    try {
      await db.rows("PRAGMA optimize");
      await db.rows("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch (thrown) {
      // Nothing is lost: the next start reads the WAL.
      options.logger.warn({ err: thrown }, "WAL not folded in at close");
    }
    await release();
  }

  /**
   * Removes in the background what deleted client keys have left behind. What is left at a stop, the next start
   * removes.
   */
  #startSweep(): void {
    this.#sweeping = this.#sweepAfter(this.#sweeping);
  }

  async #sweepAfter(earlier: Promise<void>): Promise<void> {
    await earlier;
    const { logger } = this.#parts.options;
    try {
      const swept = await this.ledger.sweep();
      if (swept > 0) logger.info({ swept }, "calls of deleted keys removed");
    } catch (thrown) {
      if (thrown instanceof Fault && thrown.code === "shutting_down") return;
      logger.warn({ err: thrown }, "calls of deleted keys not removed yet");
    }
  }

  #announce(...commit: Parameters<CommitListener>): void {
    try {
      this.#parts.options.onCommit(...commit);
    } catch (thrown) {
      // The commit stands whatever a listener makes of it.
      this.#parts.options.logger.error({ err: thrown }, "a listener of commits failed");
    }
  }
}

/** WAL lets readers and the writer work side by side. */
async function useWal(db: Db, file: string): Promise<void> {
  const [row] = await db.rows<{ journal_mode: string }>("PRAGMA journal_mode = WAL");
  if (row?.journal_mode !== "wal") throw corruptFault(file);
}

function noteDamage(file: string, logger: Logger): void {
  logger.error({ file }, "the database is damaged; the next start checks all of it");
  noteSuspicion(file).catch((thrown: unknown) => {
    logger.error({ err: thrown }, "the damage could not be noted for the next start");
  });
}
