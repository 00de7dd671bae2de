import type { CallRecord } from "../core/call.js";
import { invalidField } from "../core/fault.js";
import type { Condition } from "../core/page.js";
import type { NameLookup } from "./names.js";
import { parseFilter, type ListFields } from "./page-query.js";

type Value = string | number | boolean | null;
type Read = (record: CallRecord, names: NameLookup) => Value;

/** What a live filter can look at, by its name in the API. Names stand beside ids, so that either matches. */
const READERS: Readonly<Record<string, readonly Read[]>> = {
  client_key: [
    (call) => call.clientKeyId,
    (call, names) => names.clientKeyNameOf(call.clientKeyId),
  ],
  owner: [(call) => call.ownerId, (call, names) => names.usernameOf(call.ownerId)],
  provider: [
    (call) => call.providerId,
    (call, names) => names.providerSlugOf(call.providerId ?? ""),
  ],
  provider_key: [
    (call) => call.providerKeyId,
    (call, names) => names.providerKeyNameOf(call.providerKeyId ?? ""),
  ],
  model: [(call) => call.modelAsked, (call) => call.modelServed],
  endpoint: [(call) => call.endpoint],
  dialect: [(call) => call.dialect.toLowerCase()],
  streamed: [(call) => call.streamed],
  status: [(call) => call.status.toLowerCase(), (call) => call.httpStatus],
  http_status: [(call) => call.httpStatus],
  error_code: [(call) => call.errorCode],
  ip_address: [(call) => call.ip],
  latency_ms: [(call) => call.latencyMs],
  time_to_first_byte_ms: [(call) => call.ttfbMs],
  tokens: [(call) => call.tokens.input + call.tokens.output],
  cost_micros: [(call) => call.costMicros],
  unpriced: [(call) => call.costMicros === null],
  usage_source: [(call) => call.usageSource.toLowerCase()],
  attempt_count: [(call) => call.attempts.length],
};

const LIVE_FIELDS: ListFields = Object.fromEntries(
  Object.keys(READERS).map((name) => [name, name]),
);

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
  const readers = READERS[condition.field] ?? [];
  const wanted = condition.value.toLowerCase().split(",");
  if (isOrdered(condition.op) && !Number.isFinite(Number(condition.value))) {
    throw invalidField("filter", `${condition.field}${condition.op} needs a number.`);
  }
  const one = (record: CallRecord): boolean =>
    readers.some((read) => matches(condition.op, read(record, names), wanted));
  if (condition.op === "!=") return (record) => !one(record);
  return one;
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

function isOrdered(op: Condition["op"]): boolean {
  return op === ">" || op === ">=" || op === "<" || op === "<=";
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
