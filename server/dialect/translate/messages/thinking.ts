import type { Conversation, Part, Turn } from "../conversation.js";
import type { JsonObject } from "../json.js";
import type { Notes } from "../notes.js";
import type { ClaudeTraits } from "../models.js";
import { nearestEffort } from "../efforts.js";

/** Tokens of thought for each effort, for the models that take a budget. */
const BUDGETS: Readonly<Record<string, number>> = {
  minimal: 1024,
  low: 2048,
  medium: 8192,
  high: 16_384,
  xhigh: 32_768,
  max: 32_768,
};
/** Anthropic takes no smaller budget. */
const BUDGET_MIN = 1024;

interface Thinking {
  readonly thinking: JsonObject | undefined;
  readonly effort: string | undefined;
}

const NO_THINKING: Thinking = { thinking: undefined, effort: undefined };

/** How a Claude model is asked to think as hard as the caller wants. */
export function thinkingFor(
  conversation: Conversation,
  traits: ClaudeTraits,
  maxTokens: number,
  notes: Notes,
): Thinking {
  const { effort, thoughtsShown } = conversation;
  if (effort === undefined) {
    const isShown = thoughtsShown === true && traits.thinksAlways;
    return isShown ? { thinking: adaptive(conversation, traits), effort: undefined } : NO_THINKING;
  }
  if (effort === "none") return withoutThinking(traits);
  const wanted = nearestEffort(effort, traits.efforts);
  const budget = Math.min(BUDGETS[effort] ?? 0, Math.floor(maxTokens / 2));
  const byBudget = traits.thinking === "BUDGET";
  const unfit = byBudget && (budget < BUDGET_MIN || lacksThoughts(conversation));
  const possible = wanted !== undefined && traits.thinking !== "NONE" && !unfit;
  if (!possible || (traits.forcesTools && forcesTool(conversation))) {
    notes.lose("effort");
    return NO_THINKING;
  }
  if (!byBudget) return { thinking: adaptive(conversation, traits), effort: wanted };
  return { thinking: { type: "enabled", budget_tokens: budget }, effort: undefined };
}

function adaptive({ thoughtsShown }: Conversation, traits: ClaudeTraits): JsonObject {
  const display = traits.hidesThoughts && thoughtsShown !== false ? "summarized" : undefined;
  return { type: "adaptive", display };
}

/** Models since Claude 5 think unless they are kept from it, and some cannot be. */
function withoutThinking({ thinksAlways, stilledBy }: ClaudeTraits): Thinking {
  if (!thinksAlways) return NO_THINKING;
  if (stilledBy === undefined) return { thinking: undefined, effort: "low" };
  return { thinking: { type: stilledBy }, effort: undefined };
}

/** A model that must call a tool may not think first. */
export function forcesTool(conversation: Conversation): boolean {
  const kind = conversation.toolChoice?.kind;
  return kind === "REQUIRED" || kind === "TOOL";
}

/**
 * With a budget the thoughts that began a loop of tool calls must be there, signed, and so in what is to be gone on
 * with. Models that decide themselves when to think may have called without, and begin to in the middle.
 */
function lacksThoughts(conversation: Conversation): boolean {
  const { turns } = conversation;
  if (turns.at(-1)?.role === "ASSISTANT") return true;
  const begin = turns.findLastIndex(
    (turn) => turn.role === "USER" && turn.parts.some((part) => part.kind !== "TOOL_RESULT"),
  );
  const loop = turns.slice(begin + 1).filter((turn) => turn.role === "ASSISTANT");
  return loop.some((turn) => turn.parts.some(isCall) && !beginsSigned(turn));
}

function isCall(part: Part): boolean {
  return part.kind === "TOOL_CALL";
}

/** Thoughts of others, and without a signature, are left out. */
function beginsSigned({ parts }: Turn): boolean {
  const first = parts.find((part) => part.kind !== "THINKING" || isSigned(part));
  return first !== undefined && isSigned(first);
}

function isSigned(part: Part): boolean {
  return part.kind === "THINKING" && part.signature?.origin === "ANTHROPIC";
}
