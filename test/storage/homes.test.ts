import assert from "node:assert/strict";
import { test } from "node:test";
import type { Home } from "../../server/core/home.js";
import { opened, provider, providerKey, user } from "./fixture.js";

const home = (thingId: string, providerKeyId: string, scope = "*"): Home => ({
  scope,
  thingId,
  providerKeyId,
  ownerId: "usr_1",
  clientKeyId: "ck_1",
});

const learnt = (...homes: Home[]) => homes.map((each) => ({ home: each, isForgotten: false }));
const forgotten = (...homes: Home[]) => homes.map((each) => ({ home: each, isForgotten: true }));

test("homes read back in the order in which they were learnt, without those forgotten, and go with their key", async (t) => {
  const { storage } = await opened(t);
  await storage.keys.write(async (tx) => {
    await tx.users.insert(user("usr_1"));
    await tx.providers.insert(provider("prv_1"));
    await tx.providerKeys.insert(providerKey("pk_1"));
    await tx.providerKeys.insert(providerKey("pk_2", { name: "second" }));
  });
  const { homes } = storage;
  assert.deepEqual(await homes.all(), []);
  const first = [home("file-1", "pk_1"), home("file-1", "pk_2", "usr_1"), home("ファイル", "pk_2")];
  await homes.keep(learnt(...first, home("file-2", "pk_that_is_gone")));
  assert.deepEqual(await homes.all(), first);
  const moved = { ...home("file-1", "pk_2"), ownerId: "usr_2", clientKeyId: "ck_2" };
  await homes.keep(learnt(moved, home("batch_1", "pk_1")));
  assert.deepEqual(await homes.all(), [moved, ...first.slice(1), home("batch_1", "pk_1")]);
  await homes.keep([
    ...forgotten(home("file-1", "pk_1", "usr_1"), home("ファイル", "pk_1"), home("none", "pk_1")),
    ...learnt(home("batch_2", "pk_2")),
  ]);
  const left = [moved, home("batch_1", "pk_1"), home("batch_2", "pk_2")];
  assert.deepEqual(await homes.all(), left);
  await homes.keep([]);
  await storage.keys.write((tx) => tx.providerKeys.delete("pk_1"));
  assert.deepEqual(await homes.all(), [moved, home("batch_2", "pk_2")]);
});
