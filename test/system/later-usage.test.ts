import assert from "node:assert/strict";
import { test } from "node:test";
import { replyJson } from "../support/upstream-stub.js";
import { addClientKey, addProvider, dataFolder, until, upstream } from "./fixture.js";
import { serveInside } from "./inside.js";

test("what a response used in the background counts after a restart, once and at its model's price", async (t) => {
  const stub = await upstream(t);
  const folder = dataFolder(t);
  const first = await serveInside(t, folder);
  const { providerId } = await addProvider(first.api, stub);
  const prices = [{ inputMicrosPerMillion: 1_000_000n, outputMicrosPerMillion: 2_000_000n }];
  await first.api.providers.upsertModels({
    providerId,
    models: [{ modelId: "stub-chat", prices }],
  });
  const clientKey = await addClientKey(first.api);
  const headers = { authorization: `Bearer ${clientKey}`, "content-type": "application/json" };
  const response = (status: string, usage: object | null) =>
    replyJson(200, JSON.stringify({ id: "resp_bg", object: "response", status, usage }));
  stub.script = response("queued", null);
  const body = JSON.stringify({ model: "stub-chat", input: "hi", background: true });
  const asked = await fetch(`${first.proxyUrl}/v1/responses`, { method: "POST", headers, body });
  assert.equal(asked.status, 200, await asked.text());
  await first.stop();

  const { api, proxyUrl } = await serveInside(t, folder);
  stub.script = response("completed", { input_tokens: 1000, output_tokens: 500 });
  for (let look = 0; look < 2; look++) {
    // eslint-disable-next-line no-await-in-loop -- one after the other
    const told = await fetch(`${proxyUrl}/v1/responses/resp_bg`, { headers });
    assert.equal(told.status, 200);
  }
  const looks = async () => {
    const { calls } = await api.calls.listCalls({});
    return calls.filter(({ endpoint }) => endpoint === "/v1/responses/resp_bg");
  };
  await until(async () => (await looks()).length === 2);
  const counted = (await looks()).map(({ tokens, costMicros, modelServed }) => [
    tokens?.input,
    tokens?.output,
    costMicros,
    modelServed,
  ]);
  assert.deepEqual(counted.toReversed(), [
    [1000n, 500n, 2000n, "stub-chat"],
    [0n, 0n, 0n, ""],
  ]);
});
