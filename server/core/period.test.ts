import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { periodEnd, periodStart } from "./period.js";

test("periods are calendar ones in UTC, with weeks from Monday", () => {
  const now = Date.UTC(2026, 10, 19, 13, 14, 15); // a Thursday
  assert.equal(periodStart("DAY", now), Date.UTC(2026, 10, 19));
  assert.equal(periodStart("WEEK", now), Date.UTC(2026, 10, 16));
  assert.equal(new Date(periodStart("WEEK", now)).getUTCDay(), 1);
  assert.equal(periodStart("MONTH", now), Date.UTC(2026, 10, 1));
  assert.equal(periodEnd("MONTH", Date.UTC(2026, 11, 1)), Date.UTC(2027, 0, 1));
});

test("each moment lies in exactly one period, and periods follow each other without a gap", () => {
  const moment = fc.integer({ min: 0, max: Date.UTC(2100, 0, 1) });
  fc.assert(
    fc.property(moment, fc.constantFrom("DAY", "WEEK", "MONTH"), (now, period) => {
      const start = periodStart(period, now);
      const end = periodEnd(period, start);
      assert.ok(start <= now && now < end);
      assert.equal(periodStart(period, end), end);
      assert.equal(periodStart(period, start), start);
    }),
  );
});
