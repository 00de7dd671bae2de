import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { startTransitStandIn } from "../vault/transit-stand-in.js";
import { alter } from "./alter.js";
import { dataFolder, flags, run, type Ended } from "./fixture.js";
import { serveInside, runInside } from "./inside.js";

/** One sentence or two on standard error, no stack, nothing on standard output, and an exit code that says so. */
function refused(ended: Ended, pattern: RegExp, code = 1): void {
  assert.equal(ended.code, code, ended.err);
  assert.equal(ended.out, "");
  const said = ended.err.split("\n").filter((line) => line.startsWith("latchkey: "));
  assert.equal(said.length, 1, ended.err);
  assert.match(said[0]!, pattern);
  assert.doesNotMatch(ended.err, /\n\s+at /, "no stack trace");
  assert.doesNotMatch(ended.err, /vault locked/, "nobody has locked it");
}

/** A folder that a server has run on. */
async function used(t: TestContext): Promise<string> {
  const folder = dataFolder(t);
  const server = await serveInside(t, folder);
  assert.equal(await server.stop(), 0);
  return folder;
}

test("a port in use is named", async (t) => {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
  t.after(() => holder.close());
  const { port } = holder.address() as { port: number };
  for (const which of ["proxy", "control"]) {
    const args = flags(dataFolder(t), `--${which}-port=${port}`);
    refused(await run(args), new RegExp(`:${port}: another.*--${which}-port`));
  }
});

test("one port for both is told as that, not as one of another process", async (t) => {
  const both = ["--proxy-port=7443", "--control-port=7443"];
  const said = /--proxy-port and --control-port are both 7443; give each a port of its own\.$/;
  refused(await runInside(flags(dataFolder(t), ...both)), said, 2);
  refused(await runInside(flags(dataFolder(t), ...both, "--proxy-host=::")), said, 2);
});

test("a data folder whose path is too long for a local socket is told so, and not that another uses it", async (t) => {
  const folder = path.join(dataFolder(t), "long".repeat(30));
  refused(
    await runInside(flags(folder)),
    /longer than the 107 bytes .* shorter one with --data\.$/,
  );
});

test("an address that this host does not have, and blocks that are none, are told in a sentence", async (t) => {
  const folder = dataFolder(t);
  refused(
    await runInside(flags(folder, "--proxy-host=192.0.2.1")),
    /Cannot listen on the proxy port 192\.0\.2\.1:0: .*no such address\. Give one that it has with --proxy-host\.$/,
  );
  refused(
    await runInside(flags(folder, "--proxy-host=fe80::1")),
    /Cannot listen on the proxy port \[fe80::1\]:0: .*interface, as in --proxy-host fe80::1%eth0\.$/,
  );
  refused(
    await runInside(flags(folder, "--allow-upstream-cidr=10.0.0.0/8,all")),
    /--allow-upstream-cidr must be a list such as/,
    2,
  );
});

test("a data folder that cannot be written is named", async (t) => {
  const file = path.join(dataFolder(t), "file");
  writeFileSync(file, "");
  refused(await runInside(flags(file)), /data folder .* cannot be used \(a file has its name\)/);
  refused(await runInside(flags("/proc/latchkey")), /data folder \/proc\/latchkey cannot be used/);
});

test("a second server on the same folder is refused and does not disturb the first", async (t) => {
  const folder = dataFolder(t);
  const first = await serveInside(t, folder);
  refused(await run(flags(folder)), /in use by another Latchkey server/);
  assert.ok((await first.api.system.getStatus({})).version);
  assert.equal(await first.stop(), 0);
});

test("a root key that other users can read is refused until its mode is right", async (t) => {
  const folder = await used(t);
  const file = path.join(folder, "root.key");
  chmodSync(file, 0o644);
  refused(await runInside(flags(folder)), /Other users .* can read .*root\.key.*chmod 600/);
  chmodSync(file, 0o600);
  assert.equal(await (await serveInside(t, folder)).stop(), 0);
});

test("a wrong, missing or placeholder root key is refused, and the vault stays as it is", async (t) => {
  const folder = await used(t);
  const file = path.join(folder, "root.key");
  const right = readFileSync(file);
  writeFileSync(file, `${"4f1c9ae27d38b605".repeat(4)}\n`);
  refused(await runInside(flags(folder)), /root\.key/);
  writeFileSync(file, "changeme\n");
  refused(await runInside(flags(folder)), /does not hold a root key/);
  rmSync(file);
  refused(await runInside(flags(folder)), /root\.key is missing .*put back the file/);
  writeFileSync(file, right, { mode: 0o600 });
  assert.equal(await (await serveInside(t, folder)).stop(), 0);
});

test("a root key from the environment must be there and be random", async (t) => {
  const start = (value: string) =>
    runInside(flags(dataFolder(t), "--root-key=env"), { LATCHKEY_ROOT_KEY: value });
  refused(await start(""), /LATCHKEY_ROOT_KEY is not set.*openssl rand -hex 32/);
  refused(await start("changeme"), /LATCHKEY_ROOT_KEY does not hold a root key/);
  refused(await start("0".repeat(64)), /LATCHKEY_ROOT_KEY holds a placeholder/);
  refused(await start("your-32-character-secret-key-xx!"), /placeholder|does not hold/);
});

test("a source of the root key that is not set up is named", async (t) => {
  refused(
    await runInside(flags(dataFolder(t), "--root-key=credential:latchkey-root-key")),
    /no systemd credential/,
  );
  refused(
    await runInside(flags(dataFolder(t), "--root-key=transit:http://127.0.0.1:1")),
    /LATCHKEY_TRANSIT_TOKEN_FILE/,
  );
  for (const address of ["127.0.0.1:8200", "ftp://vault", "https://"]) {
    refused(
      await runInside(flags(dataFolder(t), `--root-key=transit:${address}`)),
      /--root-key must be .*transit:<url>/,
      2,
    );
  }
});

test("a vault under a transit engine says so to whom looks for its root key elsewhere", async (t) => {
  const folder = dataFolder(t);
  const engine = await startTransitStandIn(t, ["latchkey"]);
  const tokenFile = path.join(dataFolder(t), "token");
  writeFileSync(tokenFile, engine.token);
  process.env["LATCHKEY_TRANSIT_TOKEN_FILE"] = tokenFile;
  t.after(() => delete process.env["LATCHKEY_TRANSIT_TOKEN_FILE"]);
  const server = await serveInside(t, folder, `--root-key=transit:${engine.address}`);
  assert.equal(await server.stop(), 0);
  refused(await runInside(flags(folder)), /start the server with --root-key transit:<url>/);
});

test("a damaged database is refused with how to restore it, and never made anew", async (t) => {
  const folder = await used(t);
  const file = path.join(folder, "latchkey.db");
  const whole = readFileSync(file);
  const bytes = Buffer.from(whole);
  bytes.fill(0x5a, 4096, 4096 * 6);
  writeFileSync(file, bytes);
  refused(await runInside(flags(folder)), /is damaged .*restore <backup>/);
  truncateSync(file, 100);
  refused(await runInside(flags(folder)), /is damaged/);
  assert.equal(readFileSync(file).length, 100);
});

test("a database of a newer release is refused and left alone", async (t) => {
  const folder = await used(t);
  await alter(
    folder,
    "INSERT INTO schema_versions (version, name, applied_at) VALUES (9999, 'later', 0)",
  );
  refused(await runInside(flags(folder)), /written by a newer Latchkey \(schema 9999/);
});

test("a wrong option, value or configuration file says what is allowed", async (t) => {
  const folder = dataFolder(t);
  refused(await run(flags(folder, "--log-level=loud")), /--log-level must be debug, info/, 2);
  refused(await run(flags(folder, "--root-key=teapot")), /--root-key must be file/, 2);
  const unknown = await run(flags(folder, "--no-such-option"));
  assert.equal(unknown.code, 2);
  assert.match(unknown.err, /unknown option '--no-such-option'/);
  const file = path.join(folder, "config.json");
  writeFileSync(file, '{ "proxyPrt": 1 }');
  refused(await run(flags(folder, `--config=${file}`)), /unknown setting "proxyPrt"/, 2);
  writeFileSync(file, "{");
  refused(await run(flags(folder, `--config=${file}`)), /not valid JSON/, 2);
});

test("the control API is not opened to the network without TLS", async (t) => {
  refused(
    await runInside(flags(dataFolder(t), "--control-host=0.0.0.0")),
    /without TLS.*--tls-cert and --tls-key/,
  );
  const missing = path.join(dataFolder(t), "none.pem");
  mkdirSync(path.dirname(missing), { recursive: true });
  refused(
    await runInside(flags(dataFolder(t), `--tls-cert=${missing}`, `--tls-key=${missing}`)),
    /TLS file .*none\.pem of --tls-cert cannot be read/,
  );
  refused(await runInside(flags(dataFolder(t), `--tls-cert=${missing}`)), /belong together/);
});

test("an issuer of tokens without an audience is refused", async (t) => {
  refused(
    await runInside(flags(dataFolder(t), "--oidc-issuer=https://issuer.example")),
    /--oidc-issuer and --oidc-audience belong together/,
  );
  refused(
    await runInside(flags(dataFolder(t), "--oidc-algorithms=HS256")),
    /--oidc-algorithms must be a list of RS256/,
    2,
  );
  refused(
    await runInside(flags(dataFolder(t), "--oidc-issuer=http://issuer.example")),
    /--oidc-issuer must be a URL that begins with https/,
    2,
  );
});
