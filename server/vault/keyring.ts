import { assert } from "../core/assert.js";
import { Fault } from "../core/fault.js";
import type { Random } from "../core/random.js";
import { canonical, equalBytes, randomKey, wipe } from "./bytes.js";
import type { WrappedKey, WrappedKeyPurpose } from "./ports.js";
import type { RootKey, RootKeyExpectation } from "./root-key/provider.js";
import type { VersionedKey } from "./row-mac.js";
import { KEY_BYTES, type KeyPair, type Sodium } from "./sodium.js";

/** Every keyring has at least one key of each. */
export const PURPOSES: readonly WrappedKeyPurpose[] = [
  "VAULT_KEY_PAIR",
  "PEPPER",
  "ROW_MAC",
  "FINGERPRINT",
  "AUDIT",
];

const FRAME_FORMAT = 1;
const FRAME_HEAD_BYTES = 3;
const HEADER_BYTES_MAX = 0xffff;

/** A key of the keyring in clear, while the vault is unlocked. */
export interface PlainKey extends VersionedKey {
  readonly purpose: WrappedKeyPurpose;
  readonly publicKey: Uint8Array | null;
  readonly createdAt: number;
  readonly retiredAt: number | null;
}

/** The unlocked keys, by purpose, newest first. */
export class Keyring {
  readonly all: readonly PlainKey[];
  readonly #byPurpose: ReadonlyMap<WrappedKeyPurpose, readonly PlainKey[]>;

  constructor(keys: readonly PlainKey[]) {
    this.all = keys.toSorted((one, other) => other.version - one.version);
    this.#byPurpose = new Map(
      PURPOSES.map((purpose) => [purpose, this.all.filter((key) => key.purpose === purpose)]),
    );
  }

  /** The key in use: the highest version. */
  newest(purpose: WrappedKeyPurpose): PlainKey {
    const key = this.versions(purpose)[0];
    assert(key !== undefined, `the keyring has a ${purpose} key`);
    return key;
  }

  /** All versions, newest first. */
  versions(purpose: WrappedKeyPurpose): readonly PlainKey[] {
    return this.#byPurpose.get(purpose) ?? [];
  }

  find(purpose: WrappedKeyPurpose, version: number): PlainKey | undefined {
    return this.versions(purpose).find((key) => key.version === version);
  }

  wipe(): void {
    for (const { key } of this.all) wipe(key);
  }
}

export interface KeyTools {
  readonly sodium: Sodium;
  readonly random: Random;
}

/** A fresh key; a vault key pair is made from 32 random bytes and keeps its private half as the key. */
export function createKey(
  tools: KeyTools,
  purpose: WrappedKeyPurpose,
  version: number,
  nowMs: number,
): PlainKey {
  const seed = randomKey(tools.random, KEY_BYTES);
  const base = { purpose, version, createdAt: nowMs, retiredAt: null };
  if (purpose !== "VAULT_KEY_PAIR") return { ...base, key: seed, publicKey: null };
  const pair = tools.sodium.keyPair(seed);
  wipe(seed);
  return { ...base, key: pair.privateKey, publicKey: pair.publicKey };
}

export function keyPairOf(key: PlainKey): KeyPair {
  assert(key.publicKey !== null, "a vault key has a public key");
  return { publicKey: key.publicKey, privateKey: key.key };
}

/**
 * Wraps every key under the root key and proves at once that each unwraps to what it was. The vault may be locked, and
 * its keys zeroed, while a root key works: `checkUnlocked` throws then.
 */
export async function wrapKeys(
  keys: readonly PlainKey[],
  rootKey: RootKey,
  checkUnlocked: () => void,
): Promise<readonly WrappedKey[]> {
  const wrapped: WrappedKey[] = [];
  checkUnlocked();
  for (const key of keys) {
    const context = wrapContext(key, rootKey);
    assert(!key.key.every((byte) => byte === 0), "a key to be wrapped was not wiped");
    const body = await rootKey.wrap(key.key, context);
    const again = await rootKey.unwrap(body, context);
    const isSame = again !== undefined && equalBytes(again, key.key);
    if (again !== undefined) wipe(again);
    checkUnlocked();
    assert(isSame, "a wrapped key unwraps");
    const { purpose, version, publicKey, createdAt, retiredAt } = key;
    wrapped.push({
      purpose,
      version,
      publicKey,
      wrapped: frame(rootKey.header, body),
      rootKeyId: rootKey.id,
      createdAt,
      retiredAt,
    });
  }
  return wrapped;
}

/**
 * Unwraps a whole keyring. Throws Fault `database_corrupt` when an entry was altered, misses, or carries a
 * public key that does not belong to its private key.
 */
export async function unwrapKeys(
  stored: readonly WrappedKey[],
  rootKey: RootKey,
  sodium: Sodium,
): Promise<Keyring> {
  const keys: PlainKey[] = [];
  try {
    for (const entry of stored) keys.push(await unwrapKey(entry, rootKey, sodium));
    for (const purpose of PURPOSES) {
      if (!keys.some((key) => key.purpose === purpose)) throw corrupt(`lacks its ${purpose} key`);
    }
    return new Keyring(keys);
  } catch (thrown) {
    for (const { key } of keys) wipe(key);
    throw thrown;
  }
}

async function unwrapKey(entry: WrappedKey, rootKey: RootKey, sodium: Sodium): Promise<PlainKey> {
  const { purpose, version, publicKey, createdAt, retiredAt } = entry;
  const name = `${purpose} version ${version}`;
  const body = unframe(entry.wrapped)?.body;
  if (body === undefined) throw corrupt(`has an unknown format at ${name}`);
  const key = await rootKey.unwrap(body, wrapContext(entry, rootKey));
  if (key === undefined) throw corrupt(`was altered at ${name}`);
  if (key.length !== KEY_BYTES) throw corrupt(`has a key of a wrong size at ${name}`);
  if (purpose === "VAULT_KEY_PAIR") {
    const proven = publicKey !== null && equalBytes(sodium.publicKeyOf(key), publicKey);
    if (!proven) throw corrupt(`has a public key that is not the vault's at ${name}`);
  }
  return { purpose, version, key, publicKey, createdAt, retiredAt };
}

/**
 * Which root key wraps a stored keyring. The keyring is always saved whole, so two different answers mean that
 * something other than the server wrote to it: Fault `database_corrupt`.
 */
export function rootKeyOf(stored: readonly WrappedKey[]): RootKeyExpectation {
  const first = stored[0];
  assert(first !== undefined, "the keyring is not empty");
  const header = unframe(first.wrapped)?.header;
  if (header === undefined) throw corrupt("has an unknown format");
  for (const entry of stored) {
    const other = unframe(entry.wrapped)?.header;
    const same = other !== undefined && equalBytes(other, header);
    if (!same || entry.rootKeyId !== first.rootKeyId) throw corrupt("mixes two root keys");
  }
  return { id: first.rootKeyId, header };
}

function wrapContext(
  key: Pick<WrappedKey, "purpose" | "version" | "publicKey">,
  rootKey: Pick<RootKey, "id" | "header">,
): Uint8Array {
  const publicKey = key.publicKey ?? new Uint8Array(0);
  const fields = [key.purpose, key.version, publicKey, rootKey.id, rootKey.header];
  return canonical("latchkey/keyring/v1", fields);
}

function frame(header: Uint8Array, body: Uint8Array): Uint8Array {
  assert(header.length <= HEADER_BYTES_MAX, "the root key header fits its length field");
  const head = Buffer.of(FRAME_FORMAT, header.length >> 8, header.length & 0xff);
  return Buffer.concat([head, header, body]);
}

function unframe(wrapped: Uint8Array): { header: Uint8Array; body: Uint8Array } | undefined {
  if (wrapped.length < FRAME_HEAD_BYTES || wrapped[0] !== FRAME_FORMAT) return undefined;
  const end = FRAME_HEAD_BYTES + (wrapped[1] ?? 0) * 256 + (wrapped[2] ?? 0);
  if (end > wrapped.length) return undefined;
  return { header: wrapped.subarray(FRAME_HEAD_BYTES, end), body: wrapped.subarray(end) };
}

function corrupt(what: string): Fault {
  return new Fault(
    "database_corrupt",
    `The vault's keyring ${what}; restore the database from a backup, because somebody or something changed it.`,
  );
}
