/** What the keyring holds; each purpose has versions of its own, the highest is in use. */
export type WrappedKeyPurpose = "VAULT_KEY_PAIR" | "PEPPER" | "ROW_MAC" | "FINGERPRINT" | "AUDIT";

/** A key as it is stored: wrapped under the root key. */
export interface WrappedKey {
  readonly purpose: WrappedKeyPurpose;
  readonly version: number;
  /** The public key of a vault key pair, with which a locked server can still seal; null for symmetric keys. */
  readonly publicKey: Uint8Array | null;
  /** Nonce and ciphertext, self-describing: its first byte is the format version. */
  readonly wrapped: Uint8Array;
  /** Non-secret identifier of the root key that wraps it. */
  readonly rootKeyId: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Set when nothing uses this version any more. */
  readonly retiredAt: number | null;
}

/** Where the keyring is kept; the storage implements it. */
export interface KeyringStore {
  loadKeyring(): Promise<readonly WrappedKey[]>;
  /** Replaces the whole keyring in one transaction. */
  saveKeyring(keys: readonly WrappedKey[]): Promise<void>;
}

/**
 * Remembers the vault's public key outside the database. A locked server cannot check a public key against its private
 * key, and whoever had put a key of their own into the database could read the secrets sealed to it.
 */
export interface PublicKeyPin {
  /** Undefined before the first unlock. */
  read(): Promise<string | undefined>;
  write(pin: string): Promise<void>;
}
