import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { startUpstreamStub, type UpstreamStub } from "../support/upstream-stub.js";
import { CLIENT_KEY, startGateway, type TestGateway } from "./fixture.js";

let stub: UpstreamStub;
let openai: TestGateway;
let anthropic: TestGateway;
let gemini: TestGateway;
let azure: TestGateway;

before(async () => {
  stub = await startUpstreamStub();
  const baseUrl = stub.origin;
  openai = await startGateway({ providers: [{ baseUrl }] });
  anthropic = await startGateway({ providers: [{ baseUrl, dialect: "ANTHROPIC" }] });
  gemini = await startGateway({ providers: [{ baseUrl, dialect: "GEMINI" }] });
  azure = await startGateway({
    providers: [{ baseUrl: `${baseUrl}?api-version=2024-10-21`, authStyle: "AZURE" }],
  });
});

after(async () => {
  for (const gateway of [openai, anthropic, gemini, azure]) await gateway.close();
  await stub.close();
});

beforeEach(() => {
  stub.received.length = 0;
});

async function send(headers: Record<string, string>, query = ""): Promise<[number, string]> {
  const response = await fetch(`${openai.origin}/v1/chat/completions${query}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: '{"model":"m"}',
  });
  const body = (await response.json()) as { error?: { code: string } };
  return [response.status, body.error?.code ?? ""];
}

test("a client key is taken from any carrier, in every dialect", async () => {
  assert.deepEqual(await send({ authorization: `Bearer ${CLIENT_KEY}` }), [200, ""]);
  assert.deepEqual(await send({ authorization: `bearer   ${CLIENT_KEY} ` }), [200, ""]);
  assert.deepEqual(await send({ "x-api-key": CLIENT_KEY }), [200, ""]);
  assert.deepEqual(await send({ "x-goog-api-key": CLIENT_KEY }), [200, ""]);
  assert.deepEqual(await send({}, `?alt=sse&key=${CLIENT_KEY}`), [200, ""]);
  assert.deepEqual(await send({}, `?key=${encodeURIComponent(CLIENT_KEY)}`), [200, ""]);
});

test("empty carriers say nothing", async () => {
  assert.deepEqual(await send({ authorization: "Bearer ", "x-api-key": CLIENT_KEY }), [200, ""]);
  assert.deepEqual(await send({ authorization: "", "x-goog-api-key": CLIENT_KEY }), [200, ""]);
  assert.deepEqual(await send({ "x-api-key": "", authorization: `Bearer ${CLIENT_KEY}` }), [
    200,
    "",
  ]);
  assert.deepEqual(await send({ "x-api-key": "" }, "?key="), [401, "missing_api_key"]);
  assert.deepEqual(await send({}), [401, "missing_api_key"]);
});

test("a carrier that holds something bad is refused and never skipped", async () => {
  assert.deepEqual(await send({ authorization: "Bearer bad", "x-api-key": CLIENT_KEY }), [
    401,
    "invalid_api_key",
  ]);
  assert.deepEqual(await send({ "x-api-key": "bad", "x-goog-api-key": CLIENT_KEY }), [
    401,
    "invalid_api_key",
  ]);
  assert.deepEqual(await send({ "x-goog-api-key": "bad" }, `?key=${CLIENT_KEY}`), [
    401,
    "invalid_api_key",
  ]);
  assert.deepEqual(await send({ authorization: `Basic ${CLIENT_KEY}`, "x-api-key": CLIENT_KEY }), [
    401,
    "invalid_api_key",
  ]);
  assert.deepEqual(await send({}, "?key=%zz"), [401, "invalid_api_key"]);
  assert.equal(stub.received.length, 0);
});

test("a refusal before the body is read answers and takes the next request", async () => {
  for (let i = 0; i < 3; i++) {
    assert.deepEqual(await send({ authorization: "Bearer bad" }), [401, "invalid_api_key"]);
  }
  assert.deepEqual(await send({ authorization: `Bearer ${CLIENT_KEY}` }), [200, ""]);
});

test("the provider gets the vault's key in its own style, and nothing of the caller's", async () => {
  const noise = {
    "x-api-key": CLIENT_KEY,
    "x-goog-api-key": CLIENT_KEY,
    authorization: `Bearer ${CLIENT_KEY}`,
  };
  const secret = "sk-upstream-0000000000000000000000";
  await openai.post(`/v1/chat/completions?key=${CLIENT_KEY}&a=1`, { model: "m" }, noise);
  await anthropic.post("/v1/messages", { model: "m" }, noise);
  await gemini.post(`/v1beta/models/m:generateContent?key=${CLIENT_KEY}`, {}, noise);
  await azure.post("/v1/chat/completions?x=1", { model: "my deployment" }, noise);
  const [first, second, third, fourth] = stub.received;
  assert.equal(first?.headers["authorization"], `Bearer ${secret}`);
  assert.equal(first?.url, "/v1/chat/completions?a=1");
  assert.equal(second?.headers["x-api-key"], secret);
  assert.equal(second?.headers["anthropic-version"], "2023-06-01");
  assert.equal(third?.headers["x-goog-api-key"], secret);
  assert.equal(third?.url, "/v1beta/models/m:generateContent");
  assert.equal(fourth?.headers["api-key"], secret);
  assert.equal(
    fourth?.url,
    "/openai/deployments/my%20deployment/chat/completions?x=1&api-version=2024-10-21",
  );
  for (const received of stub.received) {
    assert.doesNotMatch(
      JSON.stringify([received.url, received.rawHeaders]),
      new RegExp(CLIENT_KEY),
    );
  }
});

test("headers go to the provider by the list of those that may, and no others", async () => {
  const { request } = await import("node:http");
  await new Promise<void>((resolve) => {
    const req = request(`${openai.origin}/v1/chat/completions`, {
      method: "POST",
      headers: [
        ["Host", "gateway.example"],
        ["Authorization", `Bearer ${CLIENT_KEY}`],
        ["Content-Type", "application/json"],
        ["Content-Length", "13"],
        ["User-Agent", "agent/1"],
        ["Accept", "application/json"],
        ["Accept-Encoding", "gzip, br"],
        ["X-Stainless-Lang", "js"],
        ["X-Codex-Turn-Metadata", "{}"],
        ["OpenAI-Beta", "x=1"],
        ["OpenAI-Organization", "org-caller"],
        ["OpenAI-Project", "proj-caller"],
        ["Cookie", "a=b"],
        ["X-Forwarded-For", "10.0.0.1"],
        ["X-Real-IP", "10.0.0.1"],
        ["Forwarded", "for=10.0.0.1"],
        ["Via", "1.1 x"],
        ["Proxy-Authorization", "Basic x"],
        ["TE", "trailers"],
        ["Connection", "keep-alive, x-stainless-os"],
        ["X-Stainless-OS", "hop"],
        ["Idempotency-Key", "k1"],
        ["X-Custom", "y"],
      ].flat(),
    });
    req.on("response", (response) => {
      response.resume();
      response.on("end", resolve);
    });
    req.end('{"model":"m"}');
  });
  const [received] = stub.received;
  const names = (received?.rawHeaders ?? []).filter((_each, at) => at % 2 === 0);
  assert.deepEqual(names.map((name) => name.toLowerCase()).toSorted(), [
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "host",
    "idempotency-key",
    "openai-beta",
    "user-agent",
    "x-codex-turn-metadata",
    "x-stainless-lang",
  ]);
  assert.equal(received?.headers["accept-encoding"], "identity");
  assert.equal(received?.headers["host"], `127.0.0.1:${String(stub.port)}`);
});
