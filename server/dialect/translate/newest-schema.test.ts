import assert from "node:assert/strict";
import test from "node:test";
import type { JsonObject } from "./json.js";
import { inNewestDraft } from "./newest-schema.js";

const TEXT = { type: "string" };
const COUNT = { type: "integer" };

/** As it is sent. */
function sent(schema: JsonObject): unknown {
  return JSON.parse(JSON.stringify(inNewestDraft(schema)));
}

test("a tuple as older drafts write it, which providers refuse, is one as the newest writes it", () => {
  const array = { type: "array", minItems: 1 };
  for (const [older, newest] of [
    [{ items: [TEXT, COUNT] }, { prefixItems: [TEXT, COUNT] }],
    [
      { items: [TEXT], additionalItems: COUNT },
      { prefixItems: [TEXT], items: COUNT },
    ],
    [
      { items: [TEXT], additionalItems: true },
      { prefixItems: [TEXT], items: true },
    ],
    [
      { items: [TEXT, COUNT], additionalItems: false },
      { prefixItems: [TEXT, COUNT], maxItems: 2 },
    ],
    [
      { items: [TEXT, COUNT], additionalItems: false, maxItems: 1 },
      { prefixItems: [TEXT, COUNT], maxItems: 1 },
    ],
    [
      { items: [TEXT], additionalItems: false, maxItems: 9 },
      { prefixItems: [TEXT], maxItems: 1 },
    ],
    [{ items: [] }, {}],
    [{ items: [], additionalItems: COUNT }, { items: COUNT }],
  ] as const) {
    assert.deepEqual(sent({ ...array, ...older }), { ...array, ...newest });
  }
});

test("a tuple that nothing may follow tells its length, for not all take false for a schema", () => {
  const tuple = { type: "array", prefixItems: [TEXT, COUNT] };
  assert.deepEqual(sent({ ...tuple, items: false }), { ...tuple, maxItems: 2 });
  for (const schema of [
    { ...tuple, items: COUNT },
    { type: "array", items: false },
    { type: "array", items: TEXT, additionalItems: false },
  ]) {
    assert.equal(inNewestDraft(schema), schema);
  }
});

test("tuples are found wherever a schema holds another, and what refers to their items still does", () => {
  const point = {
    type: "array",
    items: [COUNT, { $ref: "#/properties/a/items/items/0", title: "Y" }],
  };
  const schema = {
    properties: { a: { type: "array", items: point }, items: TEXT, b: { anyOf: [point, TEXT] } },
    $defs: { c: { $ref: "#/properties/items" }, d: { $ref: "#/$defs/items/1st" } },
    default: { items: [1] },
  };
  const made = {
    type: "array",
    prefixItems: [COUNT, { $ref: "#/properties/a/items/prefixItems/0", title: "Y" }],
  };
  assert.deepEqual(sent(schema), {
    ...schema,
    properties: { a: { type: "array", items: made }, items: TEXT, b: { anyOf: [made, TEXT] } },
  });
});

test("a bound that is left out is told as a number", () => {
  for (const [older, newest] of [
    [{ minimum: 0, exclusiveMinimum: true }, { exclusiveMinimum: 0 }],
    [{ maximum: 9, exclusiveMaximum: true }, { exclusiveMaximum: 9 }],
    [{ minimum: 0, exclusiveMinimum: false }, { minimum: 0 }],
    [{ exclusiveMaximum: true }, {}],
    [
      { minimum: 0, exclusiveMinimum: true, maximum: 9, exclusiveMaximum: true },
      { exclusiveMinimum: 0, exclusiveMaximum: 9 },
    ],
  ] as const) {
    assert.deepEqual(sent({ type: "number", ...older }), { type: "number", ...newest });
  }
  const newest = { type: "number", exclusiveMinimum: 0 };
  assert.equal(inNewestDraft(newest), newest);
});

test("a schema is looked into as deep as schemas nest, and no deeper", () => {
  const nested = (levels: number): JsonObject => {
    let schema: JsonObject = { type: "array", items: [TEXT] };
    for (let level = 0; level < levels; level++) schema = { properties: { a: schema } };
    return schema;
  };
  assert.match(JSON.stringify(sent(nested(32))), /prefixItems/);
  const deeper = nested(33);
  assert.equal(inNewestDraft(deeper), deeper);
});
