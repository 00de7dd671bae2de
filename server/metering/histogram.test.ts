import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import {
  bucketOf,
  HISTOGRAM_BUCKETS,
  PERCENTILE_ERROR_MAX,
  percentileOf,
  TotalHistogram,
  WindowHistogram,
} from "./histogram.js";

const HOUR_MS = 3_600_000;

test("a percentile is within its error bound of the true one, whatever the durations", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 1, max: HOUR_MS, noNaN: true }), {
        minLength: 1,
        maxLength: 300,
        size: "max",
      }),
      fc.constantFrom(0.5, 0.9, 0.95, 0.99, 1),
      (durations, share) => {
        const histogram = new WindowHistogram(4);
        for (const duration of durations) histogram.add(2, duration);
        const sorted = durations.toSorted((a, b) => a - b);
        const truth = sorted[Math.ceil(share * sorted.length) - 1]!;
        const found = percentileOf(histogram.counts(0, 3), share)!;
        // A value on the border of two buckets may round into either.
        assert.ok(Math.abs(found / truth - 1) <= PERCENTILE_ERROR_MAX + 1e-9);
      },
    ),
    { numRuns: 300 },
  );
  assert.ok(PERCENTILE_ERROR_MAX < 0.05);
});

test("no duration falls outside the buckets", () => {
  for (const duration of [-5, 0, NaN, 0.2, 1, HOUR_MS, 1e12, Infinity]) {
    const bucket = bucketOf(duration);
    assert.ok(bucket >= 0 && bucket < HISTOGRAM_BUCKETS, String(duration));
  }
});

test("without durations there is no percentile", () => {
  assert.equal(percentileOf(new WindowHistogram(3).counts(0, 10), 0.5), null);
});

test("a window holds exactly the spans asked for; a span that came round again starts empty", () => {
  const histogram = new WindowHistogram(4);
  const total = (first: number, last: number): number =>
    histogram.counts(first, last).reduce((sum, count) => sum + count, 0);
  for (let span = 0; span < 10; span++) {
    for (let i = 0; i <= span; i++) histogram.add(span, 100);
  }
  assert.equal(total(9, 9), 10);
  assert.equal(total(6, 9), 7 + 8 + 9 + 10);
  assert.equal(total(0, 9), 7 + 8 + 9 + 10, "older spans are gone");
  assert.equal(total(12, 20), 0);
});

test("totals count each duration once, in the bucket whose bound it does not exceed", () => {
  const histogram = new TotalHistogram();
  for (const ms of [50, 51, 1000, 700_000]) histogram.add(ms);
  const { counts, boundsSeconds, sumSeconds } = histogram.read();
  assert.equal(counts[boundsSeconds.indexOf(0.05)], 1);
  assert.equal(counts[boundsSeconds.indexOf(0.1)], 1);
  assert.equal(counts[boundsSeconds.indexOf(1)], 1);
  assert.equal(counts.at(-1), 1);
  assert.equal(sumSeconds, 701.101);
});
