import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { JsonArray } from "./json-array.js";

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
