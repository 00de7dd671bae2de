import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderLines } from "../http/header-lines.js";
import { readReplyHead } from "./reply-head.js";

function linesOf(headers: Readonly<Record<string, string>>): HeaderLines {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const bytes = Buffer.from(`${lines.join("")}\r\n`, "latin1");
  const read = new HeaderLines(bytes, 0);
  assert.ok(read.read(0, bytes.length, 1));
  return read;
}

test("only listed headers go on, our own id keeps its name and lengths are read", () => {
  const head = readReplyHead(
    200,
    linesOf({
      "Content-Type": "Text/Event-Stream; charset=utf-8",
      "Content-Length": "12",
      "Set-Cookie": "a=b",
      "X-Request-Id": "req_1",
      "X-RateLimit-Remaining-Tokens": "5",
      Connection: "keep-alive",
      "CF-Ray": "x",
      "Content-Encoding": "GZIP",
    }),
    false,
  );
  assert.equal(
    head.forward.text,
    "Content-Type: Text/Event-Stream; charset=utf-8\r\n" +
      "x-upstream-request-id: req_1\r\n" +
      "X-RateLimit-Remaining-Tokens: 5\r\n",
  );
  assert.equal(head.contentType, "text/event-stream");
  assert.equal(head.contentLength, 12);
  assert.equal(head.contentEncoding, "gzip");
  assert.equal(head.pacing, undefined);
});

test("the provider's limits stay when ours are sent, and are read all the same when it refuses", () => {
  const headers = linesOf({
    "x-ratelimit-reset-tokens": "1s",
    "retry-after": "3",
    "x-should-retry": "false",
  });
  const head = readReplyHead(429, headers, true);
  assert.equal(head.forward.text, "retry-after: 3\r\nx-should-retry: false\r\n");
  assert.deepEqual(
    [...(head.pacing ?? [])],
    [
      ["x-ratelimit-reset-tokens", "1s"],
      ["retry-after", "3"],
    ],
  );
});
