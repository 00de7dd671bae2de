import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { firstToGo } from "./crowd.js";

test("the address with most loses its oldest, and where all have as many the oldest goes", () => {
  const strangers = ["a", "b", "b", "a", "c", "b"].map((ip, serial) => ({ ip, serial }));
  const gone = (count: number): number[] =>
    firstToGo(strangers, count, (ip) => ip).map(({ serial }) => serial);
  assert.deepEqual(gone(3), [1, 0, 2]);
  assert.deepEqual(gone(6), [1, 0, 2, 3, 4, 5]);
});

test("nobody who has fewer than another keeps loses one", () => {
  const ips = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 60, size: "max" });
  fc.assert(
    fc.property(ips, fc.nat(60), (from, count) => {
      const strangers = from.map((ip, serial) => ({ ip, serial }));
      const gone = new Set(firstToGo(strangers, count, (ip) => ip));
      assert.equal(gone.size, Math.min(count, from.length));
      const kept = strangers.filter((each) => !gone.has(each));
      const keptOf = (ip: string): number => kept.filter((each) => each.ip === ip).length;
      for (const { ip, serial } of gone) {
        for (const other of kept) {
          assert(keptOf(other.ip) <= keptOf(ip) + 1);
          if (other.ip === ip) assert(other.serial > serial);
        }
      }
    }),
  );
});
