import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { FairMap } from "./fair-map.js";

test("who has most loses what was used the longest ago, and nobody else anything", () => {
  const map = new FairMap<number>(6);
  map.set("mia", "a", 1);
  for (let n = 0; n < 20; n++) map.set("max", String(n), n);
  assert.equal(map.get("mia", "a"), 1);
  assert.deepEqual(
    [14, 15, 16, 19].map((n) => map.get("max", String(n))),
    [undefined, 15, 16, 19],
  );
  map.set("max", "new", 7);
  assert.equal(map.get("max", "15"), 15, "it was used of late");
  assert.equal(map.get("max", "17"), undefined);
  assert.equal(map.find("a"), 1);
  assert.equal(map.find("none"), undefined);
});

test("it is never heavier than its bound, and holds what was set last unless that alone is too heavy", () => {
  const step = fc.record({
    owner: fc.constantFrom("a", "b", "c"),
    id: fc.constantFrom("1", "2", "3", "4"),
    weight: fc.integer({ min: 1, max: 12 }),
  });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const map = new FairMap<{ weight: number }>(10);
      for (const { owner, id, weight } of steps) {
        map.set(owner, id, { weight }, weight);
        const weights = [...map.values()].map((each) => each.weight);
        assert.ok(weights.reduce((sum, each) => sum + each, 0) <= 10);
        if (weight > 10) assert.equal(map.get(owner, id), undefined);
      }
    }),
  );
});

test("what is replaced or pushed out is told of, once", () => {
  const gone: string[] = [];
  const map = new FairMap<string>(3, (value) => gone.push(value));
  for (const id of ["a", "b", "a", "c", "d"]) map.set("many", id, `${id} of many`);
  map.set("one", "a", "a of one");
  assert.deepEqual(gone, ["a of many", "b of many", "a of many"]);
  assert.deepEqual([...map.values()].toSorted(), ["a of one", "c of many", "d of many"]);
});
