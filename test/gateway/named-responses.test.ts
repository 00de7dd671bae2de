import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import type { GatewayLimits } from "../../server/gateway/limits.js";
import { settleWhile } from "../support/fake-clock.js";
import { replyJson, startUpstreamStub, type UpstreamStub } from "../support/upstream-stub.js";
import { provider, startGateway, type TestGateway } from "./fixture.js";

// A short request may name much that earlier responses said, which becomes part of it.

const NATIVE = JSON.stringify({
  id: "resp_n",
  object: "response",
  status: "completed",
  output: [],
});
/** Longer than what is translated at once. */
const LONG_CHARS = 300_000;

let stub: UpstreamStub;
let gateway: TestGateway;

before(async () => {
  stub = await startUpstreamStub();
});

after(async () => {
  await stub.close();
});

afterEach(async () => {
  await settleWhile(() => gateway.gateway.running > 0);
  assert.equal(gateway.gateway.held.bodies, 0);
  await gateway.close();
});

async function start(limits: Partial<GatewayLimits>): Promise<void> {
  gateway = await startGateway({
    providers: [{ baseUrl: stub.origin, dialect: "ANTHROPIC" }],
    limits,
  });
}

/** The id of a response that said so much, and of the message in it. */
async function said(chars: number, more: object = {}): Promise<{ id: string; item: string }> {
  stub.script = replyJson(
    200,
    JSON.stringify({
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "m",
      content: [{ type: "text", text: "y".repeat(chars) }],
      stop_reason: "end_turn",
      usage: { input_tokens: 1, output_tokens: 1 },
    }),
  );
  const answer = await gateway.post("/v1/responses", { model: "m", input: "hi", ...more });
  const { id, output } = (await answer.json()) as { id: string; output: { id: string }[] };
  return { id, item: output[0]?.id ?? "" };
}

const naming = (item: string, times: number): unknown[] => [
  { role: "user", content: "Go on." },
  ...Array.from({ length: times }, () => ({ type: "item_reference", id: item })),
];

async function ask(body: object): Promise<{ status: number; text: string; sentBytes: number }> {
  const count = stub.received.length;
  const answer = await gateway.post("/v1/responses", { model: "m", store: false, ...body });
  const text = await answer.text();
  const sentBytes = stub.received[count]?.body.length ?? 0;
  return { status: answer.status, text, sentBytes };
}

/** Asks a provider of each kind: one for which the request is translated, and one to which it goes as it is. */
async function askBoth(body: object): Promise<Awaited<ReturnType<typeof ask>>[]> {
  const translated = await ask(body);
  gateway.router.providers = [provider({ baseUrl: `${stub.origin}/v1` })];
  stub.script = replyJson(200, NATIVE);
  return [translated, await ask(body)];
}

for (const [chars, bodyBytesMax, how] of [
  [4000, 10_000, "at once"],
  [LONG_CHARS, 700_000, "beside the event loop"],
] as const) {
  test(`what a request names of earlier responses is no more than a request may say, put in its place ${how}`, async () => {
    await start({ bodyBytesMax });
    const { item } = await said(chars);
    for (const { status, sentBytes } of await askBoth({ input: naming(item, 2) })) {
      assert.equal(status, 200);
      assert.ok(sentBytes > 2 * chars);
    }
    gateway.router.providers = [provider({ baseUrl: stub.origin, dialect: "ANTHROPIC" })];
    for (const { status, text, sentBytes } of await askBoth({ input: naming(item, 3) })) {
      assert.equal(status, 413);
      assert.match(text, /With what it names of earlier responses/);
      assert.equal(sentBytes, 0);
    }
  });
}

test("a conversation that has grown beyond a request does not go on", async () => {
  await start({ bodyBytesMax: 10_000 });
  const first = await said(4000);
  const second = await said(4000, { previous_response_id: first.id });
  const third = await said(4000, { previous_response_id: second.id });
  assert.equal((await ask({ input: "x", previous_response_id: second.id })).status, 200);
  assert.equal((await ask({ input: "x", previous_response_id: third.id })).status, 413);
});

test("what a request names takes of the room for bodies as long as it is under way", async () => {
  await start({ bodyBytesInFlightMax: 4 * LONG_CHARS });
  const { item } = await said(LONG_CHARS);
  let answer: () => void = () => undefined;
  const count = stub.received.length;
  const { script } = stub;
  stub.script = (received, res) => {
    answer = () => void script(received, res);
  };
  const first = ask({ input: naming(item, 1) });
  await stub.requests(count + 1);
  assert.ok(gateway.gateway.held.bodies > LONG_CHARS);
  const { status, text } = await ask({ input: naming(item, 2) });
  assert.equal(status, 503);
  assert.match(text, /Too many large bodies/);
  answer();
  assert.equal((await first).status, 200);
});
