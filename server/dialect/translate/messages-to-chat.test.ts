import assert from "node:assert/strict";
import test from "node:test";
import { Fault } from "../../core/fault.js";
import type { JsonObject } from "./json.js";
import type { Target } from "./side.js";
import { translatorFor } from "./translator.js";

const TARGET: Target = {
  model: "gpt-4o",
  maxOutput: 16_384,
  providerSlug: "openai",
  asksUsage: true,
};

function ask(body: JsonObject, target: Partial<Target> = {}, streamed = false) {
  const call = { id: "call_1", nowSeconds: 1, streamed, modelAsked: "gpt", asArray: false };
  const text = Buffer.from(JSON.stringify({ model: "gpt", max_tokens: 64_000, ...body }));
  return translatorFor("MESSAGES", "CHAT")!.request(text, { ...TARGET, ...target }, call);
}

const asked = (body: JsonObject, target: Partial<Target> = {}, streamed = false) =>
  JSON.parse(ask(body, target, streamed).body.toString());

const HI = { messages: [{ role: "user", content: "hi" }] };
test("a body of so many values that others would wait for it is refused", () => {
  const messages = Array.from({ length: 60_000 }, () => ({ role: "user", content: "hi" }));
  assert.throws(() => ask({ messages }), {
    code: "untranslatable",
    message: /100,000 JSON values/,
  });
});

const TOOL = { name: "weather", input_schema: { type: "object", properties: {} } };

test("what an agent sends for Anthropic alone is left out", () => {
  const { body, dropped } = ask({
    system: [{ type: "text", text: "rules", cache_control: { type: "ephemeral" } }],
    messages: [
      {
        role: "user",
        content: [{ type: "text", text: "hi", cache_control: { type: "ephemeral" } }],
      },
      {
        role: "assistant",
        content: [
          { type: "thinking", thinking: "hm", signature: "sig" },
          { type: "text", text: "yes" },
        ],
      },
      { role: "user", content: "go on" },
    ],
    tools: [{ ...TOOL, cache_control: { type: "ephemeral" } }],
    thinking: { type: "adaptive" },
    context_management: { edits: [] },
    output_config: { effort: "high" },
    metadata: { user_id: "{}" },
  });
  const text = body.toString();
  assert.doesNotMatch(text, /cache_control|thinking|context_management|effort|metadata|sig|hm/);
  assert.deepEqual(JSON.parse(text).messages, [
    { role: "system", content: "rules" },
    { role: "user", content: "hi" },
    { role: "assistant", content: "yes" },
    { role: "user", content: "go on" },
  ]);
  assert.equal(dropped.length, 5);
});

test("the limit of the output has the provider's name for it, and is never above the model's", () => {
  assert.equal(asked(HI).max_completion_tokens, 16_384);
  assert.equal(asked(HI, { providerSlug: "groq", maxOutput: null }).max_tokens, 64_000);
  const mirror = { providerSlug: "our-openai", model: "gpt-5.4" };
  assert.equal(asked(HI, mirror).max_tokens, undefined, "OpenAI's models refuse it anywhere");
  assert.equal(asked(HI, mirror).max_completion_tokens, 16_384);
});

test("usage is asked for in a stream where the provider knows how", () => {
  assert.deepEqual(asked(HI, {}, true).stream_options, { include_usage: true });
  assert.equal(asked(HI, { asksUsage: false }, true).stream_options, undefined);
  assert.equal(asked(HI).stream, undefined);
});

test("models that think get no sampling parameters, others do", () => {
  assert.equal(asked({ ...HI, temperature: 0.3, top_k: 5 }).temperature, 0.3);
  assert.equal(asked({ ...HI, temperature: 0.3 }, { model: "gpt-5.4" }).temperature, undefined);
});

test("results of parallel calls become one tool message each, with the same ids, and images follow them", () => {
  const { messages } = asked({
    tools: [TOOL],
    messages: [
      { role: "user", content: "both" },
      {
        role: "assistant",
        content: [
          { type: "text", text: "I look." },
          { type: "tool_use", id: "t1", name: "weather", input: { a: 1 } },
          { type: "tool_use", id: "t2", name: "weather", input: {} },
        ],
      },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "t1", content: "sun" },
          {
            type: "tool_result",
            tool_use_id: "t2",
            is_error: true,
            content: [
              { type: "image", source: { type: "base64", media_type: "image/png", data: "AA" } },
            ],
          },
          { type: "text", text: "well?" },
        ],
      },
    ],
  });
  assert.deepEqual(
    messages.map((message: JsonObject) => message["role"]),
    ["user", "assistant", "tool", "tool", "user"],
  );
  assert.equal(messages[1].tool_calls[0].function.arguments, '{"a":1}');
  assert.deepEqual(
    [messages[2].tool_call_id, messages[2].content, messages[3].tool_call_id],
    ["t1", "sun", "t2"],
  );
  assert.deepEqual(messages[4].content, [
    { type: "image_url", image_url: { url: "data:image/png;base64,AA" } },
    { type: "text", text: "well?" },
  ]);
});

test("a result without a text, and a failure that says nothing, say at least that", () => {
  const image = { type: "image", source: { type: "url", url: "https://example.com/a.png" } };
  const told = (result: JsonObject): unknown => {
    const content = [{ type: "tool_result", tool_use_id: "t1", ...result }];
    const call = { type: "tool_use", id: "t1", name: "weather", input: {} };
    const messages = [
      { role: "assistant", content: [call] },
      { role: "user", content },
    ];
    return asked({ messages }).messages.find((each: JsonObject) => each["role"] === "tool").content;
  };
  assert.equal(told({ content: [image] }), "The result follows below.");
  assert.equal(told({ content: [{ type: "text", text: "Look." }, image] }), "Look.");
  assert.equal(told({ content: [image], is_error: true }), "The result follows below.");
  assert.equal(told({ is_error: true }), "The tool failed.");
  assert.equal(told({ content: "No.", is_error: true }), "No.");
  assert.equal(told({}), "");
});

test("who wants the thoughts of a model back gets them in their own field, and nobody else any", () => {
  const assistant = {
    role: "assistant",
    content: [
      { type: "thinking", thinking: "hm ", signature: "sig" },
      { type: "redacted_thinking", data: "sealed" },
      { type: "thinking", thinking: "so", signature: "" },
      { type: "text", text: "yes" },
    ],
  };
  const sent = (providerSlug: string): unknown =>
    asked({ messages: [...HI.messages, assistant, ...HI.messages] }, { providerSlug }).messages[1];
  const said = { role: "assistant", content: "yes" };
  assert.deepEqual(sent("openai"), said);
  assert.deepEqual(sent("deepseek"), { ...said, reasoning_content: "hm so" });
  assert.deepEqual(sent("openrouter"), {
    ...said,
    reasoning: "hm so",
    reasoning_details: [
      { type: "reasoning.text", text: "hm ", signature: "sig", index: 0 },
      { type: "reasoning.encrypted", data: "sealed", index: 1 },
      { type: "reasoning.text", text: "so", index: 2 },
    ],
  });
});

test("every choice of tools has its counterpart", () => {
  const choice = (tool_choice: JsonObject) => asked({ ...HI, tools: [TOOL], tool_choice });
  assert.equal(choice({ type: "auto" }).tool_choice, "auto");
  assert.equal(choice({ type: "any" }).tool_choice, "required");
  assert.equal(choice({ type: "none" }).tool_choice, "none");
  const one = choice({ type: "tool", name: "weather", disable_parallel_tool_use: true });
  assert.deepEqual(one.tool_choice, { type: "function", function: { name: "weather" } });
  assert.equal(one.parallel_tool_calls, false);
});

test("a system message in the middle keeps its place", () => {
  const { messages } = asked({
    messages: [
      ...HI.messages,
      { role: "system", content: "now this" },
      { role: "user", content: "x" },
    ],
  });
  assert.deepEqual(messages[1], { role: "system", content: "now this" });
});

test("schemas are strict where they can be", () => {
  const schema = {
    type: "object",
    properties: { a: { type: "string" } },
    required: ["a"],
    additionalProperties: false,
  };
  const format = (given: JsonObject) =>
    asked({ ...HI, output_config: { format: { type: "json_schema", schema: given } } })
      .response_format.json_schema.strict;
  assert.equal(format(schema), true);
  assert.equal(format({ ...schema, required: [] }), false);
});

test("a system message inside the conversation that says only how hard to think does that", () => {
  const directive = { role: "system", content: [], output_config: { effort: "low" } };
  const body = { messages: [...HI.messages, directive], output_config: { effort: "high" } };
  const sent = asked(body, { model: "gpt-5.4" });
  assert.equal(sent.reasoning_effort, "low");
  assert.deepEqual(sent.messages, [{ role: "user", content: "hi" }]);
});

test("documents go as files, text as text, and addresses are refused", () => {
  const document = (source: JsonObject) =>
    asked({ messages: [{ role: "user", content: [{ type: "document", source }] }] }).messages[0]
      .content;
  const pdf = document({ type: "base64", media_type: "application/pdf", data: "AA" });
  assert.equal(pdf[0].file.file_data, "data:application/pdf;base64,AA");
  const text = document({ type: "text", media_type: "text/plain", data: "grüße" });
  assert.deepEqual(text, [{ type: "text", text: "grüße" }]);
  assert.throws(
    () => document({ type: "url", url: "https://example.com/a.pdf" }),
    /documents by URL/,
  );
});

test("what is said of a document stands before it", () => {
  const source = { type: "text", media_type: "text/plain", data: "b" };
  const content = [{ type: "document", context: "a", source }];
  assert.deepEqual(asked({ messages: [{ role: "user", content }] }).messages[0].content, [
    { type: "text", text: "a" },
    { type: "text", text: "b" },
  ]);
});

test("what only Anthropic itself can do is refused by its name", () => {
  const refused: [JsonObject, RegExp][] = [
    [
      { ...HI, tools: [{ type: "web_search_20250305", name: "web_search" }] },
      /web_search_20250305/,
    ],
    [{ ...HI, thread: { type: "continue", previous_message_id: "msg_1" } }, /thread/],
    [{ ...HI, compaction: { type: "summarize" } }, /compaction/],
    [{ ...HI, mcp_servers: [{ url: "https://example.com" }] }, /mcp_servers/],
    [
      { messages: [{ role: "assistant", content: [{ type: "server_tool_use" }] }] },
      /server_tool_use/,
    ],
    [
      {
        messages: [
          { role: "user", content: [{ type: "image", source: { type: "file", file_id: "f" } }] },
        ],
      },
      /by id/,
    ],
  ];
  for (const [body, name] of refused) {
    assert.throws(
      () => ask(body),
      (thrown) =>
        thrown instanceof Fault &&
        thrown.code === "untranslatable" &&
        name.test(thrown.publicMessage),
    );
  }
});

function reply(message: JsonObject, finish_reason = "stop", usage?: unknown) {
  const body = {
    id: "chatcmpl-1",
    model: "gpt-4o",
    choices: [{ index: 0, message: { role: "assistant", ...message }, finish_reason }],
    usage,
  };
  return JSON.parse(
    ask(HI)
      .reply(Buffer.from(JSON.stringify(body)))
      .toString(),
  );
}

test("a chat completion becomes a message, its usage counted once", () => {
  const tool_calls = [{ id: "c1", type: "function", function: { name: "weather", arguments: "" } }];
  const usage = {
    prompt_tokens: 20,
    completion_tokens: 9,
    prompt_tokens_details: { cached_tokens: 15 },
    completion_tokens_details: { reasoning_tokens: 4 },
  };
  const message = reply(
    { content: "ok", reasoning_content: "hm", tool_calls },
    "tool_calls",
    usage,
  );
  assert.deepEqual(message.content, [
    { type: "thinking", thinking: "hm", signature: "~unsigned:" },
    { type: "text", text: "ok" },
    { type: "tool_use", id: "c1", name: "weather", input: {} },
  ]);
  assert.equal(message.stop_reason, "tool_use");
  assert.equal(message.usage.input_tokens, 5);
  assert.equal(message.usage.cache_read_input_tokens, 15);
  assert.equal(message.usage.output_tokens, 9);
});

test("every reason to stop has its counterpart, and calls of tools are one whatever the provider says", () => {
  assert.equal(reply({ content: "a" }).stop_reason, "end_turn");
  assert.equal(reply({ content: "a" }, "length").stop_reason, "max_tokens");
  assert.equal(reply({ content: "a" }, "content_filter").stop_reason, "refusal");
  assert.equal(reply({ content: null, refusal: "no" }).stop_reason, "refusal");
  const tool_calls = [{ id: "c1", function: { name: "weather", arguments: "{}" } }];
  assert.equal(reply({ tool_calls }).stop_reason, "tool_use");
});

test("content in pieces is read, its thoughts apart", () => {
  const { content } = reply({
    content: [
      { type: "thinking", thinking: [{ type: "text", text: "hm" }] },
      { type: "text", text: "ok" },
    ],
  });
  assert.deepEqual(
    content.map((block: JsonObject) => block["thinking"] ?? block["text"]),
    ["hm", "ok"],
  );
});

function chunk(delta: JsonObject, finish_reason: string | null = null, more: JsonObject = {}) {
  const body = { id: "c", model: "gpt-4o", choices: [{ index: 0, delta, finish_reason }], ...more };
  return `data: ${JSON.stringify(body)}\n\n`;
}

function call(index: number | undefined, id: string | undefined, args: string) {
  return chunk({ tool_calls: [{ index, id, function: { name: "weather", arguments: args } }] });
}

function streamed(chunks: readonly string[]): JsonObject[] {
  const stream = ask(HI, {}, true).stream();
  const text = Buffer.concat(chunks.map((each) => stream.push(Buffer.from(each)))).toString();
  return text
    .split("\n\n")
    .filter((each) => each !== "")
    .map((each) => JSON.parse(each.slice(each.indexOf("data: ") + 6)) as JsonObject);
}

/** Each block's kind, name and text, checked to be opened and closed one after the other. */
function blocks(events: readonly JsonObject[]): string[] {
  const found: string[] = [];
  let open = false;
  for (const event of events) {
    const delta = event["delta"] as Record<string, string> | undefined;
    if (event["type"] === "content_block_start") {
      assert.equal(open, false);
      assert.equal(event["index"], found.length);
      const block = event["content_block"] as Record<string, string>;
      found.push(`${block["type"] ?? ""} ${block["id"] ?? ""}:`);
      open = true;
    } else if (event["type"] === "content_block_delta") {
      assert.equal(event["index"], found.length - 1);
      found[found.length - 1] +=
        delta?.["text"] ?? delta?.["partial_json"] ?? delta?.["thinking"] ?? "";
    } else if (event["type"] === "content_block_stop") open = false;
  }
  assert.equal(open, false);
  return found;
}

test("parallel calls that come interleaved leave one after the other", () => {
  const events = streamed([
    chunk({ role: "assistant", content: "" }),
    chunk({ content: "ok" }),
    call(0, "a", '{"x"'),
    call(1, "b", '{"y":'),
    call(0, undefined, ":1}"),
    call(1, undefined, "2}"),
    chunk({}, "tool_calls"),
    "data: [DONE]\n\n",
  ]);
  assert.deepEqual(blocks(events), ["text :ok", 'tool_use a:{"x":1}', 'tool_use b:{"y":2}']);
});

test("calls without an index, or all with the same, are told apart by their ids", () => {
  for (const index of [undefined, 0]) {
    const events = streamed([
      call(index, "a", "{}"),
      call(index, "b", "{"),
      call(index, undefined, "}"),
      chunk({}, "stop"),
      "data: [DONE]\n\n",
    ]);
    assert.deepEqual(blocks(events), ["tool_use a:{}", "tool_use b:{}"]);
    const last = events.find((event) => event["type"] === "message_delta") ?? {};
    assert.equal((last["delta"] as JsonObject)["stop_reason"], "tool_use");
  }
});

test("calls that share their index and id are told apart by whole arguments and a name", () => {
  for (const id of ["a", undefined, ""]) {
    const events = streamed([
      call(0, id, ""),
      call(0, id, '{"x"'),
      call(0, id, ":1}"),
      call(0, id, " "),
      call(0, id, '{"x":2}'),
      chunk({}, "tool_calls"),
      "data: [DONE]\n\n",
    ]);
    const told = blocks(events);
    assert.deepEqual(
      told.map((each) => each.slice(each.indexOf(":")).trim()),
      [':{"x":1}', ':{"x":2}'],
    );
    const ids = new Set(told.map((each) => each.slice(0, each.indexOf(":"))));
    assert.equal(ids.size, 2, "one id for two calls");
  }
});

test("a call that is said again as a whole is one call", () => {
  const events = streamed([
    call(0, "a", '{"x"'),
    call(0, "a", ":1}"),
    call(0, "a", '{"x":1}'),
    chunk({}, "tool_calls"),
    "data: [DONE]\n\n",
  ]);
  assert.deepEqual(blocks(events), ['tool_use a:{"x":1}']);
});

test("two calls of one id in a whole reply get one each", () => {
  const one = { id: "a", type: "function", function: { name: "weather", arguments: "{}" } };
  const message = { role: "assistant", content: null, tool_calls: [one, one] };
  const choices = [{ index: 0, message, finish_reason: "tool_calls" }];
  const body = Buffer.from(JSON.stringify({ id: "c", model: "m", choices }));
  const { content } = JSON.parse(ask(HI).reply(body).toString()) as { content: { id: string }[] };
  assert.equal(new Set(content.map(({ id }) => id)).size, 2);
});

test("arguments that come as an object are those of the call", () => {
  const tool_calls = [{ index: 0, id: "a", function: { name: "weather", arguments: { x: 1 } } }];
  const events = streamed([chunk({ tool_calls }), chunk({}, "tool_calls"), "data: [DONE]\n\n"]);
  assert.deepEqual(blocks(events), ['tool_use a:{"x":1}']);
});

test("usage that comes after the last choice is in the last event", () => {
  const usage = { prompt_tokens: 3, completion_tokens: 4 };
  const events = streamed([
    chunk({ content: "a" }),
    chunk({}, "stop"),
    `data: ${JSON.stringify({ id: "c", choices: [], usage })}\n\n`,
    "data: [DONE]\n\n",
  ]);
  const last = events.at(-2) as { usage: JsonObject };
  assert.equal(last.usage["input_tokens"], 3);
  assert.equal(last.usage["output_tokens"], 4);
  assert.equal(events.at(-1)?.["type"], "message_stop");
});

test("the last event comes only when the provider's stream is complete", () => {
  const chunks = [chunk({ content: "a" }), chunk({}, "stop")];
  assert.ok(!streamed(chunks).some((event) => event["type"] === "message_stop"));
  const stream = ask(HI, {}, true).stream();
  for (const each of chunks) stream.push(Buffer.from(each));
  assert.match(stream.end().toString(), /message_stop/);
  assert.equal(stream.end().toString(), "");
});

test("an error inside a stream is an error event", () => {
  const events = streamed([
    chunk({ content: "a" }),
    `data: ${JSON.stringify({ error: { message: "slow down", code: "rate_limit_exceeded" } })}\n\n`,
    "data: [DONE]\n\n",
  ]);
  const last = events.at(-1) as { type: string; error: JsonObject };
  assert.deepEqual([last.type, last.error["type"]], ["error", "rate_limit_error"]);
});

test("a reply that the provider says broke off is an error, and never looks whole", () => {
  const reasons = ["error", "abort", "network_error", "insufficient_system_resource"];
  for (const reason of reasons) {
    const events = streamed([chunk({ content: "par" }), chunk({}, reason), "data: [DONE]\n\n"]);
    assert.equal(events.at(-1)?.["type"], "error", reason);
    assert.ok(!events.some(({ type }) => type === "message_stop"));
    const choices = [{ index: 0, message: { content: "par" }, finish_reason: reason }];
    assert.throws(
      () => ask(HI).reply(Buffer.from(JSON.stringify({ choices }))),
      /broke the reply off/,
    );
  }
});

test("a conversation that is too long is said so in the words agents look for", () => {
  const text = JSON.stringify({ error: { message: "too many", code: "context_length_exceeded" } });
  const { error } = JSON.parse(ask(HI).error(400, text));
  assert.match(error.message, /^prompt is too long/);
});

test("what is new with each request and meant for Anthropic alone does not go in front of what is cached", () => {
  const system = ["x-anthropic-billing-header: cc_version=2; cch=1f2e;", "You are an agent."];
  const messages = asked({
    ...HI,
    system: system.map((text) => ({ type: "text", text })),
  }).messages;
  assert.equal(messages[0].content, "You are an agent.");
});

test("a tool without parameters lists none, for OpenAI refuses an object that does not", () => {
  const tools = [{ name: "now", input_schema: { type: "object" } }];
  const [tool] = asked({ ...HI, tools }).tools;
  assert.deepEqual(tool.function.parameters, { type: "object", properties: {} });
});

test("a tool whose parameters are of no type gets the one that OpenAI wants", () => {
  const parameters = (input_schema: JsonObject): unknown =>
    asked({ ...HI, tools: [{ name: "f", input_schema }] }).tools[0].function.parameters;
  const properties = { a: { type: "string" } };
  assert.deepEqual(parameters({ properties }), { type: "object", properties });
  assert.deepEqual(parameters({}), { type: "object", properties: {} });
  const other = { type: "string", properties };
  assert.deepEqual(parameters(other), other, "the provider's to judge");
});

test("a schema is strict only where OpenAI's strict mode takes all of it", () => {
  const strict = (property: JsonObject): boolean => {
    const schema = {
      type: "object",
      properties: { a: property },
      required: ["a"],
      additionalProperties: false,
    };
    const format = { type: "json_schema", schema };
    return asked({ ...HI, output_config: { format } }).response_format.json_schema.strict;
  };
  assert.equal(strict({ type: "string", format: "date-time" }), true);
  for (const property of [
    { type: "string", format: "uri" },
    { type: "string", default: "x" },
    { allOf: [{ type: "string" }] },
    { oneOf: [{ type: "string" }] },
    { description: "anything" },
    { enum: ["a"] },
    { $ref: "#/$defs/x", description: "said of it here" },
    { type: "array", items: { type: "string" }, uniqueItems: true },
  ]) {
    for (const each of [
      property,
      { type: "array", items: property },
      { anyOf: [{ type: "null" }, property] },
      { type: "string", $defs: { x: property } },
      { type: "string", definitions: { x: property } },
    ]) {
      assert.equal(strict(each), false, JSON.stringify(each));
    }
  }
  const open = { type: "object", properties: {} };
  assert.equal(strict(open), false);
  assert.equal(strict({ ...open, additionalProperties: false }), true);
  assert.equal(strict({ type: "object", additionalProperties: false }), true);
  assert.equal(strict({ type: "object" }), false);
  assert.equal(strict({ properties: {} }), false);
  let deep: JsonObject = { type: "string" };
  for (let depth = 0; depth < 40; depth++) deep = { type: "array", items: deep };
  assert.equal(strict(deep), false, "deeper than is looked into");
});

test("stop sequences go where they are taken, and no more than are taken", () => {
  const stop_sequences = ["a", "b", "c", "d", "e"];
  const stop = (target: Partial<Target>): unknown => asked({ ...HI, stop_sequences }, target).stop;
  assert.deepEqual(stop({}), ["a", "b", "c", "d"]);
  assert.deepEqual(stop({ providerSlug: "deepseek", model: "deepseek-chat" }), stop_sequences);
  for (const model of ["gpt-5", "gpt-5.4-mini", "o3"]) assert.equal(stop({ model }), undefined);
  assert.deepEqual(stop({ model: "gpt-5.5" }), ["a", "b", "c", "d"]);
});
