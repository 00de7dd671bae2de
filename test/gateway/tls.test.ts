import assert from "node:assert/strict";
import { once } from "node:events";
import https from "node:https";
import net from "node:net";
import { after, before, test } from "node:test";
import tls from "node:tls";
import { makePair, type TestPair } from "../support/certificate.js";
import {
  CHAT_REPLY,
  chatEvents,
  replyEvents,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { FakeClock, settleWhile } from "../support/fake-clock.js";
import { CLIENT_KEY, startGateway, type TestGateway } from "./fixture.js";

const FIRST = makePair("first");
let stub: UpstreamStub;
let gateway: TestGateway;

before(async () => {
  stub = await startUpstreamStub();
  gateway = await startGateway({ providers: [{ baseUrl: stub.origin }], tls: FIRST });
});

after(async () => {
  await gateway.close();
  await stub.close();
});

/** One chat over TLS. */
function chat(
  agent: https.Agent,
  stream: boolean,
  port = gateway.port,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${CLIENT_KEY}`, "content-type": "application/json" };
    const req = https.request(
      { host: "127.0.0.1", port, path: "/v1/chat/completions", method: "POST", headers, agent },
      (res) => {
        let text = "";
        res.on("data", (chunk) => (text += String(chunk)));
        res.on("end", () => resolve({ status: res.statusCode ?? 0, text }));
      },
    );
    req.on("error", reject);
    req.end(JSON.stringify({ model: "m", stream, messages: [] }));
  });
}

/** A handshake with the port; fails as it fails. */
function handshake(options: tls.ConnectionOptions = {}): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const { port } = gateway;
    const socket = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...options });
    socket.once("secureConnect", () => resolve(socket));
    socket.once("error", reject);
  });
}

async function nameServed(): Promise<string> {
  const socket = await handshake();
  const name = String(socket.getPeerCertificate().subject.CN);
  socket.destroy();
  return name;
}

const agentOf = (pair: TestPair): https.Agent =>
  new https.Agent({ ca: pair.cert, keepAlive: true });

test("calls are served over TLS, whole and streamed, on one connection", async (t) => {
  const agent = agentOf(FIRST);
  t.after(() => agent.destroy());
  stub.script = replyJson(200, CHAT_REPLY);
  assert.deepEqual(await chat(agent, false), { status: 200, text: CHAT_REPLY });
  stub.script = replyEvents(chatEvents(["Hel", "lo."], true));
  const { text } = await chat(agent, true);
  assert.match(text, /Hel[\s\S]*lo\.[\s\S]*\[DONE\]/);
  assert.equal(gateway.gateway.connections.open, 1);
  assert.equal((await gateway.sink.record(2)).ip, "127.0.0.1");
});

test("TLS 1.2 is the oldest version that is spoken", async () => {
  for (const version of ["TLSv1", "TLSv1.1"] as const) {
    // Below that this side, too, must be told to try.
    const ciphers = "DEFAULT:@SECLEVEL=0";
    await assert.rejects(handshake({ minVersion: version, maxVersion: version, ciphers }));
  }
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    const socket = await handshake({ minVersion: version, maxVersion: version });
    assert.equal(socket.getProtocol(), version);
    socket.destroy();
  }
});

test("HTTP/1.1 is what is agreed on, HTTP/1.0 where a caller speaks no other, and nothing else can be", async () => {
  const offers = [
    [["h2", "http/1.1"], "http/1.1"],
    [["http/1.0", "http/1.1"], "http/1.1"],
    [["http/1.0"], "http/1.0"],
  ] as const;
  for (const [offered, agreed] of offers) {
    const socket = await handshake({ ALPNProtocols: [...offered] });
    assert.equal(socket.alpnProtocol, agreed);
    socket.destroy();
  }
  await assert.rejects(handshake({ ALPNProtocols: ["h2"] }), /no application protocol/i);
});

test("a renewed certificate is for new connections; open ones go on", async (t) => {
  stub.script = replyJson(200, CHAT_REPLY);
  const agent = agentOf(FIRST);
  t.after(() => agent.destroy());
  assert.equal((await chat(agent, false)).status, 200);
  gateway.gateway.setTls(makePair("second"));
  assert.equal(await nameServed(), "second");
  assert.equal((await chat(agent, false)).status, 200, "the old connection trusts the first alone");
  await assert.rejects(handshake({ maxVersion: "TLSv1.1", ciphers: "DEFAULT:@SECLEVEL=0" }));
  gateway.gateway.setTls(FIRST);
  assert.equal(await nameServed(), "first");
});

test("plain HTTP on a port of TLS is closed without an answer, and counted", async () => {
  const fresh = await startGateway({ tls: FIRST });
  const socket = net.connect(fresh.port, "127.0.0.1");
  let answer = "";
  socket.on("data", (chunk) => (answer += chunk.toString("latin1")));
  socket.on("error", () => undefined);
  socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await once(socket, "close");
  assert.doesNotMatch(answer, /HTTP/);
  assert.equal(fresh.gateway.connections.refusals("HANDSHAKE"), 1);
  await fresh.close();
});

test("unfinished handshakes give way to a newcomer where there are too many connections", async () => {
  const full = await startGateway({ tls: FIRST, limits: { callerSocketsMax: 2 } });
  const open = async (): Promise<net.Socket> => {
    const socket = net.connect(full.port, "127.0.0.1");
    socket.on("error", () => undefined);
    await once(socket, "connect");
    return socket;
  };
  const first = await open();
  const second = await open();
  const newcomer = tls.connect({ port: full.port, host: "127.0.0.1", rejectUnauthorized: false });
  await Promise.all([once(newcomer, "secureConnect"), once(first, "close")]);
  assert.equal(full.gateway.connections.refusals("TOTAL"), 1);
  for (const socket of [second, newcomer]) socket.destroy();
  await full.close();
});

test("a handshake that never ends is given up", async () => {
  const slow = await startGateway({ tls: FIRST, limits: { headTimeoutMs: 50 } });
  const socket = net.connect(slow.port, "127.0.0.1");
  socket.on("error", () => undefined);
  await once(socket, "close");
  await settleWhile(() => slow.gateway.connections.open > 0);
  assert.equal(slow.gateway.connections.refusals("HANDSHAKE"), 1);
  await slow.close();
});

test("handshakes begin at a pace; those of callers with a good key are not counted", async () => {
  const clock = new FakeClock();
  const limits = { handshakesPerSecond: 1, handshakesBurst: 2 };
  const paced = await startGateway({
    providers: [{ baseUrl: stub.origin }],
    tls: FIRST,
    limits,
    clock,
  });
  stub.script = replyJson(200, CHAT_REPLY);
  for (let i = 0; i < 5; i++) {
    const agent = agentOf(FIRST);
    assert.equal((await chat(agent, false, paced.port)).status, 200);
    agent.destroy();
  }
  const open: tls.TLSSocket[] = [];
  for (let i = 0; i < 2; i++) open.push(await handshake({ port: paced.port }));
  const waiting = handshake({ port: paced.port });
  await settleWhile(() => paced.gateway.connections.open < 3);
  let isDone = false;
  void waiting.then(() => (isDone = true));
  // As many handshakes with another server take longer than this one would.
  for (let i = 0; i < 3; i++) (await handshake()).destroy();
  assert.equal(isDone, false);
  clock.advance(1000);
  open.push(await waiting);
  for (const socket of open) socket.destroy();
  await paced.close();
});
