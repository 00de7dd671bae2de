import assert from "node:assert/strict";
import { test } from "node:test";
import { constants, createGzip, gzipSync } from "node:zlib";
import { FakeClock, settle } from "../support/fake-clock.js";
import {
  CHAT_REPLY,
  chatEvents,
  inTurn,
  replyJson,
  replyEvents,
  type Script,
} from "../support/upstream-stub.js";
import { CHAT, ok, SECRETS, stubbedGateway } from "./stubbed-gateway.js";

// Replies in a shape, an encoding or a size that was not to be expected.

const SPEECH = { model: "tts-1", input: "x", voice: "alloy" };
const MESSAGES = { model: "m", max_tokens: 5, messages: [{ role: "user", content: "hi" }] };
const EVENTS = chatEvents(["hi"], true).join("");

const site = stubbedGateway(SECRETS.slice(0, 2));
const { bound } = site;

function whole(headers: Record<string, string>, body: string | Buffer): Script {
  return (_received, res) => {
    res.writeHead(200, { "content-length": String(Buffer.byteLength(body)), ...headers });
    res.end(body);
  };
}

function inPieces(httpStatus: number, json: string): Script {
  return async (_received, res) => {
    res.writeHead(httpStatus, { "content-type": "application/json" });
    for (let at = 0; at < json.length; at += 50) {
      res.write(json.slice(at, at + 50));
      await settle();
    }
    res.end();
  };
}

/** A head and what begins its body; the reply never ends, but when its connection is closed. */
function begun(
  httpStatus: number,
  contentType: string,
  body: string | Buffer,
  headers: Record<string, string> = {},
): { readonly script: Script; readonly closed: Promise<void>; more(bytes: Buffer): void } {
  let close: () => void = () => undefined;
  let write: (bytes: Buffer) => void = () => undefined;
  const script: Script = (_received, res) => {
    res.on("close", close);
    res.writeHead(httpStatus, { "content-type": contentType, ...headers });
    res.write(body);
    write = (bytes) => res.write(bytes);
  };
  const closed = new Promise<void>((resolve) => {
    close = resolve;
  });
  return {
    script,
    closed,
    more: (bytes) => {
      write(bytes);
    },
  };
}

test("neither a web page, nor a redirect, nor what cannot be unpacked is passed for media", async () => {
  const { send, pool } = await bound();
  const odd = [
    whole({ "content-type": "text/html" }, "<html>sign in</html>"),
    whole({ "content-type": "audio/mpeg", "content-encoding": "zstd" }, "packed"),
    ((_received, res) => {
      res.writeHead(307, { "content-type": "audio/mpeg", location: "http://127.0.0.1:1/" });
      res.end("audio");
    }) satisfies Script,
  ];
  for (const script of odd) {
    site.stub.script = inTurn(script, whole({ "content-type": "audio/mpeg" }, "audio"));
    const reply = await send("/v1/audio/speech", SPEECH);
    assert.deepEqual([reply.status, await reply.text()], [200, "audio"]);
  }
  assert.deepEqual(pool.outcomes, odd.map(() => ["PROVIDER_ERROR", "OK"]).flat());
});

test("a stream that was not asked for is not translated into one", async () => {
  const { send, pool } = await bound();
  site.stub.script = replyEvents(chatEvents(["hi"]));
  const reply = await send("/v1/messages", MESSAGES);
  const { type } = (await reply.json()) as { type: string };
  assert.deepEqual([reply.status, type], [200, "message"]);
  assert.deepEqual(pool.outcomes, ["OK"]);
});

test("an event that cannot be read is not left out of a translated stream: it is tried elsewhere, or ends as broken", async () => {
  const { send, pool, sink } = await bound();
  const streamed = { ...MESSAGES, stream: true };
  const [first = "", ...others] = chatEvents(["hi", " you"], true);
  const broken = 'data: {"choices":[{"delta":{"content":"lo\n\n';
  site.stub.script = inTurn(replyEvents([broken, ...others]), replyEvents(chatEvents(["hi"])));
  const elsewhere = await send("/v1/messages", streamed);
  assert.match(await elsewhere.text(), /"hi"[^]*message_stop/);
  assert.deepEqual(pool.outcomes, ["PROVIDER_ERROR", "OK"]);
  site.stub.script = replyEvents([first, "data: ping\n\n", ...others]);
  const odd = await send("/v1/messages", streamed);
  assert.match(await odd.text(), /"hi"[^]*" you"[^]*message_stop/);
  site.stub.script = replyEvents([first, broken, ...others]);
  const cut = await (await send("/v1/messages", streamed)).text();
  assert.match(cut, /event: error\n[^\n]*no valid JSON/);
  assert.doesNotMatch(cut, /message_stop/);
  assert.equal((await sink.record(3)).errorCode, "upstream_error");
});

test("of an error no more is read than can be of use: its connection is closed and another key serves", async () => {
  // Its time stands still, so that nothing but the size ends the error.
  const clock = new FakeClock();
  const { post, pool } = await bound({ clock, limits: { errorReplyBytesMax: 1000 } });
  const endless = begun(429, "application/json", `{"error":"${"x".repeat(2000)}`);
  site.stub.script = inTurn(endless.script, ok);
  assert.equal((await post(CHAT)).status, 200);
  await endless.closed;
  assert.deepEqual(pool.outcomes, ["RATE_LIMITED", "OK"]);
});

test("an error of megabytes inside a reply is judged by its codes and its first words, and not passed on", async () => {
  const { post, pool, sink } = await bound();
  const told = (message: string): string =>
    JSON.stringify({ error: { message, type: "invalid_request_error", code: "bad" } });
  site.stub.script = replyJson(200, told("bad words ".repeat(300_000)));
  const answer = await post(CHAT);
  assert.equal(answer.status, 400);
  assert.ok((await answer.text()).length < 1000);
  assert.deepEqual(pool.outcomes, ["REQUEST_REFUSED"]);
  const { attempts } = await sink.record(1);
  assert.match(attempts[0]?.detail ?? "", /^error inside a reply: (?:bad words ){10,}/);
  site.stub.script = replyJson(200, told("bad"));
  assert.equal(await (await post(CHAT)).text(), told("bad"));
});

test("an error that comes in pieces goes on whole", async () => {
  const { post } = await bound();
  const error = JSON.stringify({ error: { message: `no ${"x".repeat(300)}`, type: "a_type" } });
  site.stub.script = inPieces(400, error);
  const reply = await post(CHAT);
  assert.deepEqual([reply.status, await reply.text()], [400, error]);
});

test("a whole reply becomes the stream that was asked for, however it comes in pieces", async () => {
  const { post } = await bound();
  site.stub.script = inPieces(200, CHAT_REPLY);
  const reply = await post({ ...CHAT, stream: true });
  assert.match(reply.headers.get("content-type") ?? "", /^text\/event-stream/);
  assert.match(await reply.text(), /"delta":\{"role":"assistant","content":"Hello\."\}/);
});

test("a reply that is too large to be checked goes on as it comes, and is not translated", async () => {
  const { post, send, pool, sink } = await bound({ limits: { wholeReplyBytesMax: 1000 } });
  const large = CHAT_REPLY.replace("Hello.", "x".repeat(2000));
  const parts = [large.slice(0, 500), large.slice(500, 1800), large.slice(1800)];
  let finish: () => void = () => undefined;
  site.stub.script = (_received, res) => {
    res.writeHead(200, { "content-type": "application/json" });
    res.write(parts[0]);
    res.write(parts[1]);
    finish = () => res.end(parts[2]);
  };
  const reply = await post(CHAT);
  finish();
  assert.equal(await reply.text(), large);
  // Another key would make it once more.
  site.stub.script = inTurn(begun(200, "application/json", large).script, ok);
  const answer = await send("/v1/messages", { ...MESSAGES, max_tokens: 70 });
  assert.equal(answer.status, 502);
  assert.match(await answer.text(), /too large to be translated/);
  assert.equal(site.stub.received.length, 2);
  assert.deepEqual(pool.outcomes, ["OK", "CALLER_ABORTED"]);
  const { usageSource, tokens } = await sink.record(2);
  assert.deepEqual([usageSource, tokens.output], ["ESTIMATED", 70]);
});

test("a reply that there is no room to translate is counted: it was made", async () => {
  const limits = { bodyBytesInFlightMax: 3000 };
  const { send, sink } = await bound({ limits });
  site.stub.script = begun(
    200,
    "application/json",
    CHAT_REPLY.replace("Hello.", "x".repeat(200_000)),
  ).script;
  const answer = await send("/v1/messages", { ...MESSAGES, max_tokens: 70 });
  assert.equal(answer.status, 503);
  await answer.text();
  const { usageSource, tokens } = await sink.record(1);
  assert.deepEqual([usageSource, tokens.output], ["ESTIMATED", 70]);
});

test("a large reply that comes compressed is unpacked to its end, whatever its length on the way", async () => {
  const { send } = await bound();
  let seed = 1;
  // Packs badly, so that more comes at a time than is unpacked at once.
  const audio = Buffer.from(
    Array.from({ length: 500_000 }, () => (seed = (seed * 48_271) % 2_147_483_647) & 0xff),
  );
  const headers = { "content-type": "audio/mpeg", "content-encoding": "gzip" };
  for (const said of [audio, Buffer.alloc(20_000, "a")]) {
    site.stub.script = whole(headers, gzipSync(said));
    const reply = await send("/v1/audio/speech", SPEECH);
    assert.ok(said.equals(Buffer.from(await reply.arrayBuffer())));
  }
});

test("a stream whose packing breaks behind its last event is complete, and its connection is closed", async () => {
  const { post, sink } = await bound();
  const packer = createGzip();
  packer.write(EVENTS);
  const packed = await new Promise<Buffer>((resolve) => {
    packer.flush(constants.Z_SYNC_FLUSH, () => {
      resolve(packer.read() as Buffer);
    });
  });
  const broken = begun(200, "text/event-stream", packed, { "content-encoding": "gzip" });
  site.stub.script = broken.script;
  const reply = await post({ ...CHAT, stream: true, stream_options: { include_usage: true } });
  const decoder = new TextDecoder();
  let got = "";
  for await (const chunk of reply.body ?? []) {
    got += decoder.decode(chunk, { stream: true });
    if (got === EVENTS) broken.more(Buffer.alloc(100, 0xff));
  }
  assert.equal(got, EVENTS);
  await broken.closed;
  const [record] = sink.records;
  assert.deepEqual([record?.status, record?.tokens.input], ["SUCCESS", 11]);
});

test("a stream whose lines end with carriage returns alone is one, translated or not, at the first key that is asked", async () => {
  const returns = chatEvents(["hi", " there"], true).map((each) => each.replaceAll("\n", "\r"));
  for (const [path, body, text] of [
    ["/v1/chat/completions", CHAT, /^data: \{.*"hi".*" there".*\n\ndata: \[DONE\]\n\n$/s],
    ["/v1/messages", MESSAGES, /"text":"hi".*"text":" there".*event: message_stop/s],
  ] as const) {
    const { send, pool } = await bound();
    site.stub.script = replyEvents(returns);
    const reply = await send(path, { ...body, stream: true });
    assert.equal(reply.status, 200, path);
    assert.match(await reply.text(), text);
    assert.deepEqual(pool.outcomes, ["OK"]);
  }
});
