import { assert } from "../core/assert.js";
import { DAY_MS } from "../core/durations.js";
import { globMatches } from "../core/glob.js";
import type { Model, ModelCategory, Price } from "../core/provider.js";
import { MEDIA_ROWS } from "./data/media-prices.js";
import { CURATED_MODELS, type CuratedModel, SERVICES } from "./data/models.js";
import { PRICE_ROWS } from "./data/prices.js";
import { TIER_ROWS } from "./data/tier-prices.js";
import { presetProviderId } from "./presets.js";
import { type PriceRow, toPrice } from "./price-table.js";

/**
 * The date of the catalogue, midnight UTC. Preset rows carry it as their update time, which tells them
 * from rows that an administrator has changed: those carry the wall clock.
 */
export const CATALOG_DATE_MS = Date.UTC(2026, 10, 22);

const LONG_CONTEXT_TOKENS = 400_000;

/** The stable id of a preset model, e.g. `mdl_openai_gpt-4o`; what is not plain in a model id becomes `~`. */
export function presetModelId(slug: string, modelId: string): string {
  return `mdl_${slug}_${modelId.replaceAll(/[^\w.-]/g, "~")}`;
}

/** All models that Latchkey knows, with labels, services, limits and prices. */
export function presetModels(): readonly Model[] {
  const curated = new Map(CURATED_MODELS.map((model) => [keyOf(model.provider, model.id), model]));
  const rows = [...PRICE_ROWS, ...MEDIA_ROWS];
  const priced = new Map(rows.map((row) => [keyOf(row[0], row[1]), row]));
  const keys = new Set([...curated.keys(), ...priced.keys()]);
  return [...keys].map((key) => toModel(curated.get(key), priced.get(key)));
}

/** The services of a model id at a provider, e.g. `qwen` for `qwen-plus` at `prv_alibaba`. */
export function servicesOf(providerId: string, modelId: string): readonly string[] {
  return SERVICES.filter(
    (each) =>
      presetProviderId(each.provider) === providerId &&
      each.models.some((pattern) => globMatches(pattern, modelId)),
  ).map((each) => each.service);
}

/**
 * Which preset rows a start should write: those that are missing, and those that an older release wrote
 * and nobody has changed since. What an administrator edited stays.
 */
export function outdatedPresets(stored: ReadonlyMap<string, Model>): readonly Model[] {
  return presetModels().filter((preset) => {
    const row = stored.get(preset.id);
    if (row === undefined) return true;
    return row.updatedAt % DAY_MS === 0 && row.updatedAt < preset.updatedAt;
  });
}

function toModel(curated: CuratedModel | undefined, row: PriceRow | undefined): Model {
  const generated = row === undefined ? undefined : fromRow(row);
  const known = curated ?? generated;
  assert(known !== undefined, "a preset model comes from at least one of the two tables");
  const providerId = presetProviderId(known.provider);
  return {
    id: presetModelId(known.provider, known.id),
    providerId,
    modelId: known.id,
    displayName: known.name,
    categories: known.categories,
    services: servicesOf(providerId, known.id),
    contextWindow: known.context ?? generated?.context ?? null,
    maxOutput: generated?.maxOutput ?? null,
    isDefault: curated?.isDefault ?? false,
    aliases: curated?.aliases ?? [],
    fallbacks: [],
    prices: generated?.prices ?? [],
    updatedAt: CATALOG_DATE_MS,
  };
}

interface GeneratedModel extends CuratedModel {
  readonly maxOutput: number | null;
  readonly prices: readonly Price[];
}

function fromRow(row: PriceRow): GeneratedModel {
  const [provider, id, name, context, maxOutput, abilities, prices] = row;
  return {
    provider,
    id,
    name,
    categories: guessCategories(id, abilities, context),
    context,
    maxOutput,
    prices: prices.map((cells) => withTiers(toPrice(cells), provider, id)),
  };
}

function withTiers(price: Price, provider: string, modelId: string): Price {
  const row = TIER_ROWS.find(([of, ids]) => of === provider && globMatches(ids, modelId));
  return row === undefined ? price : { ...price, serviceTiers: row[2] };
}

/** What a model's name tells about it where no row does; where several fit, the first counts. */
const KINDS: readonly (readonly [RegExp, ModelCategory])[] = [
  [/embed/, "EMBEDDING"],
  [/moderation|guard/, "MODERATION"],
  [/image|dall-e|imagen|wanx|-t2i-|flux/, "IMAGE"],
  [/whisper|tts|transcribe|audio|realtime|voice|voxtral|live/, "AUDIO"],
  [/code|codex|codestral|devstral|coder/, "CODE"],
];
const CHEAP = /(?:^|[-_.])(?:mini|nano|lite|flash|haiku|turbo|small|air|instant|8b|3b)(?:$|[-_.])/;

function guessCategories(
  modelId: string,
  abilities: string,
  contextWindow: number | null,
): readonly ModelCategory[] {
  const name = modelId.toLowerCase();
  const kind = KINDS.find(([pattern]) => pattern.test(name))?.[1] ?? "CHAT";
  const categories: ModelCategory[] = [kind];
  if (kind !== "CHAT" && kind !== "CODE") return categories;
  if (abilities.includes("r")) categories.push("REASONING");
  if (abilities.includes("v")) categories.push("MULTIMODAL");
  if ((contextWindow ?? 0) >= LONG_CONTEXT_TOKENS) categories.push("LONG_CONTEXT");
  if (CHEAP.test(name)) categories.push("ECONOMY");
  return categories;
}

function keyOf(slug: string, modelId: string): string {
  return `${slug} ${modelId}`;
}
