import { presetModels, servicesOf } from "../catalog/preset-models.js";
import { REWRITE_TARGETS_MAX } from "../catalog/rewrites.js";
import type { Actor } from "../core/audit.js";
import { DAY_MS } from "../core/durations.js";
import { invalidField } from "../core/fault.js";
import type { IdSource } from "../core/ids.js";
import type { Page, PageQuery } from "../core/page.js";
import type {
  ImagePrice,
  Model,
  ModelCategory,
  Price,
  ServiceTierPrice,
} from "../core/provider.js";
import { tierNamed } from "../core/service-tier.js";
import type { Operations } from "./operations.js";
import { changeableProvider, visibleTo } from "./providers.js";
import { cleanLine, SERVICE_CHARS_MAX } from "./validate.js";

const MODELS_AT_ONCE_MAX = 500;
const MODEL_ID_CHARS_MAX = 200;
const NAMES_MAX = 50;
const FALLBACK_CHARS_MAX = 255;
const SERVICES_MAX = 10;
const PRICES_MAX = 50;
const IMAGE_PRICES_MAX = 50;
const IMAGE_KIND_CHARS_MAX = 40;
const SERVICE_TIERS_MAX = 10;
const TIER_NAME = /^[a-z0-9_]{1,40}$/;
const TIER_PERCENT_MAX = 10_000;
const WINDOW_TOKENS_MAX = 1_000_000_000;
const PRICE_MICROS_MAX = 1_000_000_000_000;

/** What to store of one model; it replaces all that is stored of it. */
export interface ModelDraft {
  readonly modelId: string;
  /** Default: the model id. */
  readonly displayName?: string | undefined;
  readonly categories?: readonly ModelCategory[] | undefined;
  readonly services?: readonly string[] | undefined;
  readonly contextWindow?: number | null | undefined;
  readonly maxOutput?: number | null | undefined;
  readonly isDefault?: boolean | undefined;
  readonly aliases?: readonly string[] | undefined;
  readonly fallbacks?: readonly string[] | undefined;
  readonly prices?: readonly Price[] | undefined;
}

/** The models that providers offer. */
export class Models {
  readonly #operations: Operations;
  readonly #ids: IdSource;

  constructor(options: { operations: Operations; ids: IdSource }) {
    this.#operations = options.operations;
    this.#ids = options.ids;
  }

  /** One page of the models of providers that the caller may see. */
  async list(actor: Actor, query: PageQuery): Promise<Page<Model>> {
    return this.#operations.read(actor, "model.list", (reader) =>
      reader.models.list(visibleTo(actor, "model.list", query)),
    );
  }

  /** Adds models of a provider, or replaces those with the same model id; all or none. */
  async upsert(
    actor: Actor,
    providerId: string,
    drafts: readonly ModelDraft[],
  ): Promise<readonly Model[]> {
    if (drafts.length === 0 || drafts.length > MODELS_AT_ONCE_MAX) {
      throw invalidField("models", `must have 1 to ${String(MODELS_AT_ONCE_MAX)} entries`);
    }
    return this.#operations.write(actor, "model.upsert", async (tx, nowMs) => {
      const provider = await changeableProvider(tx, actor, "model.upsert", providerId);
      const cleaned = drafts.map((draft, index) =>
        cleanModel(`models[${String(index)}]`, draft, providerId),
      );
      const stored = await tx.models.idsOf(
        providerId,
        cleaned.map(({ modelId }) => modelId),
      );
      const models: Model[] = [];
      for (const [index, clean] of cleaned.entries()) {
        const id = stored.get(clean.modelId) ?? this.#ids.next("mdl");
        const model: Model = { id, providerId, ...clean, updatedAt: notMidnight(nowMs) };
        if (models.some((other) => other.modelId === model.modelId)) {
          throw invalidField(`models[${String(index)}].model_id`, "is there twice");
        }
        await tx.models.upsert(model);
        models.push(model);
      }
      return {
        value: models,
        targetId: providerId,
        targetName: provider.displayName,
        changedFields: ["models"],
        note: noteOf(models.map((model) => model.modelId)),
      };
    });
  }

  /** Removes models; preset ones become again what they were delivered as. Returns how many it touched. */
  async delete(actor: Actor, providerId: string, modelIds: readonly string[]): Promise<number> {
    if (modelIds.length === 0 || modelIds.length > MODELS_AT_ONCE_MAX) {
      throw invalidField("model_ids", `must have 1 to ${String(MODELS_AT_ONCE_MAX)} entries`);
    }
    return this.#operations.write(actor, "model.delete", async (tx) => {
      const provider = await changeableProvider(tx, actor, "model.delete", providerId);
      const stored = await tx.models.idsOf(providerId, modelIds);
      const presets = new Map(presetModels().map((model) => [model.id, model]));
      const gone = [...new Set(modelIds)].filter((modelId) => stored.has(modelId));
      for (const modelId of gone) {
        const id = stored.get(modelId) ?? "";
        const preset = presets.get(id);
        if (preset === undefined) await tx.models.delete(id);
        else await tx.models.upsert(preset);
      }
      return {
        value: gone.length,
        targetId: providerId,
        targetName: provider.displayName,
        changedFields: ["models"],
        note: noteOf(gone),
      };
    });
  }
}

/**
 * A preset row that nobody has changed is recognised by its time, which is a midnight: no other row may have such a
 * time.
 */
function notMidnight(nowMs: number): number {
  return nowMs % DAY_MS === 0 ? nowMs + 1 : nowMs;
}

/** A few names; the audit log is no place for five hundred. */
function noteOf(modelIds: readonly string[]): string {
  const shown = modelIds.slice(0, 5).join(", ");
  return modelIds.length > 5 ? `${shown} and ${String(modelIds.length - 5)} more` : shown;
}

function cleanModel(
  field: string,
  draft: ModelDraft,
  providerId: string,
): Omit<Model, "id" | "providerId" | "updatedAt"> {
  const modelId = cleanLine(`${field}.model_id`, draft.modelId, MODEL_ID_CHARS_MAX);
  if (modelId === "") throw invalidField(`${field}.model_id`, "a model id is required");
  const displayName = cleanLine(
    `${field}.display_name`,
    draft.displayName ?? "",
    MODEL_ID_CHARS_MAX,
  );
  const names = { max: NAMES_MAX, charsMax: MODEL_ID_CHARS_MAX };
  const services = { max: SERVICES_MAX, charsMax: SERVICE_CHARS_MAX };
  const fallbacks = { max: REWRITE_TARGETS_MAX, charsMax: FALLBACK_CHARS_MAX };
  return {
    modelId,
    displayName: displayName === "" ? modelId : displayName,
    categories: [...new Set(draft.categories ?? [])],
    // Without any said, a preset provider's services are those that its model id fits.
    services: cleanNames(
      `${field}.services`,
      draft.services ?? servicesOf(providerId, modelId),
      services,
    ),
    contextWindow: cleanTokens(`${field}.context_window`, draft.contextWindow ?? null),
    maxOutput: cleanTokens(`${field}.max_output`, draft.maxOutput ?? null),
    isDefault: draft.isDefault ?? false,
    aliases: cleanNames(`${field}.aliases`, draft.aliases ?? [], names),
    fallbacks: cleanNames(`${field}.fallbacks`, draft.fallbacks ?? [], fallbacks),
    prices: cleanPrices(`${field}.prices`, draft.prices ?? []),
  };
}

function cleanNames(
  field: string,
  raw: readonly string[],
  limit: { readonly max: number; readonly charsMax: number },
): readonly string[] {
  if (raw.length > limit.max) {
    throw invalidField(field, `must have at most ${String(limit.max)} entries`);
  }
  const names = raw.map((name) => cleanLine(field, name, limit.charsMax));
  if (names.includes("")) throw invalidField(field, "must not hold an empty name");
  return [...new Set(names)];
}

function cleanTokens(field: string, value: number | null): number | null {
  if (value === null) return null;
  if (Number.isInteger(value) && value > 0 && value <= WINDOW_TOKENS_MAX) return value;
  throw invalidField(field, "must be a whole number of tokens above 0, or unset if unknown");
}

/** Oldest first, no two from the same moment. */
function cleanPrices(field: string, raw: readonly Price[]): readonly Price[] {
  if (raw.length > PRICES_MAX) {
    throw invalidField(field, `must have at most ${String(PRICES_MAX)} entries`);
  }
  for (const [index, price] of raw.entries()) checkPrice(`${field}[${String(index)}]`, price);
  const prices = raw.toSorted((a, b) => a.effectiveFrom - b.effectiveFrom);
  const moments = new Set(prices.map((price) => price.effectiveFrom));
  if (moments.size < prices.length) throw invalidField(field, "has two prices from one moment");
  return prices;
}

function checkPrice(field: string, price: Price): void {
  const { effectiveFrom, longContextFrom, images, serviceTiers, ...amounts } = price;
  if (!Number.isSafeInteger(effectiveFrom)) {
    throw invalidField(`${field}.effective_time`, "is not a moment in time");
  }
  if (longContextFrom !== null) cleanTokens(`${field}.above_input_tokens`, longContextFrom);
  for (const amount of Object.values(amounts)) {
    if (amount !== null) checkMicros(field, amount);
  }
  checkImages(`${field}.image_prices`, images ?? []);
  checkTiers(`${field}.service_tiers`, serviceTiers ?? []);
}

function checkMicros(field: string, amount: number): void {
  if (!Number.isSafeInteger(amount) || amount < 0 || amount > PRICE_MICROS_MAX) {
    throw invalidField(field, "must hold whole numbers of micros, 0 or more");
  }
}

function checkImages(field: string, rows: readonly ImagePrice[]): void {
  if (rows.length > IMAGE_PRICES_MAX) {
    throw invalidField(field, `must have at most ${String(IMAGE_PRICES_MAX)} entries`);
  }
  for (const { size, quality, micros } of rows) {
    cleanLine(field, size, IMAGE_KIND_CHARS_MAX);
    cleanLine(field, quality, IMAGE_KIND_CHARS_MAX);
    checkMicros(field, micros);
  }
  const kinds = new Set(rows.map(({ size, quality }) => `${size} ${quality}`.toLowerCase()));
  if (kinds.size < rows.length)
    throw invalidField(field, "has two prices for one size and quality");
}

function checkTiers(field: string, rows: readonly ServiceTierPrice[]): void {
  if (rows.length > SERVICE_TIERS_MAX) {
    throw invalidField(field, `must have at most ${String(SERVICE_TIERS_MAX)} entries`);
  }
  for (const { tier, percent } of rows) {
    if (!TIER_NAME.test(tier) || tierNamed(tier) !== tier) {
      throw invalidField(
        field,
        "must name tiers such as `priority`; the ordinary one has the prices beside it",
      );
    }
    if (!(percent >= 0 && percent <= TIER_PERCENT_MAX)) {
      throw invalidField(field, `must have percentages from 0 to ${String(TIER_PERCENT_MAX)}`);
    }
  }
  if (new Set(rows.map(({ tier }) => tier)).size < rows.length)
    throw invalidField(field, "has one tier twice");
}
