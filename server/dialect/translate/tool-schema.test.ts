import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { type JsonObject, list, object, objects } from "./json.js";
import type { Form } from "./side.js";
import { translatorFor } from "./translator.js";

const CALL = { id: "id", nowSeconds: 1, streamed: false, modelAsked: "m", asArray: false };

interface Sent {
  readonly schema: JsonObject;
  readonly description: string;
  readonly strict: unknown;
}

/** A tool of a caller of chat completions, or of messages where those are asked, as a provider of a form gets it. */
function sent(form: Form, schema: unknown, strict?: boolean): Sent {
  const parameters = schema;
  const from = form === "CHAT" ? "MESSAGES" : "CHAT";
  const tool =
    from === "CHAT"
      ? { type: "function", function: { name: "f", description: "Does it.", parameters, strict } }
      : { name: "f", description: "Does it.", input_schema: schema, strict };
  const body = {
    model: "m",
    max_tokens: 9,
    messages: [{ role: "user", content: "x" }],
    tools: [tool],
  };
  const target = { model: "m", maxOutput: null, providerSlug: "x", asksUsage: true };
  const made = translatorFor(from, form)!.request(Buffer.from(JSON.stringify(body)), target, CALL);
  const [given] = objects(JSON.parse(made.body.toString())["tools"]);
  const held = object(given!["function"]) ?? objects(given!["functionDeclarations"])[0] ?? given!;
  return {
    schema: object(held["parameters"] ?? held["input_schema"] ?? held["parametersJsonSchema"])!,
    description: String(held["description"]),
    strict: held["strict"],
  };
}

const FORMS: readonly Form[] = ["CHAT", "RESPONSES", "MESSAGES", "GENERATE"];

const EITHER = {
  type: "object",
  properties: { a: { type: "string" }, b: { type: "string" }, c: { type: "number" } },
  required: ["c"],
  anyOf: [{ required: ["a"] }, { required: ["b"] }],
};

for (const form of FORMS) {
  test(`${form}: a union that says which members a tool wants is said in its description`, () => {
    const { schema, description } = sent(form, EITHER);
    const { anyOf, ...plain } = EITHER;
    assert.deepEqual(schema, plain);
    assert.ok(description.startsWith("Does it.\n\n"));
    assert.ok(description.endsWith(`\n${JSON.stringify({ anyOf })}`), description);
  });

  test(`${form}: a tool that takes one of several objects takes an object with the members of all`, () => {
    const move = {
      type: "object",
      properties: { kind: { const: "move" }, to: { type: "string" } },
    };
    const wait = {
      type: "object",
      properties: { kind: { const: "wait" } },
      required: ["kind", "s"],
    };
    const { schema } = sent(form, {
      oneOf: [{ ...move, required: ["kind"] }, { $ref: "#/$defs/Wait" }],
      $defs: { Wait: wait },
    });
    assert.deepEqual(schema, {
      $defs: { Wait: wait },
      type: "object",
      properties: {
        kind: { anyOf: [{ const: "move" }, { const: "wait" }] },
        to: { type: "string" },
      },
      required: ["kind"],
    });
  });

  test(`${form}: what all of several schemas want is wanted`, () => {
    const { schema } = sent(form, {
      allOf: [
        { properties: { a: {} }, required: ["a"] },
        { anyOf: [{ properties: { b: {} }, required: ["b", "c"] }, { required: ["b"] }] },
      ],
    });
    assert.deepEqual(schema, {
      type: "object",
      properties: { a: {}, b: {} },
      required: ["a", "b"],
    });
  });

  test(`${form}: a schema that names one of its definitions is that definition`, () => {
    const Args = { type: "object", properties: { a: { type: "string" } } };
    const { schema, description } = sent(form, {
      $ref: "#/definitions/Args",
      definitions: { Args },
    });
    assert.deepEqual(schema, { ...Args, definitions: { Args } });
    assert.equal(description, "Does it.");
  });

  test(`${form}: arrays say what their items are, and nothing is null or a bare true`, () => {
    const { schema } = sent(form, {
      type: "object",
      properties: {
        a: { type: "array", description: null },
        b: { type: ["array", "null"], default: null },
        c: { anyOf: [{ type: "array" }, { type: "null" }] },
        d: true,
        e: { type: "array", items: { type: "array", items: true } },
        f: { type: "array", prefixItems: [{ type: "string" }] },
      },
      required: null,
      additionalProperties: true,
    });
    assert.deepEqual(schema, {
      type: "object",
      properties: {
        a: { type: "array", items: {} },
        b: { type: ["array", "null"], default: null, items: {} },
        c: { anyOf: [{ type: "array", items: {} }, { type: "null" }] },
        d: {},
        e: { type: "array", items: { type: "array", items: {} } },
        f: { type: "array", prefixItems: [{ type: "string" }], items: {} },
      },
      additionalProperties: true,
    });
  });

  test(`${form}: tuples are written as the newest JSON Schema has them, and say what follows their items`, () => {
    const point = [{ type: "number" }, { type: "number" }];
    const { schema } = sent(form, {
      type: "object",
      properties: {
        a: { type: "array", items: point },
        b: { type: "array", items: { type: "array", items: point, additionalItems: false } },
      },
    });
    assert.deepEqual(schema["properties"], {
      a: { type: "array", prefixItems: point, items: {} },
      b: { type: "array", items: { type: "array", prefixItems: point, maxItems: 2, items: {} } },
    });
  });

  test(`${form}: members without a list of them are none`, () => {
    const { schema } = sent(form, { type: "object", properties: null });
    assert.ok(schema["properties"] === undefined || list(schema["properties"]).length === 0);
    assert.notEqual(schema["properties"], null);
  });
}

test("a schema that was changed is not kept to strictly", () => {
  const closed = { type: "object", properties: {}, required: [], additionalProperties: false };
  assert.equal(sent("CHAT", closed, true).strict, true);
  assert.equal(sent("CHAT", { ...closed, anyOf: [{ required: [] }] }, true).strict, undefined);
});

test("a definition that names itself ends", () => {
  const { schema } = sent("MESSAGES", { $ref: "#/$defs/A", $defs: { A: { $ref: "#/$defs/A" } } });
  assert.equal(schema["type"], "object");
  const union = { anyOf: [{ $ref: "#/$defs/A" }] };
  assert.equal(sent("MESSAGES", { ...union, $defs: { A: union } }).schema["type"], "object");
});

const leaf = fc.constantFrom<unknown>({ type: "string" }, { type: "array" }, true, null, {});
const schemas = fc.letrec<{ schema: unknown }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.record(
      {
        type: fc.constantFrom("object", "array", ["array", "null"]),
        properties: fc.oneof(
          fc.dictionary(fc.constantFrom("a", "b", "items", "__proto__"), tie("schema")),
          fc.constant(null),
        ),
        required: fc.subarray(["a", "b"]),
        items: tie("schema"),
        anyOf: fc.array(tie("schema"), { maxLength: 2 }),
        oneOf: fc.array(tie("schema"), { maxLength: 2 }),
        allOf: fc.array(tie("schema"), { maxLength: 2 }),
        enum: fc.constant([1, null]),
        $ref: fc.constantFrom("#/$defs/A", "#/definitions/a~1b", "#/nowhere", 1),
        $defs: fc.dictionary(fc.constant("A"), tie("schema")),
      },
      { requiredKeys: [] },
    ),
  ),
}));

test("whatever a tool's schema is, its outermost is an object without a union", () => {
  fc.assert(
    fc.property(schemas.schema, fc.constantFrom(...FORMS), (given, form) => {
      const { schema } = sent(form, { properties: {}, ...object(given) });
      for (const key of ["anyOf", "oneOf", "allOf", "enum", "not"])
        assert.ok(!(key in schema), key);
      assert.ok(!JSON.stringify(schema).includes('"properties":null'));
    }),
  );
});

/** So many definitions, each of which names the next twice. */
function doubling(count: number): JsonObject {
  const named = (at: number) => ({ $ref: `#/$defs/A${String(at)}` });
  const definitions = Array.from({ length: count }, (_, at) => [
    `A${String(at)}`,
    { anyOf: [named(at + 1), named(at + 1)], properties: { [`p${String(at)}`]: {} } },
  ]);
  const last = { type: "object", properties: { a: {} }, required: ["a"] };
  return {
    anyOf: [named(0)],
    $defs: { ...Object.fromEntries(definitions), [`A${String(count)}`]: last },
  };
}

test(
  "definitions that name each other over and over are looked into once",
  { timeout: 5_000 },
  () => {
    const { schema } = sent("MESSAGES", doubling(25));
    assert.equal(Object.keys(schema["properties"] ?? {}).length, 26);
    assert.deepEqual(schema["required"], ["a"]);
    const self = { anyOf: [{ $ref: "#/$defs/A" }, { $ref: "#/$defs/A" }] };
    const recursive = { ...self, properties: { a: {} }, required: ["a"] };
    const flat = sent("MESSAGES", { ...self, $defs: { A: recursive } }).schema;
    assert.deepEqual([flat["properties"], flat["required"]], [{ a: {} }, ["a"]]);
  },
);

test(
  "what thousands of variants say of one member is joined as fast as they are read",
  { timeout: 5_000 },
  () => {
    const variants = Array.from({ length: 10_000 }, (_, at) => ({
      properties: { kind: { const: at }, same: { type: "string" } },
      required: ["kind"],
    }));
    const { schema } = sent("MESSAGES", { anyOf: variants });
    const { kind, same } = object(schema["properties"]) ?? {};
    assert.equal(list(object(kind)?.["anyOf"]).length, 10_000);
    assert.deepEqual(same, { type: "string" });
    assert.deepEqual(schema["required"], ["kind"]);
  },
);

test("what variants say of a member is one union, however it is put", () => {
  const [one, two, three] = [{ type: "string" }, { type: "number" }, { type: "null" }];
  const variant = (a: unknown) => ({ properties: { a } });
  for (const [given, joined] of [
    [[one, two, one], { anyOf: [one, two] }],
    [[one, one], one],
    [[{ anyOf: [one, two] }, three], { anyOf: [one, two, three] }],
    [[one, { anyOf: [two, three] }], { anyOf: [one, two, three] }],
    [[{ anyOf: [one] }], { anyOf: [one] }],
    [
      [{ anyOf: [one, two], description: "x" }, one],
      { anyOf: [{ anyOf: [one, two], description: "x" }, one] },
    ],
  ] as const) {
    const { schema } = sent("MESSAGES", { oneOf: given.map(variant) });
    assert.deepEqual(object(schema["properties"])?.["a"], joined);
  }
});
