import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { ServerResponse } from "node:http";
import { GATEWAY_LIMITS } from "../../server/gateway/limits.js";
import { FakeClock, settle, settleWhile } from "../support/fake-clock.js";
import {
  chatEvents,
  messageEvents,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { startGateway, type Setup, type TestGateway } from "./fixture.js";

// Models think for minutes without a word, and much that stands between them and a caller ends what is quiet for one.

let stub: UpstreamStub;
const gateways: TestGateway[] = [];

before(async () => {
  stub = await startUpstreamStub();
});

after(async () => {
  for (const gateway of gateways) await gateway.close();
  await stub.close();
});

interface Quiet {
  readonly clock: FakeClock;
  /** What the caller has got since the last question. */
  got(): Promise<string>;
  say(text: string): Promise<void>;
  end(): Promise<string>;
}

type Dialect = "OPENAI" | "ANTHROPIC" | "GEMINI";

const TICK_MS = GATEWAY_LIMITS.headHoldMs;

/** A stream of a provider that says what it is told to. */
async function quiet(
  dialect: Dialect,
  path: string,
  body: object,
  setup: Setup = {},
): Promise<Quiet> {
  const clock = new FakeClock();
  const providers = [{ baseUrl: stub.origin, dialect }];
  const gateway = await startGateway({ providers, clock, ...setup });
  gateways.push(gateway);
  const begun: ServerResponse[] = [];
  stub.script = (_received, answer) => {
    answer.writeHead(200, { "content-type": "text/event-stream" });
    answer.flushHeaders();
    begun.push(answer);
  };
  const pending = gateway.post(path, body);
  await settleWhile(() => begun.length === 0);
  const provider = begun[0]!;
  await turns();
  clock.advance(3 * TICK_MS);
  const response = await pending;
  let text = "";
  const decoder = new TextDecoder();
  const read = (async () => {
    for await (const chunk of response.body!) text += decoder.decode(chunk as Uint8Array);
  })();
  const got = async (): Promise<string> => {
    await turns();
    const since = text;
    text = "";
    return since;
  };
  return {
    clock,
    got,
    say: async (events) => {
      provider.write(events);
      await turns();
    },
    end: async () => {
      provider.end();
      await read;
      return text;
    },
  };
}

/** Bytes have come where they go by then. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await settle();
}

const CHAT = { model: "m", stream: true, messages: [{ role: "user", content: "hi" }] };
const MESSAGES = { ...CHAT, max_tokens: 9 };
const GENERATE = { contents: [{ parts: [{ text: "hi" }] }] };
const PING = 'event: ping\ndata: {"type": "ping"}\n\n';
const COMMENT = ": keep-alive\n";

for (const [dialect, path, body, events, sign] of [
  ["OPENAI", "/v1/chat/completions", CHAT, chatEvents(["a"]), COMMENT],
  ["ANTHROPIC", "/v1/messages", MESSAGES, messageEvents(["a"]), PING],
] as const) {
  test(`a quiet stream of ${path} shows every fifteen seconds that it lives`, async () => {
    const stream = await quiet(dialect, path, body);
    assert.equal(await stream.got(), "");
    stream.clock.advance(15_000 + TICK_MS);
    assert.equal(await stream.got(), sign);
    stream.clock.advance(30_000);
    assert.equal(await stream.got(), sign + sign);
    const [first = "", ...rest] = events;
    await stream.say(first.slice(0, 9));
    stream.clock.advance(16_000);
    assert.equal(await stream.got(), sign, "between two events, never inside of one");
    await stream.say(first.slice(9));
    assert.equal(await stream.got(), first);
    stream.clock.advance(10_000);
    assert.equal(await stream.got(), "", "what has just spoken is alive");
    await stream.say(rest.join(""));
    assert.equal(await stream.end(), rest.join(""));
    stream.clock.advance(60_000);
    assert.equal(await stream.got(), rest.join(""), "nothing follows the last event");
  });
}

test("a translated stream shows its life in the caller's dialect", async () => {
  const stream = await quiet("OPENAI", "/v1/messages", MESSAGES);
  stream.clock.advance(15_000 + TICK_MS);
  assert.equal(await stream.got(), PING);
  await stream.say(chatEvents(["a"]).join(""));
  assert.match(await stream.end(), /event: message_stop/);
});

test("callers of Gemini get nothing that their SDKs would stumble over", async () => {
  const stream = await quiet("GEMINI", "/v1beta/models/m:streamGenerateContent?alt=sse", GENERATE);
  stream.clock.advance(60_000);
  assert.equal(await stream.got(), "");
  const candidate = { content: { parts: [{ text: "a" }] }, finishReason: "STOP" };
  await stream.say(`data: ${JSON.stringify({ candidates: [candidate] })}\n\n`);
  assert.match(await stream.end(), /"a"/);
});
