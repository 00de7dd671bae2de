import { NO_TOKENS, TOKENS_MAX, type TokenUsage, type UsageCounts } from "../core/call.js";
import { isRecord } from "../core/record.js";
import { inTier, tierNamed } from "../core/service-tier.js";

/**
 * Tokens of an OpenAI `usage`: chat and embeddings say prompt and completion; responses, images and
 * transcriptions say input and output, and transcriptions by length say seconds.
 */
export function openaiTokens(usage: Record<string, unknown>): TokenUsage | undefined {
  const input = count(usage["prompt_tokens"]) ?? count(usage["input_tokens"]);
  const output = count(usage["completion_tokens"]) ?? count(usage["output_tokens"]);
  const seconds = count(usage["type"] === "duration" ? usage["seconds"] : undefined);
  if (input === undefined && output === undefined && seconds === undefined) return undefined;
  const inputDetails = firstRecord(usage, INPUT_DETAILS);
  const outputDetails = firstRecord(usage, OUTPUT_DETAILS);
  const cacheRead = cachedIn(usage, inputDetails);
  const cacheWrite = count(inputDetails["cache_write_tokens"]) ?? 0;
  const told = count(outputDetails["reasoning_tokens"]);
  const isPromptAlone = output === undefined && told === undefined;
  const surplus = surplusOf(usage, input, output);
  const apart = isPromptAlone ? 0 : reasoningIn(surplus, told, cacheRead, cacheWrite);
  // Written out, for a copy of another object would be slow wherever tokens are counted.
  const tokens = {
    input: input ?? 0,
    output: (output ?? 0) + apart,
    cacheRead,
    cacheWrite,
    reasoning: told ?? apart,
  };
  return withParts(tokens, {
    audioInput: count(inputDetails["audio_tokens"]),
    audioOutput: count(outputDetails["audio_tokens"]),
    imageInput: count(inputDetails["image_tokens"]),
    imageOutput: count(outputDetails["image_tokens"]),
    audioSeconds: seconds ?? count(usage["prompt_audio_seconds"]),
  });
}

const NOTHING: Record<string, unknown> = {};

/** Transcriptions alone leave out a letter. */
const INPUT_DETAILS = ["prompt_tokens_details", "input_tokens_details", "input_token_details"];
const OUTPUT_DETAILS = ["completion_tokens_details", "output_tokens_details"];

function firstRecord(
  usage: Record<string, unknown>,
  names: readonly string[],
): Record<string, unknown> {
  for (const name of names) if (isRecord(usage[name])) return usage[name];
  return NOTHING;
}

function cachedIn(usage: Record<string, unknown>, details: Record<string, unknown>): number {
  // The second is DeepSeek's word for it.
  return count(details["cached_tokens"]) ?? count(usage["prompt_cache_hit_tokens"]) ?? 0;
}

/** What the total has beyond the prompt and the completion. */
function surplusOf(usage: Record<string, unknown>, input = 0, output = 0): number {
  return (count(usage["total_tokens"]) ?? 0) - input - output;
}

/**
 * Some providers leave reasoning out of the completion; then only the total holds it. Google, in OpenAI's form, does not
 * tell it by itself either. What the total has too much may be the cache where a provider leaves that out of the prompt.
 */
function reasoningIn(
  surplus: number,
  told: number | undefined,
  cacheRead: number,
  cacheWrite: number,
): number {
  if (told !== undefined) return surplus === told ? told : 0;
  const isCache =
    surplus === cacheRead || surplus === cacheWrite || surplus === cacheRead + cacheWrite;
  return surplus > 0 && !isCache ? surplus : 0;
}

/** Passes of one Anthropic call that the sums of its `usage` leave out, though they are billed with it. */
const LEFT_OUT: ReadonlySet<unknown> = new Set(["compaction", "advisor_message"]);

/**
 * Tokens of an Anthropic `usage`, whose input leaves out what was read from and written to the cache, and whose sums
 * leave out what it took to compact the conversation, or to ask another model for advice.
 */
export function anthropicTokens(usage: Record<string, unknown>): TokenUsage | undefined {
  const summed = passTokens(usage);
  const { iterations } = usage;
  if (summed === undefined || !Array.isArray(iterations)) return summed;
  const passes: readonly unknown[] = iterations;
  const sum = { ...summed };
  let longInSum = 0;
  let longLeftOut = 0;
  for (const pass of passes.map(record)) {
    const of = passTokens(pass);
    if (of === undefined) continue;
    const long = of.parts?.cacheWriteLong ?? 0;
    if (LEFT_OUT.has(pass["type"])) {
      for (const kind of KINDS) sum[kind] += of[kind];
      longLeftOut += long;
    } else longInSum += long;
  }
  // The end of a stream tells of its writes to the cache only here how long they live.
  const cacheWriteLong = Math.max(summed.parts?.cacheWriteLong ?? 0, longInSum) + longLeftOut;
  return inTier(withParts(sum, { ...summed.parts, cacheWriteLong }), summed.parts?.serviceTier);
}

const KINDS = ["input", "output", "cacheRead", "cacheWrite", "reasoning"] as const;

/** A `usage` as its stream ends: what the last event leaves out, or has as null, is as told before. */
export function usageAtEnd(
  told: Record<string, unknown>,
  last: Record<string, unknown>,
): Record<string, unknown> {
  const atEnd = { ...told };
  for (const [name, value] of Object.entries(last)) if (value !== null) atEnd[name] = value;
  return atEnd;
}

/** Of a whole call, or of one pass of it. */
function passTokens(usage: Record<string, unknown>): TokenUsage | undefined {
  const input = count(usage["input_tokens"]);
  const output = count(usage["output_tokens"]);
  if (input === undefined && output === undefined) return undefined;
  const cacheRead = count(usage["cache_read_input_tokens"]) ?? 0;
  const cacheWrite = count(usage["cache_creation_input_tokens"]) ?? 0;
  const tokens = {
    input: (input ?? 0) + cacheRead + cacheWrite,
    output: output ?? 0,
    cacheRead,
    cacheWrite,
    reasoning: count(record(usage["output_tokens_details"])["thinking_tokens"]) ?? 0,
  };
  const told = withParts(tokens, {
    cacheWriteLong: count(record(usage["cache_creation"])["ephemeral_1h_input_tokens"]),
    webSearches: count(record(usage["server_tool_use"])["web_search_requests"]),
  });
  // Its `service_tier` says whether the call was served from what was paid for beforehand.
  return inTier(told, tierNamed(usage["speed"]));
}

/** Tokens of Gemini's `usageMetadata` of a cache, which has been read once to be made. */
export function geminiCacheTokens(usage: Record<string, unknown>): TokenUsage | undefined {
  const input = count(usage["totalTokenCount"]);
  return input === undefined ? undefined : { ...NO_TOKENS, input };
}

/**
 * Tokens of Gemini's `usageMetadata`, where thoughts are not counted among the candidates, nor tool prompts in the
 * prompt.
 */
export function geminiTokens(usage: Record<string, unknown>): TokenUsage | undefined {
  const prompt = count(usage["promptTokenCount"]);
  const candidates = count(usage["candidatesTokenCount"]);
  if (prompt === undefined && candidates === undefined) return undefined;
  const thoughts = count(usage["thoughtsTokenCount"]) ?? 0;
  const [ofPrompt, ofCache, ofReply] = [
    usage["promptTokensDetails"],
    usage["cacheTokensDetails"],
    usage["candidatesTokensDetails"],
  ];
  const tokens = {
    input: (prompt ?? 0) + (count(usage["toolUsePromptTokenCount"]) ?? 0),
    output: (candidates ?? 0) + thoughts,
    cacheRead: count(usage["cachedContentTokenCount"]) ?? 0,
    cacheWrite: 0,
    reasoning: thoughts,
  };
  const told = withParts(tokens, {
    audioInput: ofModality(ofPrompt, "AUDIO"),
    audioOutput: ofModality(ofReply, "AUDIO"),
    audioCacheRead: ofModality(ofCache, "AUDIO"),
    imageInput: ofModality(ofPrompt, "IMAGE"),
    imageOutput: ofModality(ofReply, "IMAGE"),
    imageCacheRead: ofModality(ofCache, "IMAGE"),
  });
  return inTier(told, tierNamed(usage["serviceTier"] ?? usage["trafficType"]));
}

/** The numbers that Google's clients have instead of the names where they ask for them (`enum-encoding=int`). */
const MODALITIES = { IMAGE: 2, AUDIO: 4 } as const;

/** Tokens of one modality in Gemini's lists of `{modality, tokenCount}`. */
function ofModality(details: unknown, name: keyof typeof MODALITIES): number | undefined {
  if (!Array.isArray(details)) return undefined;
  const items: unknown[] = details;
  const found = items
    .map(record)
    .find(({ modality }) => modality === name || modality === MODALITIES[name]);
  return count(found?.["tokenCount"]);
}

/** Most calls have no part that is priced apart. */
function withParts(
  tokens: TokenUsage,
  told: { readonly [K in keyof UsageCounts]: UsageCounts[K] | undefined },
): TokenUsage {
  let parts: Record<string, number> | undefined;
  // Not by its entries: making them took longer than all the rest.
  for (const name in told) {
    const value = told[name as keyof UsageCounts];
    if (value !== undefined && value > 0) (parts ??= {})[name] = value;
  }
  return parts === undefined ? tokens : { ...tokens, parts };
}

/** A whole number of tokens, never negative whatever the provider says; undefined when it says none. */
function count(value: unknown): number | undefined {
  if (typeof value !== "number" || !Number.isFinite(value)) return undefined;
  return Math.min(Math.max(Math.round(value), 0), TOKENS_MAX);
}

function record(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : NOTHING;
}
