import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Period } from "../../proto/gen/latchkey/v1/common_pb.js";
import { Settings_AbortedCallPolicy } from "../../proto/gen/latchkey/v1/system_pb.js";
import { replyJson, type UpstreamStub } from "../support/upstream-stub.js";
import { recordsOf } from "./batch-world.js";
import { addClientKey, addProvider, dataFolder, until, upstream } from "./fixture.js";
import { type RunningServer, serveInside } from "./inside.js";

const PRICES = [{ inputMicrosPerMillion: 1_000_000n, outputMicrosPerMillion: 2_000_000n }];

const response = (status: string, usage: object | null) =>
  replyJson(200, JSON.stringify({ id: "resp_bg", object: "response", status, usage }));

/** A server whose provider has been asked for a response in the background. */
async function begun(t: TestContext, budgetMicros: bigint) {
  const stub = await upstream(t);
  const folder = dataFolder(t);
  const server = await serveInside(t, folder);
  const { providerId } = await addProvider(server.api, stub);
  const models = [{ modelId: "stub-chat", prices: PRICES }];
  await server.api.providers.upsertModels({ providerId, models });
  const budgets = [{ period: Period.DAY, costMicros: budgetMicros }];
  const limits = { budgets };
  const { secret } = await server.api.clientKeys.createClientKey({ name: "app", limits });
  const headers = { authorization: `Bearer ${secret}`, "content-type": "application/json" };
  stub.script = response("queued", null);
  const asked = { model: "stub-chat", input: "hi", background: true, max_output_tokens: 1000 };
  const ask = async (proxyUrl: string): Promise<number> => {
    const body = JSON.stringify(asked);
    const reply = await fetch(`${proxyUrl}/v1/responses`, { method: "POST", headers, body });
    await reply.text();
    return reply.status;
  };
  assert.equal(await ask(server.proxyUrl), 200);
  stub.received.length = 0;
  return { stub, folder, server, headers, ask };
}

/** Looks that the provider has seen. */
const looksAt = (stub: UpstreamStub): readonly string[] =>
  stub.received.filter(({ method }) => method === "GET").map(({ url }) => url);

async function budgetUse(api: RunningServer["api"]): Promise<number> {
  const { clientKeys } = await api.clientKeys.listClientKeys({});
  return Number(clientKeys[0]?.budgetUsage[0]?.costMicros ?? 0n);
}

test("what a response used in the background is on record and in the budget though nobody looks", async (t) => {
  const { stub, folder, server, headers, ask } = await begun(t, 3000n);
  assert.equal(await ask(server.proxyUrl), 402, "what it may use is set aside until it is done");
  await server.stop();
  stub.script = response("in_progress", null);
  const second = await serveInside(t, folder);
  await until(async () => looksAt(stub).length === 1);
  assert.equal(await ask(second.proxyUrl), 402);
  await second.stop();
  stub.script = response("completed", { input_tokens: 1000, output_tokens: 500 });

  const { api, proxyUrl } = await serveInside(t, folder);
  await until(async () => (await recordsOf(api, "resp_bg")).length > 0);
  const records = await recordsOf(api, "resp_bg");
  const told = records.map(({ endpoint, tokens, costMicros, modelServed, clientKeyName }) => [
    endpoint,
    tokens?.input,
    tokens?.output,
    costMicros,
    modelServed,
    clientKeyName,
  ]);
  assert.deepEqual(told, [["/v1/responses/resp_bg", 1000n, 500n, 2000n, "stub-chat", "app"]]);
  assert.deepEqual(looksAt(stub), ["/v1/responses/resp_bg", "/v1/responses/resp_bg"]);
  await until(async () => (await budgetUse(api)) === 2000);
  const shown = await fetch(`${proxyUrl}/v1/responses/resp_bg`, { headers });
  assert.equal(shown.status, 200);
  await until(async () => {
    const { calls } = await api.calls.listCalls({});
    return calls.some(({ ipAddress: ip, endpoint }) => ip !== "" && endpoint.endsWith("resp_bg"));
  });
  assert.equal(await budgetUse(api), 2000, "a look of its caller counts nothing more");
});

test("what a caller was told of a response the server does not count again, after a restart either", async (t) => {
  const { stub, folder, server, headers } = await begun(t, 10_000n);
  stub.script = response("completed", { input_tokens: 1000, output_tokens: 500 });
  const shown = await fetch(`${server.proxyUrl}/v1/responses/resp_bg`, { headers });
  assert.equal(shown.status, 200);
  await until(async () => (await budgetUse(server.api)) === 2000);
  await server.stop();
  stub.received.length = 0;
  const { api } = await serveInside(t, folder);
  assert.equal(await budgetUse(api), 2000);
  assert.deepEqual([looksAt(stub), await recordsOf(api, "resp_bg")], [[], []]);
});

test("a response is deleted only once it is counted", async (t) => {
  const { stub, server, headers } = await begun(t, 10_000n);
  stub.script = (received, res) => {
    if (received.method === "DELETE") replyJson(200, '{"deleted":true}')(received, res);
    else response("completed", { input_tokens: 1000, output_tokens: 500 })(received, res);
  };
  const url = `${server.proxyUrl}/v1/responses/resp_bg`;
  assert.equal((await fetch(url, { method: "DELETE", headers })).status, 200);
  await until(async () => (await recordsOf(server.api, "resp_bg")).length === 1);
  assert.deepEqual(
    stub.received.map(({ method }) => method),
    ["GET", "DELETE"],
  );
  await until(async () => (await budgetUse(server.api)) === 2000);
});

test("a response that its caller and the server ask for at a time counts once", async (t) => {
  const { stub, folder, server, headers } = await begun(t, 10_000n);
  await server.stop();
  stub.script = response("completed", { input_tokens: 1000, output_tokens: 500 });
  const { api, proxyUrl } = await serveInside(t, folder);
  const look = () => fetch(`${proxyUrl}/v1/responses/resp_bg`, { headers });
  const shown = await Promise.all([look(), look()]);
  assert.deepEqual(
    shown.map(({ status }) => status),
    [200, 200],
  );
  await until(async () => (await budgetUse(api)) === 2000);
  const { calls } = await api.calls.listCalls({});
  const counted = calls.filter(({ costMicros }) => costMicros > 0n);
  assert.deepEqual(
    counted.map(({ endpoint, tokens, modelServed }) => [
      endpoint,
      tokens?.input,
      tokens?.output,
      modelServed,
    ]),
    [["/v1/responses/resp_bg", 1000n, 500n, "stub-chat"]],
  );
});

test("what a response used whose stream was left is on record though nobody asks for it again", async (t) => {
  const stub = await upstream(t);
  const folder = dataFolder(t);
  const server = await serveInside(t, folder);
  const { providerId } = await addProvider(server.api, stub);
  const models = [{ modelId: "stub-chat", prices: PRICES }];
  await server.api.providers.upsertModels({ providerId, models });
  const headers = {
    authorization: `Bearer ${await addClientKey(server.api)}`,
    "content-type": "application/json",
  };
  const used = async (api: RunningServer["api"]) => {
    const { calls } = await api.calls.listCalls({});
    return calls.map(({ tokens }) => [Number(tokens?.input), Number(tokens?.output)] as const);
  };
  const leave = async (id: string, more: object, path = "/v1/responses"): Promise<void> => {
    const event =
      path === "/v1/responses"
        ? { type: "response.created", response: { id, status: "in_progress" } }
        : { id, object: "chat.completion.chunk", choices: [{ index: 0, delta: { content: "a" } }] };
    stub.script = (received, res) => {
      if (received.url !== path) {
        replyJson(404, '{"error":{"message":"Not found"}}')(received, res);
        return;
      }
      res.writeHead(200, { "content-type": "text/event-stream" });
      res.write(`data: ${JSON.stringify(event)}\n\n`);
    };
    const leaving = new AbortController();
    const body = JSON.stringify({ model: "stub-chat", input: "hi", stream: true, ...more });
    const asked = { method: "POST", headers, body, signal: leaving.signal };
    const before = (await used(server.api)).length;
    const stream = await fetch(`${server.proxyUrl}/v1/responses`, asked);
    await stream.body?.getReader().read();
    leaving.abort();
    await until(async () => (await used(server.api)).length > before);
  };
  const settle = (abortedCallPolicy: Settings_AbortedCallPolicy) =>
    server.api.system.updateSettings({ abortedCallPolicy });
  await settle(Settings_AbortedCallPolicy.NOTHING);
  await leave("resp_free", {});
  await settle(Settings_AbortedCallPolicy.OBSERVED);
  await leave("resp_not_kept", { store: false });
  await leave("resp_bg", {});
  const [counted = [0, 0]] = await used(server.api);
  await leave("chatcmpl-1", {}, "/v1/chat/completions");
  await server.stop();
  stub.received.length = 0;
  stub.script = response("completed", { input_tokens: 1000, output_tokens: 500 });
  const { api } = await serveInside(t, folder);
  await until(async () => (await recordsOf(api, "resp_bg")).length === 1);
  const [record] = await recordsOf(api, "resp_bg");
  const rest = [Number(record?.tokens?.input), Number(record?.tokens?.output)] as const;
  const sum = [counted[0] + rest[0], counted[1] + rest[1]];
  assert.ok(rest[0] > 0 && rest[0] < 1000, "each call has its part");
  assert.deepEqual(sum, [1000, 500]);
  assert.deepEqual(
    looksAt(stub),
    ["/v1/responses/resp_bg"],
    "the others are not kept, or cost nothing",
  );
});
