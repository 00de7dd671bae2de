import { createHash, createHmac } from "node:crypto";
import type { SealBinding, SealedSecret } from "../core/sealed.js";
import { canonical, equalBytes, readUint32, uint32 } from "./bytes.js";

/** Row MACs name their own format: 1 under a version of the keyring, 2 provisional. */
const FINAL_FORMAT = 1;
const PROVISIONAL_FORMAT = 2;
const FINAL_HEADER_BYTES = 5;
const MAC_BYTES = 32;

/** A symmetric key with its place in the keyring. */
export interface VersionedKey {
  readonly version: number;
  readonly key: Uint8Array;
}

/** The part of a stored secret that the MAC covers, with its binding. */
export type MacInput = Pick<SealedSecret, "vaultKeyVersion" | "ciphertext"> & {
  readonly binding: SealBinding;
};

/** The MAC that ties a box to everything else in its row. */
export function rowMac(input: MacInput, key: VersionedKey): Uint8Array {
  const head = Buffer.concat([Buffer.of(FINAL_FORMAT), uint32(key.version)]);
  return Buffer.concat([head, digest("latchkey/row/v1", input, key.key)]);
}

/**
 * Stands in while the vault is locked and has no row MAC key: made under a key that only this process has, so that a
 * row put into the database by someone else is not taken for one that the server enrolled.
 */
export function provisionalMac(input: MacInput, processKey: Uint8Array): Uint8Array {
  const mac = digest("latchkey/row/provisional/v1", input, processKey);
  return Buffer.concat([Buffer.of(PROVISIONAL_FORMAT), mac]);
}

export type MacKind =
  | { readonly kind: "FINAL"; readonly version: number }
  | { readonly kind: "PROVISIONAL" }
  | { readonly kind: "UNKNOWN" };

/** Reads the header of a stored MAC. */
export function macKind(mac: Uint8Array): MacKind {
  if (mac[0] === PROVISIONAL_FORMAT) return { kind: "PROVISIONAL" };
  const version = readUint32(mac, 1);
  const final = mac[0] === FINAL_FORMAT && mac.length === FINAL_HEADER_BYTES + MAC_BYTES;
  return final && version !== undefined ? { kind: "FINAL", version } : { kind: "UNKNOWN" };
}

/** Compares in constant time. */
export function verifyRowMac(mac: Uint8Array, input: MacInput, key: VersionedKey): boolean {
  return equalBytes(mac, rowMac(input, key));
}

/** Compares in constant time. */
export function verifyProvisionalMac(
  mac: Uint8Array,
  input: MacInput,
  processKey: Uint8Array,
): boolean {
  return equalBytes(mac, provisionalMac(input, processKey));
}

function digest(label: string, input: MacInput, key: Uint8Array): Uint8Array {
  const { recordId, ownerId, providerId, origin, visibility } = input.binding;
  const ciphertextHash = createHash("sha256").update(input.ciphertext).digest();
  const fields = [recordId, ownerId, providerId, origin, visibility, input.vaultKeyVersion];
  return createHmac("sha256", key)
    .update(canonical(label, [...fields, ciphertextHash]))
    .digest();
}
