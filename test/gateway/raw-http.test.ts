import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { after, before, beforeEach, test } from "node:test";
import tls from "node:tls";
import { makePair } from "../support/certificate.js";
import { settle, settleWhile } from "../support/fake-clock.js";
import {
  CHAT_REPLY,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { CLIENT_KEY, startGateway, type TestGateway } from "./fixture.js";

let stub: UpstreamStub;
let gateway: TestGateway;
let secure: TestGateway;

before(async () => {
  stub = await startUpstreamStub(replyJson(200, CHAT_REPLY));
  gateway = await startGateway({ providers: [{ baseUrl: stub.origin }] });
  secure = await startGateway({ providers: [{ baseUrl: stub.origin }], tls: makePair("raw") });
});

after(async () => {
  await gateway.close();
  await secure.close();
  await stub.close();
});

beforeEach(() => {
  stub.received.length = 0;
  for (const each of [gateway, secure]) each.sink.begun.length = 0;
});

const AUTH = `Authorization: Bearer ${CLIENT_KEY}\r\n`;
const BODY = '{"model":"m"}';
const LENGTH = `Content-Length: ${String(BODY.length)}\r\n`;
/** What a smuggler hopes that the provider sees. */
const SECOND = `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n${AUTH}${LENGTH}\r\n${BODY}`;
const LINE = "POST /v1/chat/completions HTTP/1.1\r\n";

/** Sends bytes, reads until the other side closes; what it did not close is an empty answer. */
function send(bytes: string | Buffer, overTls = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const write = (): void => void socket.write(bytes);
    const host = "127.0.0.1";
    const socket: net.Socket = overTls
      ? tls.connect({ port: secure.port, host, rejectUnauthorized: false }, write)
      : net.connect({ port: gateway.port, host }, write);
    let answer = "";
    socket.on("data", (chunk: Buffer) => {
      answer += chunk.toString("latin1");
    });
    socket.on("close", () => {
      resolve(answer);
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ECONNRESET") reject(error);
    });
  });
}

function head(...lines: readonly string[]): string {
  return `${LINE}Host: x\r\n${AUTH}${lines.join("\r\n")}\r\n\r\n`;
}

const OFFER = head(
  LENGTH.trim(),
  "Connection: Upgrade, HTTP2-Settings, close",
  "Upgrade: h2c",
  "HTTP2-Settings: AAMAAABkAAQAAP__",
);
const WEB_SOCKET =
  "GET /v1/responses HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

const CHUNK = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`;

const SMUGGLING: readonly (readonly [string, string | Buffer])[] = [
  ["both length and chunked", `${head(LENGTH.trim(), "Transfer-Encoding: chunked")}${CHUNK}`],
  ["chunked, then a length", `${head("Transfer-Encoding: chunked", LENGTH.trim())}${CHUNK}`],
  ["two lengths that differ", `${head("Content-Length: 13", "Content-Length: 5")}${BODY}`],
  ["two lengths alike", `${head("Content-Length: 13", "Content-Length: 13")}${BODY}`],
  ["a list of lengths", `${head("Content-Length: 13, 13")}${BODY}`],
  ["a signed length", `${head("Content-Length: +13")}${BODY}`],
  ["a negative length", `${head("Content-Length: -1")}${BODY}`],
  ["a hexadecimal length", `${head("Content-Length: 0xd")}${BODY}`],
  ["a length with a space in it", `${head("Content-Length: 1 3")}${BODY}`],
  ["an empty length", `${head("Content-Length: ")}${BODY}`],
  ["a length with a fraction", `${head("Content-Length: 13.0")}${BODY}`],
  ["a length beyond all numbers", `${head("Content-Length: 99999999999999999999")}${BODY}`],
  ["a length behind a tab", `${head("Content-Length:\t13")}${BODY}`],
  ["a length before a tab", `${head("Content-Length: 13 \t")}${BODY}`],
  ["chunked behind a tab", `${head("Transfer-Encoding: \tchunked")}${CHUNK}`],
  ["chunked before a tab", `${head("Transfer-Encoding: chunked\t")}${CHUNK}`],
  ["a space before the colon of the length", `${head("Content-Length : 13")}${BODY}`],
  ["chunked with a space before the colon", `${head("Transfer-Encoding : chunked")}${CHUNK}`],
  ["chunked with a tab before the colon", `${head("Transfer-Encoding\t: chunked")}${CHUNK}`],
  ["an unknown transfer", `${head("Transfer-Encoding: xchunked")}${CHUNK}`],
  ["identity, then chunked", `${head("Transfer-Encoding: identity, chunked")}${CHUNK}`],
  ["chunked, then identity", `${head("Transfer-Encoding: chunked, identity")}${CHUNK}`],
  ["chunked twice", `${head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked")}${CHUNK}`],
  ["chunked twice in one line", `${head("Transfer-Encoding: chunked, chunked")}${CHUNK}`],
  ["gzip, then chunked", `${head("Transfer-Encoding: gzip, chunked")}${CHUNK}`],
  ["chunked in quotes", `${head('Transfer-Encoding: "chunked"')}${CHUNK}`],
  ["chunked behind a vertical tab", `${head("Transfer-Encoding: \u000bchunked")}${CHUNK}`],
  ["an empty transfer", `${head("Transfer-Encoding: ")}${CHUNK}`],
  ["a transfer with a NUL", `${head("Transfer-Encoding: chunked\0")}${CHUNK}`],
  ["a folded header", `${head("Transfer-Encoding:\r\n chunked")}${CHUNK}`],
  ["a folded header at the first line", `${LINE} Host: x\r\n${AUTH}${LENGTH}\r\n${BODY}`],
  [
    "bare line feeds",
    `${LINE.trimEnd()}\nHost: x\n${AUTH.trimEnd()}\nContent-Length: 13\n\n${BODY}`,
  ],
  [
    "a bare carriage return in a value",
    `${head("X-Stainless-Os: a\rTransfer-Encoding: chunked")}${CHUNK}`,
  ],
  ["a header without a name", head(": x")],
  ["a header name with a space", `${head("Bad Name: x", LENGTH.trim())}${BODY}`],
  ["a header without a colon", `${head("nocolon", LENGTH.trim())}${BODY}`],
  ["a NUL in a header name", `${head("a\0b: x", LENGTH.trim())}${BODY}`],
  ["a NUL in a value", `${head("X-Stainless-Os: a\0b", LENGTH.trim())}${BODY}`],
  ["two hosts", `${LINE}Host: x\r\nHost: y\r\n${AUTH}${LENGTH}\r\n${BODY}`],
  ["two hosts alike", `${LINE}Host: x\r\nHost: x\r\n${AUTH}${LENGTH}\r\n${BODY}`],
  ["no host", `${LINE}${AUTH}${LENGTH}\r\n${BODY}`],
  ["two credentials", `${head(AUTH.trim(), LENGTH.trim())}${BODY}`],
  ["two keys", `${head("x-api-key: a", "x-api-key: b", LENGTH.trim())}${BODY}`],
  [
    "two content types",
    `${head("Content-Type: application/json", "Content-Type: text/plain", LENGTH.trim())}${BODY}`,
  ],
  ["a packed body", `${head("Content-Encoding: gzip", LENGTH.trim())}${BODY}`],
  [
    "more header lines than anyone needs",
    `${head(...Array.from({ length: 300 }, (_each, i) => `a${String(i)}: b`), LENGTH.trim())}${BODY}`,
  ],
  ["a chunk size with a sign", `${head("Transfer-Encoding: chunked")}+d\r\n${BODY}\r\n0\r\n\r\n`],
  ["a chunk size with 0x", `${head("Transfer-Encoding: chunked")}0xd\r\n${BODY}\r\n0\r\n\r\n`],
  [
    "a chunk size that overflows",
    `${head("Transfer-Encoding: chunked")}fffffffffffffffff\r\n${BODY}\r\n0\r\n\r\n`,
  ],
  ["a chunk longer than it says", `${head("Transfer-Encoding: chunked")}5\r\n${BODY}\r\n0\r\n\r\n`],
  [
    "a chunk ended by a bare line feed",
    `${head("Transfer-Encoding: chunked")}d\n${BODY}\r\n0\r\n\r\n`,
  ],
  [
    "a request in the place of a trailer",
    `${head("Transfer-Encoding: chunked")}d\r\n${BODY}\r\n0\r\n${LINE}\r\n`,
  ],
  ["no chunk size", `${head("Transfer-Encoding: chunked")}\r\n${BODY}\r\n0\r\n\r\n`],
  ["HTTP/0.9", `POST /v1/chat/completions\r\n\r\n`],
  ["an unknown version", `POST /v1/chat/completions HTTP/3.7\r\nHost: x\r\n\r\n`],
  ["a version without a number", `POST /v1/chat/completions HTTP/x\r\nHost: x\r\n\r\n`],
  [
    "a method with a control character",
    `PO\u0001ST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n\r\n`,
  ],
  ["a lower-case method", `post /v1/chat/completions HTTP/1.1\r\nHost: x\r\n\r\n`],
  [
    "a fragment in the path",
    `POST /v1/chat/completions#x HTTP/1.1\r\nHost: x\r\n${AUTH}${LENGTH}\r\n${BODY}`,
  ],
  ["a tunnel", "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\n\r\n"],
  ["HTTP/2 in clear", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["a TLS hello", Buffer.from("160301020001000", "hex")],
  ["noise", Buffer.from([0, 255, 13, 10, 1, 2, 3, 13, 10, 13, 10])],
];

for (const overTls of [false, true]) {
  test(`a request that two parsers could read in two ways is refused and its connection closed${overTls ? ", over TLS too" : ""}`, async () => {
    for (const [name, bytes] of SMUGGLING) {
      const answer = await send(Buffer.concat([Buffer.from(bytes), Buffer.from(SECOND)]), overTls);
      assert.match(answer, /^HTTP\/1\.1 (?:400|404|405|413|431|501) |^$/, name);
      const answers = answer.split("HTTP/1.1 ").length - 1;
      assert.ok(answers <= 1, `${name}: ${String(answers)} answers`);
      assert.equal(stub.received.length, 0, name);
      // What was let in shows here at once, at the provider only later.
      assert.equal((overTls ? secure : gateway).sink.begun.length, 0, name);
    }
  });
}

test("requests in a row, offers of HTTP/2 and WebSockets are answered over TLS as in clear", async () => {
  const one = `${head(LENGTH.trim())}${BODY}`;
  const last = `${head(LENGTH.trim(), "Connection: close")}${BODY}`;
  const row = await send(`${one}${one}${last}`, true);
  assert.equal(row.split("HTTP/1.1 200 OK").length - 1, 3);
  const offer = await send(`${OFFER}${BODY}`, true);
  assert.ok(offer.startsWith("HTTP/1.1 200 OK") && offer.endsWith(CHAT_REPLY));
  const socket = await send(WEB_SOCKET, true);
  assert.match(socket, /^HTTP\/1\.1 426 /);
  assert.equal(stub.received.length, 4);
});

test("an upgrade behind a request that is not answered yet is answered in its turn", async () => {
  const first = `${head(LENGTH.trim())}${BODY}`;
  const root = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  for (const overTls of [false, true]) {
    for (const before of [first, root]) {
      const offer = await send(`${before}${OFFER}${BODY}`, overTls);
      assert.match(offer, /^HTTP\/1\.1 200 .*HTTP\/1\.1 200 /s);
      assert.ok(offer.endsWith(CHAT_REPLY));
      const socket = await send(before + WEB_SOCKET, overTls);
      assert.match(socket, /^HTTP\/1\.1 200 .*HTTP\/1\.1 426 /s);
    }
  }
});

test("a request line that names the whole address is served as its path, whatever host it names", async () => {
  const answer = await send(
    `POST http://internal.example/v1/chat/completions?a=b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${AUTH}${LENGTH}\r\n${BODY}`,
  );
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.deepEqual(
    stub.received.map((each) => each.url),
    ["/v1/chat/completions?a=b"],
  );
});

test("a request line with an address that is none of ours is refused as a path that does not exist", async () => {
  for (const origin of ["ftp://x", "http://user@x", "http://", "x:443"]) {
    const answer = await send(
      `POST ${origin}/v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${AUTH}${LENGTH}\r\n${BODY}`,
    );
    assert.match(answer, /^HTTP\/1\.1 404 /, origin);
  }
  assert.equal(stub.received.length, 0);
});

test("a head that is too large is refused with 431", async () => {
  const answer = await send(head(`X-Stainless-Os: ${"x".repeat(40_000)}`, LENGTH.trim()));
  assert.match(answer, /^HTTP\/1\.1 431 /);
  assert.match(answer, /"error"/);
});

test("every answer to a bad request names the request", async () => {
  const answer = await send("GARBAGE\r\n\r\n");
  assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\nx-request-id: call_/);
});

test("requests in a row on one connection are answered in order", async () => {
  const first = `${head(LENGTH.trim())}${BODY}`;
  const last = `${head(LENGTH.trim(), "Connection: close")}${BODY}`;
  const answer = await send(`${first}${first}${last}`);
  assert.equal(answer.split("HTTP/1.1 200 OK").length - 1, 3);
  assert.equal(stub.received.length, 3);
});

test("a chunked body is taken and goes on with its length", async () => {
  const answer = await send(
    `${head("Transfer-Encoding: chunked", "Connection: close")}6\r\n{"mode\r\n7;x=y\r\nl":"m"}\r\n0\r\nTrailer: x\r\n\r\n`,
  );
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.equal(stub.received[0]?.body.toString(), BODY);
  assert.equal(stub.received[0]?.headers["content-length"], "13");
  assert.equal(stub.received[0]?.headers["transfer-encoding"], undefined);
});

test("a caller that expects to be told to go on is told", async () => {
  const answer = await send(
    `${head(LENGTH.trim(), "Expect: 100-continue", "Connection: close")}${BODY}`,
  );
  assert.match(answer, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/);
  assert.equal(stub.received[0]?.headers["expect"], undefined);
});

test("answers leave in the order of their requests, also where one needs no provider and the next is told to go on", async () => {
  const refused = "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n";
  const told = `${head(LENGTH.trim(), "Expect: 100-continue", "Connection: close")}${BODY}`;
  const answer = await send(`${refused}${refused}${told}`);
  const statuses = [...answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
  assert.deepEqual(statuses, ["404", "404", "100", "200"]);
});

test("an offer of HTTP/2 is passed over and the request served, its body whole or in parts", async () => {
  const whole = await send(`${OFFER}${BODY}`);
  assert.match(whole, /^HTTP\/1\.1 200 OK/);
  assert.ok(whole.endsWith(CHAT_REPLY));
  const parts = await new Promise<string>((resolve) => {
    let answer = "";
    const socket = net.connect(gateway.port, "127.0.0.1", () => {
      socket.write(OFFER + BODY.slice(0, 5));
      setImmediate(() => socket.write(BODY.slice(5)));
    });
    socket.on("data", (chunk) => (answer += String(chunk)));
    socket.on("close", () => {
      resolve(answer);
    });
  });
  assert.ok(parts.endsWith(CHAT_REPLY));
  assert.deepEqual(
    stub.received.map((each) => each.body.toString()),
    [BODY, BODY],
  );
  assert.equal(stub.received[0]?.headers["upgrade"], undefined);
  const refused = await send(OFFER.replace("Bearer sk", "Bearer no") + BODY);
  assert.match(refused, /^HTTP\/1\.1 401 /);
});

test("an HTTP/1.0 caller is served", async () => {
  const answer = await send(
    `POST /v1/chat/completions HTTP/1.0\r\nHost: x\r\n${AUTH}${LENGTH}\r\n${BODY}`,
  );
  assert.match(answer, /^HTTP\/1\.1 200 OK/);
  assert.ok(answer.endsWith(CHAT_REPLY));
});

test("a stream that breaks off is never taken for whole by a caller of HTTP/1.0, in clear or over TLS", async (t) => {
  t.after(() => {
    stub.script = replyJson(200, CHAT_REPLY);
  });
  stub.script = async (_received, res) => {
    res.writeHead(200, { "content-type": "audio/mpeg" });
    res.write("half of it");
    await settle();
    res.destroy();
  };
  const speech = '{"model":"m","input":"x"}';
  const request = `POST /v1/audio/speech HTTP/1.0\r\nHost: x\r\n${AUTH}Content-Length: ${String(speech.length)}\r\n\r\n${speech}`;
  for (const overTls of [false, true]) {
    const fresh = await startGateway({
      providers: [{ baseUrl: stub.origin }],
      ...(overTls ? { tls: makePair("raw") } : {}),
    });
    const ending = await new Promise<string>((resolve) => {
      const { port } = fresh;
      const socket: net.Socket = overTls
        ? tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false })
        : net.connect({ port, host: "127.0.0.1" });
      socket.write(request);
      socket.resume();
      socket.on("end", () => {
        resolve("ended");
      });
      socket.on("error", (error: NodeJS.ErrnoException) => {
        resolve(error.code ?? "error");
      });
    });
    // Node's TLS takes a connection that ends without a goodbye for ended; others do not.
    if (!overTls) assert.equal(ending, "ECONNRESET");
    assert.equal((await fresh.sink.record()).errorCode, "stream_cut");
    await fresh.close();
  }
});

test("nor is it taken for whole by one of HTTP/1.0 that has ended its own side", async (t) => {
  const fresh = await startGateway({ providers: [{ baseUrl: stub.origin }] });
  t.after(async () => {
    stub.script = replyJson(200, CHAT_REPLY);
    await fresh.close();
  });
  stub.script = (_received, res) => {
    res.writeHead(200, { "content-type": "audio/mpeg" });
    res.write("half of it");
  };
  const speech = '{"model":"m","input":"x"}';
  const socket = net.connect({ port: fresh.port, host: "127.0.0.1", allowHalfOpen: true });
  socket.write(
    `POST /v1/audio/speech HTTP/1.0\r\nHost: x\r\n${AUTH}Content-Length: ${String(speech.length)}\r\n\r\n${speech}`,
  );
  socket.on("data", () => socket.end());
  const ending = await new Promise<string>((resolve) => {
    socket.on("end", () => {
      resolve("ended");
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      resolve(error.code ?? "error");
    });
  });
  assert.equal(ending, "ECONNRESET");
  assert.equal((await fresh.sink.record()).errorCode, "caller_aborted");
  assert.equal((await fresh.sink.record()).httpStatus, 499);
});

test("a body that turns out not to be acceptable is on record as its caller was told", async (t) => {
  const fresh = await startGateway({ providers: [{ baseUrl: stub.origin }] });
  t.after(() => fresh.close());
  const socket = net.connect(fresh.port, "127.0.0.1");
  t.after(() => socket.destroy());
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n${AUTH}Transfer-Encoding: chunked\r\n\r\n5\r\n{"mod\r\nno number\r\n`,
  );
  const [answer] = (await once(socket, "data")) as [Buffer];
  assert.match(String(answer), /^HTTP\/1\.1 400 /);
  const { httpStatus, errorCode, errorMessage } = await fresh.sink.record();
  assert.deepEqual([httpStatus, errorCode], [400, "malformed_request"]);
  assert.match(errorMessage ?? "", /a chunk has no size/);
  assert.equal(fresh.gateway.running, 0);
});

test("a refusal keeps the connection where all of its request has come, and closes it where not", async () => {
  const wrong = AUTH.replace("Bearer sk", "Bearer no");
  const refused = `${LINE}Host: x\r\n${wrong}${LENGTH}\r\n`;
  const last = `${head(LENGTH.trim(), "Connection: close")}${BODY}`;
  const both = await send(`${refused}${BODY}${last}`);
  assert.match(both, /^HTTP\/1\.1 401 .*connection: keep-alive.*HTTP\/1\.1 200 /s);
  const half = await send(refused);
  assert.match(half, /^HTTP\/1\.1 401 .*connection: close/s);
});

test("what is sent ahead of an answer is kept, in order, however much it is", async () => {
  const one = `${head(LENGTH.trim())}${BODY}`;
  const count = 500;
  const last = `${head(LENGTH.trim(), "Connection: close")}${BODY}`;
  const answer = await send(one.repeat(count) + last);
  assert.equal(answer.split("HTTP/1.1 200 OK").length - 1, count + 1);
  assert.equal(stub.received.length, count + 1);
});

test("a head that never ends is given up", async () => {
  const slow = await startGateway({
    providers: [{ baseUrl: stub.origin }],
    limits: { headTimeoutMs: 50, requestTimeoutMs: 100, timeoutCheckMs: 20 },
  });
  const answers = await Promise.all(
    [LINE, head("Content-Length: 100")].map(
      (bytes) =>
        new Promise<string>((resolve) => {
          let answer = "";
          const socket = net.connect(slow.port, "127.0.0.1", () => socket.write(bytes));
          socket.on("data", (chunk) => (answer += String(chunk)));
          socket.on("close", () => {
            resolve(answer);
          });
        }),
    ),
  );
  for (const answer of answers) assert.match(answer, /^HTTP\/1\.1 408 |^$/);
  await settleWhile(() => slow.gateway.running > 0);
  await slow.close();
});

test("a connection on which nothing moves either way is closed in the midst of its call", async (t) => {
  const script = stub.script;
  const still = await startGateway({
    providers: [{ baseUrl: stub.origin }],
    limits: { callerIdleMs: 100, timeoutCheckMs: 20 },
  });
  t.after(() => {
    stub.script = script;
    return still.close();
  });
  stub.script = () => undefined;
  const socket = net.connect(still.port, "127.0.0.1");
  socket.write(`${head(LENGTH.trim())}${BODY}`);
  socket.resume();
  await once(socket, "close");
  assert.equal(socket.bytesRead, 0);
  assert.equal((await still.sink.record()).errorCode, "caller_aborted");
});

test("a reply without a body leaves nothing behind its head, so that the next one is read right", async (t) => {
  t.after(() => {
    stub.script = replyJson(200, CHAT_REPLY);
  });
  stub.script = (_received, res) => void res.writeHead(204).end();
  const gone = `DELETE /v1/files/file-1 HTTP/1.1\r\nHost: x\r\n${AUTH}`;
  for (const overTls of [false, true]) {
    const answers = await send(`${gone}\r\n${gone}Connection: close\r\n\r\n`, overTls);
    assert.doesNotMatch(answers, /transfer-encoding/);
    assert.match(answers, /^(?:HTTP\/1\.1 204 No Content\r\n(?:[^\r]+\r\n)+\r\n){2}$/);
  }
});
