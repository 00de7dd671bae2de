import assert from "node:assert/strict";
import test from "node:test";
import type { JsonObject } from "./json.js";
import { translatorFor } from "./translator.js";

const TARGET = { model: "gpt", maxOutput: null, providerSlug: "openai", asksUsage: true };

function ask(streamed: boolean) {
  const call = { id: "call_1", nowSeconds: 1, streamed, modelAsked: "gpt", asArray: false };
  const body = Buffer.from('{"model":"gpt","input":"hi"}');
  return translatorFor("RESPONSES", "CHAT")!.request(body, TARGET, call);
}

const CALL = { index: 0, id: "a", type: "function", function: { name: "now", arguments: '{"x":' } };
const CUTS = ["length", "content_filter"] as const;

/** The statuses of the items of a whole response, and of their response. */
function statuses(response: JsonObject): unknown[] {
  const output = response["output"] as JsonObject[];
  return [...output.map(({ status }) => status), response["status"]];
}

function eventsOf(text: string): JsonObject[] {
  return [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data ?? ""));
}

test("the item in whose midst a model was stopped is incomplete, those before it are not", () => {
  for (const finish_reason of CUTS) {
    const message = { role: "assistant", content: "I look", tool_calls: [CALL] };
    const whole = { id: "c", model: "gpt", choices: [{ index: 0, message, finish_reason }] };
    const reply = JSON.parse(
      ask(false)
        .reply(Buffer.from(JSON.stringify(whole)))
        .toString(),
    ) as JsonObject;
    assert.deepEqual(statuses(reply), ["completed", "incomplete", "incomplete"]);

    const edit = ask(true).stream();
    const chunk = (delta: object, reason: string | null) =>
      `data: ${JSON.stringify({ id: "c", model: "gpt", choices: [{ index: 0, delta, finish_reason: reason }] })}\n\n`;
    const parts = [chunk({ content: "I look" }, null), chunk({ tool_calls: [CALL] }, null)];
    const end = [chunk({}, finish_reason), "data: [DONE]\n\n"];
    const text = [...parts, ...end].map((each) => edit.push(Buffer.from(each)).toString());
    const events = eventsOf(text.join("") + edit.end().toString());
    const done = events.filter(({ type }) => type === "response.output_item.done");
    const items = done.map(({ item }) => (item as JsonObject)["status"]);
    assert.deepEqual(items, ["completed", "incomplete"]);
    const last = events.at(-1) ?? {};
    assert.equal(last["type"], "response.incomplete");
    assert.deepEqual(statuses(last["response"] as JsonObject), [...items, "incomplete"]);
  }
});

test("an item that was whole when its stream failed is told as done", () => {
  const edit = ask(true).stream();
  const call = { ...CALL, function: { name: "now", arguments: "{}" } };
  const chunks = [{ tool_calls: [call] }, { content: "and" }].map(
    (delta) => `data: ${JSON.stringify({ id: "c", choices: [{ index: 0, delta }] })}\n\n`,
  );
  const told = edit.push(Buffer.from(chunks.join(""))).toString();
  const failed = edit.errorEvents!({
    code: "stream_cut",
    message: "cut",
    detail: "cut",
    requestId: "r",
    httpStatus: 502,
  });
  const events = eventsOf(told + failed);
  const done = events.filter(({ type }) => type === "response.output_item.done");
  assert.deepEqual(
    done.map(({ item }) => (item as JsonObject)["status"]),
    ["completed"],
  );
  assert.equal(events.at(-1)?.["type"], "response.failed");
});
