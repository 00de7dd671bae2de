import assert from "node:assert/strict";
import net from "node:net";
import tls from "node:tls";
import { after, before, test } from "node:test";
import { endpointUrl } from "../../server/catalog/base-url.js";
import { systemClock } from "../../server/core/clock.js";
import type { Provider } from "../../server/core/provider.js";
import { Secret } from "../../server/core/secret.js";
import { outcomeOfCheck } from "../../server/gateway/attempt/verdict.js";
import { checkKey } from "../../server/upstream/health-check.js";
import {
  probe,
  type ProbeOptions,
  type ProbeResult,
  type ProbeSubject,
} from "../../server/upstream/probe.js";
import { Upstream } from "../../server/upstream/upstream.js";
import { type Resolve, UrlPolicy } from "../../server/upstream/url-policy.js";
import { advanceUntil, provider } from "./fixture.js";
import { FakeClock } from "../support/fake-clock.js";
import {
  CHAT_REPLY,
  chatEvents,
  replyEvents,
  replyJson,
  type Script,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";

const SECRET = "sk-probe-00000000000000000000";
const LIST = '{"object":"list","data":[{"id":"a"},{"id":"b"}]}';

let stub: UpstreamStub;
const policy = new UrlPolicy({ allowCidrs: ["127.0.0.0/8"] });
const options: ProbeOptions = {
  upstream: new Upstream({ clock: systemClock, policy }),
  policy,
  clock: systemClock,
  endpointPath: (of, path, model) => {
    const url = new URL(endpointUrl(of, path, model));
    return `${url.pathname}${url.search}`;
  },
};

before(async () => {
  stub = await startUpstreamStub();
});

after(async () => {
  options.upstream.close();
  await stub.close();
});

/** Models, then a chat, then a stream. */
function provides(
  models: Script,
  chat: Script = replyJson(200, CHAT_REPLY),
  stream: Script = replyEvents(chatEvents(["a"])),
): Script {
  return (received, res) => {
    if (received.method === "GET") return models(received, res);
    return (received.body.includes('"stream"') ? stream : chat)(received, res);
  };
}

async function run(
  part: Partial<ProbeSubject> & { provider?: Provider } = {},
  given = options,
): Promise<[string[], ProbeResult]> {
  const steps: string[] = [];
  let result: ProbeResult | undefined;
  const subject = {
    provider: provider({ baseUrl: `${stub.origin}/v1` }),
    secret: new Secret(SECRET),
    model: "m",
    skipChat: false,
    ...part,
  };
  for await (const event of probe(given, subject)) {
    if (event.kind === "RESULT") result = event.result;
    else if (event.step.state !== "RUNNING") steps.push(`${event.step.name} ${event.step.state}`);
  }
  assert.ok(result);
  return [steps, result];
}

test("a good key passes every step that its provider has", async () => {
  stub.script = provides(
    replyJson(200, LIST, { "x-ratelimit-remaining-requests": "7", "x-request-id": "req_1" }),
  );
  const [steps, result] = await run();
  assert.deepEqual(steps, [
    "RESOLVE PASSED",
    "CONNECT PASSED",
    "TLS SKIPPED",
    "AUTH PASSED",
    "MODELS PASSED",
    "CHAT PASSED",
    "STREAM PASSED",
  ]);
  assert.equal(result.ok, true);
  assert.equal(result.failure, null);
  assert.equal(result.modelCount, 2);
  assert.equal(result.requestsRemaining, 7);
  assert.equal(result.upstreamRequestId, "req_1");
  assert.equal(stub.received[0]?.url, "/v1/models");
  assert.equal(stub.received[0]?.secret, SECRET);
});

test("each way in which a provider refuses a key has its own result", async () => {
  for (const [status, body, failure] of [
    [401, '{"error":{"message":"Incorrect API key"}}', "UNAUTHORIZED"],
    [400, '{"error":{"details":[{"reason":"API_KEY_INVALID"}]}}', "UNAUTHORIZED"],
    [403, "{}", "FORBIDDEN"],
    [429, "{}", "RATE_LIMITED"],
    [500, "{}", "HTTP_STATUS"],
    [302, "", "HTTP_STATUS"],
    [200, "<html>", "UNEXPECTED_ANSWER"],
  ] as const) {
    stub.script = provides(replyJson(status, body));
    const [steps, result] = await run();
    assert.equal(result.failure, failure, String(status));
    assert.equal(result.httpStatus, status);
    assert.equal(result.ok, false);
    assert.match(result.message, /\.$/);
    assert.ok(steps.includes("CHAT SKIPPED"));
  }
});

test("a provider without a model list is tested by a chat", async () => {
  stub.script = provides(replyJson(404, "{}"), replyJson(401, "{}"));
  const [steps, result] = await run();
  assert.deepEqual(steps.slice(3), [
    "AUTH PASSED",
    "MODELS SKIPPED",
    "CHAT FAILED",
    "STREAM SKIPPED",
  ]);
  assert.equal(result.failure, "UNAUTHORIZED");
  const [skipped, passed] = await run({ skipChat: true });
  assert.deepEqual(skipped.slice(3), [
    "AUTH PASSED",
    "MODELS SKIPPED",
    "CHAT SKIPPED",
    "STREAM SKIPPED",
  ]);
  assert.equal(passed.ok, true);
});

test("the secret is nowhere in what a test tells", async () => {
  stub.script = provides(
    replyJson(
      401,
      JSON.stringify({
        error: { message: `${"x".repeat(280)} ${SECRET} ${encodeURIComponent(SECRET)}` },
      }),
    ),
  );
  const [, result] = await run();
  assert.doesNotMatch(JSON.stringify(result), /probe-0000/);
  assert.ok(Buffer.byteLength(result.bodyExcerpt) <= 300);
});

test("an address that is not allowed is never talked to", async () => {
  stub.received.length = 0;
  const strict = new UrlPolicy({ allowCidrs: [] });
  const upstream = new Upstream({ clock: systemClock, policy: strict });
  const [steps, result] = await run({}, { ...options, policy: strict, upstream });
  assert.equal(result.failure, "BLOCKED");
  assert.equal(steps[0], "RESOLVE FAILED");
  assert.equal(steps.length, 7);
  assert.equal(stub.received.length, 0);
});

test("a name without an address, a closed port, a server that is silent and one without TLS differ", async () => {
  const nowhere = new UrlPolicy({
    allowCidrs: ["127.0.0.0/8"],
    resolve: (_hostname, done) => {
      done(Object.assign(new Error("x"), { code: "ENOTFOUND" }), []);
    },
  });
  const unknown = provider({ baseUrl: "https://no-such-host.example" });
  const [, resolve] = await run({ provider: unknown }, { ...options, policy: nowhere });
  assert.equal(resolve.failure, "RESOLVE");

  const [, refused] = await run({ provider: provider({ baseUrl: "http://127.0.0.1:9" }) });
  assert.equal(refused.failure, "REFUSED");

  const [steps, bare] = await run({
    provider: provider({ baseUrl: `https://127.0.0.1:${String(stub.port)}` }),
  });
  assert.equal(bare.failure, "TLS");
  assert.ok(steps.includes("TLS FAILED"));

  stub.script = () => undefined;
  const clock = new FakeClock();
  const upstream = new Upstream({ clock, policy });
  const [, silent] = await advanceUntil(clock, run({}, { ...options, clock, upstream }));
  assert.equal(silent.failure, "TIMEOUT");
});

test("a TLS handshake that never comes is given up", async () => {
  const silent = net.createServer(() => undefined);
  await new Promise<void>((resolve) => {
    silent.listen(0, "127.0.0.1", resolve);
  });
  const { port } = silent.address() as net.AddressInfo;
  const clock = new FakeClock();
  const subject = { provider: provider({ baseUrl: `https://127.0.0.1:${String(port)}` }) };
  const [, result] = await advanceUntil(clock, run(subject, { ...options, clock }));
  assert.equal(result.failure, "TIMEOUT");
  silent.close();
  assert.equal(typeof tls.rootCertificates.length, "number");
});

test("a health check asks for models and holds against the key what it finds", async () => {
  const subject = { provider: provider({ baseUrl: stub.origin }), secret: new Secret(SECRET) };
  stub.script = replyJson(200, LIST);
  assert.deepEqual(
    { ...(await checkKey(options, subject)), latencyMs: 0 },
    { ok: true, httpStatus: 200, latencyMs: 0, error: "", body: "" },
  );
  stub.script = replyJson(401, JSON.stringify({ error: { message: `bad key ${SECRET}` } }));
  const bad = await checkKey(options, subject);
  assert.equal(bad.ok, false);
  assert.equal(bad.error, "HTTP 401: bad key [redacted]");
  assert.doesNotMatch(bad.body, new RegExp(SECRET));
  const gone = await checkKey(options, {
    ...subject,
    provider: provider({ baseUrl: "http://127.0.0.1:9" }),
  });
  assert.equal(gone.ok, false);
  assert.equal(gone.httpStatus, null);
  assert.match(gone.error, /ECONNREFUSED/);
});

test("a health check that this host could not make finds nothing, for the key or against it", async () => {
  const resolve: Resolve = (_hostname, done) => {
    done(Object.assign(new Error("getaddrinfo EMFILE"), { code: "EMFILE" }), []);
  };
  const policy = new UrlPolicy({ allowCidrs: ["127.0.0.0/8"], resolve });
  const upstream = new Upstream({ clock: systemClock, policy });
  const checked = provider({ baseUrl: "http://provider.test:8080" });
  const subject = { provider: checked, secret: new Secret(SECRET) };
  await assert.rejects(checkKey({ ...options, upstream }, subject), { code: "overloaded" });
});

test("what a health check says of a key is judged as a call's refusal is", () => {
  const says = (error: object): string => JSON.stringify({ error });
  const scope = "You have insufficient permissions for this operation. Missing scopes: x.";
  for (const [httpStatus, body, wanted] of [
    [null, "", "UNREACHABLE"],
    [401, "", "KEY_REFUSED"],
    [400, says({ message: "no", details: [{ reason: "API_KEY_INVALID" }] }), "KEY_REFUSED"],
    [403, says({ message: "Your account has been suspended" }), "KEY_REFUSED"],
    [403, says({ message: scope }), "RIGHT_REFUSED"],
    [401, says({ message: scope }), "RIGHT_REFUSED"],
    [403, "<html>", "PROVIDER_ERROR"],
    [429, "", "RATE_LIMITED"],
    [429, says({ code: "insufficient_quota", message: "spent" }), "QUOTA_EXHAUSTED"],
    [400, says({ message: "no" }), "PROVIDER_ERROR"],
    [500, "", "PROVIDER_ERROR"],
  ] as const) {
    assert.equal(outcomeOfCheck(httpStatus, body), wanted, `${String(httpStatus)} ${body}`);
  }
});
