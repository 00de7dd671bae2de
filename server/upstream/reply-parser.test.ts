import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { after, before, test } from "node:test";
import { Client } from "undici";
import { FramingError } from "../http/framing-error.js";
import type { HeaderLines } from "../http/header-lines.js";
import { ReplyParser } from "./reply-parser.js";

/** What a client makes of the bytes of a connection. */
interface Reading {
  readonly status: number;
  /** Names in lower case, and values, in turn. */
  readonly headers: readonly string[];
  readonly body: string;
  readonly ended: boolean;
}

const LIMITS = { headBytesMax: 4096, bodyBytesMax: 100_000 };
const REFUSED = "REFUSED";

/** Reads one reply that comes in these pieces, after which the provider closes the connection. */
function read(pieces: readonly string[], own = false, method = "GET"): Reading | typeof REFUSED {
  const sink = new Collector();
  return readInto(sink, pieces, own, method) ? sink.reading() : REFUSED;
}

/** False when it is refused. */
function readInto(
  sink: Collector,
  pieces: readonly string[],
  own: boolean,
  method = "GET",
): boolean {
  const parser = new ReplyParser(sink, LIMITS);
  parser.expect(method);
  const shared = Buffer.alloc(8192);
  try {
    for (const piece of pieces) {
      if (own) {
        parser.push(Buffer.from(piece, "latin1"), piece.length, true);
        continue;
      }
      const length = shared.write(piece, "latin1");
      parser.push(shared, length, false);
      // What was kept must not lie in the buffer that the next read overwrites.
      shared.fill(0x21);
    }
    parser.end();
  } catch (error) {
    if (error instanceof FramingError) return false;
    throw error;
  }
  return true;
}

class Collector {
  status = 0;
  headers: string[] = [];
  ends = 0;
  readonly pieces: Buffer[] = [];

  onHead(status: number, head: HeaderLines): void {
    assert.equal(this.status, 0, "one head");
    this.status = status;
    for (let i = 0; i < head.length; i += 4) {
      this.headers.push(head.name(i).toLowerCase(), head.value(i));
    }
  }

  onLent(_piece: Buffer): boolean {
    return false;
  }

  onBody(piece: Buffer): void {
    assert.equal(this.ends, 0, "no body behind the end");
    this.pieces.push(piece);
  }

  onReplyEnd(): void {
    this.ends++;
  }

  reading(): Reading {
    assert.ok(this.ends <= 1, "one end");
    const body = Buffer.concat(this.pieces).toString("latin1");
    return { status: this.status, headers: this.headers, body, ended: this.ends === 1 };
  }
}

/** A provider whose answer to anything is `answer`, after which it closes the connection. */
const provider = net.createServer((socket) => {
  socket.on("error", () => undefined);
  socket.once("data", () => socket.end(answer, "latin1"));
});
let answer = "";
let origin = "";

before(async () => {
  provider.listen(0, "127.0.0.1");
  await once(provider, "listening");
  origin = `http://127.0.0.1:${String((provider.address() as net.AddressInfo).port)}`;
});

after(() => {
  provider.close();
});

/** What undici makes of the same bytes. */
function readWithUndici(reply: string, method: "GET" | "HEAD"): Promise<Reading | typeof REFUSED> {
  answer = reply;
  const client = new Client(origin, { maxHeaderSize: LIMITS.headBytesMax });
  return new Promise((resolve) => {
    const headers: string[] = [];
    const body: Buffer[] = [];
    let status = 0;
    const give = (reading: Reading | typeof REFUSED): void => {
      void client.destroy();
      resolve(reading);
    };
    const done = (ended: boolean): void => {
      give({ status, headers, body: Buffer.concat(body).toString("latin1"), ended });
    };
    client.dispatch(
      { path: "/", method },
      {
        onConnect: () => undefined,
        onHeaders: (code, raw) => {
          if (code < 200) return true;
          status = code;
          for (let i = 0; i < raw.length; i += 2) {
            // It leaves the blanks behind a value, which are not part of it.
            const value = raw[i + 1]?.toString("latin1").replace(/[ \t]+$/, "") ?? "";
            headers.push(String(raw[i]).toLowerCase(), value);
          }
          return true;
        },
        onData: (chunk) => {
          body.push(chunk);
          return true;
        },
        onComplete: () => {
          done(true);
        },
        onError: (error) => {
          const code = "code" in error ? String(error.code) : "";
          if (code === "UND_ERR_SOCKET") done(false);
          else give(REFUSED);
        },
      },
    );
  });
}

const OK = "HTTP/1.1 200 OK\r\n";
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`;
const LONG = "x".repeat(3000);

/** Replies on which both must agree, whole or broken off. */
const REPLIES: Readonly<Record<string, string>> = {
  length: `${OK}Content-Length: 5\r\nX-A: b\r\n\r\nhello`,
  "no body": `${OK}Content-Length: 0\r\n\r\n`,
  "until the end": `${OK}Content-Type: text/plain\r\n\r\nhello, and so on`,
  "nothing until the end": `${OK}\r\n`,
  "HTTP/1.0": "HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nhi",
  "no reason": "HTTP/1.1 503 \r\nContent-Length: 2\r\n\r\nhi",
  "no space behind the status": "HTTP/1.1 503\r\nContent-Length: 2\r\n\r\nhi",
  "a long reason": "HTTP/1.1 429 Too Many Requests, sorry: \xe9\r\nContent-Length: 2\r\n\r\nhi",
  "a status without a body": "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
  "interim replies": `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${OK}Content-Length: 2\r\n\r\nhi`,
  "odd values": `${OK}X-A:\tone two \t\r\nX-B:\r\nX-C: \xe9\xff"\\\r\nx-a: again\r\nContent-Length: 2\r\n\r\nhi`,
  "odd names": `${OK}!#$%&'*+-.^_\`|~9aZ: 1\r\nContent-Length: 2\r\n\r\nhi`,
  "lengths in any case": `${OK}cOnTeNt-LeNgTh:   3   \r\n\r\nabc`,
  chunked: `${CHUNKED}5\r\nhello\r\n1\r\n \r\n6\r\nworld!\r\n0\r\n\r\n`,
  "chunked in capitals": `${OK}TRANSFER-ENCODING: CHUNKED\r\n\r\nA\r\n0123456789\r\n00a\r\nabcdefghij\r\n000\r\n\r\n`,
  "chunk extensions": `${CHUNKED}5;a=b;c="d e"\r\nhello\r\n0;last\r\n\r\n`,
  trailers: `${CHUNKED}2\r\nhi\r\n0\r\nX-Sum: 12\r\nX-More: yes\r\n\r\n`,
  "an empty chunked body": `${CHUNKED}0\r\n\r\n`,
  "a large body": `${OK}Content-Length: 3000\r\n\r\n${LONG}`,
  "a large chunk": `${CHUNKED}BB8\r\n${LONG}\r\n0\r\n\r\n`,
  "broken in the length": `${OK}Content-Length: 9\r\n\r\nhello`,
  "broken in a chunk": `${CHUNKED}9\r\nhello`,
  "broken before the last chunk": `${CHUNKED}5\r\nhello\r\n`,
  "broken in the trailers": `${CHUNKED}5\r\nhello\r\n0\r\nX-A: b\r\n`,
  "broken in the head": `${OK}Content-Le`,
  "another reply behind": `${OK}Content-Length: 2\r\n\r\nhi${OK}Content-Length: 4\r\n\r\nevil`,
};

/** Replies that both refuse. */
const BAD: Readonly<Record<string, string>> = {
  "not HTTP": "SSH-2.0-OpenSSH_9.2\r\n\r\n",
  "a status of two digits": "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nhi",
  "a status of letters": "HTTP/1.1 2x0 OK\r\nContent-Length: 2\r\n\r\nhi",
  "a length that is no number": `${OK}Content-Length: 5x\r\n\r\nhello`,
  "a negative length": `${OK}Content-Length: -5\r\n\r\nhello`,
  "two lengths that differ": `${OK}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`,
  "a list of lengths": `${OK}Content-Length: 5, 5\r\n\r\nhello`,
  "a length and chunks": `${OK}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  "chunks and a length": `${OK}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  "a space before the colon": `${OK}Content-Length : 5\r\n\r\nhello`,
  "a line without a colon": `${OK}Content-Length\r\n\r\nhello`,
  "a name with a control character": `${OK}X\x01A: b\r\nContent-Length: 2\r\n\r\nhi`,
  "a value with a null": `${OK}X-A: b\0c\r\nContent-Length: 2\r\n\r\nhi`,
  "a value with a lone carriage return": `${OK}X-A: b\rX-B: c\r\nContent-Length: 2\r\n\r\nhi`,
  "chunks without a size": `${CHUNKED}\r\nhello\r\n0\r\n\r\n`,
  "a chunk's size in words": `${CHUNKED}0x5\r\nhello\r\n0\r\n\r\n`,
  "a negative chunk": `${CHUNKED}-5\r\nhello\r\n0\r\n\r\n`,
  "a chunk longer than it says": `${CHUNKED}4\r\nhello\r\n0\r\n\r\n`,
  "a chunk size over all bounds": `${CHUNKED}fffffffffffffffff\r\nhello\r\n0\r\n\r\n`,
};

/** Replies that undici takes, in a way that another proxy may not share; here they are refused. */
const STRICTER: Readonly<Record<string, string>> = {
  "a folded line": `${OK}X-A: b\r\n c\r\nContent-Length: 2\r\n\r\nhi`,
  "the same length twice": `${OK}Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi`,
  "bare line feeds": "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
  "a bare line feed in the head": `${OK}X-A: b\nContent-Length: 2\r\n\r\nhi`,
  "a bare line feed behind a chunk's size": `${CHUNKED}5\nhello\r\n0\r\n\r\n`,
  "a coding before chunked": `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n`,
  "a coding behind chunked": `${OK}Transfer-Encoding: chunked, gzip\r\n\r\n2\r\nhi\r\n0\r\n\r\n`,
  "another coding": `${OK}Transfer-Encoding: identity\r\n\r\nhi`,
  "chunked twice": `${OK}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  "chunks in HTTP/1.0": "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
  "HTTP/2 in words": "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
  "a change of protocol": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
  "a status that is none": "HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nhi",
  "a head over the limit": `${OK}X-A: ${LONG}${LONG}\r\nContent-Length: 2\r\n\r\nhi`,
  "a trailer without a colon": `${CHUNKED}2\r\nhi\r\n0\r\nHTTP/1.1 200 OK\r\n\r\n`,
  "a trailer without a name": `${CHUNKED}2\r\nhi\r\n0\r\n: b\r\n\r\n`,
  "a folded trailer": `${CHUNKED}2\r\nhi\r\n0\r\nX-A: b\r\n c\r\n\r\n`,
};

/** The ways to cut a reply: whole, in two at every place, and byte by byte. */
function* cuts(reply: string): Generator<string[]> {
  yield [reply];
  for (let at = 1; at < reply.length; at++) yield [reply.slice(0, at), reply.slice(at)];
  yield reply.split("");
}

for (const [name, reply] of Object.entries(REPLIES)) {
  test(`undici reads the same, however it is cut: ${name}`, async () => {
    const expected = await readWithUndici(reply, "GET");
    assert.notEqual(expected, REFUSED);
    for (const pieces of cuts(reply)) {
      for (const own of [false, true]) assert.deepEqual(read(pieces, own), expected);
    }
  });
}

test("what undici takes for an error although it is plain is read", () => {
  const interim = `HTTP/1.1 100 Continue\r\n\r\n${OK}Content-Length: 2\r\n\r\nhi`;
  const unchanged = "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n";
  for (const [reply, status, body] of [
    [interim, 200, "hi"],
    [unchanged, 304, ""],
  ] as const) {
    for (const pieces of cuts(reply)) {
      const reading = read(pieces);
      assert.ok(reading !== REFUSED);
      assert.deepEqual([reading.status, reading.body, reading.ended], [status, body, true]);
    }
  }
});

test("a reply to HEAD has no body, whatever its head says", async () => {
  const reply = `${OK}Content-Length: 5\r\n\r\n`;
  assert.deepEqual(read([reply], false, "HEAD"), await readWithUndici(reply, "HEAD"));
});

test("what undici refuses is refused, however it is cut", async () => {
  for (const [name, reply] of Object.entries(BAD)) {
    assert.equal(await readWithUndici(reply, "GET"), REFUSED, name);
    for (const pieces of cuts(reply)) assert.equal(read(pieces), REFUSED, name);
  }
});

test("what can be read in two ways is refused, however it is cut", () => {
  for (const [name, reply] of Object.entries(STRICTER)) {
    for (const pieces of cuts(reply)) assert.equal(read(pieces), REFUSED, name);
  }
});

test("what comes before a framing error is passed on, however it is cut", () => {
  for (const [name, reply] of Object.entries({ ...BAD, ...STRICTER })) {
    const bodies = Array.from(cuts(reply), (pieces) => {
      const sink = new Collector();
      readInto(sink, pieces, false);
      return sink.reading().body;
    });
    assert.deepEqual([...new Set(bodies)], bodies.slice(-1), name);
  }
  const sink = new Collector();
  readInto(sink, [`${CHUNKED}2\r\nhi\r\n5\r\nhellothere`], true);
  assert.equal(sink.reading().body, "hihello");
});

test("a body over the limit, told or counted, is refused; so are endless interim replies", () => {
  const small = { headBytesMax: 4096, bodyBytesMax: 4 };
  const parse = (reply: string): void => {
    const parser = new ReplyParser(new Collector(), small);
    parser.expect("GET");
    parser.push(Buffer.from(reply), reply.length, true);
  };
  parse(`${OK}Content-Length: 4\r\n\r\nabcd`);
  assert.throws(() => {
    parse(`${OK}Content-Length: 5\r\n\r\n`);
  }, FramingError);
  for (const body of [`${CHUNKED}5\r\nhello\r\n`, `${OK}\r\nhello`]) {
    assert.throws(() => {
      parse(body);
    }, FramingError);
  }
  assert.throws(() => {
    parse("HTTP/1.1 100 Continue\r\n\r\n".repeat(17));
  }, FramingError);
});

test("the limits of a reply hold for each that comes over a connection, and not for all of them", () => {
  const told: string[] = [];
  const sink = {
    onHead: (httpStatus: number) => void told.push(String(httpStatus)),
    onLent: () => false,
    onBody: (piece: Buffer) => void told.push(piece.toString()),
    onReplyEnd: () => void told.push("end"),
  };
  const parser = new ReplyParser(sink, { headBytesMax: 4096, bodyBytesMax: 4 });
  const interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(16);
  for (const body of ["3\r\none\r\n0\r\n\r\n", "3\r\ntwo\r\n0\r\n\r\n"]) {
    parser.expect("POST");
    const reply = interim + CHUNKED + body;
    parser.push(Buffer.from(reply), reply.length, true);
  }
  assert.deepEqual(told, ["200", "one", "end", "200", "two", "end"]);
});

test("a long piece of a shared buffer is lent, and comes once more as a copy only where it is not taken", () => {
  const body = "x".repeat(16 * 1024);
  const replies = {
    ofLength: `${OK}Content-Length: ${String(body.length)}\r\n\r\n${body}`,
    chunked: `${CHUNKED}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    untilClose: `${OK}\r\n${body}`,
  };
  for (const [how, reply] of Object.entries(replies)) {
    for (const takes of [true, false]) {
      const sink = new Collector();
      const lent: string[] = [];
      sink.onLent = (piece) => takes && lent.push(piece.toString("latin1")) > 0;
      const parser = new ReplyParser(sink, LIMITS);
      parser.expect("GET");
      const shared = Buffer.from(reply, "latin1");
      parser.push(shared, shared.length, false);
      parser.end();
      shared.fill("!");
      assert.deepEqual(lent, takes ? [body] : [], how);
      assert.deepEqual(sink.pieces.map(String), takes ? [] : [body], how);
      assert.equal(sink.ends, 1, how);
    }
  }
});

test("what is short, or nobody else's, is not lent", () => {
  const sink = new Collector();
  sink.onLent = () => assert.fail("lent");
  const short = `${OK}Content-Length: 100\r\n\r\n${"x".repeat(100)}`;
  readInto(sink, [short], false);
  assert.equal(sink.reading().body.length, 100);
  const long = new Collector();
  long.onLent = () => assert.fail("lent");
  readInto(long, [`${OK}Content-Length: 20000\r\n\r\n${"x".repeat(20_000)}`], true);
  assert.equal(long.reading().body.length, 20_000);
});

test("chunks of one read go on as one piece", () => {
  const sink = new Collector();
  const parser = new ReplyParser(sink, LIMITS);
  parser.expect("POST");
  const reply = `${CHUNKED}${"3\r\nabc\r\n".repeat(50)}0\r\n\r\n`;
  parser.push(Buffer.from(reply), reply.length, true);
  assert.deepEqual([sink.pieces.length, sink.pieces[0]?.length, sink.ends], [1, 150, 1]);
  assert.equal(parser.persistent, true);
});

test("a connection serves no other call where its provider, its framing or its bytes say so", () => {
  const persistent = (reply: string): boolean => {
    const parser = new ReplyParser(new Collector(), LIMITS);
    parser.expect("GET");
    parser.push(Buffer.from(reply), reply.length, true);
    return parser.persistent;
  };
  const length = "Content-Length: 0\r\n";
  assert.equal(persistent(`${OK}${length}\r\n`), true);
  assert.equal(persistent(`${OK}${length}Connection: Keep-Alive\r\n\r\n`), true);
  assert.equal(persistent(`${OK}${length}Connection: x, CLOSE\r\n\r\n`), false);
  assert.equal(persistent(`HTTP/1.0 200 OK\r\n${length}\r\n`), false);
  assert.equal(persistent(`HTTP/1.0 200 OK\r\n${length}Connection: keep-alive\r\n\r\n`), true);
  assert.equal(persistent(`${OK}\r\nuntil the end`), false);
  assert.equal(persistent(`${OK}${length}\r\nmore than was asked for`), false);
});
