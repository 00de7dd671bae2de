import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FakeClock } from "../../test/support/fake-clock.js";
import { CautiousTime } from "./cautious-time.js";
import { DAY_MS, HOUR_MS } from "./durations.js";

const YEAR_MS = 365 * DAY_MS;

test("a clock that is ahead by a year for a while moves nothing, and is believed after a day", () => {
  const clock = new FakeClock();
  const time = new CautiousTime(clock);
  const atFirst = clock.now();
  clock.jumpWall(YEAR_MS);
  for (let hour = 0; hour < 24; hour++) {
    assert.equal(time.now(), atFirst + hour * HOUR_MS);
    clock.advance(HOUR_MS);
  }
  assert.equal(time.now(), clock.now());
  clock.jumpWall(-YEAR_MS);
  assert.equal(time.now(), clock.now());
  clock.jumpWall(YEAR_MS);
  assert.equal(time.now(), clock.now() - YEAR_MS);
});

test("a start goes on from what is known to be over", () => {
  const clock = new FakeClock();
  const time = new CautiousTime(clock, clock.now() - 40 * DAY_MS);
  assert.equal(time.now(), clock.now() - 40 * DAY_MS);
  clock.advance(DAY_MS);
  assert.equal(time.now(), clock.now());
});

test("however the clock is set, the time is never ahead of it, and the clock's own when that is right for a day", () => {
  const steps = fc.array(
    fc.record({
      jumpMs: fc.constantFrom(
        0,
        0,
        0,
        HOUR_MS,
        -HOUR_MS,
        3 * DAY_MS,
        -3 * DAY_MS,
        YEAR_MS,
        -YEAR_MS,
      ),
      passMs: fc.constantFrom(0, 1000, HOUR_MS, 5 * HOUR_MS, DAY_MS),
    }),
    { size: "max", maxLength: 60 },
  );
  fc.assert(
    fc.property(steps, (all) => {
      const clock = new FakeClock(Date.UTC(2026, 5, 1));
      const time = new CautiousTime(clock);
      for (const { jumpMs, passMs } of all) {
        clock.jumpWall(jumpMs);
        assert.ok(time.now() <= clock.now());
        clock.advance(passMs);
        assert.ok(time.now() <= clock.now());
      }
      clock.advance(DAY_MS);
      assert.equal(time.now(), clock.now());
    }),
  );
});
