import { invalidField } from "../core/fault.js";
import type { Condition } from "../core/page.js";
import { SQLITE } from "./sql-dialect.js";

/** Conditions in one query; each costs a comparison per row. */
export const CONDITIONS_MAX = 20;
/** Characters of a condition's value or of a search text. */
export const FILTER_TEXT_MAX = 500;
/** Values that one condition may offer to choose from. */
const CHOICES_MAX = 50;

/**
 * A field that lists can be filtered, searched and sorted by. Only `sql` reaches the statement; what the
 * caller gives is always a bound value.
 */
export interface Field {
  /** Column or expression; with `reference` the column that holds the id, with `test` the condition. */
  readonly sql: string;
  /**
   * `list` is a JSON array of texts in a text column. `reference` is found by the id or the name of
   * another record. `test` has one `?` for the value; it knows `=` alone and sorts nothing.
   */
  readonly kind: "text" | "integer" | "time" | "boolean" | "list" | "reference" | "test";
  readonly nullable?: boolean;
  /** Of a text with a closed set of values; then either case is accepted. */
  readonly values?: readonly string[];
  /** The values never hold a comma, so that `a,b` means either; true of closed sets and numbers anyway. */
  readonly choices?: boolean;
  /** The free text of a query is looked for in this field. */
  readonly searched?: boolean;
  /** Of a reference: the condition that it has this id or name, which stands for each `?`. */
  readonly exactly?: string;
  /** Of a reference: the condition that its name is like a pattern; one `?`. */
  readonly like?: string;
  /** What to sort by, if not by `sql`. */
  readonly sortSql?: string;
}

export type Fields = Readonly<Record<string, Field>>;

/** A piece of WHERE with its values. */
export interface Clause {
  readonly sql: string;
  readonly values: readonly (string | number)[];
}

/** Finds a field by its name, written as `lastUsedAt` or `last_used_at`. Throws Fault `invalid_argument`. */
export function fieldNamed(fields: Fields, name: string, where: string): [string, Field] {
  const key = name.replaceAll(/_([a-z\d])/g, (_, char: string) => char.toUpperCase());
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
    case "reference":
      return referenceClause(name, field, condition);
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
  if (op !== "=" && op !== "!=") throw wrongOperator(name, op, "=, != and :");
  if (field.values === undefined) {
    return equality(field, op, field.choices === true ? split(name, value) : [value]);
  }
  const choices = split(name, value.toUpperCase());
  if (!(value === "" && field.nullable === true)) {
    const unknown = choices.some((choice) => field.values?.includes(choice) !== true);
    if (unknown) throw wrong(name, `must be one of ${field.values.join(", ")}`);
  }
  return equality(field, op, choices);
}

/** The column holds JSON, in which an element stands in quotes. */
function listClause(name: string, field: Field, { op, value }: Condition): Clause {
  const like = SQLITE.like(field.sql);
  if (op === "~") return { sql: like, values: [`%${escapeLike(value)}%`] };
  const element = `%${escapeLike(JSON.stringify(value))}%`;
  if (op === "=") return { sql: like, values: [element] };
  if (op === "!=") return { sql: `(${field.sql} IS NULL OR NOT ${like})`, values: [element] };
  throw wrongOperator(name, op, "=, != and :");
}

function referenceClause(name: string, field: Field, { op, value }: Condition): Clause {
  const { exactly = "", like = "" } = field;
  if (op === "~") {
    return { sql: like, values: [`%${escapeLike(value)}%`] };
  }
  if (op !== "=" && op !== "!=") throw wrongOperator(name, op, "=, != and :");
  const choices = split(name, value);
  const found = choices.map(() => exactly).join(" OR ");
  const marks = exactly.split("?").length - 1;
  const values = choices.flatMap((choice) => Array.from({ length: marks }, () => choice));
  if (op === "=") return { sql: `(${found})`, values };
  return { sql: `(${field.sql} IS NULL OR NOT (${found}))`, values };
}

/** What contains something is a text; a number is meant as it is. */
function numberClause(name: string, field: Field, condition: Condition): Clause {
  const { value } = condition;
  const op = condition.op === "~" ? "=" : condition.op;
  if (value === "" && field.nullable === true && (op === "=" || op === "!=")) {
    return equality(field, op, [""]);
  }
  const parse = (text: string): number => {
    const number = parseNumber(field.kind, text);
    if (number === undefined) throw wrong(name, EXPECTED[field.kind] ?? "");
    return number;
  };
  if (op === "=" || op === "!=") {
    return equality(
      field,
      op,
      split(name, value).map((choice) => parse(choice)),
    );
  }
  return { sql: `${field.sql} ${op} ?`, values: [parse(value)] };
}

/** An empty value asks for rows without one; rows without one differ from every value. */
function equality(field: Field, op: "=" | "!=", choices: readonly (string | number)[]): Clause {
  const nullable = field.nullable === true;
  if (nullable && choices[0] === "") {
    return { sql: `${field.sql} IS ${op === "=" ? "" : "NOT "}NULL`, values: [] };
  }
  const equal =
    choices.length === 1
      ? `${field.sql} = ?`
      : `${field.sql} IN (${choices.map(() => "?").join(", ")})`;
  if (op === "=") return { sql: equal, values: choices };
  return {
    sql: nullable ? `(${field.sql} IS NULL OR NOT ${equal})` : `NOT ${equal}`,
    values: choices,
  };
}

function split(name: string, value: string): readonly string[] {
  const choices = value.split(",");
  if (choices.length > CHOICES_MAX) {
    throw wrong(name, `offers more than ${CHOICES_MAX} values`);
  }
  return choices;
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
  return wrong(name, `cannot be compared with ${op === "~" ? ":" : op}; use ${allowed}`);
}

/** By the name that the field has in the API. */
function wrong(name: string, what: string): Error {
  const field = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return invalidField("filter", `${field} ${what}`);
}

/** Takes away the meaning that `%`, `_` and the escape itself have in a pattern. */
function escapeLike(text: string): string {
  return text.replaceAll(/[\\%_]/g, (char) => `\\${char}`);
}
