import assert from "node:assert/strict";
import test from "node:test";
import { inspect } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { NEW_KEY_HEALTH, type ProviderKey } from "../../server/core/provider-key.js";
import { systemRandom } from "../../server/core/random.js";
import { Secret } from "../../server/core/secret.js";
import type { SealedSecret } from "../../server/core/sealed.js";
import type { SecretOpener } from "../../server/gateway/ports.js";
import type { KeysVault } from "../../server/keys/ports.js";
import { SecretCache } from "../../server/vault/secret-cache.js";
import { createSecretOpener } from "../../server/vault/secret-opener.js";
import type { Vault } from "../../server/vault/vault.js";
import { BINDING, createTestVault, isFault, sealedCopy } from "./fixtures.js";

const ORIGIN = BINDING.origin;

function providerKey(sealed: SealedSecret, id = BINDING.recordId): ProviderKey {
  return {
    id,
    ownerId: BINDING.ownerId,
    providerId: BINDING.providerId,
    service: null,
    modelAllowlist: [],
    name: "test",
    description: "",
    tier: "PRIMARY",
    weight: 1,
    visibility: BINDING.visibility,
    anonymous: false,
    enabled: true,
    sealed,
    fingerprint: "",
    preview: "",
    quota: null,
    quotaGroup: null,
    expiresAt: null,
    health: NEW_KEY_HEALTH,
    secretAt: 0,
    createdAt: 0,
    updatedAt: 0,
    version: 1,
  };
}

async function setUp(t: Parameters<typeof createTestVault>[0], entriesMax?: number) {
  const made = await createTestVault(t);
  const options = { sodium: made.sodium, random: systemRandom };
  const cache = new SecretCache(entriesMax === undefined ? options : { ...options, entriesMax });
  const opener = createSecretOpener(made.vault, cache);
  return { ...made, cache, opener };
}

test("the vault and its opener are what the use cases and the gateway ask for", async (t) => {
  const { vault, opener } = await setUp(t);
  const keysVault: KeysVault = vault;
  const secretOpener: SecretOpener = opener;
  assert.equal(keysVault.state, "UNLOCKED");
  assert.equal(typeof secretOpener.open, "function");
});

test("a hit gives the same secret without a promise", async (t) => {
  const { vault, opener, cache } = await setUp(t);
  const key = providerKey(await vault.seal(new Secret("sk-cached-ключ"), BINDING));
  for (let round = 0; round < 3; round++) {
    assert.equal(opener.open(key, ORIGIN).reveal(), "sk-cached-ключ");
  }
  assert.equal(cache.size, 1);
  // Another snapshot of the same row is the same row.
  assert.equal(opener.open(providerKey(sealedCopy(key.sealed)), ORIGIN).reveal(), "sk-cached-ключ");
});

test("a cached secret never goes to another origin, owner, provider or visibility", async (t) => {
  const { vault, opener } = await setUp(t);
  const key = providerKey(await vault.seal(new Secret("sk-cached"), BINDING));
  opener.open(key, ORIGIN);
  const unreadable = isFault("secret_unreadable");
  assert.throws(() => opener.open(key, "https://evil.example"), unreadable);
  assert.throws(() => opener.open({ ...key, ownerId: "usr_02" }, ORIGIN), unreadable);
  assert.throws(() => opener.open({ ...key, providerId: "prv_02" }, ORIGIN), unreadable);
  assert.throws(() => opener.open({ ...key, visibility: "PUBLIC" }, ORIGIN), unreadable);
  const { ciphertext, rowMac, vaultKeyVersion } = key.sealed;
  for (const change of [
    { rowMac: rowMac.map((byte) => byte ^ 1) },
    { ciphertext: ciphertext.map((byte) => byte ^ 1) },
    { vaultKeyVersion: vaultKeyVersion + 1 },
  ]) {
    const forged = { ...key.sealed, ...change };
    assert.throws(() => opener.open({ ...key, sealed: forged }, ORIGIN), unreadable);
  }
  assert.equal(opener.open(key, ORIGIN).reveal(), "sk-cached");
});

test("a secret that no call holds any more comes out of the cache as it went in", async (t) => {
  const { vault, opener, sodium } = await setUp(t);
  const key = providerKey(await vault.seal(new Secret("sk-cached-ключ"), BINDING));
  const opened = countOpens(vault);
  const decrypt = t.mock.method(sodium, "decrypt");
  opener.open(key, ORIGIN);
  // A weak reference is kept to the end of the turn.
  await new Promise(setImmediate);
  collectGarbage();
  assert.equal(opener.open(key, ORIGIN).reveal(), "sk-cached-ключ");
  assert.deepEqual([opened.count, decrypt.mock.callCount()], [1, 1]);
});

test("the key of what was cached is gone with a lock, and what comes later is under another", async (t) => {
  const { vault, opener, sodium } = await setUp(t);
  const key = providerKey(await vault.seal(new Secret("sk-cached"), BINDING));
  const encrypt = t.mock.method(sodium, "encrypt");
  opener.open(key, ORIGIN);
  const { key: first } = encrypt.mock.calls.at(-1)!.arguments[1];
  const before = Uint8Array.from(first);
  vault.lock();
  assert.ok(first.every((byte) => byte === 0));
  await vault.unlock();
  opener.open(key, ORIGIN);
  const { key: second } = encrypt.mock.calls.at(-1)!.arguments[1];
  assert.notDeepEqual(Uint8Array.from(second), before);
  assert.ok(second.some((byte) => byte !== 0));
});

test("a rotated secret is given at once", async (t) => {
  const { vault, opener } = await setUp(t);
  opener.open(providerKey(await vault.seal(new Secret("sk-old"), BINDING)), ORIGIN);
  const fresh = providerKey(await vault.seal(new Secret("sk-new"), BINDING));
  assert.equal(opener.open(fresh, ORIGIN).reveal(), "sk-new");
});

test("a lock empties the cache and closes it, an unlock opens it again", async (t) => {
  const { vault, opener, cache } = await setUp(t);
  const key = providerKey(await vault.seal(new Secret("sk-cached"), BINDING));
  opener.open(key, ORIGIN);
  vault.lock();
  assert.equal(cache.size, 0);
  assert.throws(() => opener.open(key, ORIGIN), isFault("vault_locked"));
  await vault.unlock();
  assert.equal(opener.open(key, ORIGIN).reveal(), "sk-cached");
  opener.purge(key.id);
  assert.equal(cache.size, 0);
  opener.open(key, ORIGIN);
  opener.close();
  assert.equal(cache.size, 0);
});

test("the cache is bounded and drops what was not used for longest", async (t) => {
  const { vault, opener, cache } = await setUp(t, 3);
  const keys: ProviderKey[] = [];
  for (let index = 0; index < 4; index++) {
    const binding = { ...BINDING, recordId: `pk_${index}` };
    keys.push(providerKey(await vault.seal(new Secret(`sk-${index}`), binding), `pk_${index}`));
  }
  const opened = countOpens(vault);
  for (const at of [0, 1, 2, 0, 3]) opener.open(keys[at]!, ORIGIN);
  assert.equal(cache.size, 3);
  assert.equal(opened.count, 4);
  // Row 1 made room for row 3; row 0 was used since.
  opener.open(keys[0]!, ORIGIN);
  assert.equal(opened.count, 4);
  opener.open(keys[1]!, ORIGIN);
  assert.equal(opened.count, 5);
});

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

function countOpens(vault: Vault): { count: number } {
  const counter = { count: 0 };
  const original = vault.openNow.bind(vault);
  vault.openNow = (sealed, binding) => {
    counter.count++;
    return original(sealed, binding);
  };
  return counter;
}

test("a printed cache shows no secret, and its entries are ciphertext", async (t) => {
  const { vault, opener, cache } = await setUp(t);
  opener.open(providerKey(await vault.seal(new Secret("sk-cached"), BINDING)), ORIGIN);
  const printed = inspect(cache, { depth: 9, showHidden: true }) + JSON.stringify(cache);
  assert.ok(!printed.includes("sk-cached"));
});
