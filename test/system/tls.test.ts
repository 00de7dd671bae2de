import assert from "node:assert/strict";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import path from "node:path";
import { test } from "node:test";
import tls from "node:tls";
import { TlsSource } from "../../server/app/tls-source.js";
import { Listener_Kind } from "../../proto/gen/latchkey/v1/system_pb.js";
import type { TlsFiles } from "../../server/core/tls.js";
import { FakeLogger } from "../gateway/fixture.js";
import { makePair, writePair } from "../support/certificate.js";
import { FakeClock } from "../support/fake-clock.js";
import {
  addClientKey,
  addProvider,
  dataFolder,
  flags,
  run,
  until,
  upstream,
  type Ended,
  serve,
} from "./fixture.js";
import { type RunningServer, runInside, serveInside } from "./inside.js";

const FLAGS = { cert: "proxy-tls-cert", key: "proxy-tls-key" };

/** The name in the certificate that an address shows. */
function nameAt(address: string): Promise<string> {
  const { hostname: host, port } = new URL(`https://${address}`);
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ host, port: Number(port), rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

test("both ports speak TLS, and take a renewed certificate at SIGHUP without a restart", async (t) => {
  const folder = dataFolder(t);
  const first = makePair("first");
  const { cert, key } = writePair(dataFolder(t), first);
  const stub = await upstream(t);
  const pair = [`--tls-cert=${cert}`, `--tls-key=${key}`];
  const proxyPair = [`--proxy-tls-cert=${cert}`, `--proxy-tls-key=${key}`];
  const server = await serve(t, folder, ...pair, ...proxyPair);
  await addProvider(server.api, stub);
  const clientKey = await addClientKey(server.api);
  const { listeners } = await server.api.system.getStatus({});
  const addresses = listeners
    .filter(({ kind }) => kind !== Listener_Kind.CONTROL_SOCKET)
    .map(({ address, tls: isTls }) => {
      assert.ok(isTls, address);
      return address;
    });
  assert.match(server.proxyUrl, /^https:/);
  const status = await new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${clientKey}`, "content-type": "application/json" };
    const url = `${server.proxyUrl}/v1/chat/completions`;
    const req = request(url, { method: "POST", headers, ca: first.cert, agent: false }, (res) => {
      res.resume();
      resolve(res.statusCode);
    });
    req.on("error", reject);
    req.end('{"model":"stub-chat","messages":[]}');
  });
  assert.equal(status, 200);
  for (const address of addresses) assert.equal(await nameAt(address), "first");

  const second = makePair("second");
  writeFileSync(key, second.key);
  server.process.kill("SIGHUP");
  await until(async () => server.log().includes("the new TLS certificate cannot be used"));
  for (const address of addresses)
    assert.equal(await nameAt(address), "first", "half a pair is none");
  writeFileSync(cert, second.cert);
  server.process.kill("SIGHUP");
  for (const address of addresses) await until(async () => (await nameAt(address)) === "second");
  assert.equal(await server.stop(), 0);
  assert.doesNotMatch(server.log(), /PRIVATE KEY/);
});

test("a start with TLS files that cannot be used names the file, what is wrong and what to do", async (t) => {
  const folder = dataFolder(t);
  const pair = writePair(folder, makePair("one"));
  const other = path.join(folder, "other.key");
  writeFileSync(other, makePair("other").key);
  const junk = path.join(folder, "junk.pem");
  writeFileSync(junk, "nothing\n");
  const cases: readonly (readonly [string, string, RegExp])[] = [
    [pair.cert, "", /--proxy-tls-cert and --proxy-tls-key belong together; give both/],
    [`${folder}/none`, pair.key, /none of --proxy-tls-cert cannot be read \(ENOENT\)/],
    [junk, pair.key, /junk\.pem of --proxy-tls-cert holds no certificate: give a PEM file/],
    [pair.cert, junk, /junk\.pem of --proxy-tls-key holds no private key/],
    [pair.cert, other, /other\.key does not belong to the certificate in .*tls\.crt/],
  ];
  for (const [cert, key, pattern] of cases) {
    const args = flags(dataFolder(t), `--proxy-tls-cert=${cert}`, `--proxy-tls-key=${key}`);
    const ended = await runInside(args);
    assert.equal(ended.code, 1, ended.err);
    assert.match(ended.err, pattern);
    assert.doesNotMatch(ended.err, /\n\s+at |PRIVATE KEY/);
  }
});

test("files that change are read anew once; what cannot be used leaves the last pair in force", (t) => {
  const folder = dataFolder(t);
  const { cert, key } = writePair(folder, makePair("first"));
  const clock = new FakeClock(Date.now());
  const logger = new FakeLogger();
  const source = new TlsSource({ cert, key, flags: FLAGS, clock, logger });
  source.read();
  const taken: TlsFiles[] = [];
  source.watch((files) => taken.push(files));
  clock.advance(60_000);
  assert.equal(taken.length, 0);

  // As a tool does it that writes beside and renames, one file after the other.
  const second = makePair("second");
  const replace = (file: string, bytes: Buffer): void => {
    writeFileSync(`${file}.new`, bytes);
    renameSync(`${file}.new`, file);
  };
  replace(cert, second.cert);
  clock.advance(20_000);
  assert.equal(taken.length, 0);
  assert.deepEqual(
    logger.lines.map(({ level }) => level),
    ["warn"],
    "told once, not at every look",
  );
  replace(key, second.key);
  clock.advance(20_000);
  assert.deepEqual(taken, [second]);

  rmSync(cert);
  clock.advance(10_000);
  writeFileSync(cert, makePair("expired", -1).cert);
  clock.advance(10_000);
  assert.equal(taken.length, 1);
  source.stop();
  assert.equal(clock.pending, 0);
});

test("an RSA key that TLS libraries refuse is told with its bits", (t) => {
  const read = (bits: number): void => {
    const files = writePair(dataFolder(t), makePair("rsa", 30, bits));
    const logger = new FakeLogger();
    new TlsSource({ ...files, flags: FLAGS, clock: new FakeClock(Date.now()), logger }).read();
  };
  assert.throws(() => read(1024), { code: "config_invalid", publicMessage: /has 1024 bits/ });
  read(2048);
});

test("an expired certificate is served, and said to be", (t) => {
  const { cert, key } = writePair(dataFolder(t), makePair("old", -1));
  const logger = new FakeLogger();
  new TlsSource({ cert, key, flags: FLAGS, clock: new FakeClock(Date.now()), logger }).read();
  assert.match(logger.lines[0]?.message ?? "", /has expired/);
});

test("a client that names the server by its IP address checks that address, and Node warns of nothing", async (t) => {
  const { cert, key } = writePair(dataFolder(t), makePair("by-address"));
  const entry = new URL("../../tui/main.js", import.meta.url).href;
  const status = async (...args: readonly string[]): Promise<Ended> =>
    run([...args, "status"], { entry, env: { XDG_CONFIG_HOME: dataFolder(t) } });
  const pair = [`--tls-cert=${cert}`, `--tls-key=${key}`];

  const server = await serveInside(t, dataFolder(t), ...pair);
  const known = await status("--server", await controlAddress(server), "--ca", cert);
  assert.match(known.err, /^latchkey: .*\(latchkey login <username>\)\n$/);
  assert.equal(known.code, 4);

  const elsewhere = await serveInside(t, dataFolder(t), ...pair, "--control-host=127.0.0.2");
  const address = await controlAddress(elsewhere);
  assert.match(address, /^127\.0\.0\.2:/);
  const other = await status("--server", address, "--ca", cert);
  assert.match(other.err, /^latchkey: no connection: .*IP: 127\.0\.0\.2.*\n$/s);
  assert.equal(other.code, 3);
});

async function controlAddress(server: RunningServer): Promise<string> {
  const { listeners } = await server.api.system.getStatus({});
  return listeners.find(({ kind }) => kind === Listener_Kind.CONTROL)?.address ?? "";
}
