import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type CallRecord, type Estimate, NO_TOKENS } from "../../server/core/call.js";
import { wave } from "../support/audio-files.js";
import { M4A, MP3 } from "../support/audio-samples.js";
import { replyJson, startUpstreamStub, type UpstreamStub } from "../support/upstream-stub.js";
import { startGateway, type TestGateway } from "./fixture.js";

const IMAGES = "/v1/images/generations";
const EDITS = "/v1/images/edits";
const SPEECH = "/v1/audio/speech";
const TRANSCRIPTIONS = "/v1/audio/transcriptions";
const USAGE = { input_tokens: 3, output_tokens: 4 };

let stub: UpstreamStub;
let gateway: TestGateway;

before(async () => {
  stub = await startUpstreamStub();
  stub.script = replyJson(200, JSON.stringify({ data: [], usage: USAGE }));
  gateway = await startGateway({ providers: [{ baseUrl: `${stub.origin}/v1` }] });
});

after(async () => {
  await gateway.close();
  await stub.close();
});

async function reserved(path: string, body: object | FormData): Promise<Estimate> {
  const reply = await (body instanceof FormData
    ? gateway.fetch(path, { method: "POST", body })
    : gateway.post(path, { model: "m", ...body }));
  assert.equal(reply.status, 200, await reply.text());
  const estimate = gateway.limiter.estimates.at(-1);
  assert.ok(estimate !== undefined);
  assert.ok(estimate.costMicros > 0, "at the price of its tokens");
  return estimate;
}

async function reservedOutput(path: string, body: object | FormData): Promise<number> {
  return (await reserved(path, body)).maxOutputTokens;
}

function form(fields: Record<string, string>, ...files: readonly Uint8Array[]): FormData {
  const data = new FormData();
  data.set("model", "m");
  for (const [name, value] of Object.entries(fields)) data.set(name, value);
  for (const file of files) data.append("file[]", new Blob([file]), "f.bin");
  return data;
}

test("images reserve the tokens of their number, size and quality, of the largest and best where none is said", async () => {
  for (const [asked, output] of [
    [{ quality: "low", size: "1024x1024" }, 272],
    [{ quality: "low", size: "1024x1536", n: 3 }, 3 * 408],
    [{ quality: "medium", size: "1536x1024" }, 1770],
    [{ quality: "high", size: "1024x1024", n: 2 }, 14_080],
    [{}, 7040],
    [{ quality: "auto", size: "auto", n: null }, 7040],
    [{ quality: "constructor", size: "1024x", n: "2" }, 7040],
    [{ quality: "low", size: "1024x1024", n: -5 }, 272],
    [{ quality: "low", size: "1024x1024", n: 1e300 }, 272_000],
    [{ quality: "low", size: "99999x99999" }, 16 * 272],
    [{ quality: "high", size: "2048x2048" }, 4 * 4160],
    [{ quality: "low", size: "1024x1024", stream: true, partial_images: 3 }, 572],
  ] as const) {
    assert.equal(await reservedOutput(IMAGES, asked), output, JSON.stringify(asked));
  }
  const { parts } = await reserved(IMAGES, { quality: "low", size: "1024x1024" });
  assert.equal(parts?.imageOutput, 272, "at the price of images");
});

test("images that are sent along or named reserve what they are as input, in a form too", async () => {
  const png = new Uint8Array(50_000);
  const one = await reserved(EDITS, form({ prompt: "x", quality: "low", n: "2" }, png));
  assert.equal(one.maxOutputTokens, 2 * 408);
  const two = await reserved(EDITS, form({ prompt: "x" }, png, png));
  assert.ok(one.inputTokens >= 7_000 && one.inputTokens < 8_000);
  assert.ok(two.inputTokens >= 14_000 && two.inputTokens < 15_000);
  const images = [{ file_id: "file-1" }, { image_url: "data:image/png;base64,AA" }];
  assert.ok((await reserved(EDITS, { images, prompt: "x" })).inputTokens >= 14_000);
});

test("speech reserves by the text that is spoken", async () => {
  const short = await reserved(SPEECH, { input: "x".repeat(100) });
  const long = await reserved(SPEECH, { input: "x".repeat(4000) });
  assert.equal(long.maxOutputTokens - short.maxOutputTokens, 3900 * 1.5);
  assert.equal(long.parts?.audioOutput, long.maxOutputTokens);
  const written = await gateway.fetch(SPEECH, {
    method: "POST",
    body: '{"model":"m","input":"\\u4f60\\u597d"}',
  });
  await written.text();
  assert.equal(gateway.limiter.estimates.at(-1)?.maxOutputTokens, 9, "however it is written");
});

test("a text that nobody would speak is not read, and reserves no less for it", async () => {
  const input = String.raw`\u00e9`.repeat(200_000);
  const answer = await gateway.fetch(SPEECH, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: `{"model":"m","input":"${input}"}`,
  });
  await answer.text();
  const { parts } = gateway.limiter.estimates.at(-1) ?? {};
  assert.equal(parts?.characters, input.length + 2);
});

test("a transcription reserves by the seconds that its file may last, as its format says", async () => {
  const wav = wave(10);
  const lying = Buffer.from(wav);
  lying.writeUInt32LE(0xffffffff, 28);
  const mp3 = Buffer.alloc(320_000);
  mp3.write("ID3");
  for (const [file, seconds] of [
    [wav, 11],
    [lying, 11],
    [MP3, 2],
    [M4A, 2],
    [mp3, 80],
    [Buffer.concat([Buffer.from([0xff, 0xfb]), mp3.subarray(2)]), 80],
    [Buffer.alloc(320_000), 160],
    [Buffer.concat([wav.subarray(0, 20), Buffer.alloc(31_980)]), 16],
    [Buffer.from("RIFF"), 1],
  ] as const) {
    const { parts, inputTokens } = await reserved(TRANSCRIPTIONS, form({}, file));
    assert.equal(parts?.audioSeconds, seconds);
    assert.equal(inputTokens, seconds * 17);
  }
});

test("a WAV file that ends in its head reserves by its bytes", async () => {
  const part = (said: string, value: string): string =>
    `--b\r\nContent-Disposition: form-data; ${said}\r\n\r\n${value}\r\n`;
  const file = part('name="file"; filename="f"', "RIFF\0\0\0\0WAVEfmt ");
  const reply = await gateway.fetch(TRANSCRIPTIONS, {
    method: "POST",
    headers: { "content-type": "multipart/form-data; boundary=b" },
    body: `${part('name="model"', "m")}${file}--b--`,
  });
  assert.equal(reply.status, 200, await reply.text());
  assert.equal(gateway.limiter.estimates.at(-1)?.parts?.audioSeconds, 1);
});

test("a call that is broken off counts what its images may cost, where that is what is wanted", async (t) => {
  const silent = await startUpstreamStub(() => undefined);
  const strict = await startGateway({
    providers: [{ baseUrl: `${silent.origin}/v1` }],
    abortedCalls: () => "RESERVED",
  });
  t.after(async () => {
    await strict.close();
    await silent.close();
  });
  const leaving = new AbortController();
  const body = JSON.stringify({ model: "m", quality: "low", size: "1024x1024" });
  const asked = strict.fetch(IMAGES, { method: "POST", body, signal: leaving.signal });
  await silent.requests(1);
  leaving.abort();
  await assert.rejects(asked);
  const { tokens, usageSource } = await strict.sink.record();
  assert.equal(usageSource, "ESTIMATED");
  assert.equal(tokens.output, 272);
  assert.equal(tokens.parts?.imageOutput, 272);
});

test("speech that is asked for as events is a stream: shown, counted and ended as one", async () => {
  const delta = `event: speech.audio.delta\ndata: {"type":"speech.audio.delta","audio":"AAAA"}\n\n`;
  const done = `event: speech.audio.done\ndata: {"type":"speech.audio.done","usage":{"input_tokens":14,"output_tokens":101,"total_tokens":115}}\n\n`;
  const played = stub.script;
  for (const [said, status, output] of [
    [delta + delta + done, "SUCCESS", 101],
    // Cut off: what was set aside, for the provider may have made all of it.
    [delta + delta, "ERROR", 2],
  ] as const) {
    stub.script = (_received, res) => {
      res.writeHead(200, { "content-type": "text/event-stream" });
      res.end(said);
    };
    const before = gateway.sink.records.length;
    const body = { model: "m", input: "x", stream_format: "sse" };
    const text = await (await gateway.post(SPEECH, body)).text();
    assert.ok(text.startsWith(delta + delta));
    const record = await gateway.sink.record(before + 1);
    assert.equal(record.streamed, true);
    assert.equal(record.status, status);
    assert.equal(record.tokens.output, output);
  }
  stub.script = (_received, res) => {
    res.writeHead(200, { "content-type": "audio/mpeg" });
    res.end("sound");
  };
  const before = gateway.sink.records.length;
  for (const format of ["sse", "audio"]) {
    const reply = await gateway.post(SPEECH, { model: "m", input: "x", stream_format: format });
    assert.equal(await reply.text(), "sound", "a provider that knows no events");
  }
  assert.equal((await gateway.sink.record(before + 2)).streamed, false);
  stub.script = played;
});

/** One call for each reply, and what came of it. */
async function settled(
  path: string,
  body: object | FormData,
  reply: { readonly body: string | Buffer; readonly type?: string },
): Promise<CallRecord> {
  const { length } = gateway.sink.records;
  stub.script = (_received, res) => {
    res.writeHead(200, { "content-type": reply.type ?? "application/json" });
    res.end(reply.body);
  };
  const asked = await (body instanceof FormData
    ? gateway.fetch(path, { method: "POST", body })
    : gateway.post(path, { model: "m", ...body }));
  assert.equal(await asked.text(), reply.body.toString());
  return gateway.sink.record(length + 1);
}

test("a transcription of which nothing is told lasts as its reply shows, else as its files do, as an estimate", async () => {
  gateway.router.price = { audioHour: 360_000 };
  const vtt = "WEBVTT\n\n00:00.000 --> 01:12.500\nHello.\n";
  const srt = "1\n00:00:00,000 --> 01:00:01,500\n--> 00:00:01,000\n\n";
  const verbose = JSON.stringify({ task: "transcribe", duration: 12.3, text: "x", segments: [] });
  const quoted = JSON.stringify({ duration: "12.3", text: "x" });
  const junk = Buffer.alloc(9_000, 1);
  const text = "text/plain; charset=utf-8";
  try {
    for (const [body, type, files, audioSeconds] of [
      ["Hello.", text, [wave(60)], 61],
      ["Hello.", text, [wave(2), wave(1)], 4],
      ["Hello.", text, [MP3], 2],
      ['{"text":"Hello."}', "application/json", [wave(9)], 10],
      ["Hello.", text, [junk], 5],
      ["Hello.", text, [wave(2), junk], 7],
      [vtt, "text/vtt", [wave(2)], 73],
      [srt, "application/x-subrip", [wave(2)], 3_602],
      [vtt, "text/vtt", [wave(100)], 101],
      // A text that nobody says in so short a time.
      ["x".repeat(6_000), text, [wave(2)], 100],
      [verbose, "application/json", [wave(60)], 13],
      [quoted, "application/json", [wave(60)], 13],
      ['{"duration":-1,"text":"x"}', "application/json", [wave(3)], 4],
      ["x".repeat(150), text, [], 10],
    ] as const) {
      const { tokens, usageSource, costMicros } = await settled(
        TRANSCRIPTIONS,
        form({ response_format: "vtt" }, ...files),
        { body, type },
      );
      assert.deepEqual(tokens, { ...NO_TOKENS, parts: { audioSeconds } }, body.slice(0, 80));
      assert.equal(usageSource, "ESTIMATED");
      assert.notEqual(costMicros, null);
    }
    const told = JSON.stringify({ text: "Hello.", usage: { type: "duration", seconds: 3 } });
    const { tokens, usageSource } = await settled(TRANSCRIPTIONS, form({}, wave(60)), {
      body: told,
    });
    assert.deepEqual(tokens.parts, { audioSeconds: 3 });
    assert.equal(usageSource, "PROVIDER");
    // Tokens are told of a model that is paid by the hour.
    const inTokens = JSON.stringify({ text: "Hello.", usage: USAGE });
    const record = await settled(TRANSCRIPTIONS, form({}, wave(60)), { body: inTokens });
    assert.deepEqual([record.tokens.input, record.tokens.parts], [3, { audioSeconds: 61 }]);
  } finally {
    gateway.router.price = null;
  }
  const { tokens } = await settled(TRANSCRIPTIONS, form({}, wave(10)), { body: "x", type: text });
  assert.deepEqual([tokens.input, tokens.output], [11 * 17, 11 * 6], "in tokens");
});

test("images of which nothing is told cost their number, that of the reply where it shows one", async () => {
  const image = { b64_json: "AAAA" };
  const reply = (count: number): { body: string } => {
    return {
      body: JSON.stringify({ created: 1, data: Array.from({ length: count }, () => image) }),
    };
  };
  const asked = { prompt: "x", n: 4, quality: "low", size: "1024x1024" };
  const kind = { imageSize: "1024x1024", imageQuality: "low" };
  gateway.router.price = { perImage: 40_000 };
  try {
    for (const [made, images] of [
      [reply(4), 4],
      [reply(1), 1],
      [reply(0), 0],
      [{ body: '{"created":1}' }, 4],
      [{ body: "PNG", type: "image/png" }, 4],
    ] as const) {
      const { tokens, usageSource } = await settled(IMAGES, asked, made);
      assert.deepEqual(tokens, { ...NO_TOKENS, parts: { images, ...kind } }, made.body);
      assert.equal(usageSource, "ESTIMATED");
    }
    const told = { body: JSON.stringify({ data: [image, image], usage: USAGE }) };
    const { tokens, usageSource } = await settled(IMAGES, asked, told);
    assert.deepEqual([tokens.input, tokens.output, tokens.parts], [3, 4, { images: 2, ...kind }]);
    assert.equal(usageSource, "PROVIDER");
  } finally {
    gateway.router.price = null;
  }
  const { tokens } = await settled(IMAGES, asked, reply(2));
  assert.deepEqual([tokens.output, tokens.parts?.imageOutput], [2 * 272, 2 * 272], "in tokens");
});

test("speech of which nothing is told costs what its text may take", async () => {
  const body = Buffer.from("sound");
  const { tokens, usageSource } = await settled(
    SPEECH,
    { input: "x".repeat(100) },
    { body, type: "audio/mpeg" },
  );
  assert.equal(tokens.output, 150);
  assert.equal(tokens.parts?.audioOutput, 150);
  assert.ok(tokens.input > 25);
  assert.equal(usageSource, "ESTIMATED");
});

test("Imagen costs the images that it made; what else is predicted is not guessed", async (t) => {
  const google = await startGateway({
    providers: [
      { baseUrl: `${stub.origin}/v1beta`, dialect: "GEMINI", authStyle: "X_GOOG_API_KEY" },
    ],
  });
  t.after(() => google.close());
  google.router.price = { perImage: 40_000 };
  const predictions = [{ bytesBase64Encoded: "AAAA" }, { bytesBase64Encoded: "AAAA" }];
  const prompt = { prompt: "x" };
  for (const [asked, made, reserved, images] of [
    [{ instances: [prompt], parameters: { sampleCount: 2 } }, predictions, 2, 2],
    [{ instances: [prompt, prompt], parameters: { sampleCount: 3 } }, predictions, 6, 2],
    [{ instances: [prompt] }, predictions, 4, 2],
    [{ instances: [prompt], parameters: { sampleCount: 1e300 } }, undefined, 1_000, 1_000],
    [{ instances: [{ content: "embed" }] }, [{ embeddings: {} }], undefined, undefined],
  ] as const) {
    stub.script = replyJson(200, JSON.stringify({ predictions: made }));
    const { length } = google.sink.records;
    const reply = await google.post("/v1beta/models/imagen-4:predict", asked);
    assert.equal(reply.status, 200, await reply.text());
    assert.equal(google.limiter.estimates.at(-1)?.parts?.images, reserved);
    const { tokens, usageSource, costMicros } = await google.sink.record(length + 1);
    assert.deepEqual(tokens.parts, images === undefined ? undefined : { images });
    assert.equal(usageSource, images === undefined ? "NONE" : "ESTIMATED");
    assert.equal(costMicros === null, images === undefined);
  }
});
