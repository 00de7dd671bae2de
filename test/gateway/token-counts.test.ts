import assert from "node:assert/strict";
import { test } from "node:test";
import { inTurn, replyJson } from "../support/upstream-stub.js";
import type { Dialect } from "../../server/core/provider.js";
import type { TestGateway } from "./fixture.js";
import { SECRETS, stubbedGateway } from "./stubbed-gateway.js";

const site = stubbedGateway(SECRETS.slice(0, 1));
const ASKED = { model: "m", messages: [{ role: "user", content: "x".repeat(400) }] };

/** A gateway whose one key is of the first provider. */
async function startWith(...dialects: readonly Dialect[]): Promise<TestGateway> {
  const baseUrl = site.stub.origin;
  const gateway = await site.start({
    providers: dialects.map((dialect) => ({ dialect, baseUrl })),
  });
  gateway.pool.keysPerProvider = 1;
  return gateway;
}

async function counted(gateway: TestGateway): Promise<number> {
  const reply = await gateway.post("/v1/messages/count_tokens", ASKED);
  assert.equal(reply.status, 200);
  return ((await reply.json()) as { readonly input_tokens: number }).input_tokens;
}

test("tokens of a model are estimated where the only key is of a provider that cannot count them", async () => {
  const gateway = await startWith("OPENAI", "ANTHROPIC");
  assert.ok((await counted(gateway)) > 100);
  assert.equal(site.stub.received.length, 0);
  assert.equal(gateway.pool.leased, 0);
});

test("tokens are not counted for another model, such as a fallback", async () => {
  const gateway = await startWith("ANTHROPIC", "OPENAI");
  const { modelAsked, targets } = gateway.router.resolve("m");
  const [other, own] = targets;
  assert.ok(other !== undefined && own !== undefined);
  const fallback = { ...other, upstreamModel: "fallback" };
  gateway.router.resolve = () => ({ modelAsked, targets: [own, fallback] });
  assert.ok((await counted(gateway)) > 100);
  assert.equal(site.stub.received.length, 0);
});

test("tokens are counted by a provider that takes any name where no other has the model", async () => {
  const gateway = await startWith("ANTHROPIC");
  const { modelAsked, targets } = gateway.router.resolve("m");
  const any = targets.map((target) => ({ ...target, takesAny: true }));
  gateway.router.resolve = () => ({ modelAsked, targets: any });
  site.stub.script = replyJson(200, '{"input_tokens":7}');
  assert.equal(await counted(gateway), 7);
});

for (const [name, script] of [
  ["FastAPI", replyJson(404, '{"detail":"Not Found"}')],
  [
    "llama.cpp",
    replyJson(404, '{"error":{"code":404,"message":"File Not Found","type":"not_found_error"}}'),
  ],
  [
    "OpenAI",
    replyJson(
      404,
      '{"error":{"message":"Invalid URL (POST /v1/x)","type":"invalid_request_error"}}',
    ),
  ],
  ["Go", replyJson(404, "404 page not found", { "content-type": "text/plain" })],
  ["a web site", replyJson(404, "<html>Not here</html>", { "content-type": "text/html" })],
  ["a router", replyJson(405, '{"detail":"Method Not Allowed"}')],
  [
    "LM Studio",
    replyJson(200, '{"error":"Unexpected endpoint or method. (POST /v1/messages/count_tokens)"}'),
  ],
] as const) {
  test(`tokens are estimated where the provider says that it cannot count them, and it is not asked again: ${name}`, async () => {
    for (const [path, dialect, member] of [
      ["/v1/messages/count_tokens", "ANTHROPIC", "input_tokens"],
      ["/v1/responses/input_tokens", "OPENAI", "input_tokens"],
      ["/v1beta/models/m:countTokens", "GEMINI", "totalTokens"],
    ] as const) {
      const gateway = await startWith(dialect);
      site.stub.received.length = 0;
      site.stub.script = script;
      for (let count = 0; count < 2; count++) {
        const counts = await gateway.post(path, ASKED);
        assert.equal(counts.status, 200);
        const told = (await counts.json()) as Record<string, unknown>;
        assert.ok(Number(told[member]) > 100, path);
      }
      assert.equal(site.stub.received.length, 1);
      assert.deepEqual(gateway.pool.outcomes, ["REQUEST_REFUSED"]);
      assert.equal(gateway.sink.records[0]?.httpStatus, 200);
    }
  });
}

test("tokens are counted by the next provider of the model where one cannot", async () => {
  const baseUrl = site.stub.origin;
  const gateway = await site.start({
    providers: [
      { dialect: "ANTHROPIC", baseUrl },
      { dialect: "ANTHROPIC", baseUrl },
    ],
    secrets: SECRETS.slice(0, 2),
  });
  gateway.pool.keysPerProvider = 1;
  const counts = replyJson(200, '{"input_tokens":7}');
  site.stub.script = inTurn(replyJson(404, '{"detail":"Not Found"}'), counts, counts);
  assert.equal(await counted(gateway), 7);
  assert.equal(await counted(gateway), 7);
  assert.equal(site.stub.received.length, 3);
});

test("a provider that has counted once is asked again, whatever it says of one request", async () => {
  const gateway = await startWith("ANTHROPIC");
  const counts = replyJson(200, '{"input_tokens":7}');
  site.stub.script = inTurn(counts, replyJson(404, '{"detail":"Not Found"}'), counts);
  assert.equal(await counted(gateway), 7);
  assert.ok((await counted(gateway)) > 100);
  assert.equal(await counted(gateway), 7);
});

test("a provider that has moved to another address is asked to count there", async () => {
  const gateway = await startWith("ANTHROPIC");
  const counts = replyJson(200, '{"input_tokens":7}');
  const gone = replyJson(404, '{"detail":"Not Found"}');
  site.stub.script = (received, res) =>
    (received.url.startsWith("/anthropic/") ? counts : gone)(received, res);
  assert.ok((await counted(gateway)) > 100);
  const { router } = gateway;
  const moveTo = (baseUrl: string): void => {
    router.providers = router.providers.map((each) => ({ ...each, baseUrl }));
  };
  moveTo(`${site.stub.origin}/anthropic`);
  assert.equal(await counted(gateway), 7);
  moveTo(site.stub.origin);
  assert.ok((await counted(gateway)) > 100);
  assert.equal(site.stub.received.length, 2, "what an address has shown is not asked again");
});

test("who counts the tokens of a model that the provider does not have is told so", async () => {
  const gateway = await startWith("ANTHROPIC");
  const error = { type: "not_found_error", message: "model: m" };
  site.stub.script = replyJson(404, JSON.stringify({ type: "error", error }));
  for (let count = 0; count < 2; count++) {
    const told = await gateway.post("/v1/messages/count_tokens", ASKED);
    assert.equal(told.status, 404);
    assert.match(await told.text(), /model: m/);
  }
  assert.equal(site.stub.received.length, 2);
});

test("who counts tokens without an estimate to fall back on is told that there is no key", async () => {
  const gateway = await startWith("ANTHROPIC");
  site.stub.script = replyJson(200, '{"input_tokens":7}');
  assert.equal(await counted(gateway), 7);
  gateway.pool.keysPerProvider = 0;
  const reply = await gateway.post("/v1/messages/count_tokens", ASKED);
  assert.equal(reply.status, 503);
  assert.match(await reply.text(), /no_own_token/);
});
