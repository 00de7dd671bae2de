import assert from "node:assert/strict";
import test from "node:test";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import * as fc from "fast-check";
import { ago, bytes, count, duration, money, percent, rate, until } from "./format.js";

const NOW = Date.UTC(2026, 10, 20, 11, 21, 8);

test("a count keeps to five characters, whatever its size", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 999_000_000_000 }), (value) => {
      assert.ok(count(value).length <= 5, count(value));
    }),
  );
  assert.deepEqual([count(842), count(1210), count(38_400_000n)], ["842", "1.21K", "38.4M"]);
});

test("rounding never shows a thousand of a unit", () => {
  assert.equal(count(999_999), "1.00M");
  assert.equal(count(999_400), "999K");
  assert.equal(bytes(1024 * 1024 - 1), "1.00M");
});

test("durations say their unit in what people read", () => {
  const shown = [0.4, 182, 2100, 30_000, 240_000, 10_800_000, 1_036_800_000].map((ms) =>
    duration(ms),
  );
  assert.deepEqual(shown, ["0ms", "182ms", "2.1s", "30s", "4m", "3h", "12d"]);
  assert.equal(duration(undefined), "-");
});

test("nothing to divide is not zero percent", () => {
  assert.equal(percent(undefined), "-");
  assert.equal(percent(0), "0.0%");
  assert.equal(percent(0.9999), "99.9%");
  assert.equal(percent(0.0001), "<0.1%");
  assert.equal(percent(1), "100.0%");
});

test("small amounts of money are not shown as nothing", () => {
  assert.deepEqual(
    [0n, 1n, 340n, 4312n, 1_920_000n, 12_100_000_000n].map((micros) => money(micros)),
    ["$0.00", "$0.000001", "$0.00034", "$0.0043", "$1.92", "$12.1K"],
  );
});

test("times before and after now are told apart", () => {
  assert.equal(ago(timestampFromMs(NOW - 4 * 60_000), NOW), "4m");
  assert.equal(ago(undefined, NOW), "never");
  assert.equal(until(timestampFromMs(NOW + 29 * 86_400_000), NOW), "29d");
  assert.equal(until(timestampFromMs(NOW - 2 * 86_400_000), NOW), "-2d");
});

test("rates and sizes", () => {
  assert.deepEqual([rate(0), rate(42.13), rate(1210)], ["0.0", "42.1", "1.21K"]);
  assert.deepEqual([bytes(512), bytes(1_268_777n)], ["512B", "1.21M"]);
});
