import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  Model_Category,
  Model_Source,
  type ModelDraft as ModelDraftMessage,
  type ModelPrice,
  type ModelPriceSchema,
  type ModelSchema,
} from "../../../proto/gen/latchkey/v1/providers_pb.js";
import type { Catalog } from "../../catalog/catalog.js";
import { priceAt } from "../../catalog/price-table.js";
import { DAY_MS } from "../../core/durations.js";
import { invalidField } from "../../core/fault.js";
import type { Model, ModelCategory, Price, PriceParts } from "../../core/provider.js";
import type { ModelDraft } from "../../keys/models.js";
import type { NameLookup } from "../names.js";
import type { ListFields } from "../page-query.js";
import {
  amountOf,
  given,
  int64,
  msOf,
  numberOf,
  refuse,
  timeOf,
  wordOf,
  type EnumWords,
} from "./values.js";

/** Preset rows carry a midnight as their update time; what an admin changed carries the wall clock. */
const ADMIN = "admin";

export const CATEGORY_MESSAGES: Record<ModelCategory, Model_Category> = {
  CHAT: Model_Category.CHAT,
  CODE: Model_Category.CODE,
  LONG_CONTEXT: Model_Category.LONG_CONTEXT,
  MULTIMODAL: Model_Category.MULTIMODAL,
  REASONING: Model_Category.REASONING,
  ECONOMY: Model_Category.ECONOMY,
  IMAGE: Model_Category.IMAGE,
  EMBEDDING: Model_Category.EMBEDDING,
  AUDIO: Model_Category.AUDIO,
  MODERATION: Model_Category.MODERATION,
};

const CATEGORY_WORDS: EnumWords<typeof Model_Category, ModelCategory> = {
  UNSPECIFIED: undefined,
  CHAT: "CHAT",
  CODE: "CODE",
  LONG_CONTEXT: "LONG_CONTEXT",
  MULTIMODAL: "MULTIMODAL",
  REASONING: "REASONING",
  IMAGE: "IMAGE",
  AUDIO: "AUDIO",
  VIDEO: undefined,
  EMBEDDING: "EMBEDDING",
  RERANK: undefined,
  MODERATION: "MODERATION",
  ECONOMY: "ECONOMY",
};

/** Fields that lists of models can be filtered and sorted by. */
export const MODEL_FIELDS: ListFields = {
  provider: "provider",
  model_id: "modelId",
  display_name: "displayName",
  categories: { name: "categories", kind: "enum" },
  services: "services",
  aliases: "aliases",
  context_window_tokens: "contextWindowTokens",
  max_output_tokens: "maxOutputTokens",
  is_default: "isDefault",
  unpriced: "unpriced",
  update_time: "updateTime",
};

/** What the catalogue's aliases and fallback chains make of a model. */
export type RewritesOf = Catalog["rewritesOf"];

export function modelMessage(
  model: Model,
  context: {
    readonly names: Pick<NameLookup, "providerSlugOf">;
    readonly rewritesOf: RewritesOf;
    readonly nowMs: number;
  },
): MessageInitShape<typeof ModelSchema> {
  const isPreset = model.updatedAt % DAY_MS === 0;
  const price = (each: Price) => priceMessage(each, isPreset ? "" : ADMIN);
  const current = priceAt(model.prices, context.nowMs);
  const { aliases: catalogAliases, fallbacks: catalogFallbacks } = context.rewritesOf(model);
  return {
    providerId: model.providerId,
    providerSlug: context.names.providerSlugOf(model.providerId),
    modelId: model.modelId,
    displayName: model.displayName,
    categories: model.categories.map((category) => CATEGORY_MESSAGES[category]),
    contextWindowTokens: int64(model.contextWindow ?? 0),
    maxOutputTokens: int64(model.maxOutput ?? 0),
    prices: model.prices.toReversed().map(price),
    ...(current === null ? {} : { currentPrice: price(current) }),
    aliases: [...model.aliases],
    fallbacks: [...model.fallbacks],
    catalogAliases: [...catalogAliases],
    catalogFallbacks: [...catalogFallbacks],
    services: [...model.services],
    isDefault: model.isDefault,
    enabled: true,
    source: isPreset ? Model_Source.PRESET : Model_Source.ADMIN,
    updateTime: timeOf(model.updatedAt),
  };
}

function priceMessage(price: Price, source: string): MessageInitShape<typeof ModelPriceSchema> {
  const { longContextFrom } = price;
  return {
    effectiveTime: timeOf(price.effectiveFrom),
    inputMicrosPerMillion: int64(price.input),
    outputMicrosPerMillion: int64(price.output),
    ...optional("cacheReadMicrosPerMillion", price.cacheRead),
    ...optional("cacheWriteMicrosPerMillion", price.cacheWrite),
    ...optional("cacheWriteLongMicrosPerMillion", price.cacheWriteLong),
    ...optional("audioInputMicrosPerMillion", price.audioInput),
    ...optional("audioOutputMicrosPerMillion", price.audioOutput),
    ...optional("audioCacheReadMicrosPerMillion", price.audioCacheRead),
    ...optional("imageInputMicrosPerMillion", price.imageInput),
    ...optional("imageOutputMicrosPerMillion", price.imageOutput),
    ...optional("imageCacheReadMicrosPerMillion", price.imageCacheRead),
    ...optional("audioHourMicros", price.audioHour),
    ...optional("perImageMicros", price.perImage),
    imagePrices: (price.images ?? []).map(({ size, quality, micros }) => {
      return { size, quality, micros: int64(micros) };
    }),
    ...optional("speechMicrosPerMillionCharacters", price.speechCharacters),
    ...optional("webSearchesMicrosPerThousand", price.webSearches),
    ...optional("batchPercent", price.batchPercent),
    serviceTiers: [...(price.serviceTiers ?? [])],
    longContext:
      longContextFrom === null
        ? []
        : [
            {
              aboveInputTokens: int64(longContextFrom),
              ...optional("inputMicrosPerMillion", price.longContextInput),
              ...optional("outputMicrosPerMillion", price.longContextOutput),
              ...optional("cacheReadMicrosPerMillion", price.longContextCacheRead),
              ...optional("cacheWriteMicrosPerMillion", price.longContextCacheWrite),
              ...optional("cacheWriteLongMicrosPerMillion", price.longContextCacheWriteLong),
            },
          ],
    source,
  };
}

function optional<K extends string>(
  name: K,
  value: number | null | undefined,
): { [P in K]?: bigint } {
  return value === null || value === undefined
    ? {}
    : ({ [name]: int64(value) } as { [P in K]: bigint });
}

/** Throws `invalid_argument` for what this server cannot keep of a model; `field` is the draft's path. */
export function modelDraftOf(field: string, draft: ModelDraftMessage): ModelDraft {
  refuse(
    `${field}.disabled`,
    draft.disabled,
    "this server does not switch off single models; use a client key's model_allowlist.",
  );
  return {
    modelId: draft.modelId,
    displayName: given(draft.displayName),
    categories: draft.categories.flatMap(
      (each, i) => wordOf(`${field}.categories[${i}]`, Model_Category, CATEGORY_WORDS, each) ?? [],
    ),
    services: draft.services.length === 0 ? undefined : draft.services,
    contextWindow: amountOf(`${field}.context_window_tokens`, draft.contextWindowTokens),
    maxOutput: amountOf(`${field}.max_output_tokens`, draft.maxOutputTokens),
    isDefault: draft.isDefault,
    aliases: draft.aliases,
    fallbacks: draft.fallbacks,
    prices: draft.prices.map((price, i) => priceOf(`${field}.prices[${i}]`, price)),
  };
}

function priceOf(field: string, price: ModelPrice): Price {
  const [long, second] = price.longContext;
  refuseUnpriceable(field, price);
  refuse(
    `${field}.long_context`,
    second !== undefined,
    "this server keeps one price for long inputs.",
  );
  const amount = (name: string, value: bigint | undefined): number | null =>
    value === undefined ? null : numberOf(`${field}.${name}`, value);
  const ofTokens = (name: string, value: bigint | undefined): number =>
    value === undefined && hasUnits(price) ? 0 : requiredAmount(`${field}.${name}`, value);
  return {
    effectiveFrom: msOf(price.effectiveTime) ?? 0,
    input: ofTokens("input_micros_per_million", price.inputMicrosPerMillion),
    output: ofTokens("output_micros_per_million", price.outputMicrosPerMillion),
    cacheRead: amount("cache_read_micros_per_million", price.cacheReadMicrosPerMillion),
    cacheWrite: amount("cache_write_micros_per_million", price.cacheWriteMicrosPerMillion),
    longContextFrom: amount("long_context[0].above_input_tokens", long?.aboveInputTokens),
    longContextInput: amount("long_context[0]", long?.inputMicrosPerMillion),
    longContextOutput: amount("long_context[0]", long?.outputMicrosPerMillion),
    longContextCacheRead: amount("long_context[0]", long?.cacheReadMicrosPerMillion),
    longContextCacheWrite: amount("long_context[0]", long?.cacheWriteMicrosPerMillion),
    ...partsOf(field, price),
  };
}

/** What has a price of its own; absent where it has none, as in the catalogue. */
function partsOf(field: string, price: ModelPrice): PriceParts {
  const [long] = price.longContext;
  const given: Readonly<
    Record<Exclude<keyof PriceParts, "images" | "serviceTiers">, bigint | undefined>
  > = {
    cacheWriteLong: price.cacheWriteLongMicrosPerMillion,
    longContextCacheWriteLong: long?.cacheWriteLongMicrosPerMillion,
    audioInput: price.audioInputMicrosPerMillion,
    audioOutput: price.audioOutputMicrosPerMillion,
    audioCacheRead: price.audioCacheReadMicrosPerMillion,
    imageInput: price.imageInputMicrosPerMillion,
    imageOutput: price.imageOutputMicrosPerMillion,
    imageCacheRead: price.imageCacheReadMicrosPerMillion,
    audioHour: price.audioHourMicros,
    perImage: price.perImageMicros,
    speechCharacters: price.speechMicrosPerMillionCharacters,
    webSearches: price.webSearchesMicrosPerThousand,
    batchPercent: price.batchPercent,
  };
  const parts = Object.entries(given).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, numberOf(field, value)] as const],
  );
  const images = price.imagePrices.map(({ size, quality, micros }, i) => {
    const at = `${field}.image_prices[${i}]`;
    return { size, quality, micros: numberOf(`${at}.micros`, micros) };
  });
  const serviceTiers = price.serviceTiers.map(({ tier, percent }) => ({ tier, percent }));
  return {
    ...Object.fromEntries(parts),
    ...(images.length === 0 ? {} : { images }),
    ...(serviceTiers.length === 0 ? {} : { serviceTiers }),
  };
}

/** Models that are paid by what they make or hear need not have a price for tokens. */
function hasUnits(price: ModelPrice): boolean {
  const { audioHourMicros, perImageMicros, imagePrices } = price;
  const { speechMicrosPerMillionCharacters: speech } = price;
  const amounts = [audioHourMicros, perImageMicros, speech];
  return imagePrices.length > 0 || amounts.some((amount) => amount !== undefined);
}

function refuseUnpriceable(field: string, price: ModelPrice): void {
  const why =
    "this server prices tokens, seconds, images, characters and searches, as replies and requests tell them.";
  const { perCallMicros, source } = price;
  refuse(`${field}.per_call_micros`, perCallMicros !== undefined, why);
  refuse(
    `${field}.source`,
    source !== "" && source !== ADMIN,
    `is not kept here; leave it out or say ${ADMIN}.`,
  );
}

function requiredAmount(field: string, value: bigint | undefined): number {
  if (value !== undefined) return numberOf(field, value);
  throw invalidField(
    field,
    "must be given; 0 is free. Leave the whole price out for an unpriced model.",
  );
}
