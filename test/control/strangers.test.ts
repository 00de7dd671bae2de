import assert from "node:assert/strict";
import http2 from "node:http2";
import net from "node:net";
import { test, type TestContext } from "node:test";
import { CONNECTION_LIMITS } from "../../server/control/connections.js";
import { frame, goAwayCodes, HTTP2_BEGIN, postHead } from "../support/http2-frames.js";
import { type Control, startControl } from "./harness.js";
import { refusal } from "./refusal.js";

const WHO_AM_I = "/latchkey.v1.SessionService/WhoAmI";
/** One request of a stranger at once, and one more each second. */
const SLOW = { perSecond: 1, burst: 1, waitingMax: 100, runningMax: 100 };

test("strangers wait for each other, and nobody waits for them whose credential is good", async (t) => {
  const control = await startControl(t, SLOW);
  const token = await control.login(control.alice);
  const clientKey = (await control.localApi().clientKeys.createClientKey({ name: "a" })).secret;
  const connection = connect(t, control);
  assert.equal(await answered(connection, { authorization: `Bearer ${token}` }), 200);

  const strangers = [connect(t, control), connect(t, control)];
  const refused = strangers.map((each) => answered(each, { authorization: "Bearer lks_no" }));
  assert.equal(await answered(connection, { authorization: `Bearer ${token}` }), 200, "known here");
  assert.equal(
    await answered(connect(t, control), { authorization: `Bearer ${clientKey}` }),
    200,
    "known from memory",
  );
  const another = answered(connect(t, control), { authorization: `Bearer ${token}` });
  await advanced(control, 3_000, [...refused, another]);
  assert.deepEqual(await Promise.all(refused), [401, 401]);
  assert.equal(await another, 200);
});

test("a connection that only takes requests back is closed", async (t) => {
  const control = await startControl(t, SLOW);
  const connection = connect(t, control);
  assert.equal(await answered(connection, {}), 401);
  const told: number[] = [];
  connection.on("goaway", (code) => told.push(code));
  const closed = new Promise((resolve) => connection.once("close", resolve));
  for (let i = 0; i < 150 && !connection.closed && !connection.destroyed; i++) {
    const request = connection.request({ ":method": "POST", ":path": WHO_AM_I });
    request.on("error", () => undefined);
    request.end("{}", () => request.close(http2.constants.NGHTTP2_CANCEL));
    await new Promise((resolve) => request.once("close", resolve));
  }
  await closed;
  assert.deepEqual(told, [http2.constants.NGHTTP2_ENHANCE_YOUR_CALM]);
});

test("whoever begins streams and resets them as fast as bytes go is told to calm down, and calls go on", async (t) => {
  const control = await startControl(t);
  const token = await control.login(control.alice);
  const known = connect(t, control);
  assert.equal(await answered(known, { authorization: `Bearer ${token}` }), 200);
  const resets = Array.from({ length: 1_000 }, (_, i) =>
    Buffer.concat([
      frame(1, 5, 2 * i + 1, postHead(WHO_AM_I)),
      frame(3, 0, 2 * i + 1, Buffer.from([0, 0, 0, 8])),
    ]),
  );
  const floods = Array.from({ length: 30 }, () => sent(t, control, ...resets));
  assert.equal(await answered(known, { authorization: `Bearer ${token}` }), 200);
  for (const received of await Promise.all(floods)) {
    assert.deepEqual(goAwayCodes(received), [http2.constants.NGHTTP2_ENHANCE_YOUR_CALM]);
  }
  assert.equal(await answered(known, { authorization: `Bearer ${token}` }), 200);
});

for (const [name, flood] of Object.entries({
  settings: frame(4, 0, 0),
  pings: frame(6, 0, 0, Buffer.alloc(8)),
  "empty pieces of a message": frame(0, 0, 1),
  "header lines without end": frame(9, 0, 1),
  priorities: frame(2, 0, 1, Buffer.from([0, 0, 0, 0, 1])),
  windows: frame(8, 0, 0, Buffer.from([0, 0, 0, 1])),
  "frames of no known kind": frame(77, 0, 0),
})) {
  test(`a stranger who sends ${name} is told to calm down`, async (t) => {
    const control = await startControl(t);
    const isHead = flood[3] === 9;
    const head = frame(1, isHead ? 0 : 4, 1, postHead(WHO_AM_I));
    const received = await sent(t, control, head, ...Array.from({ length: 1_000 }, () => flood));
    assert.deepEqual(goAwayCodes(received), [http2.constants.NGHTTP2_ENHANCE_YOUR_CALM]);
  });
}

test("header lines longer than over HTTP/1.1 are refused, and the connection goes on", async (t) => {
  const control = await startControl(t);
  const connection = connect(t, control);
  // Of its first request, and of the others.
  for (let i = 0; i < 2; i++) {
    const long = answered(connection, { "x-long": "y".repeat(17_000) });
    await assert.rejects(long, /ENHANCE_YOUR_CALM/);
    assert.equal(await answered(connection, {}), 401);
  }
});

test("a user gets in while a stranger holds more connections than there may be", async (t) => {
  const limits = { ...CONNECTION_LIMITS, connectionsOfStrangersMax: 4 };
  const control = await startControl(t, undefined, limits);
  const token = await control.login(control.alice);
  const known = connect(t, control);
  assert.equal(await answered(known, { authorization: `Bearer ${token}` }), 200);
  const held = Array.from({ length: 12 }, () => sent(t, control));
  const gone = held.slice(0, 8);
  await Promise.all(gone);
  assert.equal(await answered(connect(t, control), { authorization: `Bearer ${token}` }), 200);
  assert.equal(await answered(known, { authorization: `Bearer ${token}` }), 200);
});

/** What a connection gets until it is closed, over which the frames go. */
function sent(t: TestContext, control: Control, ...frames: Buffer[]): Promise<Buffer> {
  const { hostname, port } = new URL(`http://${control.address}`);
  const socket = net.connect(Number(port), hostname);
  t.after(() => socket.destroy());
  const received: Buffer[] = [];
  socket.on("data", (bytes) => received.push(bytes));
  socket.on("error", () => undefined);
  socket.write(Buffer.concat([HTTP2_BEGIN, ...frames]));
  return new Promise((resolve) => {
    socket.on("close", () => resolve(Buffer.concat(received)));
  });
}

test("a stranger's long message is not read, and whoever is known may send one", async (t) => {
  const control = await startControl(t);
  const note = "x".repeat(100_000);
  const create = (api: ReturnType<Control["api"]>): Promise<unknown> =>
    api.clientKeys.createClientKey({ name: "a", description: note });
  const told = await refusal("RESOURCE_EXHAUSTED", create(control.api("lks_no")));
  assert.match(told.message, /message|bytes|size/i);
  await refusal("INVALID_ARGUMENT", create(await control.as(control.alice)));
});

test("who has too many streams open is told so, and may open one when another ends", async (t) => {
  const control = await startControl(t);
  const api = await control.as(control.alice);
  const ends = Array.from({ length: 32 }, () => new AbortController());
  const open = async ({ signal }: AbortController): Promise<unknown> => {
    const changes = api.calls.watchCalls({}, { signal })[Symbol.asyncIterator]();
    return changes.next();
  };
  await Promise.all(ends.map(open));
  const told = await refusal("RESOURCE_EXHAUSTED", open(new AbortController()));
  assert.match(told.message, /end one of them/);
  ends[0]?.abort();
  const last = new AbortController();
  const opened = async (): Promise<unknown> => open(last).catch(() => opened());
  await opened();
  for (const end of [...ends, last]) end.abort();
});

function connect(t: TestContext, control: Control): http2.ClientHttp2Session {
  const connection = http2.connect(`http://${control.address}`);
  connection.on("error", () => undefined);
  t.after(() => connection.destroy());
  return connection;
}

/** The status of one request's answer. */
function answered(
  connection: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const fixed = { ":method": "POST", ":path": WHO_AM_I, "content-type": "application/json" };
    const request = connection.request({ ...fixed, ...headers });
    request.on("response", (head) => resolve(head[":status"]));
    request.on("error", reject);
    request.resume();
    request.end("{}");
  });
}

/** Lets time pass until all is done. */
async function advanced(
  control: Control,
  ms: number,
  all: readonly Promise<unknown>[],
): Promise<void> {
  const open = new Set(all);
  for (const each of all) void each.then(() => open.delete(each));
  while (open.size > 0) await control.clock.run(ms);
}
