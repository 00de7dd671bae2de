import assert from "node:assert/strict";
import { test } from "node:test";
import { BodyBudget, BodyReader } from "./body.js";

test("however much one holder sends, there is room left for others, and all of it comes back", () => {
  const budget = new BodyBudget(1_000);
  const held = new Map<string, number>();
  for (const holder of ["a", "b", "c"]) {
    let bytes = 0;
    while (budget.mayTake(holder, 10)) bytes += 10;
    held.set(holder, bytes);
  }
  assert.deepEqual([...held.values()], [500, 250, 130]);
  assert.throws(() => {
    budget.take("a", 1);
  }, /Too many large bodies/);
  for (const [holder, bytes] of held) {
    budget.give(holder, bytes - 10);
    budget.give(holder, 10);
  }
  assert.equal(budget.bytes, 0);
  budget.take("a", 1_000);
});

test("of bodies that come together and have no room in all, those that have are read", () => {
  const budget = new BodyBudget(1_000);
  let read = 0;
  let refused = 0;
  const readers = Array.from({ length: 9 }, () => {
    const options = { budget, holder: "a", bytesMax: 1_000 };
    return new BodyReader(options, (fault) => void (fault === undefined ? read++ : refused++));
  });
  for (let round = 0; round < 20; round++) {
    for (const reader of readers) reader.onBody(Buffer.alloc(10));
  }
  for (const reader of readers) reader.onBodyEnd();
  assert.deepEqual([read, refused], [2, 7]);
  for (const reader of readers) reader.release();
  assert.equal(budget.bytes, 0);
});
