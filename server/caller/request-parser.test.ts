import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { after, before, test } from "node:test";
import * as fc from "fast-check";
import { FramingError, type FramingProblem } from "../http/framing-error.js";
import type { ParsedRequest } from "./request-head.js";
import { KnownHeads } from "./known-head.js";
import { RequestParser } from "./request-parser.js";

/** What a server makes of one request. */
interface Reading {
  readonly method: string;
  readonly target: string;
  /** Names in lower case, and values, in turn. */
  readonly headers: readonly string[];
  readonly body: string;
}

const HEAD_BYTES_MAX = 2048;

/** What a head was read as. */
class Meaning {
  readonly headers: readonly string[];

  constructor(headers: readonly string[]) {
    this.headers = headers;
  }
}

class Collector {
  readonly requests: Reading[] = [];
  /** Heads that were known. */
  known = 0;
  /** Pieces that were lent. */
  lent = 0;
  readonly #keeps: boolean;
  #request: ParsedRequest | undefined;
  #headers: readonly string[] = [];
  #contentLength = -1;
  #body: Buffer[] = [];

  /** `keeps`: sets what it read as the meaning of heads. */
  constructor(keeps: boolean) {
    this.#keeps = keeps;
  }

  onRequest(request: ParsedRequest, contentLength: number): void {
    assert.equal(this.#request, undefined, "one request after the other");
    this.#request = request;
    this.#contentLength = contentLength;
    this.#body = [];
    const { meaning } = request;
    if (meaning instanceof Meaning) this.known += 1;
    this.#headers = meaning instanceof Meaning ? meaning.headers : headersOf(request);
    if (this.#keeps) request.meaning = new Meaning(this.#headers);
  }

  onBody(piece: Buffer, own: boolean): void {
    assert.notEqual(this.#request, undefined, "no body without its request");
    this.#body.push(own ? piece : Buffer.from(piece));
    if (!own) this.lent += 1;
  }

  onRequestEnd(): void {
    const request = this.#request;
    assert.ok(request !== undefined);
    this.#request = undefined;
    const { method, target } = request;
    const body = Buffer.concat(this.#body).toString("latin1");
    if (this.#contentLength >= 0) assert.equal(body.length, this.#contentLength);
    const headers = this.#headers.map((text, at) =>
      this.#headers[at - 1] === "content-length" ? String(body.length) : text,
    );
    this.requests.push({ method, target, headers, body });
  }
}

function headersOf({ lines }: ParsedRequest): string[] {
  const headers: string[] = [];
  for (let i = 0; i < lines.length; i += 4) {
    headers.push(lines.name(i).toLowerCase(), lines.value(i));
  }
  return headers;
}

/** Where reads land one after the other: what is not copied out of it is lost. */
const readBuffer = Buffer.alloc(64 * 1024);

/** Reads what comes in these pieces, as a connection does: the requests that are whole, or why it is refused. */
function read(pieces: readonly string[], sink = new Collector(true)): Reading[] | FramingProblem {
  const parser = new RequestParser(sink, HEAD_BYTES_MAX, new KnownHeads());
  try {
    for (const piece of pieces) {
      const bytes = Buffer.from(piece, "latin1");
      readBuffer.fill("!");
      bytes.copy(readBuffer);
      let at = bytes.length > 0 && parser.pushLent(readBuffer, bytes.length) ? bytes.length : 0;
      while (at < bytes.length) {
        const next = parser.push(bytes, at);
        assert.ok(next > at && next <= bytes.length, "it gets on, and stays within what came");
        at = next;
      }
    }
  } catch (error) {
    if (error instanceof FramingError) return error.problem;
    throw error;
  }
  return sink.requests;
}

/** Node's own server, which is asked what it makes of the same bytes. */
const oracle = http.createServer({ requireHostHeader: false });
let port = 0;

before(async () => {
  oracle.listen(0, "127.0.0.1");
  await once(oracle, "listening");
  port = (oracle.address() as net.AddressInfo).port;
});

after(() => {
  oracle.close();
});

function readByNode(text: string, count: number): Promise<Reading[] | "REFUSED"> {
  return new Promise((resolve) => {
    const readings: Reading[] = [];
    const socket = net.connect(port, "127.0.0.1", () => socket.write(text, "latin1"));
    const done = (result: Reading[] | "REFUSED"): void => {
      oracle.off("request", onRequest);
      oracle.off("clientError", onRefused);
      socket.destroy();
      resolve(result);
    };
    const onRequest = (req: http.IncomingMessage, res: http.ServerResponse): void => {
      const chunks: Buffer[] = [];
      req.on("data", (chunk: Buffer) => chunks.push(chunk));
      req.on("end", () => {
        const headers = req.rawHeaders.map((each, at) =>
          at % 2 === 0 ? each.toLowerCase() : each,
        );
        const body = Buffer.concat(chunks).toString("latin1");
        readings.push({ method: req.method ?? "", target: req.url ?? "", headers, body });
        res.end();
        if (readings.length === count) done(readings);
      });
    };
    const onRefused = (error: NodeJS.ErrnoException): void => {
      // Not the end of an earlier connection.
      if (error.code?.startsWith("HPE_") === true) done("REFUSED");
    };
    oracle.on("request", onRequest);
    oracle.on("clientError", onRefused);
    socket.on("error", () => undefined);
  });
}

/** Every way of cutting a text in two, and one byte at a time. */
function* cuts(text: string): Generator<readonly string[]> {
  yield [text];
  yield text.split("");
  for (let at = 1; at < text.length; at++) yield [text.slice(0, at), text.slice(at)];
}

const REQUESTS: Readonly<Record<string, string>> = {
  "a body with its length": "POST /v1/x?y=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
  "no body": "GET /v1/models HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
  "an empty body": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
  "HTTP/1.0": "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
  "no headers": "GET / HTTP/1.0\r\n\r\n",
  "an empty value": "GET / HTTP/1.1\r\nHost:\r\nX-Empty: \r\n\r\n",
  "blanks around values": "GET / HTTP/1.1\r\nHost: \t a b \t\r\n\r\n",
  "odd names and values": "GET / HTTP/1.1\r\nhOsT: a\r\n!#$%&'*+-.^_`|~: \xe9\xff\r\n\r\n",
  "line ends before it": "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
  chunks:
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
  "chunks in capitals":
    "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding: Chunked\r\n\r\n1;x=y\r\na\r\n0\r\n\r\n",
  "no chunk but the last":
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
};

for (const [name, text] of Object.entries(REQUESTS)) {
  test(`a request is read as Node reads it, however it is cut: ${name}`, async () => {
    const wanted = await readByNode(text, 1);
    for (const pieces of cuts(text)) assert.deepEqual(read(pieces), wanted, JSON.stringify(pieces));
  });
}

test("requests in a row are told apart as Node tells them apart, however they are cut", async () => {
  const row = Object.values(REQUESTS).filter((text) => !text.includes("HTTP/1.0"));
  const wanted = await readByNode(row.join(""), row.length);
  assert.equal(wanted.length, row.length);
  for (const pieces of cuts(row.join(""))) assert.deepEqual(read(pieces), wanted);
});

const BAD: Readonly<Record<string, string>> = {
  "no HTTP": "hello there\r\n\r\n",
  "a TLS hello": "\x16\x03\x01\x02\x00\x01\x00",
  "a version that is not spoken": "GET / HTTP/2.0\r\n\r\n",
  "a version with more behind it": "GET / HTTP/1.1 x\r\n\r\n",
  "a minor version of two digits": "GET / HTTP/1.10\r\n\r\n",
  "HTTP/0.9": "GET /\r\n\r\n",
  "two blanks in the request line": "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
  "a tab in the request line": "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
  "a control character in the path": "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
  "a path that is no ASCII": "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
  "a method in small letters": "get / HTTP/1.1\r\nHost: a\r\n\r\n",
  "a tunnel": "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
  "bare line feeds": "GET / HTTP/1.1\nHost: a\n\n",
  "a bare carriage return": "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
  "a folded line": "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
  "a blank before the colon": "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
  "a line without a name": "GET / HTTP/1.1\r\n: a\r\n\r\n",
  "a NUL in a value": "GET / HTTP/1.1\r\nHost: a\0\r\n\r\n",
  "two lengths": "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
  "a list of lengths": "POST / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\na",
  "a length with a sign": "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\na",
  "a length and chunks":
    "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "another coding": "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
  "chunks in HTTP/1.0": "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "a chunk without a size":
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\r\na\r\n0\r\n\r\n",
  "a chunk that is longer than it says":
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
  "a chunk with a bare line feed":
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
};

test("what two servers could read in two ways is refused, however it is cut", () => {
  for (const [name, text] of Object.entries(BAD)) {
    for (const pieces of cuts(text))
      assert.equal(read(pieces), "MALFORMED", `${name}: ${JSON.stringify(pieces)}`);
  }
});

test("a head that is too large is refused as such, whether it comes at once or in pieces", () => {
  const long = `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(HEAD_BYTES_MAX)}\r\n\r\n`;
  assert.equal(read([long]), "HEAD_TOO_LARGE");
  assert.equal(read(long.split("")), "HEAD_TOO_LARGE");
  assert.equal(read([long.slice(0, 100), long.slice(100)]), "HEAD_TOO_LARGE");
});

test("whatever bytes come, in whatever pieces, they are read alike or refused, and never cost more than that", () => {
  const alphabet = fc.constantFrom(
    "GET ",
    "POST ",
    "/",
    " HTTP/1.1",
    "\r\n",
    "\n",
    "\r",
    ":",
    " ",
    "Host: a",
    "a",
    "0",
    "5",
    "Content-Length: ",
    "Transfer-Encoding: chunked",
    "\0",
    "\xff",
    "\t",
  );
  fc.assert(
    fc.property(
      fc.array(alphabet, { maxLength: 30, size: "max" }),
      fc.array(fc.nat(200), { maxLength: 6 }),
      (parts, places) => {
        // A head in pieces is looked at when it has ended.
        const text = `${parts.join("")}\r\n\r\n`;
        const sorted = [...new Set(places.map((place) => place % (text.length + 1)))];
        const at = [0, ...sorted.toSorted((a, b) => a - b), text.length];
        const pieces = at.slice(1).map((end, i) => text.slice(at[i], end));
        assert.deepEqual(read(pieces), read([text]));
      },
    ),
    { numRuns: 3000 },
  );
});

/** Requests of one head and bodies of these lengths. */
function sameHead(head: string, lengths: readonly number[]): string {
  return lengths.map((length) => head.replace("#", String(length)) + "b".repeat(length)).join("");
}

const SAME_HEADS: Readonly<Record<string, string>> = {
  "the length at the end": "POST /v1/x HTTP/1.1\r\nHost: a\r\nContent-Length: #\r\n\r\n",
  "the length at the begin": "POST /v1/x HTTP/1.1\r\ncontent-length:#\r\nHost: a\r\nX: 1 \r\n\r\n",
};

for (const [name, head] of Object.entries(SAME_HEADS)) {
  test(`a head that comes again has its own length, however it is cut: ${name}`, async () => {
    const lengths = [5, 0, 12, 5, 100, 7];
    const text = sameHead(head, lengths);
    const wanted = await readByNode(text, lengths.length);
    for (const pieces of cuts(text)) assert.deepEqual(read(pieces), wanted);
    const sink = new Collector(true);
    read([text], sink);
    assert.equal(sink.known, lengths.length - 2, "from the third request on");
  });
}

test("a head that comes again without a body, or with chunks, is known too", () => {
  for (const text of [
    "GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
  ]) {
    const sink = new Collector(true);
    assert.deepEqual(read([text.repeat(5)], sink), read(Array<string>(5).fill(text)));
    assert.equal(sink.known, 3, text);
  }
});

test("what a connection remembers of heads is bounded: no long ones, and none of a caller whose heads all differ", () => {
  const long = `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(2048)}\r\n\r\n`;
  const sink = new Collector(true);
  const parser = new RequestParser(sink, 2 * long.length, new KnownHeads());
  for (let i = 0; i < 5; i++) parser.push(Buffer.from(long), 0);
  assert.deepEqual([sink.requests.length, sink.known], [5, 0]);

  const others = Array.from(
    { length: 6 },
    (_each, i) => `GET /${String(i)} HTTP/1.1\r\nHost: a\r\n\r\n`,
  );
  const same = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const changing = new Collector(true);
  read([others.join("") + same.repeat(3)], changing);
  assert.deepEqual([changing.requests.length, changing.known], [9, 0]);
});

test("of connections that bring the same head all know one, and of another head none does", () => {
  const heads = new KnownHeads();
  const same = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const told = (text: string): ParsedRequest | undefined => {
    let last: ParsedRequest | undefined;
    const parser = new RequestParser(
      {
        onRequest: (request) => {
          request.meaning ??= {};
          last = request;
        },
        onBody: () => undefined,
        onRequestEnd: () => undefined,
      },
      HEAD_BYTES_MAX,
      heads,
    );
    for (let i = 0; i < 3; i++) parser.push(Buffer.from(text), 0);
    return last;
  };
  const first = told(same);
  assert.notEqual(first, undefined);
  for (let i = 0; i < 100; i++) assert.notEqual(told(same.replace("/", `/${String(i)}`)), first);
  const long = "GET /long HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nX: y\r\n\r\n";
  const ofLong = told(long);
  assert.equal(told(long), ofLong);
  assert.equal(told(long.replace("h: 0", "h: 00")), ofLong);
  assert.notEqual(told(long.replace("X: y", "X: z")), ofLong);
  assert.notEqual(told(long.replace("long", "lonh")), ofLong);
});

test("heads that are nearly the same are told apart: knowing heads changes nothing of what is read", () => {
  const head = fc
    .tuple(
      fc.constantFrom("POST /a", "POST /b", "PUT /a"),
      fc.constantFrom("Host: a", "Host: b", "host: a"),
      fc.constantFrom(
        "Content-Length: ",
        "content-length:\t",
        "Content-Length : ",
        "Content-Length: 0",
      ),
      fc.constantFrom("5", "05", "12", "+5", "5 ", "5x", "", "5, 5", "1234567890123456"),
      fc.constantFrom(
        "",
        "X: 1\r\n",
        "X: 2\r\n",
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
      ),
    )
    .map(([line, host, name, length, more]) => {
      const text = `${line} HTTP/1.1\r\n${host}\r\n${name}${length}\r\n${more}\r\n`;
      const digits = /^0*(\d+) ?$/.exec(length)?.[1];
      return text + "b".repeat(Math.min(20, Number(digits ?? 0)));
    });
  const row = fc
    .tuple(fc.array(head, { minLength: 1, maxLength: 3 }), fc.array(fc.nat(5), { maxLength: 12 }))
    .map(([heads, order]) => order.map((i) => heads[i % heads.length] ?? "").join(""));
  fc.assert(
    fc.property(row, fc.nat(400), (text, place) => {
      const at = place % (text.length + 1);
      const pieces = [text.slice(0, at), text.slice(at)];
      const wanted = read([text], new Collector(false));
      assert.deepEqual(read([text]), wanted);
      assert.deepEqual(read(pieces), wanted);
    }),
    { numRuns: 3000 },
  );
});

test("the rest of a body of known length is taken as it is lent, and nothing else is", () => {
  const sink = new Collector(false);
  const head = "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n";
  const requests = read(
    [head, "abc", "def", "ghi", head, "abcdefgh", `i${head}`, "123456789"],
    sink,
  );
  assert.ok(Array.isArray(requests));
  assert.deepEqual(
    requests.map(({ body }) => body),
    ["abcdefghi", "abcdefghi", "123456789"],
  );
  // Of the second body the end came with the next head.
  assert.equal(sink.lent, 3 + 1 + 1);
  const chunked = new Collector(false);
  read(
    ["POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\nabc\r\n", "0\r\n\r\n"],
    chunked,
  );
  assert.deepEqual([chunked.requests.length, chunked.lent], [1, 0]);
});
