import type { Model, Price, Provider, RouteTarget } from "../core/provider.js";
import { type Match, MATCH_RANK, type NameIndex } from "./name-index.js";
import { presetProviderId } from "./presets.js";
import { nextPriceChange, priceAt } from "./price-table.js";

/**
 * A dated snapshot of a model, or its newest, whose bare name is listed: `-2026-03-05`, `-20250929`, `@20250929`, `-0613`
 * (a month and its day), `-2411` (a year and its month), `-latest`.
 */
const SNAPSHOT_SUFFIX =
  /[-@](?:\d{4}-\d{2}-\d{2}|\d{8}|(?:0[1-9]|1[0-2])[0-3]\d|2\d(?:0[1-9]|1[0-2])|latest)$/;
/** How OpenRouter is to serve a model, as in `:nitro`. What costs nothing there is a model of its own. */
const VARIANT_SUFFIX = /(?::(?!free\b)[a-z-]+)+$/;
/** As Google's own names of models begin, which its side in OpenAI's form takes as well as without. */
const RESOURCE = "models/";
/** Names that in a path, as Azure's deployments stand in one, would lead to another endpoint. */
const CLIMBING: ReadonlySet<string> = new Set([".", ".."]);

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
  return sorted.filter(({ provider, upstreamModel }) => {
    if (seen.has(provider.id) || CLIMBING.has(upstreamModel)) return false;
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
  const own = match.model ?? listedModel(provider.id, upstreamModel, index);
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
const OPENROUTER = presetProviderId("openrouter");

/** Azure's deployments mostly have the names of OpenAI's models, and cost what these do. */
function deployedModel(
  { authStyle }: Provider,
  upstreamModel: string,
  openai: NameIndex,
): Model | undefined {
  return authStyle === "AZURE" ? listedModel(OPENAI, upstreamModel, openai) : undefined;
}

/** A name that is not listed costs what the model does of which it is a snapshot or a variant. */
function listedModel(
  providerId: string,
  upstreamModel: string,
  index: NameIndex,
): Model | undefined {
  const name = upstreamModel.toLowerCase();
  const plain = providerId === OPENROUTER ? name.replace(VARIANT_SUFFIX, "") : name;
  return (
    index.modelOf(providerId, name) ??
    index.modelOf(providerId, plain) ??
    index.modelOf(providerId, plain.replace(SNAPSHOT_SUFFIX, ""))
  );
}

/** A model as its provider knows it: under another name for the same it would have no price. */
function nameAt({ dialect }: Provider, name: string): string {
  const isResource =
    dialect === "GEMINI" && name.startsWith(RESOURCE) && name.length > RESOURCE.length;
  return isResource ? name.slice(RESOURCE.length) : name;
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
  return indexes.flatMap((index) => {
    const provider = index.provider(slug);
    if (provider === undefined) return [];
    const rest = nameAt(provider, name.slice(at + 1));
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
