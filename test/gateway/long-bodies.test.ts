import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { test } from "node:test";
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
