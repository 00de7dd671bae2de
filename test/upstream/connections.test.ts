import assert from "node:assert/strict";
import { once } from "node:events";
import type net from "node:net";
import tls from "node:tls";
import { test } from "node:test";
import { HeaderBlock } from "../../server/http/header-block.js";
import type { UpstreamFailure } from "../../server/upstream/failure.js";
import { Upstream } from "../../server/upstream/upstream.js";
import { type Resolve, UrlPolicy } from "../../server/upstream/url-policy.js";
import { makePair } from "../support/certificate.js";
import { closed, POLICY, reply, useWire } from "./wire.js";

const wire = useWire();

function block(name: string, value: string): HeaderBlock {
  const headers = new HeaderBlock();
  headers.add(name, value);
  return headers;
}

test("a connection serves one call after the other", async () => {
  for (let i = 0; i < 3; i++) assert.equal((await wire.call()).body, "ok");
  assert.equal(wire.sockets.length, 1);
});

test("a request goes out as it was given, with host and length, whatever its size", async () => {
  let seen = "";
  const body = Buffer.alloc(100_000, "b");
  wire.answer = (socket, request) => {
    seen += request;
    if (seen.length > body.length) socket.write(reply("ok"));
  };
  await wire.call({ method: "POST", path: "/v1/x?a=1", headers: block("x-a", "\xe9 b"), body });
  const end = seen.indexOf("\r\n\r\n");
  const host = wire.baseUrl.slice("http://".length);
  assert.equal(
    seen.slice(0, end),
    `POST /v1/x?a=1 HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\nx-a: \xe9 b\r\ncontent-length: 100000`,
  );
  assert.equal(seen.slice(end + 4), body.toString());
});

test("a request without a body is its head and nothing more", async () => {
  let seen = "";
  wire.answer = (socket, request) => {
    seen += request;
    socket.write(reply("ok"));
  };
  // The second one shows where the first has ended.
  for (let i = 0; i < 2; i++) await wire.call();
  const host = wire.baseUrl.slice("http://".length);
  assert.equal(seen, `GET / HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\n\r\n`.repeat(2));
});

test("a request that could become two is never sent, and its connection stays good", async () => {
  await wire.call();
  let seen = "";
  wire.answer = (socket, request) => {
    seen += request;
    socket.write(reply("ok"));
  };
  for (const request of [
    { path: "/a b" },
    { path: "/a\r\nx: y" },
    { path: "" },
    { headers: block("x-a", "b\r\nx-b: c") },
    { headers: block("x-a", "b\0") },
    { headers: block("x-a\n", "b") },
    { headers: block("x-a", "\u0119") },
  ]) {
    const { failure } = await wire.call(request);
    assert.equal(failure?.kind, "UNREACHABLE", JSON.stringify(request));
  }
  assert.equal(seen, "");
  assert.equal((await wire.call()).body, "ok");
  assert.equal(wire.sockets.length, 1);
});

test("bytes that nobody asked for never become a reply", async () => {
  wire.answer = (socket) => socket.write(`${reply("ok")}${reply("evil")}`);
  assert.equal((await wire.call()).body, "ok");
  wire.answer = (socket) => socket.write(reply("second"));
  assert.equal((await wire.call()).body, "second");
  assert.equal(wire.sockets.length, 2);
  // And while it lies idle.
  wire.sockets[1]?.write(reply("evil"));
  await closed(wire.sockets[1]);
  assert.equal((await wire.call()).body, "second");
  assert.equal(wire.sockets.length, 3);
});

test("a connection that its provider means to close is not used again", async () => {
  const ends = ["connection: close\r\n", "keep-alive: timeout=1\r\n", "keep-alive: timeout=0\r\n"];
  for (const end of ends) {
    wire.answer = (socket) => socket.write(reply("ok", end));
    await wire.call();
  }
  wire.answer = (socket) => socket.write(reply("ok"));
  await wire.call();
  assert.equal(wire.sockets.length, ends.length + 1);
});

test("a reply before the whole request is out closes its connection", async () => {
  wire.answer = (socket) => {
    socket.pause();
    socket.write(reply("too much"));
  };
  const body = Buffer.alloc(32 * 1024 * 1024);
  assert.equal((await wire.call({ method: "POST", body })).body, "too much");
  wire.answer = () => undefined;
  wire.sockets[0]?.resume();
  await closed(wire.sockets[0]);
});

test("a provider that ends the connection reads no more, so a request on its way there has failed", async () => {
  wire.answer = (socket) => {
    socket.pause();
    socket.end();
  };
  const body = Buffer.alloc(32 * 1024 * 1024);
  const { failure } = await wire.call({ method: "POST", body });
  assert.deepEqual(failure, {
    kind: "UNREACHABLE",
    detail: "connection closed before a reply (CLOSED)",
  });
});

test("a body that breaks off is told from one that ends with its connection", async () => {
  wire.answer = (socket) => socket.end("HTTP/1.1 200 OK\r\n\r\nall of it");
  assert.deepEqual(await wire.call(), { body: "all of it", failure: undefined });
  wire.answer = (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nnot all");
  assert.equal((await wire.call()).failure?.kind, "CUT");
  wire.answer = (socket) => socket.end();
  assert.equal((await wire.call()).failure?.kind, "UNREACHABLE");
  assert.equal(wire.upstream.inFlight, 0);
});

test("a provider has its time anew when its reply is let flow again, and is the one who is late then", async () => {
  for (const goesOn of [true, false]) {
    wire.upstream = wire.made({ idleTimeoutMs: 3000, stallTimeoutMs: 3000 });
    const at = wire.sockets.length;
    wire.answer = (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n0");
    let hear: () => void = () => undefined;
    const heard = new Promise<void>((resolve) => {
      hear = resolve;
    });
    let read = 0;
    const { flight, outcome } = wire.start({}, () => {
      hear();
      return ++read > 1;
    });
    await heard;
    wire.clock.advance(2000);
    flight.resume();
    wire.clock.advance(2000);
    if (goesOn) wire.sockets[at]?.write("1");
    else wire.clock.advance(2000);
    const { body, failure } = await outcome;
    assert.deepEqual([body, failure?.kind], goesOn ? ["01", undefined] : ["0", "TIMEOUT"]);
  }
});

test("what a call waited for before is not taken from the time of what it waits for next", async () => {
  const limits = { socketsPerOriginMax: 1, socketWaitMs: 4000, idleTimeoutMs: 4000 };
  wire.upstream = wire.made(limits);
  const asked: (() => void)[] = [];
  const isAsked = (): Promise<void> => new Promise((resolve) => void asked.push(resolve));
  wire.answer = () => asked.shift()?.();
  const firstAsked = isAsked();
  const first = wire.start();
  await firstAsked;
  let hear: () => void = () => undefined;
  const heard = new Promise<void>((resolve) => {
    hear = resolve;
  });
  const second = wire.start({ headTimeoutMs: 4000 }, () => {
    hear();
    return true;
  });
  wire.clock.advance(3000);
  const secondAsked = isAsked();
  wire.sockets[0]?.write(reply("one"));
  assert.equal((await first.outcome).body, "one");
  await secondAsked;
  wire.clock.advance(3000);
  wire.sockets[0]?.write("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nt");
  await heard;
  wire.clock.advance(3000);
  wire.sockets[0]?.write("wo");
  assert.deepEqual(await second.outcome, { body: "two", failure: undefined });
});

test("a call that takes too long, at whatever, ends once and closes its connection", async () => {
  const slow = { socketsPerOriginMax: 1, socketWaitMs: 2000, idleTimeoutMs: 3000 };
  wire.upstream = wire.made({ ...slow, totalTimeoutMs: 9000 });
  const asked = new Promise<void>((resolve) => {
    wire.answer = () => {
      resolve();
    };
  });
  const silent = wire.start({ headTimeoutMs: 4000 });
  const waiting = wire.start();
  await asked;
  wire.clock.advance(3000);
  assert.deepEqual((await waiting.outcome).failure, {
    kind: "TIMEOUT",
    detail: "no connection became free in time",
    unsent: true,
  });
  wire.clock.advance(2000);
  assert.deepEqual((await silent.outcome).failure, {
    kind: "TIMEOUT",
    detail: "the provider did not answer in time",
  });
  await closed(wire.sockets[0]);
  assert.equal(wire.upstream.inFlight, 0);
  // Never still for long, and never at its end.
  wire.answer = (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n0");
  let read = 0;
  const endless = wire.start({}, () => {
    if (++read <= 5) {
      wire.clock.advance(2000);
      wire.sockets[1]?.write("1");
    }
    return true;
  });
  assert.deepEqual((await endless.outcome).failure, {
    kind: "TIMEOUT",
    detail: "the call took too long in all",
  });
  await closed(wire.sockets[1]);
  assert.deepEqual([read, wire.upstream.inFlight], [5, 0]);
});

test("what is no reply is the provider's failure and ends its connection", async () => {
  wire.answer = (socket) =>
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n");
  const { failure } = await wire.call();
  assert.deepEqual(failure, { kind: "PROTOCOL", detail: "reply refused: it has two lengths" });
  await closed(wire.sockets[0]);
});

test("a reader that has enough stops its provider until it wants more", async () => {
  const block = Buffer.alloc(1024 * 1024, "x");
  wire.answer = (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${String(block.length * 16)}\r\n\r\n`);
    for (let i = 0; i < 16; i++) socket.write(block);
  };
  let pauses = 0;
  const { outcome } = wire.start({}, (flight) => {
    pauses++;
    setImmediate(() => flight?.resume());
    return false;
  });
  const { body, failure } = await outcome;
  assert.deepEqual([body.length, failure], [block.length * 16, undefined]);
  assert.ok(pauses > 16);
});

test("of a reply that is held back no more is read, however much its provider sends", async () => {
  let first: net.Socket | undefined;
  wire.answer = (socket) => {
    if (first === undefined) {
      first = socket;
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n0");
    } else socket.write(reply("ok"));
  };
  let read = 0;
  let hear: () => void = () => undefined;
  const heard = new Promise<void>((resolve) => {
    hear = resolve;
  });
  wire.start({}, () => {
    read++;
    hear();
    return false;
  });
  await heard;
  for (let i = 0; i < 10; i++) {
    first?.write("more");
    // Comes on another connection, after what the first one was sent.
    assert.equal((await wire.call()).body, "ok");
  }
  assert.equal(read, 1);
});

test("a call that is given up takes its connection with it, and says nothing more", async () => {
  wire.answer = (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart");
  let told = 0;
  let hear: () => void = () => undefined;
  const heard = new Promise<void>((resolve) => {
    hear = resolve;
  });
  const { flight, outcome } = wire.start({}, () => {
    told++;
    hear();
    return true;
  });
  void outcome.then(() => told++);
  await heard;
  flight.abort();
  await closed(wire.sockets[0]);
  assert.deepEqual([told, wire.upstream.inFlight], [1, 0]);
});

test("a kept connection that closes under a request is replaced once, a fresh one never", async () => {
  await wire.call();
  wire.clock.advance(5000);
  let resets = 0;
  wire.answer = (socket) => {
    resets++;
    socket.resetAndDestroy();
  };
  assert.deepEqual((await wire.call()).failure, {
    kind: "UNREACHABLE",
    detail: "connection closed before a reply (ECONNRESET)",
  });
  assert.equal(resets, 2);
  assert.equal((await wire.call()).failure?.kind, "UNREACHABLE");
  assert.equal(resets, 3);
});

test("a call whose reply has begun is not sent again, nor one whose effect would come twice", async () => {
  for (const [said, request] of [
    ["HTTP/1.1 2", {}],
    ["", { once: true }],
  ] as const) {
    wire.answer = (socket) => socket.write(reply("ok"));
    await wire.call();
    let requests = 0;
    wire.answer = (socket) => {
      requests++;
      socket.end(said);
    };
    assert.equal((await wire.call(request)).failure?.kind, "UNREACHABLE");
    assert.equal(requests, 1);
  }
});

test("a connection keeps the process alive while a call is under way, and not while it lies idle", async () => {
  // Of the two ends one is the provider's.
  const held = (): number =>
    process.getActiveResourcesInfo().filter((each) => each === "TCPSocketWrap").length;
  await wire.call();
  const idle = held();
  let busy = 0;
  wire.answer = (socket) => {
    busy = held();
    socket.write(reply("ok"));
  };
  await wire.call();
  assert.equal(wire.sockets.length, 1);
  assert.deepEqual([busy, held()], [idle + 1, idle]);
});

test("a call that its provider may have worked on for a while is not sent again in silence", async () => {
  await wire.call();
  let requests = 0;
  const asked = new Promise<void>((resolve) => {
    wire.answer = (socket) => {
      if (++requests > 1) socket.write(reply("again"));
      resolve();
    };
  });
  const { outcome } = wire.start();
  await asked;
  wire.clock.advance(4000);
  wire.sockets[0]?.resetAndDestroy();
  assert.equal((await outcome).failure?.kind, "UNREACHABLE");
  assert.equal(requests, 1);
});

test("a call that is sent once more has all of the time for its new connection", async () => {
  let open: () => void = () => undefined;
  let asksAgain: () => void = () => undefined;
  const lookedUp = new Promise<void>((resolve) => {
    asksAgain = resolve;
  });
  const loopback: Resolve = (_name, done) => {
    const found = (): void => {
      done(null, [{ address: "127.0.0.1", family: 4 }]);
    };
    if (wire.sockets.length === 0) {
      found();
      return;
    }
    open = found;
    asksAgain();
  };
  const named = new UrlPolicy({ allowCidrs: ["127.0.0.0/8"], resolve: loopback });
  wire.upstream = new Upstream({
    clock: wire.clock,
    policy: named,
    limits: { socketWaitMs: 1000 },
  });
  const plain = wire.baseUrl;
  wire.baseUrl = plain.replace("127.0.0.1", "provider.example");
  await wire.call();
  wire.answer = (socket) => {
    wire.clock.advance(2000);
    socket.resetAndDestroy();
  };
  // Of its head's time most is over.
  const pending = wire.call({ headTimeoutMs: 2500 });
  await lookedUp;
  wire.clock.advance(1000);
  wire.answer = (socket) => socket.write(reply("again"));
  open();
  wire.baseUrl = plain;
  assert.deepEqual(await pending, { body: "again", failure: undefined });
});

test("a provider that says 408 on a kept connection had closed it, and the call goes out once more", async () => {
  await wire.call();
  const late = "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
  wire.answer = (socket) => {
    socket.write(late);
    wire.answer = (fresh) => fresh.write(reply("again"));
  };
  assert.deepEqual(await wire.call(), { body: "again", failure: undefined });
  await closed(wire.sockets[0]);
  // On a connection of its own, and where it does not end, it is an answer as any other.
  wire.answer = (socket) => socket.write(late.replace("close", "keep-alive"));
  assert.equal((await wire.call()).body, "");
  assert.equal(wire.sockets.length, 2);
});

test("a connection that does not open in time is given up", async () => {
  const target = wire.upstream.target("http://127.0.0.1:1");
  const failed = new Promise<UpstreamFailure>((resolve) => {
    wire.upstream.send(
      target,
      {
        method: "GET",
        path: "/",
        headers: new HeaderBlock(),
        body: null,
        headTimeoutMs: 1000,
        holder: undefined,
      },
      { onHead: () => undefined, onData: () => true, onEnd: () => undefined, onFail: resolve },
    );
    wire.clock.advance(6000);
  });
  assert.deepEqual(await failed, {
    kind: "TIMEOUT",
    detail: "connect timed out (ETIMEDOUT)",
    unsent: true,
  });
});

test("a provider that speaks no TLS where it should is a failure to connect", async () => {
  wire.answer = (socket) => socket.write(reply("plain"));
  wire.baseUrl = wire.baseUrl.replace("http:", "https:");
  const { failure } = await wire.call();
  wire.baseUrl = wire.baseUrl.replace("https:", "http:");
  assert.equal(failure?.kind, "UNREACHABLE");
  assert.match(failure.detail, /^no connection \(E/);
});

test("over TLS a reply comes whole, in order and paused, from a certificate that is trusted", async () => {
  const pair = makePair("provider");
  const block = "y".repeat(2_000_000);
  const secure = tls.createServer(pair, (socket) => {
    socket.on("error", () => undefined);
    socket.on("data", () => socket.write(reply(block)));
  });
  secure.listen(0, "127.0.0.1");
  await once(secure, "listening");
  const plain = wire.baseUrl;
  wire.baseUrl = `https://127.0.0.1:${String((secure.address() as net.AddressInfo).port)}`;
  const { failure } = await wire.call();
  assert.deepEqual(failure, {
    kind: "UNREACHABLE",
    detail: "no connection (DEPTH_ZERO_SELF_SIGNED_CERT)",
    unsent: true,
  });
  wire.upstream = new Upstream({
    clock: wire.clock,
    policy: POLICY,
    extraCa: [pair.cert.toString()],
  });
  for (let i = 0; i < 2; i++) {
    const { outcome } = wire.start({}, (flight) => {
      setImmediate(() => flight?.resume());
      return false;
    });
    assert.deepEqual(await outcome, { body: block, failure: undefined });
  }
  wire.baseUrl = plain;
  wire.upstream.close();
  secure.close();
  await once(secure, "close");
});
