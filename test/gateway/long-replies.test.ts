import assert from "node:assert/strict";
import { once } from "node:events";
import net, { type AddressInfo, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { drawsOf } from "../support/marked-provider.js";
import { CLIENT_KEY, startGateway } from "./fixture.js";

const KIB = 1024;
const MIB = 1024 * KIB;
const CALLS = 48;
/** Some wait between the sockets then. */
const STREAM_BYTES = 2 * MIB;
/** Longer than what is collected and checked before it goes on. */
const REPLY_BYTES = 5 * MIB;

type Kind = "EVENTS" | "STRIPPED" | "REPLY";
const KINDS: readonly Kind[] = ["EVENTS", "STRIPPED", "REPLY"];

/** What a provider answers to one call, and what of it the caller is to get. */
interface Told {
  readonly sent: string;
  readonly wanted: string;
}

const EVENTS_HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

function toldIn(call: number): Told {
  const draw = drawsOf(call);
  const said = (): string => `mark-${String(call)}.`.repeat(draw(draw(30) === 0 ? 9_000 : 200));
  const kind = KINDS[call % KINDS.length];
  if (kind === "REPLY") {
    let text = '{"x":"';
    while (text.length < REPLY_BYTES) text += said();
    const body = `${text}"}`;
    const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${String(body.length)}\r\n\r\n`;
    return { sent: head + body, wanted: body };
  }
  const event = (rest: string): string =>
    `data: {"choices":[{"delta":{"content":"${said()}"${rest}\n\n`;
  let [sent, wanted] = [EVENTS_HEAD, ""];
  while (wanted.length < STREAM_BYTES) {
    const next = event(kind === "EVENTS" ? "}}]}" : '}}],"usage":null}');
    sent += next;
    wanted += next.replace(',"usage":null', "");
  }
  const last = 'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n';
  return { sent: sent + last, wanted: wanted + last };
}

/** Of a call that goes wrong: who ends it, and after how many bytes. */
function endOf(
  call: number,
): { readonly who: "CALLER" | "PROVIDER"; readonly at: number } | undefined {
  const draw = drawsOf(call + 1000);
  const dice = draw(4);
  // Some before there is a head, some in the first read, some much later.
  const at = draw([1, 40 * KIB, STREAM_BYTES][draw(3)] ?? 1);
  return dice > 1 ? undefined : { who: dice === 0 ? "CALLER" : "PROVIDER", at };
}

async function listen(t: TestContext, onSocket: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    onSocket(socket);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

function requestOf(body: object): string {
  const text = JSON.stringify({ model: "m", messages: [], ...body });
  // The end of the connection is the end of the answer, which comes without chunks then.
  const head = `POST /v1/chat/completions HTTP/1.0\r\nauthorization: Bearer ${CLIENT_KEY}`;
  return `${head}\r\ncontent-length: ${String(text.length)}\r\n\r\n${text}`;
}

/** Asks, reads now and then, and answers what came until the connection was closed. */
async function call(port: number, id: number): Promise<string> {
  const draw = drawsOf(id + 2000);
  const end = endOf(id);
  const kind = KINDS[id % KINDS.length];
  const socket = net.connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  const asksUsage = kind === "EVENTS" ? { stream_options: { include_usage: true } } : {};
  const stream = kind === "REPLY" ? {} : { stream: true, ...asksUsage };
  socket.write(requestOf({ user: `call-${String(id)}`, ...stream }));
  const pieces: Buffer[] = [];
  let bytes = 0;
  if (end?.who === "CALLER" && end.at === 0) setImmediate(() => socket.destroy());
  socket.on("data", (piece: Buffer) => {
    pieces.push(piece);
    bytes += piece.length;
    if (end?.who === "CALLER" && bytes > end.at) socket.destroy();
    if (draw(3) > 0) return;
    socket.pause();
    setTimeout(() => socket.resume(), draw(20));
  });
  await once(socket, "close");
  const text = Buffer.concat(pieces).toString("latin1");
  return text.slice(text.indexOf("\r\n\r\n") + 4);
}

async function startTeller(t: TestContext): Promise<string> {
  return listen(t, (socket) => {
    let request = "";
    socket.on("data", (bytes: Buffer) => {
      request += bytes.toString("latin1");
      const id = /"user":"call-(\d+)"/.exec(request)?.[1];
      if (id === undefined) return;
      request = "";
      const end = endOf(Number(id));
      const sent = Buffer.from(toldIn(Number(id)).sent);
      if (end?.who !== "PROVIDER") socket.end(sent);
      else
        socket.write(sent.subarray(0, EVENTS_HEAD.length + 100 + end.at), () =>
          socket.resetAndDestroy(),
        );
    });
  });
}

test("each of many slow callers gets what its provider sent and nothing else, whoever leaves when", async (t) => {
  const gateway = await startGateway({ providers: [{ baseUrl: await startTeller(t) }] });
  t.after(() => gateway.close());
  const got = await Promise.all(
    Array.from({ length: CALLS }, (_each, id) => call(gateway.port, id)),
  );
  for (const [id, body] of got.entries()) {
    const { wanted } = toldIn(id);
    const end = endOf(id);
    if (end === undefined)
      assert.ok(body === wanted, `call ${String(id)} of ${String(body.length)}`);
    else assertBegins(wanted, body, `call ${String(id)}, which ${end.who} ends`);
  }
});

/** The caller of a stream that its provider broke off is told so behind it; of what never began, nothing else. */
function assertBegins(wanted: string, body: string, what: string): void {
  const told = body.lastIndexOf('data: {"error"');
  const said = told < 0 ? body : body.slice(0, told);
  assert.ok(said.startsWith('{"error"') || wanted.startsWith(said), what);
}

/** So many bytes of buffers at most come to be at a time; what nobody holds is not collected before V8 does it. */
async function buffersWhile(work: Promise<unknown>): Promise<number> {
  const before = process.memoryUsage().arrayBuffers;
  let most = before;
  const look = setInterval(() => (most = Math.max(most, process.memoryUsage().arrayBuffers)), 1);
  await work;
  clearInterval(look);
  return most - before;
}

const PIECE_BYTES = 60 * KIB;
const LONG_BYTES = 48 * MIB;
const event = (rest: string): string =>
  `data: {"choices":[{"delta":{"content":"${"x".repeat(1000)}"}}]${rest}}\n\n`;
const LONG: Readonly<Record<string, { head: string; piece: string; stream: boolean }>> = {
  "a reply": {
    head: `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${String(LONG_BYTES)}\r\n\r\n`,
    piece: "y".repeat(PIECE_BYTES),
    stream: false,
  },
  "a stream": { head: EVENTS_HEAD, piece: event("").repeat(60), stream: true },
  "a stream out of which is taken what was not asked for": {
    head: EVENTS_HEAD,
    piece: event(',"usage":null').repeat(60),
    stream: true,
  },
};

for (const [what, { head, piece, stream }] of Object.entries(LONG)) {
  test(`${what} takes no more memory the longer it is, garbage included`, async (t) => {
    const baseUrl = await listen(t, (socket) => {
      const bytes = Buffer.from(piece);
      let left = LONG_BYTES;
      const more = (): void => {
        while (left > 0 && !socket.destroyed) {
          left -= bytes.length;
          if (!socket.write(left < 0 ? bytes.subarray(0, left) : bytes)) return;
        }
        if (!socket.destroyed) socket.end();
      };
      socket.on("drain", more);
      socket.once("data", () => {
        socket.write(head);
        more();
      });
    });
    const gateway = await startGateway({ providers: [{ baseUrl }] });
    t.after(() => gateway.close());
    const buffer = Buffer.alloc(64 * KIB);
    let bytes = 0;
    const callback = (length: number): boolean => (bytes += length) > 0;
    const ask = async (): Promise<void> => {
      const onread = { buffer, callback };
      const socket = net.connect({ port: gateway.port, host: "127.0.0.1", onread });
      socket.write(requestOf({ stream }));
      await once(socket, "close");
    };
    const took = await buffersWhile(ask());
    assert.ok(bytes > LONG_BYTES * 0.9, `${String(bytes)} bytes came`);
    assert.ok(took < LONG_BYTES / 12, `${String(took >> 10)} KiB`);
  });
}
