import assert from "node:assert/strict";
import { test } from "node:test";
import { ServedModels } from "./served-models.js";

test("of the models that nobody knows each user may search for some, and for more after a while", () => {
  const models = new ServedModels();
  const mia = { ownerId: "mia", clientKey: { id: "a" } };
  const ben = { ownerId: "ben", clientKey: { id: "b" } };
  const granted = (holder: typeof mia, nowMs: number): number =>
    Array.from({ length: 20 }, () => models.maySearch(holder, nowMs)).filter(Boolean).length;
  assert.equal(granted(mia, 0), 8);
  assert.equal(granted({ ...mia, clientKey: { id: "c" } }, 599_999), 0, "another key of the user");
  assert.equal(granted(ben, 599_999), 8);
  assert.equal(granted(mia, 600_000), 8);
  assert.equal(granted(ben, 600_000), 0);
});
