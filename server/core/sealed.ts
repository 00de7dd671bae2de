/** A secret as it is stored: ciphertext and the MAC that binds it to its row. */
export interface SealedSecret {
  /** Which vault key pair it was sealed to; 1 is the first. */
  readonly vaultKeyVersion: number;
  readonly ciphertext: Uint8Array;
  /** MAC over the row's binding and the ciphertext hash. */
  readonly rowMac: Uint8Array;
}

/** What a sealed provider secret is bound to. Changing any part without re-sealing makes the row refused. */
export interface SealBinding {
  readonly recordId: string;
  readonly ownerId: string;
  readonly providerId: string;
  /** Scheme, host and port that the secret may be sent to, e.g. `https://api.openai.com`. */
  readonly origin: string;
  readonly visibility: "PRIVATE" | "PUBLIC";
}

/** Puts `to` in the place of `from`, if `from` is still what the record holds. */
export interface SealedMove {
  readonly id: string;
  readonly from: SealedSecret;
  readonly to: SealedSecret;
}

/** True if both hold the same bytes under the same key. */
export function sameSealed(one: SealedSecret, other: SealedSecret): boolean {
  return (
    one.vaultKeyVersion === other.vaultKeyVersion &&
    Buffer.compare(one.ciphertext, other.ciphertext) === 0 &&
    Buffer.compare(one.rowMac, other.rowMac) === 0
  );
}
