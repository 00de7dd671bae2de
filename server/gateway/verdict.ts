import type { AttemptOutcome } from "../core/call.js";
import { isRecord, parseRecord } from "../dialect/json-find.js";
import type { ReplyHead } from "./reply-head.js";

/** What a provider's refusal means for its key and for the call. */
export interface Verdict {
  readonly outcome: AttemptOutcome;
  /** Another provider key may do better. */
  readonly elsewhere: boolean;
  /** Milliseconds until this key may be asked again; null if the provider said nothing. */
  readonly retryAfterMs: number | null;
  /** The provider's own words, shortened; not yet redacted. */
  readonly message: string;
  /** The body is JSON such as the dialect's SDKs read. */
  readonly readable: boolean;
}

/** No provider's wish to wait is followed for longer. */
const RETRY_AFTER_MS_MAX = 3_600_000;
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

/** Judges a reply that is no success. `nowMs` is the wall clock, for dates in headers. */
export function judge(head: ReplyHead, body: string, nowMs: number): Verdict {
  const error = errorOf(body);
  const outcome = outcomeOf(head.httpStatus, error, body);
  return {
    outcome,
    elsewhere: outcome !== "REQUEST_REFUSED" || namesForeign(error),
    retryAfterMs: outcome === "RATE_LIMITED" ? pauseOf(head, error, body, nowMs) : null,
    message: `HTTP ${String(head.httpStatus)}${error.text === "" ? "" : `: ${error.text}`}`.slice(
      0,
      MESSAGE_CHARS_MAX,
    ),
    readable: error.found,
  };
}

interface ProviderError {
  readonly found: boolean;
  /** Every short text in it that may be a code. */
  readonly codes: readonly string[];
  readonly text: string;
}

function errorOf(body: string): ProviderError {
  const parsed = parseRecord(body) ?? firstOf(body);
  if (parsed === undefined) return { found: false, codes: [], text: "" };
  const error = isRecord(parsed["error"]) ? parsed["error"] : parsed;
  const codes = [error["code"], error["type"], error["status"], parsed["code"]];
  for (const detail of Array.isArray(error["details"]) ? error["details"] : []) {
    if (isRecord(detail)) codes.push(detail["reason"]);
  }
  const message = error["message"] ?? parsed["error"] ?? parsed["message"] ?? "";
  return {
    found: parsed["error"] !== undefined || parsed["message"] !== undefined,
    codes: codes.filter((code) => typeof code === "string"),
    text: typeof message === "string" ? message : "",
  };
}

/** Gemini wraps the error of a streamed call in an array. */
function firstOf(body: string): Record<string, unknown> | undefined {
  const trimmed = body.trim();
  return trimmed.startsWith("[") && trimmed.endsWith("]")
    ? parseRecord(trimmed.slice(1, -1))
    : undefined;
}

function outcomeOf(httpStatus: number, error: ProviderError, body: string): AttemptOutcome {
  if (httpStatus === 402 || ([400, 403, 429].includes(httpStatus) && saysQuota(error, body))) {
    return "QUOTA_EXHAUSTED";
  }
  if ([400, 403, 404].includes(httpStatus) && saysModel(httpStatus, error)) return "MODEL_REFUSED";
  // Gemini says 403 of what another account has made, and that says nothing about the key.
  if (httpStatus === 403 && namesForeign(error)) return "REQUEST_REFUSED";
  // Gemini refuses a bad key with 400.
  if ([401, 403].includes(httpStatus) || (httpStatus === 400 && saysKey(error))) {
    return "KEY_REFUSED";
  }
  if (httpStatus === 429) return "RATE_LIMITED";
  if (httpStatus === 408) return "TIMEOUT";
  return httpStatus >= 400 && httpStatus < 500 ? "REQUEST_REFUSED" : "PROVIDER_ERROR";
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

function saysKey(error: ProviderError): boolean {
  return error.codes.some((code) => KEY_CODES.has(code)) || KEY_WORDS.test(error.text);
}

/** Gemini's limit of a day for one model may be given back in seconds by its own word, but is not. */
function pauseOf(
  head: ReplyHead,
  error: ProviderError,
  body: string,
  nowMs: number,
): number | null {
  const ofDay = error.codes.includes("RESOURCE_EXHAUSTED") && /PerDay/i.test(body);
  return ofDay ? RETRY_AFTER_MS_MAX : retryAfterMs(head, body, nowMs);
}

/** When to come back: the provider's own word first, then the reset of the limit that is used up. */
export function retryAfterMs(head: ReplyHead, body: string, nowMs: number): number | null {
  const pacing = head.pacing;
  const waits = [
    milliseconds(pacing?.get("retry-after-ms")),
    seconds(pacing?.get("retry-after"), nowMs),
    resetOf(pacing, nowMs),
    retryDelay(body),
  ];
  const wait = waits.find((each) => each !== undefined);
  if (wait === undefined) return null;
  return Math.min(Math.max(wait, 0), RETRY_AFTER_MS_MAX);
}

function milliseconds(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+(?:\.\d+)?$/.test(text) ? Number(text) : undefined;
}

function seconds(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined || text === "") return undefined;
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : at - nowMs;
}

const REMAINING =
  /^(?<stem>x-ratelimit-|anthropic-ratelimit-)(?:remaining-(?<after>.+)|(?<before>.+)-remaining)$/;

function resetOf(pacing: Map<string, string> | undefined, nowMs: number): number | undefined {
  let longest: number | undefined;
  for (const [name, value] of pacing ?? []) {
    const groups = REMAINING.exec(name)?.groups;
    if (groups === undefined || Number(value) > 0) continue;
    const stem = groups["stem"] ?? "";
    const after = groups["after"];
    const reset = pacing?.get(
      after === undefined ? `${stem}${groups["before"] ?? ""}-reset` : `${stem}reset-${after}`,
    );
    const wait = reset === undefined ? undefined : resetMs(reset, nowMs);
    if (wait !== undefined && wait > (longest ?? -1)) longest = wait;
  }
  return longest;
}

/** `6m0s`, `20ms`, `1.5s`, seconds, or a date. */
function resetMs(text: string, nowMs: number): number | undefined {
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  let total = 0;
  let rest = text;
  for (;;) {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)/.exec(rest);
    if (match === null) break;
    total += Number(match[1]) * (units[match[2] ?? ""] ?? 0);
    rest = rest.slice(match[0].length);
  }
  return rest === "" && text !== "" ? total : seconds(text, nowMs);
}

/** Gemini says it in the body: `"retryDelay": "34s"`. */
function retryDelay(body: string): number | undefined {
  const match = /"retryDelay"\s*:\s*"(\d{1,6}(?:\.\d{1,9})?)s"/.exec(body);
  return match === null ? undefined : Number(match[1]) * 1000;
}
