import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import { plainIp } from "../../server/core/ip.js";
import { TrustedProxies } from "../../server/gateway/request/caller-address.js";
import { CallerConnections } from "../../server/gateway/caller-connections.js";
import { FakeClock, settleWhile } from "../support/fake-clock.js";
import { startUpstreamStub, type UpstreamStub } from "../support/upstream-stub.js";
import { CLIENT_KEY, FakeLogger, type Setup, startGateway, type TestGateway } from "./fixture.js";

const TRUSTED = ["127.0.0.0/8", "10.0.0.0/8", "2001:db8:1::/48"];

/** A gateway that is asked from loopback, with a provider behind it; both end with the test. */
async function start(
  t: TestContext,
  setup: Setup,
): Promise<{ gateway: TestGateway; stub: UpstreamStub }> {
  const stub = await startUpstreamStub();
  const gateway = await startGateway({ providers: [{ baseUrl: stub.origin }], ...setup });
  t.after(async () => {
    await gateway.close();
    await stub.close();
  });
  return { gateway, stub };
}

const ask = (gateway: TestGateway, forwardedFor?: string): Promise<Response> =>
  gateway.post(
    "/v1/chat/completions",
    { model: "m" },
    forwardedFor === undefined ? {} : { "x-forwarded-for": forwardedFor },
  );

test("the first caller is told of, and no other", async (t) => {
  const { gateway } = await start(t, {});
  assert.equal(gateway.firstCallers, 0);
  for (let caller = 0; caller < 2; caller++) {
    const socket = net.connect(gateway.port, "127.0.0.1");
    socket.end("HEAD / HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n");
    socket.resume();
    await once(socket, "close");
    assert.equal(gateway.firstCallers, 1);
  }
});

test("without trusted proxies the header is nobody's word", async (t) => {
  const { gateway } = await start(t, {});
  await ask(gateway, "203.0.113.9");
  assert.equal((await gateway.sink.record()).ip, "127.0.0.1");
  assert.deepEqual(gateway.authenticator.ips, ["127.0.0.1"]);
});

test("a peer that is not among the trusted proxies is not believed", async (t) => {
  const { gateway } = await start(t, { trustedProxies: ["10.0.0.0/8"] });
  await ask(gateway, "203.0.113.9");
  assert.equal((await gateway.sink.record()).ip, "127.0.0.1");
});

test("behind a trusted proxy the allowlist and the log see the caller's address, and the provider sees none", async (t) => {
  const { gateway, stub } = await start(t, { trustedProxies: TRUSTED });
  await ask(gateway, "198.51.100.1, 203.0.113.9, 10.1.2.3");
  assert.equal((await gateway.sink.record()).ip, "203.0.113.9");
  await gateway.fetch("/v1/models", { headers: { "x-forwarded-for": "203.0.113.7" } });
  assert.deepEqual(gateway.authenticator.ips, ["203.0.113.9", "203.0.113.7"]);
  assert.doesNotMatch(JSON.stringify(stub.received[0]?.rawHeaders), /forwarded|203\.0\.113/i);
});

test("lines of several proxies are one list, in their order", async (t) => {
  const { gateway } = await start(t, { trustedProxies: TRUSTED });
  const { request } = await import("node:http");
  const req = request(`${gateway.origin}/v1/models`, {
    headers: [
      ["Host", "x"],
      ["Authorization", "Bearer x"],
      ["X-Forwarded-For", "1.1.1.1"],
      ["X-Forwarded-For", "203.0.113.9"],
      ["X-Forwarded-For", "10.0.0.1"],
      ["Connection", "close"],
    ].flat(),
  });
  req.end();
  const [response] = (await once(req, "response")) as [net.Socket];
  response.resume();
  assert.deepEqual(gateway.authenticator.ips, ["203.0.113.9"]);
});

test("the address is the last that no trusted proxy has, and the peer's where the list cannot be read", () => {
  const proxies = new TrustedProxies(TRUSTED);
  const peer = "10.9.9.9";
  const cases: readonly (readonly [string, string])[] = [
    ["203.0.113.9", "203.0.113.9"],
    [" 203.0.113.9 ,10.0.0.1 ", "203.0.113.9"],
    ["203.0.113.9:51234, 10.0.0.1:80", "203.0.113.9"],
    ["2001:db8::7", "2001:db8::7"],
    ["[2001:db8::7]:443, 2001:db8:1::5", "2001:db8::7"],
    ["::ffff:203.0.113.9", "203.0.113.9"],
    // Spoofed in front: not looked at.
    ["127.0.0.1, 10.0.0.1, 203.0.113.9", "203.0.113.9"],
    ["not an address, 203.0.113.9, 10.0.0.1", "203.0.113.9"],
    // All trusted: the first of them asked.
    ["10.0.0.5, 10.0.0.6", "10.0.0.5"],
    // Cannot be read.
    ["", peer],
    [",", peer],
    ["203.0.113.9,", peer],
    ["203.0.113.9, , 10.0.0.1", peer],
    ["unknown", peer],
    ["_hidden, 10.0.0.1", peer],
    ["203.0.113.9, 10.0.0.1, localhost", peer],
    ["203.0.113.256", peer],
    ["0xcb007109", peer],
    ["203.0.113", peer],
    ["203.0.113.9/24", peer],
    ["fe80::1%eth0", peer],
    ["[2001:db8::7", peer],
    ["203.0.113.9:port", peer],
    ["203.0.113.9:80x", peer],
    ["x203.0.113.9:80", peer],
    ["x[2001:db8::7]", peer],
    ["[2001:db8::7]:443x", peer],
    ['for="203.0.113.9"', peer],
    [`203.0.113.9${", 10.0.0.1".repeat(5_000)}`, peer],
  ];
  for (const [header, address] of cases) {
    assert.equal(proxies.addressOf(peer, header), address, JSON.stringify(header));
  }
});

test("whatever a caller writes in front of what the proxy adds changes nothing", () => {
  const proxies = new TrustedProxies(TRUSTED);
  fc.assert(
    fc.property(fc.string({ maxLength: 60 }), fc.ipV4(), (spoofed, real) => {
      fc.pre(!proxies.trusts(real));
      assert.equal(proxies.addressOf("127.0.0.1", `${spoofed}, ${real}`), real);
      assert.equal(proxies.addressOf("127.0.0.1", `${spoofed},${real}, 10.0.0.2`), real);
    }),
    { numRuns: 500 },
  );
});

test("calls that a proxy brings from one address are bounded; other addresses go on", async (t) => {
  const { gateway, stub } = await start(t, {
    trustedProxies: TRUSTED,
    limits: { callerSocketsPerAddressMax: 2 },
  });
  const ends: (() => void)[] = [];
  stub.script = (_received, res) => void ends.push(() => res.end("{}"));
  const running = [ask(gateway, "203.0.113.9"), ask(gateway, "203.0.113.9")];
  await stub.requests(2);
  const refused = await ask(gateway, "203.0.113.9");
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get("retry-after"), "1");
  assert.match(await refused.text(), /"code":"rate_limit_exceeded"/);
  // Not a caller's: what the proxy asks for itself.
  const others = [ask(gateway, "203.0.113.8"), ask(gateway)];
  await stub.requests(4);
  for (const end of ends) end();
  const answers = await Promise.all([...running, ...others]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200, 200],
  );
  stub.script = (_received, res) => void res.end("{}");
  assert.equal((await ask(gateway, "203.0.113.9")).status, 200, "its place is free again");
});

test("where there are too many connections, strangers give way to newcomers, and nobody whose key was good", async (t) => {
  const { gateway } = await start(t, { limits: { callerSocketsMax: 3 } });
  const { connections } = gateway.gateway;
  const connect = async (): Promise<net.Socket> => {
    const socket = net.connect(gateway.port, "127.0.0.1");
    socket.on("error", () => undefined);
    await once(socket, "connect");
    return socket;
  };
  /** The status of an answer over the connection. */
  const asked = async (socket: net.Socket): Promise<string> => {
    socket.write(
      `GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${CLIENT_KEY}\r\n\r\n`,
    );
    const [answer] = (await once(socket, "data")) as [Buffer];
    return answer.toString().slice(9, 12);
  };
  const known = [await connect()];
  assert.equal(await asked(known[0]!), "200");
  const strangers = [await connect(), await connect()];
  for (let i = 0; i < 2; i++) {
    const newcomer = await connect();
    await once(strangers.shift()!, "close");
    assert.equal(await asked(newcomer), "200");
    known.push(newcomer);
  }
  assert.equal(connections.refusals("TOTAL"), 2);
  const refused = await connect();
  await once(refused, "close");
  assert.equal(connections.refusals("TOTAL"), 3);
  for (const socket of known) assert.equal(await asked(socket), "200");
  known.pop()?.destroy();
  await settleWhile(() => connections.open > 2);
  const last = await connect();
  assert.equal(await asked(last), "200", "a place that gets free is given");
  for (const socket of [...known, last]) socket.destroy();
});

test("connections of one address beyond its share are reset, and told once", async (t) => {
  const clock = new FakeClock();
  const logger = new FakeLogger();
  const connections = new CallerConnections({
    perAddressMax: 2,
    exempts: (ip) => ip === "10.0.0.1",
    clock,
    logger,
  });
  // Connections are all from loopback here, so the test says whose they are.
  const ips = ["203.0.113.9", "203.0.113.9", "203.0.113.9", "203.0.113.8", "203.0.113.9"].concat(
    Array.from({ length: 4 }, () => "10.0.0.1"),
  );
  const server = net.createServer((socket) => connections.take(socket, ips.shift() ?? ""));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const outcomes: string[] = [];
  const sockets: net.Socket[] = [];
  while (ips.length > 0) {
    const left = ips.length;
    const socket = net.connect(port, "127.0.0.1");
    socket.on("error", (error: NodeJS.ErrnoException) => outcomes.push(error.code ?? ""));
    sockets.push(socket);
    await settleWhile(() => ips.length === left);
  }
  await settleWhile(() => outcomes.length < 2);
  assert.deepEqual(outcomes, ["ECONNRESET", "ECONNRESET"]);
  assert.equal(connections.open, 7);
  assert.equal(connections.refusals("ADDRESS"), 2);
  assert.deepEqual(
    logger.lines.map(({ fields }) => fields),
    [{ ip: "203.0.113.9", reason: "ADDRESS" }],
  );
  for (const socket of sockets) socket.destroy();
  await settleWhile(() => connections.open > 0);
});

test("the addresses of one IPv6 network count as one, IPv4 addresses each for itself", () => {
  const connections = new CallerConnections({
    perAddressMax: 1,
    exempts: () => false,
    clock: new FakeClock(),
    logger: new FakeLogger(),
  });
  connections.enterCall("2001:db8::1");
  assert.throws(() => connections.enterCall("2001:db8::ffff:2"), { code: "rate_limit_exceeded" });
  connections.enterCall("2001:db8:0:1::1");
  connections.enterCall("203.0.113.1");
  connections.enterCall("203.0.113.2");
  connections.leaveCall("2001:db8::1");
  connections.enterCall("2001:db8::9");
});

test("an allowlist and a trusted proxy hold for a link-local peer, which comes with the interface here", () => {
  assert.equal(plainIp("fe80::a8b5:d3ff%eth0"), "fe80::a8b5:d3ff");
  assert.equal(plainIp("::ffff:192.0.2.7"), "192.0.2.7");
  assert.equal(plainIp("2001:db8::7"), "2001:db8::7");
  const peer = plainIp("fe80::2%eth0");
  const proxies = new TrustedProxies(["fe80::/10"]);
  assert.ok(proxies.trusts(peer));
  assert.equal(proxies.addressOf(peer, "2001:db8::5"), "2001:db8::5");
});

test("what is no address cannot be trusted", () => {
  assert.throws(() => new TrustedProxies(["10.0.0.0/33"]), { code: "config_invalid" });
});
