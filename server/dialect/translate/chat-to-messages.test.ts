import assert from "node:assert/strict";
import test from "node:test";
import { Fault } from "../../core/fault.js";
import type { JsonObject } from "./json.js";
import type { Target } from "./side.js";
import { translatorFor } from "./translator.js";

const TARGET: Target = {
  model: "claude-sonnet-4-5",
  maxOutput: null,
  providerSlug: "anthropic",
  asksUsage: true,
};

function ask(body: JsonObject, target: Partial<Target> = {}, streamed = false) {
  const call = { id: "call_1", nowSeconds: 1, streamed, modelAsked: "claude", asArray: false };
  const text = Buffer.from(JSON.stringify({ model: "claude", messages: [], ...body }));
  return translatorFor("CHAT", "MESSAGES")!.request(text, { ...TARGET, ...target }, call);
}

const asked = (body: JsonObject, target: Partial<Target> = {}) =>
  JSON.parse(ask(body, target).body.toString());

const HI = { messages: [{ role: "user", content: "hi" }] };
const TOOL = {
  type: "function",
  function: { name: "weather", parameters: { type: "object", properties: {} } },
};

function toolCall(id: string, args: string): JsonObject {
  return { id, type: "function", function: { name: "weather", arguments: args } };
}

test("system prompts move out of the messages, and turns alternate", () => {
  const body = asked({
    messages: [
      { role: "developer", content: "one" },
      { role: "system", content: [{ type: "text", text: "two" }] },
      { role: "user", content: "a" },
      { role: "user", content: "b" },
      { role: "system", content: "late" },
      { role: "assistant", content: "c " },
    ],
  });
  assert.deepEqual(
    body.system.map((block: JsonObject) => block["text"]),
    ["one", "two", "late"],
  );
  assert.deepEqual(body.messages, [
    {
      role: "user",
      content: [
        { type: "text", text: "a" },
        { type: "text", text: "b" },
      ],
    },
    { role: "assistant", content: "c" },
  ]);
});

test("a conversation without a user gets one, for Anthropic wants it", () => {
  const only = asked({ messages: [{ role: "system", content: "rules" }] });
  assert.deepEqual(only.messages, [{ role: "user", content: "rules" }]);
  assert.equal(only.system, undefined);
  const begun = asked({ messages: [{ role: "assistant", content: "hello" }] });
  assert.equal(begun.messages[0].role, "user");
});

test("parallel calls and their results stay in order, the results in one turn before anything else", () => {
  const { messages } = asked({
    tools: [TOOL],
    messages: [
      { role: "user", content: "both" },
      {
        role: "assistant",
        content: null,
        tool_calls: [toolCall("a:1", ""), toolCall("b", '{"x":1}')],
      },
      { role: "tool", tool_call_id: "a:1", content: "sun" },
      { role: "tool", tool_call_id: "b", content: [{ type: "text", text: "rain" }] },
      { role: "user", content: "and?" },
    ],
  });
  assert.deepEqual(messages.slice(1), [
    {
      role: "assistant",
      content: [
        { type: "tool_use", id: "a_1", name: "weather", input: {} },
        { type: "tool_use", id: "b", name: "weather", input: { x: 1 } },
      ],
    },
    {
      role: "user",
      content: [
        { type: "tool_result", tool_use_id: "a_1", content: "sun" },
        { type: "tool_result", tool_use_id: "b", content: "rain" },
        { type: "text", text: "and?" },
      ],
    },
  ]);
});

test("digits of large numbers in arguments survive", () => {
  const message = {
    role: "assistant",
    tool_calls: [toolCall("a", '{"id":12345678901234567890}')],
  };
  const { body } = ask({ messages: [...HI.messages, message] });
  assert.match(body.toString(), /"input":\{"id":12345678901234567890\}/);
});

test("arguments that are no object are kept as text under a name that says so", () => {
  const message = { role: "assistant", tool_calls: [toolCall("a", '{"cut":')] };
  const { messages } = asked({ messages: [...HI.messages, message] });
  assert.deepEqual(messages[1].content[0].input, { INVALID_JSON: '{"cut":' });
});

test("every choice of tools has its counterpart", () => {
  const choice = (tool_choice: unknown, more: JsonObject = {}) =>
    asked({ ...HI, tools: [TOOL], tool_choice, ...more }).tool_choice;
  assert.deepEqual(choice("auto"), { type: "auto" });
  assert.deepEqual(choice("none"), { type: "none" });
  assert.deepEqual(choice("required"), { type: "any" });
  assert.deepEqual(choice("any"), { type: "any" });
  assert.deepEqual(choice({ type: "function", function: { name: "weather" } }), {
    type: "tool",
    name: "weather",
  });
  assert.deepEqual(choice(undefined, { parallel_tool_calls: false }), {
    type: "auto",
    disable_parallel_tool_use: true,
  });
});

test("the limit of the output is always there, and never above what the model can give", () => {
  for (const [model, most] of [
    ["claude-3-5-sonnet-20241022", 4096],
    ["anthropic/claude-3.7-sonnet", 32_000],
    ["claude-opus-4-1", 32_000],
    ["claude-next", 32_000],
    ["glm-5", 4096],
  ] as const) {
    assert.equal(asked(HI, { model }).max_tokens, most, model);
  }
  assert.equal(asked(HI, { maxOutput: 8000 }).max_tokens, 8000);
  assert.equal(asked({ ...HI, max_tokens: 10 }).max_tokens, 10);
  assert.equal(asked({ ...HI, max_completion_tokens: 9999 }, { maxOutput: 100 }).max_tokens, 100);
});

test("sampling is cut to what the model takes", () => {
  const warm = asked({ ...HI, temperature: 1.7, top_p: 0.5, stop: ["END", " "] });
  assert.equal(warm.temperature, 1);
  assert.equal(warm.top_p, undefined);
  assert.deepEqual(warm.stop_sequences, ["END"]);
  const newer = asked({ ...HI, temperature: 0.5 }, { model: "claude-opus-4-8" });
  assert.equal(newer.temperature, undefined);
});

test("effort becomes the kind of thinking that the model knows", () => {
  const effort = { ...HI, reasoning_effort: "high", max_tokens: 40_000 };
  assert.deepEqual(asked(effort).thinking, { type: "enabled", budget_tokens: 16_384 });
  const adaptive = asked(effort, { model: "claude-opus-4-10" });
  assert.deepEqual(
    [adaptive.thinking, adaptive.output_config],
    [{ type: "adaptive", display: "summarized" }, { effort: "high" }],
  );
  assert.equal(asked(effort, { model: "claude-3-5-haiku-20241022" }).thinking, undefined);
  assert.equal(asked({ ...effort, tools: [TOOL], tool_choice: "required" }).thinking, undefined);
  const loop = [
    ...HI.messages,
    { role: "assistant", tool_calls: [toolCall("a", "{}")] },
    { role: "tool", tool_call_id: "a", content: "x" },
  ];
  assert.equal(asked({ ...effort, messages: loop }).thinking, undefined);
  const free = asked({ ...effort, messages: loop }, { model: "claude-opus-4-10" });
  assert.deepEqual(
    [free.thinking, free.output_config],
    [{ type: "adaptive", display: "summarized" }, { effort: "high" }],
    "it may call without a thought, and think of what came",
  );
});

test("a model with a budget thinks only where the thoughts that began its calls are there, signed", () => {
  const thought = (signature?: string): JsonObject => ({
    reasoning_details: [{ type: "reasoning.text", text: "hm", signature }],
  });
  const called = (id: string, more: JsonObject = {}): JsonObject[] => [
    { role: "assistant", tool_calls: [toolCall(id, "{}")], ...more },
    { role: "tool", tool_call_id: id, content: "x" },
  ];
  const said = { role: "assistant", content: "So." };
  const thinks = (...messages: JsonObject[]): boolean => {
    const body = { messages: [...HI.messages, ...messages], reasoning_effort: "low" };
    return asked({ ...body, max_tokens: 40_000 }).thinking !== undefined;
  };
  assert.equal(thinks(), true);
  assert.equal(thinks(...called("a", thought("sig=="))), true);
  assert.equal(thinks(...called("a", thought())), false, "not signed");
  assert.equal(thinks(...called("a", thought("~gemini:sig"))), false, "signed by another");
  assert.equal(thinks(...called("a", thought("sig==")), ...called("b")), false);
  assert.equal(thinks(...called("a"), said, ...HI.messages), true, "that is over");
  assert.equal(thinks(...called("a", thought("sig==")), said), false, "it is to go on with that");
});

test("no model thinks for as long as it may speak, or for less than Anthropic takes", () => {
  const budget = (max_tokens: number, effort = "max"): unknown =>
    asked({ ...HI, reasoning_effort: effort, max_tokens }).thinking?.budget_tokens;
  assert.deepEqual(
    [10_001, 2048, 2047].map((tokens) => budget(tokens)),
    [5000, 1024, undefined],
  );
  assert.equal(budget(100_000, "none"), undefined);
  assert.equal(budget(100_000, "unheard"), undefined);
  const unheard = asked({ ...HI, reasoning_effort: "unheard" }, { model: "claude-opus-4-10" });
  assert.equal(unheard.thinking, undefined);
  const named = { tools: [TOOL], tool_choice: { type: "function", function: { name: "weather" } } };
  const { thinking } = asked({ ...HI, ...named, reasoning_effort: "low", max_tokens: 40_000 });
  assert.equal(thinking, undefined, "who must call a tool may not think first");
});

test("signed thoughts go back as they came, unsigned ones do not", () => {
  const { messages } = asked({
    messages: [
      ...HI.messages,
      {
        role: "assistant",
        content: "a",
        reasoning_content: "hm",
        reasoning_details: [
          { type: "reasoning.text", text: "hm", signature: "sig==" },
          { type: "reasoning.encrypted", data: "secret==" },
        ],
      },
      { role: "user", content: "b" },
      { role: "assistant", content: "c", reasoning_content: "unsigned" },
      { role: "user", content: "d" },
    ],
  });
  assert.deepEqual(messages[1].content, [
    { type: "thinking", thinking: "hm", signature: "sig==" },
    { type: "redacted_thinking", data: "secret==" },
    { type: "text", text: "a" },
  ]);
  assert.equal(messages[3].content, "c");
});

test("images and documents are passed on by value or by address", () => {
  const { messages } = asked({
    messages: [
      {
        role: "user",
        content: [
          { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } },
          { type: "image_url", image_url: { url: "https://example.com/a.png" } },
          {
            type: "file",
            file: { filename: "a.pdf", file_data: "data:application/pdf;base64,BBBB" },
          },
        ],
      },
    ],
  });
  assert.deepEqual(messages[0].content, [
    { type: "image", source: { type: "base64", media_type: "image/png", data: "AAAA" } },
    { type: "image", source: { type: "url", url: "https://example.com/a.png" } },
    {
      type: "document",
      source: { type: "base64", media_type: "application/pdf", data: "BBBB" },
      title: "a.pdf",
    },
  ]);
});

test("a schema is kept to by models that can, and asked for in words of the others", () => {
  const schema = { type: "object", properties: { a: { type: "object", properties: {} } } };
  const response_format = { type: "json_schema", json_schema: { name: "x", schema } };
  const format = asked({ ...HI, response_format }).output_config.format;
  assert.equal(format.schema.additionalProperties, false);
  assert.equal(format.schema.properties.a.additionalProperties, false);
  const old = asked({ ...HI, response_format }, { model: "claude-3-opus-latest" });
  assert.match(old.system, /JSON Schema/);
  assert.match(asked({ ...HI, response_format: { type: "json_object" } }).system, /JSON object/);
});

test("what has no counterpart is refused by its name", () => {
  const refused: [JsonObject, RegExp][] = [
    [{ ...HI, n: 2 }, /"n"/],
    [{ ...HI, logprobs: true }, /"logprobs"/],
    [{ ...HI, functions: [{}] }, /"functions"/],
    [{ ...HI, logit_bias: { 1: 5 } }, /"logit_bias"/],
    [{ ...HI, modalities: ["text", "audio"] }, /audio/],
    [{ ...HI, audio: { voice: "x" } }, /audio/],
    [{ ...HI, web_search_options: {} }, /web/],
    [{ ...HI, tools: [{ type: "custom", custom: { name: "x" } }] }, /not functions/],
    [{ ...HI, tool_choice: { type: "allowed_tools" } }, /allowed_tools/],
    [{ ...HI, tool_choice: { type: "custom", custom: { name: "x" } } }, /not functions/],
    [{ messages: [{ role: "function", name: "f", content: "x" }] }, /"functions"/],
    [{ messages: [{ role: "assistant", audio: { id: "x" } }] }, /audio/],
    [{ messages: [{ role: "assistant", function_call: { name: "f" } }] }, /"functions"/],
    [{ messages: [{ role: "assistant", tool_calls: [{ custom: {} }] }] }, /not functions/],
    [{ messages: [{ role: "user", content: [{ type: "hologram" }] }] }, /"hologram"/],
    [
      { messages: [{ role: "user", content: [{ type: "file", file: { file_id: "f" } }] }] },
      /by id/,
    ],
    [
      { messages: [{ role: "user", content: [{ type: "input_audio", input_audio: {} }] }] },
      /audio/,
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

test("what is dropped is named", () => {
  const { dropped, body } = ask({ ...HI, seed: 1, logprobs: false, colour: "red" });
  assert.ok(dropped.includes("colour"));
  assert.equal(JSON.parse(body.toString()).colour, undefined);
});

test("bodies that are no JSON object are the caller's fault", () => {
  const call = { id: "x", nowSeconds: 1, streamed: false, modelAsked: "claude", asArray: false };
  for (const text of ["", "[]", "{", '{"messages":1}', '{"messages":[{"role":"alien"}]}']) {
    assert.throws(
      () => translatorFor("CHAT", "MESSAGES")!.request(Buffer.from(text), TARGET, call),
      (thrown) => thrown instanceof Fault && thrown.code === "malformed_request",
    );
  }
});

const REPLY = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-sonnet-4-5",
  content: [
    { type: "thinking", thinking: "hm", signature: "sig" },
    { type: "text", text: "Let me look. " },
    { type: "tool_use", id: "t1", name: "weather", input: { q: "a" } },
    { type: "tool_use", id: "t2", name: "weather", input: {} },
  ],
  stop_reason: "tool_use",
  usage: {
    input_tokens: 10,
    cache_read_input_tokens: 5,
    cache_creation_input_tokens: 2,
    output_tokens: 7,
  },
};

test("a whole message becomes a chat completion, its usage counted once", () => {
  const reply = JSON.parse(
    ask(HI)
      .reply(Buffer.from(JSON.stringify(REPLY)))
      .toString(),
  );
  const { message, finish_reason } = reply.choices[0];
  assert.equal(finish_reason, "tool_calls");
  assert.equal(message.content, "Let me look. ");
  assert.equal(message.reasoning_content, "hm");
  assert.deepEqual(
    message.tool_calls.map((each: JsonObject) => [
      each["id"],
      (each["function"] as JsonObject)["arguments"],
    ]),
    [
      ["t1", '{"q":"a"}'],
      ["t2", "{}"],
    ],
  );
  assert.equal(reply.usage.prompt_tokens, 17);
  assert.equal(reply.usage.prompt_tokens_details.cached_tokens, 5);
  assert.equal(reply.usage.total_tokens, 24);
});

test("why a model would not go on is its refusal", () => {
  const stop_details = { type: "refusal", category: "cyber", explanation: "Not this." };
  const body = { ...REPLY, content: [], stop_reason: "refusal", stop_details };
  const reply = JSON.parse(
    ask(HI)
      .reply(Buffer.from(JSON.stringify(body)))
      .toString(),
  );
  assert.equal(reply.choices[0].message.refusal, "Not this.");
  assert.equal(reply.choices[0].finish_reason, "content_filter");
});

test("every reason to stop has its counterpart", () => {
  const reasons = {
    end_turn: "stop",
    max_tokens: "length",
    stop_sequence: "stop",
    refusal: "content_filter",
    pause_turn: "stop",
    model_context_window_exceeded: "length",
  };
  for (const [stop_reason, finish] of Object.entries(reasons)) {
    const body = Buffer.from(JSON.stringify({ ...REPLY, content: [], stop_reason }));
    assert.equal(JSON.parse(ask(HI).reply(body).toString()).choices[0].finish_reason, finish);
  }
});

test("errors are told in the caller's form, with the code that its SDK knows", () => {
  const error = (status: number, type: string, message: string) =>
    JSON.parse(ask(HI).error(status, JSON.stringify({ type: "error", error: { type, message } })))
      .error;
  assert.equal(error(400, "invalid_request_error", "bad").message, "bad");
  assert.equal(
    error(400, "invalid_request_error", "prompt is too long: 9").code,
    "context_length_exceeded",
  );
  assert.equal(error(404, "not_found_error", "model: claude-9").code, "model_not_found");
  assert.equal(error(404, "not_found_error", "file_1").code, "not_found_error");
  assert.equal(error(429, "rate_limit_error", "slow").code, "rate_limit_exceeded");
  assert.equal(error(529, "overloaded_error", "busy").type, "server_error");
  assert.equal(JSON.parse(ask(HI).error(502, "<html>")).error.message, "<html>");
});

function event(type: string, members: JsonObject): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...members })}\n\n`;
}

test("a cut stream is never ended, and a failed one says why", () => {
  const stream = ask(HI, {}, true).stream();
  const start = event("message_start", { message: { ...REPLY, content: [] } });
  const error = event("error", { error: { type: "overloaded_error", message: "busy" } });
  const begun = stream.push(Buffer.from(start)).toString();
  const text = stream.push(Buffer.from(error + event("message_stop", {}))).toString();
  assert.doesNotMatch(begun + text, /\[DONE\]|"finish_reason":"/);
  assert.match(text, /"message":"busy"/);
});

test("usage is streamed only to callers that asked for it", () => {
  const events = Buffer.from(
    event("message_start", { message: { ...REPLY, content: [] } }) +
      event("message_delta", { delta: { stop_reason: "end_turn" }, usage: { output_tokens: 9 } }) +
      event("message_stop", {}),
  );
  const plain = ask(HI, {}, true).stream().push(events).toString();
  assert.doesNotMatch(plain, /usage/);
  const told = ask({ ...HI, stream_options: { include_usage: true } }, {}, true);
  const text = told.stream().push(events).toString();
  assert.match(text, /"choices":\[\],"usage":\{"prompt_tokens":17,"completion_tokens":9/);
  assert.ok(text.endsWith("data: [DONE]\n\n"));
});

function schemaSent(schema: JsonObject): JsonObject {
  const response_format = { type: "json_schema", json_schema: { name: "n", schema } };
  return asked({ ...HI, response_format }).output_config.format.schema;
}

test("what Anthropic refuses in a schema is said to the model in the description instead", () => {
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    description: "A person.",
    properties: {
      age: { type: "integer", minimum: 0, maximum: 150 },
      mail: { type: "string", format: "email", maxLength: 99 },
      colour: { type: "string", format: "colour" },
      tags: { type: "array", items: { type: "string", minLength: 1 }, minItems: 3 },
      pets: { type: "array", items: { $ref: "#/$defs/pet", title: "x" }, minItems: 1 },
      kind: { oneOf: [{ const: "a" }, { enum: ["b", "c"], default: "b" }] },
    },
    required: ["age"],
    minProperties: 1,
    $defs: { pet: { type: ["object", "null"], properties: { name: { type: "string" } } } },
  };
  assert.deepEqual(schemaSent(schema), {
    type: "object",
    description: "A person.\n\n{minProperties: 1}",
    properties: {
      age: { type: "integer", description: "{minimum: 0, maximum: 150}" },
      mail: { type: "string", format: "email", description: "{maxLength: 99}" },
      colour: { type: "string", description: '{format: "colour"}' },
      tags: {
        type: "array",
        items: { type: "string", description: "{minLength: 1}" },
        description: "{minItems: 3}",
      },
      pets: { type: "array", items: { $ref: "#/$defs/pet" }, minItems: 1 },
      kind: { anyOf: [{ const: "a" }, { enum: ["b", "c"], description: '{default: "b"}' }] },
    },
    required: ["age"],
    additionalProperties: false,
    $defs: {
      pet: {
        type: ["object", "null"],
        properties: { name: { type: "string" } },
        additionalProperties: false,
      },
    },
  });
});

test("a schema with an object of any names is asked for in words, for closed it could only be empty", () => {
  const schema = {
    type: "object",
    properties: { counts: { type: "object", additionalProperties: { type: "integer" } } },
  };
  const response_format = { type: "json_schema", json_schema: { name: "n", schema } };
  const body = asked({ ...HI, response_format });
  assert.equal(body.output_config, undefined);
  assert.match(JSON.stringify(body.system), /counts/);
});

test("a schema with a value of no type is asked for in words, for Anthropic refuses it", () => {
  const format = (a: JsonObject): unknown => {
    const schema = { type: "object", properties: { a } };
    const response_format = { type: "json_schema", json_schema: { name: "n", schema } };
    return asked({ ...HI, response_format }).output_config;
  };
  for (const untyped of [{}, { description: "Any." }, { type: "array", items: {} }]) {
    assert.equal(format(untyped), undefined, JSON.stringify(untyped));
  }
  for (const typed of [{ type: "string" }, { enum: [1] }, { anyOf: [{ type: "null" }] }]) {
    assert.notEqual(format(typed), undefined, JSON.stringify(typed));
  }
});

test("an image under the unregistered name of its type goes under the registered one", () => {
  const url = "data:image/jpg;base64,AAAA";
  const content = [{ type: "image_url", image_url: { url } }];
  const body = asked({ messages: [{ role: "user", content }] });
  assert.equal(body.messages[0].content[0].source.media_type, "image/jpeg");
});
