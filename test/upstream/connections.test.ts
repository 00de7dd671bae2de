import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import { after, afterEach, before, beforeEach, test } from "node:test";
import type { Holder } from "../../server/core/client-key.js";
import { HeaderBlock } from "../../server/http/header-block.js";
import type { UpstreamFailure } from "../../server/upstream/failure.js";
import type { Flight, UpstreamRequest } from "../../server/upstream/flight.js";
import type { UpstreamLimits } from "../../server/upstream/limits.js";
import { Upstream } from "../../server/upstream/upstream.js";
import { type Resolve, UrlPolicy } from "../../server/upstream/url-policy.js";
import { makePair } from "../support/certificate.js";
import { FakeClock, settle } from "../support/fake-clock.js";
import { turn } from "../support/upstream-stub.js";

/** A provider that shows its connections and answers as each test says. */
const sockets: net.Socket[] = [];
let answer: (socket: net.Socket, request: string) => void;
const provider = net.createServer((socket) => {
  sockets.push(socket);
  socket.on("error", () => undefined);
  socket.on("data", (bytes: Buffer) => {
    answer(socket, bytes.toString("latin1"));
  });
});
let baseUrl = "";
let clock: FakeClock;
const policy = new UrlPolicy({ allowCidrs: ["127.0.0.0/8"] });
let upstream: Upstream;

before(async () => {
  provider.listen(0, "127.0.0.1");
  await once(provider, "listening");
  baseUrl = `http://127.0.0.1:${String((provider.address() as net.AddressInfo).port)}`;
});

after(() => {
  provider.close();
});

afterEach(() => {
  upstream.close();
  for (const socket of sockets) socket.destroy();
});

beforeEach(() => {
  sockets.length = 0;
  clock = new FakeClock();
  upstream = made({});
  answer = (socket) => socket.write(reply("ok"));
});

function made(limits: Partial<UpstreamLimits>): Upstream {
  return new Upstream({ clock, policy, limits });
}

function reply(body: string, more = ""): string {
  return `HTTP/1.1 200 OK\r\n${more}content-length: ${String(body.length)}\r\n\r\n${body}`;
}

interface Outcome {
  readonly body: string;
  readonly failure: UpstreamFailure | undefined;
}

function start(
  request: Partial<UpstreamRequest> = {},
  onData: (flight: Flight | undefined) => boolean = () => true,
): { flight: Flight; outcome: Promise<Outcome> } {
  let flight: Flight | undefined;
  let body = "";
  let finish: (outcome: Outcome) => void = () => undefined;
  const outcome = new Promise<Outcome>((resolve) => {
    finish = resolve;
  });
  const headers = new HeaderBlock();
  const whole = {
    method: "GET",
    path: "/",
    headers,
    body: null,
    headTimeoutMs: 5000,
    holder: undefined,
  } as const;
  flight = upstream.send(
    upstream.target(baseUrl),
    { ...whole, ...request },
    {
      onHead: () => undefined,
      onData: (chunk) => {
        body += chunk.toString("latin1");
        return onData(flight);
      },
      onEnd: () => {
        finish({ body, failure: undefined });
      },
      onFail: (failure) => {
        finish({ body, failure });
      },
    },
  );
  return { flight, outcome };
}

async function call(request: Partial<UpstreamRequest> = {}): Promise<Outcome> {
  return start(request).outcome;
}

function block(name: string, value: string): HeaderBlock {
  const headers = new HeaderBlock();
  headers.add(name, value);
  return headers;
}

/** Until the other side has seen the connection close. */
async function closed(socket: net.Socket | undefined): Promise<void> {
  if (socket?.closed === false) await once(socket, "close");
}

test("a connection serves one call after the other", async () => {
  for (let i = 0; i < 3; i++) assert.equal((await call()).body, "ok");
  assert.equal(sockets.length, 1);
});

test("a request goes out as it was given, with host and length, whatever its size", async () => {
  let seen = "";
  const body = Buffer.alloc(100_000, "b");
  answer = (socket, request) => {
    seen += request;
    if (seen.length > body.length) socket.write(reply("ok"));
  };
  await call({ method: "POST", path: "/v1/x?a=1", headers: block("x-a", "\xe9 b"), body });
  const end = seen.indexOf("\r\n\r\n");
  const host = baseUrl.slice("http://".length);
  assert.equal(
    seen.slice(0, end),
    `POST /v1/x?a=1 HTTP/1.1\r\nhost: ${host}\r\nconnection: keep-alive\r\nx-a: \xe9 b\r\ncontent-length: 100000`,
  );
  assert.equal(seen.slice(end + 4), body.toString());
});

test("a request that could become two is never sent, and its connection stays good", async () => {
  await call();
  let seen = "";
  answer = (socket, request) => {
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
    const { failure } = await call(request);
    assert.equal(failure?.kind, "UNREACHABLE", JSON.stringify(request));
  }
  assert.equal(seen, "");
  assert.equal((await call()).body, "ok");
  assert.equal(sockets.length, 1);
});

test("bytes that nobody asked for never become a reply", async () => {
  answer = (socket) => socket.write(`${reply("ok")}${reply("evil")}`);
  assert.equal((await call()).body, "ok");
  answer = (socket) => socket.write(reply("second"));
  assert.equal((await call()).body, "second");
  assert.equal(sockets.length, 2);
  // And while it lies idle.
  sockets[1]?.write(reply("evil"));
  await closed(sockets[1]);
  assert.equal((await call()).body, "second");
  assert.equal(sockets.length, 3);
});

test("a connection that its provider means to close is not used again", async () => {
  const ends = ["connection: close\r\n", "keep-alive: timeout=1\r\n"];
  for (const end of ends) {
    answer = (socket) => socket.write(reply("ok", end));
    await call();
  }
  answer = (socket) => socket.write(reply("ok"));
  await call();
  assert.equal(sockets.length, ends.length + 1);
});

test("a reply before the whole request is out closes its connection", async () => {
  answer = (socket) => {
    socket.pause();
    socket.write(reply("too much"));
  };
  const body = Buffer.alloc(32 * 1024 * 1024);
  assert.equal((await call({ method: "POST", body })).body, "too much");
  answer = () => undefined;
  sockets[0]?.resume();
  await closed(sockets[0]);
});

test("a body that breaks off is told from one that ends with its connection", async () => {
  answer = (socket) => socket.end("HTTP/1.1 200 OK\r\n\r\nall of it");
  assert.deepEqual(await call(), { body: "all of it", failure: undefined });
  answer = (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nnot all");
  assert.equal((await call()).failure?.kind, "CUT");
  answer = (socket) => socket.end();
  assert.equal((await call()).failure?.kind, "UNREACHABLE");
  assert.equal(upstream.inFlight, 0);
});

test("a provider has its time anew when its reply is let flow again, and is the one who is late then", async () => {
  for (const goesOn of [true, false]) {
    upstream = made({ idleTimeoutMs: 3000, stallTimeoutMs: 3000 });
    const at = sockets.length;
    answer = (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n0");
    let hear: () => void = () => undefined;
    const heard = new Promise<void>((resolve) => {
      hear = resolve;
    });
    let read = 0;
    const { flight, outcome } = start({}, () => {
      hear();
      return ++read > 1;
    });
    await heard;
    clock.advance(2000);
    flight.resume();
    clock.advance(2000);
    if (goesOn) sockets[at]?.write("1");
    else clock.advance(2000);
    const { body, failure } = await outcome;
    assert.deepEqual([body, failure?.kind], goesOn ? ["01", undefined] : ["0", "TIMEOUT"]);
  }
});

test("a call that takes too long, at whatever, ends once and closes its connection", async () => {
  const slow = { socketsPerOriginMax: 1, socketWaitMs: 2000, idleTimeoutMs: 3000 };
  upstream = made({ ...slow, totalTimeoutMs: 9000 });
  const asked = new Promise<void>((resolve) => {
    answer = () => {
      resolve();
    };
  });
  const silent = start({ headTimeoutMs: 4000 });
  const waiting = start();
  await asked;
  clock.advance(3000);
  assert.deepEqual((await waiting.outcome).failure, {
    kind: "TIMEOUT",
    detail: "no connection became free in time",
    unsent: true,
  });
  clock.advance(2000);
  assert.deepEqual((await silent.outcome).failure, {
    kind: "TIMEOUT",
    detail: "the provider did not answer in time",
  });
  await closed(sockets[0]);
  assert.equal(upstream.inFlight, 0);
  // Never still for long, and never at its end.
  answer = (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n0");
  let read = 0;
  const endless = start({}, () => {
    if (++read <= 5) {
      clock.advance(2000);
      sockets[1]?.write("1");
    }
    return true;
  });
  assert.deepEqual((await endless.outcome).failure, {
    kind: "TIMEOUT",
    detail: "the call took too long in all",
  });
  await closed(sockets[1]);
  assert.deepEqual([read, upstream.inFlight], [5, 0]);
});

test("what is no reply is the provider's failure and ends its connection", async () => {
  answer = (socket) =>
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n");
  const { failure } = await call();
  assert.deepEqual(failure, { kind: "PROTOCOL", detail: "reply refused: it has two lengths" });
  await closed(sockets[0]);
});

test("a reader that has enough stops its provider until it wants more", async () => {
  const block = Buffer.alloc(1024 * 1024, "x");
  answer = (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${String(block.length * 16)}\r\n\r\n`);
    for (let i = 0; i < 16; i++) socket.write(block);
  };
  let pauses = 0;
  const { outcome } = start({}, (flight) => {
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
  answer = (socket) => {
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
  start({}, () => {
    read++;
    hear();
    return false;
  });
  await heard;
  for (let i = 0; i < 10; i++) {
    first?.write("more");
    // Comes on another connection, after what the first one was sent.
    assert.equal((await call()).body, "ok");
  }
  assert.equal(read, 1);
});

test("a call that is given up takes its connection with it, and says nothing more", async () => {
  answer = (socket) => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart");
  let told = 0;
  let hear: () => void = () => undefined;
  const heard = new Promise<void>((resolve) => {
    hear = resolve;
  });
  const { flight, outcome } = start({}, () => {
    told++;
    hear();
    return true;
  });
  void outcome.then(() => told++);
  await heard;
  flight.abort();
  await closed(sockets[0]);
  assert.deepEqual([told, upstream.inFlight], [1, 0]);
});

test("a call that is given up while its connection opens leaves it to the next one", async () => {
  upstream = made({ socketsPerOriginMax: 1 });
  const { flight } = start();
  flight.abort();
  assert.equal((await call()).body, "ok");
  assert.equal(upstream.inFlight, 0);
  assert.equal(sockets.length, 1);
});

test("a connection that does not come about takes no place among those of its provider", async () => {
  let isDown = true;
  const resolve: Resolve = (_name, done) => {
    if (isDown) done(new Error("no such name"), []);
    else done(null, [{ address: "127.0.0.1", family: 4 }]);
  };
  const named = new UrlPolicy({ allowCidrs: ["127.0.0.0/8"], resolve });
  upstream = new Upstream({
    clock,
    policy: named,
    limits: { socketsPerOriginMax: 1, waitingPerOriginMax: 0 },
  });
  const plain = baseUrl;
  baseUrl = plain.replace("127.0.0.1", "provider.example");
  for (let i = 0; i < 2; i++) assert.equal((await call()).failure?.kind, "UNREACHABLE");
  isDown = false;
  assert.equal((await call()).body, "ok");
  baseUrl = plain;
});

test("calls beyond the connections wait their turn", async () => {
  upstream = made({ socketsPerOriginMax: 2 });
  const asked: string[] = [];
  answer = (socket, request) => {
    const [path = ""] = /\/\d+/.exec(request) ?? [];
    asked.push(path);
    // Turns later, so that both connections are free while others wait.
    setImmediate(() => socket.write(reply(path)));
  };
  const paths = Array.from({ length: 20 }, (_, at) => `/${String(at)}`);
  const replies = await Promise.all(paths.map((path) => call({ path })));
  assert.deepEqual(
    replies.map(({ body }) => body),
    paths,
  );
  assert.deepEqual(asked.toSorted(), paths.toSorted(), "each goes out once");
  assert.equal(sockets.length, 2);
});

const holder = (ownerId: string, id = ownerId): Holder => ({ ownerId, clientKey: { id } });

/** Answers one request after the other, when it is told to. */
function stepwise(): { readonly asked: string[]; readonly release: () => void } {
  const asked: string[] = [];
  let held: net.Socket | undefined;
  let isOpen = false;
  answer = (socket, request) => {
    asked.push(/ \/(\S*)/.exec(request)?.[1] ?? "");
    if (isOpen) socket.write(reply("ok"));
    else held = socket;
  };
  const release = (): void => {
    isOpen = true;
    held?.write(reply("ok"));
  };
  return { asked, release };
}

test("users take turns at the connections, and so do the client keys of each", async () => {
  upstream = made({ socketsPerOriginMax: 1 });
  const { asked, release } = stepwise();
  const calls = ["first", ...Array.from({ length: 5 }, (_, n) => `loud${String(n)}`)].map((path) =>
    call({ path: `/${path}`, holder: holder("usr_loud", "ck_loud") }),
  );
  calls.push(call({ path: "/other", holder: holder("usr_loud", "ck_other") }));
  calls.push(call({ path: "/quiet", holder: holder("usr_quiet") }), call({ path: "/own" }));
  while (asked.length === 0) await settle();
  release();
  for (const { body } of await Promise.all(calls)) assert.equal(body, "ok");
  const turns = "first loud0 quiet own other loud1 loud2 loud3 loud4";
  assert.deepEqual(asked, turns.split(" "));
});

test("where nobody more may wait, the user with most waiting calls gives up the newest for one with fewer", async () => {
  upstream = made({ socketsPerOriginMax: 1, waitingPerOriginMax: 4 });
  const { asked, release } = stepwise();
  const loud = Array.from({ length: 6 }, (_, n) =>
    call({ path: `/loud${String(n)}`, holder: holder("usr_loud", `ck_${String(n)}`) }),
  );
  const quiet = ["q1", "q2", "q3"].map((path) =>
    call({ path: `/${path}`, holder: holder("usr_quiet") }),
  );
  while (asked.length === 0) await settle();
  release();
  const ended = async (calls: Promise<Outcome>[]) =>
    (await Promise.all(calls)).map(({ body, failure }) => failure?.kind ?? body);
  const away = "OVERLOADED";
  assert.deepEqual(await ended(loud), ["ok", "ok", "ok", away, away, away]);
  assert.deepEqual(await ended(quiet), ["ok", "ok", away]);
  assert.equal(upstream.inFlight, 0);
});

test("a call that is given up while it waits leaves its place, and one beyond all places has not been sent", async () => {
  upstream = made({ socketsPerOriginMax: 1, waitingPerOriginMax: 1 });
  let free: () => void = () => undefined;
  const asked: string[] = [];
  answer = (socket, request) => {
    asked.push(request.slice(0, request.indexOf(" HTTP")));
    free = () => socket.write(reply("ok"));
    if (asked.length > 1) free();
  };
  const first = start({ path: "/first" });
  start({ path: "/left" }).flight.abort();
  const waits = start({ path: "/waits" });
  assert.deepEqual((await call({ path: "/beyond" })).failure, {
    kind: "OVERLOADED",
    detail: "too many calls wait for this provider",
    unsent: true,
  });
  while (asked.length === 0) await turn();
  free();
  assert.equal((await first.outcome).body, "ok");
  assert.equal((await waits.outcome).body, "ok");
  assert.deepEqual(asked, ["GET /first", "GET /waits"]);
});

test("who closes the way out closes what lies idle there, and the rest when its call ends", async () => {
  await call();
  upstream.close();
  await closed(sockets[0]);
  answer = (socket) => {
    upstream.close();
    socket.write(reply("last"));
  };
  assert.equal((await call()).body, "last");
  await closed(sockets[1]);
});

test("a connection that lies idle for too long, or longer than its provider said, is closed", async () => {
  upstream = made({ keepAliveMs: 5000 });
  await call();
  clock.advance(4000);
  await call();
  assert.equal(sockets.length, 1);
  clock.advance(6000);
  await closed(sockets[0]);
  answer = (socket) => socket.write(reply("ok", "keep-alive: timeout=3, max=10\r\n"));
  await call();
  clock.advance(3000);
  await closed(sockets[1]);
  assert.equal(clock.pending, 0);
});

test("a kept connection that closes under a request is replaced once, a fresh one never", async () => {
  await call();
  clock.advance(5000);
  let resets = 0;
  answer = (socket) => {
    resets++;
    socket.resetAndDestroy();
  };
  assert.deepEqual((await call()).failure, {
    kind: "UNREACHABLE",
    detail: "connection closed before a reply (ECONNRESET)",
  });
  assert.equal(resets, 2);
  assert.equal((await call()).failure?.kind, "UNREACHABLE");
  assert.equal(resets, 3);
});

test("a call that its provider may have worked on for a while is not sent again in silence", async () => {
  await call();
  let requests = 0;
  const asked = new Promise<void>((resolve) => {
    answer = (socket) => {
      if (++requests > 1) socket.write(reply("again"));
      resolve();
    };
  });
  const { outcome } = start();
  await asked;
  clock.advance(4000);
  sockets[0]?.resetAndDestroy();
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
    if (sockets.length === 0) {
      found();
      return;
    }
    open = found;
    asksAgain();
  };
  const named = new UrlPolicy({ allowCidrs: ["127.0.0.0/8"], resolve: loopback });
  upstream = new Upstream({ clock, policy: named, limits: { socketWaitMs: 1000 } });
  const plain = baseUrl;
  baseUrl = plain.replace("127.0.0.1", "provider.example");
  await call();
  answer = (socket) => {
    clock.advance(2000);
    socket.resetAndDestroy();
  };
  const pending = call();
  await lookedUp;
  clock.advance(1000);
  answer = (socket) => socket.write(reply("again"));
  open();
  baseUrl = plain;
  assert.deepEqual(await pending, { body: "again", failure: undefined });
});

test("of the origins beyond those that are kept, the least recently used idle one goes", async () => {
  const resolve: Resolve = (_name, done) => {
    done(null, [{ address: "127.0.0.1", family: 4 }]);
  };
  const named = new UrlPolicy({ allowCidrs: ["127.0.0.0/8"], resolve });
  upstream = new Upstream({ clock, policy: named, limits: { originsMax: 2 } });
  const [first, second, third] = ["a.example", "b.example", "c.example"];
  const plain = baseUrl;
  const visit = async (host: string): Promise<void> => {
    baseUrl = plain.replace("127.0.0.1", host);
    assert.equal((await call()).body, "ok");
  };
  for (const host of [first, second, first, third, first]) await visit(host);
  // Had the first one gone in place of the second, it would have needed a new connection.
  assert.equal(sockets.length, 3);
  await closed(sockets[1]);
  for (const host of [second, second]) await visit(host);
  assert.equal(sockets.length, 4);
  baseUrl = plain;
});

test("a user who goes to many origins loses the connections of their own, and nobody else's", async () => {
  const resolve: Resolve = (_name, done) => {
    done(null, [{ address: "127.0.0.1", family: 4 }]);
  };
  const named = new UrlPolicy({ allowCidrs: ["127.0.0.0/8"], resolve });
  upstream = new Upstream({ clock, policy: named, limits: { originsMax: 3 } });
  const plain = baseUrl;
  const visit = async (host: string, who: Holder): Promise<void> => {
    baseUrl = plain.replace("127.0.0.1", host);
    assert.equal((await call({ holder: who })).body, "ok");
  };
  await visit("quiet.example", holder("usr_quiet"));
  for (let n = 0; n < 8; n++) {
    await visit(`loud${String(n)}.example`, holder("usr_loud", `ck_${String(n)}`));
  }
  assert.equal(sockets.length, 9);
  await visit("quiet.example", holder("usr_quiet"));
  assert.equal(sockets.length, 9, "its connection is still there");
  await visit("loud0.example", holder("usr_loud"));
  assert.equal(sockets.length, 10);
  baseUrl = plain;
});

test("a provider that says 408 on a kept connection had closed it, and the call goes out once more", async () => {
  await call();
  const late = "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
  answer = (socket) => {
    socket.write(late);
    answer = (fresh) => fresh.write(reply("again"));
  };
  assert.deepEqual(await call(), { body: "again", failure: undefined });
  await closed(sockets[0]);
  // On a connection of its own, and where it does not end, it is an answer as any other.
  answer = (socket) => socket.write(late.replace("close", "keep-alive"));
  assert.equal((await call()).body, "");
  assert.equal(sockets.length, 2);
});

test("a connection that does not open in time is given up", async () => {
  const target = upstream.target("http://127.0.0.1:1");
  const failed = new Promise<UpstreamFailure>((resolve) => {
    upstream.send(
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
    clock.advance(6000);
  });
  assert.deepEqual(await failed, {
    kind: "TIMEOUT",
    detail: "connect timed out (ETIMEDOUT)",
    unsent: true,
  });
});

test("a provider that speaks no TLS where it should is a failure to connect", async () => {
  answer = (socket) => socket.write(reply("plain"));
  baseUrl = baseUrl.replace("http:", "https:");
  const { failure } = await call();
  baseUrl = baseUrl.replace("https:", "http:");
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
  const plain = baseUrl;
  baseUrl = `https://127.0.0.1:${String((secure.address() as net.AddressInfo).port)}`;
  const { failure } = await call();
  assert.deepEqual(failure, {
    kind: "UNREACHABLE",
    detail: "no connection (DEPTH_ZERO_SELF_SIGNED_CERT)",
    unsent: true,
  });
  upstream = new Upstream({ clock, policy, extraCa: [pair.cert.toString()] });
  for (let i = 0; i < 2; i++) {
    const { outcome } = start({}, (flight) => {
      setImmediate(() => flight?.resume());
      return false;
    });
    assert.deepEqual(await outcome, { body: block, failure: undefined });
  }
  baseUrl = plain;
  upstream.close();
  secure.close();
  await once(secure, "close");
});
