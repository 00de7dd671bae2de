import assert from "node:assert/strict";
import { test } from "node:test";
import { CHAT_REPLY, replyJson } from "../support/upstream-stub.js";
import { addClientKey, addProvider, chat, dataFolder, upstream } from "./fixture.js";
import { serveInside } from "./inside.js";

/** As OpenAI and Google say that they have a model, but not for this. */
const REFUSALS = [
  [
    "completions",
    404,
    "This is a chat model and not supported in the v1/completions endpoint. Did you mean to use v1/chat/completions?",
  ],
  ["embeddings", 403, "You are not allowed to generate embeddings from this model"],
  [
    "audio/speech",
    404,
    "models/stub-chat is not found for API version v1beta, or is not supported for speech.",
  ],
] as const;

test("a model that a provider does not serve at one endpoint is served to everybody at the others", async (t) => {
  const stub = await upstream(t);
  const { api, proxyUrl } = await serveInside(t, dataFolder(t));
  const { providerKeyId } = await addProvider(api, stub);
  const [caller, other] = [await addClientKey(api), await addClientKey(api, "other")];
  const said = new Map<string, readonly [number, string]>(
    REFUSALS.map(([path, status, message]) => [`/v1/${path}`, [status, message]]),
  );
  stub.script = (received, res) => {
    const [status, message] = said.get(received.url) ?? [200, ""];
    const reply = status === 200 ? CHAT_REPLY : JSON.stringify({ error: { message } });
    return replyJson(status, reply)(received, res);
  };
  for (const [path, status] of REFUSALS) {
    const ask = () =>
      fetch(`${proxyUrl}/v1/${path}`, {
        method: "POST",
        headers: { authorization: `Bearer ${caller}`, "content-type": "application/json" },
        body: JSON.stringify({ model: "stub-chat", input: "x", prompt: "x", voice: "alloy" }),
      });
    // eslint-disable-next-line no-await-in-loop -- each depends on what the one before left
    assert.equal((await ask()).status, status === 404 ? 404 : 400, path);
    const before = stub.received.length;
    // eslint-disable-next-line no-await-in-loop -- as above
    assert.equal((await ask()).status, 404, path);
    assert.equal(stub.received.length, before, "it is known there");
    // eslint-disable-next-line no-await-in-loop -- as above
    assert.equal((await chat(proxyUrl, other)).status, 200, path);
  }
  const { providerKey } = await api.providerKeys.getProviderKey({ id: providerKeyId });
  const resting = providerKey?.modelCooldowns ?? [];
  assert.deepEqual(
    resting.map(({ model }) => model).toSorted(),
    REFUSALS.map(([path]) => `stub-chat at /v1/${path}`).toSorted(),
  );
});
