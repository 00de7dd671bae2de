import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.js";
import { BusyPoll } from "./busy-poll.js";

/** A poll of 200 µs whose turns come when they are asked for. */
function polling(micros = 200): { poll: BusyPoll; clock: FakeClock; turn: () => boolean } {
  const clock = new FakeClock();
  const steps: (() => void)[] = [];
  const turn = (): boolean => {
    const step = steps.shift();
    step?.();
    assert.ok(steps.length <= 1, "one step a turn, whatever the number of calls");
    return steps.length > 0;
  };
  return { poll: new BusyPoll(clock, micros, (step) => void steps.push(step)), clock, turn };
}

test("the loop goes on turning for as long as was said, and then may wait", () => {
  const { poll, clock, turn } = polling();
  poll.extend();
  clock.advance(0.1);
  assert.equal(turn(), true);
  clock.advance(0.09);
  assert.equal(turn(), true);
  clock.advance(0.02);
  assert.equal(turn(), false);
  poll.extend();
  assert.equal(turn(), true);
});

test("the time begins anew with each call, and calls share their turns", () => {
  const { poll, clock, turn } = polling();
  for (let call = 0; call < 5; call++) {
    poll.extend();
    clock.advance(0.15);
    assert.equal(turn(), true);
  }
  clock.advance(0.06);
  assert.equal(turn(), false);
});

test("a poll of 0 asks for no turn", () => {
  const { poll, turn } = polling(0);
  poll.extend();
  assert.equal(turn(), false);
});
