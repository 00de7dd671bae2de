import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { CallIds } from "./call-ids.js";

test("a result without an id goes to the oldest call of its function that has none yet", () => {
  const step = fc.record({
    isCall: fc.boolean(),
    given: fc.option(fc.constantFrom("a", "b", "c"), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const ids = new CallIds(new Set(["a", "b", "c"]));
      const open: string[] = [];
      for (const { isCall, given } of steps) {
        if (isCall) {
          const id = ids.ofCall("f", given);
          if (!open.includes(id)) open.push(id);
          continue;
        }
        const id = ids.ofResult("f", given);
        const at = open.indexOf(id);
        if (given !== undefined) assert.equal(id, given);
        else assert.equal(at, open.length === 0 ? -1 : 0);
        if (at >= 0) open.splice(at, 1);
      }
    }),
    { numRuns: 500 },
  );
});

test("very many calls find their results in order", () => {
  const ids = new CallIds(new Set());
  const calls = Array.from({ length: 200_000 }, () => ids.ofCall("f", undefined));
  assert.ok(calls.every((id) => ids.ofResult("f", undefined) === id));
});
