import { NO_TOKENS, type TokenUsage, type UsageCounts, type UsageParts } from "../core/call.js";
import { batchPrice } from "../core/batch.js";
import { bounded } from "../core/bytes.js";
import type { Price } from "../core/provider.js";
import type { ToldUse } from "../dialect/batch-use.js";
import { BATCH_MODELS_MAX } from "./limits.js";

const MODEL_CHARS_MAX = 256;

/** What a batch used of one model. */
export interface ModelSum {
  readonly model: string;
  readonly tokens: TokenUsage;
  /** Micro-US-dollars; null when the model has no price. */
  readonly costMicros: number | null;
}

export interface SumsOptions {
  /** Of a model, as the provider calls it; null if it has none. */
  readonly priceOf: (model: string) => Price | null;
  /** Of tokens at a price. */
  readonly costOf: (price: Price | null, tokens: TokenUsage) => number | null;
}

/** Prices hold for each request by its own length, so those above the threshold are added up apart. */
interface Group {
  readonly price: Price | null;
  plain: TokenUsage;
  long: TokenUsage;
}

/** Adds up what the requests of a batch used, for each model. */
export class BatchSums {
  readonly #options: SumsOptions;
  readonly #groups = new Map<string, Group>();
  /** Requests that were served and do not tell what they used. */
  untold = 0;
  /** Results that could not be read. */
  unreadable = 0;
  /** Results that were read. */
  read = 0;

  constructor(options: SumsOptions) {
    this.#options = options;
  }

  /** Nothing was used, as far as is known. */
  get isEmpty(): boolean {
    return this.#groups.size === 0;
  }

  /** What one request used. */
  add({ model, tokens }: ToldUse): void {
    const group = this.#group(model);
    const from = group.price?.longContextFrom ?? null;
    if (from !== null && tokens.input > from) group.long = plus(group.long, tokens);
    else group.plain = plus(group.plain, tokens);
  }

  /** What several requests used together, of which none is known apart. */
  addAll({ model, tokens }: ToldUse): void {
    const group = this.#group(model);
    group.plain = plus(group.plain, tokens);
  }

  get sums(): readonly ModelSum[] {
    return [...this.#groups].map(([model, { price, plain, long }]) => {
      const costs = [
        this.#cost(price, plain, null),
        // Whatever these were is above the threshold.
        this.#cost(price, long, 0),
      ];
      const costMicros = costs.some((cost) => cost === null)
        ? null
        : costs.reduce<number>((sum, cost) => sum + (cost ?? 0), 0);
      return { model, tokens: plus(plain, long), costMicros };
    });
  }

  #cost(price: Price | null, tokens: TokenUsage, longContextFrom: number | null): number | null {
    if (price === null) return null;
    return this.#options.costOf({ ...batchPrice(price), longContextFrom }, tokens);
  }

  #group(told: string): Group {
    const isKnown = this.#groups.has(told) || this.#groups.size < BATCH_MODELS_MAX;
    const model = isKnown ? bounded(told, MODEL_CHARS_MAX) : "";
    const known = this.#groups.get(model);
    if (known !== undefined) return known;
    const price = model === "" ? null : this.#options.priceOf(model);
    const group = { price, plain: NO_TOKENS, long: NO_TOKENS };
    this.#groups.set(model, group);
    return group;
  }
}

function plus(a: TokenUsage, b: TokenUsage): TokenUsage {
  const tokens = {
    input: a.input + b.input,
    output: a.output + b.output,
    cacheRead: a.cacheRead + b.cacheRead,
    cacheWrite: a.cacheWrite + b.cacheWrite,
    reasoning: a.reasoning + b.reasoning,
  };
  if (a.parts === undefined && b.parts === undefined) return tokens;
  return { ...tokens, parts: plusParts(a.parts ?? {}, b.parts ?? {}) };
}

/** Of which kind images are is lost in a sum; those of a tool are not told there, and batches have their own price. */
function plusParts(a: UsageParts, b: UsageParts): UsageCounts {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof UsageParts>;
  names.delete("imageSize");
  names.delete("imageQuality");
  names.delete("imageTool");
  names.delete("serviceTier");
  const counts = names as Set<keyof UsageCounts>;
  return Object.fromEntries([...counts].map((name) => [name, (a[name] ?? 0) + (b[name] ?? 0)]));
}
