import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { nestsTooDeep } from "./json-depth.js";

function deep(levels: number): string {
  return `${"[".repeat(levels)}${"]".repeat(levels)}`;
}

test("500 levels are read and one more is too deep, wherever in a text they stand", () => {
  for (const [before, behind, levels] of [
    ["", "", 500],
    ['{"a":', "}", 499],
    [`[${deep(400)},`, "]", 499],
  ] as const) {
    assert.equal(nestsTooDeep(before + deep(levels) + behind), false);
    assert.equal(nestsTooDeep(before + deep(levels + 1) + behind), true);
  }
  assert.equal(nestsTooDeep("{".repeat(1_001)), true);
});

test("what stands in a text is no level, however it is escaped", () => {
  const brackets = "[{".repeat(1_000);
  const full = fc.string({ unit: fc.constantFrom('"', "\\", "\n", "x"), maxLength: 90 });
  fc.assert(
    fc.property(fc.oneof(fc.string(), full), (said) => {
      const text = JSON.stringify({ [said + brackets]: [`${said}${brackets}${said}`, '"\\'] });
      assert.equal(nestsTooDeep(text), false);
      assert.equal(nestsTooDeep(`[${text},${deep(500)}]`), true);
    }),
  );
});
