import assert from "node:assert/strict";
import type net from "node:net";
import { test } from "node:test";
import type { Holder } from "../../server/core/client-key.js";
import { socketsFor } from "../../server/upstream/limits.js";
import { Upstream } from "../../server/upstream/upstream.js";
import { type Resolve, UrlPolicy } from "../../server/upstream/url-policy.js";
import { settleWhile } from "../support/fake-clock.js";
import { closed, type Outcome, reply, useWire } from "./wire.js";

const wire = useWire();

test("a call that is given up while its connection opens leaves it to the next one", async () => {
  wire.upstream = wire.made({ socketsPerOriginMax: 1 });
  const { flight } = wire.start();
  flight.abort();
  assert.equal((await wire.call()).body, "ok");
  assert.equal(wire.upstream.inFlight, 0);
  assert.equal(wire.sockets.length, 1);
});

test("a connection that does not come about takes no place among those of its provider", async () => {
  let isDown = true;
  const resolve: Resolve = (_name, done) => {
    if (isDown) done(new Error("no such name"), []);
    else done(null, [{ address: "127.0.0.1", family: 4 }]);
  };
  const named = new UrlPolicy({ allowCidrs: ["127.0.0.0/8"], resolve });
  wire.upstream = new Upstream({
    clock: wire.clock,
    policy: named,
    limits: { socketsPerOriginMax: 1, waitingPerOriginMax: 0 },
  });
  const plain = wire.baseUrl;
  wire.baseUrl = plain.replace("127.0.0.1", "provider.example");
  for (let i = 0; i < 2; i++) assert.equal((await wire.call()).failure?.kind, "UNREACHABLE");
  isDown = false;
  assert.equal((await wire.call()).body, "ok");
  wire.baseUrl = plain;
});

test("calls beyond the connections wait their turn", async () => {
  wire.upstream = wire.made({ socketsPerOriginMax: 2 });
  const asked: string[] = [];
  wire.answer = (socket, request) => {
    const [path = ""] = /\/\d+/.exec(request) ?? [];
    asked.push(path);
    // Turns later, so that both connections are free while others wait.
    setImmediate(() => socket.write(reply(path)));
  };
  const paths = Array.from({ length: 20 }, (_, at) => `/${String(at)}`);
  const replies = await Promise.all(paths.map((path) => wire.call({ path })));
  assert.deepEqual(
    replies.map(({ body }) => body),
    paths,
  );
  assert.deepEqual(asked.toSorted(), paths.toSorted(), "each goes out once");
  assert.equal(wire.sockets.length, 2);
});

const holder = (ownerId: string, id = ownerId): Holder => ({ ownerId, clientKey: { id } });

/** Answers one request after the other, when it is told to. */
function stepwise(): { readonly asked: string[]; readonly release: () => void } {
  const asked: string[] = [];
  let held: net.Socket | undefined;
  let isOpen = false;
  wire.answer = (socket, request) => {
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
  wire.upstream = wire.made({ socketsPerOriginMax: 1 });
  const { asked, release } = stepwise();
  const calls = ["first", ...Array.from({ length: 5 }, (_, n) => `loud${String(n)}`)].map((path) =>
    wire.call({ path: `/${path}`, holder: holder("usr_loud", "ck_loud") }),
  );
  calls.push(wire.call({ path: "/other", holder: holder("usr_loud", "ck_other") }));
  calls.push(
    wire.call({ path: "/quiet", holder: holder("usr_quiet") }),
    wire.call({ path: "/own" }),
  );
  await settleWhile(() => asked.length === 0);
  release();
  for (const { body } of await Promise.all(calls)) assert.equal(body, "ok");
  const turns = "first loud0 quiet own other loud1 loud2 loud3 loud4";
  assert.deepEqual(asked, turns.split(" "));
});

test("where nobody more may wait, the user with most waiting calls gives up the newest for one with fewer", async () => {
  wire.upstream = wire.made({ socketsPerOriginMax: 1, waitingPerOriginMax: 4 });
  const { asked, release } = stepwise();
  const loud = Array.from({ length: 6 }, (_, n) =>
    wire.call({ path: `/loud${String(n)}`, holder: holder("usr_loud", `ck_${String(n)}`) }),
  );
  const quiet = ["q1", "q2", "q3"].map((path) =>
    wire.call({ path: `/${path}`, holder: holder("usr_quiet") }),
  );
  await settleWhile(() => asked.length === 0);
  release();
  const ended = async (calls: Promise<Outcome>[]) =>
    (await Promise.all(calls)).map(({ body, failure }) => failure?.kind ?? body);
  const away = "OVERLOADED";
  assert.deepEqual(await ended(loud), ["ok", "ok", "ok", away, away, away]);
  assert.deepEqual(await ended(quiet), ["ok", "ok", away]);
  assert.equal(wire.upstream.inFlight, 0);
});

test("a call that is given up while it waits leaves its place, and one beyond all places has not been sent", async () => {
  wire.upstream = wire.made({ socketsPerOriginMax: 1, waitingPerOriginMax: 1 });
  let free: () => void = () => undefined;
  const asked: string[] = [];
  wire.answer = (socket, request) => {
    asked.push(request.slice(0, request.indexOf(" HTTP")));
    free = () => socket.write(reply("ok"));
    if (asked.length > 1) free();
  };
  const first = wire.start({ path: "/first" });
  wire.start({ path: "/left" }).flight.abort();
  const waits = wire.start({ path: "/waits" });
  assert.deepEqual((await wire.call({ path: "/beyond" })).failure, {
    kind: "OVERLOADED",
    detail: "too many calls wait for this provider",
    unsent: true,
  });
  await settleWhile(() => asked.length === 0);
  free();
  assert.equal((await first.outcome).body, "ok");
  assert.equal((await waits.outcome).body, "ok");
  assert.deepEqual(asked, ["GET /first", "GET /waits"]);
});

test("who closes the way out closes what lies idle there, and the rest when its call ends", async () => {
  await wire.call();
  wire.upstream.close();
  await closed(wire.sockets[0]);
  wire.answer = (socket) => {
    wire.upstream.close();
    socket.write(reply("last"));
  };
  assert.equal((await wire.call()).body, "last");
  await closed(wire.sockets[1]);
});

test("a connection that lies idle for too long, or longer than its provider said, is closed", async () => {
  wire.upstream = wire.made({ keepAliveMs: 5000 });
  await wire.call();
  wire.clock.advance(4000);
  await wire.call();
  assert.equal(wire.sockets.length, 1);
  wire.clock.advance(5000);
  await closed(wire.sockets[0]);
  wire.answer = (socket) => socket.write(reply("ok", "keep-alive: timeout=3, max=10\r\n"));
  await wire.call();
  // Earlier than it said: its time began when it sent the reply.
  wire.clock.advance(2000);
  await closed(wire.sockets[1]);
  assert.equal(wire.clock.pending, 0);
});

test("of the origins beyond those that are kept, the least recently used idle one goes", async () => {
  const resolve: Resolve = (_name, done) => {
    done(null, [{ address: "127.0.0.1", family: 4 }]);
  };
  const named = new UrlPolicy({ allowCidrs: ["127.0.0.0/8"], resolve });
  wire.upstream = new Upstream({ clock: wire.clock, policy: named, limits: { originsMax: 2 } });
  const [first, second, third] = ["a.example", "b.example", "c.example"];
  const plain = wire.baseUrl;
  const visit = async (host: string): Promise<void> => {
    wire.baseUrl = plain.replace("127.0.0.1", host);
    assert.equal((await wire.call()).body, "ok");
  };
  for (const host of [first, second, first, third, first]) await visit(host);
  // Had the first one gone in place of the second, it would have needed a new connection.
  assert.equal(wire.sockets.length, 3);
  await closed(wire.sockets[1]);
  for (const host of [second, second]) await visit(host);
  assert.equal(wire.sockets.length, 4);
  wire.baseUrl = plain;
});

test("a user who goes to many origins loses the connections of their own, and nobody else's", async () => {
  const resolve: Resolve = (_name, done) => {
    done(null, [{ address: "127.0.0.1", family: 4 }]);
  };
  const named = new UrlPolicy({ allowCidrs: ["127.0.0.0/8"], resolve });
  wire.upstream = new Upstream({ clock: wire.clock, policy: named, limits: { originsMax: 3 } });
  const plain = wire.baseUrl;
  const visit = async (host: string, who: Holder): Promise<void> => {
    wire.baseUrl = plain.replace("127.0.0.1", host);
    assert.equal((await wire.call({ holder: who })).body, "ok");
  };
  await visit("quiet.example", holder("usr_quiet"));
  for (let n = 0; n < 8; n++) {
    await visit(`loud${String(n)}.example`, holder("usr_loud", `ck_${String(n)}`));
  }
  assert.equal(wire.sockets.length, 9);
  await visit("quiet.example", holder("usr_quiet"));
  assert.equal(wire.sockets.length, 9, "its connection is still there");
  await visit("loud0.example", holder("usr_loud"));
  assert.equal(wire.sockets.length, 10);
  wire.baseUrl = plain;
});

test("there is a connection of every origin for each call that may be under way", () => {
  assert.equal(socketsFor(20_000).socketsPerOriginMax, 20_000);
  assert.equal(socketsFor(10).socketsPerOriginMax, 8192);
});
