import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI, { toFile } from "openai";
import { Period } from "../../proto/gen/latchkey/v1/common_pb.js";
import { replyJson } from "../support/upstream-stub.js";
import { wave } from "../support/audio-files.js";
import { addClientKey, addProvider, dataFolder, serve, until, upstream } from "./fixture.js";

const MODELS = ["dall-e-3", "tts-1", "whisper-1", "text-embedding-3-small"];

test("budgets in money hold for images, speech and sound at the catalogue's prices, and refusals say what helps", async (t) => {
  const stub = await upstream(t);
  const { api, proxyUrl } = await serve(t, dataFolder(t));
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
      /may use up to \$0\.0800; ask for fewer or smaller images or a lower quality\. It begins/,
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
