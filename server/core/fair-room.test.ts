import assert from "node:assert/strict";
import test from "node:test";
import * as fc from "fast-check";
import type { Holder } from "./client-key.js";
import { FairRoom } from "./fair-room.js";

const ROOM = 1_200;

function holder(user: number, key: number): Holder {
  return { ownerId: `usr_${String(user)}`, clientKey: { id: `ck_${String(user)}_${String(key)}` } };
}

/** As much as there is room for, taken one by one. */
function fill(room: FairRoom, who: Holder): number {
  let amount = 0;
  while (room.mayTake(who, 1)) amount++;
  return amount;
}

test("users with one client key each take half of what others leave, one after the other", () => {
  const room = new FairRoom(1_024);
  const taken = [0, 1, 2, 3].map((user) => fill(room, holder(user, 0)));
  assert.deepEqual(taken, [512, 256, 128, 64]);
});

test("however many client keys a user has, a third is left to others, and each key leaves some to the next", () => {
  const room = new FairRoom(ROOM);
  assert.deepEqual(
    [0, 1, 2].map((key) => fill(room, holder(0, key))),
    [600, 150, 38],
  );
  for (let key = 3; key < 100; key++) fill(room, holder(0, key));
  assert.ok(room.taken <= (ROOM * 2) / 3 + 1, String(room.taken));
  assert.ok(fill(room, holder(1, 0)) >= ROOM / 6 - 1);
});

test("whatever is taken and given, each holds what the rule says, and all of it comes back", () => {
  const step = fc.record({
    user: fc.nat(2),
    key: fc.nat(3),
    amount: fc.nat(500),
    gives: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { size: "max", maxLength: 80 }), (steps) => {
      const room = new FairRoom(ROOM);
      const held: { user: number; key: number; amount: number }[] = [];
      const sum = (of: (each: { user: number; key: number }) => boolean): number =>
        held.reduce((all, each) => all + (of(each) ? each.amount : 0), 0);
      for (const { user, key, amount, gives } of steps) {
        if (gives) {
          const last = held.pop();
          if (last !== undefined) room.give(holder(last.user, last.key), last.amount);
        } else {
          const ofUser = sum((each) => each.user === user) + amount;
          const ofKey = sum((each) => each.user === user && each.key === key) + amount;
          const fits = (ofUser + ofKey) / 2 <= ROOM - sum(() => true);
          assert.equal(room.mayTake(holder(user, key), amount), fits);
          if (fits) held.push({ user, key, amount });
        }
        assert.equal(
          room.taken,
          sum(() => true),
        );
        assert.ok(room.taken <= ROOM);
      }
      for (const { user, key, amount } of held) room.give(holder(user, key), amount);
      assert.equal(room.taken, 0);
      assert.equal(fill(room, holder(0, 0)), ROOM / 2);
    }),
  );
});

test("of more users than are remembered with nothing, none loses what it holds", () => {
  const room = new FairRoom(1_000_000);
  const holds = (user: number): boolean => user % 3 === 0;
  for (let user = 0; user < 5_000; user++) {
    assert.ok(room.mayTake(holder(user, 0), 10));
    if (!holds(user)) room.give(holder(user, 0), 10);
  }
  assert.equal(room.taken, 10 * Math.ceil(5_000 / 3));
  // Who holds ten already may take as much less.
  const free = 1_000_000 - room.taken;
  assert.equal(room.hasRoom(holder(0, 0), free - 9), false);
  assert.equal(room.hasRoom(holder(0, 0), free - 10), true);
  assert.equal(room.hasRoom(holder(1, 0), free), true);
  for (let user = 0; user < 5_000; user++) if (holds(user)) room.give(holder(user, 0), 10);
  assert.equal(room.taken, 0);
  assert.equal(room.hasRoom(holder(3, 0), 1_000_000), true);
});
