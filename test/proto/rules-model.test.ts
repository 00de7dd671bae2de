import assert from "node:assert/strict";
import { test } from "node:test";
import { type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import { pathToString, reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import { FieldMaskSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { createValidator } from "@bufbuild/protovalidate";
import fc from "fast-check";
import { RequestRules } from "../../server/control/request-rules.js";
import { METHODS } from "./api.js";

const rules = new RequestRules();
const model = createValidator();

/** What protovalidate itself says, in our form. */
function modelViolations(schema: DescMessage, message: Message) {
  const result = model.validate(schema, message);
  if (result.kind === "error") throw result.error;
  return (result.violations ?? []).map(({ field, ruleId, message: text }) => ({
    field: pathToString(field),
    rule: ruleId,
    message: text,
  }));
}

/** Texts that meet the rules, nearly do, or have what engines of patterns disagree on. */
const TEXT = fc.oneof(
  fc.string({ unit: "binary-ascii", maxLength: 12 }),
  fc
    .array(
      fc.constantFrom(
        "\v",
        "\u00a0",
        "\ufeff",
        "\u2028",
        "\u0378",
        "\u202e",
        "\ue000",
        "\n",
        "a",
        "𝑎",
        "@",
      ),
      {
        maxLength: 6,
      },
    )
    .map((parts) => parts.join("")),
  fc.constantFrom(
    "",
    "a",
    "ab",
    "x@y",
    "x@y.example",
    "a b@c",
    "10.0.0.0/8",
    "::1",
    "everywhere",
    "claude-*",
    "http://h/v1",
    "https://h?x",
    "7f0c1d52-6f5e-4d59-9c7c-0d6a2f5f3f10",
    "7f0c1d52-6f5e",
    "pk_1",
    "ck_1",
    "usr_1",
    "prv_1",
    "call_1",
    "pk_1\n",
    " pk_1",
    `pk_${"1".repeat(61)}`,
  ),
  fc
    .tuple(
      fc.constantFrom("a", "é", "𝑎"),
      fc.constantFrom(39, 40, 41, 50, 51, 99, 100, 101, 200, 201, 500, 501, 1000, 1025, 8193),
    )
    .map(([unit, count]) => unit.repeat(count)),
);
const NUMBER = fc.oneof(
  fc.constantFrom(-1, 0, 1, 2, 65_535, 3650, 3651),
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
);
const BIG = fc.oneof(
  fc.constantFrom(-1n, 0n, 1n, 1_000_000_000_000n, 1_000_000_000_001n),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
);

function scalar(type: ScalarType): fc.Arbitrary<unknown> {
  switch (type) {
    case ScalarType.STRING:
      return TEXT;
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 40 });
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return fc.double({ noNaN: true });
    case ScalarType.INT64:
      return BIG;
    case ScalarType.INT32:
      return NUMBER;
    default:
      throw new Error(`no values for ${ScalarType[type]}`);
  }
}

function valueOf(field: DescField, depth: number): fc.Arbitrary<unknown> {
  switch (field.fieldKind) {
    case "enum":
      return fc.integer({ min: -1, max: 12 });
    case "scalar":
      return scalar(field.scalar);
    case "message":
      return messageOf(field.message, depth + 1);
    case "map":
      return fc.constant(undefined);
    default: {
      const item =
        field.listKind === "message"
          ? messageOf(field.message, depth + 1)
          : field.listKind === "enum"
            ? fc.integer({ min: -1, max: 6 })
            : scalar(field.scalar);
      const few = fc.array(item, { maxLength: 4 });
      if (field.listKind === "message") return few;
      const many = fc
        .tuple(item, fc.constantFrom(20, 21, 100, 101, 201))
        .map(([one, count]) => Array.from({ length: count }, () => one));
      return fc.oneof({ weight: 4, arbitrary: few }, { weight: 1, arbitrary: many });
    }
  }
}

/** A message with any of its fields, within any of their values and without. */
function messageOf(schema: DescMessage, depth = 0): fc.Arbitrary<ReflectMessage> {
  const fields = isLeaf(schema, depth) ? [] : schema.fields;
  const values = fields.map((field) => fc.option(valueOf(field, depth), { nil: undefined }));
  return fc.tuple(...values).map((chosen) => {
    const message = reflect(schema);
    for (const [index, field] of fields.entries()) fill(message, field, chosen[index]);
    return message;
  });
}

function isLeaf(schema: DescMessage, depth: number): boolean {
  return (
    depth > 3 ||
    [FieldMaskSchema.typeName, TimestampSchema.typeName].includes(schema.typeName as never)
  );
}

function fill(message: ReflectMessage, field: DescField, value: unknown): void {
  if (value === undefined) return;
  if (field.fieldKind !== "list") {
    message.set(field, value);
    return;
  }
  const list = message.get(field);
  for (const item of value as unknown[]) list.add(item);
}

for (const { input } of METHODS) {
  test(`${input.name} is held against its rules as protovalidate holds it`, () => {
    fc.assert(
      fc.property(messageOf(input), ({ message }) => {
        assert.deepEqual(rules.violations(input, message), modelViolations(input, message));
      }),
      { numRuns: 60 },
    );
  });
}
