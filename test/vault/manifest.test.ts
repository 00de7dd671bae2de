import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import test, { type TestContext } from "node:test";
import {
  createManifest,
  MANIFEST_NAME,
  readManifest,
  verifyBackup,
} from "../../server/vault/manifest.js";
import { createTestVault, isFault } from "./fixtures.js";

async function backup(t: TestContext) {
  const made = await createTestVault(t);
  const folder = path.join(made.folder, "backup");
  await mkdir(folder);
  await writeFile(path.join(folder, "latchkey.db"), Buffer.alloc(200_000, 7));
  await writeFile(path.join(folder, "journal-1"), "");
  const names = ["latchkey.db", "journal-1"];
  const manifest = await createManifest(made.vault, { folder, names, nowMs: 42 });
  const file = path.join(folder, MANIFEST_NAME);
  await writeFile(file, manifest);
  return { ...made, folder, file, manifest };
}

test("an untouched backup verifies, also after a restart and a key rotation", async (t) => {
  const { vault, folder, restart } = await backup(t);
  const manifest = await verifyBackup(vault, folder);
  assert.deepEqual(
    manifest.files.map(({ name, bytes }) => ({ name, bytes })),
    [
      { name: "journal-1", bytes: 0 },
      { name: "latchkey.db", bytes: 200_000 },
    ],
  );
  await vault.addVersions(["ROW_MAC"]);
  await verifyBackup(await restart(), folder);
  assert.equal((await readManifest(folder)).rootKeyId, vault.status().rootKeyId);
});

test("a changed, cut, missing or added file is named", async (t) => {
  const { vault, folder } = await backup(t);
  const db = path.join(folder, "latchkey.db");
  const good = await readFile(db);
  const bad: readonly (readonly [() => Promise<void>, RegExp])[] = [
    [() => writeFile(db, good.with(100_000, 8)), /latchkey\.db was changed/],
    [() => writeFile(db, good.subarray(1)), /latchkey\.db has 199999 bytes instead of 200000/],
    [() => rm(db), /latchkey\.db is missing/],
    [() => writeFile(path.join(folder, "extra"), "x"), /extra does not belong to it/],
  ];
  for (const [damage, message] of bad) {
    await damage();
    await assert.rejects(
      verifyBackup(vault, folder),
      (thrown: { code: string; message: string }) => {
        assert.equal(thrown.code, "database_corrupt");
        assert.match(thrown.message, message);
        return true;
      },
    );
    await writeFile(db, good);
    await rm(path.join(folder, "extra"), { force: true });
  }
  await verifyBackup(vault, folder);
});

test("every change of the manifest is refused, and so is that of another vault", async (t) => {
  const { vault, folder, file, manifest } = await backup(t);
  const value = JSON.parse(manifest) as { files: { name: string; bytes: number }[]; mac: string };
  const changed = [
    { ...value, createdAt: 43 },
    { ...value, rootKeyId: "rk_other" },
    { ...value, format: 2 },
    { ...value, files: value.files.slice(1) },
    { ...value, files: [...value.files].toReversed() },
    { ...value, files: value.files.map((each) => ({ ...each, bytes: each.bytes + 1 })) },
    { ...value, files: [{ ...value.files[0], name: "../escape" }, value.files[1]] },
    { ...value, mac: "" },
    { ...value, mac: value.mac.replace("v1:", "v2:") },
    null,
    [],
  ];
  for (const each of changed) {
    await writeFile(file, JSON.stringify(each));
    await assert.rejects(verifyBackup(vault, folder), isFault("database_corrupt"));
  }
  await writeFile(file, "{");
  await assert.rejects(verifyBackup(vault, folder), isFault("database_corrupt"));
  await rm(file);
  await assert.rejects(verifyBackup(vault, folder), isFault("not_found"));
  await writeFile(file, manifest);
  const other = await createTestVault(t);
  await assert.rejects(verifyBackup(other.vault, folder), isFault("database_corrupt"));
});

test("what is no manifest is refused before anything of it is used", async (t) => {
  const { folder, file, manifest } = await backup(t);
  const value = JSON.parse(manifest) as { files: object[] };
  const [first, second] = value.files;
  const withFile = (change: object): object => ({
    ...value,
    files: [{ ...first, ...change }, second],
  });
  for (const each of [
    null,
    "text",
    [],
    { ...value, format: 2 },
    { ...value, createdAt: "42" },
    { ...value, rootKeyId: 1 },
    { ...value, mac: undefined },
    { ...value, files: {} },
    { ...value, files: [null] },
    { ...value, files: ["latchkey.db"] },
    withFile({ name: "../escape" }),
    withFile({ name: 1 }),
    withFile({ bytes: "0" }),
    withFile({ sha256: 0 }),
  ]) {
    await writeFile(file, JSON.stringify(each));
    await assert.rejects(readManifest(folder), isFault("database_corrupt"), JSON.stringify(each));
  }
  const room = 1024 * 1024 - manifest.length;
  await writeFile(file, manifest + " ".repeat(room));
  await readManifest(folder);
  await writeFile(file, manifest + " ".repeat(room + 1));
  await assert.rejects(readManifest(folder), isFault("database_corrupt"));
});

test("names that lead out of the folder are refused", async (t) => {
  const { vault, folder } = await backup(t);
  for (const name of ["../root.key", "a/b", "", ".hidden", MANIFEST_NAME, "a\0b"]) {
    const made = createManifest(vault, { folder, names: [name], nowMs: 0 });
    await assert.rejects(made, isFault("invalid_argument"));
  }
});
