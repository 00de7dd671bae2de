import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
import { LongScan } from "../../server/dialect/long-scan.js";
import { replyJson, startUpstreamStub } from "../support/upstream-stub.js";
import { CLIENT_KEY, startGateway } from "./fixture.js";

const CALLERS = 6;
const BODY_BYTES = 700_000;

/** Each caller says something else, and something else at each place. */
function bodyOf(caller: number): string {
  let text = "";
  while (text.length < BODY_BYTES) text += `${String(caller)}:${String(text.length)} `;
  return JSON.stringify({ model: "m", messages: [{ role: "user", content: text }] });
}

test("long bodies that come at the same time reach the provider byte for byte, of known length or in chunks", async (t) => {
  const bodies: string[] = [];
  const stub = await startUpstreamStub((received, res) => {
    bodies.push(received.body.toString());
    return replyJson(200, "{}")(received, res);
  });
  const gateway = await startGateway({ providers: [{ baseUrl: `${stub.origin}/v1` }] });
  t.after(async () => {
    await gateway.close();
    await stub.close();
  });
  const wanted = Array.from({ length: CALLERS }, (_, caller) => bodyOf(caller));
  const ends = wanted.map(async (body, caller) => {
    const socket = net.connect(gateway.port, "127.0.0.1");
    await once(socket, "connect");
    const isChunked = caller % 2 > 0;
    const framing = isChunked
      ? "transfer-encoding: chunked"
      : `content-length: ${String(body.length)}`;
    const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${CLIENT_KEY}`;
    // So that no piece of the body comes with the head.
    socket.write(`${head}\r\nexpect: 100-continue\r\n${framing}\r\n\r\n`);
    await once(socket, "data");
    for (let at = 0; at < body.length; at += 30_000) {
      const piece = body.slice(at, at + 30_000);
      const framed = isChunked ? `${piece.length.toString(16)}\r\n${piece}\r\n` : piece;
      await new Promise((sent) => socket.write(framed, sent));
    }
    if (isChunked) socket.write("0\r\n\r\n");
    const [answer] = (await once(socket, "data")) as [Buffer];
    socket.destroy();
    assert.match(answer.toString(), /^HTTP\/1\.1 200 /);
  });
  await Promise.all(ends);
  assert.deepEqual(bodies.toSorted(), wanted.toSorted());
});

test("a long body is read in steps, each in a turn of the loop of its own, and a short one at once", async (t) => {
  const bodies: Buffer[] = [];
  const stub = await startUpstreamStub((received, res) => {
    bodies.push(received.body);
    return replyJson(200, "{}")(received, res);
  });
  const gateway = await startGateway({ providers: [{ baseUrl: `${stub.origin}/v1` }] });
  let turn = 0;
  let isRunning = true;
  const count = (): void => {
    turn++;
    if (isRunning) setImmediate(count);
  };
  count();
  t.after(async () => {
    isRunning = false;
    await gateway.close();
    await stub.close();
  });
  const turns: number[] = [];
  type Read = (this: LongScan, bytes: number) => boolean;
  const read: Read = Reflect.get(LongScan.prototype, "read");
  t.mock.method(LongScan.prototype, "read", function (this: LongScan, bytes: number) {
    turns.push(turn);
    return read.call(this, bytes);
  });
  const bodyOfValues = (values: number): string =>
    `{"x":[${"1,".repeat(values)}1],"stream":false,"model":"m"}`;
  const bytesOf = async (body: string): Promise<number> => {
    assert.equal((await gateway.post("/v1/chat/completions", body)).status, 200);
    assert.equal(bodies.pop()?.toString() === body, true);
    return body.length;
  };
  await bytesOf(bodyOfValues(30_000));
  assert.deepEqual(turns, []);
  const bytes = await bytesOf(bodyOfValues(1_000_000));
  assert.ok(turns.length >= bytes / 300_000, String(turns.length));
  assert.equal(new Set(turns).size, turns.length);
  const broken = await gateway.post("/v1/chat/completions", `${bodyOfValues(500_000)}}`);
  assert.equal(broken.status, 400);
  assert.match(await broken.text(), /unexpected byte at offset 1000/);
});
