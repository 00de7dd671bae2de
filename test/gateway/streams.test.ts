import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import * as fc from "fast-check";
import { FakeClock, settle, settleWhile } from "../support/fake-clock.js";
import { advanceUntil, CLIENT_KEY, type Setup, startGateway, type TestGateway } from "./fixture.js";
import {
  CHAT_REPLY,
  chatEvents,
  messageEvents,
  replyCut,
  replyEvents,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";

let stub: UpstreamStub;
let openai: TestGateway;
let anthropic: TestGateway;
let gemini: TestGateway;
const others: TestGateway[] = [];

before(async () => {
  stub = await startUpstreamStub();
  openai = await startGateway({ providers: [{ baseUrl: stub.origin }] });
  anthropic = await startGateway({ providers: [{ baseUrl: stub.origin, dialect: "ANTHROPIC" }] });
  gemini = await startGateway({ providers: [{ baseUrl: stub.origin, dialect: "GEMINI" }] });
});

after(async () => {
  for (const gateway of [openai, anthropic, gemini, ...others]) await gateway.close();
  await stub.close();
});

beforeEach(() => {
  for (const gateway of [openai, anthropic, gemini]) {
    gateway.sink.records.length = 0;
    gateway.pool.releases.length = 0;
  }
});

async function extra(setup: Setup = {}): Promise<TestGateway> {
  const gateway = await startGateway({ providers: [{ baseUrl: stub.origin }], ...setup });
  others.push(gateway);
  return gateway;
}

const ASKED = { model: "m", stream: true, stream_options: { include_usage: true } };

async function openaiStream(gateway = openai, body: object = ASKED): Promise<string> {
  const response = await gateway.post("/v1/chat/completions", body);
  return text(response);
}

async function text(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let all = "";
  try {
    for await (const chunk of response.body ?? []) all += decoder.decode(chunk, { stream: true });
  } catch {
    all += "<broken>";
  }
  return all;
}

test("a stream that is reset ends with an error that SDKs raise, and never as if finished", async () => {
  for (const count of [1, 2, 3]) {
    stub.script = replyCut(chatEvents(["a", "b", "c"]).slice(0, count));
    const got = await openaiStream();
    assert.ok(got.startsWith(chatEvents(["a", "b", "c"]).slice(0, count).join("")));
    assert.match(got, /\n\ndata: \{"error":\{.*"code":"stream_cut"/);
    assert.doesNotMatch(got, /\[DONE\]/);
  }
  const record = openai.sink.records.at(-1);
  assert.equal(record?.status, "ERROR");
  assert.equal(record?.httpStatus, 200, "as the caller saw it");
  assert.equal(record?.errorCode, "stream_cut");
  assert.equal(record?.usageSource, "PARTIAL");
  assert.ok((record?.tokens.output ?? 0) > 0);
  assert.equal(openai.pool.outcomes.at(-1), "CUT");
});

test("a record says how long the first byte of an answer took, and how long all of it", async () => {
  const clock = new FakeClock();
  const gateway = await extra({ clock });
  const [first, ...others] = chatEvents(["a"]);
  let finish: () => void = () => undefined;
  stub.script = (_received, res) => {
    clock.advance(30);
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(first);
    finish = () => res.end(others.join(""));
  };
  const response = await gateway.post("/v1/chat/completions", ASKED);
  clock.advance(500);
  finish();
  await response.text();
  stub.script = (received, res) => {
    clock.advance(70);
    return replyJson(200, CHAT_REPLY)(received, res);
  };
  await (await gateway.post("/v1/chat/completions", { model: "m" })).text();
  assert.deepEqual(
    gateway.sink.records.map(({ ttfbMs, latencyMs }) => [ttfbMs, latencyMs]),
    [
      [30, 530],
      [70, 70],
    ],
  );
});

test("a stream that is cut, or tells no usage, is counted by what was said and not by its framing", async () => {
  const words = Array.from({ length: 20 }, () => "twelve bytes");
  const whole = chatEvents(words);
  for (const script of [replyCut(whole.slice(0, 20)), replyEvents(whole)]) {
    stub.script = script;
    await openaiStream();
    const output = openai.sink.records.at(-1)?.tokens.output ?? 0;
    assert.ok(output >= 40 && output <= 80, String(output));
  }
});

test("a reset in the middle of an event never leaves half an event before the error", async () => {
  const [first = "", second = ""] = messageEvents(["a"]);
  stub.script = replyCut([first, second.slice(0, 30)]);
  const response = await anthropic.post("/v1/messages", { model: "m", stream: true });
  const got = await text(response);
  assert.ok(got.startsWith(`${first}event: error\ndata: {"type":"error"`), got);
  assert.doesNotMatch(got, /message_stop/);
  assert.equal(anthropic.sink.records[0]?.tokens.cacheRead, 100);
  assert.equal(anthropic.sink.records[0]?.usageSource, "PARTIAL");
});

test("a Gemini stream that is reset says so in its dialect; an array is broken off", async () => {
  const event = 'data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}]}\r\n\r\n';
  stub.script = replyCut([event]);
  const sse = await text(await gemini.post("/v1beta/models/m:streamGenerateContent?alt=sse", {}));
  const [, error, leftOver] =
    /\r\n\r\ndata: (\{"error":\{"code":502,.*\})\n\n(.*)$/s.exec(sse) ?? [];
  assert.ok(error, sse);
  assert.equal(leftOver, error, "older SDKs of Google raise only what belongs to no event");
  stub.script = replyCut(['[{"candidates":[]}\n'], { "content-type": "application/json" });
  const array = await text(await gemini.post("/v1beta/models/m:streamGenerateContent", {}));
  assert.equal(array, '[{"candidates":[]}\n<broken>');
});

test("an error that Google puts behind its events goes on as it is, and is the provider's own word", async () => {
  const event = 'data: {"candidates":[{"content":{"parts":[{"text":"a"}]}}]}\r\n\r\n';
  const error = { code: 429, message: "Resource exhausted.", status: "RESOURCE_EXHAUSTED" };
  const told = `${event}${JSON.stringify({ error }, null, 2)}\n`;
  stub.script = replyEvents([told.slice(0, event.length + 20), told.slice(event.length + 20)]);
  const path = "/v1beta/models/m:streamGenerateContent?alt=sse";
  assert.equal(await text(await gemini.post(path, {})), told);
  assert.equal(gemini.sink.records[0]?.errorCode, "upstream_error");
  assert.equal(gemini.pool.outcomes.at(-1), "RATE_LIMITED");
  const translated = await text(await gemini.post("/v1/messages", { ...ASKED, messages: [] }));
  assert.match(translated, /event: error\ndata: .*Resource exhausted\./);
});

test("a stream that ends cleanly but too early is not passed for a finished one", async () => {
  stub.script = replyEvents(chatEvents(["a", "b"]).slice(0, 2));
  assert.match(await openaiStream(), /stream_cut/);
  stub.script = replyEvents(messageEvents(["a"]).slice(0, 4));
  const got = await text(await anthropic.post("/v1/messages", { model: "m", stream: true }));
  assert.match(got, /event: error\n/);
  assert.equal(openai.pool.outcomes.at(-1), "CUT");
});

test("a stream without its last event is complete where the reply said why it stopped", async () => {
  const events = chatEvents(["a"]).slice(0, -1);
  stub.script = replyEvents(events);
  assert.equal(await openaiStream(), events.join(""));
  assert.equal(openai.sink.records[0]?.status, "SUCCESS");
});

test("an error that the provider itself says in its stream is passed on as it is", async () => {
  const events = [
    ...chatEvents(["a"]).slice(0, 1),
    'data: {"error":{"message":"tool use failed"}}\n\n',
  ];
  stub.script = replyEvents(events);
  assert.equal(await openaiStream(), events.join(""));
  assert.equal(openai.sink.records[0]?.status, "ERROR");
  assert.equal(openai.sink.records[0]?.errorCode, "upstream_error");
  assert.equal(openai.pool.outcomes.at(-1), "PROVIDER_ERROR");
});

test("the call is on record before its last event leaves", async () => {
  const events = chatEvents(["a"], true);
  const gateway = await extra();
  let recordedBefore = -1;
  stub.script = async (_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    for (const event of events) {
      res.write(event);
      await settle();
    }
    // The stream stays open after its last event: the record must be there all the same.
    await gateway.sink.record(1);
    recordedBefore = gateway.sink.records.length;
    res.end();
  };
  assert.equal(await openaiStream(gateway), events.join(""));
  assert.equal(recordedBefore, 1);
  assert.equal(gateway.sink.records[0]?.responseBytes, Buffer.byteLength(events.join("")));
});

test("the last byte of a reply whose length the head says waits for the record", async () => {
  const gateway = await extra();
  let safe = (): void => undefined;
  gateway.sink.safe = new Promise((resolve) => {
    safe = resolve;
  });
  const audio = Buffer.alloc(100_000, 7);
  stub.script = async (_received, res) => {
    res.writeHead(200, { "content-type": "audio/mpeg", "content-length": String(audio.length) });
    res.write(audio.subarray(1));
    await settle();
    res.end(audio.subarray(0, 1));
  };
  const speech = await gateway.post("/v1/audio/speech", { model: "tts-1", input: "x" });
  let bytes = 0;
  const read = (async () => {
    for await (const piece of speech.body ?? []) bytes += (piece as Uint8Array).length;
  })();
  await gateway.sink.record();
  for (let i = 0; i < 20; i++) await settle();
  assert.ok(bytes < audio.length, "all of it came before it was safe");
  safe();
  await read;
  assert.equal(bytes, audio.length);
  assert.equal(gateway.sink.records[0]?.responseBytes, audio.length);
});

test("any bytes a provider streams reach the caller unchanged, however they are cut", async () => {
  const last = 'data: {"choices":[{"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n';
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.string({ unit: "binary", maxLength: 40 }), { maxLength: 8 }),
      fc.array(fc.nat(), { maxLength: 12 }),
      async (lines, cuts) => {
        const whole = Buffer.from(`: start\n\n${lines.join("\r\n\r\ndata: ")}\n\n${last}`);
        const places = [...new Set(cuts.map((cut) => cut % whole.length))].toSorted(
          (a, b) => a - b,
        );
        const pieces = [0, ...places].map((from, at) =>
          whole.subarray(from, places[at] ?? whole.length),
        );
        stub.script = replyEvents(pieces);
        const response = await openai.post("/v1/chat/completions", ASKED);
        assert.deepEqual(Buffer.from(await response.arrayBuffer()), whole);
      },
    ),
    { numRuns: 40 },
  );
});

test("any bytes a caller sends reach the provider unchanged, and any whole reply the caller", async () => {
  stub.script = replyJson(200, CHAT_REPLY);
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(
        // What is read of a request is refused in other letters, so "N" is.
        fc.string().filter((key) => !["model", "stream", "n"].includes(key.toLowerCase())),
        fc.jsonValue({ maxDepth: 4 }),
      ),
      fc.integer({ min: 0, max: 3 }),
      fc.uint8Array({ maxLength: 300, size: "max" }),
      async (members, indent, noise) => {
        const body = Buffer.from(JSON.stringify({ ...members, model: "m" }, null, indent));
        const reply = Buffer.concat([Buffer.from('{"x":"'), noise, Buffer.from('"}')]);
        stub.script = (_received, res) => {
          res.writeHead(200, { "content-type": "application/json" });
          res.end(reply);
        };
        stub.received.length = 0;
        const response = await openai.post("/v1/chat/completions", body.toString());
        assert.deepEqual(stub.received[0]?.body, body);
        assert.deepEqual(Buffer.from(await response.arrayBuffer()), reply);
      },
    ),
    { numRuns: 60 },
  );
});

test("media and large replies are streamed as they come", async () => {
  const audio = Buffer.alloc(300_000, 7);
  stub.script = (_received, res) => {
    res.writeHead(200, { "content-type": "audio/mpeg" });
    res.end(audio);
  };
  const speech = await openai.post("/v1/audio/speech", { model: "tts-1", input: "x" });
  assert.equal(speech.headers.get("content-type"), "audio/mpeg");
  assert.deepEqual(Buffer.from(await speech.arrayBuffer()), audio);
  const large = JSON.stringify({
    data: "x".repeat(6_000_000),
    usage: { prompt_tokens: 3, total_tokens: 3 },
  });
  for (const headers of [
    { "content-length": String(large.length) },
    { "transfer-encoding": "chunked" },
  ]) {
    stub.script = (_received, res) => {
      res.writeHead(200, { "content-type": "application/json", ...headers });
      res.end(large);
    };
    const response = await openai.post("/v1/embeddings", { model: "e", input: "x" });
    assert.equal(await response.text(), large);
    assert.equal(openai.sink.records.at(-1)?.tokens.input, 3);
    assert.equal(openai.sink.records.at(-1)?.status, "SUCCESS");
  }
});

test("a JSON reply that is not called one is a reply all the same", async () => {
  stub.script = replyJson(200, CHAT_REPLY, { "content-type": "text/plain" });
  const response = await openai.post("/v1/chat/completions", { model: "m" });
  assert.equal(await response.text(), CHAT_REPLY);
  assert.equal(openai.sink.records[0]?.usageSource, "PROVIDER");
});

test("a JSON reply with a byte order mark is read and goes on without it", async () => {
  stub.script = replyJson(200, `\ufeff${CHAT_REPLY}`);
  const response = await openai.post("/v1/chat/completions", { model: "m" });
  assert.deepEqual(Buffer.from(await response.arrayBuffer()).toString("utf8"), CHAT_REPLY);
  assert.equal(openai.sink.records.at(-1)?.tokens.input, 11);
  const refusal = '{"error":{"message":"bad"}}';
  stub.script = replyJson(400, `\ufeff${refusal}`);
  const refused = await openai.post("/v1/chat/completions", { model: "m" });
  assert.equal(await refused.text(), refusal);
});

test("a reply without usage is estimated and says so; one that costs no tokens is not", async () => {
  const choices = [{ index: 0, message: { role: "assistant", content: "sixteen letters." } }];
  stub.script = replyJson(200, JSON.stringify({ id: "chatcmpl-1", model: "m", choices }));
  const asked = { model: "m", messages: [{ role: "user", content: "hello" }] };
  await openai.post("/v1/chat/completions", asked);
  assert.equal(openai.sink.records[0]?.usageSource, "ESTIMATED");
  assert.ok((openai.sink.records[0]?.tokens.input ?? 0) > 0);
  assert.equal(openai.sink.records[0]?.tokens.output, 4, "of what was said, not of its framing");
  await openai.post("/v1/moderations", { input: "x" });
  assert.equal(openai.sink.records[1]?.usageSource, "NONE");
  assert.equal(openai.sink.records[1]?.modelAsked, "omni-moderation-latest");
});

test("where a reply does not say what it made, it costs what was set aside; a refusal costs nothing", async () => {
  const speech = { model: "gpt-4o-mini-tts", input: "x" };
  stub.script = (_received, res) => {
    res.writeHead(200, { "content-type": "audio/mpeg" });
    res.end("sound");
  };
  await openai.post("/v1/audio/speech", speech).then((reply) => reply.text());
  stub.script = replyJson(400, '{"error":{"message":"no"}}');
  await openai.post("/v1/audio/speech", speech).then((reply) => reply.text());
  stub.script = replyJson(200, '{"data":[],"usage":{"input_tokens":3,"output_tokens":4}}');
  await openai
    .post("/v1/images/generations", { model: "gpt-image-1" })
    .then((reply) => reply.text());
  assert.deepEqual(
    openai.sink.records.map(({ costMicros }) => costMicros),
    [14, 0, 11],
  );
});

test("replies that come compressed all the same are unpacked, streamed or whole", async () => {
  const events = chatEvents(["a", "b"], true).join("");
  for (const [encoding, pack] of [
    ["gzip", gzipSync],
    ["br", brotliCompressSync],
    ["deflate", deflateSync],
  ] as const) {
    const headers = { "content-encoding": encoding };
    stub.script = (_received, res) => {
      res.writeHead(200, { "content-type": "text/event-stream", ...headers });
      res.end(pack(events));
    };
    assert.equal(await openaiStream(), events);
    const packed = pack(CHAT_REPLY);
    stub.script = (_received, res) => {
      res.writeHead(200, {
        "content-type": "application/json",
        "content-length": String(packed.length),
        ...headers,
      });
      res.end(packed);
    };
    const response = await openai.post("/v1/chat/completions", { model: "m" });
    assert.equal(response.headers.get("content-encoding"), null);
    assert.equal(await response.text(), CHAT_REPLY);
    assert.equal(openai.sink.records.at(-1)?.tokens.input, 11);
  }
});

test("a compressed reply that is cut is not passed for a whole one, although its framing is whole", async () => {
  const audio = Buffer.from(Array.from({ length: 50_000 }, (_, at) => (at * 7) % 251));
  for (const [encoding, pack] of [
    ["gzip", gzipSync],
    ["br", brotliCompressSync],
    ["deflate", deflateSync],
  ] as const) {
    const cut = pack(audio).subarray(0, -5);
    stub.script = (_received, res) => {
      res.writeHead(200, { "content-type": "audio/mpeg", "content-encoding": encoding });
      res.end(cut);
    };
    const said = { model: "tts-1", input: "x", voice: "alloy" };
    await assert.rejects(
      openai.post("/v1/audio/speech", said).then((response) => response.arrayBuffer()),
      TypeError,
      encoding,
    );
    assert.equal(openai.sink.records.at(-1)?.errorCode, "stream_cut");
  }
});

test("a decompression bomb, or an encoding nobody asked for, is refused", async () => {
  const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024, 0x20));
  for (const [encoding, packed] of [
    ["gzip", bomb],
    ["gzip", Buffer.from("no gzip at all")],
    ["zstd", Buffer.from("x")],
  ] as const) {
    stub.script = (_received, res) => {
      res.writeHead(200, { "content-type": "application/json", "content-encoding": encoding });
      res.end(packed);
    };
    assert.equal((await openai.post("/v1/chat/completions", { model: "m" })).status, 502);
  }
});

test("an error reply that comes compressed is read and redacted", async () => {
  stub.script = (_received, res) => {
    res.writeHead(400, { "content-type": "application/json", "content-encoding": "gzip" });
    res.end(gzipSync('{"error":{"message":"bad sk-upstream-0000000000000000000000"}}'));
  };
  const response = await openai.post("/v1/chat/completions", { model: "m" });
  assert.equal(response.status, 400);
  assert.equal(await response.text(), '{"error":{"message":"bad [redacted]"}}');
});

test("the head of a stream goes out after a moment although its first event is late", async () => {
  const clock = new FakeClock();
  const gateway = await extra({ clock });
  const events = chatEvents(["a"]).join("");
  let finish: () => void = () => undefined;
  stub.script = (_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.flushHeaders();
    finish = () => res.end(events);
  };
  stub.received.length = 0;
  const pending = gateway.post("/v1/chat/completions", ASKED);
  const response = await advanceUntil(clock, pending);
  assert.equal(response.status, 200);
  finish();
  assert.equal(await text(response), events);
});

for (const [name, script, code, ms] of [
  ["whose head never comes", "silent", 504, 130_000],
  ["which falls silent", "stalled", 200, 310_000],
] as const) {
  test(`a provider ${name} is given up in time`, async () => {
    const clock = new FakeClock();
    const gateway = await extra({ clock, secrets: ["sk-one-000000000000000000000"] });
    const before = stub.received.length;
    stub.script = (_received, res) => {
      if (script === "silent") return;
      res.writeHead(200, { "content-type": "text/event-stream" });
      res.write(chatEvents(["a"])[0]);
    };
    const pending = gateway.post("/v1/chat/completions", ASKED);
    await settleWhile(() => stub.received.length === before);
    if (script === "stalled") {
      const response = await pending;
      const reading = text(response);
      await settle();
      clock.advance(ms);
      assert.match(await reading, /"code":"upstream_timeout"/);
    } else {
      clock.advance(ms);
    }
    assert.equal((await pending).status, code);
    assert.equal((await gateway.sink.record(1)).errorCode, "upstream_timeout");
    assert.deepEqual(gateway.pool.outcomes, ["TIMEOUT"]);
    assert.equal(gateway.upstream.inFlight, 0);
  });
}

test("a whole reply may take minutes to begin, as reasoning models do", async () => {
  const clock = new FakeClock();
  const gateway = await extra({ clock });
  const before = stub.received.length;
  let answer: () => void = () => undefined;
  stub.script = (received, res) => {
    answer = () => void replyJson(200, CHAT_REPLY)(received, res);
  };
  const pending = gateway.post("/v1/chat/completions", { model: "o3" });
  await settleWhile(() => stub.received.length === before);
  clock.advance(500_000);
  answer();
  assert.equal((await pending).status, 200);
});

test("a rate limit of ours replaces the provider's on every answer", async () => {
  const gateway = await extra({ ticketHeaders: "x-ratelimit-remaining-requests: 3\r\n" });
  stub.script = replyJson(200, CHAT_REPLY, {
    "x-ratelimit-remaining-requests": "999",
    "x-ratelimit-limit-tokens": "999",
    "anthropic-ratelimit-requests-remaining": "5",
    "openai-organization": "org-vault",
    "anthropic-organization-id": "org-vault",
    "x-request-id": "req_upstream",
    server: "x",
  });
  const response = await gateway.post("/v1/chat/completions", { model: "m" });
  assert.equal(response.headers.get("x-ratelimit-remaining-requests"), "3");
  assert.equal(response.headers.get("x-ratelimit-limit-tokens"), null);
  assert.equal(response.headers.get("anthropic-ratelimit-requests-remaining"), null);
  assert.equal(response.headers.get("openai-organization"), null);
  assert.equal(response.headers.get("anthropic-organization-id"), null);
  assert.equal(response.headers.get("server"), null);
  assert.match(response.headers.get("x-request-id") ?? "", /^call_/);
  assert.equal(response.headers.get("x-upstream-request-id"), "req_upstream");
});

test("a session goes to the pool under the caller's own name only", async () => {
  stub.script = replyJson(200, CHAT_REPLY);
  const affinity = async (path: string, body: object, headers = {}): Promise<string> => {
    await openai.post(path, body, headers);
    return openai.pool.requests.at(-1)?.affinity ?? "";
  };
  const path = "/v1/chat/completions";
  assert.equal(await affinity(path, { model: "m" }), "");
  assert.equal(await affinity(path, { model: "m", prompt_cache_key: "k" }), "ck_caller:k");
  assert.equal(await affinity(path, { model: "m" }, { "x-session-affinity": "s" }), "ck_caller:s");
  const named = { model: "m", prompt_cache_key: "k" };
  assert.equal(await affinity(path, named, { "x-session-affinity": "s" }), "ck_caller:s");
  assert.equal(
    await affinity("/v1/responses", { model: "m", previous_response_id: "r" }),
    "ck_caller:r",
  );
  await anthropic.post("/v1/messages", { model: "m", metadata: { user_id: "u" } });
  assert.equal(anthropic.pool.requests.at(-1)?.affinity, "ck_caller:u");
});

test("a model is one to the pool wherever text is asked of it, and another at each other endpoint", async () => {
  stub.script = replyJson(200, CHAT_REPLY);
  const known = async (path: string): Promise<string | undefined> => {
    await openai.post(path, { model: "m" });
    return openai.pool.requests.at(-1)?.route.targets[0]?.knownAs;
  };
  assert.equal(await known("/v1/chat/completions"), undefined);
  assert.equal(await known("/v1/messages"), undefined);
  const apart = [await known("/v1/embeddings"), await known("/v1/completions")];
  assert.equal(new Set([undefined, ...apart]).size, 3);
});

test("the begin of a call says all that is known of it", async () => {
  stub.script = replyJson(200, CHAT_REPLY);
  await openai.post("/v1/chat/completions?key=x", { model: "m" });
  const begun = openai.sink.begun.at(-1);
  assert.equal(begun?.endpoint, "/v1/chat/completions");
  assert.equal(begun?.modelAsked, "m");
  assert.equal(begun?.ip, "127.0.0.1");
  assert.equal(begun?.ownerId, "usr_owner");
  assert.ok(!JSON.stringify(begun).includes(CLIENT_KEY));
});
