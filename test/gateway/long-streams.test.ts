import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Dialect } from "../../server/core/provider.js";
import { LongTranslations } from "../../server/dialect/translate/thread/long-translations.js";
import { chatEvents, messageEvents } from "../support/upstream-stub.js";
import { CLIENT_KEY, startGateway } from "./fixture.js";

const STREAMS = 8;
const MIB = 1024 * 1024;
const CONTENT = "x".repeat(2 * MIB);

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Bytes in use, once everything that nobody holds is gone. */
function usedBytes(): number {
  collectGarbage();
  collectGarbage();
  const { arrayBuffers, heapUsed } = process.memoryUsage();
  return arrayBuffers + heapUsed;
}

/** A provider that forgets what it is asked, says one event and no more. */
async function startSlowProvider(t: TestContext, event: string): Promise<string> {
  const server = http.createServer((req, res) => {
    req.resume().once("end", () => {
      res.writeHead(200, { "content-type": "text/event-stream" });
      res.write(event);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

/** Asks for a stream; resolves when its first event is there. */
async function openStream(t: TestContext, port: number, request: Buffer): Promise<void> {
  const socket = net.connect(port, "127.0.0.1");
  t.after(() => socket.destroy());
  socket.write(request);
  const [first] = (await once(socket, "data")) as [Buffer];
  assert.match(first.toString("latin1"), /^HTTP\/1\.1 200/);
}

function requestOf(body: string): Buffer {
  const head = [
    "POST /v1/chat/completions HTTP/1.1",
    "host: gateway",
    `authorization: Bearer ${CLIENT_KEY}`,
    "content-type: application/json",
    `content-length: ${String(Buffer.byteLength(body))}`,
  ];
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`);
}

/** Ends the thread that has translated since, with all in it that it has not collected. */
function threadEnd(t: TestContext): () => Promise<void> {
  const request = t.mock.method(LongTranslations.prototype, "request");
  return async () => {
    const used = request.mock.calls.at(-1)?.this as LongTranslations | undefined;
    // They hold what they were called with.
    request.mock.resetCalls();
    await used?.stop();
  };
}

const FIRST_EVENTS: readonly [string, Dialect, string | undefined][] = [
  ["passed on", "OPENAI", chatEvents(["hello"])[0]],
  ["translated", "ANTHROPIC", messageEvents(["hello"]).slice(0, 3).join("")],
];

for (const [how, dialect, event] of FIRST_EVENTS) {
  test(`a long stream that is ${how} does not hold its request in memory`, async (t) => {
    const baseUrl = await startSlowProvider(t, event ?? "");
    const gateway = await startGateway({ providers: [{ baseUrl, dialect }] });
    t.after(() => gateway.close());
    const messages = [{ role: "user", content: CONTENT }];
    const request = requestOf(JSON.stringify({ model: "m", stream: true, messages }));
    // What the first one needs for good is no matter.
    await openStream(t, gateway.port, request);
    const endThread = threadEnd(t);
    const before = usedBytes();
    for (let i = 0; i < STREAMS; i++) await openStream(t, gateway.port, request);
    await endThread();
    const heldMiB = (usedBytes() - before) / MIB;
    assert.ok(heldMiB < 2, `${heldMiB.toFixed(1)} MiB for ${String(STREAMS)} requests of 2 MiB`);
  });
}
