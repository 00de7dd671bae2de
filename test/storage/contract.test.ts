import { test } from "node:test";
import type { KeysStore } from "../../server/keys/ports.js";
import type { LedgerStore } from "../../server/metering/ports.js";
import type { KeyringStore } from "../../server/vault/ports.js";
import { opened } from "./fixture.js";

test("the storage is what keys, vault and metering ask for, as the compiler sees it", async (t) => {
  const { storage } = await opened(t);
  const keys: KeysStore = storage.keys;
  const keyring: KeyringStore = storage.keyring;
  const ledger: LedgerStore = storage.ledger;
  await keys.read.users.all();
  await keyring.loadKeyring();
  await ledger.journalPosition();
});
