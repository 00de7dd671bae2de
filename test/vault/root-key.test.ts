import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { systemRandom } from "../../server/core/random.js";
import { Secret } from "../../server/core/secret.js";
import { createEnvironmentRootKeyProvider } from "../../server/vault/root-key/environment.js";
import { createFileRootKeyProvider } from "../../server/vault/root-key/file.js";
import { createKmsRootKeyProvider } from "../../server/vault/root-key/kms.js";
import { createPassphraseProvider } from "../../server/vault/root-key/passphrase.js";
import { createSystemdCredentialProvider } from "../../server/vault/root-key/systemd.js";
import { createTransitService, type HttpPostRequest } from "../../server/vault/root-key/transit.js";
import { loadSodium } from "../../server/vault/sodium.js";
import { createVault } from "../../server/vault/vault.js";
import {
  BINDING,
  createTestLogger,
  createTestVault,
  isFault,
  MemoryKeyringStore,
  MemoryPin,
  temporaryFolder,
  testClock,
} from "./fixtures.js";
import { startTransitStandIn, testHttpPost } from "./transit-stand-in.js";

const sodium = await loadSodium();
const tools = { sodium, random: systemRandom };
const PASSPHRASE = new Secret("correct horse battery staple");

function freshVault(rootKey: Parameters<typeof createVault>[0]["rootKey"]) {
  const store = new MemoryKeyringStore();
  const logger = createTestLogger();
  const options = { store, rootKey, logger, pin: new MemoryPin(), random: systemRandom };
  const make = () => createVault({ ...options, clock: testClock });
  return { store, logger, make };
}

test("passphrase: the server starts locked and only the right passphrase unlocks it", async () => {
  const { make, store } = freshVault(createPassphraseProvider({ ...tools, ln: 14 }));
  const first = await make();
  await first.start();
  assert.equal(first.state, "UNINITIALISED");
  await assert.rejects(first.initialise(), isFault("invalid_argument"));
  await assert.rejects(first.initialise(new Secret("short")), isFault("invalid_argument"));
  await first.initialise(PASSPHRASE);
  const sealed = await first.seal(new Secret("sk-1"), BINDING);

  const again = await make();
  await again.start();
  assert.equal(again.state, "LOCKED");
  await assert.rejects(again.open(sealed, BINDING), isFault("vault_locked"));
  await assert.rejects(again.unlock(), isFault("invalid_argument"));
  for (const wrong of ["Correct horse battery staple", "x", "x".repeat(5000)]) {
    const code = wrong.length > 4096 ? "invalid_argument" : "root_key_wrong";
    await assert.rejects(again.unlock(new Secret(wrong)), isFault(code));
    assert.equal(again.state, "LOCKED");
  }
  await again.unlock(PASSPHRASE);
  assert.equal((await again.open(sealed, BINDING)).reveal(), "sk-1");
  const text = JSON.stringify(store.keys) + JSON.stringify(again.status());
  assert.ok(!text.includes("horse"));
});

test("passphrase: the default cost is 2^17, and an absurd stored cost is refused, not run", async () => {
  const { make, store } = freshVault(createPassphraseProvider(tools));
  const vault = await make();
  await vault.initialise(PASSPHRASE);
  assert.equal(store.keys[0]!.wrapped[4], 17);
  for (const [at, value] of [
    [4, 30],
    [4, 1],
    [5, 200],
    [6, 200],
  ] as const) {
    const good = store.keys;
    store.keys = good.map((key) => ({ ...key, wrapped: key.wrapped.with(at, value) }));
    const again = await make();
    await assert.rejects(again.unlock(PASSPHRASE), isFault("root_key_wrong"));
    store.keys = good;
  }
});

test("systemd credential: opened from the credentials folder, refused when world-readable or missing", async (t) => {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, "latchkey-root-key");
  const provider = createSystemdCredentialProvider({ ...tools, folder, name: "latchkey-root-key" });
  const { make } = freshVault(provider);
  await assert.rejects((await make()).start(), isFault("config_invalid"));
  await writeFile(file, Buffer.from(systemRandom.bytes(32)), { mode: 0o440 });
  await (await make()).start();
  const again = await make();
  await again.start();
  assert.equal(again.state, "UNLOCKED");
  await chmod(file, 0o444);
  await assert.rejects((await make()).start(), isFault("root_key_exposed"));

  const outside = createSystemdCredentialProvider({ ...tools, folder: undefined, name: "x" });
  await assert.rejects(outside.create("FIRST_START", undefined), isFault("config_invalid"));
  const escaping = createSystemdCredentialProvider({ ...tools, folder, name: "../secret" });
  await assert.rejects(escaping.create("FIRST_START", undefined), isFault("config_invalid"));
});

test("environment: works with a warning, refuses placeholders", async () => {
  const logger = createTestLogger();
  const variable = "LATCHKEY_ROOT_KEY";
  const provider = (text: string | undefined) =>
    createEnvironmentRootKeyProvider({
      ...tools,
      logger,
      variable,
      value: text === undefined ? undefined : new Secret(text),
    });
  const hex = Buffer.from(systemRandom.bytes(32)).toString("hex");
  const { make } = freshVault(provider(hex));
  await (await make()).start();
  assert.ok(logger.lines.some((line) => line.level === "warn" && /development/.test(line.message)));
  assert.ok(!JSON.stringify(logger.lines).includes(hex));
  const placeholders = [
    undefined,
    "",
    "changeme",
    "changeme".repeat(4),
    "0".repeat(64),
    "ab".repeat(32),
  ];
  for (const text of placeholders) {
    const refused = provider(text).create("FIRST_START", undefined);
    await assert.rejects(refused, (thrown: { code: string; publicMessage: string }) => {
      assert.equal(thrown.code, "config_invalid");
      assert.ok(thrown.publicMessage.includes(variable));
      return true;
    });
  }
});

test("a vault opened with another kind of root key says so", async (t) => {
  const { folder, restart } = await createTestVault(t);
  const hex = new Secret(Buffer.from(systemRandom.bytes(32)).toString("hex"));
  const environment = createEnvironmentRootKeyProvider({
    ...tools,
    logger: createTestLogger(),
    variable: "LATCHKEY_ROOT_KEY",
    value: hex,
  });
  await assert.rejects(restart(environment), isFault("root_key_wrong"));
  const tokenFile = path.join(folder, "token");
  const service = createTransitService(transitOptions("http://127.0.0.1:9", tokenFile));
  await assert.rejects(
    restart(createKmsRootKeyProvider({ ...tools, service })),
    isFault("root_key_wrong"),
  );
  const opened = createPassphraseProvider(tools).open(
    { id: "rk_0", header: new Uint8Array(0) },
    PASSPHRASE,
  );
  await assert.rejects(opened, isFault("root_key_wrong"));
});

function transitOptions(address: string, tokenFile: string, keyName = "latchkey") {
  return {
    address,
    tokenFile,
    keyName,
    mount: "transit",
    namespace: undefined,
    httpPost: testHttpPost,
  };
}

async function transitVault(t: TestContext) {
  const standIn = await startTransitStandIn(t, ["latchkey", "other"]);
  const tokenFile = path.join(await temporaryFolder(t), "token");
  await writeFile(tokenFile, `${standIn.token}\n`);
  const service = createTransitService(transitOptions(standIn.address, tokenFile));
  const fresh = freshVault(createKmsRootKeyProvider({ ...tools, service }));
  return { ...fresh, standIn, tokenFile };
}

test("transit: one request makes the vault and one unlocks it, also after the service rotated its key", async (t) => {
  const { make, standIn, store } = await transitVault(t);
  const vault = await make();
  await vault.start();
  const sealed = await vault.seal(new Secret("sk-1"), BINDING);
  standIn.rotate("latchkey");
  const again = await make();
  await again.start();
  assert.equal((await again.open(sealed, BINDING)).reveal(), "sk-1");
  assert.deepEqual(standIn.log, [
    "POST /v1/transit/encrypt/latchkey 200",
    "POST /v1/transit/decrypt/latchkey 200",
  ]);
  assert.ok(Buffer.from(store.keys[0]!.wrapped).includes("vault:v1:"));
});

test("transit: another key, a refused token, a missing key and a sealed service are told apart", async (t) => {
  const { make, standIn, tokenFile, store } = await transitVault(t);
  await (await make()).start();
  const wrongKey = createTransitService(transitOptions(standIn.address, tokenFile, "other"));
  const header = store.keys[0]!.wrapped;
  const expected = { id: "rk", header: header.subarray(3, 3 + header[1]! * 256 + header[2]!) };
  const open = (service: typeof wrongKey) =>
    createKmsRootKeyProvider({ ...tools, service }).open(expected, undefined);
  await assert.rejects(open(wrongKey), isFault("root_key_wrong"));
  const missing = createTransitService(transitOptions(standIn.address, tokenFile, "missing"));
  await assert.rejects(open(missing), isFault("root_key_wrong"));
  await assert.rejects(missing.encrypt(Buffer.from("x")), isFault("config_invalid"));
  const mount = { ...transitOptions(standIn.address, tokenFile), mount: "elsewhere" };
  await assert.rejects(open(createTransitService(mount)), isFault("config_invalid"));
  const nowhere = createTransitService(transitOptions("http://127.0.0.1:9", tokenFile));
  await assert.rejects(open(nowhere), isFault("upstream_unreachable"));
  standIn.failure = { status: 503, body: '{"errors":["Vault is sealed"]}' };
  await assert.rejects((await make()).start(), isFault("upstream_unreachable"));
  standIn.failure = { status: 200, body: '{"data":{}}' };
  await assert.rejects((await make()).start(), isFault("upstream_unreachable"));
  standIn.failure = undefined;
  standIn.token = "s.another";
  await assert.rejects((await make()).start(), isFault("config_invalid"));
  await writeFile(tokenFile, "two words\n");
  await assert.rejects((await make()).start(), isFault("config_invalid"));
  await writeFile(tokenFile, standIn.token);
  const vault = await make();
  await vault.start();
  assert.equal(vault.state, "UNLOCKED");
});

test("transit: what the service or the connection says of a failure is told, and what to do", async (t) => {
  const { make, standIn, tokenFile } = await transitVault(t);
  await (await make()).start();
  const said = async (failing: Promise<unknown>): Promise<string> =>
    failing.then(
      () => "",
      (thrown: { publicMessage: string }) => thrown.publicMessage,
    );
  standIn.failure = { status: 503, body: '{"errors":["Vault is sealed"]}' };
  assert.match(await said((await make()).start()), /answered 503 \(Vault is sealed\)/);
  const old = "ciphertext or signature version is disallowed by policy (too old)";
  standIn.failure = { status: 400, body: JSON.stringify({ errors: [old] }) };
  assert.match(await said((await make()).start()), /too old.*older versions/);
  standIn.failure = { status: 502, body: "<html>\u001b[31m" };
  assert.match(await said((await make()).start()), /answered 502; see/);
  const unknown = Object.assign(new Error("self-signed certificate in certificate chain"), {
    code: "SELF_SIGNED_CERT_IN_CHAIN",
  });
  const service = createTransitService({
    ...transitOptions(standIn.address, tokenFile),
    httpPost: () => Promise.reject(unknown),
  });
  assert.match(
    await said(service.encrypt(Buffer.from("x"))),
    /self-signed certificate in certificate chain\).*NODE_EXTRA_CA_CERTS/,
  );
});

test("transit: the token goes into its header alone, and odd names stay inside the path", async (t) => {
  const tokenFile = path.join(await temporaryFolder(t), "token");
  await writeFile(tokenFile, "s.secret-token");
  const sent: HttpPostRequest[] = [];
  const service = createTransitService({
    ...transitOptions("https://bao.internal:8200/", tokenFile, "../../sys/seal"),
    mount: "team a/transit",
    namespace: "ns1",
    httpPost: (request) => {
      sent.push({ ...request, body: Uint8Array.from(request.body) });
      const body = Buffer.from('{ "data" : { "ciphertext" : "vault:v1:AAAA" } }');
      return Promise.resolve({ status: 200, body });
    },
  });
  const ciphertext = await service.encrypt(Buffer.from("key"));
  assert.equal(Buffer.from(ciphertext).toString(), "vault:v1:AAAA");
  const [request] = sent;
  assert.equal(
    request!.url,
    "https://bao.internal:8200/v1/team%20a/transit/encrypt/..%2F..%2Fsys%2Fseal",
  );
  assert.equal(request!.headers["x-vault-token"], "s.secret-token");
  assert.equal(request!.headers["x-vault-namespace"], "ns1");
  assert.equal(Buffer.from(request!.body).toString(), '{"plaintext":"a2V5"}');
  assert.ok(!service.describe().includes("s.secret-token"));
});

test("the root key moves from a file to a passphrase to transit and back while secrets stay readable", async (t) => {
  const { vault, folder, restart } = await createTestVault(t);
  const sealed = await vault.seal(new Secret("sk-1"), BINDING);
  const passphrase = createPassphraseProvider({ ...tools, ln: 14 });
  await vault.rotateRootKey(passphrase, PASSPHRASE);
  assert.equal(vault.status().rootKeyKind, "PASSPHRASE");
  vault.lock();
  await vault.unlock(PASSPHRASE);

  const standIn = await startTransitStandIn(t, ["latchkey"]);
  const tokenFile = path.join(folder, "token");
  await writeFile(tokenFile, standIn.token);
  const service = createTransitService(transitOptions(standIn.address, tokenFile));
  const transit = createKmsRootKeyProvider({ ...tools, service });
  await vault.rotateRootKey(transit);
  assert.equal((await (await restart(transit)).open(sealed, BINDING)).reveal(), "sk-1");

  const file = createFileRootKeyProvider({ ...tools, path: path.join(folder, "second.key") });
  await vault.rotateRootKey(file);
  assert.equal((await (await restart(file)).open(sealed, BINDING)).reveal(), "sk-1");
});
