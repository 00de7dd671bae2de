import type { ProviderKey } from "../core/provider-key.js";
import type { SealBinding } from "../core/sealed.js";
import type { Secret } from "../core/secret.js";
import type { SecretCache } from "./secret-cache.js";
import type { Vault } from "./vault.js";

/** Opens the secrets of provider keys for calls. */
export interface CachedSecretOpener {
  /**
   * 2 µs when cached, 120 µs otherwise; never waits. `origin` is where the secret is about to be sent: a
   * row that was sealed for another origin is refused. Throws Fault `vault_locked` or `secret_unreadable`.
   */
  open(key: ProviderKey, origin: string): Secret;
  /** Forgets one key's secret, when it was changed, disabled or deleted. */
  purge(providerKeyId: string): void;
  /** Stops listening to the vault and forgets all. */
  close(): void;
}

/** The cache is emptied whenever the vault changes its state. */
export function createSecretOpener(vault: Vault, cache: SecretCache): CachedSecretOpener {
  const stop = vault.onState(() => cache.clear());
  return {
    open(key, origin) {
      const binding = bindingOf(key, origin);
      if (vault.state === "UNLOCKED") {
        const cached = cache.get(key.sealed, binding);
        if (cached !== undefined) return cached;
      }
      const secret = vault.openNow(key.sealed, binding);
      cache.put(key.sealed, binding, secret);
      return secret;
    },
    purge: (providerKeyId) => cache.purge(providerKeyId),
    close() {
      stop();
      cache.clear();
    },
  };
}

/** What a provider key's secret is bound to. */
function bindingOf(key: ProviderKey, origin: string): SealBinding {
  const { id: recordId, ownerId, providerId, visibility } = key;
  return { recordId, ownerId, providerId, origin, visibility };
}
