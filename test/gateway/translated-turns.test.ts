import assert from "node:assert/strict";
import { test } from "node:test";
import { SseEvents } from "../../server/dialect/translate/sse-events.js";
import { replyEvents, startUpstreamStub } from "../support/upstream-stub.js";
import { startGateway } from "./fixture.js";

/** A read and what is left of one, of 32 KiB each. */
const TURN_BYTES_MAX = 64 * 1024;

function chunk(delta: object, reason: string | null): string {
  const choices = [{ index: 0, delta, finish_reason: reason }];
  return `data: ${JSON.stringify({ id: "c", model: "m", choices })}\n\n`;
}

test("of a stream that is translated so much is read in a turn of the loop, however much comes at once", async (t) => {
  const words = 12_000;
  const many = chunk({ content: "ab" }, null).repeat(words);
  const stub = await startUpstreamStub(
    replyEvents([many + chunk({}, "stop") + "data: [DONE]\n\n"]),
  );
  const gateway = await startGateway({ providers: [{ baseUrl: `${stub.origin}/v1` }] });
  let turn = 0;
  let isRunning = true;
  const count = (): void => {
    turn++;
    if (isRunning) setImmediate(count);
  };
  t.after(async () => {
    isRunning = false;
    await gateway.close();
    await stub.close();
  });
  const bytesIn = new Map<number, number>();
  type Push = (this: SseEvents, events: Buffer) => unknown;
  const push = Reflect.get(SseEvents.prototype, "push") as Push;
  t.mock.method(SseEvents.prototype, "push", function (this: SseEvents, events: Buffer) {
    bytesIn.set(turn, (bytesIn.get(turn) ?? 0) + events.length);
    return push.call(this, events);
  });
  count();
  const body = {
    model: "m",
    max_tokens: 9,
    stream: true,
    messages: [{ role: "user", content: "hi" }],
  };
  const answer = await gateway.post("/v1/messages", body);
  const said = await answer.text();
  assert.equal(said.match(/"text_delta"/g)?.length, words);
  assert.match(said, /message_stop/);
  const all = [...bytesIn.values()];
  assert.ok(all.reduce((sum, bytes) => sum + bytes) >= many.length);
  assert.ok(Math.max(...all) <= TURN_BYTES_MAX, String(all));
});
