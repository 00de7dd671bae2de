import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { minuteOf, parseSpan, parseWhen } from "./when.js";

const NOW = Date.UTC(2026, 10, 20, 11, 21, 8);

test("a span counts from now, a date stands for itself", () => {
  assert.equal(parseWhen("30d", NOW), NOW + 30 * 86_400_000);
  assert.equal(parseWhen(" 15m ", NOW), NOW + 15 * 60_000);
  assert.equal(parseWhen("2026-12-31", NOW), Date.UTC(2026, 11, 31));
  assert.equal(parseWhen("2026-12-31T23:59:00Z", NOW), Date.UTC(2026, 11, 31, 23, 59));
});

test("a moment as it is shown in a form reads back as that moment", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4_000_000_000 }), (seconds) => {
      const minute = Math.floor(seconds / 60) * 60_000;
      assert.equal(parseWhen(minuteOf(minute), NOW), minute);
    }),
  );
});

test("text that only looks like a time is refused rather than guessed at", () => {
  for (const text of ["", "30", "soon", "30y", "1e3d", "2026", "2026-13-45", "-5d"]) {
    assert.equal(parseWhen(text, NOW), undefined, text);
  }
  assert.equal(parseSpan("24x"), undefined);
});
