import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { CallRecord } from "../../server/core/call.js";
import {
  replyEvents,
  type Script,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { startGateway, type TestGateway } from "./fixture.js";

// Between Anthropic and here a stream that broke off may be asked for again, and the new one follows in the same body.

let stub: UpstreamStub;
let gateway: TestGateway;

before(async () => {
  stub = await startUpstreamStub();
  const providers = [{ baseUrl: stub.origin, dialect: "ANTHROPIC" as const }];
  gateway = await startGateway({ providers });
});

after(async () => {
  await gateway.close();
  await stub.close();
});

function event(type: string, members: object = {}): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...members })}\n\n`;
}

function begun(id: string, input_tokens: number): string {
  const usage = { input_tokens, output_tokens: 1 };
  return event("message_start", { message: { id, type: "message", model: "m", usage } });
}

function said(text: string): string {
  return event("content_block_delta", { index: 0, delta: { type: "text_delta", text } });
}

const ENDED =
  event("message_delta", { delta: { stop_reason: "end_turn" }, usage: { output_tokens: 7 } }) +
  event("message_stop");

let calls = 0;

async function streamed(script: Script): Promise<{ text: string; record: CallRecord }> {
  stub.script = script;
  const asked = { model: "m", max_tokens: 9, stream: true, messages: [] };
  const reply = await gateway.post("/v1/messages", asked);
  assert.equal(reply.status, 200);
  const text = await reply.text();
  return { text, record: await gateway.sink.record(++calls) };
}

const FIRST = begun("msg_1", 100) + said("Once upon a time there was");
const SECOND = begun("msg_2", 30) + said("Twice") + ENDED;

for (const [how, script] of [
  ["in one read", replyEvents([FIRST + SECOND])],
  ["in reads of their own", replyEvents([FIRST, SECOND])],
] as const) {
  test(`a message that begins inside another, ${how}, ends a stream that is not translated as broken off`, async () => {
    const { text, record } = await streamed(script);
    assert.ok(text.startsWith(FIRST), "what the first message said goes on as it is");
    assert.doesNotMatch(text, /Twice|msg_2|message_stop/);
    assert.match(text, /event: error\ndata: .*broke off before the reply was complete/);
    assert.equal(record.errorCode, "stream_cut");
    assert.equal(record.usageSource, "PARTIAL");
    assert.equal(record.tokens.input, 100, "of the message that its caller got");
    assert.ok(record.tokens.output > 1);
  });
}

test("a beginning that is told again, or only spoken of, is none", async () => {
  const again = begun("msg_1", 100);
  const spoken = said('event: message_start\ndata: {"type":"message_start","message":{"id":"x"}}');
  const input = { type: "message_start", message: { id: "msg_3" } };
  const block = event("content_block_start", {
    index: 0,
    content_block: { type: "server_tool_use", id: "t", name: "f", input },
  });
  const whole = begun("msg_1", 100) + again + spoken + block + ENDED;
  const { text, record } = await streamed(replyEvents([whole]));
  assert.equal(text, whole);
  assert.equal(record.status, "SUCCESS");
});
