import type { Secret } from "../core/secret.js";
import type { SealBinding, SealedSecret } from "../core/sealed.js";
import { contextHash, openBox, type Opened, type RefusalReason, sealBox } from "./box.js";
import { equalBytes } from "./bytes.js";
import { keyPairOf, type Keyring } from "./keyring.js";
import { macKind, provisionalMac, rowMac, verifyProvisionalMac, verifyRowMac } from "./row-mac.js";
import type { Sodium } from "./sodium.js";

/** What sealing and opening rows needs while the vault is unlocked. */
export interface RowTools {
  readonly sodium: Sodium;
  readonly keyring: Keyring;
  /** A key that only this process has; proves rows that it enrolled while locked. */
  readonly processKey: Uint8Array;
}

/** Where a locked server seals to. */
export interface SealTarget {
  readonly version: number;
  readonly publicKey: Uint8Array;
}

export function sealRow(tools: RowTools, secret: Secret, binding: SealBinding): SealedSecret {
  const pair = tools.keyring.newest("VAULT_KEY_PAIR");
  const context = { binding, vaultKeyVersion: pair.version };
  const ciphertext = sealBox(tools.sodium, secret, context, keyPairOf(pair).publicKey);
  return withRowMac(tools, { vaultKeyVersion: pair.version, ciphertext }, binding);
}

/** Seals without any private key; the row carries a provisional MAC until it is adopted. */
export function sealRowLocked(
  tools: Pick<RowTools, "sodium" | "processKey"> & { readonly target: SealTarget },
  secret: Secret,
  binding: SealBinding,
): SealedSecret {
  const vaultKeyVersion = tools.target.version;
  const context = { binding, vaultKeyVersion };
  const ciphertext = sealBox(tools.sodium, secret, context, tools.target.publicKey);
  const mac = provisionalMac({ vaultKeyVersion, ciphertext, binding }, tools.processKey);
  return { vaultKeyVersion, ciphertext, rowMac: mac };
}

/** Checks the row MAC alone: about 10 µs. Undefined when the row is as Latchkey wrote it. */
export function refusalOfRow(
  tools: RowTools,
  sealed: SealedSecret,
  binding: SealBinding,
): RefusalReason | undefined {
  const kind = macKind(sealed.rowMac);
  const input = { ...sealed, binding };
  if (kind.kind === "UNKNOWN") return "UNKNOWN_FORMAT";
  if (kind.kind === "PROVISIONAL") {
    const ours = verifyProvisionalMac(sealed.rowMac, input, tools.processKey);
    return ours ? undefined : "UNCONFIRMED";
  }
  const key = tools.keyring.find("ROW_MAC", kind.version);
  if (key === undefined) return "UNKNOWN_KEY_VERSION";
  return verifyRowMac(sealed.rowMac, input, key) ? undefined : "ROW_ALTERED";
}

/** Row MAC first, then the box, then what the box says of its row. */
export function openRow(tools: RowTools, sealed: SealedSecret, binding: SealBinding): Opened {
  const refused = refusalOfRow(tools, sealed, binding);
  return refused === undefined ? openRowBox(tools, sealed, binding) : { refused };
}

/** Opens the box without asking the row MAC: only for rows that an administrator confirmed. */
export function openRowBox(tools: RowTools, sealed: SealedSecret, binding: SealBinding): Opened {
  const key = tools.keyring.find("VAULT_KEY_PAIR", sealed.vaultKeyVersion);
  if (key === undefined) return { refused: "UNKNOWN_KEY_VERSION" };
  const context = { binding, vaultKeyVersion: sealed.vaultKeyVersion };
  return openBox(tools.sodium, sealed.ciphertext, context, keyPairOf(key));
}

/** True when nothing of the row is under an old key. */
export function isCurrent(keyring: Keyring, sealed: SealedSecret): boolean {
  const kind = macKind(sealed.rowMac);
  return (
    sealed.vaultKeyVersion === keyring.newest("VAULT_KEY_PAIR").version &&
    kind.kind === "FINAL" &&
    kind.version === keyring.newest("ROW_MAC").version
  );
}

/** True when both bindings may hold the same box, so that a new MAC is enough. */
export function sameBox(one: SealBinding, other: SealBinding, vaultKeyVersion: number): boolean {
  return equalBytes(
    contextHash({ binding: one, vaultKeyVersion }),
    contextHash({ binding: other, vaultKeyVersion }),
  );
}

/** The same box with a row MAC for `binding` under the newest key. */
export function withRowMac(
  tools: RowTools,
  box: Pick<SealedSecret, "vaultKeyVersion" | "ciphertext">,
  binding: SealBinding,
): SealedSecret {
  const { vaultKeyVersion, ciphertext } = box;
  const key = tools.keyring.newest("ROW_MAC");
  const mac = rowMac({ vaultKeyVersion, ciphertext, binding }, key);
  return { vaultKeyVersion, ciphertext, rowMac: mac };
}
