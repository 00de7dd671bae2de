import assert from "node:assert/strict";
import { test } from "node:test";
import { Period } from "../../proto/gen/latchkey/v1/common_pb.js";
import type { Api } from "../../tui/api/services.js";
import { addClientKey, addProvider, chat, dataFolder, upstream } from "./fixture.js";
import { serveInside } from "./inside.js";

// A provider key's quota is of a period, whatever happens to the server or the quota within it.

async function setQuota(api: Api, id: string, period: Period, requests: bigint): Promise<void> {
  const limits = { budgets: [{ period, requests }] };
  await api.providerKeys.updateProviderKey({ id, limits, updateMask: { paths: ["limits"] } });
}

/** Requests, tokens and money used of the key's quota. */
async function used(api: Api, id: string): Promise<readonly number[]> {
  const { providerKey } = await api.providerKeys.getProviderKey({ id });
  const [use] = providerKey?.budgetUsage ?? [];
  return [use?.requests, use?.tokens, use?.costMicros].map(Number);
}

test("a provider key's quota counts what was used before a restart, before it was set, and before its period was changed", async (t) => {
  const stub = await upstream(t);
  const folder = dataFolder(t);
  const first = await serveInside(t, folder);
  const { providerId, providerKeyId: id } = await addProvider(first.api, stub);
  const prices = [{ inputMicrosPerMillion: 1_000_000n, outputMicrosPerMillion: 1_000_000n }];
  await first.api.providers.upsertModels({
    providerId,
    models: [{ modelId: "stub-chat", prices }],
  });
  const clientKey = await addClientKey(first.api);
  const statusAt = async (url: string): Promise<number> => {
    const res = await chat(url, clientKey);
    await res.text();
    return res.status;
  };
  assert.equal(await statusAt(first.proxyUrl), 200);
  assert.equal(await statusAt(first.proxyUrl), 200);
  await setQuota(first.api, id, Period.MONTH, 3n);
  assert.deepEqual(await used(first.api, id), [2, 36, 36]);
  assert.equal(await statusAt(first.proxyUrl), 200);
  assert.equal(await statusAt(first.proxyUrl), 503);
  await first.stop();

  const { api, proxyUrl } = await serveInside(t, folder);
  assert.deepEqual(await used(api, id), [3, 54, 54]);
  assert.equal(await statusAt(proxyUrl), 503);
  await setQuota(api, id, Period.WEEK, 4n);
  assert.deepEqual(await used(api, id), [3, 54, 54]);
  assert.equal(await statusAt(proxyUrl), 200);
  assert.equal(await statusAt(proxyUrl), 503);
});

test("a provider key's quota keeps over a restart what a client key used that was deleted", async (t) => {
  const stub = await upstream(t);
  const folder = dataFolder(t);
  const first = await serveInside(t, folder);
  const { providerKeyId: id } = await addProvider(first.api, stub);
  const { clientKey, secret } = await first.api.clientKeys.createClientKey({ name: "leaves" });
  await (await chat(first.proxyUrl, secret)).text();
  await setQuota(first.api, id, Period.MONTH, 2n);
  await first.api.clientKeys.deleteClientKey({ id: clientKey?.id ?? "" });
  await first.stop();

  const { api, proxyUrl } = await serveInside(t, folder);
  assert.equal((await used(api, id))[0], 1);
  const other = await addClientKey(api);
  const statuses = [await chat(proxyUrl, other), await chat(proxyUrl, other)].map(
    ({ status }) => status,
  );
  assert.deepEqual(statuses, [200, 503]);
});
