import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import { test, type TestContext } from "node:test";
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
  const closed = once(connection, "close");
  for (let i = 0; i < 150 && !connection.closed && !connection.destroyed; i++) {
    const request = connection.request({ ":method": "POST", ":path": WHO_AM_I });
    request.on("error", () => undefined);
    request.end("{}", () => request.close(http2.constants.NGHTTP2_CANCEL));
    await once(request, "close");
  }
  await closed;
});

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
