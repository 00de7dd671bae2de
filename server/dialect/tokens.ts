import type { TokenUsage } from "../core/call.js";
import { isRecord } from "./json-find.js";

/** No model gives more in one call; a larger number is nonsense from a provider and is cut to this. */
const TOKENS_MAX = 1_000_000_000;

/** Tokens of an OpenAI `usage`: chat and embeddings say prompt and completion, responses and images input and output. */
export function openaiTokens(usage: Record<string, unknown>): TokenUsage | undefined {
  const input = count(usage["prompt_tokens"]) ?? count(usage["input_tokens"]);
  const output = count(usage["completion_tokens"]) ?? count(usage["output_tokens"]);
  if (input === undefined && output === undefined) return undefined;
  const inputDetails = record(usage["prompt_tokens_details"] ?? usage["input_tokens_details"]);
  const outputDetails = record(
    usage["completion_tokens_details"] ?? usage["output_tokens_details"],
  );
  const cached = count(inputDetails["cached_tokens"]) ?? count(usage["prompt_cache_hit_tokens"]);
  const reasoning = count(outputDetails["reasoning_tokens"]) ?? 0;
  const told = { input: input ?? 0, output: output ?? 0 };
  return {
    input: told.input,
    output: told.output + reasoningApart(usage, told.input + told.output, reasoning),
    cacheRead: cached ?? 0,
    cacheWrite: count(inputDetails["cache_write_tokens"]) ?? 0,
    reasoning,
  };
}

/** Some providers leave reasoning out of the completion; then only the total holds it. */
function reasoningApart(usage: Record<string, unknown>, told: number, reasoning: number): number {
  return count(usage["total_tokens"]) === told + reasoning ? reasoning : 0;
}

/** Tokens of an Anthropic `usage`, whose input leaves out what was read from and written to the cache. */
export function anthropicTokens(usage: Record<string, unknown>): TokenUsage | undefined {
  const input = count(usage["input_tokens"]);
  const output = count(usage["output_tokens"]);
  if (input === undefined && output === undefined) return undefined;
  const cacheRead = count(usage["cache_read_input_tokens"]) ?? 0;
  const cacheWrite = count(usage["cache_creation_input_tokens"]) ?? 0;
  return {
    input: (input ?? 0) + cacheRead + cacheWrite,
    output: output ?? 0,
    cacheRead,
    cacheWrite,
    reasoning: count(record(usage["output_tokens_details"])["thinking_tokens"]) ?? 0,
  };
}

/** Tokens of Gemini's `usageMetadata`, where thoughts stand beside the candidates and tool prompts beside the prompt. */
export function geminiTokens(usage: Record<string, unknown>): TokenUsage | undefined {
  const prompt = count(usage["promptTokenCount"]);
  const candidates = count(usage["candidatesTokenCount"]);
  if (prompt === undefined && candidates === undefined) return undefined;
  const thoughts = count(usage["thoughtsTokenCount"]) ?? 0;
  return {
    input: (prompt ?? 0) + (count(usage["toolUsePromptTokenCount"]) ?? 0),
    output: (candidates ?? 0) + thoughts,
    cacheRead: count(usage["cachedContentTokenCount"]) ?? 0,
    cacheWrite: 0,
    reasoning: thoughts,
  };
}

/** A whole number of tokens, never negative whatever the provider says; undefined when it says none. */
function count(value: unknown): number | undefined {
  if (typeof value !== "number" || !Number.isFinite(value)) return undefined;
  return Math.min(Math.max(Math.round(value), 0), TOKENS_MAX);
}

function record(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {};
}
