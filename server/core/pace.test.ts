import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { FakeClock } from "../../test/support/fake-clock.js";
import { Pace } from "./pace.js";

test("a burst may be taken at once, and so much in a second after it", () => {
  const clock = new FakeClock();
  const pace = new Pace(clock, { perSecond: 10, burst: 3 });
  assert.deepEqual(
    [1, 2, 3, 4].map(() => pace.mayTake()),
    [true, true, true, false],
  );
  assert.equal(pace.waitMs(), 100);
  clock.advance(100);
  assert.equal(pace.waitMs(), 0);
  assert.equal(pace.mayTake(), true);
  assert.equal(pace.mayTake(), false);
  pace.giveBack();
  assert.equal(pace.mayTake(), true);
  pace.take(10);
  assert.equal(pace.waitMs(0), 1_000, "what was used already is paid for later");
});

test("in any time no more is taken than the burst and what came since", () => {
  const step = fc.record({ restMs: fc.nat(300), amount: fc.integer({ min: 1, max: 5 }) });
  fc.assert(
    fc.property(fc.array(step, { size: "max", maxLength: 100 }), (steps) => {
      const clock = new FakeClock();
      const pace = new Pace(clock, { perSecond: 20, burst: 6 });
      let ms = 0;
      let taken = 0;
      for (const { restMs, amount } of steps) {
        clock.advance(restMs);
        ms += restMs;
        if (pace.mayTake(amount)) taken += amount;
        assert(taken <= 6 + (ms * 20) / 1000 + 1e-6);
      }
    }),
  );
});
