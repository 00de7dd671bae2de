import type { ChangeFeed } from "../keys/change-feed.js";
import type { KeysReader } from "../keys/ports.js";

/**
 * What ids are called, for answers and screens: kept in memory, so that showing a thousand rows asks no
 * database. Client keys are not here: there may be a million, and the directory knows them.
 */
export class Names {
  readonly #usernames = new Map<string, string>();
  readonly #providerSlugs = new Map<string, string>();
  readonly #providerNames = new Map<string, string>();
  readonly #providerKeyNames = new Map<string, string>();

  /** Loads all names and follows their changes; the returned function ends that. */
  async follow(reader: KeysReader, feed: ChangeFeed): Promise<() => void> {
    return feed.join(
      ["user", "provider", "provider_key"],
      () => this.#load(reader),
      (change) => {
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
          default:
            change satisfies never;
        }
      },
    );
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

  async #load(reader: KeysReader): Promise<void> {
    for (const user of await reader.users.all()) this.#usernames.set(user.id, user.username);
    for (const provider of await reader.providers.all()) {
      this.#providerSlugs.set(provider.id, provider.slug);
      this.#providerNames.set(provider.id, provider.displayName);
    }
    for (const key of await reader.providerKeys.all()) this.#providerKeyNames.set(key.id, key.name);
  }
}

function put(names: Map<string, string>, id: string, name: string | undefined): void {
  if (name === undefined) names.delete(id);
  else names.set(id, name);
}
