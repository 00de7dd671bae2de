import assert from "node:assert/strict";
import { test } from "node:test";
import { settle } from "../../test/support/fake-clock.js";
import { inParallel } from "./concurrent.js";

/** Work that ends when it is told to. */
function manual() {
  const ends = new Map<number, () => void>();
  const work = (item: number): Promise<number> =>
    new Promise((resolve) => {
      ends.set(item, () => resolve(item));
    });
  return { ends, work };
}

test("no more than the width run at once, and results come as they are known", async () => {
  const { ends, work } = manual();
  const results = inParallel([1, 2, 3, 4], 2, work);
  const first = results.next();
  await settle();
  assert.deepEqual([...ends.keys()], [1, 2]);
  ends.get(2)?.();
  assert.equal((await first).value, 2);
  assert.deepEqual([...ends.keys()], [1, 2, 3]);
  const second = results.next();
  ends.get(3)?.();
  assert.equal((await second).value, 3);
  ends.get(1)?.();
  ends.get(4)?.();
  const rest: number[] = [];
  for await (const value of results) rest.push(value);
  assert.deepEqual(rest.toSorted(), [1, 4]);
});

test("whoever leaves early starts no more of them", async () => {
  const { ends, work } = manual();
  const results = inParallel([1, 2, 3], 1, work);
  const first = results.next();
  ends.get(1)?.();
  await settle();
  ends.get(1)?.();
  await first;
  await results.return();
  const started = ends.size;
  for (const end of ends.values()) end();
  await settle();
  assert.equal(ends.size, started);
});

test("a failure ends it and reaches the caller", async () => {
  const results = inParallel([1, 2, 3], 2, async (item) => {
    if (item === 2) throw new Error("two");
    return item;
  });
  const seen: number[] = [];
  await assert.rejects(async () => {
    for await (const value of results) seen.push(value);
  }, /two/);
  assert(seen.length <= 2);
});

test("nothing to do ends at once", async () => {
  const results = inParallel([], 4, async () => 1);
  assert.equal((await results.next()).done, true);
});
