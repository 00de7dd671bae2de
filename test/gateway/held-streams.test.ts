import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Counter, replyJson, startUpstreamStub, type Script } from "../support/upstream-stub.js";
import { startGateway, type TestGateway } from "./fixture.js";

const CHAT = "/v1/chat/completions";
const KIB = 1024;
const ROOM = 300 * KIB;

function chunk(content: string): string {
  const choices = [{ index: 0, delta: { content }, finish_reason: null }];
  return `data: ${JSON.stringify({ id: "c", model: "m", choices })}\n\n`;
}

/** Begins a reply, and then an event that never ends, of so many bytes. */
function holds(bytes: number): Script {
  return (_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(chunk("a"));
    res.write(`data: {"x":"${"y".repeat(bytes)}`);
  };
}

async function start(t: TestContext, script: Script): Promise<TestGateway> {
  const stub = await startUpstreamStub(script);
  const gateway = await startGateway({
    providers: [{ baseUrl: `${stub.origin}/v1` }],
    limits: { streamBytesMax: ROOM },
  });
  t.after(async () => {
    await gateway.close();
    await stub.close();
  });
  return gateway;
}

interface Ask {
  readonly text: Promise<string>;
  leave(): void;
}

async function ask(gateway: TestGateway, path = CHAT, more: object = {}): Promise<Ask> {
  const leaving = new AbortController();
  const response = await gateway.fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "m", stream: true, ...more }),
    signal: leaving.signal,
  });
  const text = response.text();
  text.catch(() => undefined);
  return { text, leave: () => leaving.abort() };
}

test("streams hold so much together: the fattest is told, and the others go on", async (t) => {
  const sizes = [100, 150, 90, 20].map((kib) => kib * KIB);
  let at = 0;
  const gateway = await start(t, (received, res) => holds(sizes[at++] ?? 0)(received, res));
  const asked: Ask[] = [];
  for (let i = 0; i < sizes.length; i++) asked.push(await ask(gateway));
  const told = await asked[1]?.text;
  assert.match(told ?? "", /^data: \{"id":"c".*\n\ndata: \{"error":.*"overloaded"/);
  const record = await gateway.sink.record(1);
  assert.equal(record.errorCode, "overloaded");
  assert.deepEqual(gateway.pool.outcomes, ["CALLER_ABORTED"], "no key is blamed");
  for (const each of asked) each.leave();
  await gateway.sink.record(4);
  const [fourth] = [await ask(gateway)];
  fourth.leave();
  await gateway.sink.record(5);
  assert.equal(gateway.sink.records.filter((each) => each.errorCode === "overloaded").length, 1);
});

test("what ends gives its room back, whichever way it ends", async (t) => {
  const endings: Script[] = [
    (received, res) => {
      holds(200 * KIB)(received, res);
      setImmediate(() => res.destroy());
    },
    (received, res) => {
      holds(200 * KIB)(received, res);
      setImmediate(() => res.end(`"}\n\ndata: [DONE]\n\n`));
    },
    replyJson(500, `{"error":{"message":"${"z".repeat(1000)}"}}`),
  ];
  let at = 0;
  const gateway = await start(t, (received, res) => endings[at++ % 3]?.(received, res));
  for (let i = 0; i < 12; i++) await (await ask(gateway)).text.catch(() => undefined);
  await gateway.sink.record(12);
  const codes = gateway.sink.records.map((each) => each.errorCode);
  assert.ok(!codes.includes("overloaded"), codes.join());
});

test("a stream that is dropped holds nothing while its provider is asked in another way", async (t) => {
  let finishEvent = (): void => assert.fail("the provider was not asked");
  let answerAgain = (): void => assert.fail("the provider was not asked again");
  const again = new Counter();
  const gateway = await start(t, (received, res) => {
    if (!String(received.body).includes("stream_options")) {
      answerAgain = () => void replyJson(400, '{"error":{"message":"no"}}')(received, res);
      again.add();
      return;
    }
    res.writeHead(200, { "content-type": "text/event-stream" });
    const error = '{"error":{"code":400,"message":"Unknown parameter: stream_options","more":"';
    res.write(`data: ${error}${"y".repeat(100 * KIB)}`);
    finishEvent = () => void res.write('"}}\n\n');
  });
  const asked = ask(gateway);
  while (gateway.gateway.held.streams === 0) await new Promise(setImmediate);
  finishEvent();
  await again.reached(1);
  assert.equal(gateway.gateway.held.streams, 0);
  answerAgain();
  await (
    await asked
  ).text;
});

test("what a translation keeps for its last event counts too", async (t) => {
  const gateway = await start(t, (received, res) => {
    if (received.url.includes("responses")) {
      const error = { message: "Unknown request URL", code: "unknown_url" };
      replyJson(404, JSON.stringify({ error }))(received, res);
      return;
    }
    res.writeHead(200, { "content-type": "text/event-stream" });
    for (let i = 0; i < 100; i++) res.write(chunk("w".repeat(4 * KIB)));
  });
  const { text } = await ask(gateway, "/v1/responses", { input: "x" });
  assert.match(await text, /overloaded/);
});

test("calls that find out together that a provider has no Responses API are all asked otherwise", async (t) => {
  let waiting: (() => void)[] = [];
  const gateway = await start(t, (received, res) => {
    if (!received.url.includes("responses")) {
      const choices = [{ index: 0, message: { content: "yes" }, finish_reason: "stop" }];
      replyJson(200, JSON.stringify({ id: "c", model: "m", choices }))(received, res);
      return;
    }
    const error = { message: "Unknown request URL", code: "unknown_url" };
    waiting.push(() => void replyJson(404, JSON.stringify({ error }))(received, res));
    if (waiting.length < 5) return;
    for (const each of waiting) each();
    waiting = [];
  });
  const body = { model: "m", input: "x" };
  const replies = await Promise.all(
    Array.from({ length: 5 }, () => gateway.post("/v1/responses", body)),
  );
  for (const reply of replies) assert.match(await reply.text(), /yes/);
});
