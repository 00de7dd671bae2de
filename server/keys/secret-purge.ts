import type { ChangeFeed } from "./change-feed.js";
import type { OpenedSecrets } from "./ports.js";

/**
 * Makes the cache of opened secrets forget a key whenever anything about it changes; returns how to stop.
 * A provider's new address needs nothing more: its keys change with it, or no longer fit what was cached.
 */
export function purgeSecretsOnChange(feed: ChangeFeed, secrets: OpenedSecrets): () => void {
  return feed.subscribe(["provider_key"], ({ id }) => secrets.purge(id));
}
