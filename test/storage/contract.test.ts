import { test } from "node:test";
import type { KeysStore } from "../../server/keys/ports.js";
import type { KeyringStore } from "../../server/vault/ports.js";
import { opened } from "./fixture.js";

test("the storage is what the keys and the vault ask for, as the compiler sees it", async (t) => {
  const { storage } = await opened(t);
  const keys: KeysStore = storage.keys;
  const keyring: KeyringStore = storage.keyring;
  await keys.read.users.all();
  await keyring.loadKeyring();
});
