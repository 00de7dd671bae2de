import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import type { Holder } from "./client-key.js";
import { FairMap } from "./fair-map.js";

const holder = (ownerId: string, id = ownerId): Holder => ({ ownerId, clientKey: { id } });

test("who has most loses what was used the longest ago, and nobody else anything", () => {
  const map = new FairMap<number>(6);
  map.set(holder("mia"), "a", 1);
  for (let n = 0; n < 20; n++) map.set(holder("max"), String(n), n);
  assert.equal(map.get("a"), 1);
  assert.deepEqual(
    [14, 15, 16, 19].map((n) => map.get(String(n))),
    [undefined, 15, 16, 19],
  );
  map.set(holder("max"), "new", 7);
  assert.equal(map.get("15"), 15, "it was used of late");
  assert.equal(map.get("17"), undefined);
  assert.ok(map.has("a"));
  assert.ok(!map.has("none"));
});

test("it is the client key with most of that user that loses", () => {
  const map = new FairMap<number>(6);
  map.set(holder("max", "quiet"), "quiet", 0);
  map.set(holder("mia", "hers"), "hers", 0);
  for (let n = 0; n < 20; n++) map.set(holder("max", "loud"), String(n), n);
  assert.deepEqual([...map.values()], [0, 0, 16, 17, 18, 19]);
});

interface Thing {
  readonly id: string;
  readonly user: string;
  readonly key: string;
  readonly weight: number;
}

/** The same rule, said over a list that has what was used last at its end. */
class Reference {
  things: readonly Thing[] = [];
  readonly #weightMax: number;

  constructor(weightMax: number) {
    this.#weightMax = weightMax;
  }

  set(thing: Thing): void {
    this.things = [...this.things.filter(({ id }) => id !== thing.id), thing];
    while (weightOf(this.things) > this.#weightMax) {
      const ofUser = heaviest(this.things, ({ user }) => user);
      const [oldest] = heaviest(ofUser, ({ key }) => key);
      this.things = this.things.filter((each) => each !== oldest);
    }
  }

  get(id: string): Thing | undefined {
    const found = this.things.find((each) => each.id === id);
    const others = this.things.filter((each) => each !== found);
    if (found !== undefined) this.things = [...others, found];
    return found;
  }
}

function weightOf(things: readonly Thing[]): number {
  return things.reduce((sum, { weight }) => sum + weight, 0);
}

/** Things of the one who has most; where that may be several, a test that compares makes no difference of them. */
function heaviest(things: readonly Thing[], whose: (thing: Thing) => string): readonly Thing[] {
  const all = new Set(things.map(whose));
  const groups = [...all].map((who) => things.filter((thing) => whose(thing) === who));
  return groups.toSorted((a, b) => weightOf(b) - weightOf(a))[0] ?? [];
}

test("whatever is set, used and taken out, it holds what the rule says", () => {
  // Weights without two equal sums, so that nobody has as much as another.
  const weights = [1, 2, 4, 8, 16, 32, 64, 128, 256];
  const step = fc.record({
    at: fc.nat(weights.length - 1),
    whose: fc.nat(5),
    does: fc.constantFrom("SET", "SET", "GET", "DELETE"),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 400 }),
      fc.array(step, { size: "max", maxLength: 60 }),
      (weightMax, steps) => {
        const gone: Thing[] = [];
        const map = new FairMap<Thing>(weightMax, (thing) => gone.push(thing));
        const reference = new Reference(weightMax);
        let set = 0;
        for (const { at, whose, does } of steps) {
          const id = String(at);
          const user = `usr_${String(Math.floor(whose / 2))}`;
          const thing = { id, user, key: `${user}_${String(whose % 2)}`, weight: weights[at]! };
          if (does === "SET") {
            set++;
            map.set(holder(user, thing.key), id, thing, thing.weight);
            reference.set(thing);
          } else if (does === "GET") {
            assert.equal(map.get(id), reference.get(id));
          } else {
            const found = reference.things.find((each) => each.id === id);
            reference.things = reference.things.filter((each) => each !== found);
            assert.equal(map.delete(id), found);
          }
          assert.deepEqual(new Set(map.values()), new Set(reference.things));
          assert.equal(map.size, reference.things.length);
          assert.equal(
            map.has(id),
            reference.things.some((each) => each.id === id),
          );
          assert.equal(gone.length, set - map.size, "each is told of once");
        }
      },
    ),
    { numRuns: 300 },
  );
});

test("what is replaced, taken out or pushed out is told of, once", () => {
  const gone: string[] = [];
  const map = new FairMap<string>(3, (value) => gone.push(value));
  for (const id of ["a", "b", "a", "c", "d"]) map.set(holder("many"), id, `${id} of many`);
  map.set(holder("one"), "a", "a of one");
  assert.equal(map.delete("d"), "d of many");
  assert.equal(map.delete("d"), undefined);
  assert.deepEqual(gone, ["a of many", "b of many", "a of many", "d of many"]);
  assert.deepEqual([...map.values()].toSorted(), ["a of one", "c of many"]);
});
