import assert from "node:assert/strict";
import { test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import OpenAI, { toFile } from "openai";
import { Period } from "../../proto/gen/latchkey/v1/common_pb.js";
import { addProviderKey, addClientKey, serve, until } from "./fixture.js";
import { batchWorld, batchWorldOn, MODELS, recordsOf, usedBy } from "./batch-world.js";
import { serveInside } from "./inside.js";

// What batches use is on record, once and at half the price, whoever asks for them, and whoever does not.

const openaiLine = (model: string, prompt: number, completion: number, more = {}) => ({
  id: "batch_req_1",
  custom_id: "a",
  response: {
    status_code: 200,
    request_id: "r",
    body: {
      id: "chatcmpl-1",
      object: "chat.completion",
      model,
      choices: [],
      usage: { prompt_tokens: prompt, completion_tokens: completion, ...more },
    },
  },
  error: null,
});

const claudeLine = (input: number, output: number, usage = {}) => ({
  custom_id: "a",
  result: {
    type: "succeeded",
    message: {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: MODELS.anthropic,
      content: [{ type: "text", text: 'a "usage" in a text' }],
      usage: { input_tokens: input, output_tokens: output, ...usage },
    },
  },
});

const geminiLine = (prompt: number, candidates: number) => ({
  response: {
    candidates: [{ content: { parts: [{ text: "hi ] } [" }] } }],
    usageMetadata: { promptTokenCount: prompt, candidatesTokenCount: candidates },
    modelVersion: `${MODELS.gemini}-001`,
  },
});

const openaiOf = (proxyUrl: string, apiKey: string) =>
  new OpenAI({ apiKey, baseURL: `${proxyUrl}/v1`, maxRetries: 0 });
const anthropicOf = (proxyUrl: string, apiKey: string) =>
  new Anthropic({ apiKey, baseURL: proxyUrl, maxRetries: 0 });

async function openaiBatch(
  client: OpenAI,
  lines: readonly (object | string)[] = [{ custom_id: "a" }],
): Promise<OpenAI.Batch> {
  const text = lines
    .map((line) => (typeof line === "string" ? line : JSON.stringify(line)))
    .join("\n");
  const file = await client.files.create({
    file: await toFile(Buffer.from(text), "a.jsonl"),
    purpose: "batch",
  });
  return client.batches.create({
    input_file_id: file.id,
    endpoint: "/v1/chat/completions",
    completion_window: "24h",
  });
}

const REQUESTS = [
  {
    custom_id: "a",
    params: {
      model: MODELS.anthropic,
      max_tokens: 1000,
      messages: [{ role: "user" as const, content: "hi" }],
    },
  },
];

test("a batch counts whose maker did not wait to hear of it", async (t) => {
  const { provider, stub, server } = await batchWorld(t);
  const apiKey = await addClientKey(server.api);
  let release: () => void = () => undefined;
  const gone = new Promise<void>((resolve) => (release = resolve));
  stub.received.length = 0;
  stub.script = async (...request) => {
    await gone;
    await provider.script(...request);
  };
  const leaving = new AbortController();
  const left = anthropicOf(server.proxyUrl, apiKey).messages.batches.create(
    { requests: REQUESTS },
    { signal: leaving.signal },
  );
  await until(async () => stub.received.length === 1);
  leaving.abort();
  await assert.rejects(left);
  await until(async () => {
    const { calls } = await server.api.calls.listCalls({});
    return calls.some(({ errorCode }) => errorCode === "caller_aborted");
  });
  release();
  await until(async () => stub.sockets.size > 0 && provider.ids.length > 0);
  const [id = ""] = provider.ids;
  stub.script = provider.script;
  provider.end(id, { results: [claudeLine(1000, 100)] });
  // The server hears of it a moment after it was made.
  await until(async () => {
    await anthropicOf(server.proxyUrl, apiKey).messages.batches.retrieve(id);
    return (await recordsOf(server.api, id)).length > 0;
  });
  assert.equal((await usedBy(server.api, id))[0]?.cost, 600);
});

test("OpenAI's batch counts what it says of itself, however often its owner looks", async (t) => {
  const { provider, server } = await batchWorld(t);
  const client = openaiOf(server.proxyUrl, await addClientKey(server.api));
  const { id } = await openaiBatch(client);
  assert.equal((await client.batches.retrieve(id)).status, "in_progress");
  const usage = {
    input_tokens: 3000,
    input_tokens_details: { cached_tokens: 1000 },
    output_tokens: 500,
    output_tokens_details: { reasoning_tokens: 100 },
    total_tokens: 3500,
  };
  provider.end(id, { results: [], said: { usage, model: `${MODELS.openai}-2026-01-15` } });
  // eslint-disable-next-line no-await-in-loop -- one after the other
  for (let n = 0; n < 5; n++) await client.batches.retrieve(id);
  // 2,000 at 0.5, 1,000 at 0.05 and 500 at 1 micro each.
  const used = {
    model: `${MODELS.openai}-2026-01-15`,
    input: 3000,
    output: 500,
    cost: 1000 + 50 + 500,
    errorCode: "",
  };
  assert.deepEqual(await usedBy(server.api, id), [used]);
  const [record] = await recordsOf(server.api, id);
  assert.equal(record?.endpoint, `/v1/batches/${id}`);
  assert.equal(record.clientKeyName, "app");
  assert.equal(record.providerKeyName, "openai main");
  await client.batches.retrieve(id);
  await client.batches.retrieve(id);
  assert.equal((await recordsOf(server.api, id)).length, 1);
});

test("where OpenAI's batch says nothing of itself its output file does, model by model", async (t) => {
  const { provider, server } = await batchWorld(t);
  const client = openaiOf(server.proxyUrl, await addClientKey(server.api));
  const { id } = await openaiBatch(client);
  const refused = { custom_id: "x", response: { status_code: 400, body: { error: {} } } };
  provider.end(id, {
    status: "expired",
    results: [
      openaiLine(MODELS.openai, 1000, 100),
      openaiLine(MODELS.openai, 2000, 200),
      openaiLine("another", 5, 5),
      refused,
    ],
    said: { usage: { input_tokens: 0, output_tokens: 0, total_tokens: 0 } },
  });
  await client.batches.retrieve(id);
  const found = await usedBy(server.api, id);
  assert.deepEqual(
    found.toSorted((a, b) => b.input - a.input),
    [
      { model: MODELS.openai, input: 3000, output: 300, cost: 1500 + 300, errorCode: "" },
      { model: "another", input: 5, output: 5, cost: undefined, errorCode: "" },
    ],
  );
});

test("Anthropic's batch counts its results, and is removed only once they are counted", async (t) => {
  const { provider, server } = await batchWorld(t);
  const client = anthropicOf(server.proxyUrl, await addClientKey(server.api));
  const { id } = await client.messages.batches.create({ requests: REQUESTS });
  const expired = { custom_id: "b", result: { type: "expired" } };
  const cached = { cache_read_input_tokens: 1000 };
  provider.end(id, { results: [claudeLine(1000, 100), claudeLine(1000, 100, cached), expired] });
  await client.messages.batches.delete(id);
  assert.deepEqual(await usedBy(server.api, id), [
    { model: MODELS.anthropic, input: 3000, output: 200, cost: 1000 + 50 + 200, errorCode: "" },
  ]);
});

test("who fetches Anthropic's results alone has them counted too", async (t) => {
  const { provider, server } = await batchWorld(t);
  const client = anthropicOf(server.proxyUrl, await addClientKey(server.api));
  const { id } = await client.messages.batches.create({ requests: REQUESTS });
  provider.end(id, { results: [claudeLine(1000, 100)] });
  const response = await fetch(`${server.proxyUrl}/v1/messages/batches/${id}/results`, {
    headers: { "x-api-key": client.apiKey ?? "", "anthropic-version": "2023-06-01" },
  });
  assert.match(await response.text(), /succeeded/);
  assert.equal((await usedBy(server.api, id))[0]?.cost, 600);
});

for (const inFile of [false, true]) {
  test(`Google's batch counts its results once, ${inFile ? "in a file" : "inline"}`, async (t) => {
    const { provider, server } = await batchWorld(t);
    const headers = {
      "x-goog-api-key": await addClientKey(server.api),
      "content-type": "application/json",
    };
    const requests = [{ request: { contents: [{ parts: [{ text: "hi" }] }] } }];
    const made = await fetch(
      `${server.proxyUrl}/v1beta/models/${MODELS.gemini}:batchGenerateContent`,
      {
        method: "POST",
        headers,
        body: JSON.stringify({ batch: { inputConfig: { requests: { requests } } } }),
      },
    );
    const { name } = (await made.json()) as { readonly name: string };
    const error = { error: { code: 400, message: "no" } };
    provider.end(name, { results: [geminiLine(1000, 100), error, geminiLine(500, 50)], inFile });
    for (let n = 0; n < 3; n++) {
      // eslint-disable-next-line no-await-in-loop -- one after the other
      const told = await fetch(`${server.proxyUrl}/v1beta/${name}`, { headers });
      assert.equal(told.status, 200);
      // eslint-disable-next-line no-await-in-loop -- one after the other
      await told.text();
    }
    const used = { model: MODELS.gemini, input: 1500, output: 150, cost: 900, errorCode: "" };
    assert.deepEqual(await usedBy(server.api, name), [used]);
  });
}

test("a batch that nobody asks for counts after a kill, once", async (t) => {
  const { provider, server, folder } = await batchWorldOn(t, serve);
  const clientKey = await addClientKey(server.api);
  const { id } = await openaiBatch(openaiOf(server.proxyUrl, clientKey));
  await server.kill();
  const usage = { input_tokens: 1000, output_tokens: 100, total_tokens: 1100 };
  provider.end(id, { said: { usage, model: MODELS.openai } });
  let next = await serve(t, folder);
  const used = { model: MODELS.openai, input: 1000, output: 100, cost: 600, errorCode: "" };
  for (let n = 0; n < 2; n++) {
    // eslint-disable-next-line no-await-in-loop -- one after the other
    assert.deepEqual(await usedBy(next.api, id), [used]);
    // eslint-disable-next-line no-await-in-loop -- one after the other
    await next.kill();
    // eslint-disable-next-line no-await-in-loop -- one after the other
    next = await serve(t, folder);
  }
  assert.deepEqual(await usedBy(next.api, id), [used]);
});

const ASKING = {
  openai: ["/v1/batches", { input_file_id: "file-9", endpoint: "/v1/chat/completions" }],
  anthropic: ["/v1/messages/batches", { requests: REQUESTS }],
  gemini: [
    `/v1beta/models/${MODELS.gemini}:batchGenerateContent`,
    { batch: { displayName: "mine", inputConfig: { requests: { requests: [{ request: {} }] } } } },
  ],
} as const;

for (const kind of ["openai", "anthropic", "gemini"] as const) {
  test(`a batch of ${kind} counts whose maker was killed before it heard of it, and no other`, async (t) => {
    const { provider, stub, server, folder } = await batchWorldOn(t, serve);
    const secret = await addClientKey(server.api);
    const [path, body] = ASKING[kind];
    const ask = (url: string, of: object): Promise<Response> =>
      fetch(url + path, {
        method: "POST",
        headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
        body: JSON.stringify(of),
      });
    const before = (await (await ask(server.proxyUrl, body)).json()) as { id?: string };
    stub.received.length = 0;
    provider.isMute = true;
    const left = assert.rejects(ask(server.proxyUrl, body));
    await until(async () => stub.received.length === 1);
    await server.kill();
    await left;
    // Made past this server.
    const other = { openai: { input_file_id: "file-8" }, anthropic: { requests: [] }, gemini: {} };
    provider.isMute = false;
    await fetch(stub.origin + path, {
      method: "POST",
      headers: { authorization: `Bearer sk-batch-${kind}-5d1e` },
      body: JSON.stringify(other[kind]),
    });
    const [first = "", lost = "", past = ""] = provider.ids;
    assert.ok(before.id === undefined || before.id === first);
    const results = {
      openai: [openaiLine(MODELS.openai, 1000, 100)],
      anthropic: [claudeLine(1000, 100)],
      gemini: [geminiLine(1000, 100)],
    };
    for (const id of [lost, past]) provider.end(id, { results: results[kind] });
    const next = await serve(t, folder);
    assert.equal((await usedBy(next.api, lost))[0]?.cost, 600);
    await next.kill();
    const last = await serveInside(t, folder);
    assert.equal((await recordsOf(last.api, lost)).length, 1);
    assert.equal((await recordsOf(last.api, past)).length, 0);
    const { calls } = await last.api.calls.listCalls({ filter: "status:error" });
    assert.deepEqual(
      calls.map(({ errorCode, tokens }) => [errorCode, tokens?.output ?? 0n]),
      [["process_died", 0n]],
    );
  });
}

test("a batch counts whose reply did not come on a connection that had served calls before", async (t) => {
  const { provider, stub, server } = await batchWorld(t);
  const client = openaiOf(server.proxyUrl, await addClientKey(server.api));
  const { id: first } = await openaiBatch(client);
  stub.script = async (received, res) => {
    stub.script = provider.script;
    provider.isMute = true;
    await provider.script(received, res);
    provider.isMute = false;
    res.socket?.destroy();
  };
  const body = { endpoint: "/v1/chat/completions", completion_window: "24h" } as const;
  const { id } = await client.batches.create({ ...body, input_file_id: "file-9" });
  const [, lost = "", made = ""] = provider.ids;
  assert.deepEqual(provider.ids, [first, lost, made]);
  assert.equal(made, id);
  const usage = { input_tokens: 1000, output_tokens: 100, total_tokens: 1100 };
  for (const each of [lost, made]) provider.end(each, { said: { usage, model: MODELS.openai } });
  await client.batches.retrieve(id);
  assert.equal((await usedBy(server.api, id))[0]?.cost, 600);
  await until(async () => {
    await client.batches.retrieve(lost);
    return (await recordsOf(server.api, lost)).length > 0;
  });
  assert.equal((await usedBy(server.api, lost))[0]?.cost, 600);
});

test("a batch counts whose reply broke off", async (t) => {
  const { provider, stub, server } = await batchWorld(t);
  const secret = await addClientKey(server.api);
  provider.isMute = true;
  const asked = openaiOf(server.proxyUrl, secret).batches.create({
    input_file_id: "file-9",
    endpoint: "/v1/chat/completions",
    completion_window: "24h",
  });
  await until(async () => provider.ids.length === 1);
  const [id = ""] = provider.ids;
  const usage = { input_tokens: 1000, output_tokens: 100, total_tokens: 1100 };
  provider.end(id, { said: { usage, model: MODELS.openai } });
  provider.isMute = false;
  for (const socket of stub.sockets) socket.destroy();
  // Another is made then, or none.
  await asked.catch(() => undefined);
  assert.equal((await usedBy(server.api, id))[0]?.cost, 600);
});

test("what a batch used is on record for the key that made it, and fills its budgets alone", async (t) => {
  const { provider, server } = await batchWorld(t);
  const { api, proxyUrl } = server;
  const budgets = [{ period: Period.DAY, costMicros: 1000n }];
  const { clientKey, secret } = await api.clientKeys.createClientKey({
    name: "poor",
    limits: { budgets, tokensPerMinute: 10n },
  });
  const poor = openaiOf(proxyUrl, secret);
  const rich = openaiOf(proxyUrl, await addClientKey(api, "rich"));
  const { id } = await openaiBatch(poor);
  const usage = { input_tokens: 2000, output_tokens: 500, total_tokens: 2500 };
  provider.end(id, { said: { usage, model: MODELS.openai } });
  // Another key of the same owner sees it as well.
  await rich.batches.retrieve(id);
  await usedBy(api, id);
  const [record] = await recordsOf(api, id);
  assert.equal(record?.clientKeyId, clientKey?.id);
  await assert.rejects(openaiBatch(poor), { status: 402 });
  await openaiBatch(rich);
  // What it has paid for can be fetched all the same, and limits per minute have heard nothing of it.
  assert.equal((await poor.batches.retrieve(id)).status, "completed");
});

test("requests in the body are set aside until they are counted, over a restart too", async (t) => {
  const { provider, server, folder } = await batchWorldOn(t, serve);
  const { api, proxyUrl } = server;
  // A batch of REQUESTS may cost some 1,020 micros.
  const budgets = [{ period: Period.DAY, costMicros: 2000n }];
  const limits = { budgets, tokensPerMinute: 100n };
  const { secret } = await api.clientKeys.createClientKey({ name: "poor", limits });
  const create = (url: string) =>
    anthropicOf(url, secret).messages.batches.create({ requests: REQUESTS });
  const { id } = await create(proxyUrl);
  await assert.rejects(create(proxyUrl), { status: 402 });
  await server.kill();
  const second = await serveInside(t, folder);
  await assert.rejects(create(second.proxyUrl), { status: 402 });
  provider.end(id, { results: [claudeLine(10, 10)] });
  await anthropicOf(second.proxyUrl, secret).messages.batches.retrieve(id);
  await usedBy(second.api, id);
  await until(async () => {
    const { usage } = await usageOf(second.api);
    return Number(usage) < 100;
  });
  await create(second.proxyUrl);
});

async function usageOf(api: Awaited<ReturnType<typeof serve>>["api"]): Promise<{ usage: bigint }> {
  const { clientKeys } = await api.clientKeys.listClientKeys({});
  const { clientKey } = await api.clientKeys.getClientKey({ id: clientKeys[0]?.id ?? "" });
  return { usage: clientKey?.budgetUsage[0]?.costMicros ?? 0n };
}

test("the lines of an uploaded file are set aside, and refused where a budget has no room for them", async (t) => {
  const { provider, server } = await batchWorld(t);
  const { api, proxyUrl } = server;
  const budgets = [{ period: Period.DAY, costMicros: 2500n }];
  const { secret } = await api.clientKeys.createClientKey({ name: "poor", limits: { budgets } });
  const poor = openaiOf(proxyUrl, secret);
  const rich = openaiOf(proxyUrl, await addClientKey(api, "rich"));
  const line = (max_tokens: number) => ({
    custom_id: "a",
    method: "POST",
    url: "/v1/chat/completions",
    body: { model: MODELS.openai, max_tokens, messages: [{ role: "user", content: "hi" }] },
  });
  // At half of two micros a token, besides some ten micros for the input of each line.
  const fits = [line(1000), line(400), { not: "a request" }];
  const batch = await openaiBatch(poor, fits);
  await assert.rejects(openaiBatch(poor, fits), { status: 402 });
  await assert.rejects(openaiBatch(poor, [line(1_000_000)]), { status: 402 });
  // Which of two bounds holds is known to the provider alone.
  const twice = JSON.stringify(line(1_000_000)).replace("{", '{"body":{"max_tokens":1},');
  for (const text of [twice, "{", "[]"]) {
    // eslint-disable-next-line no-await-in-loop -- one after the other
    await assert.rejects(openaiBatch(poor, [line(1), text]), { status: 400, message: /line 2 / });
  }
  await openaiBatch(rich, [line(1_000_000)]);
  const usage = { input_tokens: 10, output_tokens: 10, total_tokens: 20 };
  provider.end(batch.id, { said: { usage, model: MODELS.openai } });
  await poor.batches.retrieve(batch.id);
  await usedBy(api, batch.id);
  await until(async () => (await openaiBatch(poor, fits).catch(() => undefined)) !== undefined);
  const { calls } = await api.calls.listCalls({ filter: "error_code:budget_exceeded" });
  assert.match(calls[0]?.errorMessage ?? "", /ask for less in the file/);
});

test("a batch whose provider key was deleted is asked for with another key of its account", async (t) => {
  const { provider, server, providerKeyIds } = await batchWorld(t);
  const { api, proxyUrl } = server;
  const client = openaiOf(proxyUrl, await addClientKey(api));
  const { id } = await openaiBatch(client);
  const { providerKeys } = await api.providerKeys.listProviderKeys({});
  const old = providerKeys.find((key) => key.id === providerKeyIds.openai);
  await api.providerKeys.deleteProviderKey({ id: providerKeyIds.openai });
  await addProviderKey(api, old?.providerId ?? "", "anew", "sk-batch-openai-5d1e");
  const usage = { input_tokens: 1000, output_tokens: 100, total_tokens: 1100 };
  provider.end(id, { said: { usage, model: MODELS.openai } });
  await client.batches.retrieve(id);
  assert.equal((await usedBy(api, id))[0]?.cost, 600);
});

test("garbage among results is passed over, and the record says so", async (t) => {
  const { provider, server } = await batchWorld(t);
  const client = anthropicOf(server.proxyUrl, await addClientKey(server.api));
  const { id } = await client.messages.batches.create({ requests: REQUESTS });
  const results = [claudeLine(1000, 100), "<html>", "{", claudeLine(1000, 100)];
  provider.end(id, { results });
  await client.messages.batches.retrieve(id);
  const used = { model: MODELS.anthropic, input: 2000, output: 200, cost: 1200 };
  assert.deepEqual(await usedBy(server.api, id), [{ ...used, errorCode: "batch_incomplete" }]);
  const [record] = await recordsOf(server.api, id);
  assert.match(record?.errorMessage ?? "", /2 of its results could not be read/);
});

test("a batch that is gone counts as what was set aside for it", async (t) => {
  const { provider, server } = await batchWorld(t);
  const client = anthropicOf(server.proxyUrl, await addClientKey(server.api));
  const { id } = await client.messages.batches.create({ requests: REQUESTS });
  provider.end(id, { write: (res) => void res.writeHead(404).end() });
  // Each look that shows the end has the server look as well.
  await until(async () => {
    await client.messages.batches.retrieve(id);
    return (await recordsOf(server.api, id)).length > 0;
  });
  const [used] = await usedBy(server.api, id);
  assert.equal(used?.errorCode, "batch_lost");
  assert.equal(used.output, 1000);
  assert.ok((used.cost ?? 0) >= 1000);
});

test("results of a hundred thousand requests are counted as they come", async (t) => {
  const { provider, server } = await batchWorld(t);
  const client = anthropicOf(server.proxyUrl, await addClientKey(server.api));
  const { id } = await client.messages.batches.create({ requests: REQUESTS });
  const line = `${JSON.stringify(claudeLine(10, 1))}\n`.repeat(100);
  provider.end(id, {
    write(res) {
      res.writeHead(200, { "content-type": "application/x-jsonl" });
      let left = 1000;
      const more = (): void => {
        while (left-- > 0) {
          if (!res.write(line)) {
            res.once("drain", more);
            return;
          }
        }
        res.end();
      };
      more();
    },
  });
  await client.messages.batches.retrieve(id);
  const [used] = await usedBy(server.api, id);
  assert.deepEqual([used?.input, used?.output, used?.errorCode], [1_000_000, 100_000, ""]);
});
