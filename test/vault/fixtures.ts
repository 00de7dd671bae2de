import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { TestContext } from "node:test";
import type { Clock } from "../../server/core/clock.js";
import type { Logger } from "../../server/core/logger.js";
import { type Random, systemRandom } from "../../server/core/random.js";
import type { SealBinding, SealedSecret } from "../../server/core/sealed.js";
import type { KeyringStore, PublicKeyPin, WrappedKey } from "../../server/vault/ports.js";
import { createFileRootKeyProvider } from "../../server/vault/root-key/file.js";
import type { RootKeyProvider } from "../../server/vault/root-key/provider.js";
import { loadSodium, type Sodium } from "../../server/vault/sodium.js";
import { createVault, type Vault } from "../../server/vault/vault.js";

/** Keeps the keyring as a database would: by value, and failing when told to. */
export class MemoryKeyringStore implements KeyringStore {
  keys: WrappedKey[] = [];
  saves = 0;
  /** Called before and after each save; a throw is a failure at that point. */
  beforeSave: () => void | Promise<void> = () => undefined;
  afterSave: () => void | Promise<void> = () => undefined;
  loadFailure: Error | undefined;

  loadKeyring(): Promise<readonly WrappedKey[]> {
    if (this.loadFailure !== undefined) return Promise.reject(this.loadFailure);
    return Promise.resolve(copy(this.keys));
  }

  async saveKeyring(keys: readonly WrappedKey[]): Promise<void> {
    await this.beforeSave();
    this.keys = copy(keys);
    this.saves++;
    await this.afterSave();
  }
}

function copy(keys: readonly WrappedKey[]): WrappedKey[] {
  return keys.map((key) => ({
    ...key,
    publicKey: key.publicKey === null ? null : Uint8Array.from(key.publicKey),
    wrapped: Uint8Array.from(key.wrapped),
  }));
}

export class MemoryPin implements PublicKeyPin {
  pin: string | undefined;
  read(): Promise<string | undefined> {
    return Promise.resolve(this.pin);
  }
  write(pin: string): Promise<void> {
    this.pin = pin;
    return Promise.resolve();
  }
}

export interface LogLine {
  readonly level: string;
  readonly fields: unknown;
  readonly message: string;
}

export function createTestLogger(): Logger & { readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at = (level: string) => (fields: unknown, message: string) => {
    lines.push({ level, fields, message });
  };
  return { lines, debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

export const testClock: Clock = {
  now: () => 1_800_000_000_000,
  monotonic: () => 0,
  setTimer: () => ({ cancel: () => undefined }),
};

export async function temporaryFolder(context: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), "latchkey-vault-"));
  context.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface TestVault {
  readonly vault: Vault;
  readonly store: MemoryKeyringStore;
  readonly pin: MemoryPin;
  readonly logger: ReturnType<typeof createTestLogger>;
  readonly sodium: Sodium;
  readonly random: Random;
  readonly folder: string;
  readonly rootKey: RootKeyProvider;
  /** A server started anew over the same store, pin and root key. */
  readonly restart: (rootKey?: RootKeyProvider) => Promise<Vault>;
}

/** An unlocked vault over a root key file. */
export async function createTestVault(
  context: TestContext,
  options: { readonly random?: Random; readonly rootKey?: RootKeyProvider } = {},
): Promise<TestVault> {
  const random = options.random ?? systemRandom;
  const sodium = await loadSodium();
  const folder = await temporaryFolder(context);
  const file = path.join(folder, "root.key");
  const rootKey = options.rootKey ?? createFileRootKeyProvider({ sodium, random, path: file });
  const store = new MemoryKeyringStore();
  const pin = new MemoryPin();
  const logger = createTestLogger();
  const make = (provider: RootKeyProvider) =>
    createVault({ store, pin, random, logger, rootKey: provider, clock: testClock });
  const vault = await make(rootKey);
  await vault.start();
  const restart = async (provider = rootKey) => {
    const again = await make(provider);
    await again.start();
    return again;
  };
  return { vault, store, pin, logger, sodium, random, folder, rootKey, restart };
}

export const BINDING: SealBinding = {
  recordId: "pk_01",
  ownerId: "usr_01",
  providerId: "prv_01",
  origin: "https://api.openai.com",
  visibility: "PRIVATE",
};

export function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = Uint8Array.from(bytes);
  flipped[bit >> 3]! ^= 1 << (bit & 7);
  return flipped;
}

export function sealedCopy(sealed: SealedSecret): SealedSecret {
  return {
    vaultKeyVersion: sealed.vaultKeyVersion,
    ciphertext: Uint8Array.from(sealed.ciphertext),
    rowMac: Uint8Array.from(sealed.rowMac),
  };
}

/** True if the promise rejects with a Fault of this code. */
export function isFault(code: string): (thrown: unknown) => boolean {
  return (thrown) => (thrown as { code?: unknown }).code === code;
}
