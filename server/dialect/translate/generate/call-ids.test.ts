import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { CallIds } from "./call-ids.js";

test("a result goes to the call of its id that waits for one, else to the oldest of its function: without one to any, with its own to those without", () => {
  const step = fc.record({
    isCall: fc.boolean(),
    given: fc.option(fc.constantFrom("a", "b", "c"), { nil: undefined }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const ids = new CallIds(new Set(["a", "b", "c"]));
      const open: string[] = [];
      const known = new Map<string, string>();
      for (const { isCall, given } of steps) {
        if (isCall) {
          const id = ids.ofCall("f", given);
          if (given !== undefined) known.set(given, given);
          if (!open.includes(id)) open.push(id);
          continue;
        }
        const id = ids.ofResult("f", given);
        if (given === undefined) assert.equal(open.indexOf(id), open.length === 0 ? -1 : 0);
        else {
          const made = open.find((each) => each.startsWith("call_p"));
          const told = known.get(given);
          const isAwaited = told !== undefined && open.includes(told);
          assert.equal(id, isAwaited ? told : (made ?? told ?? given));
          known.set(given, id);
        }
        if (open.includes(id)) open.splice(open.indexOf(id), 1);
      }
    }),
    { numRuns: 500 },
  );
});

test("results that bring ids of their own find calls that had none, in order", () => {
  const ids = new CallIds(new Set(["x", "run-1", "run-2"]));
  const calls = [ids.ofCall("f", undefined), ids.ofCall("f", "x"), ids.ofCall("f", undefined)];
  const results = ["run-1", "x", "run-2", "run-1"].map((given) => ids.ofResult("f", given));
  assert.deepEqual(results, [...calls, calls[0]]);
});

test("very many calls find their results in order", () => {
  const ids = new CallIds(new Set());
  const calls = Array.from({ length: 200_000 }, () => ids.ofCall("f", undefined));
  assert.ok(calls.every((id) => ids.ofResult("f", undefined) === id));
  const more = Array.from({ length: 200_000 }, () => ids.ofCall("f", undefined));
  assert.ok(more.every((id, at) => ids.ofResult("f", `own-${String(at)}`) === id));
});
