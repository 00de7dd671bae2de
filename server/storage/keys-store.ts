import type { AuditEvent } from "../core/audit.js";
import type { Change } from "../core/change.js";
import type { Clock } from "../core/clock.js";
import { type AuditMac, auditReader, auditTable } from "./audit.js";
import { changeTable } from "./changes.js";
import { clientKeyReader, clientKeyTable } from "./client-keys.js";
import type { Db } from "./db.js";
import { healthCheckReader, healthCheckTable } from "./health-checks.js";
import { modelReader, modelTable } from "./models.js";
import { providerKeyReader, providerKeyTable } from "./provider-keys.js";
import { providerReader, providerTable } from "./providers.js";
import { sessionReader, sessionTable } from "./sessions.js";
import { settingReader, settingTable } from "./settings.js";
import { userReader, userTable } from "./users.js";
import type { Writer } from "./writer.js";

/** Hears what a transaction changed and what of it was audited, after its commit. */
export type CommitListener = (
  changes: readonly Change[],
  auditEvents: readonly AuditEvent[],
) => void;

/** Readers of all nouns, outside a transaction. */
export type NounReaders = ReturnType<typeof nounReaders>;
/** Readers and writers of all nouns, inside a transaction. */
export type NounTables = ReturnType<typeof nounTables>;

/** Reads and writes the nouns. */
export class NounStore {
  readonly read: NounReaders;
  readonly #options: NounStoreOptions;

  constructor(options: NounStoreOptions) {
    this.#options = options;
    this.read = nounReaders(options.reader, options.clock);
  }

  /**
   * Runs `work` in one transaction of the single writer. What it appends to audit and changes commits
   * with the rest and is announced after the commit, in order. A throw rolls all back.
   */
  async write<T>(work: (tx: NounTables) => Promise<T>): Promise<T> {
    const { writer, onCommit, onClientKeysDeleted } = this.#options;
    const changes: Change[] = [];
    const auditEvents: AuditEvent[] = [];
    const deletedClientKeys: string[] = [];
    return writer.run(
      (db) => work(nounTables(db, this.#options, { changes, auditEvents, deletedClientKeys })),
      () => {
        if (deletedClientKeys.length > 0) onClientKeysDeleted();
        if (changes.length + auditEvents.length > 0) onCommit(changes, auditEvents);
      },
    );
  }
}

interface NounStoreOptions {
  readonly writer: Writer;
  readonly reader: Db;
  readonly clock: Clock;
  readonly auditMac: AuditMac;
  /** Must not throw: the transaction has been committed. */
  readonly onCommit: CommitListener;
  /** There are calls and roll-ups to remove. */
  readonly onClientKeysDeleted: () => void;
}

function nounReaders(db: Db, clock: Clock) {
  return {
    users: userReader(db),
    sessions: sessionReader(db),
    providers: providerReader(db),
    models: modelReader(db),
    providerKeys: providerKeyReader(db),
    clientKeys: clientKeyReader(db, clock),
    healthChecks: healthCheckReader(db),
    settings: settingReader(db),
    audit: auditReader(db),
  };
}

function nounTables(
  db: Db,
  { clock, auditMac }: NounStoreOptions,
  commit: { changes: Change[]; auditEvents: AuditEvent[]; deletedClientKeys: string[] },
) {
  return {
    users: userTable(db),
    sessions: sessionTable(db),
    providers: providerTable(db),
    models: modelTable(db),
    providerKeys: providerKeyTable(db),
    clientKeys: clientKeyTable(db, clock, commit.deletedClientKeys),
    healthChecks: healthCheckTable(db),
    settings: settingTable(db, clock),
    audit: auditTable({ db, clock, auditMac, appended: commit.auditEvents }),
    changes: changeTable(db, clock, commit.changes),
  };
}
