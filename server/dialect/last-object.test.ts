import assert from "node:assert/strict";
import { test } from "node:test";
import { firstObject, lastObject } from "./last-object.js";

test("what is kept of a text stays as it was when other texts of its shape are read", () => {
  const text = (tokens: number): Buffer =>
    Buffer.from(`{"usage":{"input":${String(tokens)},"parts":[{"input":${String(tokens)}}]}}`);
  const usageOf = (tokens: number): unknown => firstObject(text(tokens), "usage", (usage) => usage);
  usageOf(1);
  const kept = usageOf(2);
  assert.equal(
    lastObject(text(3), "usage", ({ input }) => input),
    3,
  );
  assert.deepEqual(kept, { input: 2, parts: [{ input: 2 }] });
});
