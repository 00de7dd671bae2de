import { createHash, createHmac } from "node:crypto";
import type { Secret } from "../core/secret.js";
import { equalBytes } from "./bytes.js";
import type { Keyring } from "./keyring.js";

/** A client key's MAC with the pepper it is under; version 0 marks one that was imported as a SHA-256. */
export interface ClientKeyMac {
  readonly mac: string;
  readonly pepperVersion: number;
}

const IMPORTED_PEPPER_VERSION = 0;

/** HMAC-SHA-256 of a client key under the newest pepper; about 2 µs. */
export function clientKeyMac(keyring: Keyring, presented: string): ClientKeyMac {
  const pepper = keyring.newest("PEPPER");
  return { mac: hmacHex(pepper.key, presented), pepperVersion: pepper.version };
}

/**
 * Every MAC under which a presented key may be stored: one per pepper in use, newest first, then those of an
 * import. An imported SHA-256 is itself kept only under the peppers, so that whoever can write to the
 * database, but has no pepper, can neither guess keys nor put in one of their own.
 */
export function clientKeyMacs(keyring: Keyring, presented: string): readonly ClientKeyMac[] {
  const peppers = keyring.versions("PEPPER").filter((pepper) => pepper.retiredAt === null);
  const sha256Hex = createHash("sha256").update(presented).digest("hex");
  return [
    ...peppers.map(({ key, version }) => ({
      mac: hmacHex(key, presented),
      pepperVersion: version,
    })),
    ...peppers.map(({ key }) => importedMac(key, sha256Hex)),
  ];
}

/** What to store for a client key of which only the SHA-256 is known; `sha256Hex` in either case. */
export function importedClientKeyMac(keyring: Keyring, sha256Hex: string): ClientKeyMac {
  return importedMac(keyring.newest("PEPPER").key, sha256Hex.toLowerCase());
}

/**
 * Keyed hash of a provider secret: equal secrets have equal fingerprints, and without the key nobody can check a guess.
 */
export function fingerprint(keyring: Keyring, secret: Secret): string {
  const text = `latchkey/fingerprint/v1\0${secret.reveal()}`;
  return hmacHex(keyring.newest("FINGERPRINT").key, text);
}

/** MAC of one audit hash, hex. */
export function auditMac(keyring: Keyring, hash: string): string {
  return hmacHex(keyring.newest("AUDIT").key, hash);
}

/** True if `mac` is the MAC of `hash` under any audit key; constant time per key. */
export function auditMacFits(keyring: Keyring, hash: string, mac: string): boolean {
  return keyring
    .versions("AUDIT")
    .some(({ key }) => equalBytes(Buffer.from(mac), Buffer.from(hmacHex(key, hash))));
}

/** MAC of a whole document such as a backup manifest, as `v<key version>:<hex>`. */
export function documentMac(keyring: Keyring, text: string): string {
  const { key, version } = keyring.newest("ROW_MAC");
  return `v${version}:${hmacHex(key, `latchkey/document/v1\0${text}`)}`;
}

export function documentMacFits(keyring: Keyring, text: string, mac: string): boolean {
  return keyring.versions("ROW_MAC").some(({ key, version }) => {
    const own = `v${version}:${hmacHex(key, `latchkey/document/v1\0${text}`)}`;
    return equalBytes(Buffer.from(mac), Buffer.from(own));
  });
}

function importedMac(pepper: Uint8Array, sha256Hex: string): ClientKeyMac {
  const mac = hmacHex(pepper, `latchkey/imported-sha256/v1\0${sha256Hex}`);
  return { mac, pepperVersion: IMPORTED_PEPPER_VERSION };
}

function hmacHex(key: Uint8Array, text: string): string {
  return createHmac("sha256", key).update(text).digest("hex");
}
