import type { AuditEvent } from "../core/audit.js";
import type { Change, ChangeDraft } from "../core/change.js";
import type { Clock } from "../core/clock.js";
import { type AuditMac, auditReader, auditTable } from "./audit.js";
import { logChanges } from "./changes.js";
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
   * Runs `work` in one transaction of the single writer. The changes of the records that it writes and what it
   * appends to audit commit with the rest and are announced after the commit, in order. A throw rolls all back.
   */
  async write<T>(work: (tx: NounTables) => Promise<T>): Promise<T> {
    const { writer, clock, onCommit, onClientKeysDeleted } = this.#options;
    const noted: ChangeDraft[] = [];
    const auditEvents: AuditEvent[] = [];
    let changes: readonly Change[] = [];
    return writer.run(
      async (db) => {
        const result = await work(nounTables(db, this.#options, { noted, auditEvents }));
        changes = await logChanges(db, clock, noted);
        return result;
      },
      () => {
        const deletes = ({ kind, value }: Change) => kind === "client_key" && value === null;
        if (changes.some(deletes)) onClientKeysDeleted();
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
  { noted, auditEvents }: { noted: ChangeDraft[]; auditEvents: AuditEvent[] },
) {
  return {
    users: userTable(db, noted),
    sessions: sessionTable(db),
    providers: providerTable(db, noted),
    models: modelTable(db, noted),
    providerKeys: providerKeyTable(db, noted),
    clientKeys: clientKeyTable(db, clock, noted),
    healthChecks: healthCheckTable(db),
    settings: settingTable(db, clock, noted),
    audit: auditTable({ db, clock, auditMac, appended: auditEvents }),
  };
}
