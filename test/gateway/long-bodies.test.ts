import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
import { LongWorks } from "../../server/core/long-works.js";
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

test("a long batch, and a long body for a deployment, are read in steps and refused for what stands at their end", async (t) => {
  const stub = await startUpstreamStub(replyJson(200, "{}"));
  const anthropic = await startGateway({
    providers: [{ baseUrl: `${stub.origin}/v1`, dialect: "ANTHROPIC" }],
  });
  const openai = await startGateway({ providers: [{ baseUrl: `${stub.origin}/v1` }] });
  t.after(async () => {
    await Promise.all([anthropic.close(), openai.close(), stub.close()]);
  });
  const steps = t.mock.method(LongWorks.prototype, "goOn");
  const params = (model: string): object => ({ custom_id: "c", params: { model, max_tokens: 1 } });
  const requests = Array.from({ length: 20_000 }, () => params("m"));
  const post = async (last: string): Promise<number> => {
    const body = { requests: [...requests, params(last)] };
    return (await anthropic.post("/v1/messages/batches", body)).status;
  };
  anthropic.authenticator.change({ modelAllowlist: ["m"] });
  const bytes = JSON.stringify(requests).length;
  assert.equal(await post("m"), 200);
  assert.ok(steps.mock.callCount() >= (2 * bytes) / 300_000, String(steps.mock.callCount()));
  assert.equal(await post("other"), 403);
  steps.mock.resetCalls();
  const long = { messages: Array.from({ length: BODY_BYTES }, () => 1), last: "end" };
  const { length } = JSON.stringify(long);
  const path = "/openai/deployments/dep/chat/completions?api-version=2024-10-21";
  assert.equal((await openai.post(path, long)).status, 200);
  assert.equal(stub.received.at(-1)?.body.toString(), JSON.stringify({ model: "dep", ...long }));
  // Once for what the caller sent, once for what it means.
  assert.ok(steps.mock.callCount() >= (2 * length) / 300_000, String(steps.mock.callCount()));
  assert.equal((await openai.post(path, `${JSON.stringify(long)}}`)).status, 400);
});
