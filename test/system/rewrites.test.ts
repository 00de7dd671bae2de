import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Dialect } from "../../proto/gen/latchkey/v1/common_pb.js";
import { Provider_AuthStyle, Rewrite_Kind } from "../../proto/gen/latchkey/v1/providers_pb.js";
import type { Api } from "../../tui/api/services.js";
import { replyJson, type UpstreamStub } from "../support/upstream-stub.js";
import { addProviderKey, dataFolder, upstream } from "./fixture.js";
import { serveInside } from "./inside.js";

const { ALIAS, FALLBACK } = Rewrite_Kind;

/** A provider with one model and two keys, at a stub of its own. */
async function provider(t: TestContext, api: Api, slug: string): Promise<UpstreamStub> {
  const stub = await upstream(t);
  const made = await api.providers.createProvider({
    slug,
    displayName: slug,
    baseUrl: `${stub.origin}/v1`,
    dialect: Dialect.OPENAI,
    authStyle: Provider_AuthStyle.BEARER,
    modelPatterns: ["nothing-else"],
  });
  const providerId = made.provider?.id ?? "";
  await api.providers.upsertModels({ providerId, models: [{ modelId: `${slug}-chat` }] });
  for (const n of [1, 2]) {
    // eslint-disable-next-line no-await-in-loop -- names in order
    await addProviderKey(api, providerId, `${slug} ${n}`, `sk-upstream-${slug}-${n}-77ab`);
  }
  return stub;
}

function ask(proxyUrl: string, clientKey: string, model: string): Promise<Response> {
  return fetch(`${proxyUrl}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${clientKey}`, "content-type": "application/json" },
    body: JSON.stringify({ model, messages: [{ role: "user", content: "hi" }] }),
  });
}

/** The models that the provider's stub was asked for. */
function modelsAsked(stub: UpstreamStub): string[] {
  return stub.received.map(({ body }) => (JSON.parse(body.toString()) as { model: string }).model);
}

test("an alias serves the very next call, is listed and explained, lasts over a restart, and is gone when removed", async (t) => {
  const folder = dataFolder(t);
  let server = await serveInside(t, folder);
  const first = await provider(t, server.api, "first");
  const { secret, clientKey } = await server.api.clientKeys.createClientKey({ name: "app" });
  assert.equal((await ask(server.proxyUrl, secret, "fast")).status, 404);

  await server.api.providers.setRewrite({ kind: ALIAS, name: "Fast", targets: ["first-chat"] });
  assert.equal((await ask(server.proxyUrl, secret, "fast")).status, 200);
  assert.deepEqual(modelsAsked(first), ["first-chat"]);
  const listed = await fetch(`${server.proxyUrl}/v1/models`, {
    headers: { authorization: `Bearer ${secret}` },
  });
  const { data } = (await listed.json()) as { data: { id: string }[] };
  assert.deepEqual(
    data.map(({ id }) => id),
    ["first-chat", "Fast"],
  );
  const clientKeyId = clientKey?.id ?? "";
  const { routes } = await server.api.pool.explainAllocation({ model: "fast", clientKeyId });
  assert.deepEqual(
    routes.map(({ upstreamModel, fallback }) => [upstreamModel, fallback]),
    [["first-chat", false]],
  );
  const { events } = await server.api.audit.listEvents({ filter: "action=rewrite.set" });
  assert.deepEqual(
    events.map(({ targetName, note }) => [targetName, note]),
    [["Fast", "stands for first-chat"]],
  );

  await server.stop();
  server = await serveInside(t, folder);
  assert.equal((await ask(server.proxyUrl, secret, "fast")).status, 200);
  await server.api.providers.deleteRewrite({ kind: ALIAS, name: "fast" });
  assert.equal((await ask(server.proxyUrl, secret, "fast")).status, 404);
});

test("when all keys of the first model fail, the fallbacks' keys serve: the model's own, then the chain's", async (t) => {
  const { api, proxyUrl } = await serveInside(t, dataFolder(t));
  const [first, second, third] = [
    await provider(t, api, "first"),
    await provider(t, api, "second"),
    await provider(t, api, "third"),
  ];
  const { secret, clientKey } = await api.clientKeys.createClientKey({ name: "app" });
  const refusing = replyJson(401, JSON.stringify({ error: { message: "no such key" } }));
  first.script = refusing;
  assert.notEqual((await ask(proxyUrl, secret, "first-chat")).status, 200);

  await api.providers.setRewrite({ kind: FALLBACK, name: "first-*", targets: ["third-chat"] });
  assert.equal((await ask(proxyUrl, secret, "first-chat")).status, 200);
  assert.deepEqual(modelsAsked(third), ["third-chat"]);

  const [firstProvider] = (await api.providers.listProviders({ filter: "slug=first" })).providers;
  const providerId = firstProvider?.id ?? "";
  const models = [{ modelId: "first-chat", fallbacks: ["second-chat"] }];
  await api.providers.upsertModels({ providerId, models });
  const clientKeyId = clientKey?.id ?? "";
  const { routes } = await api.pool.explainAllocation({ model: "first-chat", clientKeyId });
  assert.deepEqual(
    routes.map(({ upstreamModel, fallback }) => [upstreamModel, fallback]),
    [
      ["first-chat", false],
      ["second-chat", true],
      ["third-chat", true],
    ],
  );
  assert.equal((await ask(proxyUrl, secret, "first-chat")).status, 200);
  second.script = refusing;
  assert.equal((await ask(proxyUrl, secret, "first-chat")).status, 200);
  assert.deepEqual(
    [modelsAsked(second).length > 1, modelsAsked(third).length],
    [true, 2],
    "the second's keys failed in their turn",
  );
});

test("the explanation tells what a client key's model allowlist leaves of a route, and refuses as a call is refused", async (t) => {
  const { api, proxyUrl } = await serveInside(t, dataFolder(t));
  const first = await provider(t, api, "first");
  await provider(t, api, "second");
  await provider(t, api, "third");
  const chain = ["second-chat", "third-chat"];
  await api.providers.setRewrite({ kind: FALLBACK, name: "first-chat", targets: chain });
  const explained = async (modelAllowlist: string[]) => {
    const name = modelAllowlist.join();
    const { secret, clientKey } = await api.clientKeys.createClientKey({ name, modelAllowlist });
    const clientKeyId = clientKey?.id ?? "";
    const told = await api.pool.explainAllocation({ model: "first-chat", clientKeyId });
    const { status } = await ask(proxyUrl, secret, "first-chat");
    return {
      told,
      status,
      models: told.routes.map((route) => [route.upstreamModel, route.fallback]),
    };
  };
  const some = await explained(["first-chat", "third-chat"]);
  assert.deepEqual(some.models, [
    ["first-chat", false],
    ["third-chat", true],
  ]);
  assert.deepEqual([some.told.errorCode, some.status], ["", 200]);
  const rest = await explained(["third-chat"]);
  assert.deepEqual(rest.models, [["third-chat", true]]);
  assert.equal(modelsAsked(first).length, 1);
  const none = await explained(["second"]);
  assert.deepEqual([none.told.errorCode, none.status, none.models], ["model_not_allowed", 403, []]);
});
