import assert from "node:assert/strict";
import path from "node:path";
import { test, type TestContext } from "node:test";
import sqlite3 from "sqlite3";
import { replyJson } from "../support/upstream-stub.js";
import { addClientKey, addProvider, dataFolder, serve, until, upstream } from "./fixture.js";
import { batchWorldOn, MODELS, usedBy } from "./batch-world.js";
import { serveInside } from "./inside.js";

// Kills while the database takes nothing: all that outlives the process of a response in the background is the journal.

const PRICES = [{ inputMicrosPerMillion: 1_000_000n, outputMicrosPerMillion: 2_000_000n }];
const USAGE = { input_tokens: 1000, output_tokens: 500 };

const response = (status: string, usage: object | null) =>
  replyJson(200, JSON.stringify({ id: "resp_bg", object: "response", status, usage }));

/** Another program that keeps the database from taking anything; answers what ends that. */
async function lockDatabase(t: TestContext, folder: string): Promise<() => Promise<void>> {
  const db = new sqlite3.Database(path.join(folder, "latchkey.db"));
  const run = (sql: string): Promise<void> =>
    new Promise((resolve, reject) => {
      db.exec(sql, (error: Error | null) => (error === null ? resolve() : reject(error)));
    });
  let isOpen = true;
  const unlock = async (): Promise<void> => {
    if (!isOpen) return;
    isOpen = false;
    await run("ROLLBACK");
    await new Promise((resolve) => db.close(resolve));
  };
  t.after(unlock);
  await run("BEGIN IMMEDIATE");
  return unlock;
}

/** A server in a process of its own, and what asks it for a response in the background and looks at it. */
async function world(t: TestContext) {
  const stub = await upstream(t);
  const folder = dataFolder(t);
  const server = await serve(t, folder);
  const { providerId } = await addProvider(server.api, stub);
  await server.api.providers.upsertModels({
    providerId,
    models: [{ modelId: "stub-chat", prices: PRICES }],
  });
  const headers = {
    authorization: `Bearer ${await addClientKey(server.api)}`,
    "content-type": "application/json",
  };
  const at = `${server.proxyUrl}/v1/responses`;
  const body = JSON.stringify({ model: "stub-chat", input: "hi", background: true });
  const ask = async (): Promise<void> => {
    stub.script = response("queued", null);
    const asked = await fetch(at, { method: "POST", headers, body });
    assert.deepEqual([asked.status, (await asked.text()).includes("resp_bg")], [200, true]);
  };
  const look = async (): Promise<void> => {
    stub.script = response("completed", USAGE);
    const shown = await fetch(`${at}/resp_bg`, { headers });
    assert.deepEqual([shown.status, (await shown.text()).includes("completed")], [200, true]);
  };
  /** The next server on that folder, once it has asked all that it wants to know; answers what its log says was used. */
  const usedAfterKill = async () => {
    stub.script = response("completed", USAGE);
    const { api } = await serveInside(t, folder);
    const count = async () => {
      const { calls } = await api.calls.listCalls({});
      const used = calls.filter(({ costMicros }) => costMicros > 0n);
      return used.map(({ endpoint, tokens }) => [endpoint, tokens?.input, tokens?.output]);
    };
    await until(async () => (await count()).length > 0);
    return { count, stop: () => server.stop() };
  };
  return { stub, folder, server, ask, look, usedAfterKill };
}

const ONCE = [["/v1/responses/resp_bg", 1000n, 500n]];

test("a response is counted once that its caller was told of when the server was killed", async (t) => {
  const { stub, folder, server, ask, look, usedAfterKill } = await world(t);
  await ask();
  await until(async () => (await server.api.calls.listCalls({})).calls.length === 1);
  const unlock = await lockDatabase(t, folder);
  await look();
  await server.kill();
  await unlock();
  stub.received.length = 0;
  const { count } = await usedAfterKill();
  assert.deepEqual(await count(), ONCE);
  assert.deepEqual(stub.received, [], "there is nothing left to ask for");
});

test("a response is counted that its caller was given when the server was killed", async (t) => {
  const { folder, server, ask, usedAfterKill } = await world(t);
  const unlock = await lockDatabase(t, folder);
  await ask();
  await server.kill();
  await unlock();
  const { count } = await usedAfterKill();
  assert.deepEqual(await count(), ONCE);
});

test("a batch is counted that its caller was given when the server was killed", async (t) => {
  const { provider, stub, folder, server } = await batchWorldOn(t, serve);
  const headers = {
    authorization: `Bearer ${await addClientKey(server.api)}`,
    "content-type": "application/json",
  };
  const unlock = await lockDatabase(t, folder);
  const asked = { custom_id: "a", params: { model: MODELS.anthropic, max_tokens: 10 } };
  const body = JSON.stringify({ requests: [asked] });
  const url = `${server.proxyUrl}/v1/messages/batches`;
  const given = await fetch(url, { method: "POST", headers, body });
  assert.equal(given.status, 200);
  const { id } = (await given.json()) as { id: string };
  await server.kill();
  await unlock();
  const usage = { input_tokens: 1000, output_tokens: 100 };
  const message = { model: MODELS.anthropic, usage };
  const results = [{ custom_id: "a", result: { type: "succeeded", message } }];
  provider.end(id, { results });
  stub.received.length = 0;
  const { api } = await serveInside(t, folder);
  assert.deepEqual(
    (await usedBy(api, id)).map(({ input, output }) => [input, output]),
    [[1000, 100]],
  );
});
