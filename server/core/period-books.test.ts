import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { HOUR_MS } from "./durations.js";
import { PERIODS, periodStart } from "./period.js";
import { PeriodBooks } from "./period-books.js";

const MIDNIGHT = Date.UTC(2030, 3, 1);

test("wherever the clock is set among two periods, each moment counts in its own", () => {
  const step = fc.integer({ min: -30 * HOUR_MS, max: 20 * HOUR_MS });
  fc.assert(
    fc.property(
      fc.constantFrom(...PERIODS),
      fc.array(step, { maxLength: 40, size: "max" }),
      (period, steps) => {
        const books = new PeriodBooks(period, MIDNIGHT - 1, () => ({ count: 0 }));
        const [before, after] = [periodStart(period, MIDNIGHT - 1), periodStart(period, MIDNIGHT)];
        const wanted = new Map<number, number>();
        for (const each of steps) {
          const at = MIDNIGHT + Math.max(before - MIDNIGHT, each);
          assert.equal(books.follow(at), false);
          const startMs = periodStart(period, at);
          assert.equal(books.current.startMs, startMs);
          books.current.counted.count++;
          wanted.set(startMs, (wanted.get(startMs) ?? 0) + 1);
        }
        assert.equal(books.at(before)?.counted.count, wanted.get(before) ?? 0);
        assert.equal(books.at(after)?.counted.count, wanted.get(after));
      },
    ),
  );
});

test("a period is unknown that neither was there before nor follows", () => {
  const books = new PeriodBooks("MONTH", MIDNIGHT, () => ({}));
  assert.equal(books.follow(Date.UTC(2030, 4)), false, "the next month");
  assert.equal(books.follow(MIDNIGHT), false, "and back");
  assert.equal(books.follow(Date.UTC(2030, 2)), true, "the month before them");
  assert.equal(books.follow(Date.UTC(2031, 2)), true, "a year on");
  assert.equal(books.at(MIDNIGHT), null);
});
