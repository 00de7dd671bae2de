import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { ProviderKey_Eligibility } from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import {
  RotationProgress_State,
  RootKeySource,
  VaultStatus_State,
} from "../../proto/gen/latchkey/v1/system_pb.js";
import { ApiError } from "../../tui/api/api-error.js";
import { replyJson, CHAT_REPLY } from "../support/upstream-stub.js";
import { alter } from "./alter.js";
import {
  addClientKey,
  addProvider,
  addProviderKey,
  all,
  chat,
  dataFolder,
  serve,
  until,
  upstream,
} from "./fixture.js";
import { type RunningServer, serveInside } from "./inside.js";

const PASSPHRASE = "correct horse battery staple";
const OTHER_PASSPHRASE = "an entirely different sentence";

test("a locked vault is unlocked without a passphrase where there is none, and not where there is one", async (t) => {
  const file = await serveInside(t, dataFolder(t));
  await file.api.system.lock({});
  const { vault } = await file.api.system.unlock({});
  assert.equal(vault?.state, VaultStatus_State.UNLOCKED);
  const typed = await serveInside(t, dataFolder(t), "--root-key=passphrase");
  await assert.rejects(typed.api.system.unlock({}), /passphrase: is needed/);
});

test("a passphrase makes the vault, locks every start, and unlocking serves what was enrolled meanwhile", async (t) => {
  const folder = dataFolder(t);
  const stub = await upstream(t);
  let server = await serveInside(t, folder, "--root-key=passphrase");
  assert.equal(
    (await server.api.system.getStatus({})).vault?.state,
    VaultStatus_State.UNINITIALISED,
  );
  const made = await server.api.system.unlock({ passphrase: PASSPHRASE });
  assert.equal(made.vault?.state, VaultStatus_State.UNLOCKED);
  const { providerId } = await addProvider(server.api, stub);
  const clientKey = await addClientKey(server.api);
  assert.equal((await chat(server.proxyUrl, clientKey)).status, 200);
  assert.equal(await server.stop(), 0);

  server = await serveInside(t, folder, "--root-key=passphrase");
  const status = await server.api.system.getStatus({});
  assert.equal(status.vault?.state, VaultStatus_State.LOCKED);
  assert.equal(status.warnings[0]?.code, "vault_locked");
  const control = status.listeners.find(({ tls, address }) => !tls && address.includes(":"));
  assert.ok(control);
  assert.equal(await readyz(status.listeners[1]!.address), 503);
  const refused = await chat(server.proxyUrl, clientKey);
  assert.equal(refused.status, 503);
  assert.match(await refused.text(), /vault_locked/);
  assert.ok(refused.headers.get("retry-after"));

  const enrolled = await addProviderKey(
    server.api,
    providerId,
    "enrolled",
    "sk-enrolled-while-locked-91",
  );
  await assert.rejects(server.api.system.unlock({ passphrase: "wrong passphrase" }), failed);
  await server.api.system.unlock({ passphrase: PASSPHRASE });
  assert.equal(await readyz(status.listeners[1]!.address), 200);
  assert.equal((await chat(server.proxyUrl, clientKey)).status, 200);
  await until(async () => {
    const { events } = await server.api.audit.listEvents({ filter: "action=provider_key.adopt" });
    return events.some((event) => event.targetId === enrolled);
  });
  await server.api.providerKeys.disableProviderKey({ id: await idOf(server.api, "main") });
  assert.equal((await chat(server.proxyUrl, clientKey)).status, 200);
  assert.equal(stub.received.at(-1)?.secret, "sk-enrolled-while-locked-91");
});

test("Lock refuses the next request and ends running streams in-band", async (t) => {
  const folder = dataFolder(t);
  const stub = await upstream(t);
  const server = await serveInside(t, folder);
  await addProvider(server.api, stub);
  const clientKey = await addClientKey(server.api);
  stub.script = (_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write('data: {"choices":[{"delta":{"content":"Hel"}}]}\n\n');
  };
  const running = await chat(server.proxyUrl, clientKey, true);
  const reader = running.body!.getReader();
  const first = await reader.read();
  assert.match(Buffer.from(first.value).toString(), /Hel/);
  const { vault } = await server.api.system.lock({});
  assert.equal(vault?.state, VaultStatus_State.LOCKED);
  assert.equal((await chat(server.proxyUrl, clientKey)).status, 503);
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    rest += Buffer.from(value).toString();
  }
  assert.match(rest, /vault_locked|vault was locked/);
  assert.doesNotMatch(rest, /\[DONE\]/);
  await stub.aborted(1);
});

test("a rotation of the vault key re-seals every secret while calls go on", async (t) => {
  const folder = dataFolder(t);
  const stub = await upstream(t);
  const server = await serveInside(t, folder);
  const { providerId } = await addProvider(server.api, stub);
  const clientKey = await addClientKey(server.api);
  for (let i = 0; i < 40; i++) {
    await addProviderKey(server.api, providerId, `more-${i}`, `sk-rotation-test-secret-${i}`);
  }
  const calls = Promise.all([...Array(20)].map(() => chat(server.proxyUrl, clientKey)));
  const messages = await all(server.api.system.rotateVaultKey({}));
  const last = messages.at(-1)?.progress;
  assert.equal(last?.state, RotationProgress_State.DONE);
  assert.deepEqual([last.toVersion, last.done, last.total, last.skipped], [2, 41n, 41n, 0n]);
  assert.deepEqual(new Set((await calls).map(({ status }) => status)), new Set([200]));
  const { vault } = await server.api.system.getStatus({});
  assert.deepEqual(
    vault?.vaultKeys.map(({ version, current, sealedCount }) => [version, current, sealedCount]),
    [
      [2, true, 41n],
      [1, false, 0n],
    ],
  );
  assert.ok((await server.api.audit.verifyChain({})).intact);
});

test("the root key moves to a new file, then to a passphrase, and each next start finds it", async (t) => {
  const folder = dataFolder(t);
  const stub = await upstream(t);
  const killed = await serve(t, folder);
  let server: RunningServer = killed;
  await addProvider(server.api, stub);
  const clientKey = await addClientKey(server.api);
  const before = readFileSync(path.join(folder, "root.key"), "utf8");
  const [, done] = await all(server.api.system.rotateRootKey({}));
  assert.equal(done?.progress?.state, RotationProgress_State.DONE);
  assert.equal(done.progress.toVersion, 2);
  assert.notEqual(readFileSync(path.join(folder, "root.key"), "utf8"), before);
  await killed.kill();
  server = await serveInside(t, folder);
  assert.equal((await chat(server.proxyUrl, clientKey)).status, 200);

  const moved = await all(
    server.api.system.rotateRootKey({
      source: RootKeySource.PASSPHRASE,
      newPassphrase: PASSPHRASE,
    }),
  );
  assert.match(moved.at(-1)!.progress!.message, /--root-key passphrase/);
  await server.stop();
  await assert.rejects(serveInside(t, folder), /start the server with --root-key passphrase/);
  server = await serveInside(t, folder, "--root-key=passphrase");
  await server.api.system.unlock({ passphrase: PASSPHRASE });
  assert.equal((await chat(server.proxyUrl, clientKey)).status, 200);

  await assert.rejects(
    all(
      server.api.system.rotateRootKey({
        currentPassphrase: "not the present one",
        newPassphrase: OTHER_PASSPHRASE,
      }),
    ),
    failed,
  );
  await all(
    server.api.system.rotateRootKey({
      currentPassphrase: PASSPHRASE,
      newPassphrase: OTHER_PASSPHRASE,
    }),
  );
  await server.api.system.lock({});
  await assert.rejects(server.api.system.unlock({ passphrase: PASSPHRASE }), failed);
  await server.api.system.unlock({ passphrase: OTHER_PASSPHRASE });
  assert.equal((await chat(server.proxyUrl, clientKey)).status, 200);
  const { vault } = await server.api.system.getStatus({});
  assert.equal(vault?.rootKeyVersion, 4);
});

test("a root key from another source must be set up first, and is found at the next start", async (t) => {
  const folder = dataFolder(t);
  let server = await serveInside(t, folder);
  await assert.rejects(
    all(server.api.system.rotateRootKey({ source: RootKeySource.ENVIRONMENT })),
    (error: unknown) => error instanceof ApiError && /--next-root-key/.test(error.message),
  );
  await server.stop();
  process.env["LATCHKEY_TEST_NEXT_KEY"] = randomBytes(32).toString("hex");
  t.after(() => delete process.env["LATCHKEY_TEST_NEXT_KEY"]);
  const next = "--next-root-key=env:LATCHKEY_TEST_NEXT_KEY";
  server = await serveInside(t, folder, next);
  await all(server.api.system.rotateRootKey({ source: RootKeySource.ENVIRONMENT }));
  await server.stop();
  server = await serveInside(t, folder, next);
  assert.equal((await server.api.system.getStatus({})).vault?.state, VaultStatus_State.UNLOCKED);
});

test("a secret that was altered in the database is counted, shown and audited, and never sent", async (t) => {
  const folder = dataFolder(t);
  const stub = await upstream(t);
  stub.script = replyJson(200, CHAT_REPLY);
  let server = await serveInside(t, folder);
  await addProvider(server.api, stub);
  const clientKey = await addClientKey(server.api);
  await server.stop();

  await alter(folder, "UPDATE provider_keys SET visibility = 'PUBLIC'");
  server = await serveInside(t, folder);
  await until(async () => {
    const { vault } = await server.api.system.getStatus({});
    return vault?.quarantinedCount === 1;
  });
  const { warnings } = await server.api.system.getStatus({});
  assert.equal(warnings[0]?.code, "secrets_quarantined");
  const { providerKeys } = await server.api.providerKeys.listProviderKeys({});
  assert.equal(providerKeys[0]?.eligibility, ProviderKey_Eligibility.QUARANTINED);
  assert.match(providerKeys[0].secretProblem, /changed outside Latchkey; .*enter the secret again/);
  const { events } = await server.api.audit.listEvents({ filter: "action=vault.refuse" });
  assert.equal(events.length, 1);
  assert.match(events[0]!.reason, /ROW_ALTERED/);
  assert.equal((await chat(server.proxyUrl, clientKey)).status, 503);
  assert.equal(stub.received.length, 0);
  const secret = "sk-upstream-entered-again-77";
  const { id } = providerKeys[0];
  const { providerKey } = await server.api.providerKeys.rotateProviderKey({ id, secret });
  assert.equal(providerKey?.eligibility, ProviderKey_Eligibility.ELIGIBLE);
  assert.equal(providerKey.secretProblem, "");
  assert.equal((await chat(server.proxyUrl, clientKey)).status, 200);
});

async function readyz(address: string): Promise<number> {
  return (await fetch(`http://${address}/readyz`)).status;
}

async function idOf(api: RunningServer["api"], name: string): Promise<string> {
  const { providerKeys } = await api.providerKeys.listProviderKeys({});
  return providerKeys.find((key) => key.name === name)!.id;
}

function failed(error: unknown): boolean {
  return error instanceof ApiError && error.code === "FAILED_PRECONDITION";
}
