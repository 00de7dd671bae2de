import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import {
  CHAT_REPLY,
  inTurn,
  type Received,
  replyJson,
  RESPONSE,
  type Script,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { startGateway, type TestGateway } from "./fixture.js";
import { RESPONSES_ONLY } from "./responses-only.js";

// What a provider was found to refuse says nothing of what is at another address, where it may have moved.

let stub: UpstreamStub;
let gateway: TestGateway;

before(async () => {
  stub = await startUpstreamStub();
});

after(async () => {
  await stub.close();
});

beforeEach(async (t) => {
  stub.received.length = 0;
  gateway = await startGateway({ providers: [{ baseUrl: `${stub.origin}/old/v1` }] });
  assert.ok("after" in t);
  t.after(() => gateway.close());
});

function moveTo(place: string): void {
  const baseUrl = `${stub.origin}/${place}/v1`;
  gateway.router.providers = gateway.router.providers.map((each) => ({ ...each, baseUrl }));
}

function bodyOf({ body }: Received): Record<string, unknown> {
  return JSON.parse(body.toString()) as Record<string, unknown>;
}

function refusal(message: string): Script {
  return replyJson(400, JSON.stringify({ error: { message, type: "invalid_request_error" } }));
}

/** At the old address requests are refused in some words as long as they have something; the new one takes all. */
function refuseAtOld(message: string, has: (received: Received) => boolean): void {
  stub.script = (received, res) => {
    if (received.url.startsWith("/old/") && has(received)) return refusal(message)(received, res);
    const isChat = received.url.endsWith("/chat/completions");
    return replyJson(200, isChat ? CHAT_REPLY : JSON.stringify(RESPONSE))(received, res);
  };
}

const ASKED = { model: "m", max_tokens: 50, messages: [{ role: "user", content: "Hi" }] };
const TOOLS = [{ name: "f", input_schema: { type: "object" } }];

interface Finding {
  readonly what: string;
  readonly message: string;
  readonly asked: object;
  readonly path?: string;
  /** What is refused. */
  readonly has: (received: Received) => boolean;
}

const FINDINGS: readonly Finding[] = [
  {
    what: "a temperature that a model refuses",
    message: "Unsupported value: 'temperature' does not support 0.5 with this model.",
    asked: { ...ASKED, temperature: 0.5 },
    has: (received) => "temperature" in bodyOf(received),
  },
  {
    what: "the older name of a limit, in a caller's own words too",
    message: "Unsupported parameter: 'max_tokens' is not supported with this model.",
    asked: ASKED,
    path: "/v1/chat/completions",
    has: (received) => "max_tokens" in bodyOf(received),
  },
  {
    what: "that a model is served by the Responses API alone",
    message: "This model is only supported in v1/responses and not in v1/chat/completions.",
    asked: ASKED,
    has: ({ url }) => url.endsWith("/chat/completions"),
  },
  {
    what: "that a model calls tools in the Responses API alone",
    message: "Function tools with reasoning_effort are not supported. Please use /v1/responses.",
    asked: { ...ASKED, tools: TOOLS },
    has: ({ url }) => url.endsWith("/chat/completions"),
  },
  {
    what: "that usage must not be asked for",
    message: "Unknown parameter: stream_options",
    asked: { ...ASKED, stream: true },
    path: "/v1/chat/completions",
    has: (received) => "stream_options" in bodyOf(received),
  },
];

for (const { what, message, asked, path = "/v1/messages", has } of FINDINGS) {
  test(`it is found out anew at another address: ${what}`, async () => {
    refuseAtOld(message, has);
    const ask = async (): Promise<void> => {
      const reply = await gateway.post(path, asked);
      await reply.text();
      assert.equal(reply.status, 200);
    };
    await ask();
    await ask();
    assert.deepEqual(stub.received.map(has), [true, false, false], "it is known there");
    moveTo("new");
    await ask();
    assert.ok(has(stub.received[3]!), "it is asked as any other");
    assert.equal(stub.received.length, 4);
  });
}

test("it is found out anew at another address: that an account gets no summaries", async () => {
  const summaryOf = (received: Received): unknown =>
    (bodyOf(received)["reasoning"] as { summary?: string } | undefined)?.summary;
  const asked = { ...ASKED, model: "gpt-5.6", tools: TOOLS };
  const unverified = refusal("Your organization must be verified to generate reasoning summaries.");
  const response = replyJson(200, JSON.stringify(RESPONSE));
  stub.script = inTurn(replyJson(404, RESPONSES_ONLY), unverified, response);
  assert.equal((await gateway.post("/v1/messages", asked)).status, 200);
  assert.deepEqual(stub.received.slice(1).map(summaryOf), ["auto", undefined]);
  moveTo("new");
  stub.received.length = 0;
  stub.script = inTurn(replyJson(404, RESPONSES_ONLY), response);
  assert.equal((await gateway.post("/v1/messages", asked)).status, 200);
  assert.deepEqual(stub.received.slice(1).map(summaryOf), ["auto"]);
});
