import type { Actor } from "../core/audit.js";
import type { ProviderKey } from "../core/provider-key.js";
import { mayAll } from "../keys/policy.js";
import type { KeysReader } from "../keys/ports.js";
import type { ProviderKeyFacts } from "./ports.js";

/** How many models a provider has, and how many of its keys a caller may see. */
export interface ProviderCounts {
  readonly models: number;
  readonly providerKeys: number;
  readonly eligibleProviderKeys: number;
}

export interface ProviderCountsDeps {
  readonly models: Pick<KeysReader["models"], "countByProvider">;
  /** All provider keys; the pool has them in memory. */
  readonly keys: () => Iterable<ProviderKey>;
  readonly facts: Pick<ProviderKeyFacts, "eligibilityOf">;
}

/** The counts of these providers by their ids, as this actor may know them. */
export async function countsOf(
  deps: ProviderCountsDeps,
  actor: Actor,
  providerIds: readonly string[],
): Promise<ReadonlyMap<string, ProviderCounts>> {
  const seesAll = mayAll(actor, "provider_key.list");
  const all = new Map<string, number>();
  const eligible = new Map<string, number>();
  for (const key of deps.keys()) {
    if (!seesAll && key.ownerId !== actor.userId) continue;
    add(all, key.providerId);
    if (deps.facts.eligibilityOf(key) === "ELIGIBLE") add(eligible, key.providerId);
  }
  const models = await deps.models.countByProvider(providerIds);
  return new Map(
    providerIds.map((id) => [
      id,
      {
        models: models.get(id) ?? 0,
        providerKeys: all.get(id) ?? 0,
        eligibleProviderKeys: eligible.get(id) ?? 0,
      },
    ]),
  );
}

function add(counts: Map<string, number>, id: string): void {
  counts.set(id, (counts.get(id) ?? 0) + 1);
}
