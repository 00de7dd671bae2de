import assert from "node:assert/strict";
import { after, before, test, type TestContext } from "node:test";
import * as fc from "fast-check";
import { type OpenAI, toFile } from "openai";
import { presetModels } from "../../server/catalog/preset-models.js";
import type { CallRecord, Estimate } from "../../server/core/call.js";
import type { Price, Provider } from "../../server/core/provider.js";
import { costOf } from "../../server/metering/cost.js";
import { wave } from "../support/audio-files.js";
import {
  inTurn,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { startGateway, type TestGateway } from "./fixture.js";
import { openaiClient } from "./sdk-clients.js";

// What images, speech and transcriptions cost, at the prices of the catalogue and at any other, asked for by OpenAI's
// SDK: never less is set aside than is counted in the end.

let stub: UpstreamStub;
let gateway: TestGateway;
let openai: OpenAI;

before(async () => {
  stub = await startUpstreamStub();
  gateway = await start({ baseUrl: `${stub.origin}/v1` });
  openai = openaiClient(gateway);
});

after(async () => {
  await gateway.close();
  await stub.close();
});

/** A gateway that counts money as the server does. */
async function start(provider: Partial<Provider>): Promise<TestGateway> {
  const started = await startGateway({
    providers: [provider],
    limits: { taskPauseMs: 1 },
    resolve: (_name, done) => {
      done(null, [{ address: "127.0.0.1", family: 4 }]);
    },
  });
  started.sink.cost = (target, tokens) => costOf(target.price ?? null, tokens) as number;
  return started;
}

function priceOf(slug: string, modelId: string): Price {
  const model = presetModels().find(
    (each) => each.providerId === `prv_${slug}` && each.modelId === modelId,
  );
  assert.ok(model?.prices[0] !== undefined, modelId);
  return model.prices[0];
}

/** What a call set aside, and what it cost in the end. */
async function costs(
  asks: () => Promise<unknown>,
  at: TestGateway = gateway,
): Promise<readonly [Estimate, CallRecord]> {
  const before = at.sink.records.length;
  await asks();
  const record = await at.sink.record(before + 1);
  const estimate = at.limiter.estimates.at(-1);
  assert.ok(estimate !== undefined);
  return [estimate, record];
}

/** Both are the same amount. */
async function costsExactly(
  asks: () => Promise<unknown>,
  micros: number,
  at = gateway,
): Promise<void> {
  const [estimate, record] = await costs(asks, at);
  assert.equal(estimate.costMicros, micros, "set aside");
  assert.equal(record.costMicros, micros, "counted");
}

function images(count: number, more: object = {}): string {
  const data = Array.from({ length: count }, () => ({ b64_json: "AAAA" }));
  return JSON.stringify({ created: 1, data, ...more });
}

test("DALL·E costs what its sizes and qualities do, and its defaults where a request names none", async () => {
  for (const [model, asked, each] of [
    ["dall-e-3", {}, 40_000],
    ["dall-e-3", { size: "1024x1792" }, 80_000],
    ["dall-e-3", { quality: "hd" }, 80_000],
    ["dall-e-3", { quality: "hd", size: "1792x1024" }, 120_000],
    ["dall-e-3", { quality: "auto", size: "1024x1024" }, 80_000],
    ["dall-e-2", {}, 20_000],
    ["dall-e-2", { size: "256x256" }, 16_000],
    ["dall-e-2", { size: "512x512", quality: "standard" }, 18_000],
  ] as const) {
    gateway.router.price = priceOf("openai", model);
    const n = model === "dall-e-2" ? 3 : 1;
    stub.script = replyJson(200, images(n));
    await costsExactly(() => openai.images.generate({ model, prompt: "x", n, ...asked }), n * each);
  }
});

test("edits and variations of DALL·E 2, which are forms, cost what its images do", async () => {
  gateway.router.price = priceOf("openai", "dall-e-2");
  stub.script = replyJson(200, images(2));
  const image = await toFile(Buffer.alloc(9_000), "a.png", { type: "image/png" });
  const asked = { model: "dall-e-2", image, n: 2, size: "512x512" } as const;
  await costsExactly(() => openai.images.edit({ ...asked, prompt: "x" }), 2 * 18_000);
  await costsExactly(() => openai.images.createVariation(asked), 2 * 18_000);
});

test("a reply that shows fewer images, or of which kind they are, costs what it shows", async () => {
  gateway.router.price = priceOf("openai", "dall-e-3");
  stub.script = replyJson(200, images(1, { size: "1024x1024", quality: "standard" }));
  const asked = { model: "m", prompt: "x", n: 2, size: "auto", quality: "auto" } as const;
  const [estimate, record] = await costs(() => openai.images.generate(asked));
  assert.equal(estimate.costMicros, 2 * 120_000, "the dearest");
  assert.equal(record.costMicros, 40_000);
});

test("tokens that a reply tells are what counts where they have a price, and never both", async () => {
  const prompt = "a picture of a cat that looks at the sea";
  const asked = { model: "gpt-image-1", prompt, quality: "low", size: "1024x1024" } as const;
  const usage = {
    input_tokens: 10,
    output_tokens: 272,
    total_tokens: 282,
    input_tokens_details: { text_tokens: 10, image_tokens: 0 },
  };
  stub.script = replyJson(200, images(1, { usage }));
  const price = priceOf("openai", "gpt-image-1");
  const ofTokens = 10 * 5 + 272 * 40;
  for (const more of [{}, { perImage: 11_000 }]) {
    gateway.router.price = { ...price, ...more };
    const [estimate, record] = await costs(() => openai.images.generate(asked));
    assert.equal(record.costMicros, ofTokens);
    assert.ok(estimate.costMicros >= ofTokens);
  }
  // The largest number of tokens that OpenAI names for an image of this kind.
  gateway.router.price = priceOf("openai", "gpt-image-2");
  stub.script = replyJson(200, images(1, { usage: { ...usage, output_tokens: 7_033 } }));
  const best = { ...asked, quality: "high" } as const;
  const [before, after] = await costs(() => openai.images.generate(best));
  assert.ok(after.costMicros !== null && before.costMicros >= after.costMicros);
  // Tokens without a price, of a model that is sold by the image.
  gateway.router.price = { perImage: 11_000 };
  const [, record] = await costs(() => openai.images.generate(asked));
  assert.equal(record.costMicros, 11_000);
});

test("speech that is sold by the letter costs its letters, however many bytes they take", async () => {
  stub.script = (_received, res) => {
    res.writeHead(200, { "content-type": "audio/mpeg" });
    res.end("sound");
  };
  for (const [model, input, micros] of [
    ["tts-1", "x".repeat(1_000), 15_000],
    ["tts-1-hd", "x".repeat(1_000), 30_000],
    ["tts-1", "你好🐈", 45],
    ["tts-1", "", 0],
  ] as const) {
    gateway.router.price = priceOf("openai", model);
    const speak = async (): Promise<unknown> =>
      (await openai.audio.speech.create({ model, voice: "alloy", input })).text();
    await costsExactly(speak, micros);
  }
});

test("whisper costs the minutes of its file in every format of the answer", async () => {
  gateway.router.price = priceOf("openai", "whisper-1");
  const file = await toFile(wave(119), "a.wav");
  stub.script = replyJson(200, '{"text":"x"}');
  const json = (): Promise<unknown> =>
    openai.audio.transcriptions.create({ model: "whisper-1", file });
  await costsExactly(json, 12_000);
  stub.script = (_received, res) => {
    res.writeHead(200, { "content-type": "text/plain" });
    res.end("x");
  };
  const text = (): Promise<unknown> =>
    openai.audio.transcriptions.create({ model: "whisper-1", file, response_format: "text" });
  await costsExactly(text, 12_000);
});

async function dashScope(t: TestContext): Promise<TestGateway> {
  const baseUrl = `http://dashscope.aliyuncs.com:${String(stub.port)}/api/v1`;
  const started = await start({ baseUrl });
  t.after(() => started.close());
  return started;
}

test("wanx makes one image where none is asked for, and costs those of its task", async (t) => {
  const alibaba = await dashScope(t);
  const begun = { task_id: "0385dc79-5ff8", task_status: "PENDING" };
  for (const [n, made, micros] of [
    [undefined, 1, 25_000],
    [4, 4, 100_000],
    [4, 3, 75_000],
  ] as const) {
    alibaba.router.price = priceOf("alibaba", "wan2.2-t2i-flash");
    const results = Array.from({ length: made }, () => ({ url: "https://oss/1.png" }));
    const done = { task_id: begun.task_id, task_status: "SUCCEEDED", results };
    stub.script = inTurn(
      replyJson(200, JSON.stringify({ output: begun })),
      replyJson(200, JSON.stringify({ output: done })),
    );
    stub.received.length = 0;
    const asked = { model: "wan2.2-t2i-flash", prompt: "x", ...(n === undefined ? {} : { n }) };
    const [estimate, record] = await costs(
      () => openaiClient(alibaba).images.generate(asked),
      alibaba,
    );
    assert.equal(estimate.costMicros, (n ?? 1) * 25_000);
    assert.equal(record.costMicros, micros);
    const { parameters } = JSON.parse(String(stub.received[0]?.body)) as { parameters: object };
    assert.deepEqual(parameters, { n: n ?? 1 });
  }
});

test("Imagen costs its images, asked for in Google's words or in OpenAI's", async (t) => {
  const google = await start({
    baseUrl: `${stub.origin}/v1beta`,
    dialect: "GEMINI",
    authStyle: "X_GOOG_API_KEY",
  });
  t.after(() => google.close());
  google.router.price = priceOf("google", "imagen-4.0-ultra-generate-001");
  const made = { bytesBase64Encoded: "AAAA", mimeType: "image/png" };
  stub.script = replyJson(200, JSON.stringify({ predictions: [made, made] }));
  const predict = async (): Promise<unknown> => {
    const parameters = { sampleCount: 2, imageSize: "2K" };
    const body = { instances: [{ prompt: "x" }], parameters };
    return (await google.post("/v1beta/models/imagen-4:predict", body)).text();
  };
  await costsExactly(predict, 2 * 60_000, google);
  google.router.price = {
    images: [
      { size: "1K", quality: "", micros: 1_000 },
      { size: "2K", quality: "", micros: 3_000 },
    ],
  };
  await costsExactly(predict, 2 * 3_000, google);
  stub.script = replyJson(200, images(3));
  const asked = { model: "imagen-4", prompt: "x", n: 3 };
  await costsExactly(() => openaiClient(google).images.generate(asked), 3 * 1_000, google);
});

const amount = fc.nat(1_000_000);
const SIZES = ["256x256", "1024x1024", "auto"] as const;
const QUALITIES = ["standard", "high", "low", "auto"] as const;
const row = fc.record({
  size: fc.constantFrom("256x256", "1024x1024", ""),
  quality: fc.constantFrom("standard", "high", ""),
  micros: amount,
});
const price = fc.record(
  {
    input: amount,
    output: amount,
    perImage: amount,
    images: fc.array(row, { maxLength: 4 }),
    speechCharacters: amount,
    audioHour: amount,
  },
  { requiredKeys: [] },
);
const asked = fc.record(
  {
    n: fc.integer({ min: 1, max: 10 }),
    size: fc.constantFrom(...SIZES),
    quality: fc.constantFrom(...QUALITIES),
  },
  { requiredKeys: [] },
);

test("at any price no call of images, speech or sound costs more than was set aside for it", async () => {
  await fc.assert(
    fc.asyncProperty(price, asked, fc.boolean(), async (given, request, tells) => {
      gateway.router.price = given;
      const n = request.n ?? 1;
      // No more than an image of the least size and quality takes.
      const usage = { input_tokens: 1, output_tokens: 17 * n };
      const image = await aFile();
      const calls: readonly (() => Promise<unknown>)[] = [
        () => openai.images.generate({ model: "m", prompt: "a picture", ...request }),
        () => openai.images.edit({ model: "m", prompt: "x", image, ...request }),
        () =>
          openai.audio.speech.create({ model: "m", voice: "alloy", input: "x".repeat(n * 100) }),
        () => openai.audio.transcriptions.create({ model: "m", file: image }),
      ];
      for (const [at, asks] of calls.entries()) {
        stub.script = replyJson(200, images(n, tells && at < 2 ? { usage } : {}));
        const [estimate, { costMicros }] = await costs(asks);
        assert.ok(costMicros !== null && costMicros <= estimate.costMicros);
      }
    }),
    { numRuns: 40 },
  );
});

function aFile(): Promise<File> {
  return toFile(wave(3), "a.wav");
}
