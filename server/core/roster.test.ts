import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { Roster } from "./roster.js";

test("a roster holds what was added and not deleted, whatever the order", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.boolean(), fc.nat({ max: 9 })), { maxLength: 60, size: "max" }),
      (steps) => {
        const items = Array.from({ length: 10 }, (_each, name) => ({ name, place: -1 }));
        const roster = new Roster<{ name: number; place: number }>();
        const model = new Set<number>();
        for (const [add, at] of steps) {
          const item = items[at];
          assert.ok(item);
          if (add) {
            roster.add(item);
            model.add(at);
          } else {
            roster.delete(item);
            model.delete(at);
          }
        }
        const seen: number[] = [];
        roster.each((item) => seen.push(item.name));
        assert.deepEqual(seen.toSorted(), [...model].toSorted());
        assert.equal(roster.size, model.size);
        for (const item of items) assert.equal(roster.has(item), model.has(item.name));
      },
    ),
  );
});

test("what is deleted during a visit is not visited, and what is added is left for the next", () => {
  const [a, b, c] = [{ place: -1 }, { place: -1 }, { place: -1 }];
  const roster = new Roster<{ place: number }>();
  roster.add(a);
  roster.add(b);
  let visits = 0;
  roster.each(() => {
    visits++;
    roster.delete(a);
    roster.delete(b);
    roster.add(c);
  });
  assert.equal(visits, 1);
  assert.equal(roster.pop(), c);
  assert.equal(roster.pop(), undefined);
  assert.equal(c.place, -1);
});
