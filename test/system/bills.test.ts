import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Dialect, Period } from "../../proto/gen/latchkey/v1/common_pb.js";
import type { Price } from "../../server/core/provider.js";
import { billedCalls, pathOf, replyTo, requestOf, told } from "../support/billed-calls.js";
import { billed, type BilledForm, costOfBill, formOf, known } from "../support/provider-bill.js";
import { replyJson, RESPONSE } from "../support/upstream-stub.js";
import {
  addClientKey,
  addProvider,
  addProviderKey,
  dataFolder,
  until,
  upstream,
} from "./fixture.js";
import { serveInside } from "./inside.js";

/** More for a thorough run. */
const CALLS = Number(process.env["LATCHKEY_CALLS"] ?? 60);
const MODELS = 4;

const rate = fc.oneof(fc.nat(2_000_000), fc.nat(100_000_000));
const optional = fc.option(rate, { nil: null });
const prices: fc.Arbitrary<Price> = fc
  .record({
    input: rate,
    output: rate,
    cacheRead: optional,
    cacheWrite: optional,
    cacheWriteLong: optional,
    audioInput: optional,
    audioOutput: optional,
    audioCacheRead: optional,
    imageInput: optional,
    imageOutput: optional,
    webSearches: optional,
    longContextFrom: fc.option(fc.integer({ min: 1, max: 9000 }), { nil: null }),
    longContextInput: rate,
    longContextOutput: rate,
    longContextCacheRead: optional,
    longContextCacheWrite: optional,
    longContextCacheWriteLong: optional,
    serviceTiers: fc.uniqueArray(
      fc.record({
        tier: fc.constantFrom("priority", "fast", "flex", "scale"),
        percent: fc.oneof(fc.nat(700), fc.double({ min: 0, max: 700, noNaN: true })),
      }),
      { selector: ({ tier }) => tier },
    ),
  })
  .map((price) => ({ ...price, effectiveFrom: 0 }));

/** As the API takes it. */
function messageOf(price: Price): object {
  const amounts = {
    inputMicrosPerMillion: price.input,
    outputMicrosPerMillion: price.output,
    cacheReadMicrosPerMillion: price.cacheRead,
    cacheWriteMicrosPerMillion: price.cacheWrite,
    cacheWriteLongMicrosPerMillion: price.cacheWriteLong,
    audioInputMicrosPerMillion: price.audioInput,
    audioOutputMicrosPerMillion: price.audioOutput,
    audioCacheReadMicrosPerMillion: price.audioCacheRead,
    imageInputMicrosPerMillion: price.imageInput,
    imageOutputMicrosPerMillion: price.imageOutput,
    webSearchesMicrosPerThousand: price.webSearches,
  };
  const long = {
    aboveInputTokens: price.longContextFrom,
    inputMicrosPerMillion: price.longContextInput,
    outputMicrosPerMillion: price.longContextOutput,
    cacheReadMicrosPerMillion: price.longContextCacheRead,
    cacheWriteMicrosPerMillion: price.longContextCacheWrite,
    cacheWriteLongMicrosPerMillion: price.longContextCacheWriteLong,
  };
  return {
    ...given(amounts),
    longContext: price.longContextFrom === null ? [] : [given(long)],
    serviceTiers: [...(price.serviceTiers ?? [])],
  };
}

function given(amounts: Readonly<Record<string, number | null | undefined>>): object {
  return Object.fromEntries(
    Object.entries(amounts).flatMap(([name, amount]) =>
      amount === null || amount === undefined ? [] : [[name, BigInt(amount)]],
    ),
  );
}

test(`${CALLS} calls at ${MODELS} prices that the API was given: records, budgets and reports have what the provider bills`, async (t) => {
  const stub = await upstream(t);
  const { api, proxyUrl } = await serveInside(t, dataFolder(t));
  const made = fc.sample(prices, { numRuns: MODELS, seed: 30 });
  for (const dialect of ["OPENAI", "ANTHROPIC", "GEMINI"] as const) {
    const slug = dialect.toLowerCase();
    const baseUrl = `${stub.origin}/${dialect === "GEMINI" ? "v1beta" : "v1"}`;
    const { provider } = await api.providers.createProvider({
      slug: `my-${slug}`,
      displayName: `My ${slug}`,
      dialect: Dialect[dialect],
      baseUrl,
      modelPatterns: [`${slug}-*`],
    });
    const providerId = provider?.id ?? "";
    const models = made.map((price, at) => ({
      modelId: `${slug}-${String(at)}`,
      prices: [messageOf(price)],
    }));
    await api.providers.upsertModels({ providerId, models });
    await addProviderKey(api, providerId, slug, `sk-upstream-${slug}-4c1e77`);
  }
  const apiKey = await addClientKey(api);
  const { clientKeys } = await api.clientKeys.listClientKeys({});
  const id = clientKeys[0]?.id ?? "";
  const budgets = [{ period: Period.MONTH, costMicros: 900_000_000_000n }];
  await api.clientKeys.updateClientKey({
    id,
    limits: { budgets },
    updateMask: { paths: ["limits"] },
  });

  const dues: { readonly cost: number; readonly shown: string; readonly tokens: object }[] = [];
  for (const [at, call] of fc.sample(billedCalls, { numRuns: CALLS, seed: 40 }).entries()) {
    const bill = told(call);
    const price = made[at % MODELS];
    assert.ok(price !== undefined);
    let form: BilledForm = "CHAT";
    let url = "";
    stub.script = async (received, res) => {
      form = formOf(received.url);
      url = received.url;
      await replyTo(call, form, bill)(received, res);
    };
    const model = `${call.dialect.toLowerCase()}-${String(at % MODELS)}`;
    const response = await fetch(`${proxyUrl}${pathOf(call, model)}`, {
      method: "POST",
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      body: JSON.stringify(requestOf(call, model)),
    });
    const text = await response.text();
    assert.equal(response.status, 200, text);
    const due = known(form, bill);
    const shown = `${url} ${JSON.stringify(call)} ${JSON.stringify(price)} ${form}`;
    dues.push({ cost: costOfBill(price, due), tokens: billed(due), shown });
  }

  await until(async () => (await api.calls.listCalls({ pageSize: 1000 })).calls.length === CALLS);
  const calls = (await api.calls.listCalls({ pageSize: 1000 })).calls.toReversed();
  for (const [at, { cost, tokens, shown }] of dues.entries()) {
    const call = calls[at];
    const { input, output, cacheRead, cacheWrite, reasoning } = call?.tokens ?? {};
    const counted = { input, output, cacheRead, cacheWrite, reasoning };
    const numbers = Object.entries(counted).map(([name, value]) => [name, Number(value)] as const);
    assert.deepEqual(Object.fromEntries(numbers), tokens, shown);
    assert.equal(Number(call?.costMicros), cost, shown);
  }
  const sum = dues.reduce((all, { cost }) => all + cost, 0);
  const used = (await api.clientKeys.getClientKey({ id })).clientKey?.budgetUsage[0];
  assert.equal(Number(used?.costMicros), sum, "the budget");
});

test("a budget that has room for a call has none for it in a dear tier, or with an image", async (t) => {
  const stub = await upstream(t);
  const { api, proxyUrl } = await serveInside(t, dataFolder(t));
  const { providerId } = await addProvider(api, stub);
  const { models } = await api.providers.listModels({ filter: "model_id=gpt-5.5" });
  const [{ prices } = { prices: [] }] = models;
  await api.providers.upsertModels({ providerId, models: [{ modelId: "gpt-5.5", prices }] });
  const apiKey = await addClientKey(api);
  const { clientKeys } = await api.clientKeys.listClientKeys({});
  // A thousand tokens of output cost 3 cents.
  await api.clientKeys.updateClientKey({
    id: clientKeys[0]?.id ?? "",
    limits: { budgets: [{ period: Period.MONTH, costMicros: 70_000n }] },
    updateMask: { paths: ["limits"] },
  });
  stub.script = replyJson(200, JSON.stringify({ ...RESPONSE, service_tier: "default" }));
  const statusOf = async (more: object): Promise<number> => {
    const body = { model: "stub/gpt-5.5", input: "x", max_output_tokens: 1000, ...more };
    const response = await fetch(`${proxyUrl}/v1/responses`, {
      method: "POST",
      headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    await response.text();
    return response.status;
  };
  assert.equal(await statusOf({}), 200);
  assert.equal(await statusOf({ service_tier: "flex" }), 200);
  assert.equal(await statusOf({ service_tier: "priority" }), 402, "7.5 cents");
  assert.equal(await statusOf({ tools: [{ type: "image_generation" }] }), 402, "a quarter dollar");
  assert.equal(await statusOf({ tools: [{ type: "web_search" }] }), 200);
});
