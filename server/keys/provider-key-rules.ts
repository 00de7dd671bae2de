import type { Actor } from "../core/audit.js";
import { Fault, invalidField } from "../core/fault.js";
import type { ProviderKey } from "../core/provider-key.js";
import type { Model, Provider } from "../core/provider.js";
import type { SealBinding } from "../core/sealed.js";
import type { Secret } from "../core/secret.js";
import { originOf } from "../catalog/base-url.js";
import { mayAll } from "./policy.js";
import type { KeysReader, KeysVault, StoredSecret } from "./ports.js";
import { notFound } from "./refusals.js";

/** Stands for the fingerprint of a secret that was stored while the vault was locked; the id makes it unique. */
const PENDING = "pending:";

/** What is kept as the last error of a key whose provider moved to another address. */
const MOVED =
  "The provider's base URL changed: the secret is bound to the old one. Rotate the key to enter the secret again.";
/** The same of a key that was switched off at the time, and stays so. */
const MOVED_WHILE_DISABLED = `${MOVED} It was switched off before.`;

/** What a key's secret is bound to, at its provider's present base URL. */
export function bindingOf(
  key: Pick<ProviderKey, "id" | "ownerId" | "providerId" | "visibility">,
  provider: Pick<Provider, "baseUrl">,
): SealBinding {
  return {
    recordId: key.id,
    ownerId: key.ownerId,
    providerId: key.providerId,
    origin: originOf(provider.baseUrl),
    visibility: key.visibility,
  };
}

/** The secret's fingerprint; while the vault is locked a mark in its place, replaced after the unlock. */
export function fingerprintOf(vault: KeysVault, secret: Secret, id: string): string {
  return vault.state === "UNLOCKED" ? vault.fingerprint(secret) : `${PENDING}${id}`;
}

export function isPendingFingerprint(fingerprint: string): boolean {
  return fingerprint.startsWith(PENDING);
}

/** Throws `already_exists` if the secret is stored. */
export async function requireNewSecret(
  reader: KeysReader,
  actor: Actor,
  fingerprint: string,
): Promise<void> {
  const other = await reader.providerKeys.byFingerprint(fingerprint);
  if (other !== undefined) throw secretTaken(actor, other);
}

/** The refusal of a secret that is stored already. Only a caller who may see the other key learns which it is. */
export function secretTaken(actor: Actor, other: StoredSecret): Fault {
  const known = other.ownerId === actor.userId || mayAll(actor, "provider_key.get");
  return new Fault(
    "already_exists",
    known
      ? `This secret is stored already, as provider key ${other.name} (${other.id}).`
      : "This secret is stored already.",
    { violations: [{ field: "secret", message: "is stored already" }] },
  );
}

/** The owner has a key of this name. */
export function nameTaken(name: string): Fault {
  return new Fault("already_exists", `There is a provider key ${JSON.stringify(name)} already.`, {
    violations: [{ field: "name", message: "is taken already" }],
  });
}

/**
 * The provider, if this owner may have keys of it: a shared one, or one of their own. That keeps a
 * private provider's address, which its maker can change, away from other people's secrets.
 */
export async function requireUsableProvider(
  reader: KeysReader,
  providerId: string,
  ownerId: string,
): Promise<Provider> {
  const provider = await reader.providers.get(providerId);
  if (provider === undefined) throw notFound("provider", providerId);
  if (provider.createdBy !== null && provider.createdBy !== ownerId) {
    throw notFound("provider", providerId);
  }
  return provider;
}

/** Throws unless the provider has this service; custom providers may have any. */
export function requireService(
  models: readonly Model[],
  provider: Provider,
  service: string | null,
): void {
  if (service === null || provider.custom) return;
  const known = new Set(
    models.filter((model) => model.providerId === provider.id).flatMap((model) => model.services),
  );
  if (known.has(service)) return;
  const list = [...known].toSorted().join(", ");
  throw invalidField(
    "service",
    known.size === 0
      ? `${provider.displayName} has no services: leave it empty`
      : `${provider.displayName} has these services: ${list}`,
  );
}

/** A key that must not be used until its owner has entered its secret again. */
export function withdrawn(key: ProviderKey): ProviderKey {
  if (withdrawal(key) !== undefined) return key;
  const lastError = key.enabled ? MOVED : MOVED_WHILE_DISABLED;
  return { ...key, enabled: false, health: { ...key.health, state: "INVALID", lastError } };
}

/** Whether a key was withdrawn because its provider moved to another address, and how it was before. */
export function withdrawal(key: ProviderKey): "WHILE_ENABLED" | "WHILE_DISABLED" | undefined {
  if (key.enabled || key.health.state !== "INVALID") return undefined;
  if (key.health.lastError === MOVED) return "WHILE_ENABLED";
  return key.health.lastError === MOVED_WHILE_DISABLED ? "WHILE_DISABLED" : undefined;
}
