import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { FakeClock } from "../../test/support/fake-clock.js";
import { type StrangerLimits, Strangers } from "./strangers.js";

const LIMITS: StrangerLimits = { perSecond: 100, burst: 2, waitingMax: 12, runningMax: 6 };

class World {
  readonly clock = new FakeClock();
  readonly #strangers: Strangers;
  readonly begun: string[] = [];
  readonly dropped: string[] = [];
  #leaving: (() => void)[] = [];

  constructor(limits: Partial<StrangerLimits> = {}) {
    this.#strangers = new Strangers(this.clock, { ...LIMITS, ...limits });
  }

  /** Sends a request; `name` is that of its address, with a number behind it for the connection. */
  ask(name: string): () => void {
    const leave = this.#strangers.admit({
      ip: name.replace(/\d+$/, ""),
      connectionId: name,
      begin: () => void this.begun.push(name),
      drop: () => void this.dropped.push(name),
    });
    this.#leaving.push(leave);
    return leave;
  }

  endAll(): void {
    for (const leave of this.#leaving) leave();
    this.#leaving = [];
  }
}

test("so many requests of strangers begin at once, and so many in a second", () => {
  const world = new World({ runningMax: 100 });
  for (let i = 0; i < 6; i++) world.ask("a");
  assert.equal(world.begun.length, 2);
  world.clock.advance(10);
  assert.equal(world.begun.length, 3);
  world.clock.advance(30);
  assert.equal(world.begun.length, 6);
  world.clock.advance(10_000);
  for (let i = 0; i < 6; i++) world.ask("a");
  assert.equal(world.begun.length, 8, "no more than a burst is saved up");
});

test("turns go round between addresses, and between the connections of an address", () => {
  const world = new World({ burst: 1, runningMax: 100 });
  for (const name of ["a1", "a1", "a1", "a2", "b", "b"]) world.ask(name);
  world.clock.advance(100);
  assert.deepEqual(world.begun, ["a1", "a1", "b", "a2", "b", "a1"]);
});

test("an address with requests that do not end leaves room for others", () => {
  const world = new World({ burst: 20 });
  const first = world.ask("a");
  for (let i = 0; i < 5; i++) world.ask("a");
  assert.equal(world.begun.length, 3);
  world.ask("b");
  assert.deepEqual(world.begun, ["a", "a", "a", "b"]);
  first();
  assert.equal(world.begun.length, 5);
});

test("what is taken back before its turn does not begin", () => {
  const world = new World({ burst: 1 });
  world.ask("a");
  const back = world.ask("a");
  back();
  world.clock.advance(1_000);
  assert.deepEqual(world.begun, ["a"]);
});

test("where too many wait, the address that has most gives one up", () => {
  const world = new World({ burst: 1, waitingMax: 3 });
  for (let i = 0; i < 4; i++) world.ask("a");
  world.ask("b");
  assert.deepEqual(world.dropped, ["a"]);
  world.ask("a");
  assert.deepEqual(world.dropped, ["a", "a"], "its own newest");
});

test("whoever asks for little waits no longer than a turn of each address", () => {
  const step = fc.tuple(fc.constantFrom("a1", "a2", "b1", "c1"), fc.nat(3));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
      const world = new World({ runningMax: 1_000 });
      for (const [name, rests] of steps) {
        world.ask(name);
        world.clock.advance(rests);
      }
      const before = world.begun.length;
      world.ask("z");
      world.clock.advance(10_000);
      const at = world.begun.slice(before).indexOf("z");
      assert(at >= 0 && at <= 3, `the turn came after ${at}`);
    }),
  );
});
