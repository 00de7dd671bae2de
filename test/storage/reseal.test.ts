import assert from "node:assert/strict";
import { test } from "node:test";
import type { SealedSecret } from "../../server/core/sealed.js";
import * as make from "./fixture.js";

const sealed = (version: number, byte: number): SealedSecret => ({
  vaultKeyVersion: version,
  ciphertext: Uint8Array.from([byte, 0, 255]),
  rowMac: Uint8Array.from([byte]),
});

/** Three provider keys and two recoverable client keys, all under the first vault key. */
async function filled(t: Parameters<typeof make.opened>[0]) {
  const opened = await make.opened(t);
  await opened.storage.keys.write(async (tx) => {
    await tx.users.insert(make.user("usr_1"));
    await tx.providers.insert(make.provider("prv_1"));
    for (const i of [1, 2, 3]) {
      const part = { sealed: sealed(1, i), fingerprint: `f${i}`, name: `n${i}` };
      await tx.providerKeys.insert(make.providerKey(`pk_${i}`, part));
    }
    for (const i of [1, 2]) {
      await tx.clientKeys.insert(make.clientKey(`ck_${i}`, { sealedCopy: sealed(1, 10 + i) }));
    }
    await tx.clientKeys.insert(make.clientKey("ck_3", { sealedCopy: null }));
  });
  return opened;
}

test("secrets are moved where the row still holds what they came from, in every part of it", async (t) => {
  const { storage } = await filled(t);
  const stale = [
    { ...sealed(1, 2), vaultKeyVersion: 7 },
    { ...sealed(1, 2), ciphertext: Uint8Array.from([2, 0, 254]) },
    { ...sealed(1, 2), rowMac: Uint8Array.from([]) },
  ];
  const before = await storage.keys.read.providerKeys.get("pk_2");
  const moved = await storage.keys.write((tx) =>
    tx.providerKeys.reseal([
      { id: "pk_1", from: sealed(1, 1), to: sealed(2, 101) },
      ...stale.map((from) => ({ id: "pk_2", from, to: sealed(2, 102) })),
      { id: "pk_3", from: sealed(1, 3), to: sealed(2, 103) },
      { id: "pk_gone", from: sealed(1, 4), to: sealed(2, 104) },
    ]),
  );
  assert.deepEqual(moved.map(({ id }) => id).toSorted(), ["pk_1", "pk_3"]);
  for (const key of moved) {
    assert.deepEqual(key, await storage.keys.read.providerKeys.get(key.id));
    assert.deepEqual(
      [key.sealed.vaultKeyVersion, ...key.sealed.ciphertext],
      [2, 100 + Number(key.id.slice(3)), 0, 255],
    );
  }
  assert.deepEqual(await storage.keys.read.providerKeys.get("pk_2"), before);
});

test("sealed copies of client keys are moved too, and no key gets one that had none", async (t) => {
  const { storage } = await filled(t);
  const moved = await storage.keys.write((tx) =>
    tx.clientKeys.reseal([
      { id: "ck_1", from: sealed(1, 11), to: sealed(2, 111) },
      { id: "ck_3", from: sealed(1, 13), to: sealed(2, 113) },
    ]),
  );
  assert.deepEqual(moved, [await storage.keys.read.clientKeys.get("ck_1")]);
  assert.equal(moved[0]?.sealedCopy?.vaultKeyVersion, 2);
  assert.equal((await storage.keys.read.clientKeys.get("ck_3"))?.sealedCopy, null);
  assert.deepEqual(await storage.keys.write((tx) => tx.clientKeys.reseal([])), []);
});

test("all secrets come in chunks, each once, with what they are bound to", async (t) => {
  const { storage } = await filled(t);
  const { read } = storage.keys;
  const providerKeys = [];
  for await (const chunk of read.providerKeys.sealedChunks(2)) providerKeys.push(chunk);
  assert.deepEqual(
    providerKeys.map((chunk) => chunk.map(({ id }) => id)),
    [["pk_1", "pk_2"], ["pk_3"]],
  );
  for (const key of providerKeys.flat()) {
    const { ownerId, providerId, visibility, sealed: secret } = make.providerKey(key.id);
    assert.deepEqual(
      [key.ownerId, key.providerId, key.visibility],
      [ownerId, providerId, visibility],
    );
    assert.deepEqual(key.sealed, (await read.providerKeys.get(key.id))?.sealed);
    assert.equal(secret.vaultKeyVersion, key.sealed.vaultKeyVersion);
  }
  const clientKeys = [];
  for await (const chunk of read.clientKeys.sealedChunks(1)) clientKeys.push(...chunk);
  assert.deepEqual(
    clientKeys,
    await Promise.all(
      ["ck_1", "ck_2"].map(async (id) => {
        const key = await read.clientKeys.get(id);
        return { id, ownerId: key?.ownerId, sealedCopy: key?.sealedCopy };
      }),
    ),
  );
});
