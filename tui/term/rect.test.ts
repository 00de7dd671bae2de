import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { centered, divide, intersect, splitColumns, splitRows } from "./rect.js";

test("the parts of a division always add up, whatever the size of the terminal", () => {
  const size = fc.oneof(
    fc.nat(30),
    fc.record({ share: fc.integer({ min: 1, max: 5 }), min: fc.nat(20) }),
  );
  fc.assert(
    fc.property(fc.nat(300), fc.array(size, { minLength: 1, maxLength: 6 }), (total, sizes) => {
      const parts = divide(total, sizes);
      const sum = parts.reduce((a, b) => a + b, 0);
      assert.ok(parts.every((part) => part >= 0));
      assert.ok(sum <= total);
      if (sizes.some((one) => typeof one !== "number")) assert.equal(sum, total);
    }),
  );
});

test("neighbouring areas touch without gap or overlap", () => {
  const area = { x: 3, y: 2, width: 101, height: 31 };
  const columns = splitColumns(area, [{ share: 1 }, { share: 1 }, { share: 1 }]);
  assert.deepEqual(
    columns.map((part) => [part.x, part.width]),
    [
      [3, 34],
      [37, 34],
      [71, 33],
    ],
  );
  const rows = splitRows(area, [1, { share: 1 }, 1]);
  assert.deepEqual(
    rows.map((part) => [part.y, part.height]),
    [
      [2, 1],
      [3, 29],
      [32, 1],
    ],
  );
});

test("a box in the middle never leaves its surroundings", () => {
  const outer = { x: 0, y: 0, width: 60, height: 16 };
  assert.deepEqual(centered(outer, 200, 4), { x: 0, y: 6, width: 60, height: 4 });
  assert.deepEqual(intersect(outer, { x: 50, y: 10, width: 50, height: 50 }), {
    x: 50,
    y: 10,
    width: 10,
    height: 6,
  });
});
