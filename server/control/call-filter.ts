import type { CallRecord } from "../core/call.js";
import { choicesOf, type FilterValues, numberOf, requireFitting } from "../core/filter-values.js";
import type { Condition } from "../core/page.js";
import type { NameLookup } from "./names.js";
import { parseFilter, type ListFields } from "./page-query.js";

type Value = string | number | boolean | null;
type Read = (record: CallRecord, names: NameLookup) => Value;

interface LiveField extends FilterValues {
  readonly read: readonly Read[];
}

const text = (...read: readonly Read[]): LiveField => ({ kind: "text", nullable: true, read });
const oneOf = (values: readonly string[], read: Read): LiveField => ({
  kind: "text",
  values,
  read: [read],
});
const integer = (read: Read): LiveField => ({ kind: "integer", nullable: true, read: [read] });
const boolean = (read: Read): LiveField => ({ kind: "boolean", read: [read] });

/** What a live filter can look at, by its name in the API. Names stand beside ids, so that either matches. */
const FIELDS: Readonly<Record<string, LiveField>> = {
  client_key: text(
    (call) => call.clientKeyId,
    (call, names) => names.clientKeyNameOf(call.clientKeyId),
  ),
  owner: text(
    (call) => call.ownerId,
    (call, names) => names.usernameOf(call.ownerId),
  ),
  provider: text(
    (call) => call.providerId,
    (call, names) => names.providerSlugOf(call.providerId ?? ""),
  ),
  provider_key: text(
    (call) => call.providerKeyId,
    (call, names) => names.providerKeyNameOf(call.providerKeyId ?? ""),
  ),
  model: text(
    (call) => call.modelAsked,
    (call) => call.modelServed,
  ),
  endpoint: text((call) => call.endpoint),
  dialect: oneOf(["OPENAI", "ANTHROPIC", "GEMINI"], (call) => call.dialect),
  streamed: boolean((call) => call.streamed),
  status: oneOf(["SUCCESS", "ERROR"], (call) => call.status),
  http_status: integer((call) => call.httpStatus),
  error_code: text((call) => call.errorCode),
  ip_address: text((call) => call.ip),
  latency_ms: integer((call) => call.latencyMs),
  time_to_first_byte_ms: integer((call) => call.ttfbMs),
  tokens: integer((call) => call.tokens.input + call.tokens.output),
  cost_micros: integer((call) => call.costMicros),
  unpriced: boolean((call) => call.costMicros === null),
  usage_source: oneOf(["PROVIDER", "PARTIAL", "ESTIMATED", "NONE"], (call) => call.usageSource),
  attempt_count: integer((call) => call.attempts.length),
};

const LIVE_FIELDS: ListFields = {
  ...Object.fromEntries(Object.keys(FIELDS).map((name) => [name, name])),
  status: { name: "status", kind: "enum", numeric: "http_status" },
};

/** Compiles a filter of WatchCalls into a test of one call. Throws Fault `invalid_argument`. */
export function callFilter(
  filter: string,
  names: NameLookup,
  nowMs: number,
): (record: CallRecord) => boolean {
  const { conditions, text } = parseFilter(filter, LIVE_FIELDS, nowMs);
  const tests = conditions.map((condition) => compile(condition, names));
  const wanted = text.toLowerCase();
  return (record) =>
    tests.every((test) => test(record)) && (wanted === "" || mentions(record, names, wanted));
}

function compile(condition: Condition, names: NameLookup): (record: CallRecord) => boolean {
  const { field: name, op, value } = condition;
  const field = FIELDS[name];
  if (field === undefined) return () => false;
  requireFitting(name, field, condition);
  const { kind, read } = field;
  const wanted = choicesOf(name, value.toLowerCase()).map((choice) =>
    kind === "text" || choice === "" ? choice : textOf(kind, numberOf(kind, choice)),
  );
  const one = (record: CallRecord): boolean =>
    read.some((each) => matches(op, each(record, names), wanted));
  return op === "!=" ? (record) => !one(record) : one;
}

/** A number as the values of its kind are written here. */
function textOf(kind: FilterValues["kind"], number: number | undefined): string {
  return String(kind === "boolean" ? number === 1 : number);
}

function matches(op: Condition["op"], value: Value, wanted: readonly string[]): boolean {
  const text = value === null ? "" : String(value).toLowerCase();
  const number = typeof value === "number" ? value : Number.NaN;
  const limit = Number(wanted[0]);
  switch (op) {
    case "=":
    case "!=":
      return wanted.includes(text);
    case "~":
      if (typeof value === "number") return wanted.includes(text);
      return wanted.some((each) => text.includes(each));
    case ">":
      return number > limit;
    case ">=":
      return number >= limit;
    case "<":
      return number < limit;
    case "<=":
      return number <= limit;
    default:
      return op satisfies never;
  }
}

function mentions(record: CallRecord, names: NameLookup, wanted: string): boolean {
  const shown = [
    record.id,
    record.modelAsked,
    record.modelServed,
    record.endpoint,
    record.errorCode,
    record.errorMessage,
    names.clientKeyNameOf(record.clientKeyId),
    names.providerKeyNameOf(record.providerKeyId ?? ""),
    names.providerSlugOf(record.providerId ?? ""),
  ];
  return shown.some((text) => text?.toLowerCase().includes(wanted) === true);
}
