import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ElementGate, JsonArray } from "./json-array.js";

function followed(text: Buffer, cuts: readonly number[]): JsonArray {
  const array = new JsonArray();
  let from = 0;
  for (const cut of [
    ...cuts.map((each) => each % text.length).toSorted((a, b) => a - b),
    text.length,
  ]) {
    array.push(text.subarray(from, cut));
    from = cut;
  }
  return array;
}

test("an array has ended with its last bracket alone, whatever its strings say and however it is cut", () => {
  const element = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }));
  fc.assert(
    fc.property(
      fc.array(element, { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat()),
      (elements, cuts) => {
        const text = Buffer.from(JSON.stringify(elements));
        const whole = followed(text, cuts);
        assert.equal(whole.ended, true);
        assert.deepEqual(
          JSON.parse(`[${text.subarray(whole.elementAt).toString()}`),
          JSON.parse(JSON.stringify(elements.slice(-1))),
        );
        assert.equal(followed(text.subarray(0, -1), cuts).ended, false);
      },
    ),
  );
});

test("the elements of an array go through the gate whole, and nothing is lost or changed, however they are cut", () => {
  const element = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }));
  fc.assert(
    fc.property(
      fc.array(fc.oneof(element, fc.jsonValue()), { maxLength: 4 }),
      fc.array(fc.nat()),
      fc.nat(80),
      (elements, cuts, heldBytesMax) => {
        const text = Buffer.from(JSON.stringify(elements, null, " "));
        const gate = new ElementGate(heldBytesMax);
        const at = [0, ...cuts.map((cut) => cut % text.length), text.length].toSorted(
          (a, b) => a - b,
        );
        let out = "";
        for (const [i, end] of at.entries()) {
          out += gate.push(text.subarray(at[i - 1] ?? 0, end))?.toString("latin1") ?? "";
          assert.equal(out.length + gate.heldBytes, end);
          assert.ok(gate.heldBytes <= heldBytesMax);
          if (gate.heldBytes > 0) assert.equal(gate.midEvent, false);
        }
        out += gate.rest()?.toString("latin1") ?? "";
        assert.equal(out, text.toString("latin1"));
      },
    ),
  );
  const gate = new ElementGate(100);
  const went = ['[{"a":"}', '"', '}\n,\n{"b":', "[{}]}", "]"].map((piece) =>
    gate.push(Buffer.from(piece)),
  );
  assert.deepEqual(went.map(String), ["[", "undefined", '{"a":"}"}\n,\n', '{"b":[{}]}', "]"]);
});
