/** The API language that a provider, or a caller, speaks. */
export type Dialect = "OPENAI" | "ANTHROPIC" | "GEMINI";

/** How the provider wants its key. */
export type AuthStyle = "BEARER" | "X_API_KEY" | "X_GOOG_API_KEY" | "AZURE";

/** An upstream API. */
export interface Provider {
  readonly id: string;
  /** Unique short name, e.g. `openai`. */
  readonly slug: string;
  readonly displayName: string;
  readonly baseUrl: string;
  readonly dialect: Dialect;
  readonly authStyle: AuthStyle;
  readonly description: string;
  readonly custom: boolean;
  /** The user who added a custom provider; null for presets. */
  readonly createdBy: string | null;
  readonly enabled: boolean;
  /** Globs of model ids that this provider serves besides its listed models, e.g. `gpt-*`; `*` takes any. */
  readonly modelPatterns: readonly string[];
  readonly createdAt: number;
  readonly updatedAt: number;
}

export type ModelCategory =
  | "CHAT"
  | "CODE"
  | "LONG_CONTEXT"
  | "MULTIMODAL"
  | "REASONING"
  | "ECONOMY"
  | "IMAGE"
  | "EMBEDDING"
  | "AUDIO"
  | "MODERATION";

/** The price of an image of one size and quality, in micro-US-dollars. */
export interface ImagePrice {
  /** As requests name it, such as `1024x1792`; empty for any. */
  readonly size: string;
  /** As requests name it, such as `hd`; empty for any. */
  readonly quality: string;
  readonly micros: number;
}

/** What a call in a service tier costs, of the prices beside it. */
export interface ServiceTierPrice {
  /** As requests and replies name it, in lower case, such as `priority`. */
  readonly tier: string;
  /** 200 is twice as much. */
  readonly percent: number;
}

/** What some models price apart, in micro-US-dollars; what is missing is billed as the tokens it is part of. */
export interface PriceParts {
  /** Per million tokens. */
  readonly cacheWriteLong?: number | null;
  readonly longContextCacheWriteLong?: number | null;
  readonly audioInput?: number | null;
  readonly audioOutput?: number | null;
  readonly audioCacheRead?: number | null;
  readonly imageInput?: number | null;
  readonly imageOutput?: number | null;
  readonly imageCacheRead?: number | null;
  /** Per hour of audio; such a model counts no tokens. */
  readonly audioHour?: number | null;
  /** Per image that is made, of those for which `images` has no row. */
  readonly perImage?: number | null;
  /** Images by size and quality. The first is what the provider makes where a request does not say. */
  readonly images?: readonly ImagePrice[];
  /** Per million characters of text that is spoken. */
  readonly speechCharacters?: number | null;
  /** Per thousand searches in the web; missing is free. */
  readonly webSearches?: number | null;
  /** The percentage of these prices that requests in batches cost; missing is half. */
  readonly batchPercent?: number | null;
  /** Service tiers that cost more or less than these prices. */
  readonly serviceTiers?: readonly ServiceTierPrice[];
}

/** Prices in micro-US-dollars per million tokens, from a date on. A missing part is billed as `input`. */
export interface Price extends PriceParts {
  /** Milliseconds since the epoch. */
  readonly effectiveFrom: number;
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number | null;
  readonly cacheWrite: number | null;
  /** Above this many input tokens the long-context prices hold for the whole call; null if there is no such tier. */
  readonly longContextFrom: number | null;
  readonly longContextInput: number | null;
  readonly longContextOutput: number | null;
  readonly longContextCacheRead: number | null;
  readonly longContextCacheWrite: number | null;
}

/** A model that a provider offers. */
export interface Model {
  readonly id: string;
  readonly providerId: string;
  /** The provider's own name of it, e.g. `gpt-4o`. */
  readonly modelId: string;
  readonly displayName: string;
  readonly categories: readonly ModelCategory[];
  /** Named capabilities that select this model, e.g. `qwen`, `dalle`. */
  readonly services: readonly string[];
  /** Tokens; null if unknown. */
  readonly contextWindow: number | null;
  /** Tokens; null if unknown. */
  readonly maxOutput: number | null;
  readonly isDefault: boolean;
  readonly aliases: readonly string[];
  /** Names tried in this order when no key can serve it. */
  readonly fallbacks: readonly string[];
  /** Newest last; empty means unpriced, which is not free. */
  readonly prices: readonly Price[];
  readonly updatedAt: number;
}

/** A model as its provider tells of it in a list. */
export interface ToldModel {
  /** The provider's own name of it. */
  readonly modelId: string;
  /** The model id if the provider gives no other name. */
  readonly displayName: string;
  /** Milliseconds since the epoch; null if unknown. */
  readonly createdAt: number | null;
  /** Tokens; null if unknown. */
  readonly contextWindow: number | null;
  /** Tokens; null if unknown. */
  readonly maxOutput: number | null;
}

/** One way to serve a requested model. */
export interface RouteTarget {
  readonly provider: Provider;
  /** The model id to send upstream. */
  readonly upstreamModel: string;
  /** The price in force, or null if the model is unpriced. */
  readonly price: Price | null;
  /** The largest output the model can give, for reservations; null if unknown. */
  readonly maxOutput: number | null;
  /** Whether the catalogue lists the model, rather than a pattern taking any name that fits. */
  readonly listed?: boolean;
  /** Its provider takes any name, and nothing else led to it. */
  readonly takesAny?: boolean;
  /** Where the pool tells the model apart from the same one at other endpoints; see `model-apart.ts`. */
  readonly knownAs?: string;
}

/** What a requested model resolves to: its targets in order of preference. */
export interface Route {
  readonly modelAsked: string;
  readonly targets: readonly RouteTarget[];
}
