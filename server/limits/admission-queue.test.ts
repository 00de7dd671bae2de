import assert from "node:assert/strict";
import test from "node:test";
import { FakeClock } from "../../test/support/fake-clock.js";
import type { Holder } from "../core/client-key.js";
import { AdmissionQueue } from "./admission-queue.js";

function queue(activeMax: number, waitingMax: number): { clock: FakeClock; calls: AdmissionQueue } {
  const clock = new FakeClock();
  const waitMaxMs = (): number => 5_000;
  return { clock, calls: new AdmissionQueue({ clock, activeMax, waitingMax, waitMaxMs }) };
}

/** Of the one user, unless another is named before the key. */
function holder(name: string): Holder {
  const [key = "", user = "user"] = name.split("/").toReversed();
  return { ownerId: user, clientKey: { id: key } };
}

/** Enters and notes the name when the turn has come. */
function enter(calls: AdmissionQueue, key: string, log: string[]): (() => void) | undefined {
  const giveUp = calls.enter(holder(key), (fault) => {
    log.push(fault === undefined ? key : `${key} ${fault.code}`);
  });
  if (giveUp === undefined) log.push(key);
  return giveUp;
}

test("calls below the bound enter at once", () => {
  const { calls } = queue(2, 0);
  const log: string[] = [];
  enter(calls, "a", log);
  enter(calls, "a", log);
  assert.deepEqual(log, ["a", "a"]);
  assert.equal(calls.active, 2);
});

test("beyond the bound a bounded number waits and the rest is refused at once", () => {
  const { calls } = queue(1, 2);
  const log: string[] = [];
  for (const key of ["a", "b", "c"]) enter(calls, key, log);
  assert.throws(() => enter(calls, "d", log), { code: "overloaded", retryAfterSeconds: 1 });
  calls.leave();
  assert.deepEqual(log, ["a", "b"]);
  calls.leave();
  assert.deepEqual(log, ["a", "b", "c"]);
  assert.deepEqual([calls.active, calls.waiting], [1, 0]);
});

test("who waits too long is refused, and the turn goes to somebody else", () => {
  const { clock, calls } = queue(1, 5);
  const log: string[] = [];
  enter(calls, "a", log);
  enter(calls, "b", log);
  clock.advance(4_000);
  enter(calls, "c", log);
  clock.advance(1_000);
  assert.deepEqual(log, ["a", "b overloaded"]);
  calls.leave();
  assert.deepEqual(log, ["a", "b overloaded", "c"]);
  assert.equal(calls.waiting, 0);
});

test("a key that floods the queue delays itself and not the others", () => {
  const { calls } = queue(1, 100);
  const log: string[] = [];
  enter(calls, "first", log);
  for (let i = 0; i < 20; i++) enter(calls, "flood", log);
  enter(calls, "quiet", log);
  for (let i = 0; i < 4; i++) calls.leave();
  assert.deepEqual(log, ["first", "flood", "quiet", "flood", "flood"]);
});

test("a user with many client keys delays itself and not the other users", () => {
  const { calls } = queue(1, 100);
  const log: string[] = [];
  enter(calls, "first/a", log);
  for (let i = 0; i < 20; i++) enter(calls, `many/${String(i)}`, log);
  for (const key of ["x", "x", "y"]) enter(calls, `few/${key}`, log);
  for (let i = 0; i < 6; i++) calls.leave();
  const turns = ["many/0", "few/x", "many/1", "few/y", "many/2", "few/x"];
  assert.deepEqual(log, ["first/a", ...turns]);
});

test("a user who fills the queue with many client keys makes room for others, the last key in turn first", () => {
  const { calls } = queue(1, 3);
  const log: string[] = [];
  for (const key of ["first/a", "many/1", "many/2", "many/3", "few/x"]) enter(calls, key, log);
  assert.deepEqual(log, ["first/a", "many/3 overloaded"]);
  assert.throws(() => enter(calls, "many/4", log), { code: "overloaded" });
  assert.equal(calls.waiting, 3);
});

test("a key that fills the queue makes room for others, from its newest call on", () => {
  const { clock, calls } = queue(1, 3);
  const log: string[] = [];
  enter(calls, "first", log);
  for (const name of ["flood 1", "flood 2", "flood 3"]) {
    calls.enter(holder("flood"), (fault) =>
      log.push(fault === undefined ? name : `${name} ${fault.code}`),
    );
  }
  enter(calls, "quiet", log);
  assert.deepEqual(log, ["first", "flood 3 overloaded"]);
  assert.equal(calls.waiting, 3);
  assert.throws(() => enter(calls, "flood", log), { code: "overloaded" });
  for (let i = 0; i < 3; i++) calls.leave();
  clock.advance(5_000);
  assert.deepEqual(log.slice(2), ["flood 1", "quiet", "flood 2"]);
  assert.deepEqual([calls.active, calls.waiting], [1, 0]);
});

test("where all keys wait with as many calls, the newcomer is refused and nobody loses a place", () => {
  const { calls } = queue(1, 4);
  const log: string[] = [];
  for (const key of ["first", "a", "a", "b", "b"]) enter(calls, key, log);
  assert.throws(() => enter(calls, "a", log), { code: "overloaded" });
  enter(calls, "c", log);
  assert.deepEqual(log, ["first", "b overloaded"]);
  assert.throws(() => enter(calls, "a", log), { code: "overloaded" });
  assert.throws(() => enter(calls, "c", log), { code: "overloaded" });
  assert.equal(calls.waiting, 4);
});

test("a caller that leaves while waiting gives up its place, and hears nothing more", () => {
  const { clock, calls } = queue(1, 1);
  const log: string[] = [];
  enter(calls, "a", log);
  const giveUp = enter(calls, "b", log);
  giveUp?.();
  giveUp?.();
  assert.equal(calls.waiting, 0);
  enter(calls, "c", log);
  clock.advance(4_999);
  calls.leave();
  clock.advance(10_000);
  assert.deepEqual(log, ["a", "c"]);
  assert.deepEqual([calls.active, calls.waiting], [1, 0]);
});

test("a caller that leaves twice gives up no place but its own, nor does one whose turn has come", () => {
  const { clock, calls } = queue(1, 5);
  const log: string[] = [];
  enter(calls, "first", log);
  const second = enter(calls, "a", log);
  const third = enter(calls, "a", log);
  enter(calls, "a", log);
  third?.();
  third?.();
  assert.equal(calls.waiting, 2);
  calls.leave();
  second?.();
  assert.equal(calls.waiting, 1);
  calls.leave();
  assert.deepEqual(log, ["first", "a", "a"]);
  assert.equal(clock.pending, 0, "nothing is left to wait for");
});

test("a call that ends in the moment of its turn lets the next one in", () => {
  const { calls } = queue(1, 5);
  const log: string[] = [];
  enter(calls, "a", log);
  for (const key of ["b", "c"]) {
    calls.enter(holder(key), () => {
      log.push(key);
      calls.leave();
    });
  }
  calls.leave();
  assert.deepEqual(log, ["a", "b", "c"]);
  assert.deepEqual([calls.active, calls.waiting], [0, 0]);
});
