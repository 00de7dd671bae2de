import { ScalarType, type DescEnumValue, type DescField } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { isRequired, rulesOf } from "./field-rules.js";
import { LIMITS_HELP, parseLimits, QUOTA_HELP } from "../present/limits.js";
import { UsageError } from "./usage-error.js";
import { parseSpan, parseWhen, WHEN_HELP } from "../present/when.js";
import { SETTING_HELP } from "./setting-help.js";
import type { Command } from "./commands.js";

/** A request field as a flag. */
export interface Flag {
  /** Without the dashes, e.g. `expires`. */
  readonly name: string;
  /** For the help; empty for a switch. */
  readonly placeholder: string;
  readonly help: string;
  /** The server refuses the request without it. */
  readonly required: boolean;
  readonly field: DescField;
}

/** A request under construction: what `create` of the schema takes. */
export type RequestInit = Record<string, unknown>;

/** Flags with shorter names than their fields. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  provider_id: "provider",
  owner_id: "owner",
  client_key_id: "client-key",
  user_id: "user",
  expire_time: "expires",
  model_allowlist: "models",
  ip_allowlist: "ips",
};

/** Fields that are no flags: programs set them, people do not. */
const HIDDEN = new Set(["request_id", "update_mask", "page_token"]);
const TIMESTAMP = "google.protobuf.Timestamp";
const TIME_RANGE = "latchkey.v1.TimeRange";
const LIMITS = "latchkey.v1.Limits";
const NEVER = "never";
const NONE = "none";
const RANGE_HELP = "a span back from now such as 24h, or 2026-10-01..2026-11-01";
/** The flags of a command, from the fields of its request. Secrets are none of them. */
export function flagsOf(command: Command): readonly Flag[] {
  return inputFields(command)
    .filter((field) => !HIDDEN.has(field.name) && !isRedacted(field))
    .filter((field) => !command.positional.includes(field.name))
    .filter((field) => command.fixed[field.localName] === undefined)
    .filter((field) => isFlagType(field))
    .map((field) => ({
      name: SHORT_NAMES[field.name] ?? field.name.replaceAll("_", "-"),
      placeholder: placeholderOf(field),
      help: helpOf(field, command),
      required: isRequired(field),
      field,
    }));
}

/** Fields that hold a secret: they are asked for, never taken from the command line. */
export function secretFieldsOf(command: Command): readonly DescField[] {
  return inputFields(command).filter((field) => isRedacted(field));
}

/** The fields of a request, and those of the message inside it that the command speaks of. */
function inputFields({ method, nested }: Command): readonly DescField[] {
  return nested === undefined
    ? method.input.fields
    : [...method.input.fields.filter(({ oneof }) => oneof === undefined), ...nested.message.fields];
}

/** The value of a flag's text for its field. Throws an Error that names flag, text and what is allowed. */
export function parseFlag(flag: Flag, text: string, nowMs: number): unknown {
  const { field } = flag;
  if (field.fieldKind === "list") {
    if (text.trim() === "") return [];
    return text.split(",").map((part) => parseItem(flag, field, part.trim()));
  }
  if (field.fieldKind === "message") return parseMessage(flag, field.message.typeName, text, nowMs);
  return parseItem(flag, field, text);
}

function parseItem(flag: Flag, field: DescField, text: string): unknown {
  if (field.enum !== undefined) {
    const wanted = text.toUpperCase().replaceAll("-", "_");
    const value = choicesOf(field).find((each) => shortEnum(field, each.name) === wanted);
    if (value === undefined) throw refused(flag, text, enumChoices(field));
    return value.number;
  }
  switch (field.scalar) {
    case ScalarType.STRING:
      return text;
    case ScalarType.BYTES:
      return parseHex(flag, text);
    case ScalarType.BOOL:
      return parseSwitch(flag, text);
    case ScalarType.INT64:
    case ScalarType.UINT64:
      if (!/^-?\d+$/.test(text)) throw refused(flag, text, "a whole number");
      return BigInt(text);
    default: {
      const number = Number(text);
      if (text === "" || !Number.isFinite(number)) throw refused(flag, text, "a number");
      return number;
    }
  }
}

function parseMessage(flag: Flag, typeName: string, text: string, nowMs: number): unknown {
  if (typeName === TIMESTAMP) return parseMoment(flag, text, nowMs);
  if (typeName === TIME_RANGE) return parseRange(flag, text, nowMs);
  const limits = text === NONE ? { budgets: [] } : parseLimits(text);
  if (limits === undefined) throw refused(flag, text, flag.help);
  return limits;
}

/** Undefined for `never`: the field is then left out, which an update takes for clearing it. */
function parseMoment(flag: Flag, text: string, nowMs: number): unknown {
  if (text === NEVER) return undefined;
  const moment = parseWhen(text, nowMs);
  if (moment === undefined) throw refused(flag, text, `${NEVER}, ${WHEN_HELP}`);
  return timestampFromMs(moment);
}

/** `24h` back from now, or `2026-10-01..2026-11-01`. */
function parseRange(flag: Flag, text: string, nowMs: number): unknown {
  const back = parseSpan(text);
  if (back !== undefined) return { startTime: timestampFromMs(nowMs - back) };
  const [start = "", end = "", ...rest] = text.split("..");
  const from = parseWhen(start, nowMs);
  const to = end === "" ? nowMs : parseWhen(end, nowMs);
  if (from === undefined || to === undefined || rest.length > 0) {
    throw refused(flag, text, RANGE_HELP);
  }
  return { startTime: timestampFromMs(from), endTime: timestampFromMs(to) };
}

function parseSwitch(flag: Flag, text: string): boolean {
  if (["true", "yes", "on"].includes(text)) return true;
  if (["false", "no", "off"].includes(text)) return false;
  throw refused(flag, text, "yes or no");
}

function parseHex(flag: Flag, text: string): Uint8Array {
  if (!/^(?:[0-9a-f]{2})+$/i.test(text)) throw refused(flag, text, "bytes in hexadecimal");
  return Buffer.from(text, "hex");
}

function isFlagType(field: DescField): boolean {
  if (field.fieldKind === "map") return false;
  if (field.fieldKind === "list") return field.listKind !== "message";
  if (field.fieldKind !== "message") return true;
  return [TIMESTAMP, TIME_RANGE, LIMITS].includes(field.message.typeName);
}

/** Fields of a request that flags cannot express: for them the whole request is read from stdin. */
export function requestFieldsOf(command: Command): readonly DescField[] {
  return inputFields(command).filter(
    (field) => !isFlagType(field) && !isRedacted(field) && !HIDDEN.has(field.name),
  );
}

export function isRedacted(field: DescField): boolean {
  return field.proto.options?.debugRedact === true;
}

function placeholderOf(field: DescField): string {
  if (field.fieldKind === "list") return "<list>";
  if (field.fieldKind === "message") return MESSAGE_PLACEHOLDERS[field.message.typeName] ?? "";
  if (field.enum !== undefined) return `<${shortName(field)}>`;
  if (field.scalar === ScalarType.BOOL) return isOptional(field) ? "<yes|no>" : "";
  if (field.scalar === ScalarType.BYTES) return "<hex>";
  return field.scalar === ScalarType.STRING ? "<text>" : "<number>";
}

const MESSAGE_PLACEHOLDERS: Readonly<Record<string, string>> = {
  [TIMESTAMP]: "<when>",
  [TIME_RANGE]: "<span>",
  [LIMITS]: "<limits>",
};

const MESSAGE_HELP: Readonly<Record<string, string>> = {
  [TIMESTAMP]: `${NEVER}, ${WHEN_HELP}`,
  [TIME_RANGE]: RANGE_HELP,
  [LIMITS]: `${NONE}, or ${LIMITS_HELP}`,
};

function helpOf(field: DescField, command: Command): string {
  const words = [wordsOf(field, command), isRequired(field) ? "(required)" : ""];
  return words.filter((each) => each !== "").join(" ");
}

function wordsOf(field: DescField, { noun, verb }: Command): string {
  const { message } = field;
  if (field.name === "filter") return `conditions, e.g. '${FILTER_EXAMPLES[noun] ?? ""}'`;
  if (message?.typeName === LIMITS && noun === "provider-keys") return `${NONE}, or ${QUOTA_HELP}`;
  const setting = noun === "system" && verb === "set" ? SETTING_HELP[field.name] : undefined;
  if (message !== undefined) {
    const form = MESSAGE_HELP[message.typeName] ?? "";
    return setting === undefined ? form : `${form}: ${setting}`;
  }
  return setting ?? plainWordsOf(field, `${noun} ${verb}`);
}

function plainWordsOf(field: DescField, command: string): string {
  const named = FIELD_HELP[`${command} ${field.name}`] ?? FIELD_HELP[field.name];
  if (named !== undefined) return named;
  if (field.enum !== undefined) return enumChoices(field);
  return field.fieldKind === "list" ? "separated by commas" : "";
}

/** Fields differ from list to list; a wrong one is answered with those there are. */
const FILTER_EXAMPLES: Readonly<Record<string, string>> = {
  "provider-keys": "provider=openai tier=backup",
  "client-keys": "owner=alice state=active",
  providers: "dialect=anthropic custom=true",
  models: "provider=openai model_id:mini",
  users: "role=user trust_level>=3",
  calls: "provider=openai status=error since:24h",
  usage: "provider=openai owner=alice",
  audit: "action=session.login outcome=denied",
};

/** What a name alone does not say, of a field wherever it is or of one command's. */
const FIELD_HELP: Readonly<Record<string, string>> = {
  order_by: "a field, alone or with desc",
  page_size: "rows, at most 1000",
  provider_id: "slug or id of the provider",
  owner_id: "name or id of the user",
  user_id: "name or id of the user",
  client_key_id: "name or id of the client key",
  model_allowlist: "models it may serve or be asked for, separated by commas; * for any text",
  ip_allowlist: "IP addresses or CIDR blocks, separated by commas",
  grace_seconds: "how long the old secret works on, in seconds",
  days: "days back from now",
  targets: "models, provider/model or aliases, in the order tried, separated by commas",
  expected_version: "change it only if it is at this version",
  backfill: "so many of the newest first",
  no_follow: "end after --backfill",
  anonymous: "others do not see whose it is",
  scopes: "chat, embeddings, images, audio, moderations, files, control; separated by commas",
  name_prefix: "put in front of each name",
  dry_run: "say what would be done",
  quota_group: "keys of one account at the provider, which share its limits",
  recoverable: "keep a sealed copy, which its owner can have shown again",
  skip_chat: "no chat, which costs a few tokens",
  without_usage: "leave out calls and reports",
  compare: "beside the period before",
  anchor_hash: "the head_hash of an earlier run, with --anchor-seq its head_seq",
  description: "what it is for",
  service: "a service of the provider; all unless given",
  weight: "share under the strategy weighted, 1 to 1000",
  disabled: "make it switched off",
  model: "model that is asked for",
  "provider-keys test model": "for the chat; the cheapest suitable one unless given",
  "provider-keys try model": "for the chat; the cheapest suitable one unless given",
  concurrency: "keys at a time, at most 16; 4 unless given",
  slug: "short name; made from the display name unless given",
  base_url: "where its API is, e.g. https://api.example.com/v1",
  model_patterns: "models that it serves, * for any text, separated by commas",
  trust_level: "0 to 100, to sort and filter people by; decides nothing",
  note: "for administrators and operators alone",
  reason: "is told to the user",
  wait_for_all_nodes: "answer only when every node refuses it",
  max_calls: "the newest so many; all unless given",
  max_candidates: "provider keys that are told, best first, at most 200; 20 unless given",
  bucket_seconds: "length of a bucket; chosen by itself unless given",
  "provider-keys usage bucket_seconds": "length of a bucket; a day unless given",
  max_buckets: "at most 400; 120 unless given",
  top_n: "groups told one by one, at most 100; 10 unless given",
  "usage watch top_n": "rows of each list, at most 10; 10 unless given",
  trend_points: "points of a small trend beside each row, at most 60",
  interval_ms: "milliseconds between two looks, 250 to 5000; 500 unless given",
  window_seconds: "seconds that the gauges look back: 10, 60, 300 or 900; 60 unless given",
  after_error_seq: "leave out errors up to this number",
  after_seq: "go on behind this number of an earlier run",
  from_seq: "first event to check",
  to_seq: "last event to check",
  anchor_seq: "see --anchor-hash",
  contains: "only lines with this text, in any case",
};

/** Values of a oneof named `_field` are optional scalars: absent is not the same as zero. */
function isOptional(field: DescField): boolean {
  return field.proto.proto3Optional;
}

/** `TIER_PRIMARY` is `PRIMARY` to people: the enum's own name stands before each value. */
function shortEnum(field: DescField, valueName: string): string {
  const prefix = field.enum?.sharedPrefix?.toUpperCase() ?? "";
  return valueName.startsWith(prefix) ? valueName.slice(prefix.length) : valueName;
}

function enumChoices(field: DescField): string {
  const names = choicesOf(field).map(({ name }) => shortEnum(field, name).toLowerCase());
  return names.join(", ");
}

/** The values that the server takes. */
function choicesOf(field: DescField): readonly DescEnumValue[] {
  const rules = rulesOf(field)?.type;
  const not = rules?.case === "enum" ? rules.value.notIn : [];
  return (field.enum?.values ?? []).filter(({ number }) => number !== 0 && !not.includes(number));
}

function shortName(field: DescField): string {
  return field.name.replaceAll("_", "-");
}

function refused(flag: Flag, text: string, allowed: string): UsageError {
  return new UsageError(`--${flag.name} cannot be ${JSON.stringify(text)}; give ${allowed}`);
}
