import type { Clock } from "../core/clock.js";
import { Fault } from "../core/fault.js";
import type { Logger } from "../core/logger.js";
import type { Random } from "../core/random.js";
import type { Secret } from "../core/secret.js";
import { wipe } from "./bytes.js";
import {
  createKey,
  keyPairOf,
  Keyring,
  type PlainKey,
  PURPOSES,
  rootKeyOf,
  unwrapKeys,
  wrapKeys,
} from "./keyring.js";
import { saveUnderNewRoot } from "./keyring-writer.js";
import { Listeners } from "./listeners.js";
import type { KeyringStore, PublicKeyPin, WrappedKey, WrappedKeyPurpose } from "./ports.js";
import { pinOf } from "./public-key-pin.js";
import type { NewRootKey, RootKey, RootKeyKind, RootKeyProvider } from "./root-key/provider.js";
import type { SealTarget } from "./rows.js";
import { Serial } from "./serial.js";
import type { Sodium } from "./sodium.js";

export type VaultState = "UNINITIALISED" | "LOCKED" | "UNLOCKED";

/** What status pages show; nothing of it is secret. */
export interface VaultStatus {
  readonly state: VaultState;
  readonly rootKeyKind: RootKeyKind;
  /** E.g. `file /var/lib/latchkey/root.key`. */
  readonly rootKeySource: string;
  /** Null before initialisation. */
  readonly rootKeyId: string | null;
  readonly needsPassphrase: boolean;
  /** 0 before initialisation. */
  readonly vaultKeyVersion: number;
  readonly pepperVersion: number;
  /** True while rows may be under an older vault key. */
  readonly rotationPending: boolean;
}

export interface VaultOptions {
  readonly store: KeyringStore;
  readonly rootKey: RootKeyProvider;
  readonly pin: PublicKeyPin;
  readonly random: Random;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * The keyring and its states: UNINITIALISED at the first start, LOCKED while the keys are only there wrapped,
 * UNLOCKED while they are in memory. `Vault` adds what is done with the keys.
 */
export class VaultLifecycle {
  readonly #store: KeyringStore;
  readonly #pin: PublicKeyPin;
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #sodium: Sodium;
  readonly #serial = new Serial();
  readonly #stateListeners: Listeners<VaultState>;
  #provider: RootKeyProvider;
  #stored: readonly WrappedKey[] = [];
  #unlocked: { readonly keyring: Keyring; readonly rootKey: RootKey } | undefined;
  #sealTarget: SealTarget | undefined;
  /** Rises with each lock, so that work that began before it cannot finish after it. */
  #lockCount = 0;

  constructor(options: VaultOptions, sodium: Sodium) {
    this.#store = options.store;
    this.#provider = options.rootKey;
    this.#pin = options.pin;
    this.#random = options.random;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#sodium = sodium;
    this.#stateListeners = new Listeners(options.logger);
  }

  get state(): VaultState {
    if (this.#unlocked !== undefined) return "UNLOCKED";
    return this.#stored.length === 0 ? "UNINITIALISED" : "LOCKED";
  }

  status(): VaultStatus {
    const newest = (purpose: WrappedKeyPurpose) =>
      Math.max(
        0,
        ...this.#stored.filter((key) => key.purpose === purpose).map((key) => key.version),
      );
    return {
      state: this.state,
      rootKeyKind: this.#provider.kind,
      rootKeySource: this.#provider.describe(),
      rootKeyId: this.#stored[0]?.rootKeyId ?? null,
      needsPassphrase: this.#provider.needsPassphrase,
      vaultKeyVersion: newest("VAULT_KEY_PAIR"),
      pepperVersion: newest("PEPPER"),
      rotationPending: this.rotationPending,
    };
  }

  /** Calls `listener` after every change of state; returns how to stop that. */
  onState(listener: (state: VaultState) => void): () => void {
    return this.#stateListeners.add(listener);
  }

  /** Reads the stored keyring anew. Changes nothing while unlocked. */
  reload(): Promise<void> {
    return this.#serial.run(async () => {
      if (this.#unlocked !== undefined) return;
      this.#stored = await this.#store.loadKeyring();
      this.#sealTarget = await this.#pinnedTarget();
    });
  }

  /**
   * What a server does at its start: makes the keyring if there is none, and unlocks unless a person has
   * to give the passphrase. Throws as `initialise` and `unlock` do.
   */
  async start(): Promise<void> {
    if (this.#provider.needsPassphrase) return;
    await (this.state === "UNINITIALISED" ? this.initialise() : this.unlock());
  }

  /**
   * Makes every key of a new vault; it is unlocked then. Throws Fault `failed_precondition` if there is a
   * vault already, and the Faults of the root key provider.
   */
  initialise(passphrase?: Secret): Promise<void> {
    const lockCount = this.#lockCount;
    return this.#serial.run(async () => {
      this.#stored = await this.#store.loadKeyring();
      if (this.#stored.length > 0) {
        throw new Fault("failed_precondition", "The vault exists already; unlock it instead.");
      }
      const tools = { sodium: this.#sodium, random: this.#random };
      const now = this.#clock.now();
      const keyring = new Keyring(PURPOSES.map((each) => createKey(tools, each, 1, now)));
      const next = await this.#provider.create("FIRST_START", passphrase);
      const stored = await this.#saveUnder(keyring.all, next, lockCount);
      this.#logger.info({ rootKeyId: next.key.id }, "vault initialised");
      await this.#install(lockCount, stored, { keyring, rootKey: next.key });
    });
  }

  /**
   * Unwraps the keyring; does nothing when unlocked. Throws Fault `root_key_wrong`, `root_key_exposed`,
   * `config_invalid`, `database_corrupt`, `failed_precondition` before initialisation, and
   * `vault_locked` when `lock` was called meanwhile.
   */
  unlock(passphrase?: Secret): Promise<void> {
    const lockCount = this.#lockCount;
    return this.#serial.run(async () => {
      if (this.#unlocked !== undefined) return;
      const stored = await this.#store.loadKeyring();
      if (stored.length === 0) {
        throw new Fault("failed_precondition", "There is no vault yet; initialise it first.");
      }
      const rootKey = await this.#provider.open(rootKeyOf(stored), passphrase);
      const keyring = await unwrapOrWipe(stored, rootKey, this.#sodium);
      await this.#install(lockCount, stored, { keyring, rootKey });
      this.#checkUnlockedSince(lockCount);
      this.#logger.info({ rootKeyId: rootKey.id }, "vault unlocked");
    });
  }

  /** Zeroes every key at once. New secrets can still be sealed, but none can be opened. */
  lock(): void {
    if (!this.#wipe()) return;
    this.#logger.info({}, "vault locked");
    this.#stateListeners.announce(this.state);
  }

  /** Zeroes every key at the end of the process, when no listener is told any more. */
  close(): void {
    this.#wipe();
  }

  /** False where there was no key. */
  #wipe(): boolean {
    this.#lockCount++;
    const unlocked = this.#unlocked;
    if (unlocked === undefined) return false;
    this.#unlocked = undefined;
    unlocked.keyring.wipe();
    unlocked.rootKey.wipe();
    this.#sodium.scrub();
    return true;
  }

  /** True while an older vault or row MAC key is not retired, so that rows may still be under it. */
  get rotationPending(): boolean {
    return (["VAULT_KEY_PAIR", "ROW_MAC"] as const).some(
      (purpose) => liveVersions(this.#stored, purpose) > 1,
    );
  }

  /** Adds a new version of each purpose, which is in use from then on. Throws Fault `vault_locked`. */
  addVersions(purposes: readonly WrappedKeyPurpose[]): Promise<void> {
    return this.#replaceKeys((keyring) => {
      const tools = { sodium: this.#sodium, random: this.#random };
      const now = this.#clock.now();
      const added = purposes.map((purpose) =>
        createKey(tools, purpose, keyring.newest(purpose).version + 1, now),
      );
      return [...keyring.all, ...added];
    });
  }

  /**
   * Marks all but the newest version of each purpose as unused. Retired vault and MAC keys still open what
   * is under them, retired peppers no longer authenticate. Throws Fault `vault_locked`.
   */
  retireOld(purposes: readonly WrappedKeyPurpose[]): Promise<void> {
    return this.#replaceKeys((keyring) =>
      keyring.all.map((key) => {
        const old = purposes.includes(key.purpose) && key !== keyring.newest(key.purpose);
        return old && key.retiredAt === null ? { ...key, retiredAt: this.#clock.now() } : key;
      }),
    );
  }

  /** Destroys the keys that were retired before `beforeMs`. What is still under them is lost. */
  forgetRetired(beforeMs: number): Promise<void> {
    return this.#replaceKeys((keyring) =>
      keyring.all.filter((key) => key.retiredAt === null || key.retiredAt >= beforeMs),
    );
  }

  /**
   * Wraps the keyring under a new root key, from `provider`, and uses that provider from then on. A kill at
   * any point leaves the old or the new root key in force, and the matching key in place. Throws Fault
   * `vault_locked` and the Faults of the provider.
   */
  rotateRootKey(provider: RootKeyProvider, passphrase?: Secret): Promise<void> {
    const lockCount = this.#lockCount;
    return this.#serial.run(async () => {
      const keyring = this.keyring;
      const next = await provider.create("ROTATION", passphrase);
      const stored = await this.#saveUnder(keyring.all, next, lockCount);
      this.#provider = provider;
      // A lock that came after the save has wiped the old root key already.
      if (lockCount === this.#lockCount) this.#unlocked?.rootKey.wipe();
      await this.#install(lockCount, stored, { keyring, rootKey: next.key });
      this.#logger.info({ rootKeyId: next.key.id }, "root key rotated");
    });
  }

  #replaceKeys(change: (keyring: Keyring) => readonly PlainKey[]): Promise<void> {
    const lockCount = this.#lockCount;
    return this.#serial.run(async () => {
      const { rootKey, keyring: before } = this.#need();
      const keyring = new Keyring(change(before));
      const stored = await wrapKeys(keyring.all, rootKey, () => {
        this.#checkUnlockedSince(lockCount);
      });
      await this.#store.saveKeyring(stored);
      await this.#install(lockCount, stored, { keyring, rootKey });
      for (const { key } of before.all) {
        if (!keyring.all.some((kept) => kept.key === key)) wipe(key);
      }
    });
  }

  #saveUnder(
    keys: readonly PlainKey[],
    next: NewRootKey,
    lockCount: number,
  ): Promise<readonly WrappedKey[]> {
    const checkUnlocked = () => this.#checkUnlockedSince(lockCount);
    const writer = { store: this.#store, logger: this.#logger, checkUnlocked };
    return saveUnderNewRoot(writer, keys, next);
  }

  /** The stored keyring holds in any case; its keys are wiped if the vault was locked meanwhile. */
  async #install(
    lockCount: number,
    stored: readonly WrappedKey[],
    unlocked: { readonly keyring: Keyring; readonly rootKey: RootKey },
  ): Promise<void> {
    const was = this.state;
    const pair = unlocked.keyring.newest("VAULT_KEY_PAIR");
    const { publicKey } = keyPairOf(pair);
    this.#stored = stored;
    this.#sealTarget = { version: pair.version, publicKey };
    if (lockCount === this.#lockCount) {
      this.#unlocked = unlocked;
    } else {
      unlocked.keyring.wipe();
      unlocked.rootKey.wipe();
      this.#sodium.scrub();
    }
    if (was !== this.state) this.#stateListeners.announce(this.state);
    await this.#writePin(pinOf(pair.version, publicKey));
  }

  /** Without a pin only secrets entered after a locked start are refused, so the vault works on. */
  async #writePin(pin: string): Promise<void> {
    try {
      if ((await this.#pin.read()) !== pin) await this.#pin.write(pin);
    } catch (thrown) {
      this.#logger.warn({ err: thrown }, "the vault's public key could not be pinned");
    }
  }

  /** The newest stored public key, if it is the one that the last unlock proved. */
  async #pinnedTarget(): Promise<SealTarget | undefined> {
    const pairs = this.#stored.filter((key) => key.purpose === "VAULT_KEY_PAIR");
    const newest = pairs.toSorted((one, other) => other.version - one.version)[0];
    if (newest === undefined || newest.publicKey === null) return undefined;
    const pinned = await this.#pin.read();
    if (pinned === pinOf(newest.version, newest.publicKey)) {
      return { version: newest.version, publicKey: newest.publicKey };
    }
    // A vault that was restored has none yet; that is no sign of a forged one.
    if (pinned === undefined) this.#logger.info({}, "the next unlock pins the vault's public key");
    else this.#logger.warn({}, "the stored public key is not the pinned one; unlock to prove it");
    return undefined;
  }

  #checkUnlockedSince(lockCount: number): void {
    if (lockCount !== this.#lockCount) throw lockedFault();
  }

  #need(): { readonly keyring: Keyring; readonly rootKey: RootKey } {
    if (this.#unlocked === undefined) throw lockedFault();
    return this.#unlocked;
  }

  /** The keys in clear. Throws Fault `vault_locked`. */
  protected get keyring(): Keyring {
    return this.#need().keyring;
  }

  /** Where to seal to while locked; undefined if no unlock has proved the stored public key. */
  protected get sealTarget(): SealTarget | undefined {
    return this.#sealTarget;
  }
}

async function unwrapOrWipe(
  stored: readonly WrappedKey[],
  rootKey: RootKey,
  sodium: Sodium,
): Promise<Keyring> {
  try {
    return await unwrapKeys(stored, rootKey, sodium);
  } catch (thrown) {
    rootKey.wipe();
    sodium.scrub();
    throw thrown;
  }
}

function liveVersions(stored: readonly WrappedKey[], purpose: WrappedKeyPurpose): number {
  return stored.filter((key) => key.purpose === purpose && key.retiredAt === null).length;
}

function lockedFault(): Fault {
  return new Fault("vault_locked", "The vault is locked; an administrator must unlock it.", {
    retryAfterSeconds: 30,
  });
}
