import type { Change } from "../core/change.js";
import type { Provider } from "../core/provider.js";
import type { ProviderKey } from "../core/provider-key.js";
import type { User } from "../core/user.js";

export interface NamedThings {
  readonly users: readonly Pick<User, "id" | "username">[];
  readonly providers: readonly Pick<Provider, "id" | "slug" | "displayName">[];
  readonly keys: readonly Pick<ProviderKey, "id" | "name">[];
}

/**
 * What ids are called, for answers and screens: kept in memory, so that showing a thousand rows asks no
 * database. Client keys are not here: there may be a million, and the directory knows them.
 */
export class Names {
  readonly #usernames = new Map<string, string>();
  readonly #providerSlugs = new Map<string, string>();
  readonly #providerNames = new Map<string, string>();
  readonly #providerKeyNames = new Map<string, string>();

  /** Takes all names there are. */
  load(content: NamedThings): void {
    for (const user of content.users) this.#usernames.set(user.id, user.username);
    for (const provider of content.providers) {
      this.#providerSlugs.set(provider.id, provider.slug);
      this.#providerNames.set(provider.id, provider.displayName);
    }
    for (const key of content.keys) this.#providerKeyNames.set(key.id, key.name);
  }

  /** Takes a committed change; kinds that have no names here are passed over. */
  applyChange(change: Change): void {
    switch (change.kind) {
      case "user":
        put(this.#usernames, change.id, change.value?.username);
        return;
      case "provider":
        put(this.#providerSlugs, change.id, change.value?.slug);
        put(this.#providerNames, change.id, change.value?.displayName);
        return;
      case "provider_key":
        put(this.#providerKeyNames, change.id, change.value?.name);
        return;
      case "model":
      case "client_key":
      case "setting":
        return;
      default:
        change satisfies never;
    }
  }

  /** Empty where the user is gone. */
  usernameOf(id: string): string {
    return this.#usernames.get(id) ?? "";
  }

  providerSlugOf(id: string): string {
    return this.#providerSlugs.get(id) ?? "";
  }

  providerNameOf(id: string): string {
    return this.#providerNames.get(id) ?? "";
  }

  providerKeyNameOf(id: string): string {
    return this.#providerKeyNames.get(id) ?? "";
  }
}

function put(names: Map<string, string>, id: string, name: string | undefined): void {
  if (name === undefined) names.delete(id);
  else names.set(id, name);
}
