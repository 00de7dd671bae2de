import assert from "node:assert/strict";
import { test } from "node:test";
import { replyJson } from "../support/upstream-stub.js";
import type { TestGateway } from "./fixture.js";
import { SECRETS, stubbedGateway } from "./stubbed-gateway.js";

const site = stubbedGateway(SECRETS.slice(0, 1));
const ASKED = { model: "m", messages: [{ role: "user", content: "x".repeat(400) }] };

/** A gateway whose one key is of the first provider. */
async function startWith(...dialects: readonly ("OPENAI" | "ANTHROPIC")[]): Promise<TestGateway> {
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

test("who counts tokens without an estimate to fall back on is told that there is no key", async () => {
  const gateway = await startWith("ANTHROPIC");
  site.stub.script = replyJson(200, '{"input_tokens":7}');
  assert.equal(await counted(gateway), 7);
  gateway.pool.keysPerProvider = 0;
  const reply = await gateway.post("/v1/messages/count_tokens", ASKED);
  assert.equal(reply.status, 503);
  assert.match(await reply.text(), /no_own_token/);
});
