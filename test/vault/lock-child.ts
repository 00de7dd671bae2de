// Run by lock-memory.test.ts: uses every key of a vault, locks it, and waits to be looked at.
import path from "node:path";
import { systemRandom } from "../../server/core/random.js";
import { Secret } from "../../server/core/secret.js";
import { createFileRootKeyProvider } from "../../server/vault/root-key/file.js";
import { createPassphraseProvider } from "../../server/vault/root-key/passphrase.js";
import { SecretCache } from "../../server/vault/secret-cache.js";
import { loadSodium } from "../../server/vault/sodium.js";
import { createVault } from "../../server/vault/vault.js";
import { BINDING, createTestLogger, MemoryKeyringStore, MemoryPin, testClock } from "./fixtures.js";

const folder = process.argv[2] ?? "";
const sodium = await loadSodium();
const random = systemRandom;
const passphrase = process.argv[4] === undefined ? undefined : new Secret(process.argv[4]);
const rootKey =
  passphrase === undefined
    ? createFileRootKeyProvider({ sodium, random, path: path.join(folder, "root.key") })
    : createPassphraseProvider({ sodium, random, ln: 14 });
const store = new MemoryKeyringStore();
const vault = await createVault({
  store,
  rootKey,
  random,
  pin: new MemoryPin(),
  clock: testClock,
  logger: createTestLogger(),
});
await vault.initialise(passphrase);
const cache = new SecretCache({ sodium, random });
for (let round = 0; round < 3; round++) {
  for (let index = 0; index < 50; index++) {
    const secret = new Secret(`sk-${round}-${index}`);
    const sealed = await vault.seal(secret, BINDING);
    cache.put(sealed, BINDING, await vault.open(sealed, BINDING));
    vault.fingerprint(secret);
    vault.clientKeyMacs(`presented-${index}`);
    vault.auditMac("00");
  }
  await vault.addVersions(["VAULT_KEY_PAIR", "PEPPER", "ROW_MAC"]);
  await vault.rotateRootKey(rootKey, passphrase);
  vault.lock();
  await vault.unlock(passphrase);
}
if (process.argv[3] === "lock") vault.lock();
cache.clear();
process.stdout.write(
  `${JSON.stringify(
    store.keys.map((key) => ({
      ...key,
      publicKey: key.publicKey === null ? null : Buffer.from(key.publicKey).toString("base64"),
      wrapped: Buffer.from(key.wrapped).toString("base64"),
    })),
  )}\n`,
);
// Stays until its standard input is closed.
process.stdin.resume();
