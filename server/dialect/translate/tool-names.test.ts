import assert from "node:assert/strict";
import test from "node:test";
import type { JsonObject } from "./json.js";
import type { Form } from "./side.js";
import { translatorFor } from "./translator.js";

const CALL = { id: "id", nowSeconds: 1, streamed: true, modelAsked: "m", asArray: false };
const TARGET = { model: "m", maxOutput: null, providerSlug: "x", asksUsage: true };

const LONG = `mcp__plugin_browser-tools__${"get_console_message_".repeat(3)}`;
const ALIKE = ["a", "b"].map((end) => `${LONG}${end}`);

function ask(from: Form, to: Form, body: JsonObject) {
  return translatorFor(from, to)!.request(Buffer.from(JSON.stringify(body)), TARGET, CALL);
}

/** All names of tools in a request, wherever they stand. */
function namesIn(body: Buffer): string[] {
  const found = new Set<string>();
  JSON.parse(body.toString(), (key, value: unknown) => {
    if (key === "name" && typeof value === "string") found.add(value);
    if (key === "allowedFunctionNames") for (const each of value as string[]) found.add(each);
    return value;
  });
  return [...found];
}

function chatOf(names: readonly string[]): JsonObject {
  return {
    messages: [
      { role: "user", content: "go" },
      ...names.flatMap((name, at) => [
        {
          role: "assistant",
          tool_calls: [{ id: `c${String(at)}`, type: "function", function: { name } }],
        },
        { role: "tool", tool_call_id: `c${String(at)}`, content: "done" },
      ]),
    ],
    tools: names.map((name) => ({ type: "function", function: { name } })),
    tool_choice: { type: "function", function: { name: names[0] } },
  };
}

function messagesOf(names: readonly string[]): JsonObject {
  return {
    max_tokens: 9,
    messages: [
      { role: "user", content: "go" },
      ...names.flatMap((name, at) => [
        {
          role: "assistant",
          content: [{ type: "tool_use", id: `c${String(at)}`, name, input: {} }],
        },
        { role: "user", content: [{ type: "tool_result", tool_use_id: `c${String(at)}` }] },
      ]),
    ],
    tools: names.map((name) => ({ name, input_schema: { type: "object" } })),
    tool_choice: { type: "tool", name: names[0] },
  };
}

function generateOf(names: readonly string[]): JsonObject {
  return {
    contents: [
      { role: "user", parts: [{ text: "go" }] },
      ...names.flatMap((name) => [
        { role: "model", parts: [{ functionCall: { name, args: {} } }] },
        { role: "user", parts: [{ functionResponse: { name, response: {} } }] },
      ]),
    ],
    tools: [{ functionDeclarations: names.map((name) => ({ name })) }],
  };
}

const CASES: readonly (readonly [Form, Form, JsonObject, RegExp])[] = [
  ["MESSAGES", "CHAT", messagesOf(ALIKE), /^[\w-]{1,64}$/],
  ["MESSAGES", "RESPONSES", messagesOf(ALIKE), /^[\w-]{1,64}$/],
  ["MESSAGES", "GENERATE", messagesOf(ALIKE), /^[A-Za-z_][\w.:-]{0,63}$/],
  ["CHAT", "GENERATE", chatOf(["3d", "-x"]), /^[A-Za-z_][\w.:-]{0,63}$/],
  ["GENERATE", "CHAT", generateOf(["fs.read", "fs:read"]), /^[\w-]{1,64}$/],
  ["GENERATE", "MESSAGES", generateOf(["fs.read", "fs:read"]), /^[\w-]{1,64}$/],
];

for (const [from, to, body, fitting] of CASES) {
  test(`names of tools that ${to} does not take become such as it takes (${from})`, () => {
    const sent = ask(from, to, body);
    const names = namesIn(sent.body);
    assert.equal(names.length, 2);
    for (const name of names) assert.match(name, fitting);
    assert.deepEqual(namesIn(ask(from, to, body).body), names);
    assert.equal(sent.dropped.filter((each) => each.startsWith("tool names")).length, 1);
  });
}

test("names that fit stay", () => {
  const names = ["a", "b".repeat(64), "_-1"];
  for (const to of ["MESSAGES", "RESPONSES"] as const) {
    assert.deepEqual(namesIn(ask("CHAT", to, chatOf(names)).body), names);
  }
  assert.deepEqual(namesIn(ask("CHAT", "GENERATE", chatOf(names)).body), names);
});

test("calls come back under the names that the caller gave, streamed or not", () => {
  const translation = ask("MESSAGES", "CHAT", messagesOf(ALIKE));
  const calls = namesIn(translation.body).map((name, index) => ({
    index,
    id: `t${String(index)}`,
    type: "function",
    function: { name, arguments: "{}" },
  }));
  const whole = { choices: [{ message: { tool_calls: calls }, finish_reason: "tool_calls" }] };
  const reply = translation.reply(Buffer.from(JSON.stringify(whole)));
  assert.deepEqual(namesIn(reply), ALIKE);
  const chunk = { choices: [{ index: 0, delta: { tool_calls: calls } }] };
  const stream = translation.stream();
  const events = stream.push(Buffer.from(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`));
  const names = Array.from(events.toString().matchAll(/"name":"([^"]+)"/g), ([, name]) => name);
  assert.deepEqual(names, ALIKE);
});

test("a tool in a namespace comes back in it, however long the two are together", () => {
  const name = "x".repeat(50);
  const namespace = "mcp__browser_tools";
  const translation = ask("RESPONSES", "MESSAGES", {
    input: "go",
    tools: [{ type: "namespace", name: namespace, tools: [{ type: "function", name }] }],
  });
  const [given = ""] = namesIn(translation.body);
  assert.ok(given.length <= 64);
  const content = [{ type: "tool_use", id: "t", name: given, input: {} }];
  const reply = JSON.parse(translation.reply(Buffer.from(JSON.stringify({ content }))).toString());
  assert.equal(reply.output[0].name, name);
  assert.equal(reply.output[0].namespace, namespace);
});
