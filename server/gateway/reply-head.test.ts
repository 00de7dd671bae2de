import assert from "node:assert/strict";
import { test } from "node:test";
import type { RawHeaders } from "../http/header-lines.js";
import { readReplyHead } from "./reply-head.js";

function raw(headers: Readonly<Record<string, string>>): RawHeaders {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const bytes = Buffer.from(lines.join(""), "latin1");
  const marks: number[] = [];
  let at = 0;
  for (const [name, value] of Object.entries(headers)) {
    const valueAt = at + name.length + 2;
    marks.push(at, at + name.length, valueAt, valueAt + value.length);
    at = valueAt + value.length + 2;
  }
  return { bytes, marks, text: (start, end) => bytes.toString("latin1", start, end) };
}

test("only listed headers go on, our own id keeps its name and lengths are read", () => {
  const head = readReplyHead(
    200,
    raw({
      "Content-Type": "Text/Event-Stream; charset=utf-8",
      "Content-Length": "12",
      "Set-Cookie": "a=b",
      "X-Request-Id": "req_1",
      "X-RateLimit-Remaining-Tokens": "5",
      Connection: "keep-alive",
      "Transfer-Encoding": "chunked",
      "CF-Ray": "x",
      "Content-Encoding": "GZIP",
    }),
    false,
  );
  assert.deepEqual(head.forward, [
    "content-type",
    "Text/Event-Stream; charset=utf-8",
    "x-upstream-request-id",
    "req_1",
    "x-ratelimit-remaining-tokens",
    "5",
  ]);
  assert.equal(head.contentType, "text/event-stream");
  assert.equal(head.contentLength, 12);
  assert.equal(head.contentEncoding, "gzip");
  assert.equal(head.pacing, undefined);
});

test("the provider's limits stay when ours are sent, and are read all the same when it refuses", () => {
  const headers = raw({
    "x-ratelimit-reset-tokens": "1s",
    "retry-after": "3",
    "x-should-retry": "false",
  });
  const head = readReplyHead(429, headers, true);
  assert.deepEqual(head.forward, ["retry-after", "3", "x-should-retry", "false"]);
  assert.deepEqual(
    [...(head.pacing ?? [])],
    [
      ["x-ratelimit-reset-tokens", "1s"],
      ["retry-after", "3"],
    ],
  );
});
