import assert from "node:assert/strict";
import { test } from "node:test";
import { chatEvents, messageEvents } from "../../test/support/upstream-stub.js";
import type { ReplyFacts } from "../core/call.js";
import type { Dialect } from "../core/provider.js";
import type { StreamForm } from "./codec.js";
import { CODECS } from "./codecs.js";

function whole(dialect: Dialect, reply: object | string): ReplyFacts {
  const text = typeof reply === "string" ? reply : JSON.stringify(reply);
  return CODECS[dialect].replyFacts(Buffer.from(text));
}

function streamed(dialect: Dialect, form: StreamForm, reads: readonly string[]): ReplyFacts {
  const watch = CODECS[dialect].watch(form, true);
  for (const read of reads) watch.push(Buffer.from(read));
  return watch.facts();
}

const data = (event: object): string => `data: ${JSON.stringify(event)}\n\n`;

test("a chat tells one reason for each choice", () => {
  const [id, model] = ["chatcmpl-1", "gpt-4o-2024-08-06"];
  const choices = ["stop", "length"].map((reason, index) => ({ index, finish_reason: reason }));
  assert.deepEqual(whole("OPENAI", { id, model, choices }), {
    id,
    model,
    finishReasons: ["stop", "length"],
  });
  const chunk = (body: object): string => data({ id, model, ...body });
  const events = [
    chunk({ choices: [{ index: 0, delta: { content: "a" }, finish_reason: null }] }),
    chunk({ choices: [{ index: 1, delta: {}, finish_reason: "tool_calls" }] }),
    chunk({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }),
    chunk({ choices: [], usage: { prompt_tokens: 1 } }),
    "data: [DONE]\n\n",
  ];
  const facts = { id, model, finishReasons: ["tool_calls", "stop"] };
  assert.deepEqual(streamed("OPENAI", "CHAT", [events.join("")]), facts);
  assert.deepEqual(
    streamed("OPENAI", "CHAT", [events.slice(0, 2).join(""), ...events.slice(2)]),
    facts,
  );
  assert.deepEqual(streamed("OPENAI", "CHAT", chatEvents(["a", "b"])).finishReasons, ["stop"]);
});

test("a response tells why it is incomplete, else its status; one that goes on tells none", () => {
  const response = (part: object) => ({ id: "resp_1", model: "gpt-5.4", output: [], ...part });
  const reasons = (part: object) => whole("OPENAI", response(part)).finishReasons;
  assert.deepEqual(reasons({ status: "completed", incomplete_details: null }), ["completed"]);
  const incomplete = { status: "incomplete", incomplete_details: { reason: "max_output_tokens" } };
  assert.deepEqual(reasons(incomplete), ["max_output_tokens"]);
  assert.deepEqual(reasons({ status: "in_progress" }), []);
  const events = [
    `event: response.created\n${data({ type: "response.created", response: response({ status: "in_progress" }) })}`,
    `event: response.incomplete\n${data({ type: "response.incomplete", response: response(incomplete) })}`,
  ];
  const facts = { id: "resp_1", model: "gpt-5.4", finishReasons: ["max_output_tokens"] };
  assert.deepEqual(streamed("OPENAI", "RESPONSES", events), facts);
  assert.deepEqual(streamed("OPENAI", "RESPONSES", [events.join("")]), facts);
});

test("a message tells its stop reason, and its stream tells the id first", () => {
  const facts = { id: "msg_1", model: "claude-sonnet-4-5", finishReasons: ["end_turn"] };
  const input = { stop_reason: "refusal" };
  const content = [{ type: "tool_use", id: "toolu_1", name: "f", input }];
  const message = { id: "msg_1", model: "claude-sonnet-4-5", content, stop_reason: "end_turn" };
  assert.deepEqual(whole("ANTHROPIC", message), facts);
  const events = messageEvents(["a", "b", "c", "d"]);
  assert.deepEqual(streamed("ANTHROPIC", "MESSAGES", events), facts);
  assert.deepEqual(streamed("ANTHROPIC", "MESSAGES", [events.join("")]), facts);
});

test("Gemini tells the reason of each answer, or why it took no prompt", () => {
  const said = { responseId: "r-1", modelVersion: "gemini-2.5-flash" };
  const args = { finishReason: "SAFETY" };
  const candidate = {
    content: { parts: [{ functionCall: { name: "f", args } }] },
    finishReason: "MAX_TOKENS",
  };
  const facts = { id: "r-1", model: "gemini-2.5-flash", finishReasons: ["MAX_TOKENS"] };
  assert.deepEqual(whole("GEMINI", { candidates: [candidate], ...said }), facts);
  const first = data({ candidates: [{ content: {} }], ...said });
  const last = data({ candidates: [candidate], usageMetadata: {}, ...said });
  assert.deepEqual(streamed("GEMINI", "GENERATE", [first, last]), facts);
  const blocked = { promptFeedback: { blockReason: "PROHIBITED_CONTENT" }, ...said };
  assert.deepEqual(whole("GEMINI", blocked).finishReasons, ["PROHIBITED_CONTENT"]);
  assert.deepEqual(streamed("GEMINI", "GENERATE", [data(blocked)]).finishReasons, [
    "PROHIBITED_CONTENT",
  ]);
  // Without `alt=sse` the stream is one JSON array, whose form is not that of events.
  const array = JSON.stringify([{ candidates: [{ content: {} }] }, { candidates: [candidate] }]);
  assert.deepEqual(streamed("GEMINI", "OTHER", [array]).finishReasons, ["MAX_TOKENS"]);
});

test("what a model says is no reason, and what a provider makes up is not repeated", () => {
  const content = '{"finish_reason":"content_filter","id":"x"}';
  const choices = [{ index: 0, delta: { content }, finish_reason: null }];
  assert.deepEqual(streamed("OPENAI", "CHAT", [data({ choices })]).finishReasons, []);
  const made = { id: "the prompt said", model: "a b", choices: [{ finish_reason: "open_sesame" }] };
  const facts = { id: "", model: "", finishReasons: ["_OTHER"] };
  assert.deepEqual(whole("OPENAI", made), facts);
  assert.deepEqual(streamed("OPENAI", "CHAT", [data(made), "data: [DONE]\n\n"]), facts);
});

test("a reply that is no JSON, says nothing or is very long tells nothing", () => {
  const nothing = { id: "", model: "", finishReasons: [] };
  assert.deepEqual(whole("OPENAI", "{"), nothing);
  assert.deepEqual(whole("GEMINI", "[]"), nothing);
  assert.deepEqual(whole("ANTHROPIC", {}), nothing);
  const long = { id: "msg_1", stop_reason: "end_turn", content: "x".repeat(2 ** 20) };
  assert.deepEqual(whole("ANTHROPIC", long), nothing);
  assert.deepEqual(streamed("OPENAI", "CHAT", []), nothing);
  assert.deepEqual(streamed("OPENAI", "CHAT", ["data: 1\n\n"]), nothing);
});
