import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../test/support/fake-clock.js";
import { PacedTurns } from "./paced-turns.js";

function world(perSecond: number, burst: number, reclaim = () => 0) {
  const clock = new FakeClock();
  const begun: string[] = [];
  const turns = new PacedTurns<string>({
    clock,
    pace: { perSecond, burst },
    begin: (thing) => begun.push(thing),
    reclaim,
  });
  return { clock, begun, turns };
}

test("so many begin at once and then in a second, address by address, a /64 being one", () => {
  const { clock, begun, turns } = world(10, 1);
  for (const [ip, name] of [
    ["2001:db8::1", "a1"],
    ["2001:db8::2", "a2"],
    ["2001:db8::3", "a3"],
    ["192.0.2.1", "b1"],
    ["192.0.2.1", "b2"],
  ] as const) {
    turns.add(ip, ip, name);
  }
  assert.deepEqual([begun, turns.size], [["a1"], 4]);
  for (let i = 0; i < 4; i++) clock.advance(100);
  assert.deepEqual([begun, turns.size], [["a1", "a2", "b1", "a3", "b2"], 0]);
});

test("what left does not begin, and what is given back lets another", () => {
  const { clock, begun, turns } = world(1, 1);
  turns.add("192.0.2.1", "1", "first");
  const left = turns.add("192.0.2.1", "2", "left");
  turns.leave(left);
  turns.giveBack();
  turns.add("192.0.2.1", "3", "second");
  assert.deepEqual(begun, ["first", "second"]);
  clock.advance(1000);
  assert.deepEqual(begun, ["first", "second"]);
});

test("where none may begin, those that are not counted any more make room", () => {
  let uncounted = 0;
  const { begun, turns } = world(1, 2, () => {
    const now = uncounted;
    uncounted = 0;
    return now;
  });
  for (const name of ["a", "b", "c"]) turns.add("192.0.2.1", name, name);
  assert.deepEqual(begun, ["a", "b"]);
  uncounted = 2;
  turns.add("192.0.2.1", "d", "d");
  assert.deepEqual(begun, ["a", "b", "c", "d"]);
  turns.add("192.0.2.1", "e", "e");
  assert.equal(turns.size, 1);
});
