import assert from "node:assert/strict";
import test from "node:test";
import { replyEvents } from "../../reply-events.js";
import { type JsonObject, objects } from "../json.js";
import { translatorFor } from "../translator.js";

const CALL = { id: "id", nowSeconds: 1, streamed: true, modelAsked: "m", asArray: false };
const USE = { type: "tool_use", id: "t1", name: "run", input: {} };

/** A conversation of a caller of messages whose assistant has thought this before it called a tool. */
function asked(thoughts: readonly JsonObject[], model: string) {
  const result = { type: "tool_result", tool_use_id: "t1", content: "ok" };
  const messages = [
    { role: "user", content: "go" },
    { role: "assistant", content: [...thoughts, USE] },
    { role: "user", content: [result] },
  ];
  const body = Buffer.from(JSON.stringify({ max_tokens: 9, messages }));
  const target = { model, maxOutput: null, providerSlug: "openrouter", asksUsage: true };
  return translatorFor("MESSAGES", "CHAT")!.request(body, target, CALL);
}

/** What goes back to a model of these thoughts. */
function sentBack(thoughts: readonly JsonObject[], model: string): unknown {
  const body = JSON.parse(asked(thoughts, model).body.toString()) as JsonObject;
  return objects(body["messages"])[1]?.["reasoning_details"];
}

/** What a caller of messages hears of a reply with these details, whole. */
function told(details: readonly JsonObject[]): readonly JsonObject[] {
  const reply = asked([], "m").reply(replyWith(details));
  return objects(JSON.parse(reply.toString()).content).slice(0, -1);
}

function replyWith(reasoning_details: readonly JsonObject[]): Buffer {
  const tool_calls = [{ id: "t1", type: "function", function: { name: "run", arguments: "{}" } }];
  const message = { role: "assistant", content: null, reasoning_details, tool_calls };
  return Buffer.from(JSON.stringify({ choices: [{ message, finish_reason: "tool_calls" }] }));
}

const OF_OPENAI = [
  { type: "reasoning.summary", summary: "Hm.", format: "openai-responses-v1", index: 0 },
  { type: "reasoning.encrypted", data: "gAAA", format: "openai-responses-v1", index: 0 },
];
const OF_GOOGLE = [
  { type: "reasoning.text", text: "Hm.", format: "google-gemini-v1", index: 0 },
  {
    type: "reasoning.encrypted",
    data: "c2ln",
    id: "t1",
    format: "google-gemini-v1",
    index: 1,
  },
];

test("a thought that OpenRouter passes on is of the maker in whose form it is signed", () => {
  const thought = (signature: string) => [{ type: "thinking", thinking: "Hm.", signature }];
  assert.deepEqual(told(OF_OPENAI), thought("~openai:gAAA"));
  assert.deepEqual(told(OF_GOOGLE), thought("~gemini:c2ln"));
  const text = { type: "reasoning.text", text: "Hm." };
  assert.deepEqual(
    told([{ ...text, signature: "s", format: "anthropic-claude-v1" }]),
    thought("s"),
  );
  assert.deepEqual(told([{ ...text, signature: "s", format: null }]), thought("s"));
  assert.deepEqual(
    told([{ ...text, signature: "s", format: "xai-responses-v1" }]),
    thought("~unsigned:"),
  );
  const sealed = { type: "reasoning.encrypted", data: "x" };
  assert.deepEqual(told([sealed]), [{ type: "redacted_thinking", data: "x" }]);
  assert.deepEqual(told([{ ...sealed, format: "unknown" }]), []);
});

test("a thought that OpenRouter streams is signed as in a whole reply", () => {
  for (const details of [OF_OPENAI, OF_GOOGLE]) {
    const stream = asked([], "m").stream();
    const events = replyEvents(replyWith(details), "CHAT") ?? Buffer.alloc(0);
    const text = stream.push(events).toString() + stream.end().toString();
    const [block] = told(details);
    assert.match(text, /"thinking_delta","thinking":"Hm\."/);
    assert.ok(text.includes(`"signature_delta","signature":"${String(block?.["signature"])}"`));
    assert.equal(text.match(/"type":"thinking"/g)?.length, 1);
  }
});

test("thoughts go back to OpenRouter in the form of its model's maker, and those of no other are signed", () => {
  const thoughts = [
    { type: "thinking", thinking: "A.", signature: "c2ln" },
    { type: "thinking", thinking: "G.", signature: "~gemini:c2ln" },
    { type: "thinking", thinking: "O.", signature: "~openai:gAAA" },
    { type: "redacted_thinking", data: "sealed" },
  ];
  const said = (text: string) => ({ type: "reasoning.text", text });
  const at = (details: readonly object[]) => details.map((each, index) => ({ ...each, index }));
  const anthropic = at([
    { ...said("A."), signature: "c2ln" },
    said("G."),
    said("O."),
    { type: "reasoning.encrypted", data: "sealed" },
  ]);
  assert.deepEqual(sentBack(thoughts, "anthropic/claude-sonnet-5"), anthropic);
  assert.deepEqual(sentBack(thoughts, "openrouter/auto"), anthropic);
  const gemini = { format: "google-gemini-v1" };
  const ofCall = { type: "reasoning.encrypted", data: "c2ln", id: "t1", ...gemini };
  assert.deepEqual(
    sentBack(thoughts, "google/gemini-3-pro"),
    at([said("A."), { ...said("G."), ...gemini }, ofCall, said("O.")]),
  );
  const openai = { format: "openai-responses-v1" };
  const sealed = { type: "reasoning.encrypted", data: "gAAA", ...openai };
  assert.deepEqual(
    sentBack(thoughts, "openai/gpt-5.2"),
    at([said("A."), said("G."), { type: "reasoning.summary", summary: "O.", ...openai }, sealed]),
  );
  const lost = (model: string, kept: number) =>
    asked(thoughts.slice(0, kept), model).dropped.some((each) => each.includes("signature"));
  assert.deepEqual(
    [lost("anthropic/claude-sonnet-5", 1), lost("openai/gpt-5.2", 1)],
    [false, true],
  );
});

test("Google's signature of a call goes back to OpenRouter by the call's id", () => {
  const parts = [
    { functionCall: { id: "t1", name: "run", args: {} }, thoughtSignature: "c2ln" },
    { functionCall: { id: "t2", name: "run", args: {} } },
  ];
  const results = ["t1", "t2"].map((id) => ({
    functionResponse: { id, name: "run", response: { output: "ok" } },
  }));
  const contents = [
    { role: "user", parts: [{ text: "go" }] },
    { role: "model", parts },
    { role: "user", parts: results },
  ];
  const target = {
    model: "google/gemini-3-pro",
    maxOutput: null,
    providerSlug: "openrouter",
    asksUsage: true,
  };
  const body = Buffer.from(JSON.stringify({ contents }));
  const { body: sent } = translatorFor("GENERATE", "CHAT")!.request(body, target, CALL);
  const [, assistant] = objects((JSON.parse(sent.toString()) as JsonObject)["messages"]);
  assert.deepEqual(assistant?.["reasoning_details"], [
    { type: "reasoning.encrypted", data: "c2ln", id: "t1", format: "google-gemini-v1", index: 0 },
  ]);
});
