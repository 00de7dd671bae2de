import type { LogFields } from "../core/logger.js";
import { Secret } from "../core/secret.js";

const REDACTED = "[redacted]";
/** Limits of one log line's fields, so that no object can make a line endless. */
const STRING_CHARS_MAX = 4000;
const ITEMS_MAX = 100;
const DEPTH_MAX = 6;
const STACK_LINES_MAX = 20;

/** Field names, in lower case and without separators, under which no text is ever written. */
const SECRET_NAMES: ReadonlySet<string> = new Set([
  "authorization",
  "proxyauthorization",
  "xapikey",
  "xgoogapikey",
  "xsessionapikey",
  "apikey",
  "cookie",
  "setcookie",
  "password",
  "passphrase",
  "secret",
  "clientsecret",
  "token",
  "accesstoken",
  "refreshtoken",
  "idtoken",
  "sessiontoken",
  "privatekey",
  "rootkey",
  "pepper",
  "credential",
  "credentials",
]);

/** Names that the line itself uses; a field of such a name gets an underscore. */
const OWN_NAMES: ReadonlySet<string> = new Set(["level", "time", "message"]);

/** What looks like a credential inside a longer text. All are linear in the length of the text. */
const PATTERNS: readonly (readonly [RegExp, string])[] = [
  // The id of a root key begins as some keys do, but must stay readable: it is needed to find the right root key.
  [/\b(?!rk_[0-9a-f]{16}\b)(sk|ik|rk|gsk|xai|pplx)[-_][A-Za-z0-9_-]{12,}/g, "$1-[redacted]"],
  [/\bAIza[A-Za-z0-9_-]{20,}/g, REDACTED],
  [/\b(Bearer|Basic)\s{1,4}[^\s"',;]{8,}/gi, `$1 ${REDACTED}`],
  [/\beyJ[A-Za-z0-9_-]{10,1000}\.[A-Za-z0-9_-]{10,2000}\.[A-Za-z0-9_-]{0,1000}/g, REDACTED],
  [/\/\/[^/\s:@]{1,200}:[^/\s@]{1,200}@/g, `//${REDACTED}@`],
];

/** The fields of a log line as they may be written: no secrets, bounded in size, all plain data. */
export function redactFields(fields: LogFields): Record<string, unknown> {
  return plainObject(fields, 0);
}

/** A text without what looks like a credential in it, cut to a bounded length. */
export function redactText(text: string): string {
  let result = text.length > STRING_CHARS_MAX ? `${text.slice(0, STRING_CHARS_MAX)}…` : text;
  for (const [pattern, replacement] of PATTERNS) result = result.replace(pattern, replacement);
  return result;
}

function plain(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case "string":
      return redactText(value);
    case "bigint":
      return value.toString();
    case "function":
    case "symbol":
      return `[${typeof value}]`;
    case "object":
      return value === null ? null : plainValue(value, depth);
    default:
      return value;
  }
}

function plainValue(value: object, depth: number): unknown {
  if (value instanceof Secret) return value.toJSON();
  if (depth >= DEPTH_MAX) return "[deeper]";
  if (value instanceof Error) return plainError(value, depth);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) {
    const items: unknown[] = value;
    return items.slice(0, ITEMS_MAX).map((item) => plain(item, depth + 1));
  }
  if (value instanceof Map) return plainObject(Object.fromEntries(value), depth);
  if (value instanceof Set) return plainValue([...value], depth);
  if ("toJSON" in value && typeof value.toJSON === "function") {
    return plain((value as { toJSON: () => unknown }).toJSON(), depth + 1);
  }
  return plainObject(value, depth);
}

function plainObject(value: object, depth: number): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, part] of Object.entries(value).slice(0, ITEMS_MAX)) {
    const own = depth === 0 && OWN_NAMES.has(name) ? `${name}_` : name;
    result[own] = isSecretName(name) && !isHarmless(part) ? REDACTED : plain(part, depth + 1);
  }
  return result;
}

/** With its cause, for the log alone; a driver's further fields may hold values and are left out. */
function plainError(error: Error, depth: number): Record<string, unknown> {
  const stack = error.stack?.split("\n").slice(1, STACK_LINES_MAX).join("\n");
  return {
    type: error.name,
    message: redactText(error.message),
    ...("code" in error ? { code: plain(error.code, depth + 1) } : {}),
    ...(stack === undefined ? {} : { stack: redactText(stack) }),
    ...(error.cause === undefined ? {} : { cause: plain(error.cause, depth + 1) }),
  };
}

function isSecretName(name: string): boolean {
  return SECRET_NAMES.has(name.toLowerCase().replaceAll(/[-_ ]/g, ""));
}

/** A `Secret` prints itself; numbers such as a count of tokens are no secrets. */
function isHarmless(value: unknown): boolean {
  if (value instanceof Secret) return true;
  return (
    value === null || value === undefined || typeof value === "number" || typeof value === "boolean"
  );
}
