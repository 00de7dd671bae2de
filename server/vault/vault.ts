import { Fault } from "../core/fault.js";
import type { Secret } from "../core/secret.js";
import type { SealBinding, SealedSecret } from "../core/sealed.js";
import { type Opened, refusalFault, type RefusalReason } from "./box.js";
import { randomKey } from "./bytes.js";
import * as keyed from "./keyed-hash.js";
import type { ClientKeyMac } from "./keyed-hash.js";
import {
  VaultLifecycle,
  type VaultOptions,
  type VaultState,
  type VaultStatus,
} from "./lifecycle.js";
import { Listeners } from "./listeners.js";
import { macKind } from "./row-mac.js";
import * as rows from "./rows.js";
import type { RowTools } from "./rows.js";
import { KEY_BYTES, loadSodium, type Sodium } from "./sodium.js";

export type { VaultOptions, VaultState, VaultStatus };

/** A stored secret that was not used because its row is not as Latchkey wrote it. */
export interface Refusal {
  readonly binding: SealBinding;
  readonly reason: RefusalReason;
}

/** Loads libsodium and the stored keyring; the vault is then LOCKED, or UNINITIALISED at the first start. */
export async function createVault(options: VaultOptions): Promise<Vault> {
  const vault = new Vault(options, await loadSodium());
  await vault.reload();
  return vault;
}

/** Seals and opens provider secrets, and makes every keyed hash of the server. */
export class Vault extends VaultLifecycle {
  readonly #sodium: Sodium;
  /** Proves rows that this process sealed while locked. */
  readonly #processKey: Uint8Array;
  readonly #refusalListeners: Listeners<Refusal>;

  constructor(options: VaultOptions, sodium: Sodium) {
    super(options, sodium);
    this.#sodium = sodium;
    this.#processKey = randomKey(options.random, KEY_BYTES);
    this.#refusalListeners = new Listeners(options.logger);
  }

  /** Calls `listener` for every secret that is refused, so that it can be quarantined and audited. */
  onRefusal(listener: (refusal: Refusal) => void): () => void {
    return this.#refusalListeners.add(listener);
  }

  /**
   * Seals a secret to its row. While locked the row gets a provisional MAC, see `adopt`. Throws Fault
   * `vault_locked` if the public key cannot be trusted, `invalid_argument` for an empty or huge secret.
   */
  async seal(secret: Secret, binding: SealBinding): Promise<SealedSecret> {
    if (this.state === "UNLOCKED") return rows.sealRow(this.#tools(), secret, binding);
    if (this.sealTarget === undefined) {
      throw new Fault(
        "vault_locked",
        "The vault is locked and its public key cannot be checked; an administrator must unlock it once before secrets can be entered.",
      );
    }
    const tools = { sodium: this.#sodium, processKey: this.#processKey, target: this.sealTarget };
    return rows.sealRowLocked(tools, secret, binding);
  }

  /** Throws Fault `vault_locked`, or `secret_unreadable` when the row is not as it was sealed. */
  async open(sealed: SealedSecret, binding: SealBinding): Promise<Secret> {
    return this.openNow(sealed, binding);
  }

  /** `open` without a promise; holds the event loop for about 120 µs. */
  openNow(sealed: SealedSecret, binding: SealBinding): Secret {
    return this.#accept(rows.openRow(this.#tools(), sealed, binding), binding);
  }

  /** Checks the row MAC without opening the box, about 10 µs. Undefined when the row is sound. Throws Fault `vault_locked`. */
  refusalOf(sealed: SealedSecret, binding: SealBinding): RefusalReason | undefined {
    return rows.refusalOfRow(this.#tools(), sealed, binding);
  }

  /**
   * Binds a secret to a changed row: a new MAC where only the visibility changed, a new box otherwise.
   * Throws as `open` does.
   */
  async rebind(sealed: SealedSecret, from: SealBinding, to: SealBinding): Promise<SealedSecret> {
    const tools = this.#tools();
    const secret = this.#accept(rows.openRow(tools, sealed, from), from);
    return rows.sameBox(from, to, sealed.vaultKeyVersion)
      ? rows.withRowMac(tools, sealed, to)
      : rows.sealRow(tools, secret, to);
  }

  /** The row under the newest keys; the same object if it is already. Throws as `open` does. */
  reseal(sealed: SealedSecret, binding: SealBinding): SealedSecret {
    const tools = this.#tools();
    if (rows.isCurrent(tools.keyring, sealed)) return sealed;
    return rows.sealRow(tools, this.openNow(sealed, binding), binding);
  }

  /** True for rows that were sealed while the vault was locked and still have their provisional MAC. */
  isProvisional(sealed: SealedSecret): boolean {
    return macKind(sealed.rowMac).kind === "PROVISIONAL";
  }

  /**
   * Gives a row that was sealed while locked its final MAC, and its fingerprint, which needs the vault too.
   * A row of an earlier run of the server is refused as UNCONFIRMED unless `confirmed` says that an
   * administrator vouches for it. Throws as `open` does.
   */
  async adopt(
    sealed: SealedSecret,
    binding: SealBinding,
    confirmed = false,
  ): Promise<{ readonly sealed: SealedSecret; readonly fingerprint: string }> {
    const tools = this.#tools();
    const opened =
      confirmed && this.isProvisional(sealed)
        ? rows.openRowBox(tools, sealed, binding)
        : rows.openRow(tools, sealed, binding);
    const secret = this.#accept(opened, binding);
    return {
      sealed: rows.withRowMac(tools, sealed, binding),
      fingerprint: this.fingerprint(secret),
    };
  }

  /** Keyed hash of a provider secret, hex. Throws Fault `vault_locked`. */
  fingerprint(secret: Secret): string {
    return keyed.fingerprint(this.keyring, secret);
  }

  /** HMAC of a client key under the newest pepper, hex. Throws Fault `vault_locked`. */
  clientKeyMac(presented: string): ClientKeyMac {
    return keyed.clientKeyMac(this.keyring, presented);
  }

  /** All MACs under which a presented key may be stored, newest pepper first. Throws Fault `vault_locked`. */
  clientKeyMacs(presented: string): readonly ClientKeyMac[] {
    return keyed.clientKeyMacs(this.keyring, presented);
  }

  /** What to store for a client key imported as SHA-256 in hex. Throws Fault `vault_locked`. */
  importedClientKeyMac(sha256Hex: string): ClientKeyMac {
    return keyed.importedClientKeyMac(this.keyring, sha256Hex);
  }

  /** MAC of an audit event's hash, hex. Throws Fault `vault_locked`. */
  auditMac(hash: string): string {
    return keyed.auditMac(this.keyring, hash);
  }

  auditMacFits(hash: string, mac: string): boolean {
    return keyed.auditMacFits(this.keyring, hash, mac);
  }

  /** MAC of a whole document such as a backup manifest. Throws Fault `vault_locked`. */
  documentMac(text: string): string {
    return keyed.documentMac(this.keyring, text);
  }

  documentMacFits(text: string, mac: string): boolean {
    return keyed.documentMacFits(this.keyring, text, mac);
  }

  #accept(opened: Opened, binding: SealBinding): Secret {
    if (opened.secret !== undefined) return opened.secret;
    this.#refusalListeners.announce({ binding, reason: opened.refused });
    throw refusalFault(binding.recordId, opened.refused);
  }

  #tools(): RowTools {
    return { sodium: this.#sodium, keyring: this.keyring, processKey: this.#processKey };
  }
}
