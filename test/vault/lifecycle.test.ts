import assert from "node:assert/strict";
import { chmod, readFile, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import test from "node:test";
import { inspect } from "node:util";
import { Secret } from "../../server/core/secret.js";
import { createFileRootKeyProvider } from "../../server/vault/root-key/file.js";
import { createVault } from "../../server/vault/vault.js";
import { BINDING, createTestVault, isFault, MemoryPin, testClock } from "./fixtures.js";

const SECRET = "sk-proj-0123456789abcdefghijklmnopqrstuvwxyz";

test("the first start makes a root key file that only the server's user can read", async (t) => {
  const { vault, folder } = await createTestVault(t);
  assert.equal(vault.state, "UNLOCKED");
  const { mode } = await stat(path.join(folder, "root.key"));
  assert.equal(mode & 0o777, 0o600);
  await assert.rejects(stat(path.join(folder, "root.key.next")), { code: "ENOENT" });
});

test("a sealed secret opens after a restart", async (t) => {
  const { vault, restart } = await createTestVault(t);
  const sealed = await vault.seal(new Secret(SECRET), BINDING);
  const again = await restart();
  assert.equal((await again.open(sealed, BINDING)).reveal(), SECRET);
  assert.equal(vault.fingerprint(new Secret(SECRET)), again.fingerprint(new Secret(SECRET)));
  assert.deepEqual(vault.clientKeyMac("k"), again.clientKeyMac("k"));
  assert.equal(vault.auditMac("00"), again.auditMac("00"));
});

test("a root key file that others can read is refused with the command that mends it", async (t) => {
  const { folder, restart } = await createTestVault(t);
  const file = path.join(folder, "root.key");
  for (const mode of [0o640, 0o604, 0o620, 0o644, 0o601]) {
    await chmod(file, mode);
    await assert.rejects(restart(), (thrown: { code: string; publicMessage: string }) => {
      assert.equal(thrown.code, "root_key_exposed");
      assert.ok(thrown.publicMessage.includes(`chmod 600 ${file}`));
      return true;
    });
  }
  await chmod(file, 0o600);
  assert.equal((await restart()).state, "UNLOCKED");
});

test("another root key is refused with one clear sentence, and harms nothing", async (t) => {
  const { folder, restart, store } = await createTestVault(t);
  const file = path.join(folder, "root.key");
  const right = await readFile(file);
  const before = structuredClone(store.keys);
  await writeFile(file, `${"0123456789abcdef".repeat(3)}fedcba9876543210\n`);
  await assert.rejects(restart(), (thrown: { code: string; publicMessage: string }) => {
    assert.equal(thrown.code, "root_key_wrong");
    assert.match(thrown.publicMessage, /put back the root key/);
    assert.ok(thrown.publicMessage.includes(file));
    return true;
  });
  assert.deepEqual(store.keys, before);
  await writeFile(file, right);
  assert.equal((await restart()).state, "UNLOCKED");
});

test("a missing root key file is refused and never made anew over an existing vault", async (t) => {
  const { sodium, random, folder, restart } = await createTestVault(t);
  const elsewhere = path.join(folder, "elsewhere.key");
  const provider = createFileRootKeyProvider({ sodium, random, path: elsewhere });
  await assert.rejects(restart(provider), isFault("root_key_wrong"));
  await assert.rejects(stat(elsewhere), { code: "ENOENT" });
});

test("a root key that is there before the first start is used, not replaced", async (t) => {
  const { sodium, random, folder, logger, store } = await createTestVault(t);
  const file = path.join(folder, "root.key");
  const before = await readFile(file, "utf8");
  store.keys = [];
  const rootKey = createFileRootKeyProvider({ sodium, random, path: file });
  const pin = new MemoryPin();
  const vault = await createVault({ store, pin, random, logger, rootKey, clock: testClock });
  assert.equal(vault.state, "UNINITIALISED");
  await vault.start();
  assert.equal(vault.state, "UNLOCKED");
  assert.equal(await readFile(file, "utf8"), before);
});

test("placeholders and wrong sizes in the root key file are refused", async (t) => {
  const { folder, restart } = await createTestVault(t);
  const file = path.join(folder, "root.key");
  const bad = [
    "",
    "changeme",
    "changeme".repeat(4),
    "a".repeat(64),
    "0".repeat(64),
    "x".repeat(64),
    "f".repeat(63),
    "admin123".repeat(4),
    "0123456789abcdef".repeat(5),
    Buffer.from("changemechangemechangemechangeme").toString("hex"),
    Buffer.from("p".repeat(32)).toString("base64"),
    Array.from({ length: 32 }, (_, index) => (index + 16).toString(16)).join(""),
  ];
  for (const text of bad) {
    await writeFile(file, text);
    await assert.rejects(restart(), isFault("config_invalid"), `accepted ${JSON.stringify(text)}`);
  }
});

test("locked: opening, hashing and authenticating fail, sealing goes on", async (t) => {
  const { vault } = await createTestVault(t);
  const sealed = await vault.seal(new Secret(SECRET), BINDING);
  vault.lock();
  assert.equal(vault.state, "LOCKED");
  await assert.rejects(vault.open(sealed, BINDING), isFault("vault_locked"));
  await assert.rejects(vault.rebind(sealed, BINDING, BINDING), isFault("vault_locked"));
  for (const call of [
    () => vault.fingerprint(new Secret(SECRET)),
    () => vault.clientKeyMac("k"),
    () => vault.clientKeyMacs("k"),
    () => vault.auditMac("00"),
    () => vault.documentMac("{}"),
    () => vault.reseal(sealed, BINDING),
  ]) {
    assert.throws(call, isFault("vault_locked"));
  }
  const enrolled = await vault.seal(new Secret(SECRET), BINDING);
  assert.equal(vault.isProvisional(enrolled), true);
  await vault.unlock();
  assert.equal((await vault.open(enrolled, BINDING)).reveal(), SECRET);
  const adopted = await vault.adopt(enrolled, BINDING);
  assert.equal(vault.isProvisional(adopted.sealed), false);
  assert.equal(adopted.fingerprint, vault.fingerprint(new Secret(SECRET)));
  assert.equal((await vault.open(adopted.sealed, BINDING)).reveal(), SECRET);
});

test("a secret entered while locked is refused after a restart until someone confirms it", async (t) => {
  const { vault, restart } = await createTestVault(t);
  vault.lock();
  const enrolled = await vault.seal(new Secret(SECRET), BINDING);
  const again = await restart();
  await assert.rejects(again.open(enrolled, BINDING), isFault("secret_unreadable"));
  await assert.rejects(again.adopt(enrolled, BINDING), isFault("secret_unreadable"));
  const { sealed } = await again.adopt(enrolled, BINDING, true);
  assert.equal((await again.open(sealed, BINDING)).reveal(), SECRET);
});

test("confirming cannot launder a row that was altered", async (t) => {
  const { vault } = await createTestVault(t);
  const sealed = await vault.seal(new Secret(SECRET), BINDING);
  const moved = { ...BINDING, origin: "https://evil.example" };
  await assert.rejects(vault.adopt(sealed, moved, true), isFault("secret_unreadable"));
  const stripped = { ...sealed, rowMac: new Uint8Array(0) };
  await assert.rejects(vault.open(stripped, BINDING), isFault("secret_unreadable"));
  await assert.rejects(vault.adopt(stripped, moved, true), isFault("secret_unreadable"));
});

test("locking while unlocking leaves the vault locked", async (t) => {
  const { vault } = await createTestVault(t);
  vault.lock();
  const unlocking = vault.unlock();
  vault.lock();
  await assert.rejects(unlocking, isFault("vault_locked"));
  assert.equal(vault.state, "LOCKED");
  await vault.unlock();
  assert.equal(vault.state, "UNLOCKED");
});

test("a locked start seals only to a public key that an unlock proved", async (t) => {
  const { vault, store, pin, random, logger, sodium, rootKey } = await createTestVault(t);
  vault.lock();
  const options = { store, random, logger, rootKey, clock: testClock };
  const trusted = await createVault({ ...options, pin });
  assert.equal(trusted.state, "LOCKED");
  const sealed = await trusted.seal(new Secret(SECRET), BINDING);
  await trusted.unlock();
  assert.equal((await trusted.open(sealed, BINDING)).reveal(), SECRET);

  const unpinned = await createVault({ ...options, pin: new MemoryPin() });
  await assert.rejects(unpinned.seal(new Secret(SECRET), BINDING), isFault("vault_locked"));

  const theirs = sodium.keyPair(random.bytes(32)).publicKey;
  store.keys = store.keys.map((key) =>
    key.purpose === "VAULT_KEY_PAIR" ? { ...key, publicKey: theirs } : key,
  );
  const substituted = await createVault({ ...options, pin });
  await assert.rejects(substituted.seal(new Secret(SECRET), BINDING), isFault("vault_locked"));
  await assert.rejects(substituted.unlock(), isFault("database_corrupt"));
});

test("an altered keyring is refused at unlock, whatever was altered", async (t) => {
  const { store, restart } = await createTestVault(t);
  const good = structuredClone(store.keys);
  const other = good.find((key) => key.purpose === "PEPPER")!;
  for (const [index, key] of good.entries()) {
    const changes = [
      { wrapped: Uint8Array.from([...key.wrapped.slice(0, -1), key.wrapped.at(-1)! ^ 1]) },
      { version: 2 },
      { wrapped: key === other ? good[0]!.wrapped : other.wrapped },
      { wrapped: key.wrapped.slice(0, 2) },
      { wrapped: new Uint8Array(0) },
      { wrapped: Uint8Array.from([9, ...key.wrapped.slice(1)]) },
    ];
    for (const change of changes) {
      store.keys = good.map((each, at) => (at === index ? { ...each, ...change } : each));
      await assert.rejects(restart(), isFault("database_corrupt"));
    }
    store.keys = good.filter((_, at) => at !== index);
    await assert.rejects(restart(), isFault("database_corrupt"));
  }
  store.keys = good;
  assert.equal((await restart()).state, "UNLOCKED");
});

test("initialising over an existing vault is refused", async (t) => {
  const { vault } = await createTestVault(t);
  await assert.rejects(vault.initialise(), isFault("failed_precondition"));
});

test("listeners hear of lock and unlock, and a failing one harms nobody", async (t) => {
  const { vault, logger } = await createTestVault(t);
  const heard: string[] = [];
  vault.onState(() => {
    throw new Error("listener");
  });
  const stop = vault.onState((state) => heard.push(state));
  vault.lock();
  vault.lock();
  await vault.unlock();
  stop();
  vault.lock();
  assert.deepEqual(heard, ["LOCKED", "UNLOCKED"]);
  assert.ok(logger.lines.some((line) => line.level === "error"));
});

test("no secret and no key is in logs, errors, status or a printed vault", async (t) => {
  const { vault, logger, folder, restart, store } = await createTestVault(t);
  const rootKey = (await readFile(path.join(folder, "root.key"), "utf8")).trim();
  const secret = new Secret(SECRET);
  const sealed = await vault.seal(secret, BINDING);
  const thrown = await vault
    .open(sealed, { ...BINDING, ownerId: "usr_02" })
    .catch((error: unknown) => error);
  await writeFile(path.join(folder, "root.key"), "f".repeat(64));
  const refused = await restart().catch((error: unknown) => error);
  assert.ok(thrown instanceof Error && refused instanceof Error);
  const everything = [
    vault,
    vault.status(),
    logger.lines,
    thrown,
    refused,
    secret,
    sealed,
    store.keys,
  ];
  const printed = everything
    .map((each) => inspect(each, { depth: 10, showHidden: true }) + JSON.stringify(each))
    .join("\n");
  for (const canary of [SECRET, rootKey, Buffer.from(SECRET).toString("base64")]) {
    assert.ok(!printed.includes(canary));
  }
});
