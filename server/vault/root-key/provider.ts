import type { Secret } from "../../core/secret.js";

export type RootKeyKind = "FILE" | "PASSPHRASE" | "SYSTEMD_CREDENTIAL" | "ENVIRONMENT" | "TRANSIT";

/** A root key that is ready to use: in this process, or behind a key management service. */
export interface RootKey {
  /** Non-secret; stored beside every key that it wraps. */
  readonly id: string;
  /** Public parameters needed to open this root key again, e.g. the salt of a passphrase; stored too. */
  readonly header: Uint8Array;
  /** Encrypts a key; `context` is authenticated with it. */
  wrap(key: Uint8Array, context: Uint8Array): Promise<Uint8Array>;
  /** Undefined if this root key did not wrap `wrapped` under `context`. */
  unwrap(wrapped: Uint8Array, context: Uint8Array): Promise<Uint8Array | undefined>;
  /** Zeroes what it holds; it is not used after. */
  wipe(): void;
}

/** What the keyring says of the root key that wraps it. */
export interface RootKeyExpectation {
  readonly id: string;
  readonly header: Uint8Array;
}

/**
 * A new root key that is not in force yet. The keyring is saved between its creation and `commit`, and
 * both sides survive a kill in between: the keyring's root key id says which of the two holds.
 */
export interface NewRootKey {
  readonly key: RootKey;
  /** Called once the keyring is saved under this key: puts it in the place of the old one. */
  commit(): Promise<void>;
  /** The keyring was not saved: forget it. */
  discard(): Promise<void>;
}

/** Why a root key is made. */
export type RootKeyOccasion = "FIRST_START" | "ROTATION";

/** Where the root key comes from. */
export interface RootKeyProvider {
  readonly kind: RootKeyKind;
  /** True if a person must give the passphrase, so that the server starts locked. */
  readonly needsPassphrase: boolean;
  /** One line for status pages, e.g. `file /var/lib/latchkey/root.key`; no secret. */
  describe(): string;
  /**
   * Opens the root key of an existing keyring. Throws Fault `root_key_wrong`, `root_key_exposed`,
   * `config_invalid`, or `invalid_argument` when a passphrase is needed and missing.
   */
  open(expected: RootKeyExpectation, passphrase: Secret | undefined): Promise<RootKey>;
  /** Makes the root key of a new keyring, or reads it where the operator gives it. Same Faults as `open`. */
  create(occasion: RootKeyOccasion, passphrase: Secret | undefined): Promise<NewRootKey>;
}
