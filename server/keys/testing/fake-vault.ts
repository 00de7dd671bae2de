import { createHash, createHmac } from "node:crypto";
import type { ClientKeyFormat, ClientKeyKind } from "../../core/client-key.js";
import { Fault } from "../../core/fault.js";
import type { SealBinding, SealedSecret } from "../../core/sealed.js";
import { Secret } from "../../core/secret.js";
import type {
  ClientKeyForms,
  ClientKeyMac,
  KeysVault,
  Passwords,
  PasswordVerdict,
  SessionTokens,
} from "../ports.js";

/** A vault for tests that checks bindings as the real one does, without any secrecy. */
export class FakeVault implements KeysVault {
  state: "UNINITIALISED" | "LOCKED" | "UNLOCKED" = "UNLOCKED";
  /** Newest first. */
  peppers: readonly string[] = ["pepper one"];

  async seal(secret: Secret, binding: SealBinding): Promise<SealedSecret> {
    return box(secret.reveal(), binding);
  }

  async open(sealed: SealedSecret, binding: SealBinding): Promise<Secret> {
    this.#requireUnlocked();
    const { secret, bound } = JSON.parse(Buffer.from(sealed.ciphertext).toString()) as {
      secret: string;
      bound: string;
    };
    if (bound !== JSON.stringify(binding)) {
      throw new Fault("secret_unreadable", "The stored secret does not belong to this row.");
    }
    return new Secret(secret);
  }

  async rebind(sealed: SealedSecret, from: SealBinding, to: SealBinding): Promise<SealedSecret> {
    return box((await this.open(sealed, from)).reveal(), to);
  }

  fingerprint(secret: Secret): string {
    this.#requireUnlocked();
    return createHash("sha256").update(`fingerprint ${secret.reveal()}`).digest("hex");
  }

  clientKeyMac(presented: string): ClientKeyMac {
    this.#requireUnlocked();
    return { mac: hmac(this.peppers[0] ?? "", presented), pepperVersion: this.peppers.length };
  }

  clientKeyMacs(presented: string): readonly ClientKeyMac[] {
    this.#requireUnlocked();
    const sha256 = createHash("sha256").update(presented).digest("hex");
    return [
      ...this.peppers.map((pepper, index) => ({
        mac: hmac(pepper, presented),
        pepperVersion: this.peppers.length - index,
      })),
      ...this.peppers.map((pepper) => ({
        mac: hmac(pepper, `imported ${sha256}`),
        pepperVersion: 0,
      })),
    ];
  }

  importedClientKeyMac(sha256Hex: string): ClientKeyMac {
    this.#requireUnlocked();
    return { mac: hmac(this.peppers[0] ?? "", `imported ${sha256Hex}`), pepperVersion: 0 };
  }

  #requireUnlocked(): void {
    if (this.state !== "UNLOCKED") throw new Fault("vault_locked", "The vault is locked.");
  }
}

/** Client keys whose form is as simple as it can be: a prefix, a number, and a check digit. */
export class FakeForms implements ClientKeyForms {
  #count = 0;

  generate(kind: ClientKeyKind, format: ClientKeyFormat): Secret {
    this.#count += 1;
    const body = `${kind}-${format}-${String(this.#count)}`;
    return new Secret(`lk-${body}-${checkOf(body)}`);
  }

  prefix(text: string): string {
    return text.slice(0, 8);
  }

  recognise(text: string): ClientKeyFormat | "FOREIGN" | undefined {
    const match = /^lk-(\w+-(SK|UUID|ALNUM32)-\d+)-(\w{4})$/.exec(text);
    if (match !== null) {
      return match[3] === checkOf(match[1] ?? "") ? (match[2] as ClientKeyFormat) : undefined;
    }
    return text.length >= 8 && text.length <= 256 && !text.startsWith("lk-")
      ? "FOREIGN"
      : undefined;
  }
}

/** Passwords in clear; counts how often one was checked. */
export class FakePasswords implements Passwords {
  checks = 0;
  rehash = false;

  async hash(password: Secret): Promise<string> {
    return `hash of ${password.reveal()}`;
  }

  async verify(password: Secret, verifier: () => Promise<string | null>): Promise<PasswordVerdict> {
    this.checks += 1;
    const ok = (await verifier()) === `hash of ${password.reveal()}`;
    return { ok, rehash: ok && this.rehash };
  }
}

export class FakeTokens implements SessionTokens {
  #count = 0;

  generate(): Secret {
    this.#count += 1;
    return new Secret(`lks_${String(this.#count)}`);
  }

  hash(presented: string): string {
    return createHash("sha256").update(presented).digest("hex");
  }
}

function box(secret: string, binding: SealBinding): SealedSecret {
  const text = JSON.stringify({ secret, bound: JSON.stringify(binding) });
  return { vaultKeyVersion: 1, ciphertext: Buffer.from(text), rowMac: Buffer.from("mac") };
}

function hmac(pepper: string, text: string): string {
  return createHmac("sha256", pepper).update(text).digest("hex");
}

function checkOf(body: string): string {
  return createHash("sha256").update(body).digest("hex").slice(0, 4);
}
