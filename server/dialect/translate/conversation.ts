import { append } from "../../core/append.js";
import type { JsonObject } from "./json.js";
import type { Notes } from "./notes.js";

/** Which provider made a signature: no other can use it. */
export type SignatureOrigin = "ANTHROPIC" | "GEMINI" | "OPENAI";

/** A provider's proof of what its model thought, which later requests must bring back unchanged. */
export interface Signature {
  readonly origin: SignatureOrigin;
  readonly value: string;
}

export interface TextPart {
  readonly kind: "TEXT";
  readonly text: string;
}

/** An image, document or sound: either `data` in base64 or a `url`. */
export interface MediaPart {
  readonly kind: "IMAGE" | "DOCUMENT" | "AUDIO";
  /** Empty when unknown. */
  readonly mediaType: string;
  readonly data: string | undefined;
  readonly url: string | undefined;
  readonly name: string | undefined;
  /** How closely to look at an image. */
  readonly detail: string | undefined;
}

export interface ThinkingPart {
  readonly kind: "THINKING";
  readonly text: string;
  readonly signature: Signature | undefined;
  /** Thoughts that only their provider can read, in place of text. */
  readonly redacted: boolean;
}

export interface ToolCallPart {
  readonly kind: "TOOL_CALL";
  readonly id: string;
  readonly name: string;
  /** JSON text, as the model wrote it where it came as text: numbers keep their digits. */
  readonly args: string;
  readonly signature: Signature | undefined;
}

export interface ToolResultPart {
  readonly kind: "TOOL_RESULT";
  readonly id: string;
  /** Empty when the caller's dialect does not name the tool again. */
  readonly name: string;
  readonly parts: readonly (TextPart | MediaPart)[];
  readonly failed: boolean;
}

export interface RefusalPart {
  readonly kind: "REFUSAL";
  readonly text: string;
}

export type Part =
  TextPart | MediaPart | ThinkingPart | ToolCallPart | ToolResultPart | RefusalPart;

/** What one side said. Tool results are said by the user; neighbouring turns may have the same role. */
export interface Turn {
  readonly role: "USER" | "ASSISTANT" | "SYSTEM";
  readonly parts: readonly Part[];
}

export interface Tool {
  readonly name: string;
  readonly description: string | undefined;
  readonly schema: JsonObject | undefined;
  readonly strict: boolean | undefined;
  /** Set where the caller's dialect has other words for the tool than its name. */
  readonly asDeclared: ToolDeclaration | undefined;
}

/** A tool as callers of the Responses API declare it. */
export interface ToolDeclaration {
  readonly name: string;
  /** Empty when the tool stands in none. */
  readonly namespace: string;
  /** Takes plain text in place of an object. */
  readonly custom: boolean;
}

export type ToolChoice =
  | { readonly kind: "AUTO" }
  | { readonly kind: "NONE" }
  | { readonly kind: "REQUIRED" }
  | { readonly kind: "TOOL"; readonly name: string };

/** The shape that a reply must have; without a schema any JSON object will do. */
export interface ReplyFormat {
  readonly name: string;
  readonly schema: JsonObject | undefined;
  readonly strict: boolean | undefined;
}

/** What a response was asked for with. */
export interface AskedItems {
  /** The response that it goes on from; undefined where it begins a conversation. */
  readonly previousId: string | undefined;
  /** A list, as JSON text. */
  readonly input: string;
}

/** A request for a reply, in no dialect. What a dialect cannot say is undefined or empty. */
export interface Conversation {
  readonly system: readonly string[];
  readonly turns: readonly Turn[];
  readonly tools: readonly Tool[];
  readonly toolChoice: ToolChoice | undefined;
  readonly parallelTools: boolean | undefined;
  readonly maxTokens: number | undefined;
  readonly temperature: number | undefined;
  readonly topP: number | undefined;
  readonly topK: number | undefined;
  readonly seed: number | undefined;
  readonly frequencyPenalty: number | undefined;
  readonly presencePenalty: number | undefined;
  readonly stop: readonly string[];
  readonly stream: boolean;
  /** The caller wants usage in its stream where its dialect leaves that open. */
  readonly usageAsked: boolean;
  readonly format: ReplyFormat | undefined;
  /** What OpenAI names alike in both of its forms and other dialects do not know, such as `service_tier`. */
  readonly openais?: JsonObject | undefined;
  /** What is to be kept, so that a later request can name it. */
  readonly asked?: AskedItems | undefined;
  /** What the reply says again of the request, as JSON text. */
  readonly settings?: string | undefined;
  /** `none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`. */
  readonly effort: string | undefined;
  /** Inferred from what the caller's dialect says of thinking: told only to models that are known to take it. */
  readonly effortInferred?: boolean | undefined;
  /** Whether the caller wants to read what the model thinks; undefined where its dialect shows it to all. */
  readonly thoughtsShown?: boolean | undefined;
}

/** What is said in words, piece by piece. */
export function textsOf(parts: readonly Part[]): string[] {
  return parts.flatMap((part) => (part.kind === "TEXT" ? [part.text] : []));
}

/**
 * The conversation for dialects that take what its system says in front alone. What it says once the assistant has
 * spoken is the user's, and stays in its place: agents tell there what is left of their budget, with each request
 * another number, and behind a front that changes nothing comes from a provider's cache.
 */
export function withSystemFirst(
  conversation: Conversation,
  notes: Notes,
): { system: string[]; turns: Turn[] } {
  const system = [...conversation.system];
  const turns: Turn[] = [];
  let hasSpoken = false;
  for (const turn of conversation.turns) {
    if (turn.role === "ASSISTANT") hasSpoken = true;
    if (turn.role !== "SYSTEM") {
      turns.push(turn);
      continue;
    }
    notes.lose("system_place");
    if (!hasSpoken) append(system, textsOf(turn.parts));
    else if (turn.parts.length > 0) turns.push({ role: "USER", parts: turn.parts });
  }
  return { system, turns };
}

/** What is said in a turn, the results of tools before anything else. */
export function resultsFirst({ parts }: Turn): readonly Part[] {
  const isResult = (part: Part): boolean => part.kind === "TOOL_RESULT";
  if (!parts.some(isResult)) return parts;
  return [...parts.filter(isResult), ...parts.filter((part) => !isResult(part))];
}

/** Joins neighbouring turns of one role, for dialects in which the roles take turns. `joins` may keep some apart. */
export function mergedTurns(
  turns: readonly Turn[],
  joins: (before: Turn, next: Turn) => boolean = () => true,
): Turn[] {
  const merged: Turn[] = [];
  /** Of the last one, if it is joined already: there may be a hundred thousand turns of one role. */
  let joined: Part[] | undefined;
  for (const turn of turns) {
    const last = merged.at(-1);
    if (last?.role !== turn.role || !joins(last, turn)) {
      merged.push(turn);
      joined = undefined;
      continue;
    }
    if (joined === undefined) {
      joined = [...last.parts];
      merged[merged.length - 1] = { role: turn.role, parts: joined };
    }
    for (const part of turn.parts) joined.push(part);
  }
  return merged;
}

/**
 * What the user is made to say first, for dialects in which somebody else may not: the system prompt where nothing
 * else is said, which is then taken out of `system`, else a dot.
 */
export function openingText(isAlone: boolean, system: string[]): string {
  const text = isAlone ? system.splice(0).join("\n\n") : "";
  return text === "" ? "." : text;
}

/** What the user is made to say last where the assistant has: some providers answer nothing else. */
export const CLOSING_TEXT = "Continue.";

/** True where the assistant has the last word. A call waits for its result, which nothing can stand in for. */
export function endsWithAssistant(turns: readonly Turn[]): boolean {
  const last = turns.at(-1);
  return last?.role === "ASSISTANT" && last.parts.every((part) => part.kind !== "TOOL_CALL");
}

/** A medium from a URL, which may be a `data:` URL that holds it. */
export function mediaOfUrl(kind: MediaPart["kind"], url: string): MediaPart {
  const parsed = /^data:([^;,]*)(?:;[^;,]*)*;base64,/.exec(url.slice(0, DATA_HEAD_CHARS));
  const none = { name: undefined, detail: undefined };
  if (parsed === null) return { kind, mediaType: "", data: undefined, url, ...none };
  const data = url.slice(parsed[0].length);
  return { kind, mediaType: mediaTypeOf(parsed[1] ?? ""), data, url: undefined, ...none };
}

/** As it is registered: browsers take the other name too, providers do not. */
function mediaTypeOf(given: string): string {
  return given.toLowerCase() === "image/jpg" ? "image/jpeg" : given;
}

/** A `data:` URL's head is never longer; the rest may be megabytes. */
const DATA_HEAD_CHARS = 256;

/** The medium as a URL; a `data:` URL when it is held in the request itself. */
export function urlOfMedia(media: MediaPart): string {
  if (media.url !== undefined) return media.url;
  return `data:${media.mediaType};base64,${media.data ?? ""}`;
}

const ORIGINS: Readonly<Record<string, SignatureOrigin>> = {
  anthropic: "ANTHROPIC",
  gemini: "GEMINI",
  openai: "OPENAI",
};
/**
 * Before the maker's name of a signature in another's dialect. Rare in all that is said: requests are searched for it,
 * and passing over bytes for one that hardly comes is all but free.
 */
const MARK = "~";
/** Stands where a dialect wants a signature and a thought has none, so that no provider takes it for one. */
const UNSIGNED = `${MARK}unsigned:`;

/** A signature as text in a dialect: bare in its own, under its maker's name in another. */
export function signatureText(signature: Signature | undefined, own: SignatureOrigin): string {
  if (signature === undefined) return UNSIGNED;
  if (signature.origin === own) return signature.value;
  return `${MARK}${signature.origin.toLowerCase()}:${signature.value}`;
}

/** How the text of a signature begins that another than the dialect's own provider made, or that stands for none. */
export function foreignBegins(own: SignatureOrigin): string[] {
  const others = Object.keys(ORIGINS).filter((name) => ORIGINS[name] !== own);
  return [...others.map((name) => `${MARK}${name}:`), UNSIGNED];
}

const NAMED = new RegExp(`^${MARK}(${Object.keys(ORIGINS).join("|")}):`);

/** The signature that a text stands for in a dialect; undefined for none. Imitators of providers give empty ones. */
export function signatureOf(text: string, own: SignatureOrigin): Signature | undefined {
  if (text === "" || text.startsWith(UNSIGNED)) return undefined;
  const [begin = "", name = ""] = NAMED.exec(text) ?? [];
  return { origin: ORIGINS[name] ?? own, value: text.slice(begin.length) };
}
