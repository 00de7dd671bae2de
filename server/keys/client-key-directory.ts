import { LruMap } from "../catalog/lru.js";
import type { ChangeOf, ChangeFeed } from "./change-feed.js";
import { clientKeyState, type KnownClientKey, type Principal } from "../core/client-key.js";
import type { Clock } from "../core/clock.js";
import { Fault, type FaultCode } from "../core/fault.js";
import { isUnlimited, type Limits } from "../core/limits.js";
import type { Logger } from "../core/logger.js";
import type { PageQuery } from "../core/page.js";
import type { PresentedKey } from "../core/presented-key.js";
import type { User, UserState } from "../core/user.js";
import { ClientKeyTable } from "./client-key-table.js";
import type { ClientKeyUses } from "./client-key-uses.js";
import { compileIpAllowlist, type AddressTest } from "./ip-allowlist.js";
import type { ClientKeyForms, KeysReader, KeysVault } from "./ports.js";

/**
 * Keys read from the store at a time at the start. What is alive of them at a collection lets V8 make its young
 * generation larger, which it then keeps: 200 at a time cost 45 MiB more of a million keys' memory, and no less time.
 */
const CHUNK_KEYS = 64;
/** Compiled address lists that are kept; beyond that all are dropped and compiled again when they are needed. */
const ADDRESS_TESTS_MAX = 10_000;
/** Records of keys in use that are kept at hand. */
const RECENT_KEYS_MAX = 10_000;
/**
 * Keys of which it is remembered when a refusal was last logged, at most once a minute; beyond that all are forgotten.
 */
const REFUSALS_MAX = 1_000;
const REFUSAL_LOG_MS = 60_000;

/** Asked for its total alone. */
const ONE_KEY: PageQuery = {
  conditions: [],
  text: "",
  orderBy: "",
  descending: false,
  pageSize: 1,
  pageToken: "",
};

/** The part of the vault that recognises client keys. */
export type DirectoryVault = Pick<KeysVault, "state" | "clientKeyMac" | "clientKeyMacs">;

/**
 * Knows every client key, in memory: filled from the store at the start, kept up to date by the change
 * feed, asked on every request. A mutation that has returned is already in force here.
 */
export class ClientKeyDirectory {
  readonly #reader: KeysReader;
  readonly #feed: ChangeFeed;
  readonly #vault: DirectoryVault;
  readonly #forms: ClientKeyForms;
  readonly #uses: ClientKeyUses;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #table = new ClientKeyTable();
  /** Rows of rotated keys by their MAC before the rotation. */
  readonly #previous = new Map<string, number>();
  readonly #budgeted = new Map<string, Limits>();
  /** The limits of owners who have any. */
  readonly #ownerLimits = new Map<string, Limits>();
  /** Keys in use, by the digest of what is presented; forgotten at every change of any key. */
  readonly #recent = new LruMap<string, KnownClientKey>(RECENT_KEYS_MAX);
  /** Owners whose account does not work. */
  readonly #stopped = new Map<string, Exclude<UserState, "ACTIVE">>();
  readonly #addressTests = new Map<string, AddressTest>();
  readonly #refusals = new Map<string, number>();
  readonly #listeners = new Set<(clientKeyId: string) => void>();
  /** Number of keys by the version of the pepper that they were hashed with; 0 for imported keys. */
  readonly #byPepper = new Map<number, number>();
  #leave: (() => void) | undefined;
  #revision = 0;

  constructor(options: {
    reader: KeysReader;
    feed: ChangeFeed;
    vault: DirectoryVault;
    forms: ClientKeyForms;
    uses: ClientKeyUses;
    clock: Clock;
    log: Logger;
  }) {
    this.#reader = options.reader;
    this.#feed = options.feed;
    this.#vault = options.vault;
    this.#forms = options.forms;
    this.#uses = options.uses;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Number of client keys of all states. */
  get size(): number {
    return this.#table.size;
  }

  /** Loads all keys and follows their changes from then on. */
  async start(): Promise<void> {
    this.#leave = await this.#feed.join(
      ["client_key", "user"],
      () => this.#load(),
      (change) => this.#apply(change),
    );
    this.#uses.start();
  }

  /** Follows no more changes and writes the last uses. */
  async stop(): Promise<void> {
    this.#leave?.();
    await this.#uses.stop();
  }

  /**
   * Who presents this key. A text that is no key by its form is refused before any look-up of a key. Throws Fault
   * `invalid_api_key`, `revoked_api_key`, `expired_api_key`, `disabled_api_key`, `user_banned`,
   * `ip_not_allowed` or `vault_locked`.
   */
  authenticate(presented: PresentedKey, ip: string): Principal {
    const key = this.#keyOf(presented);
    this.#requireUsable(key, ip);
    this.#uses.count(key.id, ip);
    return { clientKey: key, ownerId: key.ownerId };
  }

  /**
   * The key of a principal of before as it is now, as long as its calls may go on: it was not revoked, disabled or
   * deleted, its secret not replaced without grace, its owner's account works. Else undefined. A call that was admitted
   * before its key expired may end.
   */
  validKey({ clientKey, ownerId }: Principal): KnownClientKey | undefined {
    const row = this.#table.rowOfId(clientKey.id);
    if (row < 0 || !this.#table.isOn(row) || this.#stopped.has(ownerId)) return undefined;
    const key = this.#table.keyAt(row);
    if (key.mac === clientKey.mac) return key;
    return key.previousMac === clientKey.mac && this.#inGrace(key) ? key : undefined;
  }

  /**
   * A principal of before with its key as it is now; undefined where it is not valid any more. Throws what `authenticate`
   * does.
   */
  renewed(principal: Principal, ip: string): Principal | undefined {
    const key = this.validKey(principal);
    if (key === undefined) return undefined;
    this.#requireUsable(key, ip);
    this.#uses.count(key.id, ip);
    return { clientKey: key, ownerId: key.ownerId };
  }

  /** See `gateway/ports`. */
  get revision(): number {
    return this.#revision;
  }

  /** See `gateway/ports`. */
  current(principal: Principal, ip: string): Principal {
    const key = this.validKey(principal);
    if (key === undefined)
      throw new Fault("revoked_api_key", "This API key was revoked or disabled.");
    this.#requireUsable(key, ip);
    return { clientKey: key, ownerId: key.ownerId };
  }

  /** Calls `listener` with each key that must not be used any more; the returned function ends it. */
  onInvalidated(listener: (clientKeyId: string) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** The name of a key, for listings and rankings; empty for one that is gone. */
  nameOf(clientKeyId: string): string {
    const row = this.#table.rowOfId(clientKeyId);
    return row < 0 ? "" : this.#table.keyAt(row).name;
  }

  /** Limits of the keys that had a budget when they were loaded: what they have spent must be known again. */
  get budgeted(): ReadonlyMap<string, Limits> {
    return this.#budgeted;
  }

  /** Limits of all client keys of an owner together, by the owner's id; owners without any are left out. */
  get ownerLimits(): ReadonlyMap<string, Limits> {
    return this.#ownerLimits;
  }

  /** Keys whose expiry lies after `afterMs` and not after `untilMs`. */
  expiringWithin(afterMs: number, untilMs: number): readonly KnownClientKey[] {
    return this.#table.expiringWithin(afterMs, untilMs);
  }

  /** Foreign forms are looked up only where keys were imported; a rotated key may have been one. */
  get #mayBeImported(): boolean {
    return (this.#byPepper.get(0) ?? 0) > 0 || this.#previous.size > 0;
  }

  /**
   * The record of a presented key. Keys in use are remembered by their hash, which is cheaper than checking their form
   * and computing a MAC.
   */
  #keyOf({ text, digest }: PresentedKey): KnownClientKey {
    const isUnlocked = this.#vault.state === "UNLOCKED";
    const known = isUnlocked ? this.#recent.get(digest) : undefined;
    if (known !== undefined) return known;
    const form = this.#forms.recognise(text);
    if (form === undefined || (form === "FOREIGN" && !this.#mayBeImported)) throw invalid();
    if (!isUnlocked) {
      throw new Fault("vault_locked", "The vault is locked; an admin has to unlock it first.", {
        retryAfterSeconds: 30,
      });
    }
    const row = this.#find(text);
    if (row < 0) throw invalid();
    const key = this.#table.keyAt(row);
    // What is presented may be the key before a rotation, whose time runs out.
    if (key.graceUntil === null) this.#recent.set(digest, key);
    return key;
  }

  #find(presented: string): number {
    const newest = this.#vault.clientKeyMac(presented);
    const row = this.#rowOf(newest.mac);
    if (row >= 0) return row;
    const isOnlyPepper = this.#byPepper.get(newest.pepperVersion) === this.#table.size;
    if (isOnlyPepper && this.#previous.size === 0) return -1;
    // Older peppers and imported keys cost more, so they come after the one that nearly always fits.
    for (const { mac } of this.#vault.clientKeyMacs(presented)) {
      const other = this.#rowOf(mac);
      if (other >= 0) return other;
    }
    return -1;
  }

  #rowOf(mac: string): number {
    const row = this.#table.rowOfMac(Buffer.from(mac, "hex"));
    if (row >= 0 || this.#previous.size === 0) return row;
    const rotated = this.#previous.get(mac);
    if (rotated === undefined) return -1;
    const key = this.#table.keyAt(rotated);
    if (this.#inGrace(key)) return rotated;
    throw this.#refuse(key, "revoked_api_key", "This API key was replaced; use the new one.");
  }

  #inGrace(key: KnownClientKey): boolean {
    return key.graceUntil !== null && key.graceUntil > this.#clock.now();
  }

  #requireUsable(key: KnownClientKey, ip: string): void {
    switch (clientKeyState(key, this.#clock.now())) {
      case "REVOKED":
        throw this.#refuse(key, "revoked_api_key", "This API key was revoked; create a new one.");
      case "EXPIRED":
        throw this.#refuse(key, "expired_api_key", "This API key has expired; create a new one.");
      case "DISABLED":
        throw this.#refuse(
          key,
          "disabled_api_key",
          "This API key is disabled; its owner or an admin can enable it.",
        );
      case "ACTIVE":
        break;
    }
    const owner = this.#stopped.get(key.ownerId);
    if (owner === "BANNED") {
      throw this.#refuse(key, "user_banned", "The owner of this API key is banned.");
    }
    if (owner === "DISABLED") {
      throw this.#refuse(
        key,
        "disabled_api_key",
        "The account that owns this API key is switched off; an admin can switch it on.",
      );
    }
    if (key.ipAllowlist.length > 0 && !this.#addressTest(key.ipAllowlist)(ip)) {
      throw this.#refuse(
        key,
        "ip_not_allowed",
        "This API key may not be used from your address; its owner can change its IP allow-list.",
      );
    }
  }

  #addressTest(blocks: readonly string[]): AddressTest {
    const name = blocks.join(" ");
    let test = this.#addressTests.get(name);
    if (test === undefined) {
      test = compileIpAllowlist(blocks);
      if (this.#addressTests.size >= ADDRESS_TESTS_MAX) this.#addressTests.clear();
      this.#addressTests.set(name, test);
    }
    return test;
  }

  /** The fault for a known key, with a line in the log, so that an operator can tell the causes apart. */
  #refuse(key: KnownClientKey, code: FaultCode, message: string): Fault {
    const nowMs = this.#clock.monotonic();
    const lastMs = this.#refusals.get(key.id);
    if (lastMs === undefined || nowMs - lastMs >= REFUSAL_LOG_MS) {
      if (this.#refusals.size >= REFUSALS_MAX) this.#refusals.clear();
      this.#refusals.set(key.id, nowMs);
      this.#log.info(
        { client_key_id: key.id, prefix: key.prefix, owner_id: key.ownerId, code },
        "client key refused",
      );
    }
    return new Fault(code, message);
  }

  async #load(): Promise<void> {
    for (const user of await this.#reader.users.all()) this.#setOwner(user);
    const { total } = await this.#reader.clientKeys.list(ONE_KEY);
    this.#table.reserve(total);
    for await (const chunk of this.#reader.clientKeys.knownChunks(CHUNK_KEYS)) {
      for (const key of chunk) {
        this.#mark(key, this.#table.add(key));
        if (key.limits.budgets.length > 0) this.#budgeted.set(key.id, key.limits);
      }
    }
  }

  #apply(change: ChangeOf<"client_key" | "user">): void {
    if (change.kind === "user") this.#applyUser(change.id, change.value);
    else this.#applyKey(change.id, change.value);
  }

  #applyUser(id: string, user: User | null): void {
    const worked = !this.#stopped.has(id);
    if (user === null) {
      this.#stopped.delete(id);
      this.#ownerLimits.delete(id);
    } else {
      this.#setOwner(user);
    }
    if (worked && this.#stopped.has(id)) {
      for (const key of this.#table.keysOf(id)) this.#announce(key.id);
    }
  }

  #applyKey(id: string, key: KnownClientKey | null): void {
    this.#recent.clear();
    this.#revision += 1;
    const row = this.#table.rowOfId(id);
    const before = row < 0 ? undefined : this.#table.keyAt(row);
    if (key === null) {
      if (before !== undefined) this.#remove(row, before);
    } else {
      this.#put(key);
    }
    if (before !== undefined && isUsable(before) && isStopped(before, key)) this.#announce(id);
  }

  #put(key: KnownClientKey): void {
    const existing = this.#table.rowOfId(key.id);
    if (existing >= 0) this.#forgetMarks(this.#table.keyAt(existing));
    this.#mark(key, this.#table.put(key));
  }

  #mark(key: KnownClientKey, row: number): void {
    this.#countPepper(key.pepperVersion, 1);
    if (key.previousMac !== null) this.#previous.set(key.previousMac, row);
  }

  #remove(row: number, key: KnownClientKey): void {
    this.#forgetMarks(key);
    this.#table.remove(row);
  }

  #forgetMarks(key: KnownClientKey): void {
    this.#countPepper(key.pepperVersion, -1);
    if (key.previousMac !== null) this.#previous.delete(key.previousMac);
  }

  #countPepper(version: number, by: 1 | -1): void {
    this.#byPepper.set(version, (this.#byPepper.get(version) ?? 0) + by);
  }

  #setOwner(user: User): void {
    if (user.state === "ACTIVE") this.#stopped.delete(user.id);
    else this.#stopped.set(user.id, user.state);
    if (isUnlimited(user.limits)) this.#ownerLimits.delete(user.id);
    else this.#ownerLimits.set(user.id, user.limits);
  }

  #announce(clientKeyId: string): void {
    for (const listener of this.#listeners) {
      try {
        listener(clientKeyId);
      } catch (cause) {
        this.#log.error(
          { err: cause, client_key_id: clientKeyId },
          "a listener failed on a revocation",
        );
      }
    }
  }
}

function invalid(): Fault {
  return new Fault("invalid_api_key", "This API key is not known here; check that it is whole.");
}

function isUsable(key: KnownClientKey): boolean {
  return key.enabled && key.revokedAt === null;
}

/** True if calls that run on the key as it was must end. */
function isStopped(before: KnownClientKey, after: KnownClientKey | null): boolean {
  if (after === null || !isUsable(after)) return true;
  // A new secret without grace for the old one.
  return after.mac !== before.mac && after.previousMac !== before.mac;
}
