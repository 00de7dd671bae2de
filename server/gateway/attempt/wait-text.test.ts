import assert from "node:assert/strict";
import { test } from "node:test";
import { waitIn } from "./wait-text.js";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const HOUR = 3_600_000;

test("what providers write for a time to wait is read, each in its own way", () => {
  for (const [text, ms] of [
    ["0", 0],
    ["7", 7_000],
    ["1.5", 1_500],
    // A header that came twice.
    ["7, 9", 7_000],
    ["7 ,x", 7_000],
    ["100000000", 1e11],
    ["6m0s", 360_000],
    ["1h", HOUR],
    ["1d2h3m4s5ms", 93_784_005],
    ["0.5s", 500],
    ["250ms", 250],
    // A moment in seconds, or in milliseconds.
    [String((NOW + HOUR) / 1000), HOUR],
    [String(NOW + HOUR), HOUR],
    [new Date(NOW + HOUR).toUTCString(), HOUR],
    [new Date(NOW + HOUR).toISOString(), HOUR],
    ["Friday, 02-Jan-26 04:04:05 GMT", HOUR],
  ] as const) {
    assert.equal(waitIn(text, NOW), ms, text);
  }
});

test("what says no time to wait, or one that has passed, is none", () => {
  for (const text of [
    undefined,
    "",
    " 7",
    "-1",
    "+7",
    "7 s",
    "x7",
    "7x",
    "7s x",
    "x7s",
    "1e3",
    "0x7",
    "NaN",
    "Infinity",
    "soon",
    "02-Jan-26",
    // No time to wait any more, and no moment yet.
    "100000001",
    "999999999",
    "1".repeat(16),
    // Moments that have passed.
    String(NOW / 1000),
    String(NOW),
    new Date(NOW).toUTCString(),
    new Date(NOW - HOUR).toISOString(),
    "Fri, 99 Jan 2026 99:99:99 GMT",
  ]) {
    assert.equal(waitIn(text, NOW), undefined, String(text));
  }
});
