import type { TokenUsage } from "../../core/call.js";
import type { JsonObject } from "./json.js";

/** Tokens as chat completions say them. */
export function chatUsage(usage: TokenUsage): JsonObject {
  return {
    prompt_tokens: usage.input,
    completion_tokens: usage.output,
    total_tokens: usage.input + usage.output,
    prompt_tokens_details: {
      cached_tokens: usage.cacheRead,
      ...(usage.cacheWrite > 0 ? { cache_write_tokens: usage.cacheWrite } : {}),
    },
    completion_tokens_details: { reasoning_tokens: usage.reasoning },
  };
}

/** Tokens as the Responses API says them. */
export function responsesUsage(usage: TokenUsage): JsonObject {
  return {
    input_tokens: usage.input,
    input_tokens_details: {
      cached_tokens: usage.cacheRead,
      cache_write_tokens: usage.cacheWrite,
    },
    output_tokens: usage.output,
    output_tokens_details: { reasoning_tokens: usage.reasoning },
    total_tokens: usage.input + usage.output,
  };
}

/** Tokens as Anthropic says them: what the cache gave or took is not in the input. */
export function messagesUsage(usage: TokenUsage): JsonObject {
  return {
    input_tokens: Math.max(0, usage.input - usage.cacheRead - usage.cacheWrite),
    cache_creation_input_tokens: usage.cacheWrite,
    cache_read_input_tokens: usage.cacheRead,
    output_tokens: usage.output,
    ...(usage.reasoning > 0 ? { output_tokens_details: { thinking_tokens: usage.reasoning } } : {}),
  };
}

/** The same in a message itself, which says too for how long its cache keeps what it took. */
export function ownMessagesUsage(usage: TokenUsage): JsonObject {
  const ephemeral_5m_input_tokens = usage.cacheWrite;
  return {
    ...messagesUsage(usage),
    cache_creation: { ephemeral_5m_input_tokens, ephemeral_1h_input_tokens: 0 },
  };
}

/** Tokens as Gemini tells them: thoughts are not counted among the candidates. */
export function generateUsage(usage: TokenUsage): JsonObject {
  return {
    promptTokenCount: usage.input,
    candidatesTokenCount: Math.max(0, usage.output - usage.reasoning),
    totalTokenCount: usage.input + usage.output,
    ...(usage.cacheRead > 0 ? { cachedContentTokenCount: usage.cacheRead } : {}),
    ...(usage.reasoning > 0 ? { thoughtsTokenCount: usage.reasoning } : {}),
  };
}
