import type { DescEnum } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import {
  BytesRulesSchema,
  EnumRulesSchema,
  type FieldRules,
  type Int32Rules,
  type Int64Rules,
  RepeatedRulesSchema,
  StringRulesSchema,
} from "../../proto/gen/buf/validate/validate_pb.js";
import { assert } from "../core/assert.js";

/** A rule that a value breaks, with protovalidate's name for it and in its words. */
export interface Broken {
  readonly rule: string;
  readonly message: string;
}

export type Check = (value: unknown) => Broken | undefined;

/** What the limit of a rule says of a value of this enum, if it is one. */
type MakeCheck = (limit: unknown, rule: string, of?: DescEnum) => Check;

const EMAIL =
  /^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;
const UUID = /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/;

const CHECKS = new Map<string, MakeCheck>([
  ["string.min_len", counted(characters, atLeast, (n) => `must be at least ${n} characters`)],
  ["string.max_len", counted(characters, atMost, (n) => `must be at most ${n} characters`)],
  ["string.min_bytes", counted(utf8Bytes, atLeast, (n) => `must be at least ${n} bytes`)],
  ["string.max_bytes", counted(utf8Bytes, atMost, (n) => `must be at most ${n} bytes`)],
  ["string.pattern", matching],
  ["string.email", formed(EMAIL, "email address")],
  ["string.uuid", formed(UUID, "UUID")],
  ["bytes.len", counted(lengthOf, exactly, (n) => `must be ${n} bytes`)],
  ["bytes.min_len", counted(lengthOf, atLeast, (n) => `must be at least ${n} bytes`)],
  ["bytes.max_len", counted(lengthOf, atMost, (n) => `must be at most ${n} bytes`)],
  ["enum.defined_only", declared],
  ["enum.not_in", noneOf],
  ["repeated.min_items", counted(lengthOf, atLeast, (n) => `must contain at least ${n} item(s)`)],
  [
    "repeated.max_items",
    counted(lengthOf, atMost, (n) => `must contain no more than ${n} item(s)`),
  ],
  ["repeated.unique", distinct],
]);

/**
 * What the rules of a field ask of a value of it, in their order; of a list, what they ask of it as a whole. `of`: the
 * enum whose number the value is. Throws for a rule that is not known here, for a limit of the API that nobody holds
 * would be worse than a request that fails.
 */
export function checksOf(rules: FieldRules, of?: DescEnum): readonly Check[] {
  const { type } = rules;
  switch (type.case) {
    case undefined:
      return [];
    case "int32":
    case "int64":
      return within(type.case, type.value);
    case "string":
      return checksBy(type.case, reflect(StringRulesSchema, type.value), of);
    case "bytes":
      return checksBy(type.case, reflect(BytesRulesSchema, type.value), of);
    case "enum":
      return checksBy(type.case, reflect(EnumRulesSchema, type.value), of);
    case "repeated":
      return checksBy(type.case, reflect(RepeatedRulesSchema, type.value), of);
    default:
      throw new Error(`no check for rules of type ${type.case}`);
  }
}

function checksBy(
  kind: string,
  rules: ReturnType<typeof reflect>,
  of: DescEnum | undefined,
): readonly Check[] {
  // Rules of the items hold for other values than the list.
  const asked = rules.fields.filter((field) => rules.isSet(field) && field.name !== "items");
  return asked.flatMap((field) => {
    const rule = `${kind}.${field.name}`;
    const make = CHECKS.get(rule);
    assert(make !== undefined, `the rule ${rule} has a check`);
    const limit: unknown = rules.get(field);
    return limit === false ? [] : [make(limit, rule, of)];
  });
}

/** Both ends of a range are one rule. */
function within(kind: string, { greaterThan, lessThan }: Int32Rules | Int64Rules): Check[] {
  const ends: { name: string; holds: (value: number | bigint) => boolean; says: string }[] = [];
  if (greaterThan.case !== undefined) {
    const { case: name, value: end } = greaterThan;
    ends.push(
      name === "gt"
        ? { name, holds: (value) => value > end, says: `greater than ${end}` }
        : { name, holds: (value) => value >= end, says: `greater than or equal to ${end}` },
    );
  }
  if (lessThan.case !== undefined) {
    const { case: name, value: end } = lessThan;
    ends.push(
      name === "lt"
        ? { name, holds: (value) => value < end, says: `less than ${end}` }
        : { name, holds: (value) => value <= end, says: `less than or equal to ${end}` },
    );
  }
  if (ends.length === 0) return [];
  const broken: Broken = {
    rule: `${kind}.${ends.map(({ name }) => name).join("_")}`,
    message: `must be ${ends.map(({ says }) => says).join(" and ")}`,
  };
  return [
    (value) => (ends.every(({ holds }) => holds(value as number | bigint)) ? undefined : broken),
  ];
}

function counted(
  count: (value: unknown) => number,
  holds: (count: number, limit: number) => boolean,
  says: (limit: number) => string,
): MakeCheck {
  return (limit, rule) => {
    const number = Number(limit);
    const broken = { rule, message: says(number) };
    return (value) => (holds(count(value), number) ? undefined : broken);
  };
}

function exactly(count: number, limit: number): boolean {
  return count === limit;
}

function atLeast(count: number, limit: number): boolean {
  return count >= limit;
}

function atMost(count: number, limit: number): boolean {
  return count <= limit;
}

/** Not UTF-16 units: a character beyond the first 65,536 is one. */
function characters(value: unknown): number {
  let count = 0;
  for (const _ of value as string) count += 1;
  return count;
}

function utf8Bytes(value: unknown): number {
  return Buffer.byteLength(value as string);
}

function lengthOf(value: unknown): number {
  return (value as ArrayLike<unknown>).length;
}

/** Patterns are written for RE2, to which blanks are fewer than to JavaScript. */
function matching(limit: unknown, rule: string): Check {
  const pattern = String(limit);
  const same = pattern.replaceAll(String.raw`\s`, String.raw`\t\n\f\r `);
  const expression = new RegExp(same, "u");
  const broken = { rule, message: `does not match regex pattern \`${pattern}\`` };
  return (value) => (expression.test(value as string) ? undefined : broken);
}

function formed(form: RegExp, name: string): MakeCheck {
  return (_limit, rule) => {
    const empty = {
      rule: `${rule}_empty`,
      message: `value is empty, which is not a valid ${name}`,
    };
    const broken = { rule, message: `must be a valid ${name}` };
    return (value) => (value === "" ? empty : form.test(value as string) ? undefined : broken);
  };
}

function declared(_limit: unknown, rule: string, of?: DescEnum): Check {
  assert(of !== undefined, `the rule ${rule} stands beside an enum`);
  const numbers = new Set<unknown>(of.values.map(({ number }) => number));
  const broken = { rule, message: "value must be one of the defined enum values" };
  return (value) => (numbers.has(value) ? undefined : broken);
}

function noneOf(limit: unknown, rule: string): Check {
  const refused = [...(limit as Iterable<unknown>)];
  const broken = { rule, message: `must not be in list [${refused.join(", ")}]` };
  return (value) => (refused.includes(value) ? broken : undefined);
}

function distinct(_limit: unknown, rule: string): Check {
  const broken = { rule, message: "repeated value must contain unique items" };
  return (value) => {
    const items = value as readonly unknown[];
    return new Set(items).size === items.length ? undefined : broken;
  };
}
