import assert from "node:assert/strict";
import { once } from "node:events";
import net, { type AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Dialect } from "../../server/core/provider.js";
import { chatEvents, messageEvents } from "../support/upstream-stub.js";
import { CLIENT_KEY, startGateway } from "./fixture.js";

const CALLERS = 6;
const KIB = 1024;
/** More than the operating system keeps between two sockets. */
const REPLY_BYTES = 24 * KIB * KIB;
/** Turns of the event loop in which nothing moves any more. */
const STILL_TURNS = 50;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Bytes of buffers in use, once those that nobody holds are gone. */
async function bufferBytes(): Promise<number> {
  let bytes = Infinity;
  // They are given back a little later, by another thread.
  for (let look = 0; look < 5; look++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 5));
    bytes = Math.min(bytes, process.memoryUsage().arrayBuffers);
  }
  return bytes;
}

interface Provider {
  readonly baseUrl: string;
  /** Resolves when so many have asked and nothing more is taken of what is sent to them. */
  waits(asked: number): Promise<void>;
}

/** Sends the same piece over and over, as fast as it is taken. */
async function startFastProvider(
  t: TestContext,
  { head, begin, piece }: Pick<Kind, "head" | "begin" | "piece">,
): Promise<Provider> {
  const sockets: net.Socket[] = [];
  const server = net.createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => {
      sockets.push(socket);
      socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n${begin}`);
      const more = (): void => {
        while (!socket.destroyed && socket.write(piece));
      };
      socket.on("drain", more);
      more();
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const waits = async (asked: number): Promise<void> => {
    let last = -1;
    for (let still = 0; still < STILL_TURNS; still++) {
      await new Promise((resolve) => setImmediate(resolve));
      const sent = sockets.reduce((sum, { bytesWritten }) => sum + bytesWritten, 0);
      if (sent !== last || sockets.length < asked) still = 0;
      last = sent;
    }
    assert.ok(sockets.every(({ writableNeedDrain }) => writableNeedDrain));
  };
  return { baseUrl: `http://127.0.0.1:${String(port)}`, waits };
}

const EVENTS = "content-type: text/event-stream";
const EVENTS_PER_PIECE = 60;
const [chatEvent = ""] = chatEvents(["x".repeat(1000)]);
const [opened = "", block = "", delta = ""] = messageEvents(["x".repeat(1000)]);

interface Kind {
  readonly dialect: Dialect;
  readonly stream: boolean;
  readonly head: string;
  readonly begin: string;
  readonly piece: Buffer;
  /** For one caller. */
  readonly heldKiBMax: number;
}

const KINDS: Readonly<Record<string, Kind>> = {
  "a reply": {
    dialect: "OPENAI",
    stream: false,
    head: `content-type: application/json\r\ncontent-length: ${String(REPLY_BYTES)}`,
    begin: '{"x":"',
    piece: Buffer.alloc(64 * KIB, "y"),
    heldKiBMax: 48,
  },
  "a stream": {
    dialect: "OPENAI",
    stream: true,
    head: EVENTS,
    begin: "",
    piece: Buffer.from(chatEvent.repeat(EVENTS_PER_PIECE)),
    heldKiBMax: 56,
  },
  // Of it the provider's last events are held, and the caller's that were made of them.
  "a translated stream": {
    dialect: "ANTHROPIC",
    stream: true,
    head: EVENTS,
    begin: opened + block,
    piece: Buffer.from(delta.repeat(EVENTS_PER_PIECE)),
    heldKiBMax: 104,
  },
};

for (const [what, kind] of Object.entries(KINDS)) {
  test(`of ${what} that its caller does not read little is held, and its provider waits`, async (t) => {
    const { dialect, stream, heldKiBMax } = kind;
    const provider = await startFastProvider(t, kind);
    const gateway = await startGateway({ providers: [{ baseUrl: provider.baseUrl, dialect }] });
    const callers: net.Socket[] = [];
    t.after(() => {
      for (const caller of callers) caller.destroy();
      return gateway.close();
    });
    const messages = [{ role: "user", content: "x" }];
    const body = JSON.stringify({ model: "m", stream, max_tokens: 9, messages });
    const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${CLIENT_KEY}`;
    const request = `${head}\r\ncontent-length: ${String(body.length)}\r\n\r\n${body}`;
    const ask = (): void => {
      const socket = net.connect(gateway.port, "127.0.0.1");
      callers.push(socket);
      socket.pause();
      socket.write(request);
    };
    // What the first one needs for good is no matter.
    ask();
    await provider.waits(1);
    const before = await bufferBytes();
    for (let i = 0; i < CALLERS; i++) ask();
    await provider.waits(1 + CALLERS);
    const heldKiB = ((await bufferBytes()) - before) / KIB / CALLERS;
    assert.ok(heldKiB < heldKiBMax, `${heldKiB.toFixed(1)} KiB of each`);
  });
}
