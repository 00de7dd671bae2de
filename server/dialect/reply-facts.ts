import type { ReplyFacts } from "../core/call.js";
import { latin1, utf8 } from "../core/bytes.js";
import { isRecord } from "../core/record.js";
import { parseRecord } from "./json-record.js";
import { eventData, lastEventStart, nextBoundary } from "./sse.js";

/** A text longer than this is not parsed: it would hold up other calls for too long. */
const PARSED_BYTES_MAX = 1024 * 1024;
/** The last events of a stream that are looked into for its id. */
const EVENTS_MAX = 4;
/** Answers of one reply. */
const REASONS_MAX = 16;
const NAME = /^[\w.:/@-]{1,128}$/;

/** Facts as read from what the provider sent; neither their form nor their words are trusted. */
export interface ReadFacts {
  readonly id: unknown;
  readonly model: unknown;
  readonly reasons: readonly unknown[];
}

export type FactsReader = (reply: Record<string, unknown>) => ReadFacts;

export const NO_FACTS: ReplyFacts = { id: "", model: "", finishReasons: [] };

/** Reads a whole reply. */
export function wholeFacts(reply: Buffer, read: FactsReader): ReplyFacts {
  if (reply.length > PARSED_BYTES_MAX) return NO_FACTS;
  const parsed = parseRecord(utf8(reply));
  return parsed === undefined ? NO_FACTS : checked(read(parsed));
}

/** Reads the last events of a stream that has an id; the last event that tells a fact counts. */
export function lastFacts(tail: Buffer, read: FactsReader): ReplyFacts {
  let events = tail;
  for (let looks = 0; looks < EVENTS_MAX && events.length > 0; looks++) {
    const start = lastEventStart(events);
    const facts = eventFacts(events.subarray(start), read);
    if (facts.id !== "") return facts;
    events = events.subarray(0, start);
  }
  return NO_FACTS;
}

/** Reads the events with which a stream begins. */
export function firstFacts(events: Buffer, read: FactsReader): ReplyFacts {
  return eventFacts(events.subarray(0, Math.max(0, nextBoundary(events, 0))), read);
}

function eventFacts(event: Buffer, read: FactsReader): ReplyFacts {
  const data = event.length > PARSED_BYTES_MAX ? undefined : eventData(event);
  const parsed = data === undefined ? undefined : parseRecord(data);
  return parsed === undefined ? NO_FACTS : checked(read(parsed));
}

/**
 * Every reason that the last events of a stream tell, which may stand in several of them. `pattern` is global
 * and catches the reason. What a model says is quoted there, so it does not match.
 */
export function reasonsIn(tail: Buffer, pattern: RegExp): readonly string[] {
  const found = [...latin1(tail).matchAll(pattern)].slice(-REASONS_MAX);
  return found.flatMap(([, reason]) => reasonOf(reason) ?? []);
}

/** The objects of a list; none when it is no list. */
export function recordsOf(value: unknown): readonly Record<string, unknown>[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

function checked({ id, model, reasons }: ReadFacts): ReplyFacts {
  const finishReasons = reasons.slice(0, REASONS_MAX).flatMap((each) => reasonOf(each) ?? []);
  return { id: nameOf(id), model: nameOf(model), finishReasons };
}

function nameOf(value: unknown): string {
  return typeof value === "string" && NAME.test(value) ? value : "";
}

function reasonOf(value: unknown): string | undefined {
  if (typeof value !== "string" || value === "") return undefined;
  return REASONS.has(value) ? value : "_OTHER";
}

/** What providers of all dialects say; a closed list, so that nothing else of a reply can pass for one. */
const REASONS: ReadonlySet<string> = new Set([
  // Chat completions, and APIs that imitate them.
  "stop",
  "length",
  "tool_calls",
  "function_call",
  "content_filter",
  "error",
  "abort",
  "eos",
  "eos_token",
  "stop_token",
  "model_length",
  "sensitive",
  "network_error",
  "insufficient_system_resource",
  // Responses.
  "completed",
  "failed",
  "cancelled",
  "incomplete",
  "max_output_tokens",
  // Anthropic.
  "end_turn",
  "max_tokens",
  "stop_sequence",
  "tool_use",
  "pause_turn",
  "refusal",
  "model_context_window_exceeded",
  // Gemini, for answers and for prompts.
  "STOP",
  "MAX_TOKENS",
  "SAFETY",
  "RECITATION",
  "LANGUAGE",
  "OTHER",
  "BLOCKLIST",
  "PROHIBITED_CONTENT",
  "SPII",
  "MALFORMED_FUNCTION_CALL",
  "MALFORMED_RESPONSE",
  "UNEXPECTED_TOOL_CALL",
  "TOO_MANY_TOOL_CALLS",
  "MISSING_THOUGHT_SIGNATURE",
  "IMAGE_SAFETY",
  "IMAGE_PROHIBITED_CONTENT",
  "IMAGE_RECITATION",
  "IMAGE_OTHER",
  "NO_IMAGE",
  "MODEL_ARMOR",
  "JAILBREAK",
]);
