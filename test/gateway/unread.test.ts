import assert from "node:assert/strict";
import net from "node:net";
import { after, before, test } from "node:test";
import { settle, settleWhile } from "../support/fake-clock.js";
import { replyJson, startUpstreamStub, type UpstreamStub } from "../support/upstream-stub.js";
import { CLIENT_KEY, startGateway, type TestGateway } from "./fixture.js";

/** More than the operating system keeps for a reader that does not read. */
const REPLY_BYTES = 12 * 1024 * 1024;
const REPLY = JSON.stringify({ choices: [], x: "y".repeat(REPLY_BYTES) });
const BODY = '{"model":"m"}';
const REQUEST = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${CLIENT_KEY}\r\ncontent-length: ${String(BODY.length)}\r\n\r\n${BODY}`;

let stub: UpstreamStub;
let gateway: TestGateway;

before(async () => {
  stub = await startUpstreamStub(replyJson(200, REPLY));
  gateway = await startGateway({
    providers: [{ baseUrl: stub.origin }],
    limits: { unreadBytesMax: REPLY_BYTES * 2.5, wholeReplyBytesMax: REPLY_BYTES * 2 },
  });
});

after(async () => {
  await gateway.close();
  await stub.close();
});

/** Asks, and reads nothing of the answer before it is told to. */
async function ask(records: number): Promise<net.Socket> {
  const socket = net.connect(gateway.port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.pause();
  socket.write(REQUEST);
  await gateway.sink.record(records);
  return socket;
}

async function bytesOf(socket: net.Socket): Promise<number> {
  let bytes = 0;
  socket.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes >= REPLY.length) socket.end();
  });
  await new Promise((resolve) => {
    socket.once("close", resolve);
    socket.resume();
  });
  return bytes;
}

test("answers that nobody reads are bounded: the oldest is broken off, and the others come whole", async () => {
  const sockets: net.Socket[] = [];
  for (let i = 1; i <= 3; i++) sockets.push(await ask(i));
  const [first, ...others] = sockets;
  while (gateway.gateway.connections.refusals("UNREAD") === 0) {
    await settle();
  }
  assert.ok(first !== undefined && (await bytesOf(first)) < REPLY.length);
  for (const socket of others) assert.ok((await bytesOf(socket)) > REPLY.length);
  assert.equal(gateway.gateway.connections.refusals("UNREAD"), 1);
  assert.equal(gateway.sink.records.filter((each) => each.httpStatus === 200).length, 3);
});

test("a reply that there is no room to collect goes on as it comes; one that is translated is refused", async (t) => {
  const anthropic = await startUpstreamStub(replyJson(200, `{"x":"${"y".repeat(500_000)}"}`));
  const tight = await startGateway({
    providers: [{ baseUrl: stub.origin }],
    limits: { bodyBytesInFlightMax: 200_000, wholeReplyBytesMax: REPLY_BYTES * 2 },
  });
  const translating = await startGateway({
    providers: [{ baseUrl: anthropic.origin, dialect: "ANTHROPIC" }],
    limits: { bodyBytesInFlightMax: 200_000 },
  });
  t.after(async () => {
    await Promise.all([tight.close(), translating.close(), anthropic.close()]);
  });
  const chat = { model: "m", messages: [{ role: "user", content: "z".repeat(60_000) }] };
  for (let i = 1; i <= 2; i++) {
    const whole = await tight.post("/v1/chat/completions", chat);
    assert.ok((await whole.text()) === REPLY);
    const refused = await translating.post("/v1/chat/completions", chat);
    assert.equal(refused.status, 503);
    assert.match(await refused.text(), /"overloaded"/);
    assert.equal((await translating.sink.record(i)).errorCode, "overloaded");
  }
  assert.deepEqual(translating.pool.outcomes, ["CALLER_ABORTED", "CALLER_ABORTED"]);
});

test("a stream that is cut since it was left unread is on record as that", async (t) => {
  const event = `data: {"x":"${"y".repeat(100_000)}"}\n\n`;
  const flooding = await startUpstreamStub((_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    const more = (): void => {
      while (!res.destroyed && res.write(event));
    };
    res.on("drain", more);
    more();
  });
  const streaming = await startGateway({
    providers: [{ baseUrl: flooding.origin }],
    limits: { unreadBytesMax: 50_000 },
  });
  const body = '{"model":"m","stream":true}';
  const socket = net.connect(streaming.port, "127.0.0.1");
  t.after(async () => {
    socket.destroy();
    await Promise.all([streaming.close(), flooding.close()]);
  });
  socket.on("error", () => undefined);
  socket.pause();
  socket.write(REQUEST.replace(String(BODY.length), String(body.length)).replace(BODY, body));
  const { errorCode, httpStatus, errorMessage } = await streaming.sink.record();
  assert.deepEqual([errorCode, httpStatus], ["answer_unread", 499]);
  assert.match(errorMessage ?? "", /unread/);
});

test("replies that come slowly and are collected take no room from the small calls of their key", async (t) => {
  const roomBytes = 2_000_000;
  const replyBytes = roomBytes / 20;
  const quick = 3;
  const message = JSON.stringify({ content: [{ type: "text", text: "Hi" }] });
  const answers: (() => unknown)[] = [];
  const anthropic = await startUpstreamStub((received, res) => {
    if (received.body.includes("slow")) {
      res.writeHead(200, { "content-type": "application/json" });
      res.write(`{"x":"${"y".repeat(replyBytes)}`);
    } else if (answers.push(() => replyJson(200, message)(received, res)) === quick) {
      for (const answer of answers) answer();
    }
  });
  const translating = await startGateway({
    providers: [{ baseUrl: anthropic.origin, dialect: "ANTHROPIC" }],
    limits: { bodyBytesInFlightMax: roomBytes, drainTimeoutMs: 0 },
  });
  t.after(async () => {
    await Promise.all([translating.close(), anthropic.close()]);
  });
  const statusOf = async (content: string): Promise<number> => {
    const body = { model: "m", messages: [{ role: "user", content }] };
    return (await translating.post("/v1/chat/completions", body)).status;
  };
  const refused: number[] = [];
  for (let calls = 1; refused.length === 0; calls++) {
    statusOf("slow").then(
      (status) => refused.push(status),
      () => undefined,
    );
    const { gateway: slow } = translating;
    await settleWhile(() => refused.length === 0 && slow.held.bodies < calls * replyBytes);
  }
  assert.deepEqual(refused, [503]);
  // Together they take more than a slow one would.
  const small = "z".repeat(replyBytes / 2);
  const statuses = await Promise.all(Array.from({ length: quick }, () => statusOf(small)));
  assert.deepEqual(statuses, [200, 200, 200]);
});

test("replies that come slowly and may go on as they come are held for a fifth of the room", async (t) => {
  const roomBytes = 2_000_000;
  const replyBytes = 100_000;
  const usage = { prompt_tokens: 3, completion_tokens: 4 };
  const reply = JSON.stringify({ choices: [], x: "y".repeat(replyBytes), usage });
  const rests: (() => void)[] = [];
  const slow = await startUpstreamStub((_received, res) => {
    res.writeHead(200, { "content-type": "application/json", "content-length": reply.length });
    res.write(reply.slice(0, replyBytes));
    rests.push(() => res.end(reply.slice(replyBytes)));
  });
  const passing = await startGateway({
    providers: [{ baseUrl: slow.origin }],
    limits: { bodyBytesInFlightMax: roomBytes },
  });
  t.after(async () => {
    await Promise.all([passing.close(), slow.close()]);
  });
  const answers: Promise<Response>[] = [];
  const begun: Response[] = [];
  while (begun.length === 0) {
    const answer = passing.post("/v1/chat/completions", { model: "m", messages: [] });
    answers.push(answer);
    void answer.then((response) => begun.push(response));
    const { gateway: held } = passing;
    const bytesMin = answers.length * replyBytes * 0.9;
    await settleWhile(() => begun.length === 0 && held.held.bodies < bytesMin);
    // The requests are bodies as well.
    assert.ok(held.held.bodies <= roomBytes / 5 + answers.length * 100);
  }
  // Whether they were collected or not, they come whole, and what they used is counted.
  for (const rest of rests) rest();
  for (const answer of answers) assert.equal(await (await answer).text(), reply);
  await passing.sink.record(answers.length);
  for (const { tokens } of passing.sink.records) {
    assert.deepEqual([tokens?.input, tokens?.output], [3, 4]);
  }
});
