import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { Dialect } from "../../proto/gen/latchkey/v1/common_pb.js";
import {
  ProviderKey_Health,
  ProviderKey_Visibility,
} from "../../proto/gen/latchkey/v1/provider_keys_pb.js";
import { Provider_AuthStyle } from "../../proto/gen/latchkey/v1/providers_pb.js";
import type { Api } from "../../tui/api/services.js";
import { replyJson, type UpstreamStub } from "../support/upstream-stub.js";
import { addClientKey, addProviderKey, dataFolder, signedIn, upstream } from "./fixture.js";
import { serveInside } from "./inside.js";

// What a provider lists itself is listed here, where the catalogue knows its models by a pattern alone.

interface Prepared {
  readonly api: Api;
  readonly stub: UpstreamStub;
  readonly proxyUrl: string;
  readonly providerId: string;
  /** The ids in one of the lists. */
  readonly listed: (clientKey: string, path?: string) => Promise<readonly string[]>;
}

const VERSION = { "anthropic-version": "2023-06-01" };

/** A provider whose list depends on the account that is asked. */
async function prepared(t: TestContext, patterns: readonly string[]): Promise<Prepared> {
  const stub = await upstream(t);
  stub.script = (received, res) => {
    const account = /account-([a-z]+)/.exec(received.secret)?.[1] ?? "";
    const data = ["gpt-9", "whisper-1", `ft-of-${account}`].map((id) => ({ id }));
    replyJson(200, JSON.stringify({ object: "list", data }))(received, res);
  };
  const { api, proxyUrl } = await serveInside(t, dataFolder(t));
  const { provider } = await api.providers.createProvider({
    slug: "any",
    displayName: "Any",
    baseUrl: `${stub.origin}/v1`,
    dialect: Dialect.OPENAI,
    authStyle: Provider_AuthStyle.BEARER,
    modelPatterns: [...patterns],
  });
  const providerId = provider?.id ?? "";
  const listed: Prepared["listed"] = async (clientKey, path = "/v1/models") => {
    const version = path.endsWith("#anthropic") ? VERSION : {};
    const response = await fetch(`${proxyUrl}${path}`, {
      headers: { authorization: `Bearer ${clientKey}`, ...version },
    });
    assert.equal(response.status, 200);
    const { data, models } = (await response.json()) as {
      readonly data?: readonly { readonly id: string }[];
      readonly models?: readonly { readonly baseModelId: string }[];
    };
    return [...(data ?? []).map(({ id }) => id), ...(models ?? []).map((each) => each.baseModelId)];
  };
  return { api, stub, proxyUrl, providerId, listed };
}

test("a provider with a pattern alone lists what it has, once asked and in each dialect", async (t) => {
  const { api, stub, proxyUrl, providerId, listed } = await prepared(t, ["gpt-*", "whisper-*"]);
  const clientKey = await addClientKey(api);
  assert.deepEqual(await listed(clientKey), [], "no key, no models");
  await addProviderKey(api, providerId, "main", "sk-account-one-5d1e77");
  const twice = await Promise.all([listed(clientKey), listed(clientKey)]);
  assert.deepEqual(twice, [
    ["gpt-9", "whisper-1"],
    ["gpt-9", "whisper-1"],
  ]);
  assert.equal(stub.received.length, 1);
  assert.deepEqual(await listed(clientKey, "/v1/models#anthropic"), ["gpt-9"]);
  assert.deepEqual(await listed(clientKey, "/v1beta/models"), ["gpt-9"]);
  for (const path of ["/v1beta/openai/models", "/openai/models?api-version=2024-10-21"]) {
    // eslint-disable-next-line no-await-in-loop -- one after the other
    assert.deepEqual(await listed(clientKey, path), ["gpt-9", "whisper-1"], path);
  }
  await api.providers.upsertModels({ providerId, models: [{ modelId: "mine" }] });
  assert.deepEqual(await listed(clientKey), ["mine", "gpt-9", "whisper-1"]);
  const { secret } = await api.clientKeys.createClientKey({
    name: "narrow",
    modelAllowlist: ["any/gpt*"],
  });
  assert.deepEqual(await listed(secret), ["gpt-9"]);
  const get = async (key: string, id: string): Promise<unknown> => {
    const response = await fetch(`${proxyUrl}/v1/models/${id}`, {
      headers: { authorization: `Bearer ${key}` },
    });
    return response.status === 200 ? response.json() : response.status;
  };
  const all = await fetch(`${proxyUrl}/v1/models`, {
    headers: { authorization: `Bearer ${clientKey}` },
  });
  for (const model of ((await all.json()) as { data: { id: string }[] }).data) {
    // eslint-disable-next-line no-await-in-loop -- one after the other
    assert.deepEqual(await get(clientKey, model.id), model);
  }
  assert.equal(await get(secret, "whisper-1"), 404);
  assert.equal(stub.received.length, 1, "all from one question");
});

test("a list that comes packed is read, and one that is no list is said to the operator alone", async (t) => {
  const { api, stub, providerId, listed } = await prepared(t, ["*"]);
  stub.script = (_received, res) => {
    const packed = gzipSync(JSON.stringify({ data: [{ id: "packed" }] }));
    res.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" });
    res.end(packed);
  };
  await addProviderKey(api, providerId, "main", "sk-account-one-5d1e77");
  const clientKey = await addClientKey(api);
  assert.deepEqual(await listed(clientKey), ["packed"]);
  const warned = async () => (await api.system.getStatus({})).warnings.map(({ code }) => code);
  assert.equal((await warned()).includes("models_not_listed"), false);
  stub.script = replyJson(401, '{"error": {"message": "no"}}');
  const { provider } = await api.providers.createProvider({
    slug: "mute",
    displayName: "Mute",
    baseUrl: `${stub.origin}/v1`,
    dialect: Dialect.OPENAI,
    authStyle: Provider_AuthStyle.BEARER,
    modelPatterns: ["*"],
  });
  const muteKey = await addProviderKey(api, provider?.id ?? "", "mute", "sk-account-two-5d1e77");
  assert.deepEqual(await listed(clientKey), ["packed"]);
  assert.ok((await warned()).includes("models_not_listed"));
  const { providerKey } = await api.providerKeys.getProviderKey({ id: muteKey });
  assert.equal(providerKey?.health, ProviderKey_Health.UNKNOWN);
  assert.equal(providerKey.lastUsedTime, undefined);
});

test("what one owner's account may use is listed to nobody else", async (t) => {
  const { api, providerId, listed } = await prepared(t, ["*"]);
  const mia = await signedIn(t, api, "mia");
  const ownerId = (await mia.sessions.whoAmI({})).user?.id ?? "";
  await addProviderKey(api, providerId, "private", "sk-account-private-5d1e77");
  await addProviderKey(mia, providerId, "mias", "sk-account-mia-5d1e77");
  const shared = await addProviderKey(api, providerId, "public", "sk-account-public-5d1e77");
  await api.providerKeys.setProviderKeyVisibility({
    id: shared,
    visibility: ProviderKey_Visibility.PUBLIC,
  });
  const pooled = await api.clientKeys.createSuperClientKey({ ownerId, name: "pooled" });
  const tuned = async (clientKey: string): Promise<readonly string[]> =>
    (await listed(clientKey)).filter((id) => id.startsWith("ft-of"));
  assert.deepEqual(await tuned(await addClientKey(mia)), ["ft-of-mia"]);
  assert.deepEqual(await tuned(pooled.secret), ["ft-of-public"]);
});

test("a model that no provider key may serve is not listed", async (t) => {
  const { api, providerId, listed } = await prepared(t, ["*"]);
  await api.providers.upsertModels({ providerId, models: [{ modelId: "mine" }] });
  await api.providerKeys.createProviderKey({
    providerId,
    name: "narrow",
    secret: "sk-account-narrow-5d1e77",
    modelAllowlist: ["gpt-*"],
  });
  assert.deepEqual(await listed(await addClientKey(api)), ["gpt-9"]);
});
