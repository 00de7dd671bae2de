import type { Change } from "../core/change.js";
import type { Principal } from "../core/client-key.js";
import type { Clock } from "../core/clock.js";
import { Fault, toFault } from "../core/fault.js";
import type { Logger } from "../core/logger.js";
import type { Dialect, Model, Price, Provider, Route, RouteTarget } from "../core/provider.js";
import type { User } from "../core/user.js";
import { KeptLists } from "./kept-lists.js";
import { LruMap } from "./lru.js";
import { matchesOf, priceOf, toTarget } from "./matching.js";
import { NameIndex } from "./name-index.js";
import { NearestNames } from "./nearest.js";
import { findPreset, presetProviderId, PROVIDER_PRESETS } from "./presets.js";
import { servicesOf } from "./preset-models.js";
import type { ProviderLists } from "./provider-lists.js";
import { ALIASES_SETTING, FALLBACKS_SETTING, parseRewrites, Rewrites } from "./rewrites.js";
import { allowedRoute } from "./allowlist.js";
import { listModels, unlisted, type VisibleModel } from "./visible-models.js";

/** Resolutions that are kept; beyond that the least asked for is worked out anew. */
export const RESOLUTIONS_MAX = 4096;
const SUGGESTIONS_MAX = 3;

const OPENAI = presetProviderId("openai");

type HasKeys = (providerId: string, principal: Principal, model?: string) => boolean;

export interface CatalogOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /**
   * Whether a principal has any provider key to use at a provider, for a model if one is named, so that `GET /v1/models`
   * lists what can be asked for and not everything that is known. By default all providers count.
   */
  readonly hasKeys?: HasKeys;
  /** The lists that providers themselves have; by default none is asked for. */
  readonly lists?: Pick<ProviderLists, "of" | "refresh">;
}

export interface CatalogContent {
  readonly providers: readonly Provider[];
  readonly models: readonly Model[];
  /** To tell administrators, whose custom providers are everybody's, from users, whose are their own. */
  readonly users: readonly Pick<User, "id" | "role">[];
  readonly settings: ReadonlyMap<string, string>;
}

interface Resolution {
  /** How many of the targets serve what was asked for; those after them come from fallback chains. */
  readonly ownTargets: number;
  /** Null for a name that nothing serves; then `nearest` holds what may have been meant. */
  readonly route: Route | null;
  readonly nearest: readonly string[];
  /** While the prices are in force: the wall clock may be set back as well. */
  readonly validFromMs: number;
  readonly validUntilMs: number;
}

interface Indexes {
  readonly shared: NameIndex;
  readonly ofOwner: ReadonlyMap<string, NameIndex>;
  /** Of OpenAI alone, enabled or not: others sell its models as well. */
  readonly openai: NameIndex;
}

/**
 * All providers and models, and what a requested name means. A change marks the indexes stale, and the next look-up
 * rebuilds them. Between two changes nothing is modified, so a look-up costs a few map accesses, however many
 * providers, models and custom providers of other users there are.
 */
export class Catalog {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #hasKeys: HasKeys;
  readonly #lists: Pick<ProviderLists, "of" | "refresh"> | undefined;
  readonly #providers = new Map<string, Provider>();
  readonly #models = new Map<string, Model>();
  readonly #adminIds = new Set<string>();
  readonly #resolutions = new LruMap<string, Resolution>(RESOLUTIONS_MAX);
  readonly #keptLists = new KeptLists();
  #aliases = new Rewrites(new Map());
  #fallbacks = new Rewrites(new Map());
  #indexes: Indexes | null = null;
  #nearestNames: NearestNames | null = null;

  constructor(options: CatalogOptions) {
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#hasKeys = options.hasKeys ?? (() => true);
    this.#lists = options.lists;
  }

  /** Replaces everything, e.g. at the start. */
  load(content: CatalogContent): void {
    this.#providers.clear();
    this.#models.clear();
    this.#adminIds.clear();
    for (const provider of content.providers) this.#providers.set(provider.id, provider);
    for (const model of content.models) this.#models.set(model.id, model);
    for (const user of content.users) if (user.role === "ADMIN") this.#adminIds.add(user.id);
    for (const id of [ALIASES_SETTING, FALLBACKS_SETTING]) {
      this.#applySetting(id, content.settings.get(id) ?? "");
    }
    this.#touch();
  }

  /** Takes a committed change; kinds that do not concern the catalogue are passed over. */
  applyChange(change: Change): void {
    // What callers can ask for depends on the keys that there are, too.
    if (change.kind !== "client_key") this.#keptLists.clear();
    switch (change.kind) {
      case "provider":
        replace(this.#providers, change.id, change.value);
        break;
      case "model":
        replace(this.#models, change.id, change.value);
        break;
      case "user":
        if (!this.#applyRole(change.id, change.value?.role === "ADMIN")) return;
        break;
      case "setting":
        if (!this.#applySetting(change.id, change.value?.value ?? "")) return;
        break;
      case "provider_key":
      case "client_key":
        return;
    }
    this.#touch();
  }

  /**
   * What a requested model means for a principal: targets in order of preference.
   * Throws Fault `model_not_found`, which names models that look alike.
   */
  resolve(model: string, principal: Principal): Route {
    const name = cleanName(model);
    return routeOf(this.#resolution(name, principal.ownerId), name);
  }

  /**
   * How many targets of a model's route serve the model itself; those after them come from its fallback chain. Throws
   * Fault `model_not_found`.
   */
  ownTargets(model: string, principal: Principal): number {
    const name = cleanName(model);
    const resolution = this.#resolution(name, principal.ownerId);
    routeOf(resolution, name);
    return resolution.ownTargets;
  }

  /**
   * Whether a shared provider serves a name itself, which its fallback chain does not count for; and if not, names
   * that look alike.
   */
  lookUp(model: string): { readonly served: boolean; readonly nearest: readonly string[] } {
    const name = cleanName(model);
    const served = this.#resolution(name, "").ownTargets > 0;
    return { served, nearest: served ? [] : this.#nearest(name) };
  }

  /** The names of aliases that lead to a model, and the targets of the fallback chains that hold for it. */
  rewritesOf(model: Model): {
    readonly aliases: readonly string[];
    readonly fallbacks: readonly string[];
  } {
    const slug = this.#providers.get(model.providerId)?.slug ?? "";
    const names = [`${slug}/${model.modelId}`, model.modelId];
    const known = [...names, ...model.aliases].map((name) => name.toLowerCase());
    return {
      aliases: this.#aliases.leadingTo(known),
      fallbacks: [...new Set(names.flatMap((name) => this.#fallbacks.of(name)))],
    };
  }

  /**
   * Where calls go that name no model: every provider of their dialect for which the principal has keys, with an empty
   * `upstreamModel`. Throws Fault `model_not_found` if there is none.
   */
  resolveAny(dialect: Dialect, principal: Principal): Route {
    const targets = this.#indexesFor(principal.ownerId)
      .flatMap((index) => [...index.providers()])
      .filter((each) => each.dialect === dialect && this.#hasKeys(each.id, principal))
      .map((provider) => ({
        provider,
        upstreamModel: "",
        price: null,
        maxOutput: null,
        listed: false,
      }));
    if (targets.length > 0) return { modelAsked: "", targets };
    const name = dialect.charAt(0) + dialect.slice(1).toLowerCase();
    throw new Fault(
      "model_not_found",
      `This endpoint needs a provider key of a provider that speaks the ${name} API, and there is none.`,
    );
  }

  /**
   * Has the providers asked for their models whose models the catalogue knows by a pattern, where that is due. Answers
   * what to wait for before the models are listed: undefined where all is known.
   */
  refreshLists(principal: Principal): Promise<unknown> | undefined {
    if (this.#lists === undefined) return undefined;
    const providers = this.#listing(principal).filter((each) => this.#hasKeys(each.id, principal));
    return this.#lists.refresh(providers, principal);
  }

  /** The models that a principal can ask for in a dialect, in the catalogue's order. */
  visibleModels(principal: Principal, dialect: Dialect): readonly VisibleModel[] {
    const customOf = this.#customOf(principal.ownerId);
    const listing = this.#lists === undefined ? [] : this.#listing(principal);
    const told = listing.map((each) => this.#lists?.of(each, principal) ?? []);
    return this.#keptLists.of({ principal, customOf, dialect, told }, () =>
      listModels({
        indexes: this.#indexesFor(principal.ownerId),
        aliasNames: this.#aliases.names().filter((name) => this.#isReachable(name, principal)),
        dialect,
        allowlist: principal.clientKey.modelAllowlist,
        hasKeys: (providerId, model) => this.#hasKeys(providerId, principal, model),
        told: new Map(listing.map((provider, at) => [provider, told[at] ?? []])),
      }),
    );
  }

  /** A model that a principal can ask for, under this name; many have further names, or fit a pattern, and are not listed. */
  findModel(id: string, principal: Principal, dialect: Dialect): VisibleModel | undefined {
    const listed = this.visibleModels(principal, dialect).find((each) => each.id === id);
    if (listed !== undefined) return listed;
    const { route } = this.#resolution(cleanName(id), principal.ownerId);
    const { modelAllowlist } = principal.clientKey;
    const allowed = route === null ? null : allowedRoute(modelAllowlist, route);
    const target = allowed?.targets.find((each) => this.isServed(each, principal));
    return target === undefined ? undefined : unlisted(id, target);
  }

  /** Whether a principal has any key that may serve a target. */
  isServed({ provider, upstreamModel }: RouteTarget, principal: Principal): boolean {
    return this.#hasKeys(provider.id, principal, upstreamModel);
  }

  /** True when a provider key of a service may serve a model: the pool asks this for keys that name one. */
  inService(providerId: string, service: string, upstreamModel: string): boolean {
    const wanted = service.toLowerCase();
    const name = upstreamModel.toLowerCase();
    if (name === wanted || name.startsWith(`${wanted}-`)) return true;
    const provider = this.#providers.get(providerId);
    if (provider === undefined) return false;
    const { shared, ofOwner } = this.#current();
    const model =
      shared.modelOf(providerId, name) ??
      ofOwner.get(provider.createdBy ?? "")?.modelOf(providerId, name);
    const services = model?.services ?? servicesOf(providerId, name);
    return services.some((each) => each.toLowerCase() === wanted);
  }

  /** A provider by id, enabled or not. */
  provider(id: string): Provider | undefined {
    return this.#providers.get(id);
  }

  /** The price in force of a model as its provider's replies name it; null if it has none. */
  priceOf(providerId: string, upstreamModel: string): Price | null {
    const provider = this.#providers.get(providerId);
    if (provider === undefined) return null;
    const { shared, ofOwner, openai } = this.#current();
    const nowMs = this.#clock.now();
    for (const index of [shared, ofOwner.get(provider.createdBy ?? ""), openai]) {
      const price =
        index === undefined ? null : priceOf(provider, upstreamModel, { index, openai, nowMs });
      if (price !== null) return price;
    }
    return null;
  }

  /** True for providers that everybody may use: presets, and custom ones that an administrator added. */
  isShared(provider: Provider): boolean {
    return provider.createdBy === null || this.#adminIds.has(provider.createdBy);
  }

  #resolution(name: string, ownerId: string): Resolution {
    const owner = this.#customOf(ownerId);
    const cacheKey = `${owner}\n${name}`;
    const cached = this.#resolutions.get(cacheKey);
    if (cached !== undefined && isValid(cached, this.#clock.now())) return cached;
    const fresh = this.#resolve(name, owner);
    this.#resolutions.set(cacheKey, fresh);
    return fresh;
  }

  /** Those whose models only they know. */
  #listing({ ownerId }: Principal): readonly Provider[] {
    return this.#indexesFor(ownerId).flatMap((index) => [...index.providers()].filter(mayList));
  }

  /** The user whose custom providers are visible in addition to the shared ones; empty if there are none. */
  #customOf(ownerId: string): string {
    return this.#current().ofOwner.has(ownerId) ? ownerId : "";
  }

  #isReachable(name: string, principal: Principal): boolean {
    const targets = this.#resolution(name, principal.ownerId).route?.targets ?? [];
    return targets.some((target) => this.isServed(target, principal));
  }

  /** Made with the first name that nothing serves: of thousands of models it takes as long as all the rest. */
  #nearest(name: string): readonly string[] {
    const { shared } = this.#current();
    this.#nearestNames ??= new NearestNames([
      ...this.#aliases.names(),
      ...shared.models.map((model) => model.modelId),
    ]);
    return this.#nearestNames.find(name, SUGGESTIONS_MAX);
  }

  #resolve(name: string, owner: string): Resolution {
    const nowMs = this.#clock.now();
    const indexes = this.#indexesFor(owner);
    const { openai } = this.#current();
    const targets: RouteTarget[] = [];
    let validFromMs = -Infinity;
    let validUntilMs = Infinity;
    const add = (wanted: string): void => {
      for (const match of matchesOf(wanted, indexes, slugOf)) {
        const same = targets.some(
          (each) =>
            each.provider.id === match.provider.id && each.upstreamModel === match.upstreamModel,
        );
        if (same) continue;
        const index = indexes.find((each) => each.provider(match.provider.slug.toLowerCase()));
        if (index === undefined) continue;
        const made = toTarget(match, { index, openai, nowMs });
        targets.push(made.target);
        validFromMs = Math.max(validFromMs, made.validFromMs);
        validUntilMs = Math.min(validUntilMs, made.validUntilMs);
      }
    };
    const meant = this.#aliases.expand(name);
    for (const each of meant) add(each);
    const ownTargets = targets.length;
    for (const each of this.#fallbacksOf([name, ...meant], targets, indexes)) {
      for (const expanded of this.#aliases.expand(each)) add(expanded);
    }
    const valid = { validFromMs, validUntilMs };
    if (targets.length > 0) {
      return { route: { modelAsked: name, targets }, ownTargets, nearest: [], ...valid };
    }
    return { route: null, ownTargets, nearest: this.#nearest(name), ...valid };
  }

  /**
   * What is tried when no key can serve the models found: what is stored with them, then the chains of the
   * names asked for and of the models' own, so that a chain holds however its model was asked for.
   */
  #fallbacksOf(
    asked: readonly string[],
    found: readonly RouteTarget[],
    indexes: readonly NameIndex[],
  ): ReadonlySet<string> {
    const stored = found.flatMap(({ provider, upstreamModel }) =>
      indexes.flatMap(
        (index) => index.modelOf(provider.id, upstreamModel.toLowerCase())?.fallbacks ?? [],
      ),
    );
    const names = found.flatMap(({ provider, upstreamModel }) => [
      `${provider.slug}/${upstreamModel}`,
      upstreamModel,
    ]);
    const chained = [...new Set([...asked, ...names])].flatMap((name) => this.#fallbacks.of(name));
    return new Set([...stored, ...chained]);
  }

  #indexesFor(ownerId: string): readonly NameIndex[] {
    const { shared, ofOwner } = this.#current();
    const own = ofOwner.get(ownerId);
    return own === undefined ? [shared] : [own, shared];
  }

  #current(): Indexes {
    this.#indexes ??= this.#build();
    return this.#indexes;
  }

  #build(): Indexes {
    const enabled = [...this.#providers.values()].filter((provider) => provider.enabled);
    enabled.sort(byPreference);
    const modelsOf = groupBy([...this.#models.values()], (model) => model.providerId);
    const index = (providers: readonly Provider[]): NameIndex =>
      new NameIndex({
        providers,
        models: providers.flatMap((provider) => modelsOf.get(provider.id) ?? []),
      });
    const shared = index(enabled.filter((provider) => this.isShared(provider)));
    const openai = index([...this.#providers.values()].filter(({ id }) => id === OPENAI));
    const privateOf = groupBy(
      enabled.filter((provider) => !this.isShared(provider)),
      (provider) => provider.createdBy ?? "",
    );
    const ofOwner = new Map([...privateOf].map(([owner, own]) => [owner, index(own)]));
    return { shared, ofOwner, openai };
  }

  #touch(): void {
    this.#indexes = null;
    this.#nearestNames = null;
    this.#resolutions.clear();
    this.#keptLists.clear();
  }

  #applyRole(userId: string, isAdmin: boolean): boolean {
    if (this.#adminIds.has(userId) === isAdmin) return false;
    if (isAdmin) this.#adminIds.add(userId);
    else this.#adminIds.delete(userId);
    return true;
  }

  /** Settings were checked when they were written; one that is unreadable all the same leaves the old table in force. */
  #applySetting(id: string, value: string): boolean {
    if (id !== ALIASES_SETTING && id !== FALLBACKS_SETTING) return false;
    try {
      const table = parseRewrites(id, value);
      if (id === ALIASES_SETTING) this.#aliases = table;
      else this.#fallbacks = table;
      return true;
    } catch (thrown) {
      this.#logger.error(
        { setting: id, reason: toFault(thrown).publicMessage },
        "setting not applied",
      );
      return false;
    }
  }
}

function isValid({ validFromMs, validUntilMs }: Resolution, nowMs: number): boolean {
  return nowMs >= validFromMs && nowMs < validUntilMs;
}

/** Azure lists the models that it has, and calls name deployments of them. */
function mayList({ authStyle, modelPatterns }: Provider): boolean {
  return modelPatterns.length > 0 && authStyle !== "AZURE";
}

/** Callers of the Gemini dialect put `models/` before the name. */
function cleanName(model: string): string {
  const name = model.trim();
  return name.startsWith("models/") ? name.slice("models/".length) : name;
}

function routeOf(resolution: Resolution, name: string): Route {
  if (resolution.route !== null) return resolution.route;
  const shown = name.replaceAll(/[^\w.:/@+-]/g, "?").slice(0, SHOWN_CHARS_MAX);
  const hint =
    resolution.nearest.length === 0
      ? "GET /v1/models lists what this key can use."
      : `Did you mean ${resolution.nearest.map((each) => `"${each}"`).join(", ")}?`;
  throw new Fault("model_not_found", `No provider serves the model "${shown}". ${hint}`);
}

const SHOWN_CHARS_MAX = 80;

/** The slug that a prefix stands for: its own or a preset's other name, e.g. `aliyun` for `alibaba`. */
function slugOf(prefix: string): string {
  return findPreset(prefix)?.slug ?? prefix;
}

const PREFERENCE = new Map(PROVIDER_PRESETS.map((preset, at) => [preset.slug, at]));

function byPreference(a: Provider, b: Provider): number {
  const order = (provider: Provider): number => PREFERENCE.get(provider.slug) ?? PREFERENCE.size;
  return order(a) - order(b) || a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1);
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}

function replace<V>(map: Map<string, V>, id: string, value: V | null): void {
  if (value === null) map.delete(id);
  else map.set(id, value);
}
