import type { Violation } from "@bufbuild/protovalidate";

/** What a pattern of the proto asks for, in words and with an example. Ids have words of their own. */
const PATTERNS: ReadonlyMap<string, string> = new Map([
  ["^([^\\s@]+@[^\\s@]+)?$", "must be an e-mail address, such as alice@example.com, or empty"],
  [
    "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$",
    "must be an IP address or a block of addresses, such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32",
  ],
  ["^[^\\s\\p{C}]*$", "must have no blanks and no control characters, such as alice or data-team"],
  [
    "^[a-z0-9][a-z0-9-]{0,49}$",
    "must be small letters, digits and hyphens, 50 at most, and not begin with a hyphen, such as my-provider",
  ],
  [
    "^[a-z][a-z0-9_.:-]{0,49}$",
    "must be small letters, digits, and the signs _ . : -, 50 at most, and begin with a letter, such as chat or models:read",
  ],
  [
    "^[a-z0-9_]{1,40}$",
    "must be 1 to 40 small letters, digits and underscores, such as priority or flex",
  ],
  [
    "^https?://[^\\s#@]+$",
    "must be a URL that begins with https:// or http://, without blanks, user name and fragment, such as https://api.example.com/v1",
  ],
]);

const ID_PATTERN = /^\^([a-z]+_)\[0-9A-Za-z_-\]\{1,60\}\$$/;

/**
 * What is wrong with a field, as people say it: what would be right, and an example where that is not plain. The
 * validator's own words name its rules, regular expressions and numbers of enum values. Never quotes the value.
 */
export function ruleWords({ field, ruleId, message }: Violation): string {
  const rule = ruleId.slice(ruleId.indexOf(".") + 1);
  return WORDS[rule]?.(message, field) ?? message;
}

type Words = (message: string, field: Violation["field"]) => string;

const choice: Words = (message, field) => {
  const refused = new Set(["0", ...numbersIn(message)]);
  const values = field.findLast((part) => part.kind === "field")?.enum?.values ?? [];
  const names = values.filter(({ number }) => !refused.has(String(number)));
  return `must be one of ${names.map(({ name }) => name).join(", ")}`;
};

const range: Words = (message) => {
  const [low, high] = numbersIn(message);
  return `must be from ${low ?? ""} to ${high ?? ""}`;
};

const atLeast: Words = (message) => {
  const [least = ""] = numbersIn(message);
  return least === "1" ? "must not be empty" : `must have ${least} ${unitOf(message)} at least`;
};

const atMost: Words = (message) =>
  `must have ${numbersIn(message)[0] ?? ""} ${unitOf(message)} at most`;

/** By the rule's name without its type: `int32.gte` and `int64.gte` are said alike. */
const WORDS: Readonly<Record<string, Words | undefined>> = {
  pattern: (message) => patternWords(/`(.*)`/s.exec(message)?.[1] ?? ""),
  min_len: atLeast,
  max_len: atMost,
  min_bytes: atLeast,
  max_bytes: atMost,
  len: (message) => `must have exactly ${numbersIn(message)[0] ?? ""} bytes`,
  uuid: () => "must be a UUID, such as 7f0c1d52-6f5e-4d59-9c7c-0d6a2f5f3f10",
  uuid_empty: () => "must be a UUID, such as 7f0c1d52-6f5e-4d59-9c7c-0d6a2f5f3f10",
  email: () => "must be an e-mail address, such as alice@example.com",
  email_empty: () => "must be an e-mail address, such as alice@example.com",
  gte_lte: range,
  gt_lte: (message) => {
    const [low, high] = numbersIn(message);
    return `must be more than ${low ?? ""}, and ${high ?? ""} at most`;
  },
  gte: (message) => `must be ${numbersIn(message)[0] ?? ""} or more`,
  gt: (message) => `must be more than ${numbersIn(message)[0] ?? ""}`,
  lte: (message) => `must be ${numbersIn(message)[0] ?? ""} at most`,
  min_items: (message) => `must name ${numbersIn(message)[0] ?? ""} at least`,
  max_items: (message) => `must name ${numbersIn(message)[0] ?? ""} at most`,
  unique: () => "must not name the same twice",
  defined_only: choice,
  not_in: choice,
  required: (_message, field) => {
    const last = field.at(-1);
    if (last?.kind !== "oneof") return "must be given";
    return `must be given: one of ${last.fields.map(({ name }) => name).join(", ")}`;
  },
};

function patternWords(pattern: string): string {
  const known = PATTERNS.get(pattern);
  if (known !== undefined) return known;
  const kind = ID_PATTERN.exec(pattern)?.[1];
  // The tests hold every pattern of the proto against the table.
  return kind === undefined ? "is not valid" : `must be an id that begins with ${kind}`;
}

function numbersIn(message: string): readonly string[] {
  return message.match(/-?\d+(\.\d+)?/g) ?? [];
}

function unitOf(message: string): string {
  return message.endsWith("bytes") ? "bytes" : "characters";
}
