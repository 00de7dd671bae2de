import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
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

/** Lets as many in as may be, and has the rest wait. */
function flood(calls: AdmissionQueue, count: number, nameOf: (at: number) => string): string[] {
  const log: string[] = [];
  for (let at = 0; at < count; at++) enter(calls, nameOf(at), log);
  return log;
}

test("however many long calls a user makes, with one client key or many, others enter at once", () => {
  for (const [keys, own] of [
    [1, 1_120],
    [1_280, 1_195],
  ] as const) {
    const { calls } = queue(1_280, 1_280);
    const log = flood(calls, 2_000, (at) => `many/${String(at % keys)}`);
    assert.equal(log.length, own, "nearly all");
    assert.deepEqual(flood(calls, 10, (at) => `few/${String(at % 2)}`).length, 10);
    assert.deepEqual(flood(calls, 2, () => "third/a").length, 2);
  }
});

test("a client key's many long calls leave room to the other keys of its user", () => {
  const { calls } = queue(1_280, 1_280);
  assert.equal(flood(calls, 2_000, () => "many/loud").length, 1_120);
  assert.equal(flood(calls, 10, () => "many/quiet").length, 10);
});

test("who waits for lack of room of their own enters when there is some, and others before that", () => {
  const { calls } = queue(16, 16);
  const log: string[] = [];
  for (let at = 0; at < 16; at++) enter(calls, "many/a", log);
  assert.deepEqual([log.length, calls.waiting], [14, 2]);
  enter(calls, "few/b", log);
  calls.leave(holder("few/b"));
  assert.equal(log.at(-1), "few/b", "that was not theirs");
  calls.leave(holder("many/a"));
  assert.equal(log.length, 16);
  assert.deepEqual([calls.active, calls.waiting], [14, 1]);
});

test("whatever comes and leaves, nobody waits for whom there is room, and turns go round", () => {
  const step = fc.record({ user: fc.nat(2), key: fc.nat(2), leaves: fc.boolean(), at: fc.nat(99) });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.array(step, { size: "max", maxLength: 120 }),
      (activeMax, steps) => {
        const { calls } = queue(activeMax, 1_000);
        const active: string[] = [];
        const waiting: string[] = [];
        const held = (of: (name: string) => boolean): number => active.filter(of).length;
        const hasRoom = (name: string): boolean => {
          const ofUser = held((each) => each.split("/")[0] === name.split("/")[0]) + 1;
          const ofKey = held((each) => each === name) + 1;
          return (ofUser + ofKey) / 2 <= 7 * (activeMax - active.length);
        };
        for (const { user, key, leaves, at } of steps) {
          const name = `usr_${String(user)}/ck_${String(user)}_${String(key)}`;
          if (leaves && active.length > 0) {
            const [left = ""] = active.splice(at % active.length, 1);
            calls.leave(holder(left));
          } else {
            const couldEnter = hasRoom(name);
            const entered = calls.enter(holder(name), (fault) => {
              assert.equal(fault, undefined);
              assert.ok(hasRoom(name));
              waiting.splice(waiting.indexOf(name), 1);
              active.push(name);
            });
            assert.equal(entered === undefined, couldEnter);
            (couldEnter ? active : waiting).push(name);
          }
          assert.deepEqual(waiting.filter(hasRoom), []);
          assert.deepEqual([calls.active, calls.waiting], [active.length, waiting.length]);
          assert.ok(active.length <= activeMax);
        }
      },
    ),
    { numRuns: 300 },
  );
});

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
  calls.leave(holder("a"));
  assert.deepEqual(log, ["a", "b"]);
  calls.leave(holder("b"));
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
  calls.leave(holder("a"));
  assert.deepEqual(log, ["a", "b overloaded", "c"]);
  assert.equal(calls.waiting, 0);
});

test("a key that floods the queue delays itself and not the others", () => {
  const { calls } = queue(1, 100);
  const log: string[] = [];
  enter(calls, "first", log);
  for (let i = 0; i < 20; i++) enter(calls, "flood", log);
  enter(calls, "quiet", log);
  for (let i = 0; i < 4; i++) calls.leave(holder(log.at(-1)!));
  assert.deepEqual(log, ["first", "flood", "quiet", "flood", "flood"]);
});

test("a user with many client keys delays itself and not the other users", () => {
  const { calls } = queue(1, 100);
  const log: string[] = [];
  enter(calls, "first/a", log);
  for (let i = 0; i < 20; i++) enter(calls, `many/${String(i)}`, log);
  for (const key of ["x", "x", "y"]) enter(calls, `few/${key}`, log);
  for (let i = 0; i < 6; i++) calls.leave(holder(log.at(-1)!));
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
  for (const name of ["first", "flood", "quiet"]) calls.leave(holder(name));
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
  calls.leave(holder("a"));
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
  calls.leave(holder("first"));
  second?.();
  assert.equal(calls.waiting, 1);
  calls.leave(holder("a"));
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
      calls.leave(holder(key));
    });
  }
  calls.leave(holder("a"));
  assert.deepEqual(log, ["a", "b", "c"]);
  assert.deepEqual([calls.active, calls.waiting], [0, 0]);
});
