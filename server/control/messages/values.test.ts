import assert from "node:assert/strict";
import test from "node:test";
import { int64 } from "./values.js";

test("every number has an int64, so that no figure fails the answer that it stands in", () => {
  assert.deepEqual([0, -0, 2.5, -7].map(int64), [0n, 0n, 3n, -7n]);
  const max = BigInt(Number.MAX_SAFE_INTEGER);
  assert.deepEqual([1e300, Infinity, -Infinity, NaN].map(int64), [max, max, -max, 0n]);
});
