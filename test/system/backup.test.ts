import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  closeSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { BackupRequest_Target, type BackupInfo } from "../../proto/gen/latchkey/v1/system_pb.js";
import { readArchive } from "../../server/app/backup-archive.js";
import { alter } from "./alter.js";
import { addClientKey, addProvider, all, chat, dataFolder, run, upstream } from "./fixture.js";
import { type RunningServer, runInside, serveInside } from "./inside.js";

const SECRET = "sk-backup-test-secret-3f9b1c";

test("a backup in the data folder restores to a machine that has only the root key", async (t) => {
  const { folder, server, clientKey } = await running(t);
  const info = await backUp(server);
  const file = path.join(folder, "backups", info.name);
  const bytes = readFileSync(file);
  assert.equal(statSync(file).mode & 0o077, 0);
  assert.equal(BigInt(bytes.length), info.sizeBytes);
  assert.deepEqual(Buffer.from(info.sha256), createHash("sha256").update(bytes).digest());
  assert.equal(info.rowCounts["provider_keys"], 1n);
  assert.deepEqual(info.vaultKeyVersions, [1]);
  assert.ok(!bytes.includes(SECRET) && !bytes.includes(clientKey), "secrets are ciphertext");
  const { lastBackup } = await server.api.system.getStatus({});
  assert.equal(lastBackup?.name, info.name);
  const { events } = await server.api.audit.listEvents({ filter: "action=system.backup" });
  assert.equal(events[0]?.targetName, info.name);
  await server.stop();

  const fresh = path.join(dataFolder(t), "fresh");
  mkdirSync(fresh, { mode: 0o700 });
  const keyless = await run(["restore", file, "--data", fresh]);
  assert.equal(keyless.code, 1);
  assert.match(keyless.err, /root\.key is missing/);
  copyFileSync(path.join(folder, "root.key"), path.join(fresh, "root.key"));
  const restored = await run(["restore", file, "--data", fresh]);
  assert.equal(restored.code, 0, restored.err);
  assert.match(restored.out, /1 of 1 secrets open/);
  const again = await serveInside(t, fresh);
  assert.equal((await chat(again.proxyUrl, clientKey)).status, 200);
  assert.ok((await again.api.audit.verifyChain({})).intact);
});

test("a backup sent to the caller is the same thing and leaves nothing on the server", async (t) => {
  const { folder, server, clientKey } = await running(t);
  const messages = await all(server.api.system.backup({}));
  const chunks = messages.flatMap(({ part }) => (part.case === "chunk" ? [part.value] : []));
  assert.equal(messages[0]?.part.case, "info");
  const last = messages.at(-1)!.part;
  assert.ok(last.case === "info");
  const bytes = Buffer.concat(chunks);
  assert.deepEqual(Buffer.from(last.value.sha256), createHash("sha256").update(bytes).digest());
  assert.deepEqual(
    readdirSync(path.join(folder, "backups")).filter((name) => name.endsWith(".backup")),
    [],
  );
  const file = path.join(dataFolder(t), "sent.backup");
  writeFileSync(file, bytes);

  await server.api.clientKeys.createClientKey({ name: "after the backup" });
  const busy = await runInside(["restore", file, "--data", folder]);
  assert.equal(busy.code, 1);
  assert.match(busy.err, /in use by another Latchkey server/);
  await server.stop();
  const restored = await runInside(["restore", file, "--data", folder]);
  assert.equal(restored.code, 0, restored.err);
  assert.match(restored.out, /What was there before is in .*replaced-/);
  const again = await serveInside(t, folder);
  const { clientKeys } = await again.api.clientKeys.listClientKeys({});
  assert.deepEqual(
    clientKeys.map(({ name }) => name),
    ["app"],
  );
  assert.equal((await chat(again.proxyUrl, clientKey)).status, 200);
});

test("what the command writes to stdout is the backup and nothing else", async (t) => {
  const { folder, server, clientKey } = await running(t);
  const file = path.join(dataFolder(t), "away.backup");
  const out = openSync(file, "w");
  const entry = new URL("../../tui/main.js", import.meta.url).href;
  const script = `import(${JSON.stringify(entry)}).then(({ main }) => main(process.argv.slice(1)))`;
  const words = ["--data", folder, "vault", "backup", "--target", "stream"];
  const args = ["--input-type=module", "-e", script, "--", ...words];
  const child = spawn(process.execPath, args, { stdio: ["ignore", out, "ignore"] });
  const [code] = (await once(child, "close")) as [number | null];
  closeSync(out);
  assert.equal(code, 0);
  await server.stop();
  const restored = await runInside(["restore", file, "--data", folder]);
  assert.equal(restored.code, 0, restored.err);
  const again = await serveInside(t, folder);
  assert.equal((await chat(again.proxyUrl, clientKey)).status, 200);
});

test("after a restore that was cut off no new database is made in place of the old one", async (t) => {
  const { folder, server, clientKey } = await running(t);
  const info = await backUp(server);
  await server.stop();
  const file = path.join(folder, "backups", info.name);
  mkdirSync(path.join(folder, "restoring"));
  renameSync(path.join(folder, "latchkey.db"), path.join(folder, "aside.db"));
  const started = await runInside(["--data", folder, "--proxy-port=0", "--control-port=0"]);
  assert.equal(started.code, 1);
  assert.match(started.err, /restore into the data folder .* was cut off; run it again/);
  assert.ok(!existsSync(path.join(folder, "latchkey.db")));
  assert.equal((await runInside(["restore", file, "--data", folder])).code, 0);
  const again = await serveInside(t, folder);
  assert.equal((await chat(again.proxyUrl, clientKey)).status, 200);
});

test("a backup that was changed is refused before anything is replaced", async (t) => {
  const { folder, server } = await running(t);
  const info = await backUp(server);
  await server.stop();
  const before = readFileSync(path.join(folder, "latchkey.db"));
  const whole = readFileSync(path.join(folder, "backups", info.name));
  const attempt = async (bytes: Uint8Array, why: RegExp): Promise<void> => {
    const file = path.join(folder, "changed.backup");
    writeFileSync(file, bytes);
    const refused = await runInside(["restore", file, "--data", folder]);
    assert.equal(refused.code, 1, refused.out);
    assert.match(refused.err, why);
    assert.deepEqual(readFileSync(path.join(folder, "latchkey.db")), before);
    assert.ok(!existsSync(path.join(folder, "restoring")));
  };
  await attempt(whole.subarray(0, whole.length - 5000), /a part of it is missing/);
  await attempt(Buffer.from("not a backup at all"), /is no backup of Latchkey/);
  const flipped = Buffer.from(whole);
  const at = flipped.indexOf("stub-chat");
  flipped[at] = flipped[at]! ^ 1;
  await attempt(flipped, /latchkey\.db was changed|damaged/);
  const renamed = Buffer.from(whole);
  renamed.write("latchkey.dc", renamed.indexOf("latchkey.db\0"), "latin1");
  await attempt(renamed, /is no backup of Latchkey/);
});

test("a backup with secrets that do not open is refused unless they are accepted by name", async (t) => {
  const { folder, server } = await running(t);
  await server.stop();
  await alter(folder, "UPDATE provider_keys SET visibility = 'PUBLIC'");
  const again = await serveInside(t, folder);
  const info = await backUp(again);
  await again.stop();
  const file = path.join(folder, "backups", info.name);
  const refused = await runInside(["restore", file, "--data", folder]);
  assert.equal(refused.code, 1);
  assert.match(refused.err, /1 of 1 secrets in the backup do not open\. Nothing was changed/);
  assert.match(refused.out, /pk_\w+: .*changed outside Latchkey/);
  const accepted = await runInside(["restore", file, "--data", folder, "--accept-unreadable"]);
  assert.equal(accepted.code, 0, accepted.err);
});

test("a backup without usage leaves the call log out; a folder with its parts restores too", async (t) => {
  const { folder, server, clientKey } = await running(t);
  const stub = await chat(server.proxyUrl, clientKey);
  assert.equal(stub.status, 200);
  const info = await backUp(server, { withoutUsage: true });
  assert.equal(info.rowCounts["calls"], 0n);
  assert.equal(info.rowCounts["client_keys"], 1n);
  await server.stop();
  const parts = dataFolder(t);
  await readArchive(path.join(folder, "backups", info.name), parts);
  const restored = await runInside(["restore", parts, "--data", folder]);
  assert.equal(restored.code, 0, restored.err);
  const again = await serveInside(t, folder);
  assert.equal((await chat(again.proxyUrl, clientKey)).status, 200);
});

test("a vault under a passphrase is restored with the passphrase", async (t) => {
  const folder = dataFolder(t);
  const flag = "--root-key=passphrase";
  const passphrase = "correct horse battery staple";
  const server = await serveInside(t, folder, flag);
  await server.api.system.unlock({ passphrase });
  const info = await backUp(server);
  await server.stop();
  const kept = dataFolder(t);
  cpSync(path.join(folder, "backups"), kept, { recursive: true });
  const file = path.join(kept, info.name);
  const wrong = await run(["restore", file, "--data", folder, flag], { input: "no\n" });
  assert.equal(wrong.code, 1);
  assert.match(wrong.err, /passphrase is wrong/);
  const right = await run(["restore", file, "--data", folder, flag], {
    input: `${passphrase}\n`,
  });
  assert.equal(right.code, 0, right.err);
});

async function running(t: TestContext) {
  const folder = dataFolder(t);
  const stub = await upstream(t);
  const server = await serveInside(t, folder);
  await addProvider(server.api, stub, SECRET);
  return { folder, server, clientKey: await addClientKey(server.api) };
}

async function backUp(
  { api }: RunningServer,
  options: { readonly withoutUsage?: boolean } = {},
): Promise<BackupInfo> {
  const target = BackupRequest_Target.DATA_FOLDER;
  const messages = await all(api.system.backup({ target, ...options }));
  const last = messages.at(-1)!.part;
  assert.ok(last.case === "info" && last.value.sizeBytes > 0n);
  return last.value;
}

const ROOT = process.getuid?.() === 0 ? "root may read every file" : false;

test(
  "a backup that another user owns is told as such, and leaves the folder as it is",
  { skip: ROOT },
  async (t) => {
    const folder = dataFolder(t);
    const backup = path.join(dataFolder(t), "latchkey.backup");
    writeFileSync(backup, "", { mode: 0o000 });
    const ended = await run(["restore", backup, "--data", folder]);
    assert.equal(ended.code, 1);
    assert.match(
      ended.err,
      /^latchkey: The backup .* cannot be read \(permission denied\); .*chown/,
    );
    assert.doesNotMatch(ended.err, /\n\s+at /, "no stack trace");
    assert.deepEqual(readdirSync(folder), []);
  },
);
