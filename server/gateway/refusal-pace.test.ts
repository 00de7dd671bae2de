import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.js";
import { RefusalPace } from "./refusal-pace.js";

test("so many refusals of an address are told at once, the next at their pace, and other addresses do not wait", () => {
  const clock = new FakeClock();
  const pace = new RefusalPace(clock, 10);
  const told: number[] = [];
  for (let i = 0; i < 13; i++) pace.tell("192.0.2.1", () => told.push(clock.monotonic()));
  assert.equal(told.length, 10);
  let others = 0;
  pace.tell("192.0.2.2", () => others++);
  assert.equal(others, 1);
  clock.advance(60_000);
  assert.deepEqual(told.slice(10), [100, 200, 300]);
  pace.tell("192.0.2.1", () => told.push(clock.monotonic()));
  assert.equal(told.length, 14, "at once again");
});

test("an IPv6 network counts as one address, and nobody waits longer than five seconds", () => {
  const clock = new FakeClock();
  const pace = new RefusalPace(clock, 1);
  let told = 0;
  for (let i = 0; i < 100; i++) pace.tell(`2001:db8::${i.toString(16)}`, () => told++);
  assert.equal(told, 1);
  clock.advance(4_000);
  assert.equal(told, 5);
  clock.advance(1_000);
  assert.equal(told, 100);
});
