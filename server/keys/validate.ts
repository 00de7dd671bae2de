import { invalidField } from "../core/fault.js";
import { isScope, SCOPES, type Scope } from "../core/client-key.js";
import type { Budget, Limits } from "../core/limits.js";
import { TIERS, type Quota, type Tier, type Visibility } from "../core/provider-key.js";
import type { Secret } from "../core/secret.js";

export const NAME_CHARS_MAX = 100;
export const DESCRIPTION_CHARS_MAX = 500;
export const SERVICE_CHARS_MAX = 50;
export const QUOTA_GROUP_CHARS_MAX = 100;
export const MODEL_ALLOWLIST_MAX = 200;
export const MODEL_PATTERN_CHARS_MAX = 200;
export const SECRET_BYTES_MAX = 8192;
export const PASSWORD_CHARS_MIN = 8;
export const PASSWORD_BYTES_MAX = 1024;
export const USERNAME_CHARS_MIN = 3;
export const USERNAME_CHARS_MAX = 50;
export const EMAIL_CHARS_MAX = 254;
const WEIGHT_MAX = 1000;
const TRUST_LEVEL_MAX = 100;
/** The year 9999, the last that RFC 3339 can write. */
const TIME_MAX_MS = 253_402_300_799_999;

// Control characters, line and paragraph separators, halves of surrogate pairs, and characters that reorder text.
const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;
// As UNPRINTABLE, but a description may have several lines.
const UNPRINTABLE_IN_TEXT = /[^\P{Cc}\n\t]|[\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;
const HEADER_SAFE = /^[\x21-\x7e]+$/;

/** A name of 1 to 100 characters, trimmed and in NFC, without control characters. */
export function cleanName(field: string, raw: string): string {
  const name = raw.normalize("NFC").trim();
  if (name === "") throw invalidField(field, "a name is required");
  return cleanLine(field, name, NAME_CHARS_MAX);
}

/** One line of at most `charsMax` characters, trimmed; may be empty. */
export function cleanLine(field: string, raw: string, charsMax: number): string {
  const line = raw.normalize("NFC").trim();
  requireLength(field, line, charsMax);
  if (UNPRINTABLE.test(line)) throw invalidField(field, "must not hold control characters");
  return line;
}

/** Text of several lines; at most 500 characters, trimmed; may be empty. */
export function cleanDescription(field: string, raw: string): string {
  const text = raw.normalize("NFC").replaceAll("\r\n", "\n").trim();
  requireLength(field, text, DESCRIPTION_CHARS_MAX);
  if (UNPRINTABLE_IN_TEXT.test(text)) throw invalidField(field, "must not hold control characters");
  return text;
}

/** Characters, not UTF-16 units: what people count. */
function charCount(text: string): number {
  return Array.from(text).length;
}

function requireLength(field: string, text: string, charsMax: number): void {
  // The first test spares long input the split.
  if (text.length > charsMax * 2 || charCount(text) > charsMax) {
    throw invalidField(field, `must have at most ${String(charsMax)} characters`);
  }
}

/** Null for never; otherwise a time in the future. */
export function cleanExpiry(field: string, atMs: number | null, nowMs: number): number | null {
  if (atMs === null) return null;
  if (!Number.isSafeInteger(atMs) || atMs > TIME_MAX_MS) {
    throw invalidField(field, "is not a moment in time");
  }
  if (atMs <= nowMs) throw invalidField(field, "Expiration date cannot be in the past");
  return atMs;
}

/** Model ids or globs (`*` stands for any text), without doubles. */
export function cleanModelAllowlist(field: string, raw: readonly string[]): readonly string[] {
  if (raw.length > MODEL_ALLOWLIST_MAX) {
    throw invalidField(field, `must have at most ${String(MODEL_ALLOWLIST_MAX)} entries`);
  }
  const models = raw.map((entry, index) => {
    const model = cleanLine(`${field}[${String(index)}]`, entry, MODEL_PATTERN_CHARS_MAX);
    if (model === "") throw invalidField(`${field}[${String(index)}]`, "must not be empty");
    return model;
  });
  return [...new Set(models)];
}

export function cleanTier(field: string, raw: string): Tier {
  const tier = TIERS.find((known) => known === raw.toUpperCase());
  if (tier === undefined) throw invalidField(field, "must be primary, backup or overflow");
  return tier;
}

export function cleanVisibility(field: string, raw: string): Visibility {
  const upper = raw.toUpperCase();
  if (upper !== "PRIVATE" && upper !== "PUBLIC") {
    throw invalidField(field, "must be private or public");
  }
  return upper;
}

export function cleanWeight(field: string, raw: number): number {
  if (!Number.isInteger(raw) || raw < 1 || raw > WEIGHT_MAX) {
    throw invalidField(field, `must be a whole number from 1 to ${String(WEIGHT_MAX)}`);
  }
  return raw;
}

export function cleanTrustLevel(field: string, raw: number): number {
  if (!Number.isInteger(raw) || raw < 0 || raw > TRUST_LEVEL_MAX) {
    throw invalidField(field, `must be a whole number from 0 to ${String(TRUST_LEVEL_MAX)}`);
  }
  return raw;
}

/** Checks an amount that may be unlimited (null). */
function cleanAmount(field: string, raw: number | null): number | null {
  if (raw === null) return null;
  if (!Number.isSafeInteger(raw) || raw < 1) {
    throw invalidField(field, "must be a whole number above 0, or unset for no limit");
  }
  return raw;
}

export function cleanQuota(field: string, raw: Quota | null): Quota | null {
  if (raw === null) return null;
  const quota = {
    period: raw.period,
    requests: cleanAmount(`${field}.requests`, raw.requests),
    tokens: cleanAmount(`${field}.tokens`, raw.tokens),
    costMicros: cleanAmount(`${field}.cost_micros`, raw.costMicros),
  };
  return quota.requests === null && quota.tokens === null && quota.costMicros === null
    ? null
    : quota;
}

/** What a client key may be used for, without doubles. */
export function cleanScopes(field: string, raw: readonly string[]): readonly Scope[] {
  const scopes = raw.map((scope, index) => {
    if (isScope(scope)) return scope;
    throw invalidField(`${field}[${String(index)}]`, `must be one of ${SCOPES.join(", ")}`);
  });
  return [...new Set(scopes)];
}

/** Amounts above 0, and budgets that limit something, at most one for each period. */
export function cleanLimits(field: string, raw: Limits): Limits {
  return {
    requestsPerMinute: cleanAmount(`${field}.requests_per_minute`, raw.requestsPerMinute),
    tokensPerMinute: cleanAmount(`${field}.tokens_per_minute`, raw.tokensPerMinute),
    concurrency: cleanAmount(`${field}.concurrency`, raw.concurrency),
    budgets: cleanBudgets(`${field}.budgets`, raw.budgets),
  };
}

function cleanBudgets(field: string, raw: readonly Budget[]): readonly Budget[] {
  if (new Set(raw.map(({ period }) => period)).size < raw.length) {
    throw invalidField(field, "must have at most one entry for each period");
  }
  return raw.flatMap((budget, index) => cleanBudget(`${field}[${String(index)}]`, budget));
}

/** None for a budget that limits nothing. */
function cleanBudget(field: string, raw: Budget): readonly Budget[] {
  const budget = {
    period: raw.period,
    costMicros: cleanAmount(`${field}.cost_micros`, raw.costMicros),
    tokens: cleanAmount(`${field}.tokens`, raw.tokens),
  };
  return budget.costMicros === null && budget.tokens === null ? [] : [budget];
}

/** A provider's secret as pasted: white space around it goes, what no HTTP header can carry is refused. */
export function cleanSecret(field: string, raw: Secret): string {
  const value = raw.reveal().trim();
  if (value === "") throw invalidField(field, "the provider's secret is required");
  if (value.length > SECRET_BYTES_MAX) {
    throw invalidField(field, `must have at most ${String(SECRET_BYTES_MAX)} bytes`);
  }
  if (!HEADER_SAFE.test(value)) {
    throw invalidField(field, "must be printable ASCII without spaces or line breaks inside");
  }
  return value;
}

/** A name to sign in with; upper and lower case are the same name, so it is kept in lower case. */
export function cleanUsername(field: string, raw: string): string {
  const name = raw.normalize("NFKC").trim().toLowerCase();
  if (/\s/u.test(name)) throw invalidField(field, "must not hold spaces");
  const line = cleanLine(field, name, USERNAME_CHARS_MAX);
  if (charCount(line) < USERNAME_CHARS_MIN) {
    throw invalidField(field, `must have at least ${String(USERNAME_CHARS_MIN)} characters`);
  }
  // Signing in takes a username or an e-mail address; a username that looks like one could take another's place.
  if (line.includes("@")) throw invalidField(field, "must not hold @");
  return line;
}

/** An e-mail address in lower case; null for none. */
export function cleanEmail(field: string, raw: string | null): string | null {
  const email = (raw ?? "").normalize("NFC").trim().toLowerCase();
  if (email === "") return null;
  const line = cleanLine(field, email, EMAIL_CHARS_MAX);
  if (!/^[^\s@]{1,64}@[^\s@]{1,253}$/u.test(line)) {
    throw invalidField(field, "is not an e-mail address");
  }
  return line;
}

/** Refuses a password that is too short, too long or the user's own name. */
export function checkPassword(field: string, password: Secret, username: string): void {
  const value = password.reveal();
  if (charCount(value) < PASSWORD_CHARS_MIN) {
    throw invalidField(field, `must have at least ${String(PASSWORD_CHARS_MIN)} characters`);
  }
  if (Buffer.byteLength(value) > PASSWORD_BYTES_MAX) {
    throw invalidField(field, `must have at most ${String(PASSWORD_BYTES_MAX)} bytes`);
  }
  if (value.toLowerCase() === username) throw invalidField(field, "must not be the username");
}
