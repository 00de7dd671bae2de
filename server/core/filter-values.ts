import { invalidField } from "./fault.js";
import type { Condition } from "./page.js";

/** Values that one condition may offer to choose from. */
const CHOICES_MAX = 50;

/** What a field that lists are filtered by holds. */
export interface FilterValues {
  readonly kind: "text" | "integer" | "time" | "boolean";
  /** There are rows without one, which an empty value asks for. */
  readonly nullable?: boolean;
  /** Of a text with a closed set of values, in capitals; then either case is accepted. */
  readonly values?: readonly string[];
}

type Kind = FilterValues["kind"];

/** A number is meant as it is where a text that contains it is asked for; a moment is not named by a part of it. */
const OPERATORS: Readonly<Record<Kind, readonly Condition["op"][]>> = {
  text: ["=", "!=", "~"],
  boolean: ["=", "!=", "~"],
  time: ["=", "!=", ">", ">=", "<", "<="],
  integer: ["=", "!=", ">", ">=", "<", "<=", "~"],
};

const EXPECTED: Readonly<Record<Exclude<Kind, "text">, string>> = {
  integer: "must be a whole number",
  time: "must be a time such as 2026-01-31T12:00:00Z, or milliseconds since 1970",
  boolean: "must be true or false",
};

/** Refuses a condition that no value of its field can ever meet. Throws Fault `invalid_argument`. */
export function requireFitting(name: string, field: FilterValues, condition: Condition): void {
  const { op, value } = condition;
  const { kind, values } = field;
  requireOperator(name, op, OPERATORS[kind]);
  if (value === "" && field.nullable === true && (op === "=" || op === "!=")) return;
  if (kind === "text") {
    if (values !== undefined) requireOneOf(name, values, condition);
    return;
  }
  const given = op === "=" || op === "!=" || op === "~" ? choicesOf(name, value) : [value];
  const isWrong = given.some((each) => numberOf(kind, each) === undefined);
  if (isWrong) throw wrongValue(name, EXPECTED[kind]);
}

function requireOneOf(name: string, values: readonly string[], { op, value }: Condition): void {
  const wanted = value.toUpperCase();
  const isKnown =
    op === "~"
      ? values.some((each) => each.includes(wanted))
      : choicesOf(name, wanted).every((choice) => values.includes(choice));
  if (!isKnown) throw wrongValue(name, `must be one of ${values.join(", ")}`);
}

/** Refuses an operator that the field does not know. */
export function requireOperator(
  name: string,
  op: Condition["op"],
  known: readonly Condition["op"][],
): void {
  if (known.includes(op)) return;
  const signs = known.map((each) => signOf(each)).join(" ");
  throw wrongValue(name, `cannot be compared with ${signOf(op)}; use ${signs}`);
}

function signOf(op: Condition["op"]): string {
  return op === "~" ? ":" : op;
}

/** The values of which any will do. */
export function choicesOf(name: string, value: string): readonly string[] {
  const choices = value.split(",");
  if (choices.length > CHOICES_MAX) {
    throw wrongValue(name, `offers more than ${CHOICES_MAX} values`);
  }
  return choices;
}

/** A value as the number that stands for it; undefined where it is none of the kind. */
export function numberOf(kind: Exclude<Kind, "text">, value: string): number | undefined {
  if (kind === "boolean") {
    if (value === "true" || value === "1") return 1;
    return value === "false" || value === "0" ? 0 : undefined;
  }
  if (/^-?\d{1,15}$/.test(value)) return Number(value);
  if (kind !== "time" || !/^\d{4}-\d{2}-\d{2}/.test(value)) return undefined;
  const time = Date.parse(value);
  return Number.isNaN(time) ? undefined : time;
}

/** By the name that the field has in the API. */
export function wrongValue(name: string, what: string): Error {
  const field = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return invalidField("filter", `${field} ${what}`);
}
