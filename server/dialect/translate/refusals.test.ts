import assert from "node:assert/strict";
import test from "node:test";
import { type JsonObject, object, objects, string } from "./json.js";
import type { Form, Target } from "./side.js";
import { translatorFor } from "./translator.js";

// A model that will not do what it is asked says so in each dialect as that dialect's SDKs look for it.

const TARGET: Target = {
  model: "gpt-5.4",
  maxOutput: 100,
  providerSlug: "openai",
  asksUsage: true,
};

const ASKED: Readonly<Record<"CHAT" | "RESPONSES" | "MESSAGES" | "GENERATE", JsonObject>> = {
  CHAT: { messages: [{ role: "user", content: "go" }] },
  RESPONSES: { input: "go" },
  MESSAGES: { max_tokens: 9, messages: [{ role: "user", content: "go" }] },
  GENERATE: { contents: [{ role: "user", parts: [{ text: "go" }] }] },
};

function way(from: Form, to: Form) {
  const call = { id: "call_1", nowSeconds: 1, streamed: true, modelAsked: "m", asArray: false };
  return translatorFor(from, to)!.request(Buffer.from(JSON.stringify(ASKED[from])), TARGET, call);
}

function whole(from: Form, to: Form, reply: JsonObject): JsonObject {
  return JSON.parse(
    way(from, to)
      .reply(Buffer.from(JSON.stringify(reply)))
      .toString(),
  );
}

function streamed(from: Form, to: Form, events: readonly JsonObject[]): JsonObject[] {
  const stream = way(from, to).stream();
  const text = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
  const said = stream.push(Buffer.from(text)).toString() + stream.end().toString();
  return [...said.matchAll(/^data: (\{.*)$/gm)].map(([, data]) => JSON.parse(data!));
}

const REFUSAL = { type: "refusal", refusal: "I can't." };
const MESSAGE = { id: "msg_1", type: "message", role: "assistant", content: [REFUSAL] };
const RESPONSE = { id: "resp_1", object: "response", status: "completed", output: [MESSAGE] };
const RESPONSE_EVENTS = [
  { type: "response.created", response: { ...RESPONSE, status: "in_progress", output: [] } },
  { type: "response.output_item.done", output_index: 0, item: MESSAGE },
  { type: "response.completed", response: RESPONSE },
];

function chunk(delta: JsonObject, finish_reason: string | null = null): JsonObject {
  return { id: "c", model: "m", choices: [{ index: 0, delta, finish_reason }] };
}

const CHAT_EVENTS = [chunk({ refusal: "I " }), chunk({ refusal: "can't." }), chunk({}, "stop")];
const COMPLETION = {
  choices: [{ message: { content: null, refusal: "I can't." }, finish_reason: "stop" }],
};

test("a chat completion in which the model refuses has ended, so that its refusal is not raised as a filter's", () => {
  const [choice] = objects(whole("CHAT", "RESPONSES", RESPONSE)["choices"]);
  const { content, refusal } = object(choice?.["message"]) ?? {};
  assert.deepEqual([content, refusal, choice?.["finish_reason"]], [null, "I can't.", "stop"]);
  const ends = streamed("CHAT", "RESPONSES", RESPONSE_EVENTS)
    .flatMap(({ choices }) => objects(choices))
    .flatMap((each) => string(each["finish_reason"]) ?? []);
  assert.deepEqual(ends, ["stop"]);
});

test("a response in which the model refuses is complete", () => {
  const told = whole("RESPONSES", "CHAT", COMPLETION);
  const last = streamed("RESPONSES", "CHAT", CHAT_EVENTS).at(-1) ?? {};
  assert.equal(last["type"], "response.completed");
  for (const response of [told, object(last["response"]) ?? {}]) {
    const [item] = objects(response["output"]);
    assert.deepEqual(
      [response["status"], item?.["status"], item?.["content"]],
      ["completed", "completed", [REFUSAL]],
    );
  }
});

const STOP_DETAILS = { type: "refusal", category: null, explanation: "I can't." };

test("a message in which the model refuses says nothing but why, where schemas would not fit its words", () => {
  for (const [form, reply, events] of [
    ["CHAT", COMPLETION, CHAT_EVENTS],
    ["RESPONSES", RESPONSE, RESPONSE_EVENTS],
  ] as const) {
    const told = whole("MESSAGES", form, reply);
    const { content, stop_reason, stop_details } = told;
    assert.deepEqual([content, stop_reason, stop_details], [[], "refusal", STOP_DETAILS], form);
    const said = streamed("MESSAGES", form, events);
    const types = said.map(({ type }) => type);
    assert.deepEqual(types, ["message_start", "message_delta", "message_stop"], form);
    const { stop_reason: reason, stop_details: why } = object(said[1]?.["delta"]) ?? {};
    assert.deepEqual([reason, why], ["refusal", STOP_DETAILS], form);
  }
});

test("blocks behind a refusal are counted on from those before it", () => {
  const call = { index: 0, id: "a", function: { name: "run", arguments: "{}" } };
  const said = streamed("MESSAGES", "CHAT", [
    chunk({ content: "Well" }),
    chunk({ refusal: "No." }),
    chunk({ tool_calls: [call] }, "tool_calls"),
  ]);
  const places = said.flatMap(({ type, index }) => (type === "content_block_start" ? [index] : []));
  assert.deepEqual(places, [0, 1]);
});

test("a message says that there are no details of its end, and of one that was filtered that nobody gave any", () => {
  const ended = (finish_reason: string): JsonObject =>
    whole("MESSAGES", "CHAT", { choices: [{ message: { content: "a" }, finish_reason }] });
  assert.equal(ended("stop")["stop_details"], null);
  const { explanation: _, ...rest } = STOP_DETAILS;
  assert.deepEqual(ended("content_filter")["stop_details"], { ...rest, explanation: null });
});

test("a Gemini model's caller reads a refusal where it reads text, and that it is one", () => {
  const [candidate] = objects(whole("GENERATE", "CHAT", COMPLETION)["candidates"]);
  assert.deepEqual(object(candidate?.["content"])?.["parts"], [{ text: "I can't." }]);
  assert.equal(candidate?.["finishReason"], "SAFETY");
});

const FEEDBACK = { blockReason: "PROHIBITED_CONTENT" };
const BLOCKED = { promptFeedback: FEEDBACK, usageMetadata: { promptTokenCount: 4 } };
const WHY = "The provider blocked the prompt (PROHIBITED_CONTENT).";

test("a prompt that Gemini blocked is told with the reason, whole and streamed, as what was filtered", () => {
  const choice = objects(whole("CHAT", "GENERATE", BLOCKED)["choices"])[0];
  const chunks = streamed("CHAT", "GENERATE", [BLOCKED]).flatMap(({ choices }) => objects(choices));
  const refusal = chunks.map(({ delta }) => string(object(delta)?.["refusal"]) ?? "").join("");
  const message = object(choice?.["message"]);
  assert.deepEqual([message?.["content"], message?.["refusal"], refusal], [null, WHY, WHY]);
  assert.equal(choice?.["finish_reason"], "content_filter");
  assert.equal(chunks.at(-1)?.["finish_reason"], "content_filter");

  const last = streamed("RESPONSES", "GENERATE", [BLOCKED]).at(-1);
  assert.equal(last?.["type"], "response.incomplete");
  for (const response of [whole("RESPONSES", "GENERATE", BLOCKED), object(last["response"])]) {
    assert.deepEqual(response?.["incomplete_details"], { reason: "content_filter" });
    const [item] = objects(response["output"]);
    assert.deepEqual(item?.["content"], [{ type: "refusal", refusal: WHY }]);
  }

  const details = { type: "refusal", category: null, explanation: WHY };
  const told = whole("MESSAGES", "GENERATE", BLOCKED);
  assert.deepEqual(
    [told["content"], told["stop_reason"], told["stop_details"]],
    [[], "refusal", details],
  );
  const events = streamed("MESSAGES", "GENERATE", [BLOCKED]);
  const delta = object(events.find(({ type }) => type === "message_delta")?.["delta"]);
  assert.deepEqual([delta?.["stop_reason"], delta?.["stop_details"]], ["refusal", details]);
});

test("why a prompt was blocked is told in all that Google says of it", () => {
  for (const [more, words] of [
    [
      { blockReasonMessage: "Not here." },
      "The provider blocked the prompt (PROHIBITED_CONTENT): Not here.",
    ],
    [
      {
        blockReason: "SAFETY",
        safetyRatings: [
          { category: "HARM_CATEGORY_HARASSMENT", probability: "LOW" },
          { category: "HARM_CATEGORY_DANGEROUS_CONTENT", probability: "HIGH", blocked: true },
        ],
      },
      "The provider blocked the prompt (SAFETY, HARM_CATEGORY_DANGEROUS_CONTENT).",
    ],
  ] as const) {
    const reply = { ...BLOCKED, promptFeedback: { ...FEEDBACK, ...more } };
    const told = whole("MESSAGES", "GENERATE", reply);
    assert.equal(object(told["stop_details"])?.["explanation"], words);
  }
});

test("a reply that Gemini gave all the same is none that was blocked", () => {
  const content = { role: "model", parts: [{ text: "Yes." }] };
  const given = { ...BLOCKED, candidates: [{ content, finishReason: "STOP" }] };
  assert.equal(whole("MESSAGES", "GENERATE", given)["stop_reason"], "end_turn");
  const events = streamed("MESSAGES", "GENERATE", [given]);
  const delta = object(events.find(({ type }) => type === "message_delta")?.["delta"]);
  assert.deepEqual([delta?.["stop_reason"], delta?.["stop_details"]], ["end_turn", null]);
});
