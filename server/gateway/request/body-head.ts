import type { Dialect } from "../../core/provider.js";
import { Fault } from "../../core/fault.js";
import { modelOfResource } from "../../core/model-resource.js";
import { RepeatedText } from "../../core/repeated-text.js";
import { tierNamed } from "../../core/service-tier.js";
import { scanElements, scanMember, scanObject } from "../../dialect/json-scan.js";
import {
  isLong,
  isNull,
  readFalse,
  readNumber,
  readShort,
  readTrue,
  type Span,
} from "../../dialect/json-span.js";
import { LongScan } from "../../dialect/long-scan.js";
import { WantedMembers } from "../../dialect/wanted-members.js";
import { unreachable } from "../../core/assert.js";
import { readForm } from "./multipart.js";

/** What a request body says that matters here. */
export interface BodyHead {
  readonly model: string | undefined;
  /** Where the model stands; undefined when it is not in the body. */
  readonly modelSpan: Span | undefined;
  /** How a replaced model is written: as JSON text, as one with Gemini's `models/` before it, or plain. */
  readonly modelForm: "JSON" | "RESOURCE" | "PLAIN";
  readonly stream: boolean;
  /** What is made is to come as events. */
  readonly eventsFormat: boolean;
  /** Output tokens of a choice asked for at most, above 0 and as large as anybody writes; undefined if open. */
  readonly maxOutputTokens: number | undefined;
  /** Choices asked for, from 1 on and as many as anybody writes. */
  readonly choices: number;
  /** Where `stream_options` stands. */
  readonly streamOptions: Span | undefined;
  /** The caller asks itself for the usage of its stream, or there is nothing to ask for. */
  readonly usageWanted: boolean;
  /** What the caller calls its session or cache; empty if nothing. */
  readonly session: string;
  /** The id of what the call goes on from, which lives in a provider's account; empty if nothing. */
  readonly from: string;
  /** Whether the provider is to keep the reply; undefined where the request leaves that to the API. */
  readonly store: boolean | undefined;
  /** The service tier that is asked for; undefined for the ordinary one. */
  readonly serviceTier: string | undefined;
  /** Vectors are to come in base64. */
  readonly vectorsInBase64: boolean;
  /** The tools that the model may use, where the provider's own may cost something beside it. */
  readonly tools: Span | undefined;
}

/** Of a request without a body to look into. */
export const NO_BODY: BodyHead = {
  model: undefined,
  modelSpan: undefined,
  modelForm: "PLAIN",
  stream: false,
  eventsFormat: false,
  maxOutputTokens: undefined,
  choices: 1,
  streamOptions: undefined,
  usageWanted: true,
  session: "",
  from: "",
  store: undefined,
  serviceTier: undefined,
  vectorsInBase64: false,
  tools: undefined,
};

/** Most calls of a while are for one model. */
const models = new RepeatedText();

const OPENAI_MEMBERS = new WantedMembers([
  "model",
  "stream",
  "stream_options",
  "max_tokens",
  "max_completion_tokens",
  "max_output_tokens",
  "n",
  "prompt_cache_key",
  "previous_response_id",
  "store",
  "stream_format",
  "conversation",
  "best_of",
  "prompt",
  "service_tier",
  "tools",
  "encoding_format",
]);
const ID_MEMBER = new WantedMembers(["id"]);
const MODEL_MEMBER = new WantedMembers(["model"]);
const ANTHROPIC_MEMBERS = new WantedMembers([
  "model",
  "stream",
  "max_tokens",
  "metadata",
  "container",
  "thread",
  "speed",
  "fallbacks",
]);
const FALLBACK_MEMBERS = new WantedMembers(["max_tokens", "speed"]);
const THREAD_MEMBER = new WantedMembers(["previous_message_id"]);
// Google takes each name in either spelling.
const GEMINI_MEMBERS = new WantedMembers([
  "generationConfig",
  "generation_config",
  "serviceTier",
  "service_tier",
]);
const GENERATION_MEMBERS = new WantedMembers([
  "maxOutputTokens",
  "max_output_tokens",
  "candidateCount",
  "candidate_count",
]);
const USER_MEMBER = new WantedMembers(["user_id"]);
const INCLUDE_MEMBER = new WantedMembers(["include_usage"]);

// OpenAI's first, then those with which Mistral asks a model at the same path.
const CONVERSATION_MEMBERS = new WantedMembers([
  "metadata",
  "inputs",
  "agent_id",
  "tool_confirmations",
  "completion_args",
]);

/**
 * Whose members are looked for: a dialect's, those of a Gemini request that names its model as a resource, or those of a
 * conversation that begins or is changed.
 */
export type BodyMembers = Dialect | "RESOURCE" | "CONVERSATION" | "CHANGED_CONVERSATION";

const MEMBERS: Readonly<Record<BodyMembers, WantedMembers>> = {
  OPENAI: OPENAI_MEMBERS,
  ANTHROPIC: ANTHROPIC_MEMBERS,
  GEMINI: GEMINI_MEMBERS,
  RESOURCE: MODEL_MEMBER,
  CONVERSATION: CONVERSATION_MEMBERS,
  CHANGED_CONVERSATION: CONVERSATION_MEMBERS,
};

/** Where the members stand that are looked for. */
export type MemberSpans = readonly (Span | undefined)[];

/** Reads a JSON body. `spans`: as a scan of it has found them. Throws Fault `malformed_request`. */
export function headOfJson(
  body: Buffer,
  members: BodyMembers,
  spans: MemberSpans = scanObject(body, MEMBERS[members]),
): BodyHead {
  switch (members) {
    case "OPENAI":
      return headOfOpenai(body, spans);
    case "ANTHROPIC":
      return headOfAnthropic(body, spans);
    case "GEMINI":
      return headOfGemini(body, spans);
    case "RESOURCE":
      return headOfResource(body, spans);
    case "CONVERSATION":
      return headOfConversation(spans, false);
    case "CHANGED_CONVERSATION":
      return headOfConversation(spans, true);
    default:
      return unreachable(members);
  }
}

/** Finds the spans for `headOfJson` in a long body. */
export function longScan(body: Buffer, members: BodyMembers): LongScan {
  return new LongScan(body, MEMBERS[members]);
}

const FORM_FIELDS: ReadonlySet<string> = new Set(["model", "stream"]);

/** Reads a multipart body. Throws Fault `malformed_request`. */
export function headOfForm(body: Buffer, contentType: string): BodyHead {
  const { fields } = readForm(body, contentType, FORM_FIELDS);
  const model = fields.get("model");
  const stream = isTrueField(fields.get("stream")?.value ?? "");
  return { ...NO_BODY, model: model?.value, modelSpan: model?.span, stream };
}

function isTrueField(value: string): boolean {
  const word = value.toLowerCase();
  if (word !== "true" && word !== "false" && word !== "") throw noFlag();
  return word === "true";
}

/**
 * Whether a stream is asked for. Throws Fault `invalid_argument` for anything but a flag: some servers take a `"true"` or
 * a 1 for one, and such a stream would not have been asked for what it used.
 */
function asksStream(body: Buffer, span: Span | undefined): boolean {
  if (span === undefined || readFalse(body, span) || isNull(body, span)) return false;
  if (!readTrue(body, span)) throw noFlag();
  return true;
}

function noFlag(): Fault {
  return new Fault("invalid_argument", 'The "stream" of a request must be true or false.');
}

function headOfOpenai(body: Buffer, spans: MemberSpans): BodyHead {
  const [
    model,
    stream,
    options,
    tokens,
    completion,
    output,
    n,
    cacheKey,
    previous,
    store,
    format,
    held,
    bestOf,
    prompt,
    tier,
    tools,
    encoding,
  ] = spans;
  const from = readShort(body, previous) ?? idIn(body, held, "conv_");
  return {
    model: modelOf(body, model),
    modelSpan: model,
    modelForm: "JSON",
    stream: asksStream(body, stream),
    eventsFormat: format !== undefined && readShort(body, format) === "sse",
    maxOutputTokens: largestBound(body, completion, tokens, output),
    choices: choicesOf(body, n, bestOf) * promptsIn(body, prompt),
    streamOptions: options,
    usageWanted: options !== undefined && wantsUsage(body, options),
    session: readShort(body, cacheKey) ?? from,
    from,
    store: readTrue(body, store) || (readFalse(body, store) ? false : undefined),
    serviceTier: tierNamed(readShort(body, tier)),
    vectorsInBase64: encoding !== undefined && readShort(body, encoding) === "base64",
    tools,
  };
}

/** Of completions more may be made than are given back. */
function choicesOf(body: Buffer, n: Span | undefined, bestOf: Span | undefined): number {
  return Math.max(choicesAt(body, n), choicesAt(body, bestOf));
}

/** Google, and others who pass over such things, take a number in quotes as well. */
function choicesAt(body: Buffer, span: Span | undefined): number {
  const text = readShort(body, span);
  const count = text === undefined ? readCount(body, span) : Number(text.replaceAll("_", ""));
  return count !== undefined && count >= 1 ? Math.ceil(count) : 1;
}

/** Completions are made of each prompt of a list, be it a text or a list of tokens; a list of tokens is one itself. */
function promptsIn(body: Buffer, prompt: Span | undefined): number {
  if (prompt === undefined || body[prompt.start] !== OPEN_BRACKET) return 1;
  const all = scanElements(body, prompt);
  const isOne = all.every((each) => readNumber(body, each) !== undefined);
  return isOne ? 1 : all.length;
}

const OPEN_BRACKET = 0x5b;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** By its id, or as an object with that; of another look it is no such thing, but a member of some vendor's own. */
function idIn(body: Buffer, span: Span | undefined, begin: string): string {
  if (span === undefined || isLong(span)) return "";
  const id = readShort(body, span) ?? readShort(body, scanMember(body, span, ID_MEMBER)[0]) ?? "";
  return id.startsWith(begin) ? id : "";
}

function headOfResource(body: Buffer, [span]: MemberSpans): BodyHead {
  const named = modelOf(body, span);
  const model = named === undefined ? undefined : modelOfResource(named);
  return { ...NO_BODY, model, modelSpan: span, modelForm: "RESOURCE" };
}

/**
 * A model that was asked here would be asked past allowlists and budgets, and nobody would know what it used. To go on,
 * Mistral's may need no member at all; it takes no change of OpenAI's.
 */
function headOfConversation([metadata, ...asking]: MemberSpans, isChange: boolean): BodyHead {
  if (asking.some((span) => span !== undefined) || (isChange && metadata === undefined)) {
    throw new Fault(
      "invalid_argument",
      'Conversations are OpenAI\'s here, which have "items" and "metadata" and ask no model: ask for chat completions.',
    );
  }
  return NO_BODY;
}

function headOfAnthropic(body: Buffer, spans: MemberSpans): BodyHead {
  const [model, stream, tokens, metadata, container, thread, speed, fallbacks] = spans;
  const [user] =
    metadata === undefined || isLong(metadata) ? [] : scanMember(body, metadata, USER_MEMBER);
  const head: BodyHead = {
    model: modelOf(body, model),
    modelSpan: model,
    modelForm: "JSON",
    stream: asksStream(body, stream),
    eventsFormat: false,
    maxOutputTokens: largestBound(body, tokens),
    choices: 1,
    streamOptions: undefined,
    usageWanted: true,
    session: readShort(body, user) ?? "",
    from: threadIn(body, thread) || idIn(body, container, "container_"),
    store: thread !== undefined && !isNull(body, thread) ? true : undefined,
    serviceTier: tierNamed(readShort(body, speed)),
    vectorsInBase64: false,
    tools: undefined,
  };
  return fallbacks === undefined ? head : withFallbacks(body, head, fallbacks);
}

/** Anthropic's own may be let make more, and faster, than the model that is asked first. */
function withFallbacks(body: Buffer, head: BodyHead, fallbacks: Span): BodyHead {
  let { serviceTier } = head;
  let bound = head.maxOutputTokens ?? Infinity;
  for (const fallback of scanElements(body, fallbacks)) {
    const [tokens, speed] = scanMember(body, fallback, FALLBACK_MEMBERS);
    bound = Math.max(bound, boundOf(body, tokens));
    serviceTier ??= tierNamed(readShort(body, speed));
  }
  return { ...head, maxOutputTokens: bound < Infinity ? bound : undefined, serviceTier };
}

/** The id of the message from which a thread goes on; empty where there is none, or one begins. */
function threadIn(body: Buffer, span: Span | undefined): string {
  if (span === undefined || isLong(span)) return "";
  return readShort(body, scanMember(body, span, THREAD_MEMBER)[0]) ?? "";
}

function headOfGemini(body: Buffer, [camel, snake, tier, tierToo]: MemberSpans): BodyHead {
  const config = camel ?? snake;
  // Which of two holds is known to the provider alone.
  if (camel !== undefined && snake !== undefined) {
    throw new Fault("malformed_request", "The generation config must be there once only.");
  }
  if (tier !== undefined && tierToo !== undefined) {
    throw new Fault("malformed_request", "The service tier must be there once only.");
  }
  const serviceTier = tierNamed(readShort(body, tier ?? tierToo));
  if (config === undefined)
    return serviceTier === undefined ? NO_BODY : { ...NO_BODY, serviceTier };
  const [tokens, tokensToo, candidates, candidatesToo] = scanMember(
    body,
    config,
    GENERATION_MEMBERS,
  );
  const choices = Math.max(choicesAt(body, candidates), choicesAt(body, candidatesToo));
  const maxOutputTokens = largestBound(body, tokens, tokensToo);
  return { ...NO_BODY, maxOutputTokens, choices, serviceTier };
}

/**
 * A provider keeps to the bound that it knows, whichever that is. Undefined, which is open, when none is given or
 * one of them binds nobody.
 */
function largestBound(body: Buffer, a: Span | undefined, b?: Span, c?: Span): number | undefined {
  const largest = Math.max(boundOf(body, a), boundOf(body, b), boundOf(body, c));
  return largest > 0 && largest < Infinity ? largest : undefined;
}

/** 0 where nothing is given; Infinity for what is not a whole number above 0, which some providers take for no bound. */
function boundOf(body: Buffer, span: Span | undefined): number {
  if (span === undefined || isNull(body, span)) return 0;
  return readCount(body, span) ?? Infinity;
}

/** A whole number above 0; undefined when the span holds something else. */
function readCount(body: Buffer, span: Span | undefined): number | undefined {
  const value = readNumber(body, span);
  return value !== undefined && value > 0 && Number.isInteger(value) ? value : undefined;
}

function modelOf(body: Buffer, span: Span | undefined): string | undefined {
  if (span === undefined || isNull(body, span)) return undefined;
  if (isLong(span)) throw modelTooLong();
  if (isPlain(body, span)) return models.in(body, span.start + 1, span.end - 1);
  const model = readShort(body, span);
  // Half a character is no text: it cannot be written into a path.
  if (model === undefined || /\p{Surrogate}/u.test(model)) {
    throw new Fault("invalid_argument", "The model must be a text.");
  }
  return model;
}

/** The refusal of a name that is none. */
export function modelTooLong(): Fault {
  return new Fault("invalid_argument", "The model id is too long.");
}

/** A text of ASCII without escapes. */
function isPlain(body: Buffer, { start, end }: Span): boolean {
  if (body[start] !== QUOTE) return false;
  for (let at = start + 1; at < end - 1; at++) {
    const byte = body[at] ?? 0;
    if (byte === BACKSLASH || byte > 0x7e) return false;
  }
  return true;
}

/**
 * Who does not want usage does not get it, and it is asked for all the same: what a model thinks is billed and shows nowhere
 * else.
 */
function wantsUsage(body: Buffer, options: Span): boolean {
  if (isLong(options)) throw new Fault("invalid_argument", "The stream options are too long.");
  return readTrue(body, scanMember(body, options, INCLUDE_MEMBER)[0]);
}
