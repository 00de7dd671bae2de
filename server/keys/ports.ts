import type { Actor, AuditDraft, AuditEvent } from "../core/audit.js";
import type {
  ClientKey,
  ClientKeyFormat,
  ClientKeyKind,
  KnownClientKey,
  Holder,
} from "../core/client-key.js";
import type { Page, PageQuery } from "../core/page.js";
import type { KeyHealth, ProviderKey } from "../core/provider-key.js";
import type { Model, Provider } from "../core/provider.js";
import type { Secret } from "../core/secret.js";
import type { SealBinding, SealedMove, SealedSecret } from "../core/sealed.js";
import type { Session, User } from "../core/user.js";

/**
 * Field of a listing's condition (`=`, a user id) that keeps a listing to its owner's rows: provider keys
 * and client keys by their owner, audit events by their actor. The storage must know it or refuse the
 * listing; ignoring it would show one user's keys to another.
 */
export const OWNER_FIELD = "owner_id";

/**
 * Field of a listing's condition (`=`, a user id) on providers and models: only providers that are shared
 * (`createdBy` null) or made by this user, and their models.
 */
export const VISIBLE_TO_FIELD = "visible_to";

/** Reads and writes of the nouns; implemented in server/storage. */
export interface KeysStore {
  /** Reads outside a transaction: each sees the last committed state. */
  readonly read: KeysReader;
  /**
   * Runs `work` in one transaction of the single writer. What it appends to audit commits with the rest. Whatever
   * record it writes is in the change log by that, and is announced after the commit, in order. A throw rolls all back.
   */
  write<T>(work: (tx: KeysTx) => Promise<T>): Promise<T>;
}

export interface KeysReader {
  readonly users: UserReader;
  readonly sessions: SessionReader;
  readonly providers: ProviderReader;
  readonly models: ModelReader;
  readonly providerKeys: ProviderKeyReader;
  readonly clientKeys: ClientKeyReader;
  readonly healthChecks: HealthCheckReader;
  readonly settings: SettingReader;
  readonly audit: AuditReader;
}

export interface KeysTx extends KeysReader {
  readonly users: UserReader & {
    insert(user: User): Promise<void>;
    update(user: User): Promise<void>;
    delete(id: string): Promise<void>;
  };
  readonly sessions: SessionReader & {
    insert(session: Session): Promise<void>;
    delete(id: string): Promise<void>;
    deleteOfUser(userId: string): Promise<void>;
    deleteExpired(nowMs: number): Promise<void>;
  };
  readonly providers: ProviderReader & {
    insert(provider: Provider): Promise<void>;
    update(provider: Provider): Promise<void>;
    delete(id: string): Promise<void>;
  };
  readonly models: ModelReader & {
    upsert(model: Model): Promise<void>;
    delete(id: string): Promise<void>;
  };
  readonly providerKeys: ProviderKeyReader & {
    /** Throws Fault `already_exists` when a fingerprint, or a name of its owner, is taken; then none is stored. */
    insertAll(keys: readonly ProviderKey[]): Promise<void>;
    update(key: ProviderKey): Promise<void>;
    /** Moves many secrets, where the key still holds the one that is replaced; answers the changed keys. */
    reseal(moves: readonly SealedMove[]): Promise<readonly ProviderKey[]>;
    /** Writes health alone, without touching version or update time. */
    saveHealth(id: string, health: KeyHealth): Promise<void>;
    delete(id: string): Promise<void>;
  };
  readonly clientKeys: ClientKeyReader & {
    /** Throws Fault `already_exists` when the MAC is taken. */
    insert(key: ClientKey): Promise<void>;
    /** Many in one statement; the same. */
    insertAll(keys: readonly ClientKey[]): Promise<void>;
    update(key: ClientKey): Promise<void>;
    /** Moves many sealed copies, where the key still holds the one that is replaced; answers the changed keys. */
    reseal(moves: readonly SealedMove[]): Promise<readonly ClientKey[]>;
    /** Adds to usage counters without touching version or update time. */
    touch(uses: readonly ClientKeyUse[]): Promise<void>;
    /** Removes the key with all its calls and roll-ups. */
    delete(id: string): Promise<void>;
  };
  readonly healthChecks: HealthCheckReader & {
    /** Keeps the last ten of a key. */
    append(check: HealthCheck): Promise<void>;
  };
  readonly settings: SettingReader & { put(id: string, value: string): Promise<void> };
  readonly audit: AuditReader & {
    append(draft: AuditDraft): Promise<AuditEvent>;
    /** Many at the price of one, in their order. */
    appendAll(drafts: readonly AuditDraft[]): Promise<void>;
  };
}

export interface UserReader {
  get(id: string): Promise<User | undefined>;
  byUsername(username: string): Promise<User | undefined>;
  byEmail(email: string): Promise<User | undefined>;
  list(query: PageQuery): Promise<Page<User>>;
  all(): Promise<readonly User[]>;
  /** How many keys each of these users owns; who owns none may be missing. */
  ownedKeys(ids: readonly string[]): Promise<ReadonlyMap<string, OwnedKeys>>;
}

/** Keys of a user, whatever their state. */
export interface OwnedKeys {
  readonly providerKeys: number;
  readonly publicProviderKeys: number;
  readonly clientKeys: number;
  readonly superClientKeys: number;
}

export interface SessionReader {
  byTokenHash(tokenHash: string): Promise<Session | undefined>;
  /** All sessions of a user, expired ones included. */
  ofUser(userId: string): Promise<readonly Session[]>;
}

export interface ProviderReader {
  get(id: string): Promise<Provider | undefined>;
  bySlug(slug: string): Promise<Provider | undefined>;
  list(query: PageQuery): Promise<Page<Provider>>;
  all(): Promise<readonly Provider[]>;
}

export interface ModelReader {
  get(id: string): Promise<Model | undefined>;
  /** The ids of those of a provider's models that are stored, by their model ids. */
  idsOf(providerId: string, modelIds: readonly string[]): Promise<ReadonlyMap<string, string>>;
  ofProvider(providerId: string): Promise<readonly Model[]>;
  list(query: PageQuery): Promise<Page<Model>>;
  /** For the start above all: thousands of rows take the event loop's time. */
  all(): Promise<readonly Model[]>;
  /** How many models each of these providers has; one without any may be missing. */
  countByProvider(providerIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
}

/** The key that holds a secret. */
export type StoredSecret = Pick<ProviderKey, "id" | "name" | "ownerId">;

export interface ProviderKeyReader {
  get(id: string): Promise<ProviderKey | undefined>;
  byFingerprint(fingerprint: string): Promise<ProviderKey | undefined>;
  /** Those of the fingerprints that are stored, and with which key. */
  byFingerprints(fingerprints: readonly string[]): Promise<ReadonlyMap<string, StoredSecret>>;
  /** Names of an owner's keys. */
  namesOf(ownerId: string): Promise<readonly string[]>;
  hasName(ownerId: string, name: string): Promise<boolean>;
  countOf(ownerId: string): Promise<number>;
  list(query: PageQuery): Promise<Page<ProviderKey>>;
  ofOwner(ownerId: string): Promise<readonly ProviderKey[]>;
  ofProvider(providerId: string): Promise<readonly ProviderKey[]>;
  /** Keys whose expiry lies after `afterMs` and not after `untilMs`. */
  expiringWithin(afterMs: number, untilMs: number): Promise<readonly ProviderKey[]>;
  /** For the start alone: thousands of rows with their secrets take the event loop's time. */
  all(): Promise<readonly ProviderKey[]>;
  /** All secrets with what they are bound to, in chunks. */
  sealedChunks(
    size: number,
  ): AsyncIterable<
    readonly Pick<ProviderKey, "id" | "ownerId" | "providerId" | "visibility" | "sealed">[]
  >;
}

export interface ClientKeyReader {
  get(id: string): Promise<ClientKey | undefined>;
  /** Those of the MACs that are stored. */
  storedMacs(macs: readonly string[]): Promise<ReadonlySet<string>>;
  list(query: PageQuery): Promise<Page<ClientKey>>;
  ofOwner(ownerId: string): Promise<readonly ClientKey[]>;
  /** What counts of all keys when they are presented, in chunks: a million must not be in memory twice. */
  knownChunks(size: number): AsyncIterable<readonly KnownClientKey[]>;
  /** The sealed copies of all recoverable keys, in chunks. */
  sealedChunks(
    size: number,
  ): AsyncIterable<
    readonly (Pick<ClientKey, "id" | "ownerId"> & { readonly sealedCopy: SealedSecret })[]
  >;
}

/** One check of a provider key's health. */
export interface HealthCheck {
  readonly providerKeyId: string;
  readonly at: number;
  readonly ok: boolean;
  readonly latencyMs: number;
  readonly httpStatus: number | null;
  /** At most 200 characters, without secrets. */
  readonly error: string;
}

export interface HealthCheckReader {
  /** Newest first, at most ten. */
  ofKey(providerKeyId: string): Promise<readonly HealthCheck[]>;
}

export interface SettingReader {
  get(id: string): Promise<string | undefined>;
  all(): Promise<ReadonlyMap<string, string>>;
}

export interface AuditReader {
  list(query: PageQuery): Promise<Page<AuditEvent>>;
  /** Events with `seq > afterSeq` in order, at most `limit`. */
  after(afterSeq: number, limit: number): Promise<readonly AuditEvent[]>;
}

/** Uses of a client key since the last write of its counters. */
export interface ClientKeyUse {
  readonly id: string;
  readonly count: number;
  readonly lastUsedAt: number;
  /** From where, each address once, the one of the last use at the end; empty where none is known. */
  readonly addresses: readonly string[];
}

/** What the use cases need of the vault. All throw Fault `vault_locked` while it is locked, unless said otherwise. */
export interface KeysVault {
  readonly state: "UNINITIALISED" | "LOCKED" | "UNLOCKED";
  /** Works while locked, with an empty row MAC that the next unlock fills in. */
  seal(secret: Secret, binding: SealBinding): Promise<SealedSecret>;
  /** Throws Fault `secret_unreadable` when the box or its MAC does not fit the binding. */
  open(sealed: SealedSecret, binding: SealBinding): Promise<Secret>;
  /** The same box bound to a changed visibility, owner or origin. */
  rebind(sealed: SealedSecret, from: SealBinding, to: SealBinding): Promise<SealedSecret>;
  /** Keyed hash of a provider secret, hex: equal secrets have equal fingerprints. */
  fingerprint(secret: Secret): string;
  /** HMAC of a client key under the newest pepper, hex; a few microseconds. */
  clientKeyMac(presented: string): ClientKeyMac;
  /** All MACs under which a presented key may be stored: older peppers and imported keys too. */
  clientKeyMacs(presented: string): readonly ClientKeyMac[];
  /** What to store of a key of another system of which the SHA-256 (hex) is known. */
  importedClientKeyMac(sha256Hex: string): ClientKeyMac;
}

/** Pepper version 0 marks a key that was imported from another system. */
export interface ClientKeyMac {
  readonly mac: string;
  readonly pepperVersion: number;
}

/** Makes and recognises client keys by their form; the vault implements it. Works while locked. */
export interface ClientKeyForms {
  /** A new key from the random source. A SUPER key has the SK format. */
  generate(kind: ClientKeyKind, format: ClientKeyFormat): Secret;
  /** What listings show of a key, e.g. `sk-lk_Ab3d`. */
  prefix(text: string): string;
  /**
   * The form of a presented text, by its checksum too; FOREIGN for one that only an imported key can have.
   * Undefined for what can be no key at all.
   */
  recognise(text: string): ClientKeyFormat | "FOREIGN" | undefined;
}

/** Who has a password hashed or checked; those who wait take turns as the holder of it. */
export interface PasswordAsker {
  readonly holder: Holder;
  /** Nobody knows yet whose the password is. */
  readonly isStranger: boolean;
}

/** Password verifiers; the vault implements it with scrypt, a few at a time, of strangers one. */
export interface Passwords {
  hash(password: Secret, asker?: PasswordAsker): Promise<string>;
  /**
   * Against null it takes as long as against a verifier and answers false. `rehash` is true when the
   * password is right and its verifier should be made anew. The verifier is asked for when its turn has come.
   */
  verify(
    password: Secret,
    verifier: () => Promise<string | null>,
    asker: PasswordAsker,
  ): Promise<PasswordVerdict>;
}

export interface PasswordVerdict {
  readonly ok: boolean;
  readonly rehash: boolean;
}

/** Session tokens; the vault implements it. */
export interface SessionTokens {
  generate(): Secret;
  /** SHA-256 of a presented token, hex. */
  hash(presented: string): string;
}

/** Asks once more for the password before a secret is shown, where the caller signed in with one. */
export type ConfirmCaller = (actor: Actor, password: Secret | undefined) => Promise<void>;

/** Says whether a provider's base URL may be called at all; the upstream side implements it. */
export interface BaseUrlPolicy {
  /** Throws Fault `base_url_not_allowed`. */
  check(baseUrl: string): Promise<void>;
}

/** Holds opened provider secrets; told to forget one when something it depends on changes. */
export interface OpenedSecrets {
  purge(providerKeyId: string): void;
}
