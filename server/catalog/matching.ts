import type { Model, Price, Provider, RouteTarget } from "../core/provider.js";
import { type Match, MATCH_RANK, type NameIndex } from "./name-index.js";
import { presetProviderId } from "./presets.js";
import { nextPriceChange, priceAt } from "./price-table.js";

/** A dated snapshot of a model, whose undated name is listed: `-2026-03-05`, `-20250929`, `@20250929`. */
const SNAPSHOT_SUFFIX = /[-@](?:\d{4}-\d{2}-\d{2}|\d{8})$/;

/**
 * All ways to serve a name in a row of indexes, the more specific first; at the same specificity the
 * earlier index wins, then the earlier provider. One match for each provider. `provider/model` goes to that
 * provider before a reseller who lists the whole text as an id; but where the provider does not list the
 * model and somebody else lists the whole text, that is what is meant, as vendors put slashes into ids.
 */
export function matchesOf(
  name: string,
  indexes: readonly NameIndex[],
  slugOf: (prefix: string) => string,
): readonly Match[] {
  const lower = name.toLowerCase();
  const exact = indexes.flatMap((index) => index.exact(lower));
  const prefixed = prefixMatches(name, indexes, slugOf);
  const found = [
    ...prefixed.filter((match) => match.model !== null || exact.length === 0),
    ...exact,
    ...indexes.flatMap((index) => index.alias(lower)),
    ...indexes.flatMap((index) => index.service(lower)),
    ...indexes.flatMap((index) => index.byPattern(name)),
  ];
  // Sorting is stable, so what the indexes gave first stays first within one rank.
  const sorted = found.toSorted((a, b) => a.rank - b.rank || longerPattern(a, b));
  const seen = new Set<string>();
  return sorted.filter(({ provider }) => {
    if (seen.has(provider.id)) return false;
    seen.add(provider.id);
    return true;
  });
}

/** What the models of targets are looked up in. */
export interface Lookup {
  /** Of the provider's own models. */
  readonly index: NameIndex;
  /** Of OpenAI's, whether or not it is in use here. */
  readonly openai: NameIndex;
  readonly nowMs: number;
}

/** The target of a match, with the price in force, and for which times it may be kept. */
export function toTarget(
  match: Match,
  { index, openai, nowMs }: Lookup,
): { target: RouteTarget; validFromMs: number; validUntilMs: number } {
  const { provider, upstreamModel } = match;
  const own = match.model ?? undatedModel(provider, upstreamModel, index);
  const model = own ?? deployedModel(provider, upstreamModel, openai);
  const prices = model?.prices ?? [];
  const price = priceAt(prices, nowMs);
  return {
    target: {
      provider,
      upstreamModel,
      price,
      maxOutput: model?.maxOutput ?? null,
      listed: own !== undefined,
      takesAny: match.rank === MATCH_RANK.anything,
    },
    validFromMs: price?.effectiveFrom ?? -Infinity,
    validUntilMs: nextPriceChange(prices, nowMs),
  };
}

/** The price in force of a model as its provider's replies name it; null if there is none. */
export function priceOf(
  provider: Provider,
  upstreamModel: string,
  { index, openai, nowMs }: Lookup,
): Price | null {
  const model =
    listedModel(provider.id, upstreamModel, index) ??
    deployedModel(provider, upstreamModel, openai);
  return priceAt(model?.prices ?? [], nowMs);
}

const OPENAI = presetProviderId("openai");

/** Azure's deployments mostly have the names of OpenAI's models, and cost what these do. */
function deployedModel(
  { authStyle }: Provider,
  upstreamModel: string,
  openai: NameIndex,
): Model | undefined {
  return authStyle === "AZURE" ? listedModel(OPENAI, upstreamModel, openai) : undefined;
}

function listedModel(
  providerId: string,
  upstreamModel: string,
  index: NameIndex,
): Model | undefined {
  const name = upstreamModel.toLowerCase();
  return index.modelOf(providerId, name) ?? index.modelOf(providerId, undated(name));
}

/** A snapshot that is not listed costs what the model does that it is a snapshot of. */
function undatedModel(
  provider: Provider,
  upstreamModel: string,
  index: NameIndex,
): Model | undefined {
  return index.modelOf(provider.id, undated(upstreamModel.toLowerCase()));
}

function undated(name: string): string {
  return name.replace(SNAPSHOT_SUFFIX, "");
}

function longerPattern(a: Match, b: Match): number {
  return a.rank === MATCH_RANK.pattern ? b.literalChars - a.literalChars : 0;
}

/** `openai/gpt-5` and `openai:gpt-5`: a provider that is named is used, even for a model that no list has. */
function prefixMatches(
  name: string,
  indexes: readonly NameIndex[],
  slugOf: (prefix: string) => string,
): readonly Match[] {
  const at = name.search(/[/:]/);
  if (at <= 0 || at === name.length - 1) return [];
  const slug = slugOf(name.slice(0, at).toLowerCase());
  const rest = name.slice(at + 1);
  return indexes.flatMap((index) => {
    const provider = index.provider(slug);
    if (provider === undefined) return [];
    const model = index.modelOf(provider.id, rest.toLowerCase()) ?? null;
    const upstreamModel = model?.modelId ?? rest;
    return [
      {
        provider,
        model,
        upstreamModel,
        rank: model === null ? MATCH_RANK.providerPrefix : MATCH_RANK.exact,
        literalChars: name.length,
      },
    ];
  });
}
