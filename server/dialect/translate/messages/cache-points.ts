import { type JsonObject, list, object } from "../json.js";

/** Where a request to Anthropic says what was said; Anthropic reads it in this order. */
export interface Said {
  readonly tools: readonly JsonObject[] | undefined;
  /** A text or blocks. */
  readonly system: unknown;
  readonly messages: readonly JsonObject[];
}

/** Kept for five minutes, and on while it is asked for. */
const CACHED = { type: "ephemeral" };

/** Anthropic takes four points; one of them is behind the tools and the system prompt. */
const MESSAGES_CACHED_MAX = 2;

/**
 * The same with the points up to which Anthropic is to remember it; other providers do that by themselves. They are
 * behind the system prompt and behind the user's last two messages: the one before the last is where the request before
 * this one ended, which is found again however much came in between.
 */
export function withCachePoints({ tools, system, messages }: Said): Said {
  const users = [...messages.keys()].filter((at) => messages[at]?.["role"] === "user");
  const cached = new Set(users.slice(-MESSAGES_CACHED_MAX));
  return {
    tools: system === undefined ? tools && endingCached(tools) : tools,
    system: system === undefined ? undefined : endingCached(blocksOf(system)),
    messages: messages.map((message, at) =>
      cached.has(at)
        ? { ...message, content: endingCached(blocksOf(message["content"])) }
        : message,
    ),
  };
}

function blocksOf(content: unknown): readonly unknown[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : list(content);
}

function endingCached(blocks: readonly unknown[]): JsonObject[] {
  return blocks.map((block, at) => ({
    ...object(block),
    cache_control: at === blocks.length - 1 ? CACHED : undefined,
  }));
}
