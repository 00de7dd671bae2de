import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import type { Dialect } from "../../server/core/provider.js";
import {
  CHAT_REPLY,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { startGateway, type TestGateway } from "./fixture.js";

// Whatever Google's own API takes, callers of it may send for a model that another provider serves.

type Json = Record<string, unknown>;

let stub: UpstreamStub;
const sides = new Map<Dialect, TestGateway>();

before(async () => {
  stub = await startUpstreamStub();
  for (const dialect of ["OPENAI", "ANTHROPIC"] as const) {
    const baseUrl = dialect === "OPENAI" ? `${stub.origin}/v1` : stub.origin;
    sides.set(dialect, await startGateway({ providers: [{ baseUrl, dialect }] }));
  }
});

after(async () => {
  for (const gateway of sides.values()) await gateway.close();
  await stub.close();
});

beforeEach(() => {
  stub.received.length = 0;
});

const ANSWERS = {
  OPENAI: CHAT_REPLY,
  ANTHROPIC: JSON.stringify({
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude-sonnet-5",
    content: [{ type: "text", text: "Hello." }],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage: { input_tokens: 20, output_tokens: 9 },
  }),
};

async function post(dialect: keyof typeof ANSWERS, body: Json, model = "m"): Promise<Response> {
  stub.script = replyJson(200, ANSWERS[dialect]);
  return sides.get(dialect)!.post(`/v1beta/models/${model}:generateContent`, body);
}

/** What the provider was asked. */
async function sent(dialect: keyof typeof ANSWERS, body: Json, model = "m") {
  const response = await post(dialect, body, model);
  assert.equal(response.status, 200, await response.text());
  return JSON.parse(stub.received.at(-1)!.body.toString());
}

/** A caller's own names, which look like Google's. */
const SCHEMA = { type: "object", properties: { any_of: { type: "string" } } };

function user(...parts: Json[]): Json {
  return { role: "user", parts };
}

function model(...parts: Json[]): Json {
  return { role: "model", parts };
}

function call(name: string, id?: string): Json {
  return { functionCall: id === undefined ? { name, args: {} } : { id, name, args: {} } };
}

function result(name: string, output: string, id?: string): Json {
  const given = { name, response: { output } };
  return { functionResponse: id === undefined ? given : { ...given, id } };
}

interface ChatMessage {
  readonly role: string;
  readonly content: string;
  readonly tool_calls?: readonly { readonly id: string }[];
  readonly tool_call_id?: string;
}

/** The ids of calls, and of each result the id that it answers. */
function pairs(messages: readonly ChatMessage[]) {
  return {
    calls: messages.flatMap((each) => each.tool_calls ?? []).map(({ id }) => id),
    results: messages
      .filter(({ role }) => role === "tool")
      .map((each) => [each.tool_call_id, each.content]),
  };
}

test("results without ids answer calls that have some, those first that were made first", async () => {
  const contents = [
    user({ text: "go" }),
    model(call("run", "a"), call("run", "b"), call("look", "c")),
    user(result("look", "3"), result("run", "1"), result("run", "2")),
  ];
  const { messages } = await sent("OPENAI", { contents });
  assert.deepEqual(pairs(messages), {
    calls: ["a", "b", "c"],
    results: [
      ["a", "1"],
      ["b", "2"],
      ["c", "3"],
    ],
  });
});

test("a result with an id leaves the other calls of its name to results without", async () => {
  const contents = [
    user({ text: "go" }),
    model(call("run", "a"), call("run", "b")),
    user(result("run", "2", "a"), result("run", "1")),
  ];
  const { messages } = await sent("OPENAI", { contents });
  assert.deepEqual(pairs(messages).results, [
    ["a", "2"],
    ["b", "1"],
  ]);
});

const DOCUMENTED = {
  system_instruction: { parts: { text: "You are a cat." } },
  contents: {
    role: "user",
    parts: [{ text: "Hello" }, { inline_data: { mime_type: "image/png", data: "AAAA" } }],
  },
  tools: { function_declarations: { name: "a", parameters_json_schema: SCHEMA } },
  tool_config: { function_calling_config: { mode: "ANY", allowed_function_names: "a" } },
  generation_config: {
    max_output_tokens: 5,
    stop_sequences: "END",
    response_mime_type: "application/json",
    response_json_schema: SCHEMA,
    candidate_count: null,
  },
};

test("names in snake case, and an object in place of a list, mean what they mean to Google", async () => {
  const asked = await sent("OPENAI", DOCUMENTED);
  assert.deepEqual(asked.messages, [
    { role: "system", content: "You are a cat." },
    {
      role: "user",
      content: [
        { type: "text", text: "Hello" },
        { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } },
      ],
    },
  ]);
  assert.deepEqual(asked.tools, [
    { type: "function", function: { name: "a", parameters: SCHEMA } },
  ]);
  assert.deepEqual(asked.tool_choice, { type: "function", function: { name: "a" } });
  assert.deepEqual([asked.max_tokens, asked.stop], [5, ["END"]]);
  assert.deepEqual(asked.response_format.json_schema.schema, SCHEMA);
});

test("what a caller names itself keeps its name, inside arguments, results and schemas", async () => {
  const args = { max_output_tokens: { inline_data: null } };
  const properties = { any_of: { type: "STRING", min_length: "2" } };
  const asked = await sent("OPENAI", {
    contents: [
      user({ text: "go" }),
      model({ function_call: { name: "run", args } }),
      user({ function_response: { name: "run", response: args } }),
    ],
    tools: [
      { function_declarations: [{ name: "run", parameters: { type: "OBJECT", properties } }] },
    ],
  });
  const [, called, answered] = asked.messages;
  assert.deepEqual(JSON.parse(called.tool_calls[0].function.arguments), args);
  assert.deepEqual(JSON.parse(answered.content), args);
  assert.deepEqual(asked.tools[0].function.parameters, {
    type: "object",
    properties: { any_of: { type: "string", minLength: 2 } },
  });
});

test("a turn in which nothing can be read is refused, and no empty one sent", async () => {
  const unreadable = [
    { contents: [] },
    { contents: null },
    { contents: 7 },
    { contents: [7] },
    { contents: [{ role: "user" }] },
    { contents: [{ role: "user", text: "Hi" }] },
    { contents: [user()] },
    { contents: [{ parts: ["Hi"] }] },
    { contents: [user({ text: "Hi" })], systemInstruction: { text: "rules" } },
  ];
  for (const body of unreadable) {
    const response = await post("ANTHROPIC", body);
    assert.equal(response.status, 400, JSON.stringify(body));
    assert.match(await response.text(), /contents|parts/);
  }
  assert.equal(stub.received.length, 0);
});

/** A tool loop of a caller that knows no ids. */
function loop(rounds: number): Json[] {
  const said = Array.from({ length: rounds }, (_each, at) => [
    model(call("run")),
    user(result("run", String(at))),
  ]);
  return [user({ text: "go" }), ...said.flat()];
}

test("made ids are short, and the same in every request, so that the provider's cache of the prompt holds", async () => {
  const first = pairs((await sent("OPENAI", { contents: loop(2) })).messages);
  const later = pairs((await sent("OPENAI", { contents: loop(120) })).messages);
  assert.deepEqual(later.calls.slice(0, 2), first.calls);
  assert.deepEqual(
    later.results,
    later.calls.map((id, at) => [id, String(at)]),
  );
  assert.equal(new Set(later.calls).size, 120);
  assert.ok(later.calls.every((id) => id.length <= 40));
});

test("a made id is none that the caller gave", async () => {
  const [made = ""] = pairs((await sent("OPENAI", { contents: loop(1) })).messages).calls;
  const contents = [...loop(1), model(call("run", made)), user(result("run", "given", made))];
  const { calls, results } = pairs((await sent("OPENAI", { contents })).messages);
  assert.equal(new Set(calls).size, 2);
  assert.deepEqual(results, [
    [calls[0], "0"],
    [made, "given"],
  ]);
});

const LIST = {
  type: "ARRAY",
  min_items: "2",
  items: {
    type: "OBJECT",
    properties: {
      pick: { type: "STRING", enum: ["a"], nullable: true },
      either: { anyOf: [{ type: "STRING" }, { type: "INTEGER" }], nullable: true },
    },
  },
};
const LIST_AS_JSON_SCHEMA = {
  type: "array",
  minItems: 2,
  items: {
    type: "object",
    properties: {
      pick: { type: ["string", "null"], enum: ["a", null] },
      either: { anyOf: [{ type: "string" }, { type: "integer" }, { type: "null" }] },
    },
  },
};

test("a reply that is to be no object is asked for in words, for no other provider takes its schema", async () => {
  const generationConfig = { responseMimeType: "application/json", responseSchema: LIST };
  const contents = [user({ text: "x" })];
  const chat = await sent("OPENAI", { contents, generationConfig });
  const claude = await sent("ANTHROPIC", { contents, generationConfig }, "claude-sonnet-4-6");
  assert.equal(chat.response_format, undefined);
  assert.equal(claude.output_config, undefined);
  for (const instruction of [chat.messages[0].content, claude.system]) {
    assert.match(instruction, /JSON/);
    assert.deepEqual(JSON.parse(instruction.split("\n").at(-1)), LIST_AS_JSON_SCHEMA);
  }
});

test("a schema that leaves out that its root is an object says so to the provider", async () => {
  const responseSchema = { properties: { a: { type: "STRING" } } };
  const generationConfig = { responseMimeType: "application/json", responseSchema };
  const asked = await sent("OPENAI", { contents: [user({ text: "x" })], generationConfig });
  assert.equal(asked.response_format.json_schema.schema.type, "object");
});

test("a choice of one value is asked for in words, behind the caller's own", async () => {
  const asked = await sent("OPENAI", {
    systemInstruction: "rules",
    contents: [user({ text: "x" })],
    generationConfig: {
      responseMimeType: "text/x.enum",
      responseSchema: { type: "STRING", enum: ["yes", "no"] },
    },
  });
  assert.equal(asked.response_format, undefined);
  assert.match(asked.messages[0].content, /^rules\n\n[^]*\nyes\nno$/);
});
