import { originOf } from "../catalog/base-url.js";
import { findPreset } from "../catalog/presets.js";
import type { Actor } from "../core/audit.js";
import { Fault } from "../core/fault.js";
import type { IdSource } from "../core/ids.js";
import { numberOf } from "../core/number-of.js";
import type { Page, PageQuery } from "../core/page.js";
import type { Provider } from "../core/provider.js";
import { cleanBaseUrl } from "./base-url.js";
import { changedFields } from "./changed-fields.js";
import type { Done, Operations } from "./operations.js";
import { userIdOf } from "./owners.js";
import { authorize, mayAll, type Action } from "./policy.js";
import {
  VISIBLE_TO_FIELD,
  type BaseUrlPolicy,
  type KeysReader,
  type KeysTx,
  type KeysVault,
} from "./ports.js";
import {
  cleanProviderDraft,
  patchedProvider,
  PROVIDER_PATCH_FIELDS,
  slugFor,
  type ProviderDraft,
  type ProviderPatch,
} from "./provider-draft.js";
import { bindingOf, withdrawn } from "./provider-key-rules.js";
import { Denial, found, type Target } from "./refusals.js";

/** Custom providers that one user can have. */
export const PROVIDERS_PER_USER_MAX = 100;

/** A changed provider, and what a new address did to its keys. */
export interface UpdatedProvider {
  readonly provider: Provider;
  /** Keys of the caller, bound to the new address. */
  readonly reboundKeys: number;
  /** Keys of other owners: not used until their owner has entered the secret again. */
  readonly withdrawnKeys: number;
}

/** The upstream APIs: presets, providers that an admin shares, and providers of one user alone. */
export class Providers {
  readonly #operations: Operations;
  readonly #vault: KeysVault;
  readonly #baseUrls: BaseUrlPolicy;
  readonly #ids: IdSource;

  constructor(options: {
    operations: Operations;
    vault: KeysVault;
    baseUrls: BaseUrlPolicy;
    ids: IdSource;
  }) {
    this.#operations = options.operations;
    this.#vault = options.vault;
    this.#baseUrls = options.baseUrls;
    this.#ids = options.ids;
  }

  /** One page of those that the caller may see. */
  async list(actor: Actor, query: PageQuery): Promise<Page<Provider>> {
    return this.#operations.read(actor, "provider.list", (reader) =>
      reader.providers.list(visibleTo(actor, "provider.list", query)),
    );
  }

  async get(actor: Actor, id: string): Promise<Provider> {
    return this.#operations.read(actor, "provider.get", (reader) =>
      visibleProvider(reader, actor, "provider.get", id),
    );
  }

  /**
   * Makes a custom provider: everybody's if the caller is an admin, the caller's own otherwise. Throws
   * `already_exists` for a display name or slug that is taken, `base_url_not_allowed` by the upstream policy.
   */
  async create(actor: Actor, draft: ProviderDraft): Promise<Provider> {
    const action = "provider.create";
    return this.#operations.run(actor, action, async () => {
      const clean = cleanProviderDraft(draft);
      await this.#baseUrls.check(clean.baseUrl);
      return this.#operations.write(actor, action, async (tx, nowMs) => {
        const createdBy = mayAll(actor, action) ? null : userIdOf(actor);
        const all = await tx.providers.all();
        requireRoom(all, createdBy);
        requireNewName(all, actor, clean.displayName);
        const provider: Provider = {
          id: this.#ids.next("prv"),
          slug: slugFor(draft.slug, clean.displayName, all),
          ...clean,
          custom: true,
          createdBy,
          enabled: true,
          createdAt: nowMs,
          updatedAt: nowMs,
        };
        await tx.providers.insert(provider);
        return done(provider, provider, []);
      });
    });
  }

  /**
   * Changes a provider. A secret is bound to the origin that it may be sent to, so when the origin changes,
   * the caller's own keys are bound to the new one, and keys of other owners are withdrawn until their owner
   * has entered the secret again: nobody, not even an admin, may send another's secret to another place.
   * That needs an unlocked vault.
   */
  async update(actor: Actor, id: string, patch: ProviderPatch): Promise<UpdatedProvider> {
    const action = "provider.update";
    return this.#operations.run(actor, action, async () => {
      if (patch.baseUrl !== undefined) {
        await this.#baseUrls.check(cleanBaseUrl("base_url", patch.baseUrl));
      }
      return this.#operations.write(actor, action, async (tx, nowMs) => {
        const before = await changeableProvider(tx, actor, action, id);
        const next = patchedProvider(before, patch);
        const names = changedFields(before, next, PROVIDER_PATCH_FIELDS);
        requireChangeable(before, names);
        if (next.displayName !== before.displayName) {
          requireNewName(await tx.providers.all(), actor, next.displayName);
        }
        if (names.length === 0) return done({ provider: before, ...NO_KEYS }, before, names);
        const provider = { ...next, updatedAt: nowMs };
        await tx.providers.update(provider);
        const moved =
          originOf(before.baseUrl) === originOf(provider.baseUrl)
            ? NO_KEYS
            : await this.#moveKeys(tx, actor, before, provider);
        return done({ provider, ...moved }, provider, names);
      });
    });
  }

  /** Removes a custom provider with its models. Throws `failed_precondition` while it has provider keys. */
  async delete(actor: Actor, id: string): Promise<void> {
    const action = "provider.delete";
    await this.#operations.write(actor, action, async (tx): Promise<Done<void>> => {
      const provider = await changeableProvider(tx, actor, action, id);
      if (!provider.custom) {
        throw new Fault("failed_precondition", "A preset cannot be deleted; disable it instead.");
      }
      const keys = await tx.providerKeys.ofProvider(id);
      if (keys.length > 0) {
        throw new Fault(
          "failed_precondition",
          `${provider.displayName} has ${numberOf(keys.length, "provider key")}: delete ${keys.length === 1 ? "it" : "them"} first.`,
        );
      }
      await tx.providers.delete(id);
      return done(undefined, provider, []);
    });
  }

  async #moveKeys(
    tx: KeysTx,
    actor: Actor,
    before: Provider,
    after: Provider,
  ): Promise<typeof NO_KEYS> {
    const moved = { ...NO_KEYS };
    for (const key of await tx.providerKeys.ofProvider(after.id)) {
      const own = key.ownerId === actor.userId;
      const from = bindingOf(key, before);
      const changed = own
        ? { ...key, sealed: await this.#vault.rebind(key.sealed, from, bindingOf(key, after)) }
        : withdrawn(key);
      const value = { ...changed, updatedAt: after.updatedAt, version: key.version + 1 };
      await tx.providerKeys.update(value);
      await tx.audit.append({
        actor,
        action: own ? "provider_key.rebind" : "provider_key.withdraw",
        targetId: key.id,
        targetName: key.name,
        changedFields: own ? ["secret_binding"] : ["enabled", "health"],
        outcome: "OK",
        note: "the base URL of its provider changed",
      });
      if (own) moved.reboundKeys += 1;
      else moved.withdrawnKeys += 1;
    }
    return moved;
  }
}

const NO_KEYS = { reboundKeys: 0, withdrawnKeys: 0 };

/** The same query, kept to providers (or their models) that the caller may see. */
export function visibleTo(actor: Actor, action: Action, query: PageQuery): PageQuery {
  if (mayAll(actor, action)) return query;
  const visible = { field: VISIBLE_TO_FIELD, op: "=", value: userIdOf(actor) } as const;
  return { ...query, conditions: [...query.conditions, visible] };
}

/** A provider that the caller may see: a shared one or one of their own, or any for those who may see all. */
async function visibleProvider(
  reader: KeysReader,
  actor: Actor,
  action: Action,
  id: string,
): Promise<Provider> {
  const provider = found(await reader.providers.get(id), "provider", id);
  if (provider.createdBy !== null) authorize(actor, action, targetOf(provider));
  return provider;
}

/** A provider that the caller may change: own ones, and all for an admin. */
export async function changeableProvider(
  reader: KeysReader,
  actor: Actor,
  action: Action,
  id: string,
): Promise<Provider> {
  const provider = found(await reader.providers.get(id), "provider", id);
  if (provider.createdBy !== null || mayAll(actor, action)) {
    authorize(actor, action, targetOf(provider));
    return provider;
  }
  // Everybody can see a shared provider, so there is nothing to hide.
  const fault = new Fault(
    "permission_denied",
    `${provider.displayName} is shared by everybody; only an admin can change it.`,
  );
  throw new Denial(fault, targetOf(provider), "shared provider");
}

function targetOf(provider: Provider): Target {
  const { id, displayName: name, createdBy: ownerId } = provider;
  return { noun: "provider", id, name, ownerId };
}

function done<T>(value: T, provider: Provider, names: readonly string[]): Done<T> {
  return {
    value,
    targetId: provider.id,
    targetName: provider.displayName,
    changedFields: names,
  };
}

/** Presets change with releases; an admin can switch them off, and give a template its address. */
function requireChangeable(provider: Provider, names: readonly string[]): void {
  if (provider.custom) return;
  const isTemplate = findPreset(provider.slug)?.isTemplate === true;
  const allowed = isTemplate ? ["enabled", "base_url"] : ["enabled"];
  const refused = names.filter((name) => !allowed.includes(name));
  if (refused.length === 0) return;
  throw new Fault(
    "failed_precondition",
    `Of the preset ${provider.displayName} only ${allowed.join(" and ")} can be changed: create a custom provider instead.`,
  );
}

function requireNewName(all: readonly Provider[], actor: Actor, displayName: string): void {
  const wanted = displayName.toLowerCase();
  const taken = all.some(
    (provider) =>
      provider.displayName.toLowerCase() === wanted &&
      (provider.createdBy === null ||
        provider.createdBy === actor.userId ||
        mayAll(actor, "provider.list")),
  );
  if (!taken) return;
  throw new Fault(
    "already_exists",
    "There is a provider of this name already (服务商名称已存在).",
    {
      violations: [{ field: "display_name", message: "is taken already" }],
    },
  );
}

function requireRoom(all: readonly Provider[], createdBy: string | null): void {
  if (createdBy === null) return;
  const count = all.filter((provider) => provider.createdBy === createdBy).length;
  if (count < PROVIDERS_PER_USER_MAX) return;
  throw new Fault(
    "failed_precondition",
    `You have ${String(count)} providers already, the most one user can have: delete some first.`,
  );
}
