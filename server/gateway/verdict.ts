import type { AttemptOutcome } from "../core/call.js";
import { errorOf, ownWords, type ProviderError } from "./provider-error.js";
import type { ReplyHead } from "./reply-head.js";
import { quotaWaitMs, rateWaitMs } from "./waits.js";

/** What a provider's refusal means for its key and for the call. */
export interface Verdict {
  readonly outcome: AttemptOutcome;
  /** Another provider key may do better. */
  readonly elsewhere: boolean;
  /** Milliseconds until this key may be asked again; null if the provider said nothing. */
  readonly retryAfterMs: number | null;
  /** The provider's own words, shortened; not yet redacted. */
  readonly message: string;
  /** The answer is fit for the caller: its SDK can read it, and will not blame the caller's key for ours. */
  readonly passable: boolean;
}

const MESSAGE_CHARS_MAX = 300;

/** Codes and words with which providers say that money or a plan is used up, as opposed to a rate. */
const QUOTA_CODES = new Set([
  "insufficient_quota",
  "billing_hard_limit_reached",
  "billing_not_active",
  "account_deactivated",
  "insufficient_balance",
  "billing_error",
]);
const QUOTA_WORDS =
  /credit balance is too low|insufficient balance|exceeded your current quota, please check your plan|余额不足|欠费/i;
/** Codes and words with which providers say that they do not serve a model to this key, or at all. */
const MODEL_CODES = new Set([
  "model_not_found",
  "model_not_available",
  "DeploymentNotFound",
  "deployment_not_found",
]);
const MODEL_WORDS =
  /^model:|^model not exist|\bmodels?\b.{0,200}(?:not found|not exist|not supported|not have access)/i;
const MODEL_WORDS_CHARS_MAX = 400;
/** What a request names was made with another key, whose account alone knows it. */
const FOREIGN_CODES = new Set(["previous_response_not_found"]);
const FOREIGN_WORDS =
  /^previous response with id|cachedcontent not found|access the file .{0,100}may not exist/i;
const KEY_CODES = new Set(["invalid_api_key", "authentication_error", "API_KEY_INVALID"]);
const KEY_WORDS = /api key not valid|api key expired|incorrect api key|invalid api[ -]?key/i;

/** Codes and words of a 403 about the key, its account or its rights. */
const RIGHTS_CODES = new Set([
  "permission_error",
  "permission_denied",
  "permission-denied",
  "PERMISSION_DENIED",
]);
const RIGHTS_WORDS =
  /\b(?:api )?keys?\b|permission|credential|authori[sz]|authenticat|access denied|\b(?:account|organi[sz]ation|project|team|subscription)/i;
/** Codes and words with which providers say that they do not like what a request holds. */
const CONTENT_CODES = new Set([
  "content_filter",
  "content_policy_violation",
  "moderation_blocked",
  "data_inspection_failed",
]);
/** xAI says it beside the code of a missing right. */
const CONTENT_WORDS = /^content violates usage guidelines/i;

/** Judges a reply that is no success. `nowMs` is the wall clock, for dates in headers. */
export function judge(head: ReplyHead, body: string, nowMs: number): Verdict {
  const error = errorOf(body);
  const outcome = outcomeOf(head.httpStatus, error, body);
  return {
    outcome,
    elsewhere: outcome !== "REQUEST_REFUSED" || namesForeign(error),
    retryAfterMs: waitMs(outcome, head, error, body, nowMs),
    message: `HTTP ${String(head.httpStatus)}${error.text === "" ? "" : `: ${error.text}`}`.slice(
      0,
      MESSAGE_CHARS_MAX,
    ),
    passable: error.found && (head.httpStatus !== 403 || outcome !== "PROVIDER_ERROR"),
  };
}

function outcomeOf(httpStatus: number, error: ProviderError, body: string): AttemptOutcome {
  if (httpStatus === 402 || ([400, 403, 429].includes(httpStatus) && saysQuota(error, body))) {
    return "QUOTA_EXHAUSTED";
  }
  if ([400, 403, 404].includes(httpStatus) && saysModel(httpStatus, error)) return "MODEL_REFUSED";
  if (httpStatus === 403) return outcomeOfForbidden(error);
  // Gemini refuses a bad key with 400.
  if (httpStatus === 401 || (httpStatus === 400 && saysKey(error))) return "KEY_REFUSED";
  if (httpStatus === 429) return "RATE_LIMITED";
  if (httpStatus === 408) return "TIMEOUT";
  return httpStatus >= 400 && httpStatus < 500 ? "REQUEST_REFUSED" : "PROVIDER_ERROR";
}

/** A 403 may be about the request, the key, or where we call from; only what speaks of the key may cost it its place. */
function outcomeOfForbidden(error: ProviderError): AttemptOutcome {
  // Gemini says it of what another account has made, and that says nothing about the key.
  if (namesForeign(error) || refusesContent(error)) return "REQUEST_REFUSED";
  return saysKey(error) || saysRights(error) ? "KEY_REFUSED" : "PROVIDER_ERROR";
}

function refusesContent(error: ProviderError): boolean {
  if (error.metadata["flagged_input"] !== undefined) return true;
  return error.codes.some((code) => CONTENT_CODES.has(code)) || CONTENT_WORDS.test(error.text);
}

function saysRights(error: ProviderError): boolean {
  return error.codes.some((code) => RIGHTS_CODES.has(code)) || RIGHTS_WORDS.test(ownWords(error));
}

function saysQuota(error: ProviderError, body: string): boolean {
  // Gemini speaks of a used-up quota for its limits per minute as well, and names the period beside it.
  if (error.codes.includes("RESOURCE_EXHAUSTED")) {
    return /PerDay/i.test(body) && !/PerModel/i.test(body);
  }
  return error.codes.some((code) => QUOTA_CODES.has(code)) || QUOTA_WORDS.test(error.text);
}

/** A 404 may speak of something else than the model, and a 403 or 400 hardly ever speaks of it. */
function saysModel(httpStatus: number, error: ProviderError): boolean {
  if (error.codes.some((code) => MODEL_CODES.has(code))) return true;
  const text = error.text.slice(0, MODEL_WORDS_CHARS_MAX);
  return httpStatus === 404 ? MODEL_WORDS.test(text) : /^model not exist/i.test(text);
}

function namesForeign(error: ProviderError): boolean {
  if (error.codes.some((code) => FOREIGN_CODES.has(code))) return true;
  return FOREIGN_WORDS.test(error.text.slice(0, MODEL_WORDS_CHARS_MAX));
}

function waitMs(
  outcome: AttemptOutcome,
  head: ReplyHead,
  error: ProviderError,
  body: string,
  nowMs: number,
): number | null {
  if (outcome === "RATE_LIMITED") return rateWaitMs(head, error, body, nowMs);
  return outcome === "QUOTA_EXHAUSTED" ? quotaWaitMs(head, nowMs) : null;
}

function saysKey(error: ProviderError): boolean {
  return error.codes.some((code) => KEY_CODES.has(code)) || KEY_WORDS.test(error.text);
}
