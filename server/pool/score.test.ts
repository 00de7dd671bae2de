import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import { OutcomeWindow, OUTCOMES_MAX } from "./outcome-window.js";
import {
  BALANCE_POINTS,
  balanceTerm,
  FRESHNESS_POINTS,
  freshnessTerm,
  SUCCESS_POINTS,
  successTerm,
} from "./score.js";
import { UseWindow } from "./use-window.js";

const HOUR = 3_600_000;

test("the terms are 70, 15 and 15 points at most and never below zero", () => {
  assert.equal(SUCCESS_POINTS + FRESHNESS_POINTS + BALANCE_POINTS, 100);
  const rate = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(rate, fc.nat(100), fc.nat(1e9), fc.tuple(fc.nat(1e6), fc.nat(1e6)), (...args) => {
      const [r, n, since, loads] = args;
      const load = Math.min(...loads);
      const most = Math.max(...loads);
      for (const [value, max] of [
        [successTerm(r, n), 70],
        [freshnessTerm(since), 15],
        [balanceTerm(load, most), 15],
      ] as const) {
        assert.ok(value >= 0 && value <= max);
      }
    }),
  );
});

test("a poor success rate counts half, once there is enough to judge by", () => {
  assert.equal(successTerm(1, 0), 70);
  assert.equal(successTerm(0.5, 10), 35);
  assert.equal(successTerm(0.5, 11), 17.5);
  assert.equal(successTerm(0.7, 50), 49);
});

test("all of the balance is every key's where none has any load", () => {
  assert.equal(balanceTerm(0, 0), 15);
  assert.equal(balanceTerm(3, 4), 3.75);
});

test("freshness never rises with age", () => {
  assert.equal(freshnessTerm(Infinity), 15);
  assert.equal(freshnessTerm(0), 15);
  assert.equal(freshnessTerm(2 * HOUR), 12);
  assert.equal(freshnessTerm(24 * HOUR), 12);
  assert.equal(freshnessTerm(48 * HOUR), 11);
  assert.equal(freshnessTerm(10_000 * HOUR), 3);
  const age = fc.integer({ min: 0, max: 1_000 * HOUR });
  fc.assert(
    fc.property(age, age, (a, b) => {
      assert.ok(freshnessTerm(Math.max(a, b)) <= freshnessTerm(Math.min(a, b)));
    }),
  );
});

test("only the last hundred outcomes count, and a new key counts as good", () => {
  const window = new OutcomeWindow();
  assert.equal(window.rate, 1);
  for (let i = 0; i < 1_000; i++) window.record(false, 0);
  for (let i = 0; i < OUTCOMES_MAX; i++) window.record(true, 0);
  assert.equal(window.count, OUTCOMES_MAX);
  assert.equal(window.rate, 1);
  window.record(false, 0);
  assert.equal(window.successes, 99);
});

test("old outcomes are forgotten after an hour of silence", () => {
  const window = new OutcomeWindow();
  for (let i = 0; i < 50; i++) window.record(false, 0);
  window.forgetOld(HOUR - 1);
  assert.ok(window.rate < 0.1, String(window.rate));
  window.forgetOld(HOUR);
  assert.equal(window.rate, 1);
});

test("uses are counted for about the last hour", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(400_000), { maxLength: 60, size: "max" }), (gaps) => {
      const window = new UseWindow(0);
      const times: number[] = [];
      let now = 0;
      for (const gap of gaps) {
        now += gap;
        window.add(now);
        times.push(now);
      }
      const total = window.total(now);
      assert.ok(total <= times.filter((at) => at > now - HOUR).length);
      assert.ok(total >= times.filter((at) => at > now - 55 * 60_000).length);
    }),
  );
});

test("a window that was raised to its peers' is as busy as they and ages like they", () => {
  const peer = new UseWindow(0);
  for (let i = 0; i < 12; i++) for (let j = 0; j < 10; j++) peer.add(i * 300_000);
  const late = new UseWindow(0);
  late.raiseTo([peer, peer], 11 * 300_000);
  assert.equal(late.total(11 * 300_000), peer.total(11 * 300_000));
  assert.equal(late.total(15 * 300_000), peer.total(15 * 300_000));
  assert.equal(late.total(40 * 300_000), 0);
});

test("raised at any time, a window has of each five minutes its own uses or as many as its peers on average, used or not", () => {
  const bucket = 300_000;
  const uses = fc.array(fc.nat(30), { maxLength: 40 });
  fc.assert(
    fc.property(
      fc.array(uses, { minLength: 2, maxLength: 5 }),
      fc.nat(20),
      fc.nat(13),
      (all, after, later) => {
        const windows = all.map((buckets) => {
          const window = new UseWindow(0);
          for (const at of buckets.toSorted((a, b) => a - b)) window.add(at * bucket);
          return window;
        });
        const at = 30 + after;
        const [window = new UseWindow(0), ...peers] = windows;
        window.raiseTo(peers, at * bucket);
        const [own = () => 0, ...others] = all.map(
          (buckets) => (i: number) => buckets.filter((each) => each === i).length,
        );
        let total = 0;
        for (let i = at + later - 11; i <= at; i++) {
          const sum = others.reduce((count, of) => count + of(i), 0);
          total += Math.max(own(i), sum / others.length);
        }
        const left = window.total((at + later) * bucket);
        assert.ok(Math.abs(left - total) < 1e-9, `${left} and not ${total}`);
        if (later >= 12) assert.equal(left, 0);
      },
    ),
  );
});
