import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI, { toFile } from "openai";
import { Period } from "../../proto/gen/latchkey/v1/common_pb.js";
import { replyEvents, replyJson } from "../support/upstream-stub.js";
import { wave } from "../support/audio-files.js";
import { addClientKey, addProvider, dataFolder, until, upstream } from "./fixture.js";
import { serveInside } from "./inside.js";

const MODELS = ["dall-e-3", "tts-1", "whisper-1", "text-embedding-3-small"];

test("budgets in money hold for images, speech and sound at the catalogue's prices, and refusals say what helps", async (t) => {
  const stub = await upstream(t);
  const { api, proxyUrl } = await serveInside(t, dataFolder(t));
  const { providerId } = await addProvider(api, stub);
  const filter = "provider=openai";
  const { models } = await api.providers.listModels({ filter, pageSize: 1000 });
  const known = models.filter(({ modelId }) => MODELS.includes(modelId));
  assert.equal(known.length, MODELS.length);
  await api.providers.upsertModels({
    providerId,
    models: known.map(({ modelId, prices }) => ({ modelId, prices })),
  });
  const openai = new OpenAI({
    apiKey: await addClientKey(api),
    baseURL: `${proxyUrl}/v1`,
    maxRetries: 0,
  });
  const { clientKeys } = await api.clientKeys.listClientKeys({});
  const id = clientKeys[0]?.id ?? "";
  const budgetOf = (costMicros: bigint) =>
    api.clientKeys.updateClientKey({
      id,
      limits: { budgets: [{ period: Period.MONTH, costMicros }] },
      updateMask: { paths: ["limits"] },
    });
  const picture = (size: "1024x1024" | "1024x1792") =>
    openai.images.generate({ model: "stub/dall-e-3", prompt: "x", size });
  const file = await toFile(wave(60), "a.wav");

  stub.script = replyJson(200, JSON.stringify({ created: 1, data: [{ b64_json: "AAAA" }] }));
  await budgetOf(100_000n);
  await picture("1024x1024");
  await until(async () => {
    const { clientKey } = await api.clientKeys.getClientKey({ id });
    return clientKey?.budgetUsage[0]?.costMicros === 40_000n;
  });
  await assert.rejects(picture("1024x1792"), {
    status: 402,
    message:
      /may use up to \$0\.08; ask for fewer or smaller images or a lower quality\. It begins/,
  });
  await picture("1024x1024");

  await budgetOf(80_010n);
  for (const [asks, remedy] of [
    [
      () => openai.audio.speech.create({ model: "stub/tts-1", voice: "alloy", input: "hello" }),
      /; send a shorter text\./,
    ],
    [
      () => openai.audio.transcriptions.create({ model: "stub/whisper-1", file }),
      /; send a shorter recording\./,
    ],
    [
      () =>
        openai.embeddings.create({
          model: "stub/text-embedding-3-small",
          input: "x".repeat(10_000),
        }),
      /; send less text\./,
    ],
  ] as const) {
    await assert.rejects(asks, { status: 402, message: remedy });
  }
  const { calls } = await api.calls.listCalls({ filter: "unpriced=true" });
  assert.deepEqual(calls, []);
});

test("images that a tool makes inside of a response are in its cost, whole, streamed and larger than an event that is held", async (t) => {
  const stub = await upstream(t);
  const { api, proxyUrl } = await serveInside(t, dataFolder(t));
  const { providerId } = await addProvider(api, stub);
  const prices = [{ inputMicrosPerMillion: 1_000_000n, outputMicrosPerMillion: 2_000_000n }];
  await api.providers.upsertModels({ providerId, models: [{ modelId: "gpt-5.4", prices }] });
  const openai = new OpenAI({ apiKey: await addClientKey(api), baseURL: `${proxyUrl}/v1` });
  const tool = { input_tokens: 1_000, output_tokens: 1_000, total_tokens: 2_000 };
  const replyOf = (model: string, bytes: number): object => ({
    id: "resp_1",
    object: "response",
    status: "completed",
    model: "gpt-5.4",
    output: [{ type: "image_generation_call", id: "ig_1", result: "A".repeat(bytes) }],
    tool_usage: { image_gen: tool },
    tools: [{ type: "image_generation", model }],
    usage: { input_tokens: 100, output_tokens: 100, total_tokens: 200 },
  });
  // 100 and 100 of the response's model at 1 and 2 dollars a million, and 1,000 each of the image model's.
  const [own, ofTool] = [300, 1_000 * (5 + 32)];
  const asked = async (stream: boolean): Promise<void> => {
    const request = { model: "stub/gpt-5.4", input: "x", tools: [{ type: "image_generation" }] };
    const answer = await openai.responses.create({ ...request, stream } as never);
    if (!stream) return;
    for await (const event of answer as unknown as AsyncIterable<unknown>) void event;
  };
  const costs = async (count: number) => {
    await until(async () => (await api.calls.listCalls({})).calls.length === count);
    const { calls } = await api.calls.listCalls({});
    return [
      calls[0]?.costMicros,
      calls[0]?.unpriced,
      calls[0]?.tokens?.input,
      calls[0]?.tokens?.output,
    ];
  };
  let count = 0;
  for (const bytes of [20_000, 2_000_000]) {
    const reply = replyOf("gpt-image-1.5", bytes);
    const event = { type: "response.completed", sequence_number: 1, response: reply };
    for (const stream of [false, true]) {
      stub.script = stream
        ? replyEvents([`event: response.completed\ndata: ${JSON.stringify(event)}\n\n`])
        : replyJson(200, JSON.stringify(reply));
      await asked(stream);
      assert.deepEqual(await costs(++count), [BigInt(own + ofTool), false, 100n, 100n]);
    }
  }
  stub.script = replyJson(200, JSON.stringify(replyOf("gpt-image-of-tomorrow", 20_000)));
  await asked(false);
  assert.deepEqual(await costs(++count), [0n, true, 100n, 100n]);
});
