import { globMatches } from "../core/glob.js";
import type { Model, Provider } from "../core/provider.js";
import { SERVICES } from "./data/models.js";

/** How a name led to a provider; lower is more specific and is tried first. */
export const MATCH_RANK = {
  exact: 0,
  providerPrefix: 1,
  alias: 2,
  service: 3,
  pattern: 4,
  anything: 5,
} as const;

/** One provider that can serve a name. */
export interface Match {
  readonly provider: Provider;
  /** The listed model, or null where only a pattern fits. */
  readonly model: Model | null;
  readonly upstreamModel: string;
  readonly rank: number;
  /** Among patterns the longer literal part is the more specific one. */
  readonly literalChars: number;
}

interface PatternEntry {
  readonly provider: Provider;
  readonly literalChars: number;
}

interface GlobEntry extends PatternEntry {
  readonly pattern: string;
}

/**
 * The names of a set of providers and models, for look-ups whose cost does not grow with either: maps for
 * ids, aliases and services; patterns of the usual form `prefix*` in one map by prefix, asked once for each
 * length that occurs. Only patterns with inner stars are tried one by one. Never changed after it was built.
 */
export class NameIndex {
  readonly #providers = new Map<string, Provider>();
  readonly #exact = new Map<string, Match[]>();
  readonly #aliases = new Map<string, Match[]>();
  readonly #services = new Map<string, Match[]>();
  readonly #ofProvider = new Map<string, Map<string, Model>>();
  readonly #prefixes = new Map<string, PatternEntry[]>();
  readonly #prefixLengths: readonly number[];
  readonly #globs: GlobEntry[] = [];
  readonly models: readonly Model[];

  constructor(options: { providers: readonly Provider[]; models: readonly Model[] }) {
    for (const provider of options.providers) {
      this.#providers.set(provider.slug.toLowerCase(), provider);
      this.#ofProvider.set(provider.id, new Map());
      for (const pattern of provider.modelPatterns) this.#addPattern(provider, pattern);
    }
    const byId = new Map(options.providers.map((provider) => [provider.id, provider]));
    const known: Model[] = [];
    for (const model of options.models) {
      const provider = byId.get(model.providerId);
      if (provider === undefined) continue;
      known.push(model);
      this.#addModel(provider, model);
    }
    this.models = known;
    this.#prefixLengths = [...new Set([...this.#prefixes.keys()].map((key) => key.length))];
  }

  /** The provider of a slug. */
  provider(slug: string): Provider | undefined {
    return this.#providers.get(slug);
  }

  providers(): Iterable<Provider> {
    return this.#providers.values();
  }

  /** The listed model of one provider, by id or alias; `name` in lower case. */
  modelOf(providerId: string, name: string): Model | undefined {
    return this.#ofProvider.get(providerId)?.get(name);
  }

  /** Providers that list exactly this id; `name` in lower case. */
  exact(name: string): readonly Match[] {
    return this.#exact.get(name) ?? [];
  }

  alias(name: string): readonly Match[] {
    return this.#aliases.get(name) ?? [];
  }

  service(name: string): readonly Match[] {
    return this.#services.get(name) ?? [];
  }

  /** Providers with a pattern that fits; `asked` is the name as the caller wrote it. */
  byPattern(asked: string): readonly Match[] {
    const name = asked.toLowerCase();
    const found: Match[] = [];
    const add = (entry: PatternEntry): void => {
      const rank = entry.literalChars === 0 ? MATCH_RANK.anything : MATCH_RANK.pattern;
      found.push({
        provider: entry.provider,
        model: null,
        upstreamModel: asked,
        rank,
        literalChars: entry.literalChars,
      });
    };
    for (const length of this.#prefixLengths) {
      if (length > name.length) continue;
      for (const entry of this.#prefixes.get(name.slice(0, length)) ?? []) add(entry);
    }
    for (const entry of this.#globs) if (globMatches(entry.pattern, name)) add(entry);
    return found;
  }

  #addPattern(provider: Provider, raw: string): void {
    const pattern = raw.trim().toLowerCase();
    if (pattern === "") return;
    const prefix = pattern.slice(0, -1);
    if (pattern.endsWith("*") && !prefix.includes("*") && !prefix.includes("?")) {
      pushTo(this.#prefixes, prefix, { provider, literalChars: prefix.length });
    } else {
      const literalChars = pattern.replaceAll(/[*?]/g, "").length;
      this.#globs.push({ provider, literalChars, pattern });
    }
  }

  #addModel(provider: Provider, model: Model): void {
    const match = (rank: number): Match => ({
      provider,
      model,
      upstreamModel: model.modelId,
      rank,
      literalChars: model.modelId.length,
    });
    const names = this.#ofProvider.get(provider.id) ?? new Map<string, Model>();
    const id = model.modelId.toLowerCase();
    names.set(id, model);
    pushTo(this.#exact, id, match(MATCH_RANK.exact));
    for (const alias of model.aliases) {
      const name = alias.toLowerCase();
      if (!names.has(name)) names.set(name, model);
      pushTo(this.#aliases, name, match(MATCH_RANK.alias));
    }
    for (const service of model.services) {
      const name = service.toLowerCase();
      const list = this.#services.get(name) ?? [];
      // The default of a service answers for it, whatever order the models came in.
      if (answersFor(model, name)) list.unshift(match(MATCH_RANK.service));
      else list.push(match(MATCH_RANK.service));
      this.#services.set(name, list);
    }
  }
}

/** True for the model that is meant by the bare name of a service. */
function answersFor(model: Model, service: string): boolean {
  const preset = SERVICES.find((each) => each.service === service);
  return model.modelId.toLowerCase() === (preset?.defaultModel ?? service);
}

function pushTo<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
