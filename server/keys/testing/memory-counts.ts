import type { ClientKey } from "../../core/client-key.js";
import type { Model } from "../../core/provider.js";
import type { ProviderKey } from "../../core/provider-key.js";
import type { OwnedKeys } from "../ports.js";

interface Keys {
  readonly providerKeys: ReadonlyMap<string, ProviderKey>;
  readonly clientKeys: ReadonlyMap<string, ClientKey>;
}

/** The keys of these users, counted one by one. */
export function ownedKeysOf(
  userIds: readonly string[],
  { providerKeys, clientKeys }: Keys,
): ReadonlyMap<string, OwnedKeys> {
  const countsOf = (id: string): OwnedKeys => {
    const given = [...providerKeys.values()].filter((key) => key.ownerId === id);
    const used = [...clientKeys.values()].filter((key) => key.ownerId === id);
    return {
      providerKeys: given.length,
      publicProviderKeys: given.filter((key) => key.visibility === "PUBLIC").length,
      clientKeys: used.length,
      superClientKeys: used.filter((key) => key.kind === "SUPER").length,
    };
  };
  return new Map(userIds.map((id) => [id, countsOf(id)]));
}

/** How many models these providers have. */
export function modelsOf(
  providerIds: readonly string[],
  models: readonly Model[],
): ReadonlyMap<string, number> {
  return new Map(
    providerIds.map((id) => [id, models.filter((each) => each.providerId === id).length]),
  );
}
