import assert from "node:assert/strict";
import { test } from "node:test";
import type { Home } from "../../server/core/home.js";
import { opened, provider, providerKey, user } from "./fixture.js";

const home = (thingId: string, providerKeyId: string, scope = "*"): Home => ({
  scope,
  thingId,
  providerKeyId,
});

test("homes read back in the order in which they were learnt, the newest so many, and go with their key", async (t) => {
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
  await homes.keep([...first, home("file-2", "pk_that_is_gone")], 10);
  assert.deepEqual(await homes.all(), first);
  await homes.keep([home("file-1", "pk_2"), home("batch_1", "pk_1")], 10);
  const now = [home("file-1", "pk_2"), ...first.slice(1), home("batch_1", "pk_1")];
  assert.deepEqual(await homes.all(), now);
  await homes.keep([home("batch_2", "pk_1")], 2);
  assert.deepEqual(await homes.all(), [home("batch_1", "pk_1"), home("batch_2", "pk_1")]);
  await storage.keys.write((tx) => tx.providerKeys.delete("pk_1"));
  assert.deepEqual(await homes.all(), []);
});
