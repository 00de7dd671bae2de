import { unreachable } from "./assert.js";
import type { ClientKeyKind } from "./client-key.js";
import type { Dialect } from "./provider.js";

export type CallStatus = "SUCCESS" | "ERROR";

/** Where the token numbers come from: the provider; the provider and our estimate of a stream that was cut; our estimate alone. */
export type UsageSource = "PROVIDER" | "PARTIAL" | "ESTIMATED" | "NONE";

/**
 * LLM tokens of a call, each counted once. `input` includes cache reads and writes, `output` includes
 * reasoning, whatever way round the provider reports them.
 */
export interface TokenUsage {
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  readonly reasoning: number;
  /** Undefined when the provider tells none. */
  readonly parts?: UsageParts | undefined;
}

/**
 * What some models price apart from other tokens, as far as the provider told it. The cost of a call is made from it,
 * and it is not stored. These tokens are counted in `input` and `output` as well, and in `cacheRead` and `cacheWrite`
 * where the name says so.
 */
export interface UsageCounts {
  /** Of `cacheWrite`, with a time to live of one hour or more. */
  readonly cacheWriteLong?: number;
  readonly audioInput?: number;
  readonly audioOutput?: number;
  /** Of `cacheRead` and of `audioInput`. */
  readonly audioCacheRead?: number;
  readonly imageInput?: number;
  readonly imageOutput?: number;
  /** Of `cacheRead` and of `imageInput`. */
  readonly imageCacheRead?: number;
  /** Seconds of audio, for models that count no tokens. */
  readonly audioSeconds?: number;
  /** Images that were made, for models that are priced by them. */
  readonly images?: number;
  /** Of a text that is spoken, for models that are priced by them. */
  readonly characters?: number;
  /** Searches in the web that the provider made for the call. */
  readonly webSearches?: number;
}

/** What is priced apart, of which kind the images are, and how dear all of it is. */
export interface UsageParts extends UsageCounts {
  /** As it was asked for or is told; undefined where nothing was said. */
  readonly imageSize?: string | undefined;
  /** As it was asked for or is told; undefined where nothing was said. */
  readonly imageQuality?: string | undefined;
  /** In which the call was served, or asked to be; undefined for the ordinary one. */
  readonly serviceTier?: string | undefined;
  /** Of images that were made inside of a response, by another model; undefined where none were. */
  readonly imageTool?: ImageToolUse | undefined;
}

/** What a tool used that makes images inside of a response. Its tokens are not among those of the response. */
export interface ImageToolUse {
  /** Its model, or several of which one is. */
  readonly models: readonly string[];
  readonly tokens: TokenUsage;
}

/** No call has more tokens of one kind. A larger number is nonsense, whoever says it, and is cut to this. */
export const TOKENS_MAX = 1_000_000_000;

export const NO_TOKENS: TokenUsage = {
  input: 0,
  output: 0,
  cacheRead: 0,
  cacheWrite: 0,
  reasoning: 0,
};

export type AttemptOutcome =
  | "OK"
  | "RATE_LIMITED"
  | "QUOTA_EXHAUSTED"
  | "KEY_REFUSED"
  /** The provider does not serve the model to this key, or to any; the key itself is fine. */
  | "MODEL_REFUSED"
  /** The call needs a right that this key does not have, or no key has; it may serve other calls. */
  | "RIGHT_REFUSED"
  | "PROVIDER_ERROR"
  | "UNREACHABLE"
  /** The host of this server could open no connection, which says nothing of the provider or its key. */
  | "NO_SOCKET"
  | "TIMEOUT"
  | "CUT"
  | "CALLER_ABORTED"
  /** The provider refused the request itself, not the key: the caller's fault. */
  | "REQUEST_REFUSED";

/** What a call may use at most, known before it is made: LLM tokens, and micro-US-dollars, 0 where no price is known. */
export interface Estimate {
  readonly inputTokens: number;
  readonly maxOutputTokens: number;
  readonly costMicros: number;
  /** What is priced apart, part of the tokens or besides them; undefined where nothing is. */
  readonly parts?: UsageParts | undefined;
  /** What a caller can do to use less; undefined where that is to ask for fewer output tokens. */
  readonly remedy?: string | undefined;
  /** It is used later, in a batch: budgets set it aside, and limits of tokens per minute do not. */
  readonly isLater?: true;
  /** It can cost nothing, as a look at what was made before: a budget that is used up lets it pass. */
  readonly isFree?: true;
}

/** Of a call that reserves nothing, or of which is not known what it did. */
export const NOTHING_RESERVED: Estimate = { inputTokens: 0, maxOutputTokens: 0, costMicros: 0 };

/** LLM tokens, input and output together, and money in micro-US-dollars. */
export interface Used {
  readonly tokens: number;
  readonly costMicros: number;
}

/** What an outcome counts as for the provider and its key: a success, a failure, or neither. */
export function countsAs(outcome: AttemptOutcome): "success" | "failure" | "neutral" {
  switch (outcome) {
    case "OK":
      return "success";
    case "CALLER_ABORTED":
    case "NO_SOCKET":
    case "REQUEST_REFUSED":
    case "MODEL_REFUSED":
    case "RIGHT_REFUSED":
      return "neutral";
    case "RATE_LIMITED":
    case "QUOTA_EXHAUSTED":
    case "KEY_REFUSED":
    case "PROVIDER_ERROR":
    case "UNREACHABLE":
    case "TIMEOUT":
    case "CUT":
      return "failure";
    default:
      return unreachable(outcome);
  }
}

const OVERLOAD_STATUSES: ReadonlySet<number | null> = new Set([503, 529]);

/** True for a status that means the provider or the model is overloaded, whichever key asks. */
export function saysOverload(httpStatus: number | null): boolean {
  return OVERLOAD_STATUSES.has(httpStatus);
}

/**
 * True for an attempt that failed as it would have with any key of its provider: that has no room or does not answer, or
 * there is no way to it.
 */
export function saysOutage(outcome: AttemptOutcome, httpStatus: number | null): boolean {
  if (outcome === "UNREACHABLE" || outcome === "TIMEOUT") return true;
  return outcome === "PROVIDER_ERROR" && saysOverload(httpStatus);
}

/** One try with one provider key. */
export interface Attempt {
  readonly providerKeyId: string;
  readonly providerId: string;
  /** From the call's begin to the attempt's, in milliseconds. */
  readonly startedMs: number;
  readonly durationMs: number;
  /** Null if no head arrived. */
  readonly httpStatus: number | null;
  readonly outcome: AttemptOutcome;
  /** What went wrong in words, without secrets; empty when nothing did. */
  readonly detail: string;
}

/** What a reply tells of itself besides its tokens, for traces; not stored. */
export interface ReplyFacts {
  /** The provider's id of the reply; empty if it tells none. */
  readonly id: string;
  /** The model that answered, in the provider's words; empty if it tells none. */
  readonly model: string;
  /** Why the model stopped, once for each answer: the provider's words where they are known, else `_OTHER`. */
  readonly finishReasons: readonly string[];
}

/** The immutable record of one finished proxied request; written once. */
export interface CallRecord {
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly clientKeyId: string;
  readonly clientKeyKind: ClientKeyKind;
  readonly ownerId: string;
  /** Null if no attempt was made. */
  readonly providerKeyId: string | null;
  readonly providerId: string | null;
  readonly modelAsked: string;
  readonly modelServed: string | null;
  /** Path without query, e.g. `/v1/chat/completions`. */
  readonly endpoint: string;
  readonly dialect: Dialect;
  readonly streamed: boolean;
  readonly status: CallStatus;
  /** What the caller got; 499 when it left before it had the whole answer, also where another status had been sent. */
  readonly httpStatus: number;
  readonly errorCode: string | null;
  /** At most 500 characters, without secrets. */
  readonly errorMessage: string | null;
  readonly latencyMs: number;
  /** To the first byte of the reply's body; null if there was none. */
  readonly ttfbMs: number | null;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly tokens: TokenUsage;
  /** Micro-US-dollars; null when the model has no price. */
  readonly costMicros: number | null;
  readonly usageSource: UsageSource;
  readonly ip: string;
  readonly attempts: readonly Attempt[];
}

/**
 * What is known of a call when it is admitted. The journal keeps it, so that a call during which the
 * process dies still leaves a row.
 */
export type BegunCall = Pick<
  CallRecord,
  | "id"
  | "startedAt"
  | "clientKeyId"
  | "clientKeyKind"
  | "ownerId"
  | "modelAsked"
  | "endpoint"
  | "dialect"
  | "streamed"
  | "ip"
> & {
  /** What is set aside for it in budgets. */
  readonly reserved: Estimate;
};

/** What is put on record of a call: that it has begun, or how it ended. */
export type CallEntry =
  | { readonly kind: "BEGUN"; readonly call: BegunCall }
  | { readonly kind: "FINISHED"; readonly record: CallRecord };
