import assert from "node:assert/strict";
import type { Actor, AuditEvent } from "../../core/audit.js";
import type { Change } from "../../core/change.js";
import type { Clock, Timer } from "../../core/clock.js";
import { Fault, type FaultCode } from "../../core/fault.js";
import { IdSource } from "../../core/ids.js";
import type { LogFields, Logger } from "../../core/logger.js";
import type { PageQuery } from "../../core/page.js";
import type { Random } from "../../core/random.js";
import { Secret } from "../../core/secret.js";
import type { Role, User } from "../../core/user.js";
import { AuditLog } from "../audit-log.js";
import { ByorKeys } from "../byor-keys.js";
import { seedCatalog } from "../catalog-seed.js";
import { ChangeFeed } from "../change-feed.js";
import { ClientKeyDirectory } from "../client-key-directory.js";
import { ClientKeyImport } from "../client-key-import.js";
import { ClientKeyMint } from "../client-key-mint.js";
import { ClientKeyUses } from "../client-key-uses.js";
import { ClientKeys } from "../client-keys.js";
import { Identities } from "../identities.js";
import { Models } from "../models.js";
import { Operations } from "../operations.js";
import { PasswordGate } from "../password-gate.js";
import type { ClientKeyForms, KeysStore, KeysVault, Passwords, SessionTokens } from "../ports.js";
import { ProviderKeyImport } from "../provider-key-import.js";
import { ProviderKeys } from "../provider-keys.js";
import { Providers } from "../providers.js";
import { ModelRewrites, type LookUp } from "../rewrites.js";
import { SealedRecords } from "../sealed-records.js";
import { Sessions } from "../sessions.js";
import { Settings } from "../settings.js";
import { Users } from "../users.js";
import { FakeForms, FakePasswords, FakeTokens, FakeVault } from "./fake-vault.js";
import { MemoryStore } from "./memory-store.js";

/** A clock that stands still until it is told to move. */
class TestClock implements Clock {
  #nowMs = Date.UTC(2026, 0, 1);
  #timers: { atMs: number; fn: () => void }[] = [];

  #jumpedMs = 0;

  now(): number {
    return this.#nowMs + this.#jumpedMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  setTimer(fn: () => void, delayMs: number): Timer {
    const timer = { atMs: this.#nowMs + delayMs, fn };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((each) => each !== timer);
      },
    };
  }

  /** Sets the wall clock, without time passing. */
  jumpWall(ms: number): void {
    this.#jumpedMs += ms;
  }

  /** Moves on and runs what is due. */
  advance(ms: number): void {
    this.#nowMs += ms;
    const due = this.#timers.filter(({ atMs }) => atMs <= this.#nowMs);
    this.#timers = this.#timers.filter(({ atMs }) => atMs > this.#nowMs);
    for (const { fn } of due) fn();
  }
}

/** Keeps what was logged. */
export class TestLogger implements Logger {
  readonly lines: { level: string; fields: LogFields; message: string }[] = [];
  debug = (fields: LogFields, message: string): void => this.#add("debug", fields, message);
  info = (fields: LogFields, message: string): void => this.#add("info", fields, message);
  warn = (fields: LogFields, message: string): void => this.#add("warn", fields, message);
  error = (fields: LogFields, message: string): void => this.#add("error", fields, message);

  #add(level: string, fields: LogFields, message: string): void {
    this.lines.push({ level, fields, message });
  }
}

/** What the use cases stand on: fakes here, the real ones in tests that open a database. */
export interface Ground {
  readonly store: KeysStore;
  readonly feed: ChangeFeed;
  readonly vault: KeysVault;
  readonly forms: ClientKeyForms;
  readonly passwords: Passwords;
  readonly tokens: SessionTokens;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: Random;
  /** Without it every name is served. */
  readonly lookUp?: LookUp;
}

/** All use cases, wired as the server wires them. */
export function createUseCases(ground: Ground) {
  const { store, feed, vault, forms, passwords, tokens, clock, log, random } = ground;
  const reader = store.read;
  const ids = new IdSource({ clock, random });
  const operations = new Operations({ store, clock, log });
  const settings = new Settings({ operations, reader, feed, log });
  const gate = new PasswordGate({ operations, passwords, settings, clock });
  const mint = new ClientKeyMint({ vault, forms });
  const uses = new ClientKeyUses({ store, clock, log });
  const directory = new ClientKeyDirectory({ reader, feed, vault, forms, uses, clock, log });
  const refusedUrls = new Set<string>();
  const baseUrls = {
    check: async (url: string) => {
      if (refusedUrls.has(url)) throw new Fault("base_url_not_allowed", "Not allowed here.");
    },
  };
  const sessions = new Sessions({ operations, gate, passwords, tokens, settings, ids, clock });
  const confirm = (actor: Actor, password: Secret | undefined) => sessions.confirm(actor, password);
  const providerKeys = new ProviderKeys({ operations, vault, ids, clock, confirm });
  return {
    ids,
    operations,
    settings,
    uses,
    directory,
    refusedUrls,
    sessions,
    providerKeys,
    users: new Users({ operations, passwords, settings, ids }),
    identities: new Identities({ reader, feed, clientKeys: directory, tokens, clock }),
    providers: new Providers({ operations, vault, baseUrls, ids }),
    models: new Models({ operations, ids }),
    rewrites: new ModelRewrites({ operations, lookUp: ground.lookUp ?? everythingServed }),
    providerKeyImport: new ProviderKeyImport({ operations, store, providerKeys, clock }),
    clientKeys: new ClientKeys({ operations, mint, ids, settings, clock, confirm }),
    byorKeys: new ByorKeys({ operations, mint, ids, settings, clock }),
    clientKeyImport: new ClientKeyImport({ operations, store, vault, forms, ids, settings, clock }),
    sealedRecords: new SealedRecords({ store, clock, log }),
    auditLog: new AuditLog({ operations }),
  };
}

const everythingServed: LookUp = () => ({ served: true, nearest: [] });

export type UseCases = ReturnType<typeof createUseCases>;

/** All use cases over a store in memory and a vault without secrecy. */
export function createWorld() {
  const clock = new TestClock();
  const log = new TestLogger();
  const feed = new ChangeFeed({ log });
  const changes: Change[] = [];
  const store = new MemoryStore({
    now: () => clock.now(),
    onCommit: (committed) => {
      changes.push(...committed);
      feed.publish(committed);
    },
  });
  let drawn = 0;
  const random = { bytes: (count: number) => new Uint8Array(count).fill(++drawn & 0x7f) };
  const vault = new FakeVault();
  const forms = new FakeForms();
  const passwords = new FakePasswords();
  const tokens = new FakeTokens();
  const ground = { store, feed, vault, forms, passwords, tokens, clock, log, random };
  return { ...ground, changes, ...createUseCases(ground) };
}

export type World = ReturnType<typeof createWorld>;

/** A world with the presets, everything started, and one user of each role. */
export async function startWorld() {
  const world = createWorld();
  return { ...world, ...(await populate(world)) };
}

/** The presets, everything started, and one user of each role. */
export async function populate(world: UseCases & Ground) {
  await world.settings.start();
  await seedCatalog(world);
  const admin = await world.users.createFirstAdmin({
    username: "root",
    password: new Secret("correct horse"),
  });
  assert(admin !== undefined);
  const root = actorFor(admin);
  const make = async (username: string, role: Role): Promise<Actor> =>
    actorFor(
      await world.users.create(root, { username, role, password: new Secret(`${username} 1234`) }),
    );
  const operator = await make("oscar", "OPERATOR");
  const alice = await make("alice", "USER");
  const bob = await make("bob", "USER");
  await world.directory.start();
  await world.identities.start();
  return { root, operator, alice, bob };
}

export type People = Awaited<ReturnType<typeof populate>>;

/** The user, on the local socket: what a credential proves is tested on its own. */
export function actorFor(user: User): Actor {
  return { userId: user.id, name: user.username, role: user.role, via: "SOCKET", ip: "" };
}

export const NOBODY: Actor = {
  userId: null,
  name: "",
  role: "USER",
  via: "ANONYMOUS",
  ip: "192.0.2.9",
};

export const EVERYTHING: PageQuery = {
  conditions: [],
  text: "",
  orderBy: "",
  descending: false,
  pageSize: 1000,
  pageToken: "",
};

/** Asserts that the work is refused with this code, and returns the fault. */
export async function refused(code: FaultCode, work: () => unknown): Promise<Fault> {
  try {
    await work();
  } catch (thrown) {
    assert(thrown instanceof Fault, `a Fault was expected, not ${String(thrown)}`);
    assert.equal(thrown.code, code, thrown.publicMessage);
    return thrown;
  }
  throw new assert.AssertionError({ message: `expected to be refused with ${code}` });
}

/** The newest audit event. */
export function lastEvent(world: Pick<World, "store">): AuditEvent {
  const event = world.store.tables.audit.at(-1);
  assert(event !== undefined, "nothing was audited");
  return event;
}
