import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  SlidingWindow,
  WINDOW_ENTRIES_MAX,
  WINDOW_MS,
  type WindowEntry,
} from "./sliding-window.js";

/** How much longer than a minute an admission may count in a busy window. */
const TOO_LONG_MS = (2 * WINDOW_MS) / WINDOW_ENTRIES_MAX;

/** Every admission by itself. */
class PlainWindow {
  readonly admissions: { readonly atMs: number; amount: number }[] = [];

  total(nowMs: number, windowMs = WINDOW_MS): number {
    return this.admissions
      .filter(({ atMs }) => atMs + windowMs > nowMs)
      .reduce((sum, { amount }) => sum + amount, 0);
  }

  waitMs(amount: number, limit: number, nowMs: number): number {
    const ends = this.admissions.map(({ atMs }) => atMs + WINDOW_MS - nowMs);
    const waits = [0, ...ends.filter((ms) => ms > 0)].toSorted((a, b) => a - b);
    return waits.find((ms) => this.total(nowMs + ms) + amount <= limit) ?? WINDOW_MS;
  }

  resetMs(nowMs: number): number {
    return Math.max(0, ...this.admissions.map(({ atMs }) => atMs + WINDOW_MS - nowMs));
  }
}

interface Step {
  readonly pauseMs: number;
  readonly amount: number;
  /** Which of the admissions is corrected then, and to what. */
  readonly corrected: number;
  readonly used: number;
}

function stepsOf(pauseMaxMs: number, maxLength: number): fc.Arbitrary<Step[]> {
  const step = fc.record({
    pauseMs: fc.oneof(fc.constant(0), fc.nat(pauseMaxMs)),
    amount: fc.integer({ min: 1, max: 50 }),
    corrected: fc.nat(20),
    used: fc.nat(80),
  });
  return fc.array(step, { maxLength, size: "max" });
}

/** Plays the steps in both windows, and compares them before each and behind it. */
function play(
  steps: readonly Step[],
  compare: (window: SlidingWindow, plain: PlainWindow, nowMs: number) => void,
): void {
  const window = new SlidingWindow();
  const plain = new PlainWindow();
  const entries: WindowEntry[] = [];
  let nowMs = 1_000;
  for (const { pauseMs, amount, corrected, used } of steps) {
    nowMs += pauseMs;
    compare(window, plain, nowMs);
    entries.push(window.add(amount, nowMs));
    plain.admissions.push({ atMs: nowMs, amount });
    const at = entries.length - 1 - corrected;
    const [entry, admission] = [entries[at], plain.admissions[at]];
    if (entry !== undefined && admission !== undefined) {
      const by = used - admission.amount;
      window.correct(entry, by, nowMs);
      if (admission.atMs + WINDOW_MS > nowMs) admission.amount = used;
    }
    compare(window, plain, nowMs);
  }
  assert.equal(window.isIdle(nowMs + WINDOW_MS - 1), steps.length === 0);
  assert.equal(window.isIdle(nowMs + WINDOW_MS), true);
  assert.equal(window.total(nowMs + WINDOW_MS), 0);
}

test("a window of few admissions is exact to the millisecond, also after corrections", () => {
  fc.assert(
    fc.property(stepsOf(20_000, WINDOW_ENTRIES_MAX), fc.nat(60_000), (steps, aheadMs) => {
      play(steps, (window, plain, nowMs) => {
        const asks = [
          () => assert.equal(window.total(nowMs), plain.total(nowMs)),
          () => assert.equal(window.resetMs(nowMs), plain.resetMs(nowMs)),
          ...[1, 60, 200].map(
            (limit) => () =>
              assert.equal(window.waitMs(1, limit, nowMs), plain.waitMs(1, limit, nowMs)),
          ),
        ];
        // Each of them is asked first now and then: none may lean on another's having looked at the clock.
        const first = nowMs % asks.length;
        for (const ask of [...asks.slice(first), ...asks.slice(0, first)]) ask();
      });
      const window = new SlidingWindow();
      const entry = window.add(5, 0);
      window.correct(entry, 3, aheadMs);
      assert.equal(window.total(aheadMs), aheadMs < WINDOW_MS ? 8 : 0);
    }),
    { numRuns: 100 },
  );
});

test("a busy window counts no admission for less than a minute, nor for much longer", () => {
  fc.assert(
    fc.property(stepsOf(700, 400), (steps) => {
      play(steps, (window, plain, nowMs) => {
        const total = window.total(nowMs);
        assert.ok(total >= plain.total(nowMs), "too short");
        assert.ok(total <= longest(plain, nowMs), "too long");
      });
    }),
    { numRuns: 60 },
  );
});

test("what was joined with its neighbour in a busy window is corrected there, and leaves as what was used", () => {
  const window = new SlidingWindow();
  const [first, second] = [window.add(10, 0), window.add(10, 1)];
  for (let at = 1; at < WINDOW_ENTRIES_MAX; at++) window.add(1, 938 * at - 800);
  assert.equal(second.into, first);
  window.correct(second, 20, 59_000);
  const others = WINDOW_ENTRIES_MAX - 1;
  assert.equal(window.total(59_000), 40 + others);
  window.correct(first, -10, WINDOW_MS);
  assert.equal(window.total(WINDOW_MS), 30 + others);
  window.correct(second, 5, WINDOW_MS + 1);
  assert.equal(window.total(WINDOW_MS + 1), others);
});

test("a busy window lets go of what it counts as evenly as it came", () => {
  const window = new SlidingWindow();
  for (let at = 0; at < WINDOW_ENTRIES_MAX; at++) window.add(1, 0);
  for (let nowMs = 100; nowMs <= WINDOW_MS; nowMs += 100) window.add(1, nowMs);
  for (const passedMs of [5_000, 30_000, 55_000]) {
    const left = (WINDOW_MS - passedMs) / 100;
    const told = window.total(WINDOW_MS + passedMs);
    assert.ok(told >= left && told <= left + TOO_LONG_MS / 100, `${told} of ${left}`);
  }
});

test("a window keeps a bounded number of entries, however many admissions it counts and at what pace", () => {
  for (const pauseMs of [0, 7, 100, WINDOW_MS / WINDOW_ENTRIES_MAX / 2, 900]) {
    const window = new SlidingWindow();
    const booked: WindowEntry[] = [];
    for (let at = 0; at < 2_000; at++) booked.push(window.add(1, at * pauseMs));
    const nowMs = 1_999 * pauseMs;
    const kept = new Set(booked.map(holderOf).filter(({ atMs }) => atMs + WINDOW_MS > nowMs));
    assert.ok(kept.size <= WINDOW_ENTRIES_MAX, `${kept.size} at a pause of ${pauseMs} ms`);
  }
});

/** The entry that holds what was booked with one. */
function holderOf(booked: WindowEntry): WindowEntry {
  let entry = booked;
  while (entry.into !== null) entry = entry.into;
  return entry;
}

/** What an exact window that is a little longer would hold. */
function longest(plain: PlainWindow, nowMs: number): number {
  return plain.total(nowMs, WINDOW_MS + TOO_LONG_MS);
}
