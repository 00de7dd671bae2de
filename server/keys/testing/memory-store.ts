import { createHash } from "node:crypto";
import type { AuditDraft, AuditEvent } from "../../core/audit.js";
import type { Change, ChangeDraft } from "../../core/change.js";
import type { ClientKey } from "../../core/client-key.js";
import { Fault } from "../../core/fault.js";
import type { ProviderKey } from "../../core/provider-key.js";
import type { Model, Provider } from "../../core/provider.js";
import { sameSealed } from "../../core/sealed.js";
import type { Session, User } from "../../core/user.js";
import type { HealthCheck, KeysReader, KeysStore, KeysTx } from "../ports.js";
import { ownedKeysOf } from "./memory-counts.js";
import { listOf } from "./memory-list.js";
import { memoryModels } from "./memory-models.js";
import { noteIn, rows } from "./memory-rows.js";

interface Tables {
  readonly users: Map<string, User>;
  readonly sessions: Map<string, Session>;
  readonly providers: Map<string, Provider>;
  readonly models: Map<string, Model>;
  readonly providerKeys: Map<string, ProviderKey>;
  readonly clientKeys: Map<string, ClientKey>;
  readonly settings: Map<string, string>;
  readonly checks: HealthCheck[];
  readonly audit: AuditEvent[];
}

/** A KeysStore in memory for tests: real transactions, one after the other, with failures on demand. */
export class MemoryStore implements KeysStore {
  #tables: Tables = emptyTables();
  #tail: Promise<unknown> = Promise.resolve();
  #seq = 0;
  readonly #onCommit: (changes: readonly Change[]) => void;
  readonly #now: () => number;
  /** Called before every write of a row; a throw is the storage's failure. Names: `clientKeys.insert`, `audit.append`, … */
  beforeOperation: (name: string) => void = () => undefined;
  /** Called before every commit. */
  beforeCommit: () => void = () => undefined;
  writes = 0;

  constructor(
    options: { onCommit?: (changes: readonly Change[]) => void; now?: () => number } = {},
  ) {
    this.#onCommit = options.onCommit ?? ((): void => undefined);
    this.#now = options.now ?? ((): number => 0);
  }

  /** Everything that is committed, for comparing before and after. */
  get tables(): Tables {
    return this.#tables;
  }

  get read(): KeysReader {
    return readerOf(() => this.#tables);
  }

  write<T>(work: (tx: KeysTx) => Promise<T>): Promise<T> {
    const run = this.#tail.then(() => this.#transaction(work));
    this.#tail = run.catch(() => undefined);
    return run;
  }

  async #transaction<T>(work: (tx: KeysTx) => Promise<T>): Promise<T> {
    const tables = copyOf(this.#tables);
    const noted: ChangeDraft[] = [];
    const result = await work(
      txOf(tables, noted, { check: (name) => this.beforeOperation(name), now: this.#now }),
    );
    this.beforeCommit();
    this.#tables = tables;
    this.writes += 1;
    this.#onCommit(noted.map((draft): Change => ({ ...draft, seq: ++this.#seq })));
    return result;
  }
}

function emptyTables(): Tables {
  return {
    users: new Map(),
    sessions: new Map(),
    providers: new Map(),
    models: new Map(),
    providerKeys: new Map(),
    clientKeys: new Map(),
    settings: new Map(),
    checks: [],
    audit: [],
  };
}

function copyOf(tables: Tables): Tables {
  return {
    users: new Map(tables.users),
    sessions: new Map(tables.sessions),
    providers: new Map(tables.providers),
    models: new Map(tables.models),
    providerKeys: new Map(tables.providerKeys),
    clientKeys: new Map(tables.clientKeys),
    settings: new Map(tables.settings),
    checks: [...tables.checks],
    audit: [...tables.audit],
  };
}

function first<T>(items: Iterable<T>, test: (item: T) => boolean): T | undefined {
  for (const item of items) if (test(item)) return item;
  return undefined;
}

function all<T>(table: Map<string, T>): readonly T[] {
  return [...table.values()];
}

function readerOf(tables: () => Tables): KeysReader {
  return { ...peopleAndCatalog(tables), ...keysAndLogs(tables) };
}

function peopleAndCatalog(
  tables: () => Tables,
): Pick<KeysReader, "users" | "sessions" | "providers" | "models"> {
  return {
    users: {
      get: async (id) => tables().users.get(id),
      byUsername: async (name) => first(tables().users.values(), (user) => user.username === name),
      byEmail: async (email) => first(tables().users.values(), (user) => user.email === email),
      list: async (query) => listOf(all(tables().users), query),
      all: async () => all(tables().users),
      ownedKeys: async (ids) => ownedKeysOf(ids, tables()),
    },
    sessions: {
      byTokenHash: async (hash) =>
        first(tables().sessions.values(), (session) => session.tokenHash === hash),
      ofUser: async (id) => all(tables().sessions).filter((session) => session.userId === id),
    },
    providers: {
      get: async (id) => tables().providers.get(id),
      bySlug: async (slug) => first(tables().providers.values(), (each) => each.slug === slug),
      list: async (query) => listOf(all(tables().providers), query),
      all: async () => all(tables().providers),
    },
    models: memoryModels(tables),
  };
}

function namesAndCount(
  tables: () => Tables,
): Pick<KeysReader["providerKeys"], "namesOf" | "hasName" | "countOf"> {
  const namesOf = async (ownerId: string): Promise<readonly string[]> =>
    all(tables().providerKeys).flatMap((key) => (key.ownerId === ownerId ? [key.name] : []));
  return {
    namesOf,
    hasName: async (ownerId, name) => (await namesOf(ownerId)).includes(name),
    countOf: async (ownerId) => (await namesOf(ownerId)).length,
  };
}

function keysAndLogs(
  tables: () => Tables,
): Pick<KeysReader, "providerKeys" | "clientKeys" | "healthChecks" | "settings" | "audit"> {
  return {
    providerKeys: {
      get: async (id) => tables().providerKeys.get(id),
      byFingerprints: async (fingerprints) => {
        const wanted = new Set(fingerprints);
        const stored = [...tables().providerKeys.values()];
        return new Map(
          stored.flatMap((key) => (wanted.has(key.fingerprint) ? [[key.fingerprint, key]] : [])),
        );
      },
      ...namesAndCount(tables),
      byFingerprint: async (fingerprint) =>
        first(tables().providerKeys.values(), (key) => key.fingerprint === fingerprint),
      list: async (query) => listOf(all(tables().providerKeys), query),
      ofOwner: async (id) => all(tables().providerKeys).filter((key) => key.ownerId === id),
      ofProvider: async (id) => all(tables().providerKeys).filter((key) => key.providerId === id),
      expiringWithin: async (afterMs, untilMs) =>
        all(tables().providerKeys).filter(
          ({ expiresAt }) => expiresAt !== null && expiresAt > afterMs && expiresAt <= untilMs,
        ),
      all: async () => all(tables().providerKeys),
      async *sealedChunks() {
        yield all(tables().providerKeys);
      },
    },
    clientKeys: {
      get: async (id) => tables().clientKeys.get(id),
      storedMacs: async (macs) => {
        const stored = new Set(all(tables().clientKeys).map(({ mac }) => mac));
        return new Set(macs.filter((mac) => stored.has(mac)));
      },
      list: async (query) => listOf(all(tables().clientKeys), query),
      ofOwner: async (id) => all(tables().clientKeys).filter((key) => key.ownerId === id),
      async *knownChunks(size) {
        const keys = all(tables().clientKeys);
        for (let from = 0; from < keys.length; from += size) yield keys.slice(from, from + size);
      },
      async *sealedChunks() {
        yield all(tables().clientKeys).flatMap(({ id, ownerId, sealedCopy }) =>
          sealedCopy === null ? [] : [{ id, ownerId, sealedCopy }],
        );
      },
    },
    healthChecks: {
      ofKey: async (id) => tables().checks.filter((check) => check.providerKeyId === id),
    },
    settings: {
      get: async (id) => tables().settings.get(id),
      all: async () => new Map(tables().settings),
    },
    audit: {
      list: async (query) =>
        listOf(
          tables().audit.map((event) => ({ ...event, ownerId: event.actor.userId })),
          query,
        ),
      after: async (seq, limit) =>
        tables()
          .audit.filter((event) => event.seq > seq)
          .slice(0, limit),
    },
  };
}

/** What writing into the tables of a transaction takes. */
interface Writing {
  readonly tables: Tables;
  readonly reader: KeysReader;
  readonly noted: ChangeDraft[];
  readonly check: (name: string) => void;
  readonly now: () => number;
}

function txOf(
  tables: Tables,
  noted: ChangeDraft[],
  hooks: { check: (name: string) => void; now: () => number },
): KeysTx {
  const writing = { tables, noted, reader: readerOf(() => tables), ...hooks };
  return {
    ...peopleTx(writing),
    ...catalogTx(writing),
    ...keysTx(writing),
    ...logsTx(writing),
  };
}

function peopleTx({ tables, noted, reader, check }: Writing): Pick<KeysTx, "users" | "sessions"> {
  const unheard = (): void => undefined;
  const { insert, delete: remove } = rows(check, "sessions", tables.sessions, unheard);
  return {
    users: { ...reader.users, ...rows(check, "users", tables.users, noteIn(noted, "user")) },
    sessions: {
      ...reader.sessions,
      insert,
      delete: remove,
      deleteOfUser: async (userId) => {
        check("sessions.deleteOfUser");
        for (const [id, each] of tables.sessions) {
          if (each.userId === userId) tables.sessions.delete(id);
        }
      },
      deleteExpired: async (nowMs) => {
        for (const [id, each] of tables.sessions) {
          if (each.expiresAt <= nowMs) tables.sessions.delete(id);
        }
      },
    },
  };
}

function catalogTx({
  tables,
  noted,
  reader,
  check,
}: Writing): Pick<KeysTx, "providers" | "models"> {
  const providers = rows(check, "providers", tables.providers, noteIn(noted, "provider"));
  const noteModel = noteIn(noted, "model");
  const models = rows(check, "models", tables.models, noteModel);
  return {
    providers: {
      ...reader.providers,
      ...providers,
      delete: async (id) => {
        for (const model of await reader.models.ofProvider(id)) await models.delete(model.id);
        await providers.delete(id);
      },
    },
    models: {
      ...reader.models,
      upsert: async (model) => {
        check("models.upsert");
        tables.models.set(model.id, model);
        noteModel(model.id, model);
      },
      delete: models.delete,
    },
  };
}

type KeyTables = Pick<KeysTx, "providerKeys" | "clientKeys">;

function keysTx({ tables, noted, reader, check }: Writing): KeyTables {
  const noteProviderKey = noteIn(noted, "provider_key");
  const noteClientKey = noteIn(noted, "client_key");
  const providerKeys = rows(check, "providerKeys", tables.providerKeys, noteProviderKey);
  const clientKeys = rows(check, "clientKeys", tables.clientKeys, noteClientKey);
  const insertClientKeys = async (keys: readonly ClientKey[]): Promise<void> => {
    for (const key of keys) {
      for (const other of tables.clientKeys.values()) if (other.mac === key.mac) throw taken();
      await clientKeys.insert(key);
    }
  };
  return {
    providerKeys: {
      ...reader.providerKeys,
      ...providerKeys,
      insertAll: async (keys) => {
        for (const key of keys) {
          for (const other of tables.providerKeys.values()) {
            const sameName = other.ownerId === key.ownerId && other.name === key.name;
            if (other.fingerprint === key.fingerprint || sameName) throw taken();
          }
          await providerKeys.insert(key);
        }
      },
      reseal: async (moves) => {
        check("providerKeys.reseal");
        return moves.flatMap(({ id, from, to }) => {
          const key = tables.providerKeys.get(id);
          if (key === undefined || !sameSealed(key.sealed, from)) return [];
          const value = { ...key, sealed: to };
          tables.providerKeys.set(id, value);
          noteProviderKey(id, value);
          return [value];
        });
      },
      saveHealth: async (id, health) => {
        const key = tables.providerKeys.get(id);
        if (key !== undefined) tables.providerKeys.set(id, { ...key, health });
      },
    },
    clientKeys: {
      ...reader.clientKeys,
      ...clientKeys,
      insert: (key) => insertClientKeys([key]),
      insertAll: insertClientKeys,
      reseal: async (moves) => {
        check("clientKeys.reseal");
        return moves.flatMap(({ id, from, to }) => {
          const key = tables.clientKeys.get(id);
          if (key === undefined || key.sealedCopy === null) return [];
          if (!sameSealed(key.sealedCopy, from)) return [];
          const value = { ...key, sealedCopy: to };
          tables.clientKeys.set(id, value);
          noteClientKey(id, value);
          return [value];
        });
      },
      touch: async (uses) => {
        check("clientKeys.touch");
        for (const { id, count, lastUsedAt, addresses } of uses) {
          const key = tables.clientKeys.get(id);
          if (key === undefined) continue;
          const usageCount = key.usageCount + count;
          const lastUsedIp = addresses.at(-1) ?? key.lastUsedIp;
          tables.clientKeys.set(id, { ...key, usageCount, lastUsedAt, lastUsedIp });
        }
      },
    },
  };
}

function logsTx(writing: Writing): Pick<KeysTx, "healthChecks" | "settings" | "audit"> {
  const { tables, reader, noted, check, now } = writing;
  const appendAudit = async (draft: AuditDraft): Promise<AuditEvent> => {
    check("audit.append");
    const event = chained(tables.audit.at(-1), draft, now());
    tables.audit.push(event);
    return event;
  };
  return {
    healthChecks: {
      ...reader.healthChecks,
      append: async (row) => {
        tables.checks.push(row);
      },
    },
    settings: {
      ...reader.settings,
      put: async (id, value) => {
        check("settings.put");
        tables.settings.set(id, value);
        noteIn(noted, "setting")(id, { id, value });
      },
    },
    audit: {
      ...reader.audit,
      append: appendAudit,
      appendAll: async (drafts) => {
        for (const draft of drafts) await appendAudit(draft);
      },
    },
  };
}

function chained(last: AuditEvent | undefined, draft: AuditDraft, at: number): AuditEvent {
  const seq = (last?.seq ?? 0) + 1;
  const hash = createHash("sha256").update(JSON.stringify([last?.hash ?? "", seq, at, draft]));
  return { ...draft, seq, at, hash: hash.digest("hex"), mac: null };
}

function taken(): Fault {
  return new Fault("already_exists", "This is there already.");
}
