import assert from "node:assert/strict";
import { test } from "node:test";
import { holdsTooMuch } from "./json-values.js";

const MANY = 100_000;

test("100,000 values are walked through and one more is too much, wherever they stand", () => {
  for (const [before, behind, others] of [
    ["[", "]", 0],
    ['{"a":[', "]}", 0],
    ['{"a":[1,2],"b":[', "]}", 2],
  ] as const) {
    const text = (count: number) => `${before}${Array(count).fill(1).join(",")}${behind}`;
    assert.equal(holdsTooMuch(text(MANY - others)), false);
    assert.equal(holdsTooMuch(text(MANY - others + 1)), true);
  }
});

test("what stands in a text is no value, however it is escaped", () => {
  const said = `\\",${",".repeat(3 * MANY)}`;
  assert.equal(holdsTooMuch(JSON.stringify({ [said]: said })), false);
});
