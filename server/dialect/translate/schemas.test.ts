import assert from "node:assert/strict";
import test from "node:test";
import { jsonSchemaOf } from "./generate/schema.js";
import { type JsonObject, object, parseJson, writeJson } from "./json.js";
import { isClosable, replySchema } from "./messages/reply-schema.js";
import { Notes } from "./notes.js";
import { innerSchemas, withInner } from "./schema-members.js";
import { isStrictSchema, parametersOf } from "./strict-schema.js";
import { translatorFor } from "./translator.js";

/** As a caller wrote it: numbers keep their digits. */
function read(json: string): JsonObject {
  return object(parseJson(json))!;
}

function toReply(json: string): unknown {
  return JSON.parse(writeJson(replySchema(read(json), new Notes())));
}

test("numbers of a reply's schema are numbers, however they are written", () => {
  assert.deepEqual(toReply('{"enum":[1.0,2.5,1152921504606846976,"a",null]}'), {
    enum: [1, 2.5, 2 ** 60, "a", null],
  });
  assert.deepEqual(toReply('{"const":1.0}'), { const: 1 });
  assert.deepEqual(toReply('{"type":"array","items":{},"minItems":1.0}'), {
    type: "array",
    items: {},
    minItems: 1,
  });
  const said = replySchema(read('{"type":"number","minimum":1.0,"maximum":1e3}'), new Notes());
  assert.equal(said["description"], "{minimum: 1.0, maximum: 1e3}");
  assert.deepEqual(toReply('{"enum":[{"a":1},[2]]}'), { description: '{enum: [{"a":1},[2]]}' });
});

test("a schema that is said in words keeps the digits of its numbers", () => {
  const schema = '{"type":"object","additionalProperties":{"multipleOf":1.0}}';
  const format = `{"type":"json_schema","json_schema":{"name":"n","schema":${schema}}}`;
  const body = `{"model":"m","messages":[{"role":"user","content":"x"}],"response_format":${format}}`;
  const call = { id: "id", nowSeconds: 1, streamed: false, modelAsked: "m", asArray: false };
  const target = { model: "m", maxOutput: null, providerSlug: "x", asksUsage: true };
  const made = translatorFor("CHAT", "MESSAGES")!.request(Buffer.from(body), target, call);
  assert.ok(String(JSON.parse(made.body.toString())["system"]).includes(schema));
});

test("limits of Google's schemas are numbers, however they are written", () => {
  const given = '{"type":"ARRAY","minItems":"2","maxItems":3.0,"items":{"maxLength":4}}';
  assert.deepEqual(JSON.parse(writeJson(jsonSchemaOf(read(given)))), {
    type: "array",
    minItems: 2,
    maxItems: 3,
    items: { maxLength: 4 },
  });
});

test("a schema of Google's that may be null says so once", () => {
  const given = { type: "STRING", enum: ["a", null], nullable: true };
  assert.deepEqual(jsonSchemaOf(given), { type: ["string", "null"], enum: ["a", null] });
});

test("the items of a tuple, and what may follow them, are said in words to Anthropic, which knows no tuples", () => {
  const tuple = '{"type":"array","prefixItems":[{"type":"string"}],"items":{"type":"boolean"}}';
  assert.deepEqual(toReply(tuple), {
    type: "array",
    description: '{prefixItems: [{"type":"string"}], items: {"type":"boolean"}}',
  });
  const untyped = '{"type":"array","prefixItems":[{}],"items":{}}';
  assert.equal(isClosable(read(untyped)), true);
});

test("a reply's schema in the words of an older draft goes in those of the newest", () => {
  const schema = {
    type: "object",
    properties: { a: { type: "array", items: [{ type: "string" }] } },
  };
  const made = { type: "array", prefixItems: [{ type: "string" }] };
  const format = { type: "json_schema", json_schema: { name: "n", schema } };
  const body = { model: "m", messages: [{ role: "user", content: "x" }], response_format: format };
  const call = { id: "id", nowSeconds: 1, streamed: false, modelAsked: "m", asArray: false };
  const target = { model: "gemini-3.1-pro", maxOutput: null, providerSlug: "x", asksUsage: true };
  const request = translatorFor("CHAT", "GENERATE")!.request(
    Buffer.from(JSON.stringify(body)),
    target,
    call,
  );
  const { generationConfig } = JSON.parse(request.body.toString());
  assert.deepEqual(generationConfig.responseJsonSchema.properties, { a: made });
});

test("a schema of Google's that may be null says so in each of its words that would forbid it", () => {
  for (const [given, made] of [
    [{ type: "STRING" }, { type: ["string", "null"] }],
    [{ enum: ["a"] }, { enum: ["a", null] }],
    [{ anyOf: [{ type: "STRING" }] }, { anyOf: [{ type: "string" }, { type: "null" }] }],
    [{ type: ["STRING", "NULL"] }, { type: ["string", "null"] }],
  ] as const) {
    assert.deepEqual(jsonSchemaOf({ ...given, nullable: true }), made);
  }
  const order = { propertyOrdering: ["a"], example: { a: 1 }, nullable: false };
  const properties = { a: { type: "STRING" }, b: true };
  assert.deepEqual(jsonSchemaOf({ type: "OBJECT", properties, ...order }), {
    type: "object",
    properties: { a: { type: "string" }, b: true },
  });
});

test("a schema for Anthropic's replies has the words that it takes, and says the others", () => {
  const text = '{"type":"string"}';
  for (const [given, made] of [
    [
      `{"anyOf":[${text}],"oneOf":[{"const":"a"}]}`,
      { anyOf: [{ type: "string" }], description: '{oneOf: [{"const":"a"}]}' },
    ],
    [`{"type":"string","items":${text}}`, { type: "string", description: `{items: ${text}}` }],
    [
      `{"type":["array","null"],"items":${text},"minItems":0}`,
      { type: ["array", "null"], items: { type: "string" }, minItems: 0 },
    ],
    ['{"enum":[[2]]}', { description: "{enum: [[2]]}" }],
    ['{"enum":[{"a":1}]}', { description: '{enum: [{"a":1}]}' }],
    [
      `{"properties":{"a":${text}}}`,
      { properties: { a: { type: "string" } }, additionalProperties: false },
    ],
  ] as const) {
    assert.deepEqual(toReply(given), made);
  }
});

test("a reference that stands alone is strict, and one beside other words is not", () => {
  const closed = { type: "object", required: ["a"], additionalProperties: false };
  const strict = (a: JsonObject) => isStrictSchema({ ...closed, properties: { a } });
  assert.equal(strict({ $ref: "#/$defs/A" }), true);
  assert.equal(strict({ $ref: "#/$defs/A", description: "An a." }), false);
});

test("parameters are told to be of an object where nothing says otherwise", () => {
  const properties = { a: { type: "string" } };
  assert.deepEqual(parametersOf({}), { type: "object", properties: {} });
  assert.deepEqual(parametersOf({ properties }), { type: "object", properties });
  for (const other of [
    { type: "array", items: {} },
    { type: "string", properties },
    { $ref: "#/$defs/A" },
  ]) {
    assert.equal(parametersOf(other), other);
  }
});

test("a member that stands for any schema stays where it is", () => {
  const given = '{"type":"object","properties":{"a":true,"b":{"type":"string"}},"required":["a"]}';
  assert.deepEqual(toReply(given), { ...JSON.parse(given), additionalProperties: false });
});

test("every schema within a schema is found, and nothing that only looks like one", () => {
  const inner = (name: string) => ({ title: name });
  const schema = {
    properties: { a: inner("a"), items: inner("b") },
    $defs: { c: inner("c") },
    definitions: { d: inner("d") },
    items: inner("e"),
    additionalProperties: inner("f"),
    anyOf: [inner("g"), true],
    oneOf: [inner("h")],
    allOf: [inner("i")],
    prefixItems: [inner("j")],
    default: { properties: { x: inner("x") } },
    const: { items: inner("x") },
    enum: [inner("x")],
    examples: [inner("x")],
  };
  const found = innerSchemas(schema).map(({ title }) => title);
  assert.deepEqual(found, ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]);
  for (const [key, value] of Object.entries(schema)) {
    assert.equal(
      withInner(key, value, (each) => each),
      value,
      key,
    );
  }
  assert.deepEqual(
    withInner("anyOf", "no list", () => 1),
    "no list",
  );
  assert.deepEqual(
    withInner("properties", ["no", "names"], () => 1),
    ["no", "names"],
  );
});

test("a schema is walked as deep as schemas nest, and no deeper", () => {
  const nested = (levels: number, innermost: JsonObject): JsonObject => {
    let schema = innermost;
    for (let level = 0; level < levels; level++) schema = { type: "array", items: schema };
    return schema;
  };
  const open = { type: "object", additionalProperties: true };
  for (const [levels, isSeen] of [
    [32, true],
    [33, false],
    [450, false],
  ] as const) {
    assert.equal(isClosable(nested(levels, open)), !isSeen, String(levels));
    const upper = writeJson(jsonSchemaOf(nested(levels, { type: "STRING" })));
    assert.equal(upper.includes('"string"'), isSeen);
    const closed = writeJson(replySchema(nested(levels, { type: "object" }), new Notes()));
    assert.equal(closed.includes('"additionalProperties":false'), isSeen);
    assert.equal(isStrictSchema(nested(levels, { type: "string" })), isSeen);
  }
});
