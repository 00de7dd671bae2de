import assert from "node:assert/strict";
import test from "node:test";
import type { JsonObject } from "../json.js";
import { withKnownReferences } from "./references.js";

const POINT = { type: "object", properties: { x: { type: "number" } } };

/** As it is sent. */
function sent(schema: JsonObject): unknown {
  return JSON.parse(JSON.stringify(withKnownReferences(schema)));
}

test("whatever a schema refers to stands in $defs, where alone Google looks", () => {
  const schema = {
    type: "object",
    properties: {
      older: { $ref: "#/definitions/Point" },
      newer: { anyOf: [{ $ref: "#/$defs/Line" }, { type: "null" }] },
      met: { type: "array", items: { $ref: "#/properties/first" } },
      first: { type: "object", properties: { "a/b": { type: "string" } } },
      part: { $ref: "#/properties/first/properties/a~1b" },
    },
    definitions: { Point: POINT, unused: { type: "string" } },
    $defs: { Line: { type: "array", items: { $ref: "#/definitions/Point" } } },
  };
  const point = { $ref: "#/$defs/Point" };
  const { first } = schema.properties;
  assert.deepEqual(sent(schema), {
    type: "object",
    properties: {
      older: point,
      newer: { anyOf: [{ $ref: "#/$defs/Line" }, { type: "null" }] },
      met: { type: "array", items: { $ref: "#/$defs/first" } },
      first,
      part: { $ref: "#/$defs/a1b" },
    },
    $defs: {
      Point: POINT,
      Line: { type: "array", items: point },
      first,
      a1b: { type: "string" },
    },
  });
});

test("a schema that refers to itself ends, and so does one of very many that refer to each other", () => {
  const tree = { type: "object", properties: { kids: { type: "array", items: { $ref: "#" } } } };
  const again = { type: "array", items: { $ref: "#/$defs/whole" } };
  const made = { type: "object", properties: { kids: again } };
  assert.deepEqual(sent(tree), { ...made, $defs: { whole: made } });

  const count = 20_000;
  const definitions: JsonObject = {};
  for (let at = 0; at < count; at++) {
    definitions[`d${String(at)}`] = { $ref: `#/definitions/d${String((at + 1) % count)}` };
  }
  const { $defs } = sent({ $ref: "#/definitions/d0", definitions }) as { $defs: JsonObject };
  assert.equal(Object.keys($defs).length, count);
});

test("beside a reference stands no more than Google takes there", () => {
  const schema = {
    properties: { a: { $ref: "#/$defs/P", title: "A", description: "here", default: null } },
    $defs: { P: POINT },
  };
  assert.deepEqual(sent(schema), {
    properties: { a: { $ref: "#/$defs/P", description: "here", default: null } },
    $defs: { P: POINT },
  });
});

test("two that are named alike keep apart, and what is not there is left to the provider", () => {
  const schema = {
    properties: { a: { $ref: "#/definitions/P" }, b: { $ref: "#/$defs/P" }, c: { $ref: "#/no" } },
    definitions: { P: POINT },
    $defs: { P: { type: "string" } },
  };
  assert.deepEqual(sent(schema), {
    properties: { a: { $ref: "#/$defs/P" }, b: { $ref: "#/$defs/P_1" }, c: { $ref: "#/no" } },
    $defs: { P: POINT, P_1: { type: "string" } },
  });
});

test("a schema that refers to nothing is sent as it is", () => {
  assert.equal(withKnownReferences(POINT), POINT);
});
