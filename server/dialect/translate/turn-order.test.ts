import assert from "node:assert/strict";
import test from "node:test";
import { type JsonObject, object, objects } from "./json.js";
import type { Form, Target } from "./side.js";
import { translatorFor } from "./translator.js";

// Chat completions want each call answered directly behind the message that made it; others are freer.

const TARGET: Target = {
  model: "gpt-4o",
  maxOutput: null,
  providerSlug: "openai",
  asksUsage: true,
};
const CALL = { id: "call_1", nowSeconds: 1, streamed: false, modelAsked: "m", asArray: false };

interface Sent {
  readonly messages: JsonObject[];
  readonly contents: JsonObject[];
  readonly system?: unknown;
  readonly systemInstruction?: unknown;
}

function asked(from: Form, to: Form, body: JsonObject): Sent {
  const text = Buffer.from(JSON.stringify({ model: "m", max_tokens: 9, ...body }));
  return JSON.parse(translatorFor(from, to)!.request(text, TARGET, CALL).body.toString());
}

/** Roles in order, a tool's with the id that it answers, an assistant's with the ids that it calls. */
function order(messages: readonly JsonObject[]): string[] {
  return messages.map((message) => {
    const calls = (message["tool_calls"] ?? []) as JsonObject[];
    const ids = calls.map((call) => String(call["id"]));
    if (message["role"] === "tool") ids.push(String(message["tool_call_id"]));
    return [String(message["role"]), ...ids].join(" ");
  });
}

const use = (id: string): JsonObject => ({
  role: "assistant",
  content: [{ type: "tool_use", id, name: "f", input: {} }],
});
const result = (id: string): JsonObject => ({
  type: "tool_result",
  tool_use_id: id,
  content: "done",
});
const user = (...content: unknown[]): JsonObject => ({ role: "user", content });
const words = { type: "text", text: "by the way" };

test("calls of one go that stand in two messages are one message, and both are answered behind it", () => {
  const messages = [user(words), use("a"), use("b"), user(result("a"), result("b"))];
  const sent = asked("MESSAGES", "CHAT", { messages }).messages;
  assert.deepEqual(order(sent), ["user", "assistant a b", "tool a", "tool b"]);
});

test("results that come in several messages follow their calls before anything else is said", () => {
  const both: JsonObject = {
    role: "assistant",
    content: [use("a"), use("b")].flatMap((each) => each["content"] as JsonObject[]),
  };
  const image = { type: "image", source: { type: "url", url: "https://x/y.png" } };
  const shown = { ...result("a"), content: [image] };
  const messages = [user(words), both, user(shown, words), user(result("b")), use("c")];
  const sent = asked("MESSAGES", "CHAT", { messages }).messages;
  assert.deepEqual(order(sent), [
    "user",
    "assistant a b",
    "tool a",
    "tool b",
    "user",
    "assistant c",
  ]);
  const said = sent[4]?.["content"] as JsonObject[];
  assert.deepEqual(
    said.map((part) => part["type"]),
    ["image_url", "text"],
  );
});

test("what a user says between a call and its result is said behind the result", () => {
  const input = [
    { role: "user", content: "go" },
    { type: "function_call", call_id: "a", name: "f", arguments: "{}" },
    { role: "user", content: "hurry" },
    { role: "developer", content: "be kind" },
    { type: "function_call_output", call_id: "a", output: "done" },
  ];
  const sent = asked("RESPONSES", "CHAT", { input }).messages;
  assert.deepEqual(order(sent), ["user", "assistant a", "tool a", "user", "system"]);
});

test("assistants that only speak stay apart, and so do the calls of different rounds", () => {
  const says = { role: "assistant", content: "well" };
  const messages = [
    user(words),
    says,
    says,
    use("a"),
    user(result("a")),
    use("b"),
    user(result("b")),
  ];
  assert.deepEqual(order(asked("MESSAGES", "CHAT", { messages }).messages), [
    "user",
    "assistant",
    "assistant",
    "assistant a",
    "tool a",
    "assistant b",
    "tool b",
  ]);
});

test("joining turns costs no more than there are, in every direction", () => {
  const many = 12_000;
  const repeated = (each: JsonObject): JsonObject[] => Array.from({ length: many }, () => each);
  const hi = { role: "user", content: "x" };
  const joined = asked("CHAT", "MESSAGES", { messages: repeated(hi) }).messages;
  const content = joined[0]?.["content"];
  assert.ok(Array.isArray(content) && content.length === many);
  const pairs = Array.from({ length: many }, (_each, at) => [
    { type: "function_call", call_id: `c${String(at)}`, name: "f", arguments: "{}" },
    { type: "function_call_output", call_id: `c${String(at)}`, output: "" },
  ]);
  const calls = pairs.map(([call]) => call);
  const outputs = pairs.map(([, output]) => output);
  const turns = asked("RESPONSES", "MESSAGES", { input: [hi, ...calls, ...outputs] }).messages;
  assert.equal(turns.length, 3);
  asked("RESPONSES", "CHAT", { input: [hi, ...calls, ...outputs] });
  asked("CHAT", "GENERATE", { messages: repeated(hi) });
});

test("a call that is answered twice has its first result, and an id that comes again one for each call", () => {
  const again = (text: string): JsonObject => ({ ...result("a"), content: text });
  const messages = [
    { role: "user", content: "hi" },
    use("a"),
    { role: "user", content: [again("first"), again("second")] },
    { role: "user", content: [again("third")] },
    use("a"),
    { role: "user", content: [again("fourth")] },
  ];
  const { messages: made } = asked("MESSAGES", "CHAT", { messages });
  assert.deepEqual(order(made), ["user", "assistant a", "tool a", "assistant a", "tool a"]);
  const results = made.filter(({ role }) => role === "tool").map(({ content }) => content);
  assert.deepEqual(results, ["first", "fourth"]);
});

test("results that an agent sends as they are done stand in the order of their calls", () => {
  const both = [use("a"), use("b"), use("c")].flatMap((each) => each["content"] as JsonObject[]);
  const messages = [
    user(words),
    { role: "assistant", content: both },
    user(result("b"), words),
    user(result("c"), result("a")),
    use("d"),
    user(result("d")),
  ];
  const ordered = ["user", "assistant a b c", "tool a", "tool b", "tool c", "user"];
  const chat = order(asked("MESSAGES", "CHAT", { messages }).messages);
  assert.deepEqual(chat, [...ordered, "assistant d", "tool d"]);
  const { contents } = asked("MESSAGES", "GENERATE", { messages });
  const answered = objects(contents[2]?.["parts"]).map((part) => object(part["functionResponse"]));
  assert.deepEqual(
    answered.map((response) => response?.["id"]),
    ["a", "b", "c", undefined],
  );
});

/** An agent that tells what is left of its budget after each round of tools, as the system. */
function budgeted(rounds: number): JsonObject[] {
  const later = Array.from({ length: rounds }, (_each, at): JsonObject[] => {
    const id = `c${String(at)}`;
    const tool_calls = [{ id, type: "function", function: { name: "f", arguments: "{}" } }];
    return [
      { role: "assistant", tool_calls },
      { role: "tool", tool_call_id: id, content: "done" },
      { role: "system", content: `${String(900 - at)} tokens left` },
    ];
  });
  return [user(words), { role: "system", content: "Be brief." }, ...later.flat()];
}

for (const to of ["MESSAGES", "GENERATE"] as const) {
  test(`what the system says behind the assistant stays there, and what is before it can be cached (${to})`, () => {
    const [before, after] = [2, 3].map((rounds) => {
      const sent = asked("CHAT", to, { messages: budgeted(rounds) });
      const { system, systemInstruction, messages, contents } = sent;
      return { front: JSON.stringify(system ?? systemInstruction), said: messages ?? contents };
    });
    assert.match(before?.front ?? "", /Be brief/);
    assert.doesNotMatch(before?.front ?? "", /tokens left/);
    assert.equal(after?.front, before?.front);
    assert.deepEqual(after?.said.slice(0, before?.said.length), before?.said);
    assert.match(JSON.stringify(after?.said.at(-1)), /898 tokens left/);
  });
}
