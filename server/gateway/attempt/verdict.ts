import { type AttemptOutcome, saysOverload } from "../../core/call.js";
import {
  namesForeign,
  refusesContent,
  saysKey,
  saysModel,
  saysQuota,
  saysRights,
  saysScope,
  saysTooLarge,
  saysUseless,
} from "../answer/error-words.js";
import { errorOf, type ProviderError } from "../reply/provider-error.js";
import type { ReplyHead } from "../reply/reply-head.js";
import { overloadWaitMs, quotaWaitMs, rateWaitMs, writersNow } from "./waits.js";

/** What a provider's refusal means for its key and for the call. */
export interface Verdict {
  readonly outcome: AttemptOutcome;
  /** Another provider key may do better. */
  readonly elsewhere: boolean;
  /** Milliseconds until this key may be asked again; null if the provider said nothing. */
  readonly retryAfterMs: number | null;
  /** The provider's own words; empty if it gave none. */
  readonly said: string;
  /** The answer is fit for the caller: its SDK can read it, and will not blame the caller's key for ours. */
  readonly passable: boolean;
}

/** What a refusal says beside its body: over HTTP in its head, inside a reply by the error's own name. */
export type RefusalHead = Pick<ReplyHead, "httpStatus" | "contentType" | "pacing">;

/** Judges a reply that is no success. `nowMs` is our wall clock, for moments where the head has no `Date`. */
export function judge(head: RefusalHead, body: string, nowMs: number): Verdict {
  const error = errorOf(body);
  const tooLarge = isTooLarge(head, error);
  const outcome = tooLarge ? "REQUEST_REFUSED" : outcomeOf(head.httpStatus, error);
  return {
    outcome,
    elsewhere: outcome !== "REQUEST_REFUSED" || namesForeign(error) || tooLarge,
    retryAfterMs: waitMs(outcome, head, error, writersNow(head, nowMs)),
    said: error.text === "" ? plainText(head, error) : error.text,
    passable: error.found && (head.httpStatus !== 403 || outcome !== "PROVIDER_ERROR"),
  };
}

/**
 * What a provider's answer to a question outside of any call, which was no success, says of the key. Not to be allowed
 * to ask it says nothing against a key; whatever else is not about the key is a failure. A status of null: no answer came.
 */
export function outcomeOfCheck(httpStatus: number | null, body: string): AttemptOutcome {
  if (httpStatus === null) return "UNREACHABLE";
  const outcome = outcomeOf(httpStatus, errorOf(body));
  return OF_KEY.has(outcome) ? outcome : "PROVIDER_ERROR";
}

const OF_KEY: ReadonlySet<AttemptOutcome> = new Set([
  "KEY_REFUSED",
  "QUOTA_EXHAUSTED",
  "RATE_LIMITED",
  "RIGHT_REFUSED",
]);

function plainText(head: RefusalHead, error: ProviderError): string {
  return head.contentType === "text/plain" ? error.body.trim() : "";
}

/** Statuses with which keys refuse a call for its size. */
const SIZE_STATUSES: ReadonlySet<number> = new Set([402, 413, 429]);

function isTooLarge(head: RefusalHead, error: ProviderError): boolean {
  return SIZE_STATUSES.has(head.httpStatus) && saysTooLarge(error);
}

/** Where the status says enough. */
const BY_STATUS: ReadonlyMap<number, AttemptOutcome> = new Map([
  [429, "RATE_LIMITED"],
  [408, "TIMEOUT"],
  // Groq has no capacity left.
  [498, "PROVIDER_ERROR"],
]);

function outcomeOf(httpStatus: number, error: ProviderError): AttemptOutcome {
  if (httpStatus === 402 || ([400, 403, 429].includes(httpStatus) && saysQuota(error))) {
    return "QUOTA_EXHAUSTED";
  }
  if ([400, 403, 404].includes(httpStatus) && saysModel(httpStatus, error)) return "MODEL_REFUSED";
  if (httpStatus === 403) return outcomeOfForbidden(error);
  if (httpStatus === 401) return saysScope(error) ? "RIGHT_REFUSED" : "KEY_REFUSED";
  // Gemini refuses a bad key with 400, Anthropic that of a disabled organisation.
  if (httpStatus === 400 && saysKey(error)) return "KEY_REFUSED";
  const isRequests = httpStatus >= 400 && httpStatus < 500;
  return BY_STATUS.get(httpStatus) ?? (isRequests ? "REQUEST_REFUSED" : "PROVIDER_ERROR");
}

/**
 * A 403 may be about the request, the key, where we call from, or a right. Which rights a call needs its caller
 * chooses, so only what speaks of the key itself may cost it its place.
 */
function outcomeOfForbidden(error: ProviderError): AttemptOutcome {
  // Gemini says it of what another account has made, and that says nothing about the key.
  if (namesForeign(error) || refusesContent(error)) return "REQUEST_REFUSED";
  if (saysUseless(error)) return "KEY_REFUSED";
  return saysRights(error) ? "RIGHT_REFUSED" : "PROVIDER_ERROR";
}

function waitMs(
  outcome: AttemptOutcome,
  head: RefusalHead,
  error: ProviderError,
  nowMs: number,
): number | null {
  if (outcome === "RATE_LIMITED") return rateWaitMs(head, error, nowMs);
  if (outcome === "QUOTA_EXHAUSTED") return quotaWaitMs(head, error, nowMs);
  return saysOverload(head.httpStatus) ? overloadWaitMs(head, nowMs) : null;
}
