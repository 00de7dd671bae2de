import assert from "node:assert/strict";
import { test } from "node:test";
import {
  create,
  fromJson,
  getOption,
  hasOption,
  ScalarType,
  toJson,
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
} from "@bufbuild/protobuf";
import { createValidator, type Violation } from "@bufbuild/protovalidate";
import { field as rulesOf, FieldRulesSchema } from "../../proto/gen/buf/validate/validate_pb.js";
import { ruleWords } from "../../server/control/rule-words.js";
import { MESSAGES } from "./api.js";

const validator = createValidator();

/** What of the validator's own language people should not have to read. */
const NO_WORDS =
  /regex|pattern|`|in list|\(s\)|greater than|less than|value|undefined|\[\d|\{| {2}|must be $/;

test("each rule of the API that is broken is told in plain words, with the choices or an example", () => {
  const met = new Set<string>();
  for (const schema of MESSAGES) {
    for (const field of schema.fields) {
      for (const wrong of wrongValues(rulesIn(field))) {
        const at = `${schema.typeName}.${field.name} = ${JSON.stringify(wrong).slice(0, 80)}`;
        const found = violations(schema, field, wrong);
        assert.notEqual(found.length, 0, `${at} breaks no rule`);
        for (const violation of found) {
          const words = ruleWords(violation);
          assert.doesNotMatch(words, NO_WORDS, at);
          assert.notEqual(words, violation.message, `${at}: ${violation.ruleId} has no words`);
          assert.notEqual(words, "is not valid", `${at}: no words for ${violation.message}`);
          met.add(violation.ruleId);
        }
      }
    }
  }
  assert.ok(met.size >= 15, [...met].join(", "));
});

test("of a oneof that must be given, the names are told", () => {
  const required = MESSAGES.flatMap((schema) => {
    const result = validator.validate(schema, create(schema));
    return (result.violations ?? []).filter(({ ruleId }) => ruleId === "required").map(ruleWords);
  });
  assert.deepEqual(required.toSorted(), [
    "must be given",
    "must be given: one of id, candidate",
    "must be given: one of secret, sha256",
  ]);
});

/** A field's rules as JSON, e.g. `{ "string": { "minLen": "1" } }`. */
function rulesIn(field: DescField): JsonObject {
  if (!hasOption(field, rulesOf)) return {};
  return asObject(toJson(FieldRulesSchema, getOption(field, rulesOf)));
}

/** Values of which each breaks one of the rules at least. A rule that is not known here has to be added. */
function wrongValues(rules: JsonObject): JsonValue[] {
  return Object.entries(rules).flatMap(([type, bounds]) => {
    // An empty value that is let through, and messages that must be there, are tested by others.
    if (type === "ignore" || type === "required") return [];
    return Object.entries(asObject(bounds)).flatMap(([rule, bound]) => wrongValue(rule, bound));
  });
}

function wrongValue(rule: string, bound: JsonValue): JsonValue[] {
  const amount = Number(bound);
  switch (rule) {
    case "minLen":
    case "minBytes":
      return ["x".repeat(amount - 1)];
    case "maxLen":
    case "maxBytes":
      return ["x".repeat(amount + 1)];
    case "len":
      return ["x".repeat(amount + 1)];
    case "pattern":
    case "uuid":
    case "email":
      return ["# \u0000"];
    case "gt":
      return [amount];
    case "gte":
      return [amount - 1];
    case "lte":
      return [amount + 1];
    case "definedOnly":
      return [9999];
    case "notIn":
      return (bound as JsonValue[]).slice(0, 1);
    case "minItems":
      return [[]];
    case "maxItems":
      return [Array.from({ length: amount + 1 }, (_, at) => at)];
    case "unique":
      return [["x", "x"]];
    case "items":
      return wrongValues(asObject(bound)).map((wrong) => [wrong]);
    default:
      throw new Error(`no value is known that breaks the rule ${rule}`);
  }
}

/** What the validator says of a value of one field; items that cannot be of the field's type are made so. */
function violations(schema: DescMessage, field: DescField, wrong: JsonValue): readonly Violation[] {
  const message = fromJson(schema, { [field.jsonName]: ofType(field, wrong) });
  const result = validator.validate(schema, message);
  if (result.kind === "error") throw result.error;
  return (result.violations ?? []).filter(({ field: path }) => path.includes(field));
}

function ofType(field: DescField, wrong: JsonValue): JsonValue {
  const isBytes = field.fieldKind === "scalar" && field.scalar === ScalarType.BYTES;
  if (isBytes) return Buffer.from(String(wrong)).toString("base64");
  if (!Array.isArray(wrong) || field.fieldKind !== "list") return wrong;
  if (field.listKind === "message") return wrong.map(() => ({}));
  if (field.listKind === "enum") return wrong.map((item) => (typeof item === "number" ? item : 1));
  return wrong.map((item) => (typeof item === "number" ? String(item) : item));
}

function asObject(value: JsonValue | undefined): JsonObject {
  assert.ok(typeof value === "object" && value !== null && !Array.isArray(value));
  return value;
}
