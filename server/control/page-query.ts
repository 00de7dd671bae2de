import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, WEEK_MS } from "../core/durations.js";
import { invalidField } from "../core/fault.js";
import { PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, type Condition, type PageQuery } from "../core/page.js";

/** What every List request has. */
export interface ListRequest {
  readonly pageSize: number;
  readonly pageToken: string;
  readonly filter: string;
  readonly orderBy: string;
}

/** The fields of a list by their names in the API, with their names in the core; `enum` values are taken in either case. */
export type ListFields = Readonly<Record<string, ListField>>;
export type ListField =
  | string
  | {
      readonly name: string;
      readonly kind: "enum";
      /** Name in the core for a value that is a number, where one word of the API means two fields. */
      readonly numeric?: string;
    };

const WHOLE_NUMBER = /^\d+$/;

const CONDITION = /^([a-z][a-z0-9_]*)(!=|>=|<=|=|>|<|:)(.*)$/s;
const SPAN = /^(\d{1,6})([smhdw])$/;
const SPAN_MS: Readonly<Record<string, number>> = {
  s: SECOND_MS,
  m: MINUTE_MS,
  h: HOUR_MS,
  d: DAY_MS,
  w: WEEK_MS,
};

/**
 * Reads the filter grammar that all lists share; it stands at the head of common.proto. Throws Fault
 * `invalid_argument` that names the field and what is known.
 */
export function toPageQuery(request: ListRequest, fields: ListFields, nowMs: number): PageQuery {
  const { conditions, text } = parseFilter(request.filter, fields, nowMs);
  const { orderBy, descending } = parseOrder(request.orderBy, fields);
  if (request.pageSize < 0) throw invalidField("page_size", "must not be negative.");
  return {
    conditions,
    text,
    orderBy,
    descending,
    pageSize:
      request.pageSize === 0 ? PAGE_SIZE_DEFAULT : Math.min(request.pageSize, PAGE_SIZE_MAX),
    pageToken: request.pageToken,
  };
}

export function parseFilter(
  filter: string,
  fields: ListFields,
  nowMs: number,
): { conditions: Condition[]; text: string } {
  const conditions: Condition[] = [];
  const words: string[] = [];
  for (const part of splitWords(filter)) {
    const match = CONDITION.exec(part);
    if (match !== null) {
      conditions.push(condition(match, fields, nowMs));
    } else if (part.startsWith("!")) {
      throw invalidField(
        "filter",
        "a word cannot be excluded here; compare a field with != instead.",
      );
    } else {
      words.push(unquote(part));
    }
  }
  return { conditions, text: words.join(" ") };
}

function condition(match: RegExpExecArray, fields: ListFields, nowMs: number): Condition {
  const [, word = "", sign = "", raw = ""] = match;
  const value = unquote(raw);
  if (word === "since" && sign === ":") {
    return { field: coreName("time", fields, "filter"), op: ">=", value: spanStart(value, nowMs) };
  }
  const field = coreName(word, fields, "filter");
  const op = sign === ":" ? "~" : (sign as Condition["op"]);
  const spec = fields[word];
  if (typeof spec !== "object") return { field, op, value };
  if (spec.numeric !== undefined && WHOLE_NUMBER.test(value)) {
    return { field: spec.numeric, op, value };
  }
  return { field, op, value: spec.kind === "enum" ? value.toUpperCase() : value };
}

function coreName(name: string, fields: ListFields, where: string): string {
  const spec = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (spec === undefined) {
    throw invalidField(
      where,
      `there is no field ${JSON.stringify(name.slice(0, 50))} here; there are ${Object.keys(fields).join(", ")}.`,
    );
  }
  return typeof spec === "string" ? spec : spec.name;
}

function spanStart(span: string, nowMs: number): string {
  const match = SPAN.exec(span);
  const unit = SPAN_MS[match?.[2] ?? ""];
  if (match === null || unit === undefined) {
    throw invalidField("filter", "since: takes a span such as 30m, 24h or 7d.");
  }
  return String(nowMs - Number(match[1]) * unit);
}

function parseOrder(orderBy: string, fields: ListFields): { orderBy: string; descending: boolean } {
  if (orderBy.trim() === "") return { orderBy: "", descending: false };
  const [field = "", direction = "asc", ...rest] = orderBy.trim().split(/\s+/);
  if (rest.length > 0 || (direction !== "asc" && direction !== "desc")) {
    throw invalidField("order_by", "must be a field name, alone or followed by asc or desc.");
  }
  return {
    orderBy: coreName(field, fields, "order_by"),
    descending: direction === "desc",
  };
}

/** Splits at spaces outside double quotes. */
function splitWords(filter: string): string[] {
  const words: string[] = [];
  let word = "";
  let quoted = false;
  for (const char of filter) {
    if (char === '"') quoted = !quoted;
    if (char === " " && !quoted) {
      if (word !== "") words.push(word);
      word = "";
    } else {
      word += char;
    }
  }
  if (quoted) throw invalidField("filter", "has a double quote without its partner.");
  if (word !== "") words.push(word);
  return words;
}

function unquote(word: string): string {
  return word.startsWith('"') && word.endsWith('"') && word.length > 1 ? word.slice(1, -1) : word;
}
