import type {
  Dialect,
  Model,
  ModelCategory,
  Provider,
  RouteTarget,
  ToldModel,
} from "../core/provider.js";
import { modelAllowed } from "./allowlist.js";
import type { NameIndex } from "./name-index.js";

/** A model as a listing for callers shows it. */
export interface VisibleModel {
  readonly id: string;
  readonly displayName: string;
  readonly providerSlug: string;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Tokens; null if unknown. */
  readonly contextWindow: number | null;
  /** Tokens; null if unknown. */
  readonly maxOutput: number | null;
  /** What it is for, as far as the catalogue knows. */
  readonly categories?: readonly ModelCategory[];
}

export interface ListRequest {
  readonly indexes: readonly NameIndex[];
  readonly aliasNames: readonly string[];
  readonly dialect: Dialect;
  readonly allowlist: readonly string[];
  readonly hasKeys: (providerId: string, model: string) => boolean;
  /** What providers list themselves of the models that their patterns take. */
  readonly told: ReadonlyMap<Provider, readonly ToldModel[]>;
}

/** What a dialect has no endpoint for; a provider of that dialect may still offer it. */
const NOT_IN: Readonly<Record<Dialect, ReadonlySet<ModelCategory>>> = {
  OPENAI: new Set(),
  ANTHROPIC: new Set(["EMBEDDING", "IMAGE", "AUDIO", "MODERATION"]),
  GEMINI: new Set(["IMAGE", "AUDIO", "MODERATION"]),
};

/**
 * Each model once, under the provider that would be tried first: those of the catalogue, those that providers list
 * themselves, then the operator's aliases. Models of other dialects are listed too, because their calls are translated.
 */
export function listModels(request: ListRequest): readonly VisibleModel[] {
  const listed = new Map<string, VisibleModel>();
  for (const index of request.indexes) {
    const providers = new Map([...index.providers()].map((each) => [each.id, each]));
    for (const model of index.models) {
      const provider = providers.get(model.providerId);
      if (provider === undefined || listed.has(model.modelId)) continue;
      if (!fits(request, provider, model)) continue;
      listed.set(model.modelId, visible(provider, model));
    }
  }
  addTold(request, listed);
  for (const name of request.aliasNames) {
    if (listed.has(name) || !modelAllowed(request.allowlist, name)) continue;
    listed.set(name, {
      id: name,
      displayName: name,
      providerSlug: "latchkey",
      createdAt: 0,
      contextWindow: null,
      maxOutput: null,
    });
  }
  return [...listed.values()];
}

function addTold(request: ListRequest, listed: Map<string, VisibleModel>): void {
  const { indexes } = request;
  for (const [provider, models] of request.told) {
    for (const told of models) {
      const { modelId } = told;
      if (listed.has(modelId)) continue;
      // The catalogue may know it of another provider.
      const known = indexes.flatMap((index) => index.exact(modelId.toLowerCase()))[0]?.model;
      if (!fits(request, provider, { modelId, categories: known?.categories ?? [] })) continue;
      listed.set(modelId, visibleTold(provider, told, known));
    }
  }
}

function fits(
  request: ListRequest,
  provider: Provider,
  model: Pick<Model, "modelId" | "categories">,
): boolean {
  const missing = NOT_IN[request.dialect];
  if (
    provider.dialect !== request.dialect &&
    model.categories.some((category) => missing.has(category))
  ) {
    return false;
  }
  const named =
    modelAllowed(request.allowlist, model.modelId) ||
    modelAllowed(request.allowlist, `${provider.slug}/${model.modelId}`);
  return named && request.hasKeys(provider.id, model.modelId);
}

function visible(provider: Provider, model: Model): VisibleModel {
  return {
    id: model.modelId,
    displayName: model.displayName,
    providerSlug: provider.slug,
    createdAt: model.updatedAt,
    contextWindow: model.contextWindow,
    maxOutput: model.maxOutput,
    categories: model.categories,
  };
}

function visibleTold(
  { slug: providerSlug, updatedAt }: Provider,
  told: ToldModel,
  known: Model | null | undefined,
): VisibleModel {
  const { modelId: id, displayName } = told;
  return {
    id,
    displayName: displayName === id ? (known?.displayName ?? id) : displayName,
    providerSlug,
    createdAt: told.createdAt ?? updatedAt,
    contextWindow: told.contextWindow ?? known?.contextWindow ?? null,
    maxOutput: told.maxOutput ?? known?.maxOutput ?? null,
    categories: known?.categories ?? [],
  };
}

/** A model under a name by which it is not listed. */
export function unlisted(id: string, { provider, maxOutput }: RouteTarget): VisibleModel {
  const { slug: providerSlug, updatedAt: createdAt } = provider;
  return { id, displayName: id, providerSlug, createdAt, contextWindow: null, maxOutput };
}
