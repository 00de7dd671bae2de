import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRequestHead, type ParsedRequest } from "../../caller/request-head.js";
import { editsOf, isNamed, plainBlock } from "../../http/testing/plain-heads.js";
import { readHead, type RequestHead } from "./request-head.js";

const LINES_MAX = 100;

function parsed(lines: string, line = "GET /v1/models HTTP/1.1"): ParsedRequest {
  const bytes = Buffer.from(`${line}\r\n${lines}\r\n`, "latin1");
  const request = parseRequestHead(bytes, 0, bytes.length);
  assert.ok(request !== undefined);
  return request;
}

function read(lines: string, line?: string): RequestHead {
  return readHead(parsed(lines, line), LINES_MAX);
}

function refuses(lines: string, line?: string): void {
  assert.throws(() => read(lines, line), { code: "malformed_request" }, lines);
}

const HOST = "Host: a\r\n";

/** Names of headers that go to providers; of those that end with a hyphen all that begin so. */
const GO_ON = [
  "content-type",
  "anthropic-version",
  "x-session-affinity",
  "x-session-id",
  "session_id",
  "x-claude-code-session-id",
  "x-grok-conv-id",
  "accept",
  "accept-language",
  "user-agent",
  "anthropic-beta",
  "anthropic-dangerous-direct-browser-access",
  "openai-beta",
  "idempotency-key",
  "x-goog-api-client",
  "x-server-timeout",
  "x-app",
  "x-title",
  "http-referer",
  "originator",
  "version",
  "conversation_id",
  "x-client-request-id",
  "x-openai-subagent",
  "x-stainless-",
  "x-codex-",
  "x-claude-code-",
  "x-opencode-",
  "x-dashscope-",
];

/** What callers, and proxies before us, say that is no provider's business. */
const STAY = [
  "authorization",
  "x-api-key",
  "api-key",
  "x-goog-api-key",
  "cookie",
  "traceparent",
  "tracestate",
  "baggage",
  "upgrade",
  "expect",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-real-ip",
  "forwarded",
  "via",
  "openai-organization",
  "openai-project",
  "x-goog-user-project",
  "x-goog-user-ip",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "origin",
  "referer",
  "host-name",
];

test("headers go on by the list of those that may, and none that differs from them in a letter", () => {
  for (const name of [...GO_ON, ...STAY, "X-Stainless-Lang", "OpenAI-Beta"]) {
    for (const edit of editsOf(name)) {
      const line = `${edit}: v\r\n`;
      if (plainBlock(`${line}\r\n`)?.lines[0]?.[0] !== edit) continue;
      // These are read as framing, or have rules of their own.
      if (/^(?:host|connection|content-encoding|content-length)$/i.test(edit)) continue;
      const { forward } = read(`${HOST}${line}X-App: end\r\n`);
      assert.equal(forward.text, `${isNamed(edit, GO_ON) ? line : ""}X-App: end\r\n`, edit);
    }
  }
});

test("what is read of a head besides is what it says, and of that only what may goes on", () => {
  const head = read(
    "HOST: a\r\nAuthorization: Bearer k\r\nX-API-Key: 1\r\nApi-Key: 2\r\nX-Goog-Api-Key: 3\r\n" +
      "Content-Type: text/plain\r\nAnthropic-Version: 2023-06-01\r\nX-Session-Id: s\r\nSession_Id: t\r\n" +
      "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\nTraceparent: p\r\nTraceparent: q\r\n" +
      "Upgrade: websocket\r\nContent-Encoding: Identity \r\n",
  );
  assert.equal(
    head.forward.text,
    "Content-Type: text/plain\r\nAnthropic-Version: 2023-06-01\r\nX-Session-Id: s\r\nSession_Id: t\r\n",
  );
  assert.deepEqual(
    [head.authorization, head.xApiKey, head.apiKey, head.xGoogApiKey, head.contentType],
    ["Bearer k", "1", "2", "3", "text/plain"],
  );
  assert.deepEqual(
    [head.session, head.forwardedFor, head.traceparent, head.upgrade],
    ["s", "1.1.1.1,2.2.2.2", "p,q", "websocket"],
  );
  assert.equal(head.hasAnthropicVersion, true);
});

test("no caller chooses a workspace in the account that a key belongs to", () => {
  const { forward } = read(`${HOST}X-DashScope-WorkSpace: ws\r\nX-DashScope-SSE: enable\r\n`);
  assert.equal(forward.text, "X-DashScope-SSE: enable\r\n");
});

test("a session may be named in each of the ways that agents have for it", () => {
  for (const name of [
    "X-Session-Affinity",
    "X-Session-Id",
    "Session_Id",
    "X-Claude-Code-Session-Id",
    "X-Grok-Conv-Id",
  ]) {
    const head = read(`${HOST}${name}: s\r\n`);
    assert.equal(head.session, "s", name);
    assert.equal(head.forward.text, `${name}: s\r\n`);
  }
});

test("a head that says nothing is read as nothing, and empty values do not go on", () => {
  const head = read(
    `${HOST}Content-Type:\r\nAnthropic-Version:\r\nX-Session-Id:\r\nSession_Id: t\r\n`,
  );
  assert.equal(head.forward.text, "Session_Id: t\r\n");
  assert.deepEqual([head.contentType, head.hasAnthropicVersion, head.session], ["", false, "t"]);
  assert.deepEqual([head.authorization, head.traceparent, head.forwardedFor], [undefined, "", ""]);
});

test("what a head names as this hop's alone does not go on", () => {
  const named = "X-App: 1\r\nUser-Agent: 2\r\nX-Title: 3\r\n";
  const { forward } = read(`${HOST}Connection: X-App, keep-alive, x-titles\r\n${named}`);
  assert.equal(forward.text, "user-agent: 2\r\nx-title: 3\r\n");
});

test("what two readers could take in two ways is refused", () => {
  for (const name of [
    "Host",
    "Authorization",
    "X-Api-Key",
    "Api-Key",
    "X-Goog-Api-Key",
    "Content-Type",
    "Content-Encoding",
  ]) {
    const line = `${name}: identity\r\n`;
    const others = name === "Host" ? "" : HOST;
    assert.doesNotThrow(() => read(others + line), name);
    refuses(others + line + line.toLowerCase());
  }
  refuses("");
  assert.doesNotThrow(() => read("", "GET / HTTP/1.0"));
  refuses(HOST, "GET /v1/models#x HTTP/1.1");
  refuses(`${HOST}Content-Encoding: gzip\r\n`);
  refuses(`${HOST}Content-Encoding:\r\n`);
  assert.doesNotThrow(() => read(HOST + "A: b\r\n".repeat(LINES_MAX - 1)));
  refuses(HOST + "A: b\r\n".repeat(LINES_MAX));
});

test("a head whose host is none is refused, as two readers could take it for two", () => {
  for (const host of ["a b", "a\tb", "a/b", "me@a", "a:b", "[::1", "a%2", "caf\u00e9"]) {
    refuses(`Host: ${host}\r\n`);
    refuses(`Host: ${host}\r\n`, "GET /v1/models HTTP/1.0");
  }
  for (const host of ["a", "", "my_host:8080", "[::1]:8080", " a\t"]) read(`Host: ${host}\r\n`);
});
