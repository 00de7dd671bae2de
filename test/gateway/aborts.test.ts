import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { NO_TOKENS } from "../../server/core/call.js";
import { NO_BATCHES } from "../../server/gateway/context.js";
import { FakeClock, settle, settleWhile } from "../support/fake-clock.js";
import {
  CHAT_REPLY,
  chatEvents,
  replyEvents,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { advanceUntil, CLIENT_KEY, type Setup, startGateway, type TestGateway } from "./fixture.js";

let stub: UpstreamStub;
let gateway: TestGateway;

// Each test has a provider of its own: what the callers of the one before broke off may still be on its way there.
beforeEach(async () => {
  stub = await startUpstreamStub();
});

afterEach(async () => {
  await gateway.close();
  await stub.close();
});

async function start(setup: Setup = {}): Promise<void> {
  gateway = await startGateway({ providers: [{ baseUrl: stub.origin }], ...setup });
}

/** A request that its test can break off; resolves with the first bytes of the reply. */
function call(body: object): { req: http.ClientRequest; head: Promise<http.IncomingMessage> } {
  const req = http.request(`${gateway.origin}/v1/chat/completions`, {
    method: "POST",
    agent: false,
    headers: { authorization: `Bearer ${CLIENT_KEY}`, "content-type": "application/json" },
  });
  req.on("error", () => undefined);
  const head = new Promise<http.IncomingMessage>((resolve) => {
    req.on("response", (res) => {
      res.on("error", () => undefined);
      resolve(res);
    });
  });
  req.end(JSON.stringify(body));
  return { req, head };
}

const STREAM = { model: "m", stream: true };

/** Sends a call, and another behind it that is larger than what is kept. */
async function callWithMoreBehind(): Promise<net.Socket> {
  const request = (body: string): string =>
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${CLIENT_KEY}\r\ncontent-length: ${String(body.length)}\r\n\r\n${body}`;
  const socket = net.connect(gateway.port, "127.0.0.1");
  socket.write(request('{"model":"m"}'));
  socket.write(request(`{"model":"m","x":"${"y".repeat(300_000)}"}`));
  await stub.requests(1);
  await settleWhile(() => gateway.upstream.inFlight === 0);
  return socket;
}

async function assertSettled(records: number, errorCode = "caller_aborted"): Promise<void> {
  const record = await gateway.sink.record(records);
  assert.equal(record.status, "ERROR");
  assert.equal(record.httpStatus, 499);
  assert.equal(record.errorCode, errorCode);
  await settleWhile(() => gateway.gateway.running > 0);
  assert.equal(gateway.pool.leased, 0);
  assert.equal(gateway.limiter.open, 0);
  assert.equal(gateway.upstream.inFlight, 0);
}

test("a caller that leaves while the provider thinks takes the provider's call with it", async () => {
  await start();
  for (const body of [{ model: "m" }, STREAM]) {
    stub.script = () => undefined;
    const { req } = call(body);
    await stub.requests(body === STREAM ? 2 : 1);
    req.destroy();
    await stub.aborted(body === STREAM ? 2 : 1);
    await assertSettled(body === STREAM ? 2 : 1);
    assert.equal(gateway.pool.outcomes.at(-1), "CALLER_ABORTED");
  }
});

test("of a caller that leaves while its batch is being noted none is asked for, and it is known that there is none", async () => {
  const left = new AbortController();
  const surely: boolean[] = [];
  let noted: () => void = () => undefined;
  const asked = () => {
    left.abort();
    return new Promise<void>((resolve) => (noted = resolve));
  };
  const unmade = (_asked: unknown, isSure: boolean) => void surely.push(isSure);
  await start({
    providers: [{ dialect: "ANTHROPIC", baseUrl: stub.origin }],
    batches: { ...NO_BATCHES, asked, unmade },
  });
  const batch = { requests: [{ custom_id: "a", params: { model: "m", max_tokens: 1 } }] };
  const sent = gateway.fetch("/v1/messages/batches", {
    method: "POST",
    body: JSON.stringify(batch),
    signal: left.signal,
  });
  await assert.rejects(sent);
  await assertSettled(1);
  noted();
  await settle();
  assert.deepEqual(surely, [true]);
  assert.equal(stub.received.length, 0);
});

test("a caller that leaves in the middle of a stream stops it, and what it had is counted", async () => {
  await start();
  stub.script = async (_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    while (!res.destroyed) {
      res.write(chatEvents(["word"])[0]);
      await settle();
    }
  };
  const { req, head } = call(STREAM);
  const res = await head;
  await new Promise((resolve) => res.once("data", resolve));
  req.destroy();
  await assertSettled(1);
  const record = gateway.sink.records[0];
  assert.equal(record?.usageSource, "PARTIAL");
  assert.ok((record?.tokens.output ?? 0) > 0);
  assert.ok((record?.responseBytes ?? 0) > 0);
});

test("a caller that leaves before its body is there leaves nothing behind", async () => {
  await start();
  const req = http.request(`${gateway.origin}/v1/chat/completions`, {
    method: "POST",
    agent: false,
    headers: { authorization: `Bearer ${CLIENT_KEY}`, "content-length": "1000" },
  });
  req.on("error", () => undefined);
  req.write("{");
  await settleWhile(() => gateway.gateway.running === 0);
  req.destroy();
  await assertSettled(1);
  assert.equal((await gateway.sink.record()).requestBytes, 1);
  assert.equal(stub.received.length, 0);
  await gateway.close();
});

/** Streams blocks for as long as the other side takes them, and counts the bytes. */
function flood(count = Infinity): {
  script: UpstreamStub["script"];
  block: Buffer;
  written: () => number;
} {
  const block = Buffer.from(`data: {"x":"${"y".repeat(60_000)}"}\n\n`);
  let written = 0;
  const script: UpstreamStub["script"] = (_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    let left = count;
    const push = (): void => {
      while (left-- > 0 && !res.destroyed) {
        written += block.length;
        if (res.write(block)) continue;
        res.once("drain", push);
        return;
      }
      if (!res.destroyed) res.end("data: [DONE]\n\n");
    };
    push();
  };
  return { script, block, written: () => written };
}

/** Everything runs in this process: when a value stays the same for so many turns, nothing moves any more. */
async function quiet(value: () => number): Promise<void> {
  let last = -1;
  for (let same = 0; same < 500; same++) {
    await settle();
    if (value() !== last) same = 0;
    last = value();
  }
}

test("a caller that has sent much ahead is seen to leave within a second", async () => {
  const clock = new FakeClock();
  await start({ clock });
  stub.script = () => undefined;
  const socket = await callWithMoreBehind();
  socket.destroy();
  await clock.run(1_000);
  await settleWhile(() => gateway.upstream.inFlight > 0);
  await assertSettled(1);
});

test("a caller that has sent much ahead gets its answer, and the end of its connection behind it", async () => {
  const clock = new FakeClock();
  await start({ clock });
  let answer: () => void = () => undefined;
  stub.script = (received, res) => {
    answer = () => void replyJson(200, CHAT_REPLY)(received, res);
  };
  const socket = await callWithMoreBehind();
  await clock.run(12_000);
  answer();
  let text = "";
  for await (const bytes of socket) text += String(bytes);
  assert.match(text, /^HTTP\/1\.1 200 OK\r\n(?:[^\r]+\r\n)*connection: close\r\n/);
  assert.ok(text.endsWith(CHAT_REPLY));
  assert.equal(stub.received.length, 1);
});

test("callers that stop reading and leave never exhaust the provider's sockets", async () => {
  await start({ upstreamLimits: { socketsPerOriginMax: 4 } });
  const { script, written } = flood();
  stub.script = script;
  for (let round = 0; round < 4; round++) {
    const calls = [1, 2, 3, 4].map(() => call(STREAM));
    for (const { head } of calls) (await head).pause();
    await quiet(written);
    for (const { req } of calls) req.destroy();
    await gateway.sink.record((round + 1) * 4);
  }
  await settleWhile(() => gateway.upstream.inFlight > 0);
  stub.script = replyJson(200, CHAT_REPLY);
  assert.equal((await gateway.post("/v1/chat/completions", { model: "m" })).status, 200);
});

test("a slow reader slows the provider down instead of filling memory", async () => {
  await start();
  const { script, block, written } = flood(1000);
  stub.script = script;
  const { head } = call(STREAM);
  const res = await head;
  res.pause();
  await quiet(written);
  assert.ok(
    written() < 30_000_000,
    `${String(written())} bytes went out to a caller that reads nothing`,
  );
  let read = 0;
  res.on("data", (chunk: Buffer) => {
    read += chunk.length;
  });
  res.resume();
  await new Promise((resolve) => res.once("end", resolve));
  assert.equal(read, block.length * 1000 + "data: [DONE]\n\n".length);
});

test("a caller that stalls for too long loses its stream", async () => {
  const clock = new FakeClock();
  await start({ clock });
  const { script, written } = flood();
  stub.script = script;
  const { head } = call(STREAM);
  (await head).pause();
  await quiet(written);
  clock.advance(310_000);
  await assertSettled(1, "answer_unread");
  assert.equal(gateway.pool.outcomes[0], "CALLER_ABORTED");
});

test("a key that is revoked during a stream ends it at once, with the reason", async () => {
  await start();
  stub.script = (_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(chatEvents(["a"])[0]);
  };
  const response = await gateway.post("/v1/chat/completions", STREAM);
  const reader = response.body?.getReader();
  await reader?.read();
  gateway.authenticator.invalidate("ck_other");
  assert.equal(gateway.gateway.running, 1);
  gateway.authenticator.invalidate();
  const { value } = (await reader?.read()) ?? {};
  assert.match(Buffer.from(value ?? []).toString(), /"code":"revoked_api_key"/);
  assert.equal((await reader?.read())?.done, true);
  await stub.aborted(1);
  assert.equal(gateway.sink.records[0]?.errorCode, "revoked_api_key");
});

test("a key that is revoked before the reply began gets an error answer", async () => {
  await start();
  stub.script = () => undefined;
  const pending = gateway.post("/v1/chat/completions", { model: "m" });
  await settleWhile(() => stub.received.length === 0);
  gateway.authenticator.invalidate();
  assert.equal((await pending).status, 401);
  await settleWhile(() => gateway.gateway.running > 0);
  assert.equal(gateway.upstream.inFlight, 0, "the provider's call ends with it");
  assert.deepEqual(gateway.pool.outcomes, ["CALLER_ABORTED"]);
});

test("a reply that waits to be safe on record reaches its caller although the key is revoked meanwhile", async () => {
  await start();
  let isSafe: () => void = () => undefined;
  gateway.sink.safe = new Promise((resolve) => {
    isSafe = resolve;
  });
  stub.script = replyJson(200, CHAT_REPLY);
  const pending = gateway.post("/v1/chat/completions", { model: "m" });
  await gateway.sink.record(1);
  gateway.authenticator.invalidate();
  isSafe();
  const response = await pending;
  assert.equal(response.status, 200);
  assert.equal(await response.text(), CHAT_REPLY);
  await settleWhile(() => gateway.gateway.running > 0);
  assert.deepEqual(gateway.pool.outcomes, ["OK"]);
});

test("a stop lets running calls end and takes no new connection", async () => {
  const clock = new FakeClock();
  await start({ clock });
  let finish: () => void = () => undefined;
  stub.script = (_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(chatEvents(["a"])[0]);
    finish = () => void res.end(chatEvents(["a"]).slice(1).join(""));
  };
  const response = await gateway.post("/v1/chat/completions", STREAM);
  const closing = gateway.gateway.close();
  assert.equal(gateway.gateway.draining, true);
  await assert.rejects(fetch(gateway.origin));
  finish();
  assert.equal(await response.text(), chatEvents(["a"]).join(""));
  await advanceUntil(clock, closing);
  assert.equal(gateway.sink.records[0]?.status, "SUCCESS");
});

test("a request on its way over a kept connection as a stop begins is answered, and ends the connection", async () => {
  const clock = new FakeClock();
  stub.script = replyJson(200, CHAT_REPLY);
  await start({ clock, limits: { lastRequestMs: 500 } });
  const connect = (): { socket: net.Socket; answers: () => string; closed: Promise<unknown> } => {
    const socket = net.connect(gateway.port, "127.0.0.1");
    let text = "";
    socket.on("data", (bytes: Buffer) => (text += bytes.toString()));
    return { socket, answers: () => text, closed: once(socket, "close") };
  };
  const body = '{"model":"m"}';
  const request = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${CLIENT_KEY}\r\ncontent-length: ${String(body.length)}\r\n\r\n${body}`;
  const answered = async (caller: { answers: () => string }, count: number): Promise<void> => {
    await settleWhile(() => caller.answers().split(CHAT_REPLY).length <= count);
  };
  const quiet = connect();
  quiet.socket.write(request);
  await answered(quiet, 1);
  clock.advance(500);
  const busy = connect();
  busy.socket.write(request);
  await answered(busy, 1);
  const fresh = connect();
  await settleWhile(() => gateway.gateway.connections.open < 3);

  const closing = gateway.gateway.close();
  await quiet.closed;
  assert.ok(!busy.socket.closed && !fresh.socket.closed);
  busy.socket.write(request);
  fresh.socket.write(request);
  await Promise.all([answered(busy, 2), answered(fresh, 1), busy.closed, fresh.closed]);
  assert.equal(busy.answers().split("connection: close").length, 2);
  assert.equal(fresh.answers().split("connection: close").length, 2);
  await advanceUntil(clock, closing);
  assert.ok(clock.monotonic() <= 700);
});

test("a call over a connection whose stream ended during a stop is given its time", async () => {
  const clock = new FakeClock();
  await start({ clock, limits: { lastRequestMs: 500 } });
  let finish: () => void = () => undefined;
  stub.script = (received, res) => {
    if (received.body.includes('"stream"')) {
      res.writeHead(200, { "content-type": "text/event-stream" });
      res.write(chatEvents(["a"])[0]);
      finish = () => void res.end(chatEvents(["a"]).slice(1).join(""));
    } else finish = () => void replyJson(200, CHAT_REPLY)(received, res);
  };
  const socket = net.connect(gateway.port, "127.0.0.1");
  const closed = once(socket, "close");
  let text = "";
  socket.on("data", (bytes: Buffer) => (text += bytes.toString()));
  const send = (body: string): void =>
    void socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${CLIENT_KEY}\r\ncontent-length: ${String(body.length)}\r\n\r\n${body}`,
    );
  send(JSON.stringify(STREAM));
  await settleWhile(() => !text.includes("data:"));
  const closing = gateway.gateway.close();
  finish();
  await settleWhile(() => !text.endsWith("0\r\n\r\n"));
  send('{"model":"m"}');
  await stub.requests(2);
  await clock.run(5_000);
  finish();
  await closed;
  assert.ok(text.endsWith(CHAT_REPLY), text.slice(-200));
  await advanceUntil(clock, closing);
});

test("what runs longer than the drain time is ended with an error that says why", async () => {
  const clock = new FakeClock();
  await start({ clock });
  stub.script = (_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(chatEvents(["a"])[0]);
  };
  const response = await gateway.post("/v1/chat/completions", STREAM);
  const reading = response.text();
  const closing = gateway.gateway.close();
  clock.advance(30_000);
  await advanceUntil(clock, closing);
  assert.match(await reading, /"code":"shutting_down"/);
});

test("an answer that is still leaving has the rest of the drain time, and no longer", async () => {
  const large = `{"x":"${"y".repeat(32 * 1024 * 1024)}"}`;
  stub.script = replyJson(200, large);
  for (const reads of [true, false]) {
    const clock = new FakeClock();
    await start({ clock, limits: { wholeReplyBytesMax: 2 * large.length } });
    const { head } = call({ model: "m" });
    const response = await head;
    let bytes = 0;
    assert.equal((await gateway.sink.record()).status, "SUCCESS");
    const closing = gateway.gateway.close();
    await clock.run(20_000);
    if (reads) {
      for await (const chunk of response) bytes += (chunk as Buffer).length;
      assert.equal(bytes, large.length);
    }
    await advanceUntil(clock, closing);
    assert.ok(reads || clock.monotonic() < 32_000);
  }
});

test("calls beyond the sockets of a provider wait for one, and too many are turned away", async () => {
  await start({ upstreamLimits: { socketsPerOriginMax: 1, waitingPerOriginMax: 1 } });
  const answers: (() => void)[] = [];
  stub.script = (received, res) => {
    answers.push(() => void replyJson(200, CHAT_REPLY)(received, res));
  };
  const first = gateway.post("/v1/chat/completions", { model: "a" });
  await settleWhile(() => stub.received.length < 1);
  const second = gateway.post("/v1/chat/completions", { model: "b" });
  await settleWhile(() => gateway.upstream.inFlight < 2);
  const third = await gateway.post("/v1/chat/completions", { model: "c" });
  assert.equal(third.status, 503);
  assert.equal(stub.received.length, 1);
  answers[0]?.();
  assert.equal((await first).status, 200);
  await settleWhile(() => stub.received.length < 2);
  answers[1]?.();
  assert.equal((await second).status, 200);
});

test("a body over the limit is refused, told or counted, and the answer arrives", async () => {
  await start({ limits: { bodyBytesMax: 1000 } });
  stub.script = replyJson(200, CHAT_REPLY);
  const body = (bytes: number): string => `{"model":"m","x":"${"y".repeat(bytes - 20)}"}`;
  assert.equal(body(1000).length, 1000);
  assert.equal((await gateway.post("/v1/chat/completions", body(1000))).status, 200);
  assert.equal((await gateway.post("/v1/chat/completions", body(1001))).status, 413);
  const chunked = await gateway.fetch("/v1/chat/completions", {
    method: "POST",
    body: ReadableStream.from([Buffer.from(body(600)), Buffer.from(body(600))]),
    duplex: "half",
  });
  assert.equal(chunked.status, 413);
  const socket = net.connect(gateway.port, "127.0.0.1");
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${CLIENT_KEY}\r\ncontent-length: 1001\r\n\r\n`,
  );
  const [answer] = (await once(socket, "data")) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 413 /, "before any of the body has come");
  socket.destroy();
  assert.equal(stub.received.length, 1);
});

test("bodies held at a time are bounded, and given back when calls end", async () => {
  await start({ limits: { bodyBytesInFlightMax: 5000 } });
  const answers: (() => void)[] = [];
  stub.script = (received, res) => {
    answers.push(() => void replyEvents(chatEvents(["a"]))(received, res));
  };
  const body = `{"model":"m","stream":true,"x":"${"y".repeat(3000)}"}`;
  const first = gateway.post("/v1/chat/completions", body);
  await settleWhile(() => stub.received.length < 1);
  assert.equal((await gateway.post("/v1/chat/completions", body)).status, 503);
  answers[0]?.();
  await (await first).text();
  stub.script = replyEvents(chatEvents(["a"]));
  assert.equal((await gateway.post("/v1/chat/completions", body)).status, 200);
});

test("what is counted of a call that its caller broke off is what the installation says", async () => {
  for (const policy of ["OBSERVED", "RESERVED", "NOTHING"] as const) {
    await start({ abortedCalls: () => policy });
    stub.script = (_received, res) => {
      res.writeHead(200, { "content-type": "text/event-stream" });
      res.write(chatEvents(["Hello there"])[0]);
    };
    const { req, head } = call({ ...STREAM, max_tokens: 77 });
    (await head).once("data", () => req.destroy());
    const { tokens } = await gateway.sink.record();
    // Two words went by.
    assert.equal(tokens.output, { OBSERVED: 3, RESERVED: 77, NOTHING: 0 }[policy]);
    await gateway.close();
  }
});

test("a call that its caller broke off before a reply counts what was reserved, where the installation says so, and only once a provider was asked", async () => {
  for (const policy of ["OBSERVED", "RESERVED", "NOTHING"] as const) {
    for (const isAsked of [true, false]) {
      // Without a key the call waits for one.
      await start({ abortedCalls: () => policy, ...(isAsked ? {} : { secrets: [] }) });
      gateway.pool.backMs = 5_000;
      stub.received.length = 0;
      stub.script = () => undefined;
      const { req } = call({ ...STREAM, max_tokens: 77 });
      await settleWhile(() => (isAsked ? stub.received : gateway.sink.begun).length === 0);
      req.destroy();
      const { tokens, usageSource } = await gateway.sink.record();
      const counts = policy === "RESERVED" && isAsked;
      const input = gateway.limiter.estimates[0]?.inputTokens ?? 0;
      assert.deepEqual(tokens, {
        ...NO_TOKENS,
        ...(counts ? { input, output: 77 } : {}),
      });
      assert.equal(usageSource, counts ? "ESTIMATED" : "NONE");
      assert.ok(!counts || input > 0);
      await gateway.close();
    }
  }
});

test("a complete stream whose provider does not end it ends whole where it is stopped or left, and its provider's with it", async () => {
  await start();
  const events = chatEvents(["a"], true).join("");
  for (const end of ["STOPPED", "LEFT"] as const) {
    const closed = new Promise<void>((resolve) => {
      stub.script = (_received, res) => {
        res.on("close", resolve);
        res.writeHead(200, { "content-type": "text/event-stream" });
        res.write(events);
      };
    });
    const { req, head } = call({ ...STREAM, stream_options: { include_usage: true } });
    const res = await head;
    let got = "";
    try {
      for await (const chunk of res) {
        got += String(chunk);
        if (got !== events) continue;
        if (end === "STOPPED") gateway.authenticator.invalidate();
        else req.destroy();
      }
    } catch {
      assert.equal(end, "LEFT");
    }
    assert.equal(got, events);
    assert.equal(res.complete, end === "STOPPED");
    await closed;
    await settleWhile(() => gateway.gateway.running > 0);
  }
  assert.deepEqual(
    gateway.sink.records.map(({ status, tokens }) => [status, tokens.input]),
    [
      ["SUCCESS", 11],
      ["SUCCESS", 11],
    ],
  );
  assert.equal(gateway.upstream.inFlight, 0);
});
