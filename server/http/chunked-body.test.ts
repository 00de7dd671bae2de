import assert from "node:assert/strict";
import { test } from "node:test";
import { ChunkedBody } from "./chunked-body.js";
import { FramingError } from "./framing-error.js";
import { editsOf, plainBlock } from "./testing/plain-heads.js";

/** What chunks hold. */
interface Held {
  readonly body: string;
  /** One past the last character that belongs to them. */
  readonly next: number;
}

/** Undefined for what is refused, or has not ended. */
function read(pieces: readonly string[]): Held | undefined {
  const chunked = new ChunkedBody();
  let body = "";
  let next = 0;
  try {
    for (const each of pieces) {
      const bytes = Buffer.from(`#${each}#`, "latin1");
      const end = bytes.length - 1;
      const piece = chunked.read(bytes, 1, end);
      body += bytes.toString("latin1", piece.start, piece.end);
      next += piece.next - 1;
      if (chunked.done) return { body, next };
      // Chunks in front of an error are told before it.
      if (piece.next < end) assert.fail(String(chunked.read(bytes, piece.next, end)));
    }
  } catch (error) {
    assert.ok(error instanceof FramingError);
  }
  return undefined;
}

const SIZE = /^([0-9A-Fa-f]{1,12})(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n/;

function readPlainly(text: string): Held | undefined {
  let body = "";
  let at = 0;
  while (true) {
    const size = SIZE.exec(text.slice(at));
    if (size === null) return undefined;
    at += size[0].length;
    const length = Number.parseInt(size[1] ?? "", 16);
    if (length === 0) break;
    body += text.slice(at, at + length);
    at += length;
    if (text.slice(at, at + 2) !== "\r\n") return undefined;
    at += 2;
  }
  const trailers = plainBlock(text.slice(at));
  return trailers && { body, next: at + trailers.length };
}

const WHOLE =
  "3\r\nabc\r\n0A\r\n0123456789\r\n1a;x=\t\xe9\r\nabcdefghijklmnopqrstuvwxyz\r\n00;\r\nX-Sum: 1\r\ny:\r\n\r\nnext";

test("chunks are read as the grammar has them, whichever byte of them is another, is missing or is too much", () => {
  assert.equal(read([WHOLE])?.body, "abc0123456789abcdefghijklmnopqrstuvwxyz");
  for (const edit of editsOf(WHOLE)) {
    assert.deepEqual(read([edit]), readPlainly(edit), JSON.stringify(edit));
  }
});

test("chunks are read alike however they are cut", () => {
  const wanted = read([WHOLE]);
  assert.deepEqual(read(WHOLE.split("")), wanted);
  for (let at = 0; at <= WHOLE.length; at++) {
    assert.deepEqual(read([WHOLE.slice(0, at), WHOLE.slice(at)]), wanted);
  }
});

test("what stands beside the chunks is bounded: digits, what follows a size, and all trailers together", () => {
  const last = "0\r\n\r\n";
  const extension = (count: number): string => `1;${"x".repeat(count)}\r\na\r\n`;
  assert.equal(read([`000000000001\r\na\r\n${last}`])?.body, "a");
  assert.equal(read([`0000000000001\r\na\r\n${last}`]), undefined);
  assert.equal(read([extension(4096), extension(4096), last])?.body, "aa");
  assert.equal(read([extension(4097), last]), undefined);
  const half = `a:${"x".repeat(8 * 1024 - 1)}\r\n`;
  assert.equal(read([`0\r\n${half}${half}\r\n`])?.body, "");
  assert.equal(read([`0\r\n${half}${half}b:\r\n\r\n`]), undefined);
  assert.equal(read([`0\r\n${"b".repeat(16 * 1024 + 1)}:\r\n\r\n`]), undefined);
});
