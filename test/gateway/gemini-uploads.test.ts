import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { Fault } from "../../server/core/fault.js";
import { callersOrigin, uploadQuery } from "../../server/gateway/request/uploads.js";
import { type Received, startUpstreamStub, type UpstreamStub } from "../support/upstream-stub.js";
import { CLIENT_KEY, startGateway, type TestGateway } from "./fixture.js";

// Google's protocol of resumable uploads, byte for byte as without the gateway but for the address and the key.

const SECRET = "sk-upstream-0000000000000000000000";
const UPLOAD = "/upload/v1beta/files";

let stub: UpstreamStub;
let gateway: TestGateway;
/** Where the stand-in sends who begins an upload. */
let uploadUrl = "";

before(async () => {
  stub = await startUpstreamStub((received, res) => {
    if (received.headers["x-goog-upload-command"] !== "start") {
      const file = { file: { name: "files/a", uri: "https://x/v1beta/files/a" } };
      res.setHeader("x-goog-upload-status", "final");
      res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(file));
      return;
    }
    res.setHeader("x-goog-upload-url", uploadUrl);
    res.setHeader("x-goog-upload-control-url", uploadUrl);
    res.setHeader("x-goog-upload-chunk-granularity", "8388608");
    res.setHeader("x-goog-upload-status", "active");
    res.writeHead(200, { "content-type": "text/plain", "content-length": 0 }).end();
  });
  gateway = await startGateway({
    providers: [{ baseUrl: `${stub.origin}/v1beta`, dialect: "GEMINI" }],
  });
});

beforeEach(() => {
  uploadUrl = `${stub.origin}${UPLOAD}?key=${SECRET}&upload_id=up-1&upload_protocol=resumable`;
  stub.received.length = 0;
});

after(async () => {
  await gateway.close();
  await stub.close();
});

const BEGIN = {
  "content-type": "application/json",
  "x-goog-api-key": CLIENT_KEY,
  "x-goog-upload-protocol": "resumable",
  "x-goog-upload-command": "start",
  "x-goog-upload-header-content-length": "8388608",
  "x-goog-upload-header-content-type": "video/mp4",
  "x-goog-upload-file-name": "a.mp4",
};

function begin(origin: string, query = ""): Promise<Response> {
  const body = JSON.stringify({ file: { displayName: "ä" } });
  return fetch(`${origin}${UPLOAD}${query}`, { method: "POST", headers: BEGIN, body });
}

/** The headers of the protocol. */
function upload(headers: Received["headers"]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.startsWith("x-goog-upload-")),
  );
}

test("what begins an upload and what goes on with it arrive as they were sent", async () => {
  const begun = await begin(gateway.origin, `?key=${CLIENT_KEY}&alt=json`);
  assert.equal(begun.status, 200);
  const url = begun.headers.get("x-goog-upload-url") ?? "";
  assert.equal(url, `${gateway.origin}${UPLOAD}?upload_id=up-1&upload_protocol=resumable`);
  assert.equal(begun.headers.get("x-goog-upload-control-url"), null);
  assert.equal(begun.headers.get("x-goog-upload-chunk-granularity"), "8388608");
  const bytes = Buffer.alloc(8 * 1024 * 1024, "\u0000\u00ff\r\n--x", "latin1");
  const command = { "x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0" };
  const sent = await fetch(url, { method: "POST", headers: command, body: bytes });
  assert.deepEqual(
    [sent.status, sent.headers.get("x-goog-upload-status"), await sent.text()],
    [200, "final", '{"file":{"name":"files/a","uri":"https://x/v1beta/files/a"}}'],
  );
  const [first, second] = stub.received;
  assert.equal(first?.url, `${UPLOAD}?alt=json`);
  assert.equal(second?.url, `${UPLOAD}?upload_id=up-1&upload_protocol=resumable`);
  const { "content-type": _type, "x-goog-api-key": _key, ...protocol } = BEGIN;
  assert.deepEqual(upload(first?.headers ?? {}), protocol);
  assert.deepEqual(upload(second?.headers ?? {}), command);
  assert.equal(String(first?.body), '{"file":{"displayName":"ä"}}');
  assert.equal(second?.body.equals(bytes), true);
  for (const { secret, rawHeaders, url: asked } of stub.received) {
    assert.equal(secret, SECRET);
    assert.equal([...rawHeaders, asked].join(" ").includes(CLIENT_KEY), false);
  }
});

test("an address at another place than that of our calls is not given out, nor a secret in one", async () => {
  for (const [address, isGiven] of [
    [`https://elsewhere.example${UPLOAD}?upload_id=up-2`, true],
    [`${stub.origin}/resumable?upload_id=up-3`, false],
    [`${stub.origin}${UPLOAD}?session=4`, false],
    ["nonsense", false],
    ["", false],
  ] as const) {
    uploadUrl = address;
    // eslint-disable-next-line no-await-in-loop -- one after the other
    const given = (await begin(gateway.origin)).headers.get("x-goog-upload-url");
    assert.equal(given !== null, isGiven, address);
    assert.ok(given === null || given.startsWith(gateway.origin), given ?? "");
  }
  uploadUrl = `${stub.origin}${UPLOAD}?upload_id=up-5&token=${SECRET}`;
  const given = (await begin(gateway.origin)).headers.get("x-goog-upload-url") ?? "";
  assert.equal(given.includes(SECRET), false);
  assert.equal(uploadQuery(`http://h/u?key=s&upload_id=a%2Fb`, "/u"), "upload_id=a%2Fb");
});

test("without a key only an upload goes on, and only one that is known", async () => {
  await begin(gateway.origin);
  stub.received.length = 0;
  const nameless = (path: string): Promise<Response> =>
    fetch(`${gateway.origin}${path}`, { method: "POST", body: "x" });
  for (const path of [
    UPLOAD,
    `${UPLOAD}?upload_id=`,
    `${UPLOAD}?upload_id=up-none`,
    `${UPLOAD}?upload_id=up-none&upload_id=up-1`,
    "/v1beta/cachedContents?upload_id=up-1",
    "/v1beta/models/m:generateContent?upload_id=up-1",
    "/v1/files?upload_id=up-1",
  ]) {
    // eslint-disable-next-line no-await-in-loop -- one after the other
    assert.equal((await nameless(path)).status, 401, path);
  }
  const wrong = await fetch(`${gateway.origin}${UPLOAD}?upload_id=up-1`, {
    method: "POST",
    headers: { "x-goog-api-key": "sk-lk_wrong" },
    body: "x",
  });
  assert.equal(wrong.status, 401);
  assert.equal(stub.received.length, 0);
  assert.equal((await nameless(`${UPLOAD}?upload_id=up-1`)).status, 200);
});

test("an upload goes on no further without a key than with the one that began it", async () => {
  await begin(gateway.origin);
  const goOn = async (): Promise<number> => {
    const response = await fetch(`${gateway.origin}${UPLOAD}?upload_id=up-1`, { method: "POST" });
    await response.text();
    return response.status;
  };
  gateway.authenticator.refusal = new Fault("invalid_api_key", "This client key was revoked.");
  try {
    assert.equal(await goOn(), 401);
  } finally {
    gateway.authenticator.refusal = undefined;
  }
  assert.equal(await goOn(), 200);
});

test("an upload goes on by what its client key may do now, not when it began", async () => {
  await begin(gateway.origin);
  const goOn = (): Promise<Response> =>
    fetch(`${gateway.origin}${UPLOAD}?upload_id=up-1`, { method: "POST" });
  stub.received.length = 0;
  gateway.authenticator.scopes = ["chat"];
  try {
    const refused = await goOn();
    assert.equal(refused.status, 403);
    assert.match(await refused.text(), /is for chat and not for files/);
    assert.equal(stub.received.length, 0);
  } finally {
    gateway.authenticator.scopes = [];
  }
  assert.equal((await goOn()).status, 200);
});

test("a caller is told the name by which it knows this server, and how it speaks with it", () => {
  const at = (host: string, forwardedProto: string, secure: boolean, isProxy: boolean) =>
    callersOrigin({ host, forwardedProto }, { secure, isProxy });
  assert.equal(at("a.example:8080", "", false, false), "http://a.example:8080");
  assert.equal(at("a.example", "", true, false), "https://a.example");
  assert.equal(at("[::1]:80", "https", false, true), "https://[::1]:80");
  assert.equal(at("a.example", "https, http", false, true), "https://a.example");
  assert.equal(at("a.example", "https", false, false), "http://a.example");
  assert.equal(at("a.example", "HTTPS", false, true), "https://a.example");
  assert.equal(at("a.example", "httpsx", false, true), "http://a.example");
  assert.equal(at("a.example", "http, https", false, true), "http://a.example");
  for (const host of ["", "a b", "a/b", "a?b", "a@b", "x".repeat(300)]) {
    assert.equal(at(host, "", false, false), undefined);
  }
});

test("who draws on the pool chooses no name, which others could guess; who has own keys may", async () => {
  const ask = async (body: string, type = "application/json", query = ""): Promise<number> => {
    const headers = { ...BEGIN, "content-type": type };
    const response = await fetch(`${gateway.origin}${UPLOAD}${query}`, {
      method: "POST",
      headers,
      body,
    });
    await response.text();
    return response.status;
  };
  const named = JSON.stringify({ file: { name: "files/plan", displayName: "plan" } });
  assert.equal(await ask(named), 200);
  gateway.authenticator.kind = "SUPER";
  try {
    stub.received.length = 0;
    assert.equal(await ask(named), 403);
    assert.equal(await ask(String.raw`{"file":{"n\u0061me":"files/plan"}}`), 403);
    const form = `--x\r\ncontent-type: application/json\r\n\r\n${named}\r\n--x--\r\n`;
    assert.equal(await ask(form, "multipart/related; boundary=x"), 403);
    assert.equal(stub.received.length, 0);
    for (const body of ["", "{}", '{"file":{"displayName":"plan"}}', '{"file":{"name":""}}']) {
      assert.equal(await ask(body), 200);
    }
    assert.equal(await ask(named, "application/octet-stream", "?upload_id=up-1"), 200);
  } finally {
    gateway.authenticator.kind = "STANDARD";
  }
});
