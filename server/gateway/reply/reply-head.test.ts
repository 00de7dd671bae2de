import assert from "node:assert/strict";
import { test } from "node:test";
import { Secret } from "../../core/secret.js";
import { HeaderLines } from "../../http/header-lines.js";
import { editsOf, isNamed, plainBlock } from "../../http/testing/plain-heads.js";
import { eventsHead, hideKey, readReplyHead, translatedHead } from "./reply-head.js";

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

test("what Connection names in a reply is for that hop alone", () => {
  const headers = { Connection: "close, X-Model-Id", "X-Model-Id": "m", Date: "d", ETag: "e" };
  const { forward } = readReplyHead(200, linesOf(headers), false);
  assert.deepEqual(
    [...forward.pairs()],
    [
      ["date", "d"],
      ["etag", "e"],
    ],
  );
  assert.ok(forward.isDated);
});

test("a key that a provider echoes in a head is hidden, in an error in whatever form", () => {
  const clear = "sk-upstream/0123456789abcdef";
  const secret = new Secret(clear);
  const packed = Buffer.from(`a:${clear}`).toString("base64");
  for (const [httpStatus, echoed, shown] of [
    [200, clear, "[redacted]"],
    [400, clear, "[redacted]"],
    [400, `Basic ${packed}`, /^Basic \w{0,4}\[redacted\]\w{0,4}$/],
    [400, encodeURIComponent(clear), "[redacted]"],
  ] as const) {
    const head = readReplyHead(httpStatus, linesOf({ "X-Request-Id": echoed, Date: "d" }), false);
    hideKey(head, secret);
    const { "x-upstream-request-id": told = "", ...rest } = Object.fromEntries(
      head.forward.pairs(),
    );
    if (typeof shown === "string") assert.equal(told, shown);
    else assert.match(told, shown);
    assert.deepEqual(rest, { date: "d" });
    assert.ok(head.forward.isDated);
  }
});

/** Names of headers that go to callers; of those that end with a hyphen all that begin so. */
const GO_ON = [
  "content-type",
  "cache-control",
  "content-disposition",
  "content-language",
  "date",
  "etag",
  "last-modified",
  "request-id",
  "retry-after",
  "retry-after-ms",
  "x-should-retry",
  "openai-processing-ms",
  "openai-version",
  "openai-model",
  "openai-poll-after-ms",
  "x-model-id",
  "x-reasoning-included",
  "x-gemini-service-tier",
  "x-ratelimit-",
  "anthropic-ratelimit-",
  "x-codex-",
];

/** What tells of the account behind a key, or of the provider's hop. */
const STAY = [
  "set-cookie",
  "openai-organization",
  "openai-project",
  "anthropic-organization-id",
  "server",
  "via",
  "alt-svc",
  "location",
  "strict-transport-security",
  "x-goog-ext",
  "www-authenticate",
  "link",
  "refresh",
  "access-control-allow-origin",
];

test("a provider's headers go on by the list of those that may, and none that differs from them in a letter", () => {
  for (const name of [...GO_ON, ...STAY, "X-RateLimit-Limit"]) {
    for (const edit of editsOf(name)) {
      const line = `${edit}: v\r\n`;
      if (plainBlock(`${line}\r\n`)?.lines[0]?.[0] !== edit) continue;
      const { forward } = readReplyHead(200, linesOf({ [edit]: "v", ETag: "end" }), false);
      assert.equal(forward.text, `${isNamed(edit, GO_ON) ? line : ""}ETag: end\r\n`, edit);
    }
  }
});

test("when to come back is read whatever case its header is written in, and of refusals alone", () => {
  const headers = {
    "Retry-After": "3",
    "X-RateLimit-Reset-Tokens": "1s",
    "RateLimit-Reset": "7",
    "Anthropic-RateLimit-Requests-Reset": "x",
    "X-Retry-After": "9",
  };
  assert.deepEqual(
    [...(readReplyHead(429, linesOf(headers), false).pacing ?? [])],
    [
      ["retry-after", "3"],
      ["x-ratelimit-reset-tokens", "1s"],
      ["ratelimit-reset", "7"],
      ["anthropic-ratelimit-requests-reset", "x"],
    ],
  );
  assert.equal(readReplyHead(399, linesOf(headers), false).pacing, undefined);
  assert.notEqual(readReplyHead(400, linesOf(headers), false).pacing, undefined);
});

test("a content type is known without its parameters, whatever blanks and case it is written with", () => {
  for (const value of [
    "application/json",
    "Application/JSON;charset=utf-8",
    "application/json ;",
  ]) {
    const { contentType } = readReplyHead(200, linesOf({ "content-type": value }), false);
    assert.equal(contentType, "application/json");
  }
});

const PROVIDERS = {
  "content-type": "application/json",
  date: "now",
  "retry-after": "3",
  "retry-after-ms": "3000",
  "x-should-retry": "false",
  "request-id": "req_1",
  etag: "e",
  "openai-version": "v",
  "x-ratelimit-limit-requests": "5",
};

test("of a reply that is translated goes on what means the same in every language", () => {
  const read = readReplyHead(200, linesOf(PROVIDERS), false);
  for (const dialect of ["OPENAI", "GEMINI", "ANTHROPIC"] as const) {
    const contentType = "Text/Event-Stream; charset=utf-8";
    const head = translatedHead(read, { contentType, dialect, id: "call_1" });
    assert.equal(
      head.forward.text,
      `content-type: ${contentType}\r\ndate: now\r\nretry-after: 3\r\nretry-after-ms: 3000\r\n` +
        "x-should-retry: false\r\nx-upstream-request-id: req_1\r\n" +
        (dialect === "ANTHROPIC" ? "request-id: call_1\r\n" : ""),
    );
    assert.equal(head.contentType, "text/event-stream");
    assert.equal(head.forward.isDated, true);
  }
  const other = readReplyHead(200, linesOf({ "x-request-id": "req_2" }), false);
  const { forward } = translatedHead(other, { contentType: "a/b", dialect: "OPENAI", id: "" });
  assert.equal(forward.text, "content-type: a/b\r\nx-upstream-request-id: req_2\r\n");
});

test("a reply that becomes a stream of events is called one, once, and keeps its other headers", () => {
  const { forward, contentType, contentLength } = eventsHead(
    readReplyHead(200, linesOf({ ...PROVIDERS, "content-length": "7" }), true),
  );
  assert.equal(
    forward.text,
    "content-type: text/event-stream; charset=utf-8\r\ndate: now\r\nretry-after: 3\r\n" +
      "retry-after-ms: 3000\r\nx-should-retry: false\r\nrequest-id: req_1\r\netag: e\r\nopenai-version: v\r\n",
  );
  assert.deepEqual([contentType, contentLength], ["text/event-stream", undefined]);
});
