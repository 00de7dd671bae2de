import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import type { Holder } from "./client-key.js";
import { FairTurns, type Place } from "./fair-turns.js";

function holder(user: string, key: string): Holder {
  return { ownerId: user, clientKey: { id: key } };
}

interface Thing {
  readonly user: string;
  readonly key: string;
}

/** One list of all that waits, looked through for each question. */
class Reference {
  #things: Thing[] = [];
  /** When a user or key came to the end of the round. */
  readonly #since = new Map<string, number>();
  #step = 0;

  get size(): number {
    return this.#things.length;
  }

  add(thing: Thing): void {
    for (const id of [thing.user, thing.key]) {
      if (this.#of(id).length === 0) this.#since.set(id, this.#step++);
    }
    this.#things.push(thing);
  }

  delete(thing: Thing): boolean {
    const had = this.#things.includes(thing);
    this.#things = this.#things.filter((each) => each !== thing);
    return had;
  }

  next(): Thing | undefined {
    const [user] = this.#round(this.#things.map((each) => each.user));
    const [key] = this.#round(this.#of(user).map((each) => each.key));
    const [thing] = this.#of(key);
    if (thing === undefined) return undefined;
    this.delete(thing);
    for (const id of [thing.user, thing.key]) this.#since.set(id, this.#step++);
    return thing;
  }

  giveWay({ user, key }: Thing): Thing | undefined {
    const most = this.#largest(this.#things.map((each) => each.user));
    const isCrowd = this.#of(most).length > this.#of(user).length + 1;
    const keys = this.#of(isCrowd ? most : user).map((each) => each.key);
    const crowd = this.#largest(keys);
    if (!isCrowd && this.#of(crowd).length <= this.#of(key).length + 1) return undefined;
    const newest = this.#of(crowd).at(-1);
    if (newest !== undefined) this.delete(newest);
    return newest;
  }

  /** What waits of a user or key. */
  #of(id = ""): Thing[] {
    return this.#things.filter(({ user, key }) => user === id || key === id);
  }

  #round(ids: readonly string[]): string[] {
    return [...new Set(ids)].toSorted(
      (a, b) => (this.#since.get(a) ?? 0) - (this.#since.get(b) ?? 0),
    );
  }

  #largest(ids: readonly string[]): string | undefined {
    const lastFirst = this.#round(ids).toReversed();
    return lastFirst.toSorted((a, b) => this.#of(b).length - this.#of(a).length)[0];
  }
}

test("whatever comes, leaves and gives way, turns go round between users and then between their keys", () => {
  const anyThing = fc
    .record({ user: fc.constantFrom("u", "v", "w"), key: fc.nat(3) })
    .map(({ user, key }): Thing => ({ user, key: `${user}${String(key)}` }));
  const step = fc.oneof(
    { weight: 4, arbitrary: anyThing.map((thing) => ({ does: "add" as const, thing })) },
    { weight: 2, arbitrary: fc.constant({ does: "next" as const }) },
    { weight: 1, arbitrary: fc.nat(99).map((at) => ({ does: "leave" as const, at })) },
    { weight: 2, arbitrary: anyThing.map((thing) => ({ does: "giveWay" as const, thing })) },
  );
  fc.assert(
    fc.property(fc.array(step, { size: "max", maxLength: 80 }), (steps) => {
      const turns = new FairTurns<Thing>();
      const places = new Map<Thing, Place<Thing>>();
      const reference = new Reference();
      for (const each of steps) {
        if (each.does === "add") {
          const thing = { ...each.thing };
          places.set(thing, turns.add(holder(thing.user, thing.key), thing));
          reference.add(thing);
        } else if (each.does === "next") {
          assert.equal(turns.next(), reference.next());
        } else if (each.does === "giveWay") {
          const { user, key } = each.thing;
          assert.equal(turns.giveWay(holder(user, key)), reference.giveWay(each.thing));
        } else {
          // Whether it waits still or is out already.
          const [thing, place] = [...places][each.at % places.size] ?? [];
          if (thing === undefined || place === undefined) continue;
          assert.equal(turns.leave(place), reference.delete(thing));
        }
        assert.equal(turns.size, reference.size);
      }
      while (reference.size > 0) assert.equal(turns.next(), reference.next());
      assert.deepEqual([turns.next(), turns.size], [undefined, 0]);
    }),
    { numRuns: 500 },
  );
});
