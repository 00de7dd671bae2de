import { ScalarType, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "./commands.js";

/** A request field as a flag. */
export interface Flag {
  /** Without the dashes, e.g. `expires`. */
  readonly name: string;
  /** For the help; empty for a switch. */
  readonly placeholder: string;
  readonly help: string;
  readonly field: DescField;
}

/** A request under construction: what `create` of the schema takes. */
export type RequestInit = Record<string, unknown>;

/** Flags with shorter names than their fields. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  provider_id: "provider",
  owner_id: "owner",
  expire_time: "expires",
  model_allowlist: "models",
  ip_allowlist: "ips",
};

/** Fields that are no flags: programs set them, people do not. */
const HIDDEN = new Set(["request_id", "update_mask", "page_token"]);
const SPAN = /^(\d{1,6})([smhdw])$/;
const SPAN_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};
const PERIODS: Readonly<Record<string, number>> = { day: 1, week: 2, month: 3 };

/** The flags of a command, from the fields of its request. Secrets are none of them. */
export function flagsOf(command: Command): readonly Flag[] {
  return command.method.input.fields
    .filter((field) => !HIDDEN.has(field.name) && !isRedacted(field))
    .filter((field) => !command.positional.includes(field.name))
    .filter((field) => isFlagType(field))
    .map((field) => ({
      name: SHORT_NAMES[field.name] ?? field.name.replaceAll("_", "-"),
      placeholder: placeholderOf(field),
      help: helpOf(field),
      field,
    }));
}

/** Fields that hold a secret: they are asked for, never taken from the command line. */
export function secretFieldsOf(message: DescMessage): readonly DescField[] {
  return message.fields.filter((field) => isRedacted(field));
}

/** The value of a flag's text for its field. Throws an Error that names flag, text and what is allowed. */
export function parseFlag(flag: Flag, text: string, nowMs: number): unknown {
  const { field } = flag;
  if (field.fieldKind === "list") {
    return text.split(",").map((part) => parseItem(flag, field, part.trim()));
  }
  if (field.fieldKind === "message") return parseMessage(flag, field.message.typeName, text, nowMs);
  return parseItem(flag, field, text);
}

function parseItem(flag: Flag, field: DescField, text: string): unknown {
  if (field.enum !== undefined) {
    const wanted = text.toUpperCase().replaceAll("-", "_");
    const value = field.enum.values.find((each) => shortEnum(field, each.name) === wanted);
    if (value === undefined || value.number === 0) throw refused(flag, text, enumChoices(field));
    return value.number;
  }
  switch (field.scalar) {
    case ScalarType.STRING:
      return text;
    case ScalarType.BOOL:
      return text !== "false";
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
  if (typeName === "google.protobuf.Timestamp")
    return timestampFromMs(parseTime(flag, text, nowMs));
  return parseLimits(flag, text);
}

/** A moment: a span from now such as `30d`, or RFC 3339. */
function parseTime(flag: Flag, text: string, nowMs: number): number {
  const span = SPAN.exec(text);
  const unit = SPAN_MS[span?.[2] ?? ""];
  if (span !== null && unit !== undefined) return nowMs + Number(span[1]) * unit;
  const moment = Date.parse(text);
  if (Number.isNaN(moment))
    throw refused(flag, text, "a span such as 30d, or 2026-12-31T23:59:00Z");
  return moment;
}

/** `rpm=60,tpm=100000,concurrency=4,month=$25,day=500000tokens` */
function parseLimits(flag: Flag, text: string): unknown {
  const allowed = "a list such as rpm=60,tpm=100000,concurrency=4,month=$25,day=500000tokens";
  const limits: Record<string, unknown> = {};
  const budgets: unknown[] = [];
  for (const part of text.split(",")) {
    const [name = "", value = ""] = part.trim().split("=", 2);
    const period = PERIODS[name];
    if (period !== undefined) budgets.push(parseBudget(flag, period, value, allowed));
    else if (!/^\d+$/.test(value)) throw refused(flag, part, allowed);
    else if (name === "rpm") limits["requestsPerMinute"] = Number(value);
    else if (name === "tpm") limits["tokensPerMinute"] = BigInt(value);
    else if (name === "concurrency") limits["concurrency"] = Number(value);
    else throw refused(flag, part, allowed);
  }
  return { ...limits, budgets };
}

function parseBudget(flag: Flag, period: number, value: string, allowed: string): unknown {
  const money = /^\$(\d+(?:\.\d{1,6})?)$/.exec(value);
  if (money?.[1] !== undefined) {
    return { period, costMicros: BigInt(Math.round(Number(money[1]) * 1_000_000)) };
  }
  const tokens = /^(\d+)tokens$/.exec(value);
  if (tokens?.[1] !== undefined) return { period, tokens: BigInt(tokens[1]) };
  const requests = /^(\d+)requests$/.exec(value);
  if (requests?.[1] !== undefined) return { period, requests: BigInt(requests[1]) };
  throw refused(flag, value, allowed);
}

function isFlagType(field: DescField): boolean {
  if (field.fieldKind === "map") return false;
  if (field.fieldKind === "list") return field.listKind !== "message";
  if (field.scalar === ScalarType.BYTES) return false;
  if (field.fieldKind !== "message") return true;
  return (
    field.message.typeName === "google.protobuf.Timestamp" ||
    field.message.typeName === "latchkey.v1.Limits"
  );
}

export function isRedacted(field: DescField): boolean {
  return field.proto.options?.debugRedact === true;
}

function placeholderOf(field: DescField): string {
  if (field.fieldKind === "list") return "<list>";
  if (field.fieldKind === "message") {
    return field.message.typeName === "google.protobuf.Timestamp" ? "<when>" : "<limits>";
  }
  if (field.enum !== undefined) return `<${shortName(field)}>`;
  if (field.scalar === ScalarType.BOOL) return "";
  return field.scalar === ScalarType.STRING ? "<text>" : "<number>";
}

function helpOf(field: DescField): string {
  if (field.enum !== undefined) return enumChoices(field);
  if (field.name === "filter") return "conditions such as 'status>=400 provider=openai'";
  if (field.name === "order_by") return "a field, alone or with desc";
  if (field.fieldKind === "list") return "separated by commas";
  if (field.fieldKind !== "message") return "";
  return field.message.typeName === "google.protobuf.Timestamp"
    ? "30d from now, or 2026-12-31T23:59:00Z"
    : "rpm=60,tpm=100000,concurrency=4,month=$25";
}

/** `TIER_PRIMARY` is `PRIMARY` to people: the enum's own name stands before each value. */
function shortEnum(field: DescField, valueName: string): string {
  const prefix = field.enum?.sharedPrefix?.toUpperCase() ?? "";
  return valueName.startsWith(prefix) ? valueName.slice(prefix.length) : valueName;
}

function enumChoices(field: DescField): string {
  const names = (field.enum?.values ?? []).filter((value) => value.number !== 0);
  return names.map((value) => shortEnum(field, value.name).toLowerCase()).join(", ");
}

function shortName(field: DescField): string {
  return field.name.replaceAll("_", "-");
}

function refused(flag: Flag, text: string, allowed: string): Error {
  return new Error(`--${flag.name} cannot be ${JSON.stringify(text)}; give ${allowed}`);
}
