import { invalidField } from "../core/fault.js";
import { choicesOf, numberOf, requireFitting, requireOperator } from "../core/filter-values.js";
import type { Condition } from "../core/page.js";
import { escapeLike, type Matching, SQLITE } from "./sql-dialect.js";

/** Conditions in one query; each costs a comparison per row. */
export const CONDITIONS_MAX = 20;
/** Characters of a condition's value or of a search text. */
export const FILTER_TEXT_MAX = 500;

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
  /** Of a reference: the condition on its name, in which `matching` stands once. */
  readonly named?: (matching: Matching) => string;
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
      requireFitting(name, { ...field, kind: field.kind }, condition);
      return textClause(name, field, condition);
    case "list":
      return listClause(name, field, condition);
    case "reference":
      return referenceClause(name, field, condition);
    case "test":
      requireOperator(name, condition.op, ["="]);
      return { sql: field.sql, values: [condition.value] };
    case "integer":
    case "time":
    case "boolean":
      requireFitting(name, { ...field, kind: field.kind }, condition);
      return numberClause(name, { ...field, kind: field.kind }, condition);
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
  const { matching, pattern } = SQLITE.containing(wanted);
  const sql = columns.map((field) => matching(field.sql)).join(" OR ");
  return { sql: `(${sql})`, values: columns.map(() => pattern) };
}

function textClause(name: string, field: Field, { op, value }: Condition): Clause {
  if (op === "~") return containing(value, (matching) => matching(field.sql));
  const isClosed = field.values !== undefined;
  const text = isClosed ? value.toUpperCase() : value;
  const sign = op === "=" ? "=" : "!=";
  return equality(field, sign, isClosed || field.choices === true ? choicesOf(name, text) : [text]);
}

/** The column holds JSON, in which an element stands in quotes. */
function listClause(name: string, field: Field, { op, value }: Condition): Clause {
  requireOperator(name, op, TEXT_OPERATORS);
  if (op === "~") return containing(value, (matching) => matching(field.sql));
  if (value === "") {
    const empty = `(${field.sql} IS NULL OR ${field.sql} = '[]')`;
    return { sql: op === "=" ? empty : `NOT ${empty}`, values: [] };
  }
  // An element may hold a comma itself.
  const choices = [...new Set([...choicesOf(name, value), value])];
  const values = choices.map((choice) => `%${escapeLike(JSON.stringify(choice))}%`);
  const found = `(${values.map(() => SQLITE.like(field.sql)).join(" OR ")})`;
  if (op === "=") return { sql: found, values };
  return { sql: `(${field.sql} IS NULL OR NOT ${found})`, values };
}

function referenceClause(name: string, field: Field, { op, value }: Condition): Clause {
  const { exactly = "", named = () => "" } = field;
  requireOperator(name, op, TEXT_OPERATORS);
  if (op === "~") return containing(value, named);
  if (value === "") return { sql: `${field.sql} IS ${op === "=" ? "" : "NOT "}NULL`, values: [] };
  const choices = choicesOf(name, value);
  const found = choices.map(() => exactly).join(" OR ");
  const marks = exactly.split("?").length - 1;
  const values = choices.flatMap((choice) => Array.from({ length: marks }, () => choice));
  if (op === "=") return { sql: `(${found})`, values };
  return { sql: `(${field.sql} IS NULL OR NOT (${found}))`, values };
}

const TEXT_OPERATORS = ["=", "!=", "~"] as const;

/** What contains something is a text; a number is meant as it is. */
function numberClause(
  name: string,
  field: Field & { readonly kind: "integer" | "time" | "boolean" },
  condition: Condition,
): Clause {
  const { value } = condition;
  const op = condition.op === "~" ? "=" : condition.op;
  const parse = (text: string): number => numberOf(field.kind, text) ?? 0;
  if (op !== "=" && op !== "!=") return { sql: `${field.sql} ${op} ?`, values: [parse(value)] };
  if (value === "") return equality(field, op, [""]);
  const choices = choicesOf(name, value).map((choice) => parse(choice));
  return equality(field, op, choices);
}

/** An empty value asks for rows without one; rows without one differ from every value. */
function equality(field: Field, op: "=" | "!=", choices: readonly (string | number)[]): Clause {
  const nullable = field.nullable === true;
  const values = nullable ? choices.filter((choice) => choice !== "") : choices;
  const equal =
    values.length === 1
      ? `${field.sql} = ?`
      : `${field.sql} IN (${values.map(() => "?").join(", ")})`;
  const isNull = `${field.sql} IS NULL`;
  if (values.length === choices.length) {
    if (op === "=") return { sql: equal, values };
    return { sql: nullable ? `(${isNull} OR NOT ${equal})` : `NOT ${equal}`, values };
  }
  const found = values.length === 0 ? isNull : `(${isNull} OR ${equal})`;
  return { sql: op === "=" ? found : `NOT ${found}`, values };
}

function containing(text: string, condition: (matching: Matching) => string): Clause {
  const { matching, pattern } = SQLITE.containing(text);
  return { sql: condition(matching), values: [pattern] };
}
