import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import path from "node:path";
import { test } from "node:test";
import { readConfig } from "../../server/config.js";
import { OPTIONS, type OptionKey } from "../../server/options.js";
import { addClientKey, addProvider, dataFolder, serve, until, upstream } from "./fixture.js";

const HERE = "test/system/options.test.ts";
const NETWORK = "what the options say of callers holds at the proxy port of a server";
const ISSUER = "an issuer's keys, claim and tolerance are those that the options name";

/** A value as text, what it means, and one that is refused; an option of any text refuses none. */
type Sample = readonly [good: string, meaning: unknown, bad?: string];

/** An option without a sample, or without a test which shows that it takes effect, does not compile. */
const KNOWN: Readonly<Record<OptionKey, readonly [sample: Sample, file: string, test: string]>> = {
  data: [["/x", "/x"], "test/system/start-failures.test.ts", "a second server on the same folder"],
  proxyHost: [["[::1]", "::1"], "test/system/start-failures.test.ts", "an address that this host"],
  proxyPort: [["81", 81, "65536"], "test/system/start-failures.test.ts", "a port in use is named"],
  proxyTlsCert: [["/c", "/c"], "test/system/tls.test.ts", "both ports speak TLS"],
  proxyTlsKey: [["/k", "/k"], "test/system/tls.test.ts", "both ports speak TLS"],
  controlHost: [
    ["::1", "::1"],
    "test/system/start-failures.test.ts",
    "the control API is not opened",
  ],
  controlPort: [["0", 0, "-1"], "test/system/start-failures.test.ts", "a port in use is named"],
  tlsCert: [["/c", "/c"], "test/system/tls.test.ts", "both ports speak TLS"],
  tlsKey: [["/k", "/k"], "test/system/tls.test.ts", "both ports speak TLS"],
  insecureControl: [["true", true, "perhaps"], HERE, NETWORK],
  rootKey: [["env", "env", "teapot"], "test/system/start-failures.test.ts", "a root key from the"],
  nextRootKey: [
    ["env:X", "env:X", "env:"],
    "test/system/vault.test.ts",
    "a root key from another source",
  ],
  allowUpstreamCidr: [
    ["10.0.0.0/8,fd00::/8", ["10.0.0.0/8", "fd00::/8"], "10.0.0.0/33"],
    "test/system/start-failures.test.ts",
    "an address that this host does not have, and blocks that are none",
  ],
  oidcIssuer: [
    ["https://i.example", "https://i.example", "http://i.example"],
    "test/system/jwt.test.ts",
    "a token of the configured issuer signs in",
  ],
  oidcAudience: [["me", "me"], "test/system/jwt.test.ts", "a token is refused in a sentence"],
  oidcJwksUrl: [
    ["https://i.example/k", "https://i.example/k", "ftp://i.example"],
    "test/system/jwt.test.ts",
    ISSUER,
  ],
  oidcAlgorithms: [["ES256", ["ES256"], "HS256"], "test/system/jwt.test.ts", ISSUER],
  oidcNameClaim: [["sub", "sub"], "test/system/jwt.test.ts", ISSUER],
  oidcClockToleranceSeconds: [["0", 0, "301"], "test/system/jwt.test.ts", ISSUER],
  trustedProxies: [["10.0.0.1", ["10.0.0.1"], "10.0.0"], HERE, NETWORK],
  corsOrigins: [["https://a.example", ["https://a.example"], "a.example/x"], HERE, NETWORK],
  callerSocketsMax: [
    ["9", 9, "0"],
    HERE,
    "of more connections than may be, a stranger's is closed",
  ],
  callerSocketsPerAddressMax: [["9", 9, "1000001"], HERE, NETWORK],
  callsMax: [["9", 9, "0"], "test/system/settings.test.ts", "a call waits for admission"],
  busyPollMicros: [
    ["200", 200, "10001"],
    "server/gateway/busy-poll.test.ts",
    "the loop goes on turning for as long as was said",
  ],
  otlpEndpoint: [
    ["http://c.example:4318", "http://c.example:4318", "teapot"],
    "test/system/traces.test.ts",
    "a call and its attempts are one trace",
  ],
  traceRatio: [["0.5", 0.5, "2"], "test/system/traces.test.ts", "refused calls are traced too"],
  bodyMiBMax: [["9", 9, "0"], HERE, NETWORK],
  drainSeconds: [["9", 9, "3601"], "test/system/drain.test.ts", "after the drain time streams are"],
  logLevel: [["warn", "warn", "loud"], "test/system/operator.test.ts", "the log can be followed"],
};

test("what shows that an option takes effect is there", () => {
  for (const [key, [, file, title]] of Object.entries(KNOWN)) {
    assert.ok(readFileSync(file, "utf8").includes(`test("${title}`), `${key}: ${file}: ${title}`);
  }
});

test("each option is read from its flag, its variable and the file, in this order, and refused with what it must be", (t) => {
  const file = path.join(dataFolder(t), "config.json");
  for (const { key, flag, env, expects, fallback } of OPTIONS) {
    const [[good, meaning, bad]] = KNOWN[key];
    const read = (given: { flag?: string; env?: string; file?: unknown }) => {
      writeFileSync(file, JSON.stringify(given.file === undefined ? {} : { [key]: given.file }));
      const { config, lines } = readConfig({
        flags: given.flag === undefined ? {} : { [key]: given.flag },
        env: { LATCHKEY_CONFIG: file, HOME: "/home/x", [env]: given.env },
      });
      return [config[key], lines.find(({ name }) => name === flag)?.source];
    };
    const byDefault = key === "data" ? "/home/x/.local/share/latchkey" : fallback;
    assert.deepEqual(read({}), [byDefault, "default"], key);
    assert.deepEqual(read({ file: meaning }), [meaning, "file"], key);
    assert.deepEqual(read({ env: good, file: bad }), [meaning, "environment"], key);
    assert.deepEqual(read({ flag: good, env: bad ?? "", file: bad }), [meaning, "flag"], key);
    if (bad === undefined) continue;
    const names = { flag: `--${flag}`, env, file: `"${key}" in the configuration file` };
    for (const [source, name] of Object.entries(names)) {
      assert.throws(() => read({ [source]: bad }), {
        code: "config_invalid",
        publicMessage: `${name} must be ${expects}.`,
      });
    }
  }
});

test("what the options say of callers holds at the proxy port of a server", async (t) => {
  const stub = await upstream(t);
  const server = await serve(
    t,
    dataFolder(t),
    "--trusted-proxies=127.0.0.1",
    "--cors-origins=https://page.example",
    "--caller-sockets-per-address-max=1",
    "--body-mib-max=1",
    "--control-host=0.0.0.0",
    "--insecure-control",
  );
  await addProvider(server.api, stub);
  const key = await addClientKey(server.api);
  const ask = (forwardedFor: string, text = "hi") =>
    fetch(`${server.proxyUrl}/v1/chat/completions`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${key}`,
        "content-type": "application/json",
        "x-forwarded-for": forwardedFor,
        origin: "https://page.example",
      },
      body: JSON.stringify({ model: "stub-chat", messages: [{ role: "user", content: text }] }),
    });
  const answers: (() => void)[] = [];
  const answered = stub.script;
  stub.script = (request, res) => void answers.push(() => void answered(request, res));
  const first = ask("203.0.113.7");
  await stub.requests(1);
  assert.equal((await ask("203.0.113.7")).status, 429, "one call of an address at a time");
  answers[0]?.();
  const { status, headers } = await first;
  assert.equal(status, 200);
  assert.equal(headers.get("access-control-allow-origin"), "https://page.example");
  stub.script = answered;
  assert.equal((await ask("203.0.113.8", "x".repeat(1_100_000))).status, 413);
  await until(async () => {
    const { calls } = await server.api.calls.listCalls({});
    return JSON.stringify(calls, (_key, value) => (typeof value === "bigint" ? 0 : value)).includes(
      "203.0.113.7",
    );
  });
});

test("of more connections than may be, a stranger's is closed", async (t) => {
  const server = await serve(t, dataFolder(t), "--caller-sockets-max=1");
  const { hostname, port } = new URL(server.proxyUrl);
  const open = async (): Promise<Socket> => {
    const socket = connect({ host: hostname, port: Number(port) });
    t.after(() => socket.destroy());
    socket.on("error", () => undefined);
    await once(socket, "connect");
    return socket;
  };
  const first = await open();
  const closed = once(first, "close");
  first.resume();
  await open();
  await closed;
});
