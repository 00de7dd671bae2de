import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Estimate } from "../../server/core/call.js";
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
    [{ quality: "medium", size: "1536x1024" }, 1584],
    [{ quality: "high", size: "1024x1024", n: 2 }, 8320],
    [{}, 6240],
    [{ quality: "auto", size: "auto", n: null }, 6240],
    [{ quality: "constructor", size: "1024x", n: "2" }, 6240],
    [{ quality: "low", size: "1024x1024", n: -5 }, 272],
    [{ quality: "low", size: "1024x1024", n: 1e300 }, 272_000],
    [{ quality: "low", size: "99999x99999" }, 16 * 272],
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
  assert.equal(long.maxOutputTokens - short.maxOutputTokens, 3900 * 2);
  assert.equal(long.parts?.audioOutput, long.maxOutputTokens);
});

test("a transcription reserves by the seconds that its file may last, as its format says", async () => {
  const wav = Buffer.alloc(320_044);
  wav.write("RIFF\0\0\0\0WAVEfmt ", "latin1");
  wav.writeUInt32LE(32_000, 28);
  const mp3 = Buffer.alloc(320_000);
  mp3.write("ID3");
  for (const [file, seconds] of [
    [wav, 11],
    [mp3, 80],
    [Buffer.concat([Buffer.from([0xff, 0xfb]), mp3.subarray(2)]), 80],
    [Buffer.alloc(320_000), 160],
    [Buffer.concat([wav.subarray(0, 28), Buffer.alloc(32_000)]), 17],
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
    [delta + delta, "ERROR", 0],
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

test("a transcription of which nothing is told costs the seconds that its WAV file tells, as an estimate", async () => {
  gateway.router.price = { audioHour: 360_000 };
  const wave = (seconds: number): Uint8Array => {
    const file = Buffer.alloc(32_000 * seconds);
    file.write("RIFF");
    file.write("WAVEfmt ", 8);
    file.writeUInt32LE(32_000, 28);
    return file;
  };
  const untold = "00:00 --> 00:60\nHello.\n";
  const told = JSON.stringify({ text: "Hello.", usage: { type: "duration", seconds: 3 } });
  const calls = gateway.sink.records.length;
  try {
    for (const [at, [body, type, files, parts, usageSource, isPriced]] of (
      [
        [untold, "text/vtt", [wave(60)], { audioSeconds: 60 }, "ESTIMATED", true],
        ["Hello.", "text/plain", [wave(2), wave(1)], { audioSeconds: 3 }, "ESTIMATED", true],
        [
          '{"text":"Hello."}',
          "application/json",
          [wave(9)],
          { audioSeconds: 9 },
          "ESTIMATED",
          true,
        ],
        [told, "application/json", [wave(60)], { audioSeconds: 3 }, "PROVIDER", true],
        ["Hello.", "text/plain", [Buffer.alloc(9_000, 1)], undefined, "NONE", false],
        ["Hello.", "text/plain", [wave(2), Buffer.alloc(9_000, 1)], undefined, "NONE", false],
      ] as const
    ).entries()) {
      stub.script = replyJson(200, body, { "content-type": type });
      const sent = form({ response_format: "vtt" }, ...files);
      const reply = await gateway.fetch(TRANSCRIPTIONS, { method: "POST", body: sent });
      assert.equal(await reply.text(), body);
      const record = await gateway.sink.record(calls + at + 1);
      assert.deepEqual(record.tokens.parts, parts, body);
      assert.equal(record.usageSource, usageSource);
      assert.equal(record.costMicros !== null, isPriced);
    }
    gateway.router.price = null;
    const reply = await gateway.fetch(TRANSCRIPTIONS, {
      method: "POST",
      body: form({}, wave(60)),
    });
    await reply.text();
    assert.equal((await gateway.sink.record(calls + 7)).costMicros, null);
  } finally {
    gateway.router.price = null;
  }
});
