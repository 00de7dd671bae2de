import assert from "node:assert/strict";
import { test } from "node:test";
import type { Holder } from "./client-key.js";
import { LongWorks } from "./long-works.js";

function holder(user: string): Holder {
  return { ownerId: user, clientKey: { id: `ck_${user}` } };
}

test("in each turn of the loop there is a part of one work, and users take turns", async () => {
  const works = new LongWorks();
  let turn = 0;
  let isRunning = true;
  const count = (): void => {
    turn++;
    if (isRunning) setImmediate(count);
  };
  setImmediate(count);
  const parts: [turn: number, work: string][] = [];
  const done: Promise<void>[] = [];
  for (const [user, name, length] of [
    ["a", "a1", 3],
    ["a", "a2", 2],
    ["b", "b1", 2],
  ] as const) {
    done.push(
      new Promise((resolve) => {
        let left = length;
        works.add(holder(user), () => {
          parts.push([turn, name]);
          if (--left === 0) resolve();
          return left === 0;
        });
      }),
    );
  }
  assert.equal(parts.length, 0, "none in the turn in which they come");
  await Promise.all(done);
  isRunning = false;
  assert.equal(new Set(parts.map(([at]) => at)).size, parts.length);
  const order = parts.map(([, work]) => work.slice(0, 1)).join("");
  assert.equal(order, "ababaaa");
  assert.equal(parts.length, 7);
});

test("a work that comes behind the last one, or from within one, is done as well", async () => {
  const works = new LongWorks();
  const later = (add: (resolve: () => void) => void): Promise<void> => new Promise(add);
  const add = (resolve: () => void): void => {
    works.add(holder("a"), () => {
      resolve();
      return true;
    });
  };
  await later(add);
  await later(add);
  await later((resolve) => {
    works.add(holder("a"), () => {
      add(resolve);
      return true;
    });
  });
});
