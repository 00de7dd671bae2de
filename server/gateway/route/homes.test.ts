import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { aClientKey } from "../../../test/support/records.js";
import type { Principal } from "../../core/client-key.js";
import type { Home } from "../../core/home.js";
import { Homes } from "./homes.js";

const ROOM = 6;

/** A caller; the keys with an odd number draw on the pool. */
function caller(user: number, key: number): Principal {
  const ownerId = `usr_${String(user)}`;
  const kind = key % 2 === 1 ? "SUPER" : "STANDARD";
  return { ownerId, clientKey: aClientKey(`ck_${String(user)}_${String(key)}`, { kind, ownerId }) };
}

/** What the database holds of it. */
class Rows {
  #rows = new Map<string, Home>();

  take(homes: Homes): void {
    for (const { home, isForgotten } of homes.takeChanges()) {
      const name = `${home.scope} ${home.thingId}`;
      if (isForgotten) this.#rows.delete(name);
      else this.#rows.set(name, home);
    }
  }

  get all(): readonly Home[] {
    return [...this.#rows.values()];
  }
}

for (const [drawing, key] of [
  ["their own keys", 0],
  ["the pool", 1],
] as const) {
  test(`whoever makes many things with ${drawing} pushes out none of others, nor from the next start`, () => {
    const homes = new Homes(ROOM);
    const rows = new Rows();
    const quiet = caller(0, key);
    homes.learn(quiet, ["file-quiet"], "pk_1");
    for (let n = 0; n < 10 * ROOM; n++) {
      homes.learn(caller(1, key + 2 * (n % 7)), [`file-${String(n)}`], "pk_2");
      if (n % 4 === 0) rows.take(homes);
    }
    rows.take(homes);
    assert.equal(rows.all.length, ROOM);
    const next = new Homes(ROOM);
    next.load(rows.all);
    for (const each of [homes, next]) assert.equal(each.of(quiet, "file-quiet"), "pk_1");
  });
}

test("a client key's many things push out none of its user's others, nor from the next start", () => {
  const homes = new Homes(ROOM);
  const rows = new Rows();
  homes.learn(caller(1, 1), ["file-quiet"], "pk_1");
  for (let n = 0; n < 10 * ROOM; n++) {
    homes.learn(caller(1, 3), [`file-${String(n)}`], "pk_2");
    rows.take(homes);
  }
  const next = new Homes(ROOM);
  next.load(rows.all);
  next.learn(caller(1, 3), ["file-new"], "pk_2");
  assert.equal(next.of(caller(1, 1), "file-quiet"), "pk_1");
});

test("what was learnt again is new: what is older is let go before it", () => {
  const homes = new Homes(ROOM);
  homes.learn(caller(0, 0), ["file-a"], "pk_1");
  homes.learn(caller(0, 0), ["file-b"], "pk_1");
  homes.learn(caller(0, 0), ["file-a"], "pk_2");
  const taken = homes.takeChanges().map(({ home }) => [home.thingId, home.providerKeyId]);
  assert.deepEqual(taken, [
    ["file-b", "pk_1"],
    ["file-a", "pk_2"],
  ]);
});

test("what nobody writes down is let go, the oldest first, and what was taken is not given again", () => {
  const homes = new Homes(ROOM);
  assert.ok(homes.isEmpty);
  for (let n = 0; n < 10 * ROOM; n++) homes.learn(caller(0, 0), [`file-${String(n)}`], "pk_1");
  assert.ok(!homes.isEmpty);
  const changes = homes.takeChanges();
  assert.equal(changes.length, 2 * ROOM);
  const learnt = changes.filter(({ isForgotten }) => !isForgotten);
  assert.deepEqual(
    learnt.map(({ home }) => home.thingId),
    Array.from({ length: ROOM }, (_, at) => `file-${String(9 * ROOM + at)}`),
  );
  homes.learn(caller(0, 0), ["file-59"], "pk_1");
  assert.deepEqual(homes.takeChanges(), []);
});

test("what is no id of a thing, or longer than any provider's, takes no room", () => {
  const homes = new Homes(ROOM);
  homes.learn(caller(0, 0), ["", "x".repeat(257)], "pk_1");
  assert.ok(homes.isEmpty);
  homes.learn(caller(0, 0), ["", "x".repeat(256)], "pk_1");
  assert.equal(homes.of(caller(0, 0), "x".repeat(256)), "pk_1");
});

test("what an earlier version or a killed process left too much of is dropped from the database", () => {
  const rows = new Rows();
  const homes = new Homes(100);
  for (let n = 0; n < 16; n++) homes.learn(caller(n % 2, 0), [`file-${String(n)}`], "pk_1");
  rows.take(homes);
  const next = new Homes(ROOM);
  next.load(rows.all);
  rows.take(next);
  const left = rows.all.map(({ thingId }) => thingId);
  assert.deepEqual(left, ["file-10", "file-11", "file-12", "file-13", "file-14", "file-15"]);
});

test("whatever is learnt and forgotten, the next process knows what was written, for the same callers", () => {
  const step = fc.oneof(
    fc.record({
      does: fc.constant("LEARN" as const),
      user: fc.nat(2),
      key: fc.nat(3),
      thing: fc.nat(7),
      home: fc.nat(1),
    }),
    fc.record({ does: fc.constant("WRITE" as const) }),
    fc.record({ does: fc.constant("RESTART" as const) }),
  );
  const callers = [0, 1, 2].flatMap((user) => [0, 1, 2, 3].map((key) => caller(user, key)));
  const known = (homes: Homes) =>
    callers.flatMap((who) => [0, 1, 2, 3, 4, 5, 6, 7].map((n) => homes.of(who, `file-${n}`)));
  fc.assert(
    fc.property(fc.array(step, { size: "max", maxLength: 60 }), (steps) => {
      const rows = new Rows();
      let homes = new Homes(ROOM);
      for (const each of steps) {
        if (each.does === "LEARN") {
          const who = caller(each.user, each.key);
          homes.learn(who, [`file-${each.thing}`], `pk_${each.home}`);
          assert.equal(homes.of(who, `file-${each.thing}`), `pk_${each.home}`);
        } else {
          if (each.does === "WRITE") rows.take(homes);
          const next = new Homes(ROOM);
          next.load(rows.all);
          if (each.does === "WRITE") assert.deepEqual(known(next), known(homes));
          else homes = next;
        }
      }
    }),
    { numRuns: 300 },
  );
});
