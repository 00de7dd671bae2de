import assert from "node:assert/strict";
import { test } from "node:test";
import { FramingError } from "../http/framing-error.js";
import { editsOf, plainBlock } from "../http/testing/plain-heads.js";
import { parseRequestHead } from "./request-head.js";

const REST = "Host: a\r\n\r\n";
const BEFORE = "##";

function read(text: string): readonly unknown[] | undefined {
  const bytes = Buffer.from(BEFORE + text, "latin1");
  try {
    const head = parseRequestHead(bytes, BEFORE.length, bytes.length);
    return head && [head.method, head.target, head.minor, head.lines.end - BEFORE.length];
  } catch (error) {
    assert.ok(error instanceof FramingError);
    return undefined;
  }
}

const LINE = /^([A-Z]{1,24}) ([\x21-\x7e]+) HTTP\/1\.([01])\r\n/;

function readPlainly(text: string): readonly unknown[] | undefined {
  const [line, method, target, minor] = LINE.exec(text) ?? [];
  if (line === undefined || method === "CONNECT") return undefined;
  const rest = plainBlock(text.slice(line.length));
  return rest && [method, target, Number(minor), line.length + rest.length];
}

test("a request line is read as the grammar has it, whichever byte of it is another, is missing or is too much", () => {
  for (const line of [
    "POST /v1/a?b=%20~ HTTP/1.1\r\n",
    "GET / HTTP/1.0\r\n",
    "CONNECT a:1 HTTP/1.1\r\n",
    `${"A".repeat(24)} * HTTP/1.1\r\n`,
  ]) {
    for (const edit of editsOf(line)) {
      const text = edit + REST;
      assert.deepEqual(read(text), readPlainly(text), JSON.stringify(text));
    }
  }
});

test("of a head that has not come whole nothing is known, wherever it ends", () => {
  const text = `GET /a HTTP/1.1\r\n${REST}`;
  const bytes = Buffer.from(text);
  for (let end = 0; end < text.length; end++) {
    assert.equal(parseRequestHead(bytes, 0, end), undefined, text.slice(0, end));
  }
  assert.ok(parseRequestHead(bytes, 0, text.length));
});
