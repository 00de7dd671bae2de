import type { ClientKey, ClientKeyFormat, ClientKeyKind } from "../core/client-key.js";
import type { SealBinding, SealedSecret } from "../core/sealed.js";
import type { Secret } from "../core/secret.js";
import type { ClientKeyForms, KeysVault } from "./ports.js";

/** A new client key's secret with all that is stored of it. */
export interface Minted {
  readonly secret: Secret;
  readonly mac: string;
  readonly pepperVersion: number;
  readonly prefix: string;
  readonly sealedCopy: SealedSecret | null;
}

/** Makes the secrets of client keys and opens the copies of recoverable ones. */
export class ClientKeyMint {
  readonly #vault: KeysVault;
  readonly #forms: ClientKeyForms;

  constructor(options: { vault: KeysVault; forms: ClientKeyForms }) {
    this.#vault = options.vault;
    this.#forms = options.forms;
  }

  /** Throws `vault_locked`: without the pepper no key can be stored. */
  async mint(key: {
    readonly id: string;
    readonly ownerId: string;
    readonly kind: ClientKeyKind;
    readonly format: ClientKeyFormat;
    readonly recoverable: boolean;
  }): Promise<Minted> {
    const secret = this.#forms.generate(key.kind, key.format);
    const prefix = this.#forms.prefix(secret.reveal());
    const { mac, pepperVersion } = this.#vault.clientKeyMac(secret.reveal());
    const sealedCopy = key.recoverable
      ? await this.#vault.seal(secret, copyBinding(key.id, key.ownerId))
      : null;
    return { secret, mac, pepperVersion, prefix, sealedCopy };
  }

  /** Opens the copy of a recoverable key. Throws `vault_locked` or `secret_unreadable`. */
  async open(key: ClientKey, copy: SealedSecret): Promise<Secret> {
    return this.#vault.open(copy, copyBinding(key.id, key.ownerId));
  }
}

/** A client key goes to no provider; the fixed parts keep its copy apart from a provider's secret. */
export function copyBinding(id: string, ownerId: string): SealBinding {
  return { recordId: id, ownerId, providerId: "client_key", origin: "", visibility: "PRIVATE" };
}
