import type { Condition } from "../core/page.js";
import { invalidField } from "../core/fault.js";
import { SQLITE } from "./sql-dialect.js";

/** Conditions in one query; each costs a comparison per row. */
export const CONDITIONS_MAX = 20;
/** Characters of a condition's value or of a search text. */
export const FILTER_TEXT_MAX = 500;

/**
 * A field that lists can be filtered, searched and sorted by. Only `sql` reaches the statement; what the
 * caller gives is always a bound value.
 */
export interface Field {
  /** Column or expression. */
  readonly sql: string;
  /**
   * `list` is a JSON array of texts in a text column. `test` is a whole condition with one `?` for the
   * value; it knows `=` alone and sorts nothing.
   */
  readonly kind: "text" | "integer" | "time" | "boolean" | "list" | "test";
  readonly nullable?: boolean;
  /** Of a text with a closed set of values. */
  readonly values?: readonly string[];
  /** The free text of a query is looked for in this field. */
  readonly searched?: boolean;
}

export type Fields = Readonly<Record<string, Field>>;

/** A piece of WHERE with its values. */
export interface Clause {
  readonly sql: string;
  readonly values: readonly (string | number)[];
}

/** Finds a field by its name, written as `lastUsedAt` or `last_used_at`. Throws Fault `invalid_argument`. */
export function fieldNamed(fields: Fields, name: string, where: string): [string, Field] {
  const key = name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
  if (field === undefined) {
    throw invalidField(
      where,
      `there is no field ${JSON.stringify(name.slice(0, 50))}; use one of ${Object.keys(fields).join(", ")}`,
    );
  }
  return [key, field];
}

/** What a condition means in SQL. Throws Fault `invalid_argument` when field, operator and value do not fit. */
export function conditionClause(fields: Fields, condition: Condition): Clause {
  const [name, field] = fieldNamed(fields, condition.field, "filter");
  if (condition.value.length > FILTER_TEXT_MAX) {
    throw invalidField(
      "filter",
      `the value of ${name} is longer than ${FILTER_TEXT_MAX} characters`,
    );
  }
  switch (field.kind) {
    case "text":
      return textClause(name, field, condition);
    case "list":
      return listClause(name, field, condition);
    case "test":
      if (condition.op !== "=") throw wrongOperator(name, condition.op, "=");
      return { sql: field.sql, values: [condition.value] };
    case "integer":
    case "time":
    case "boolean":
      return numberClause(name, field, condition);
    default:
      return field.kind satisfies never;
  }
}

/** Matches rows in which some searched field contains `text`; undefined for an empty text. */
export function searchClause(fields: Fields, text: string): Clause | undefined {
  const wanted = text.trim();
  if (wanted === "") return undefined;
  if (wanted.length > FILTER_TEXT_MAX) {
    throw invalidField("text", `is longer than ${FILTER_TEXT_MAX} characters`);
  }
  const columns = Object.values(fields).filter((field) => field.searched === true);
  const pattern = `%${escapeLike(wanted)}%`;
  return {
    sql: `(${columns.map((field) => SQLITE.like(field.sql)).join(" OR ")})`,
    values: columns.map(() => pattern),
  };
}

function textClause(name: string, field: Field, { op, value }: Condition): Clause {
  if (op === "~") return { sql: SQLITE.like(field.sql), values: [`%${escapeLike(value)}%`] };
  if (op !== "=" && op !== "!=") throw wrongOperator(name, op, "=, != and ~");
  if (field.values !== undefined && value !== "" && !field.values.includes(value)) {
    throw invalidField("filter", `${name} must be one of ${field.values.join(", ")}`);
  }
  return equality(field, op, value);
}

/** The column holds JSON, in which an element stands in quotes. */
function listClause(name: string, field: Field, { op, value }: Condition): Clause {
  const like = SQLITE.like(field.sql);
  if (op === "~") return { sql: like, values: [`%${escapeLike(value)}%`] };
  const element = `%${escapeLike(JSON.stringify(value))}%`;
  if (op === "=") return { sql: like, values: [element] };
  if (op === "!=") return { sql: `(${field.sql} IS NULL OR NOT ${like})`, values: [element] };
  throw wrongOperator(name, op, "=, != and ~");
}

function numberClause(name: string, field: Field, { op, value }: Condition): Clause {
  if (op === "~") throw wrongOperator(name, op, "=, !=, <, <=, > and >=");
  if (value === "" && field.nullable === true) {
    if (op === "=") return { sql: `${field.sql} IS NULL`, values: [] };
    if (op === "!=") return { sql: `${field.sql} IS NOT NULL`, values: [] };
  }
  const number = parseNumber(field.kind, value);
  if (number === undefined) throw invalidField("filter", `${name} ${EXPECTED[field.kind] ?? ""}`);
  if (op === "=" || op === "!=") return equality(field, op, number);
  return { sql: `${field.sql} ${op} ?`, values: [number] };
}

/** An empty value asks for rows without one; rows without one differ from every value. */
function equality(field: Field, op: "=" | "!=", value: string | number): Clause {
  if (field.nullable !== true) {
    return { sql: `${field.sql} ${op === "=" ? "=" : "<>"} ?`, values: [value] };
  }
  if (value === "") {
    return { sql: `${field.sql} IS ${op === "=" ? "" : "NOT "}NULL`, values: [] };
  }
  if (op === "=") return { sql: `${field.sql} = ?`, values: [value] };
  return { sql: `(${field.sql} IS NULL OR ${field.sql} <> ?)`, values: [value] };
}

const EXPECTED: Readonly<Record<string, string>> = {
  integer: "must be a whole number",
  time: "must be a time such as 2026-01-31T12:00:00Z, or milliseconds since 1970",
  boolean: "must be true or false",
};

function parseNumber(kind: Field["kind"], value: string): number | undefined {
  if (kind === "boolean") {
    if (value === "true" || value === "1") return 1;
    return value === "false" || value === "0" ? 0 : undefined;
  }
  if (/^-?\d{1,15}$/.test(value)) return Number(value);
  if (kind !== "time" || !/^\d{4}-\d{2}-\d{2}/.test(value)) return undefined;
  const time = Date.parse(value);
  return Number.isNaN(time) ? undefined : time;
}

function wrongOperator(name: string, op: string, allowed: string): Error {
  return invalidField("filter", `${name} cannot be compared with ${op}; use ${allowed}`);
}

/** Takes away the meaning that `%`, `_` and the escape itself have in a pattern. */
export function escapeLike(text: string): string {
  return text.replaceAll(/[\\%_]/g, (char) => `\\${char}`);
}
