import { ownWords, type ProviderError } from "../reply/provider-error.js";

/*
 * By what signs an error says what it is about. Codes come first: they are the provider's own. Words may quote
 * the request, whose caller could write into it what costs others a key. So what rests a key is matched as a
 * whole message, or where nothing is quoted yet.
 */

/** That money or a plan is used up, as opposed to a rate. */
const QUOTA_CODES = new Set([
  "insufficient_quota",
  "exceeded_current_quota_error",
  "billing_hard_limit_reached",
  "billing_not_active",
  "account_deactivated",
  "insufficient_balance",
  "billing_error",
  "Arrearage",
  "AccountOverdueError",
  // Zhipu.
  "1113",
  "openrouter_key_limit",
  "openrouter_guardrail_budget",
  "openrouter_workspace_budget",
]);
const QUOTA_MESSAGES = [
  /^your credit balance is too low to access the (?:\w+ ){0,3}api\.(?: please go to plans & billing to upgrade or purchase credits\.)?$/i,
  /^you have reached your specified (?:\w+ )?api usage limits\. you will regain access on \d{4}-\d\d-\d\d at \d\d:\d\d utc\.$/i,
  /^(?:sorry, your account balance is insufficient|insufficient balance)\.?$/i,
  /^you exceeded your current quota, please check your plan and billing details\.(?: for more information on this error, \w+(?: \w+){1,2}: https:\/\/\S+)?$/i,
  /^your (?:newly created )?teams? (?:[\w-]+ )?(?:has either used all available credits or reached its monthly spending limit|doesn't have any credits(?: or licenses)? yet)\.(?: to continue making api requests, please purchase more credits or raise your spending limit\.| you can purchase [\w ]+ on https:\/\/\S+)?$/i,
  /^key limit exceeded(?: \(\w+ limit\))?\. manage it using https:\/\/openrouter\.ai\/\S+$/i,
  /^(?:您的?账[户号])?(?:已|当前)?(?:余额不足|欠费)(?:或无可用资源包)?[,，。]?(?:请充值(?:后重试)?[。！]?)?$/,
];

export function saysQuota(error: ProviderError): boolean {
  // Gemini speaks of a used-up quota for its limits per minute as well, and names the period beside it.
  if (error.codes.includes("RESOURCE_EXHAUSTED")) {
    return /PerDay/i.test(error.body) && !/PerModel/i.test(error.body);
  }
  return hasCode(error, QUOTA_CODES) || isOneOf(error, QUOTA_MESSAGES);
}

const TOO_LARGE_MESSAGES = [
  /^(?:request too large|rate limit reached)\b.*\blimit:? (?<limit>\d{1,15}), (?:used:? \d{1,15}, )?requested:? (?<asked>\d{1,15})\b/i,
  /^this request requires more credits, .*you requested up to (?<asked>\d{1,15}) tokens, but can only afford (?<limit>\d{1,15})\b/i,
  /^prompt tokens limit exceeded: (?<asked>\d{1,15}) > (?<limit>\d{1,15})\b/i,
];

/**
 * Of a 402, 413 or 429: that this one call asks for more than the key is ever given at once, or can pay now,
 * where it serves smaller ones.
 */
export function saysTooLarge(error: ProviderError): boolean {
  if (error.codes.includes("weight_exceeds_budget")) return true;
  return TOO_LARGE_MESSAGES.some((message) => {
    const { limit, asked } = message.exec(error.text)?.groups ?? {};
    return Number(limit) > 0 && Number(asked) > Number(limit);
  });
}

/** That a model is not served to this key, or at all. */
const MODEL_CODES = new Set([
  "model_not_found",
  "model_not_available",
  "DeploymentNotFound",
  "deployment_not_found",
]);
const MODEL_WORDS =
  /^model:|^[^"'`“‘]{0,100}\bmodels?\b.{0,200}(?:not found|not exist|not supported|not have access)/i;
const MODEL_WORDS_CHARS_MAX = 400;
/** With other statuses: what OpenAI says of a model at an endpoint that is not its own, or to a key that has not got it. */
const MODEL_WORDS_ELSEWHERE =
  /^(?:model not exist|you are not allowed to [^"'`“‘]{0,60}\bmodel\b)/i;

/** A 404 may speak of something else than the model, and a 403 or 400 hardly ever speaks of it. */
export function saysModel(httpStatus: number, error: ProviderError): boolean {
  if (hasCode(error, MODEL_CODES)) return true;
  const text = error.text.slice(0, MODEL_WORDS_CHARS_MAX);
  return (httpStatus === 404 ? MODEL_WORDS : MODEL_WORDS_ELSEWHERE).test(text);
}

const FOREIGN_CODES = new Set(["previous_response_not_found"]);
const FOREIGN_WORDS =
  /^previous response with id|cachedcontent not found|access the file .{0,100}may not exist/i;

/** What a request names was made with another key, whose account alone knows it. */
export function namesForeign(error: ProviderError): boolean {
  return (
    hasCode(error, FOREIGN_CODES) || FOREIGN_WORDS.test(error.text.slice(0, MODEL_WORDS_CHARS_MAX))
  );
}

const KEY_CODES = new Set([
  "invalid_api_key",
  "authentication_error",
  // Google's reasons.
  "API_KEY_INVALID",
  "API_KEY_HTTP_REFERRER_BLOCKED",
  "API_KEY_IP_ADDRESS_BLOCKED",
  "CONSUMER_INVALID",
  "CONSUMER_SUSPENDED",
  "SERVICE_DISABLED",
]);
const KEY_MESSAGES = [
  /^this organization has been disabled\.$/i,
  /^api key (?:not valid\. please pass a valid|expired\. please renew the) api key\.$/i,
  /^incorrect api key provided: \S+\. you can \w+ (?:an|your) api key \w+ https:\/\/\S+$/i,
  /^invalid api[ -]?key(?: provided)?\.?$/i,
];

/** That the key itself is refused, under a status that says something else. */
export function saysKey(error: ProviderError): boolean {
  return hasCode(error, KEY_CODES) || isOneOf(error, KEY_MESSAGES);
}

/** What is said of the key or its account, and not of what it may do. */
const USELESS_WORDS =
  /\b(?:key|token|credential|account|organi[sz]ation|project|team|subscription)s? (?:(?:is|are|was|were|has been|have been) (?:not (?:valid|active)|invalid|inactive|expired|revoked|disabled|deactivated|deleted|suspended|banned|blocked|closed|reported as leaked)|(?:has )?expired|not valid|may not be used)\b|\b(?:invalid|incorrect|unknown|expired|revoked) (?:api[ -]?)?(?:key|token|credential)s?\b|\bauthenticat/i;

/** Of a 403: that the key or its account is good for nothing, in whatever words. */
export function saysUseless(error: ProviderError): boolean {
  return saysKey(error) || USELESS_WORDS.test(ownWords(error));
}

const RIGHTS_CODES = new Set([
  "permission_error",
  "permission_denied",
  "permission-denied",
  "PERMISSION_DENIED",
]);
const RIGHTS_WORDS =
  /\b(?:api )?keys?\b|permission|credential|authori[sz]|authenticat|access denied|\b(?:account|organi[sz]ation|project|team|subscription)/i;

/** Of a 403: that it is about what the key or its account may do. */
export function saysRights(error: ProviderError): boolean {
  return hasCode(error, RIGHTS_CODES) || RIGHTS_WORDS.test(ownWords(error));
}

const SCOPE_WORDS = /\b(?:insufficient permissions?|missing scopes?)\b/i;

/** Of a 401: that the key is known and has not the right to this. OpenAI says so of restricted keys. */
export function saysScope(error: ProviderError): boolean {
  return SCOPE_WORDS.test(ownWords(error));
}

const CONTENT_CODES = new Set([
  "content_filter",
  "content_policy_violation",
  "moderation_blocked",
  "data_inspection_failed",
]);
/** xAI says it beside the code of a missing right. */
const CONTENT_WORDS = /^content violates usage guidelines/i;

/** Of a 403: that the provider does not like what the request holds. */
export function refusesContent(error: ProviderError): boolean {
  if (error.metadata["flagged_input"] !== undefined) return true;
  return hasCode(error, CONTENT_CODES) || CONTENT_WORDS.test(error.text);
}

function hasCode(error: ProviderError, codes: ReadonlySet<string>): boolean {
  return error.codes.some((code) => codes.has(code));
}

function isOneOf(error: ProviderError, messages: readonly RegExp[]): boolean {
  return messages.some((message) => message.test(error.text));
}
