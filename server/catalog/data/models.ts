import type { ModelCategory } from "../../core/provider.js";

/** A model that we describe by hand; prices and what is missing here come from the generated table. */
export interface CuratedModel {
  readonly provider: string;
  readonly id: string;
  readonly name: string;
  readonly categories: readonly ModelCategory[];
  /** Tokens; null if the provider states none. */
  readonly context: number | null;
  readonly aliases?: readonly string[];
  readonly isDefault?: boolean;
}

const K = 1024;

/** Provider, model id, name, labels, context window in tokens, and what only some have. */
type CuratedRow = readonly [
  string,
  string,
  string,
  readonly ModelCategory[],
  number | null,
  Pick<CuratedModel, "aliases" | "isDefault">?,
];

/**
 * Models with labels checked by hand: those that operators of older systems have presets of, the current
 * ones that coding agents ask for by themselves, and the default of each provider.
 */
const ROWS: readonly CuratedRow[] = [
  // OpenAI
  ["openai", "gpt-4o", "GPT-4o", ["CHAT", "MULTIMODAL"], 128_000, { isDefault: true }],
  ["openai", "gpt-4o-mini", "GPT-4o mini", ["CHAT", "MULTIMODAL", "ECONOMY"], 128_000],
  ["openai", "gpt-4-turbo", "GPT-4 Turbo", ["CHAT", "MULTIMODAL"], 128_000],
  ["openai", "gpt-4", "GPT-4", ["CHAT"], 8_192],
  ["openai", "gpt-3.5-turbo", "GPT-3.5 Turbo", ["CHAT", "ECONOMY"], 16_385],
  ["openai", "gpt-4.1", "GPT-4.1", ["CHAT", "LONG_CONTEXT", "MULTIMODAL"], 1_047_576],
  ["openai", "o1", "o1", ["REASONING", "MULTIMODAL"], 200_000],
  ["openai", "o3", "o3", ["REASONING", "MULTIMODAL"], 200_000],
  ["openai", "o4-mini", "o4-mini", ["REASONING", "ECONOMY", "MULTIMODAL"], 200_000],
  ["openai", "gpt-5", "GPT-5", ["CHAT", "REASONING", "MULTIMODAL"], 400_000],
  ["openai", "gpt-5-mini", "GPT-5 mini", ["CHAT", "REASONING", "ECONOMY"], 400_000],
  ["openai", "gpt-5-nano", "GPT-5 nano", ["CHAT", "ECONOMY"], 400_000],
  ["openai", "gpt-5.4", "GPT-5.4", ["CHAT", "REASONING", "LONG_CONTEXT"], 1_050_000],
  ["openai", "gpt-5.4-nano", "GPT-5.4 nano", ["CHAT", "ECONOMY"], 400_000],
  [
    "openai",
    "gpt-5.6-sol",
    "GPT-5.6 Sol",
    ["CHAT", "REASONING", "CODE"],
    1_050_000,
    {
      aliases: ["gpt-5.6"],
    },
  ],
  ["openai", "gpt-6.1-sol", "GPT-6.1 Sol", ["CHAT", "REASONING", "CODE"], 1_050_000],
  ["openai", "gpt-image-1", "GPT Image 1", ["IMAGE"], null],
  ["openai", "dall-e-3", "DALL·E 3", ["IMAGE"], null, { aliases: ["dalle-3", "dall-e"] }],
  ["openai", "dall-e-2", "DALL·E 2", ["IMAGE", "ECONOMY"], null, { aliases: ["dalle-2"] }],
  ["openai", "text-embedding-3-small", "Embedding 3 small", ["EMBEDDING", "ECONOMY"], 8_192],
  ["openai", "text-embedding-3-large", "Embedding 3 large", ["EMBEDDING"], 8_192],
  ["openai", "text-embedding-ada-002", "Embedding Ada 2", ["EMBEDDING"], 8_192],
  ["openai", "omni-moderation-latest", "Omni moderation", ["MODERATION"], null],
  ["openai", "whisper-1", "Whisper", ["AUDIO"], null],
  ["openai", "gpt-4o-transcribe", "GPT-4o Transcribe", ["AUDIO"], 16_000],
  ["openai", "gpt-4o-mini-tts", "GPT-4o mini TTS", ["AUDIO"], null],
  ["openai", "tts-1", "TTS 1", ["AUDIO"], null],
  // Anthropic
  [
    "anthropic",
    "claude-sonnet-5",
    "Claude Sonnet 5",
    ["CHAT", "CODE", "MULTIMODAL"],
    1_000_000,
    {
      isDefault: true,
    },
  ],
  ["anthropic", "claude-opus-4-8", "Claude Opus 4.8", ["CHAT", "CODE", "REASONING"], 1_000_000],
  ["anthropic", "claude-opus-5", "Claude Opus 5", ["CHAT", "CODE", "REASONING"], 1_000_000],
  ["anthropic", "claude-sonnet-4-6", "Claude Sonnet 4.6", ["CHAT", "CODE"], 1_000_000],
  [
    "anthropic",
    "claude-sonnet-4-5-20250929",
    "Claude Sonnet 4.5",
    ["CHAT", "CODE"],
    200_000,
    {
      aliases: ["claude-sonnet-4-5"],
    },
  ],
  [
    "anthropic",
    "claude-haiku-4-5-20251001",
    "Claude Haiku 4.5",
    ["CHAT", "ECONOMY"],
    200_000,
    {
      aliases: ["claude-haiku-4-5"],
    },
  ],
  [
    "anthropic",
    "claude-3-5-sonnet-20241022",
    "Claude 3.5 Sonnet",
    ["CHAT", "MULTIMODAL"],
    200_000,
    {
      aliases: ["claude-3-5-sonnet-latest"],
    },
  ],
  [
    "anthropic",
    "claude-3-5-haiku-20241022",
    "Claude 3.5 Haiku",
    ["CHAT", "ECONOMY"],
    200_000,
    {
      aliases: ["claude-3-5-haiku-latest"],
    },
  ],
  [
    "anthropic",
    "claude-3-opus-20240229",
    "Claude 3 Opus",
    ["CHAT", "MULTIMODAL"],
    200_000,
    {
      aliases: ["claude-3-opus-latest"],
    },
  ],
  ["anthropic", "claude-3-haiku-20240307", "Claude 3 Haiku", ["CHAT", "ECONOMY"], 200_000],
  // Google AI
  [
    "google",
    "gemini-3.8-flash",
    "Gemini 3.8 Flash",
    ["CHAT", "CODE", "MULTIMODAL"],
    1_048_576,
    {
      isDefault: true,
    },
  ],
  ["google", "gemini-3.5-flash-lite", "Gemini 3.5 Flash-Lite", ["CHAT", "ECONOMY"], 1_048_576],
  ["google", "gemini-3.1-pro-preview", "Gemini 3.1 Pro", ["CHAT", "REASONING"], 1_048_576],
  ["google", "gemini-2.5-pro", "Gemini 2.5 Pro", ["CHAT", "REASONING", "LONG_CONTEXT"], 1_048_576],
  ["google", "gemini-2.5-flash", "Gemini 2.5 Flash", ["CHAT", "MULTIMODAL", "ECONOMY"], 1_048_576],
  ["google", "gemini-2.0-flash", "Gemini 2.0 Flash", ["CHAT", "MULTIMODAL"], 1_048_576],
  ["google", "gemini-1.5-pro", "Gemini 1.5 Pro", ["LONG_CONTEXT", "MULTIMODAL"], 2_097_152],
  ["google", "gemini-1.5-flash", "Gemini 1.5 Flash", ["CHAT", "ECONOMY", "MULTIMODAL"], 1_048_576],
  ["google", "gemini-3-pro-image", "Gemini 3 Pro Image", ["IMAGE"], null],
  ["google", "gemini-3.1-flash-image", "Gemini 3.1 Flash Image", ["IMAGE"], null],
  ["google", "gemini-3.1-flash-lite-image", "Gemini 3.1 Flash Lite Image", ["IMAGE"], null],
  ["google", "gemini-embedding-001", "Gemini Embedding", ["EMBEDDING"], 2_048],
  ["google", "gemini-embedding-2", "Gemini Embedding 2", ["EMBEDDING"], 8_192],
  // DeepSeek
  ["deepseek", "deepseek-chat", "DeepSeek Chat", ["CHAT"], 128_000, { isDefault: true }],
  ["deepseek", "deepseek-reasoner", "DeepSeek Reasoner", ["REASONING"], 128_000],
  ["deepseek", "deepseek-coder", "DeepSeek Coder", ["CODE"], 128_000],
  ["deepseek", "deepseek-v4-flash", "DeepSeek V4 Flash", ["CHAT", "ECONOMY"], 1_000_000],
  ["deepseek", "deepseek-v4-pro", "DeepSeek V4 Pro", ["CHAT", "REASONING"], 1_000_000],
  // Zhipu AI
  ["zhipu", "glm-5.3", "GLM-5.3", ["CHAT", "CODE", "REASONING"], 1_000_000, { isDefault: true }],
  ["zhipu", "glm-4.7", "GLM-4.7", ["CHAT", "CODE"], 200_000],
  ["zhipu", "glm-4-plus", "GLM-4 Plus", ["CHAT"], 128_000, { aliases: ["glm-4"] }],
  ["zhipu", "glm-4-air", "GLM-4 Air", ["CHAT", "ECONOMY"], 128_000],
  ["zhipu", "glm-4-flash", "GLM-4 Flash", ["CHAT", "ECONOMY"], 128_000],
  ["zhipu", "glm-4-long", "GLM-4 Long", ["LONG_CONTEXT"], 1_000_000],
  ["zhipu", "glm-4v-plus", "GLM-4V Plus", ["MULTIMODAL"], 16_000, { aliases: ["glm-4v"] }],
  ["zhipu", "codegeex-4", "CodeGeeX 4", ["CODE"], 128_000],
  // Moonshot
  [
    "moonshot",
    "kimi-k2.6",
    "Kimi K2.6",
    ["CHAT", "CODE", "MULTIMODAL"],
    262_144,
    {
      isDefault: true,
    },
  ],
  ["moonshot", "kimi-k3", "Kimi K3", ["CHAT", "CODE", "REASONING"], 1_048_576],
  ["moonshot", "moonshot-v1-8k", "Moonshot v1 8K", ["CHAT", "ECONOMY"], 8 * K],
  ["moonshot", "moonshot-v1-32k", "Moonshot v1 32K", ["CHAT"], 32 * K],
  ["moonshot", "moonshot-v1-128k", "Moonshot v1 128K", ["LONG_CONTEXT"], 128 * K],
  // Baidu
  [
    "qianfan",
    "ernie-4.5-turbo-128k",
    "ERNIE 4.5 Turbo",
    ["CHAT", "LONG_CONTEXT"],
    128 * K,
    {
      isDefault: true,
    },
  ],
  ["qianfan", "ernie-4.0-8k", "ERNIE 4.0 8K", ["CHAT"], 8 * K],
  ["qianfan", "ernie-3.5-8k", "ERNIE 3.5 8K", ["CHAT"], 8 * K],
  ["qianfan", "ernie-speed-128k", "ERNIE Speed 128K", ["LONG_CONTEXT", "ECONOMY"], 128 * K],
  ["baidu", "ernie-4.0-8k", "ERNIE 4.0 8K", ["CHAT"], 8 * K, { isDefault: true }],
  ["baidu", "ernie-3.5-8k", "ERNIE 3.5 8K", ["CHAT"], 8 * K],
  ["baidu", "ernie-speed-128k", "ERNIE Speed 128K", ["LONG_CONTEXT", "ECONOMY"], 128 * K],
  // Alibaba Tongyi
  [
    "alibaba",
    "qwen-plus",
    "通义千问 Plus",
    ["CHAT", "LONG_CONTEXT"],
    1_000_000,
    {
      isDefault: true,
    },
  ],
  ["alibaba", "qwen-max", "通义千问 Max", ["CHAT"], 32_768],
  ["alibaba", "qwen-turbo", "通义千问 Turbo", ["CHAT", "ECONOMY"], 1_000_000],
  ["alibaba", "qwen-long", "通义千问 Long", ["LONG_CONTEXT"], 10_000_000],
  ["alibaba", "qwen-flash", "通义千问 Flash", ["CHAT", "ECONOMY"], 1_000_000],
  ["alibaba", "qwen-vl-max", "通义千问 VL Max", ["MULTIMODAL"], 131_072],
  ["alibaba", "qwen-vl-plus", "通义千问 VL Plus", ["MULTIMODAL", "ECONOMY"], 131_072],
  ["alibaba", "qwen-coder-plus", "通义千问 Coder Plus", ["CODE"], 131_072],
  ["alibaba", "qwen3-max", "Qwen3 Max", ["CHAT", "REASONING"], 262_144],
  ["alibaba", "qwen3-coder-plus", "Qwen3 Coder Plus", ["CODE", "LONG_CONTEXT"], 1_000_000],
  ["alibaba", "text-embedding-v4", "通用文本向量 v4", ["EMBEDDING"], 8_192],
  ["alibaba", "wanx-v1", "通义万相 v1", ["IMAGE"], null],
  ["alibaba", "wanx2.1-t2i-turbo", "通义万相 2.1 Turbo", ["IMAGE", "ECONOMY"], null],
  ["alibaba", "wanx2.1-t2i-plus", "通义万相 2.1 Plus", ["IMAGE"], null],
  ["alibaba", "wan2.2-t2i-flash", "通义万相 2.2 Flash", ["IMAGE", "ECONOMY"], null],
  // Others: only the default is set by hand.
  [
    "mistral",
    "mistral-large-latest",
    "Mistral Large",
    ["CHAT", "MULTIMODAL"],
    262_144,
    {
      isDefault: true,
    },
  ],
  ["mistral", "codestral-latest", "Codestral", ["CODE"], 256_000],
  ["mistral", "mistral-embed", "Mistral Embed", ["EMBEDDING"], 8_192],
  [
    "xai",
    "grok-4.5",
    "Grok 4.5",
    ["CHAT", "REASONING", "MULTIMODAL"],
    500_000,
    {
      isDefault: true,
    },
  ],
  ["xai", "grok-code-fast-1", "Grok Code Fast 1", ["CODE", "ECONOMY"], 256_000],
  ["groq", "llama-3.3-70b-versatile", "Llama 3.3 70B", ["CHAT"], 131_072, { isDefault: true }],
  ["groq", "openai/gpt-oss-120b", "GPT-OSS 120B", ["CHAT", "REASONING"], 131_072],
];

export const CURATED_MODELS: readonly CuratedModel[] = ROWS.map(
  ([provider, id, name, categories, context, more]) => ({
    provider,
    id,
    name,
    categories,
    context,
    ...more,
  }),
);

/** The capabilities that system administrators of old named keys by: a vendor's service selects models. */
export interface ServicePreset {
  readonly provider: string;
  readonly service: string;
  readonly displayName: string;
  /** Globs of the model ids that belong to it. */
  readonly models: readonly string[];
  /** The model that answers when the service's name itself is asked for. */
  readonly defaultModel: string;
}

export const SERVICES: readonly ServicePreset[] = [
  {
    provider: "openai",
    service: "dalle",
    displayName: "DALL·E images",
    models: ["dall-e-*", "gpt-image-*", "chatgpt-image-*"],
    defaultModel: "dall-e-3",
  },
  {
    provider: "openai",
    service: "gpt-4",
    displayName: "GPT-4 text",
    models: ["gpt-4*", "chatgpt-4o-*"],
    defaultModel: "gpt-4",
  },
  {
    provider: "openai",
    service: "gpt-3.5-turbo",
    displayName: "GPT-3.5 Turbo text",
    models: ["gpt-3.5-turbo*"],
    defaultModel: "gpt-3.5-turbo",
  },
  {
    provider: "alibaba",
    service: "wanx",
    displayName: "通义万相 images",
    models: ["wanx*", "wan2*"],
    defaultModel: "wanx-v1",
  },
  {
    provider: "alibaba",
    service: "qwen",
    displayName: "通义千问 text",
    models: ["qwen*", "qwq*", "qvq*"],
    defaultModel: "qwen-plus",
  },
];
