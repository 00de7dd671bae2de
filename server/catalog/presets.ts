import type { AuthStyle, Dialect, Provider } from "../core/provider.js";

/** A provider that Latchkey knows by name; `isTemplate` ones need an address before they can serve. */
export interface ProviderPreset {
  readonly slug: string;
  readonly displayName: string;
  readonly baseUrl: string;
  readonly dialect: Dialect;
  readonly authStyle: AuthStyle;
  readonly description: string;
  /** Globs of model ids, so that a new model of a family is routed, unpriced, before a release of ours. */
  readonly modelPatterns: readonly string[];
  /** Other names that callers and older systems use for the provider. */
  readonly otherNames: readonly string[];
  readonly isTemplate: boolean;
}

/** Reserved by RFC 2606, so a forgotten placeholder can never send a secret to anybody. */
const PLACEHOLDER_URL = "https://your-resource.invalid";

/**
 * In order of preference: where two providers offer the same model equally well, the earlier is tried first. Vendors
 * come before resellers of several vendors' models.
 */
export const PROVIDER_PRESETS: readonly ProviderPreset[] = [
  {
    slug: "openai",
    displayName: "OpenAI",
    baseUrl: "https://api.openai.com/v1",
    dialect: "OPENAI",
    authStyle: "BEARER",
    description: "GPT, o-series, embeddings, images, audio and moderation.",
    modelPatterns: [
      "gpt-*",
      "o1*",
      "o3*",
      "o4*",
      "chatgpt-*",
      "codex-*",
      "ft:*",
      "dall-e-*",
      "sora-*",
      "whisper-*",
      "tts-*",
      "text-embedding-3-*",
      "text-embedding-ada-*",
      "omni-moderation-*",
      "text-moderation-*",
      "babbage-*",
      "davinci-*",
      "computer-use-*",
    ],
    otherNames: ["open-ai"],
    isTemplate: false,
  },
  {
    slug: "anthropic",
    displayName: "Anthropic",
    baseUrl: "https://api.anthropic.com",
    dialect: "ANTHROPIC",
    authStyle: "X_API_KEY",
    description: "Claude models in the Messages API.",
    modelPatterns: ["claude-*"],
    otherNames: ["claude"],
    isTemplate: false,
  },
  {
    slug: "google",
    displayName: "Google AI",
    baseUrl: "https://generativelanguage.googleapis.com",
    dialect: "GEMINI",
    authStyle: "X_GOOG_API_KEY",
    description: "Gemini and Gemma models of Google AI Studio.",
    modelPatterns: [
      "gemini-*",
      "gemma-*",
      "learnlm-*",
      "imagen-*",
      "veo-*",
      "text-embedding-00*",
      "embedding-001",
    ],
    otherNames: ["gemini", "google-ai", "googleai"],
    isTemplate: false,
  },
  {
    slug: "deepseek",
    displayName: "DeepSeek",
    baseUrl: "https://api.deepseek.com",
    dialect: "OPENAI",
    authStyle: "BEARER",
    description: "DeepSeek chat, reasoning and coding models.",
    modelPatterns: ["deepseek-*"],
    otherNames: [],
    isTemplate: false,
  },
  {
    slug: "zhipu",
    displayName: "Zhipu AI",
    baseUrl: "https://open.bigmodel.cn/api/paas/v4",
    dialect: "OPENAI",
    authStyle: "BEARER",
    description: "GLM, CogView and CharGLM models (智谱).",
    modelPatterns: ["glm-*", "cogview-*", "cogvideox-*", "charglm-*", "codegeex-*"],
    otherNames: ["zhipuai", "bigmodel", "glm", "z-ai", "zai"],
    isTemplate: false,
  },
  {
    slug: "moonshot",
    displayName: "Moonshot",
    baseUrl: "https://api.moonshot.cn/v1",
    dialect: "OPENAI",
    authStyle: "BEARER",
    description: "Kimi and Moonshot models (月之暗面).",
    modelPatterns: ["moonshot-*", "kimi-*"],
    otherNames: ["moonshotai", "kimi"],
    isTemplate: false,
  },
  {
    slug: "qianfan",
    displayName: "Baidu Qianfan",
    baseUrl: "https://qianfan.baidubce.com/v2",
    dialect: "OPENAI",
    authStyle: "BEARER",
    description:
      "ERNIE models over Baidu's OpenAI-compatible endpoint (keys that begin with bce-v3).",
    modelPatterns: ["ernie-*"],
    otherNames: [],
    isTemplate: false,
  },
  {
    slug: "baidu",
    displayName: "Baidu Wenxin",
    baseUrl: "https://aip.baidubce.com",
    dialect: "OPENAI",
    authStyle: "BEARER",
    description:
      "ERNIE models at the older Wenxin address (文心一言); new keys belong to Baidu Qianfan.",
    modelPatterns: ["ernie-*"],
    otherNames: ["wenxin", "ernie"],
    isTemplate: false,
  },
  {
    slug: "alibaba",
    displayName: "Alibaba Tongyi",
    baseUrl: "https://dashscope.aliyuncs.com/api/v1",
    dialect: "OPENAI",
    authStyle: "BEARER",
    description: "Qwen (通义千问) text and wanx (通义万相) image models over DashScope.",
    modelPatterns: [
      "qwen*",
      "qwq*",
      "qvq*",
      "wanx*",
      "wan2*",
      "tongyi-*",
      "text-embedding-v*",
      "gte-*",
    ],
    otherNames: ["aliyun", "dashscope", "tongyi"],
    isTemplate: false,
  },
  {
    slug: "mistral",
    displayName: "Mistral",
    baseUrl: "https://api.mistral.ai/v1",
    dialect: "OPENAI",
    authStyle: "BEARER",
    description: "Mistral, Codestral, Devstral, Magistral, Ministral, Pixtral and Voxtral models.",
    modelPatterns: [
      "mistral-*",
      "codestral-*",
      "devstral-*",
      "magistral-*",
      "ministral-*",
      "pixtral-*",
      "voxtral-*",
      "open-mistral-*",
      "open-mixtral-*",
      "labs-*",
    ],
    otherNames: ["mistralai"],
    isTemplate: false,
  },
  {
    slug: "xai",
    displayName: "xAI",
    baseUrl: "https://api.x.ai/v1",
    dialect: "OPENAI",
    authStyle: "BEARER",
    description: "Grok models.",
    modelPatterns: ["grok-*"],
    otherNames: ["x-ai", "grok"],
    isTemplate: false,
  },
  {
    slug: "groq",
    displayName: "Groq",
    baseUrl: "https://api.groq.com/openai/v1",
    dialect: "OPENAI",
    authStyle: "BEARER",
    description: "Open models on Groq hardware.",
    modelPatterns: [
      "llama-*",
      "llama3-*",
      "compound*",
      "groq/*",
      "meta-llama/*",
      "distil-whisper-*",
    ],
    otherNames: [],
    isTemplate: false,
  },
  {
    slug: "openrouter",
    displayName: "OpenRouter",
    baseUrl: "https://openrouter.ai/api/v1",
    dialect: "OPENAI",
    authStyle: "BEARER",
    description: "Models of many vendors under vendor/model names.",
    modelPatterns: ["*/*"],
    otherNames: ["open-router"],
    isTemplate: false,
  },
  {
    slug: "azure",
    displayName: "Azure OpenAI",
    baseUrl: PLACEHOLDER_URL,
    dialect: "OPENAI",
    authStyle: "AZURE",
    description:
      "Set the base URL to your resource, e.g. https://NAME.openai.azure.com, then enable it. " +
      "Add ?api-version=… to use the classic deployment addresses.",
    modelPatterns: ["gpt-*", "o1*", "o3*", "o4*", "text-embedding-*", "dall-e-*"],
    otherNames: ["azure-openai"],
    isTemplate: true,
  },
  {
    slug: "custom",
    displayName: "Custom",
    baseUrl: PLACEHOLDER_URL,
    dialect: "OPENAI",
    authStyle: "BEARER",
    description: "Any API that speaks one of the three dialects.",
    modelPatterns: ["*"],
    otherNames: [],
    isTemplate: true,
  },
];

/** The stable id of a preset's provider, e.g. `prv_openai`. */
export function presetProviderId(slug: string): string {
  return `prv_${slug}`;
}

/**
 * The preset providers as rows for a first start. Azure comes disabled, with a placeholder address that
 * cannot be resolved; `custom` is a pattern for providers that people add, and no row.
 */
export function presetProviders(nowMs: number): readonly Provider[] {
  return PROVIDER_PRESETS.filter((preset) => preset.slug !== "custom").map((preset) => ({
    id: presetProviderId(preset.slug),
    slug: preset.slug,
    displayName: preset.displayName,
    baseUrl: preset.baseUrl,
    dialect: preset.dialect,
    authStyle: preset.authStyle,
    description: preset.description,
    custom: false,
    createdBy: null,
    enabled: !preset.isTemplate,
    modelPatterns: preset.modelPatterns,
    createdAt: nowMs,
    updatedAt: nowMs,
  }));
}

/** Finds a preset by slug or by one of its other names, e.g. `aliyun`. */
export function findPreset(name: string): ProviderPreset | undefined {
  const wanted = name.trim().toLowerCase();
  return PROVIDER_PRESETS.find(
    (preset) => preset.slug === wanted || preset.otherNames.includes(wanted),
  );
}
