import assert from "node:assert/strict";
import test from "node:test";
import { type JsonObject, objects } from "./json.js";
import type { Form } from "./side.js";
import { translatorFor } from "./translator.js";

// Anthropic refuses a conversation whose thoughts before a call come back changed.

const TARGET = { model: "claude-sonnet-4-5", maxOutput: null, providerSlug: "anthropic" };
const CALL = { id: "id", nowSeconds: 1, streamed: true, modelAsked: "m", asArray: false };
const THOUGHT = { type: "thinking", thinking: "Ulm, then.", signature: "EqQBsigned" };
const USE = { type: "tool_use", id: "toolu_1", name: "look", input: { city: "Ulm" } };

const STREAM = [
  { type: "message_start", message: { id: "msg_1", model: "m", usage: { input_tokens: 1 } } },
  { type: "content_block_start", index: 0, content_block: { type: "thinking", thinking: "" } },
  delta(0, { type: "thinking_delta", thinking: "Ulm, " }),
  delta(0, { type: "thinking_delta", thinking: "then." }),
  delta(0, { type: "signature_delta", signature: THOUGHT.signature }),
  { type: "content_block_stop", index: 0 },
  { type: "content_block_start", index: 1, content_block: { ...USE, input: {} } },
  delta(1, { type: "input_json_delta", partial_json: '{"city":' }),
  delta(1, { type: "input_json_delta", partial_json: '"Ulm"}' }),
  { type: "content_block_stop", index: 1 },
  { type: "message_delta", delta: { stop_reason: "tool_use" }, usage: { output_tokens: 2 } },
  { type: "message_stop" },
];

function delta(index: number, given: JsonObject): JsonObject {
  return { type: "content_block_delta", index, delta: given };
}

function ask(from: Form, body: JsonObject) {
  const target = { ...TARGET, asksUsage: true };
  return translatorFor(from, "MESSAGES")!.request(Buffer.from(JSON.stringify(body)), target, CALL);
}

/** What a caller reads of the stream. */
function streamed(from: Form, body: JsonObject, events: readonly JsonObject[] = STREAM) {
  const edit = ask(from, body).stream();
  const sent = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
  const text = edit.push(Buffer.from(sent)).toString() + edit.end().toString();
  const told = text.matchAll(/^data: (\{.*)$/gm);
  return Array.from(told, ([, json]): JsonObject => JSON.parse(json ?? ""));
}

/** What the model said, as the provider gets it back. */
function saidAgain(from: Form, body: JsonObject): unknown {
  const { messages } = JSON.parse(ask(from, body).body.toString()) as { messages: JsonObject[] };
  return messages.find(({ role }) => role === "assistant")?.["content"];
}

test("a thought that was streamed comes back signed, before the call, from a caller of responses", () => {
  const tools = [{ type: "function", name: "look", parameters: { type: "object" } }];
  const begin = [{ role: "user", content: "Where?" }];
  const events = streamed("RESPONSES", { input: begin, tools });
  const items = events.flatMap(({ type, item }) =>
    type === "response.output_item.done" ? [item] : [],
  );
  const result = { type: "function_call_output", call_id: USE.id, output: "here" };
  const again = saidAgain("RESPONSES", { input: [...begin, ...items, result], tools });
  assert.deepEqual(again, [THOUGHT, USE]);
});

test("a thought that was streamed comes back signed, before the call, from a caller of chat completions", () => {
  const tools = [{ type: "function", function: { name: "look", parameters: { type: "object" } } }];
  const begin = [{ role: "user", content: "Where?" }];
  let thought: JsonObject = {};
  let call: JsonObject = {};
  let text = "";
  let args = "";
  for (const event of streamed("CHAT", { messages: begin, tools })) {
    const said = (objects(event["choices"])[0]?.["delta"] ?? {}) as JsonObject;
    for (const detail of objects(said["reasoning_details"])) {
      text += String(detail["text"] ?? "");
      thought = { ...thought, ...detail, text };
    }
    for (const each of objects(said["tool_calls"])) {
      const part = each["function"] as JsonObject;
      args += String(part["arguments"] ?? "");
      call = { ...each, ...call, function: { name: USE.name, arguments: args } };
    }
  }
  const assistant = {
    role: "assistant",
    content: null,
    reasoning_details: [thought],
    tool_calls: [call],
  };
  const result = { role: "tool", tool_call_id: USE.id, content: "here" };
  const again = saidAgain("CHAT", { messages: [...begin, assistant, result], tools });
  assert.deepEqual(again, [THOUGHT, USE]);
});

const LOOK = {
  messages: [{ role: "user", content: "Where?" }],
  tools: [{ type: "function", function: { name: "look", parameters: { type: "object" } } }],
};

/** The pieces of what a caller of chat completions is streamed of thoughts. */
function pieces(events?: readonly JsonObject[]): JsonObject[] {
  return streamed("CHAT", LOOK, events).flatMap((event) => {
    const { delta } = objects(event["choices"])[0] ?? {};
    return objects((delta as JsonObject | undefined)?.["reasoning_details"]);
  });
}

/** What the model said, as the provider gets it back from a caller that kept these pieces of what it thought. */
function broughtBack(kept: readonly JsonObject[]): unknown {
  const reply = { role: "assistant", content: "Ulm.", reasoning_details: kept };
  const messages = [...LOOK.messages, reply, { role: "user", content: "Sure?" }];
  return saidAgain("CHAT", { ...LOOK, messages });
}

const SAID = { type: "text", text: "Ulm." };

test("a thought whose text a caller lost in streaming does not go back, for its signature is of another", () => {
  assert.equal(broughtBack(pieces().slice(-1)), SAID.text);
});

test("a thought comes back whole from a caller that keeps its pieces as they came", () => {
  assert.ok(pieces().length > 2);
  assert.deepEqual(broughtBack(pieces()), [THOUGHT, SAID]);
});

test("a thought that the provider signed without telling it comes back as that", () => {
  const events = STREAM.filter((event) => !JSON.stringify(event).includes("thinking_delta"));
  const told = pieces(events);
  const { signature } = THOUGHT;
  assert.deepEqual(told, [{ type: "reasoning.text", text: "", signature, index: 0 }]);
  assert.deepEqual(broughtBack(told), [{ ...THOUGHT, thinking: "" }, SAID]);
});

test("a tool that failed without a word is told as failed to a provider that has no flag for it", () => {
  const body = {
    max_tokens: 9,
    messages: [
      { role: "user", content: "Where?" },
      { role: "assistant", content: [USE] },
      {
        role: "user",
        content: [{ type: "tool_result", tool_use_id: USE.id, content: [], is_error: true }],
      },
    ],
  };
  const target = { ...TARGET, asksUsage: true };
  const { body: sent } = translatorFor("MESSAGES", "RESPONSES")!.request(
    Buffer.from(JSON.stringify(body)),
    target,
    CALL,
  );
  const { input } = JSON.parse(sent.toString()) as { input: JsonObject[] };
  const output = input.find(({ type }) => type === "function_call_output");
  assert.equal(output?.["output"], "The tool failed.");
});
