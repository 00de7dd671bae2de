import assert from "node:assert/strict";
import { test } from "node:test";
import { FramingError } from "../http/framing-error.js";
import { editsOf, plainBlock } from "../http/testing/plain-heads.js";
import { parseHead } from "./reply-head.js";

const REST = "Server: a\r\n\r\n";
const BEFORE = "##";

function read(text: string): readonly unknown[] | undefined {
  const bytes = Buffer.from(BEFORE + text, "latin1");
  try {
    const head = parseHead(bytes, BEFORE.length, bytes.length);
    return head && [head.httpStatus, head.lines.persistent, head.lines.end - BEFORE.length];
  } catch (error) {
    assert.ok(error instanceof FramingError);
    return undefined;
  }
}

const LINE = /^HTTP\/1\.([01]) ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?\r\n/;

function readPlainly(text: string): readonly unknown[] | undefined {
  const [line, minor, status] = LINE.exec(text) ?? [];
  if (line === undefined) return undefined;
  const rest = plainBlock(text.slice(line.length));
  return rest && [Number(status), minor === "1", line.length + rest.length];
}

test("a status line is read as the grammar has it, whichever byte of it is another, is missing or is too much", () => {
  for (const line of [
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.0 599 \xe9 \t\r\n",
    "HTTP/1.1 100\r\n",
    "HTTP/1.1 99\r\n",
    "HTTP/1.1 600 \r\n",
  ]) {
    for (const edit of editsOf(line)) {
      const text = edit + REST;
      assert.deepEqual(read(text), readPlainly(text), JSON.stringify(text));
    }
  }
});

test("of a head that has not come whole nothing is known, wherever it ends", () => {
  const text = `HTTP/1.1 200 OK\r\n${REST}`;
  const bytes = Buffer.from(text);
  for (let end = 0; end < text.length; end++) {
    assert.equal(parseHead(bytes, 0, end), undefined, text.slice(0, end));
  }
  assert.ok(parseHead(bytes, 0, text.length));
});
