import type { Notes } from "./notes.js";
import type { Target } from "./side.js";

/** How a Claude model can be asked to think. */
export type ClaudeThinking = "NONE" | "BUDGET" | "ADAPTIVE";

/** What a Claude model takes, as far as its name tells. */
export interface ClaudeTraits {
  readonly thinking: ClaudeThinking;
  /** Accepts `temperature`, `top_p` and `top_k` other than the defaults. */
  readonly sampling: boolean;
  /** Keeps to a schema in `output_config.format`. */
  readonly schemas: boolean;
  /** Continues what the assistant said last. */
  readonly prefill: boolean;
  /** Can be made to call a tool. */
  readonly forcesTools: boolean;
  /** The efforts that it takes, from the least to the most. */
  readonly efforts: readonly string[];
  /** Tells what it thought only where it is asked to. */
  readonly hidesThoughts: boolean;
  /** Thinks without being asked to. */
  readonly thinksAlways: boolean;
  /** What it can say at any rate, in tokens, thoughts among them. */
  readonly output: number;
  /** What keeps such a model from thinking; undefined where nothing does. */
  readonly stilledBy: "disabled" | "between_tools" | undefined;
}

/** Reads a Claude model's version from its name; an unknown name gets what the newest models take. */
export function claudeTraits(model: string): ClaudeTraits {
  const version = claudeVersion(model);
  const name = model.toLowerCase();
  // Others that speak Anthropic's dialect imitate what was there when they began to.
  const own = name.includes("claude") ? version : IMITATED;
  return {
    thinking: version >= 406 ? "ADAPTIVE" : version >= 307 ? "BUDGET" : "NONE",
    sampling: version <= 406,
    schemas: version >= 405,
    prefill: version < 406,
    forcesTools: own <= 500 || name.includes("haiku"),
    efforts: own >= 407 ? CLAUDE_EFFORTS : CLAUDE_EFFORTS.filter((each) => each !== "xhigh"),
    hidesThoughts: own >= 407,
    thinksAlways: own >= 500,
    output: own >= 307 && name.includes("claude") ? OUTPUT_THINKING : OUTPUT_OLDER,
    stilledBy: stillerOf(name, own),
  };
}

const IMITATED = 406;
/** Tokens: the least that models since Claude 3.7 can say, and what all can. */
const OUTPUT_THINKING = 32_000;
const OUTPUT_OLDER = 4096;
const CLAUDE_EFFORTS: readonly string[] = ["low", "medium", "high", "xhigh", "max"];

function stillerOf(name: string, version: number): ClaudeTraits["stilledBy"] {
  if (/fable|mythos/.test(name)) return undefined;
  if (version === 500 || (version === 505 && name.includes("haiku"))) return "disabled";
  return version === 505 && name.includes("sonnet") ? "between_tools" : undefined;
}

/** Major times a hundred plus minor: `claude-opus-4-8` and `claude-3-5-haiku-20241022` name their version on either side of the family. */
function claudeVersion(model: string): number {
  const found = /claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)/.exec(model.toLowerCase());
  if (found === null) return Infinity;
  return Number(found[1]) * 100 + Number(found[2] ?? 0);
}

/** OpenAI's models that think, and take no sampling parameters. */
export function isReasoningModel(model: string): boolean {
  const name = model.toLowerCase().replace(/^.*\//, "");
  return /^(?:o\d|gpt-(?:[5-9]|\d\d)|codex-)/.test(name) && !name.includes("-chat");
}

/** Of OpenAI's reasoning models, GPT-5.5 and 5.6 take stop sequences. */
export function takesStop(model: string): boolean {
  return !isReasoningModel(model) || /gpt-5\.(?:[5-9]|\d\d)/.test(model.toLowerCase());
}

/** Providers that want back the reasoning which they gave, and know the field. */
const REASONING_BACK = new Set(["deepseek", "moonshot", "openrouter", "zhipu"]);

export function takesReasoningBack(providerSlug: string): boolean {
  return REASONING_BACK.has(providerSlug);
}

/**
 * The name of the limit of the output. OpenAI's reasoning models refuse the older one, by whatever provider's name they
 * are reached; some that imitate OpenAI know no newer one.
 */
export function limitField({
  providerSlug,
  model,
  dislikes,
}: Target): "max_tokens" | "max_completion_tokens" {
  const isRefused = dislikes?.has("OLDER_LIMIT") === true;
  const isNewer = isOpenai(providerSlug) || isReasoningModel(model) || isRefused;
  return isNewer ? "max_completion_tokens" : "max_tokens";
}

/** OpenAI itself, as opposed to providers that imitate it. */
export function isOpenai(providerSlug: string): boolean {
  return providerSlug === "openai" || providerSlug === "azure";
}

/** What OpenAI finds a conversation's prompt again by in its cache; undefined where others are asked, or none is known. */
export function cacheKey({
  providerSlug,
  session,
}: Pick<Target, "providerSlug" | "session">): string | undefined {
  return providerSlug === "openai" ? session : undefined;
}

/** OpenAI's reasoning models, and its Responses API with any, take no smaller limit of the output. */
const LIMIT_MIN = 16;

/** The limit, raised to what is taken there. One below 1 is refused by its provider. */
export function atLeastSome(limit: number | undefined, notes: Notes): number | undefined {
  if (limit === undefined || limit < 1 || limit >= LIMIT_MIN) return limit;
  notes.lose("max_tokens");
  return LIMIT_MIN;
}

/** The lower of what is asked and what the model can give; undefined when neither is known. */
export function outputLimit(
  asked: number | undefined,
  maxOutput: number | null,
): number | undefined {
  if (asked === undefined || maxOutput === null) return asked;
  return Math.min(asked, maxOutput);
}
