import assert from "node:assert/strict";
import test from "node:test";
import { Fault } from "../../core/fault.js";
import { type JsonObject, objects } from "./json.js";
import type { Form, Target } from "./side.js";
import { requestPath, translatorFor } from "./translator.js";

const TARGETS: Readonly<Record<Form, Target>> = {
  CHAT: target("gpt-4o", "openai"),
  RESPONSES: target("gpt-5.4", "openai"),
  MESSAGES: target("claude-sonnet-4-5", "anthropic"),
  GENERATE: target("gemini-3-pro", "google"),
};

function target(model: string, providerSlug: string): Target {
  return { model, maxOutput: null, providerSlug, asksUsage: true };
}

function ask(from: Form, to: Form, body: JsonObject, asArray = false) {
  const call = { id: "id", nowSeconds: 1, streamed: true, modelAsked: "m", asArray };
  return translatorFor(from, to)!.request(Buffer.from(JSON.stringify(body)), TARGETS[to], call);
}

const asked = (from: Form, to: Form, body: JsonObject) =>
  JSON.parse(ask(from, to, body).body.toString());

const replied = (from: Form, to: Form, body: JsonObject, reply: JsonObject) =>
  JSON.parse(
    ask(from, to, body)
      .reply(Buffer.from(JSON.stringify(reply)))
      .toString(),
  );

function chunk(delta: JsonObject, finish_reason: string | null = null): string {
  return `data: ${JSON.stringify({ id: "c", model: "m", choices: [{ index: 0, delta, finish_reason }] })}\n\n`;
}

const AGENT = {
  instructions: "rules",
  input: [
    { type: "message", role: "developer", content: [{ type: "input_text", text: "more" }] },
    { type: "message", role: "user", content: [{ type: "input_text", text: "go" }] },
    {
      type: "reasoning",
      summary: [{ type: "summary_text", text: "hm" }],
      encrypted_content: "~anthropic:sig",
    },
    { type: "message", role: "assistant", content: [{ type: "output_text", text: "I go" }] },
    { type: "function_call", call_id: "c1", name: "run", namespace: "shell", arguments: '{"n":1}' },
    { type: "custom_tool_call", call_id: "c2", name: "patch", input: "*** Begin" },
    { type: "function_call_output", call_id: "c1", output: "done" },
    {
      type: "custom_tool_call_output",
      call_id: "c2",
      output: [{ type: "input_text", text: "ok" }],
    },
  ],
  tools: [
    {
      type: "namespace",
      name: "shell",
      tools: [{ type: "function", name: "run", parameters: {} }],
    },
    {
      type: "custom",
      name: "patch",
      format: { type: "grammar", syntax: "lark", definition: "start: x" },
    },
    { type: "web_search" },
  ],
  store: false,
};

test("an agent's items become turns: what the model said in one go in one, results in one", () => {
  const { system, messages, tools } = asked("RESPONSES", "MESSAGES", AGENT);
  assert.equal(system.length, 2);
  assert.deepEqual(messages, [
    { role: "user", content: "go" },
    {
      role: "assistant",
      content: [
        { type: "thinking", thinking: "hm", signature: "sig" },
        { type: "text", text: "I go" },
        { type: "tool_use", id: "c1", name: "shell__run", input: { n: 1 } },
        { type: "tool_use", id: "c2", name: "patch", input: { input: "*** Begin" } },
      ],
    },
    {
      role: "user",
      content: [
        { type: "tool_result", tool_use_id: "c1", content: "done" },
        { type: "tool_result", tool_use_id: "c2", content: "ok" },
      ],
    },
  ]);
  assert.deepEqual(
    tools.map((tool: JsonObject) => tool["name"]),
    ["shell__run", "patch"],
  );
  assert.match(tools[1].description, /start: x/);
});

test("calls go back to an agent as it declared the tools", () => {
  const content = [
    { type: "thinking", thinking: "hm", signature: "sig" },
    { type: "redacted_thinking", data: "dark" },
    { type: "tool_use", id: "c3", name: "shell__run", input: { n: 1 } },
    { type: "tool_use", id: "c4", name: "patch", input: { input: "*** Begin" } },
  ];
  const { output, status } = replied("RESPONSES", "MESSAGES", AGENT, { content });
  assert.equal(status, "completed");
  assert.deepEqual(
    output.map((item: JsonObject) => [
      item["type"],
      item["encrypted_content"] ?? item["namespace"] ?? item["input"],
    ]),
    [
      ["reasoning", "~anthropic:sig"],
      ["reasoning", "~anthropic:redacted:dark"],
      ["function_call", "shell"],
      ["custom_tool_call", "*** Begin"],
    ],
  );
  const again = asked("RESPONSES", "MESSAGES", { ...AGENT, input: [...AGENT.input, ...output] });
  assert.deepEqual(again.messages.at(-1).content, content);
});

test("what a stored response would be needed for is refused by its name", () => {
  const refused: [JsonObject, RegExp][] = [
    [{ input: "x", previous_response_id: "r" }, /previous_response_id/],
    [{ input: "x", background: true }, /background/],
    [{ input: "x", tools: [{ type: "code_interpreter" }] }, /code_interpreter/],
    [{ input: "x", tools: [{ type: "web_search" }] }, /web_search/],
    [{ input: [{ type: "shell_call" }] }, /shell_call/],
  ];
  for (const [body, name] of refused) {
    assert.throws(
      () => ask("RESPONSES", "CHAT", body),
      (thrown) =>
        thrown instanceof Fault &&
        thrown.code === "untranslatable" &&
        name.test(thrown.publicMessage),
    );
  }
});

test("images are looked at as closely as chat completions know", () => {
  for (const [detail, becomes] of [
    ["original", "high"],
    ["low", "low"],
  ]) {
    const content = [{ type: "input_image", image_url: "https://example.com/a.png", detail }];
    const { messages } = asked("RESPONSES", "CHAT", { input: [{ role: "user", content }] });
    assert.equal(messages[0].content[0].image_url.detail, becomes);
  }
});

test("a schema is read in Google's newer place for it too, and what is no text is refused", () => {
  const contents = [{ parts: [{ text: "x" }] }];
  const schema = { type: "object", properties: { a: { type: "string" } } };
  for (const format of [
    { responseFormat: [{ text: { mimeType: "application/json", schema } }] },
    { response_format: { text: { mime_type: "APPLICATION_JSON", schema } } },
  ]) {
    const { response_format } = asked("GENERATE", "CHAT", { contents, generationConfig: format });
    assert.deepEqual(response_format.json_schema.schema, schema);
  }
  const generationConfig = { responseFormat: [{ image: {} }] };
  assert.throws(() => ask("GENERATE", "CHAT", { contents, generationConfig }), /responseFormat/);
});

test("what OpenAI names alike in both of its forms goes from one to the other", () => {
  const alike = {
    service_tier: "flex",
    prompt_cache_key: "k",
    safety_identifier: "s",
    metadata: { a: "b" },
  };
  const body = { messages: [{ role: "user", content: "x" }], ...alike, verbosity: "low", seed: 1 };
  const sent = ask("CHAT", "RESPONSES", body);
  const made = JSON.parse(sent.body.toString());
  assert.deepEqual({ ...made, ...alike }, made);
  assert.deepEqual(made.text, { verbosity: "low" });
  assert.equal(made.store, false);
  assert.deepEqual(sent.dropped, ['"seed", "top_k", penalties']);
  assert.equal("service_tier" in asked("CHAT", "MESSAGES", body), false);
  assert.ok(ask("CHAT", "MESSAGES", body).dropped.includes("service_tier"));
});

test("a custom tool that is called with nothing gets an empty text, streamed or not", () => {
  const body = { input: "x", tools: [{ type: "custom", name: "now" }] };
  const call = { index: 0, id: "c", type: "function", function: { name: "now", arguments: "{}" } };
  const reply = { choices: [{ message: { tool_calls: [call] } }] };
  assert.equal(replied("RESPONSES", "CHAT", body, reply).output[0].input, "");
});

test("what a Gemini model drew, and what lies in Google's storage, is refused by its name", () => {
  const drawn = { role: "model", parts: [{ inlineData: { mimeType: "image/png", data: "AA" } }] };
  const stored = { parts: [{ fileData: { mimeType: "image/png", fileUri: "gs://bucket/a.png" } }] };
  for (const [content, name] of [
    [drawn, /that the model made/],
    [stored, /files by id/],
  ] as const) {
    for (const to of ["CHAT", "MESSAGES", "RESPONSES"] as const) {
      assert.throws(() => ask("GENERATE", to, { contents: [content] }), name);
    }
  }
});

test("the Responses API is asked for no less than it takes", () => {
  const messages = [{ role: "user", content: "quota" }];
  assert.equal(asked("MESSAGES", "RESPONSES", { messages, max_tokens: 1 }).max_output_tokens, 16);
  assert.equal(asked("MESSAGES", "RESPONSES", { messages, max_tokens: 17 }).max_output_tokens, 17);
});

test("stop sequences are refused where the provider has none, and left out for models that take none anywhere", () => {
  const body = { messages: [{ role: "user", content: "x" }], stop: "END" };
  const { body: sent, dropped } = ask("CHAT", "RESPONSES", body);
  assert.deepEqual(dropped, ["stop sequences"]);
  assert.ok(!sent.includes("END"));
  const text = Buffer.from(JSON.stringify(body));
  const call = { id: "id", nowSeconds: 1, streamed: true, modelAsked: "m", asArray: false };
  const request = () =>
    translatorFor("CHAT", "RESPONSES")!.request(text, target("gpt-4o", "openai"), call);
  assert.throws(request, /stop sequences/);
});

test("thoughts behind which the assistant said nothing do not go back to OpenAI", () => {
  const thought = (text: string) => ({ type: "thinking", thinking: text, signature: "~openai:s" });
  const messages = [
    { role: "user", content: "a" },
    {
      role: "assistant",
      content: [thought("first"), thought("second"), { type: "text", text: "b" }],
    },
    { role: "user", content: "c" },
    { role: "assistant", content: [thought("third")] },
    { role: "user", content: "d" },
  ];
  const { input } = asked("MESSAGES", "RESPONSES", { messages, max_tokens: 99 });
  assert.deepEqual(
    input.map(({ type, role }: JsonObject) => role ?? type),
    ["user", "reasoning", "reasoning", "assistant", "user", "user"],
  );
});

test("a request for a model that thinks asks for its thoughts sealed, for nothing is stored", () => {
  const body = asked("CHAT", "RESPONSES", {
    messages: [{ role: "user", content: "x" }],
    reasoning_effort: "low",
    temperature: 0.5,
    response_format: {
      type: "json_schema",
      json_schema: { name: "a", schema: { type: "object" } },
    },
  });
  assert.deepEqual(body.include, ["reasoning.encrypted_content"]);
  assert.deepEqual(body.reasoning, { effort: "low", summary: "auto" });
  assert.equal(body.store, false);
  assert.equal(body.temperature, undefined);
  assert.equal(body.text.format.strict, false);
});

const GEMINI_CALL = {
  contents: [
    { role: "user", parts: [{ text: "go" }] },
    {
      role: "model",
      parts: [
        { text: "thought", thought: true },
        { functionCall: { name: "run", args: { n: 1 } }, thoughtSignature: "GSIG" },
        { functionCall: { name: "run", args: { n: 2 } } },
      ],
    },
    {
      role: "user",
      parts: [
        { functionResponse: { name: "run", response: { output: "one" } } },
        { functionResponse: { name: "run", response: { lines: 2 } } },
      ],
    },
  ],
  tools: [
    {
      functionDeclarations: [
        {
          name: "run",
          parameters: { type: "OBJECT", properties: { n: { type: "INTEGER", nullable: true } } },
        },
      ],
    },
  ],
  toolConfig: { functionCallingConfig: { mode: "ANY", allowedFunctionNames: ["run"] } },
  systemInstruction: { parts: [{ text: "rules" }] },
  generationConfig: { maxOutputTokens: 9, stopSequences: ["END"] },
};

test("calls of a Gemini caller get ids, and its results find them in order", () => {
  const { messages, tools, tool_choice, max_completion_tokens, stop } = asked(
    "GENERATE",
    "CHAT",
    GEMINI_CALL,
  );
  const ids = messages[2].tool_calls.map((each: JsonObject) => each["id"]);
  assert.equal(new Set(ids).size, 2);
  assert.deepEqual(
    messages.slice(3).map((message: JsonObject) => [message["tool_call_id"], message["content"]]),
    [
      [ids[0], "one"],
      [ids[1], '{"lines":2}'],
    ],
  );
  assert.deepEqual(tools[0].function.parameters, {
    type: "object",
    properties: { n: { type: ["integer", "null"] } },
  });
  assert.deepEqual(tool_choice, { type: "function", function: { name: "run" } });
  assert.equal(max_completion_tokens, 9);
  assert.deepEqual(stop, ["END"]);
});

const GEMINI_REPLY = {
  responseId: "g",
  candidates: [
    {
      content: {
        parts: [
          { text: "hm", thought: true },
          { text: "a" },
          { text: "b" },
          { functionCall: { name: "run", args: {} }, thoughtSignature: "GSIG" },
        ],
      },
      finishReason: "STOP",
    },
  ],
  usageMetadata: { promptTokenCount: 5, candidatesTokenCount: 2, thoughtsTokenCount: 3 },
};

const MESSAGES_ASK = { max_tokens: 9, messages: [{ role: "user", content: "go" }] };

test("a Gemini model that calls a tool has stopped for it, though it says STOP", () => {
  const chat = replied("CHAT", "GENERATE", { messages: [] }, GEMINI_REPLY);
  assert.equal(chat.choices[0].finish_reason, "tool_calls");
  assert.equal(chat.choices[0].message.content, "ab");
  assert.equal(chat.usage.completion_tokens, 5);
});

test("Google's signature comes back with its call through a caller that knows only thoughts", () => {
  const reply = replied("MESSAGES", "GENERATE", MESSAGES_ASK, GEMINI_REPLY);
  assert.equal(reply.stop_reason, "tool_use");
  const turns = [...MESSAGES_ASK.messages, { role: "assistant", content: reply.content }];
  const { contents } = asked("MESSAGES", "GENERATE", { ...MESSAGES_ASK, messages: turns });
  assert.deepEqual(
    contents[1].parts.map((part: JsonObject) => part["thoughtSignature"] ?? part["text"]),
    ["ab", "GSIG"],
  );
});

test("calls that no Gemini model made carry the value that Google names for them, older models none", () => {
  const messages = [
    ...MESSAGES_ASK.messages,
    { role: "assistant", content: [{ type: "tool_use", id: "t", name: "run", input: {} }] },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "t", content: "x" }] },
  ];
  const { contents } = asked("MESSAGES", "GENERATE", { ...MESSAGES_ASK, messages });
  assert.equal(
    Buffer.from(contents[1].parts[0].thoughtSignature, "base64").toString(),
    "skip_thought_signature_validator",
  );
  assert.deepEqual(contents[2].parts[0].functionResponse, {
    id: "t",
    name: "run",
    response: { output: "x" },
  });
});

test("what Google filtered is told as filtered", () => {
  const blocked = { promptFeedback: { blockReason: "SAFETY" } };
  assert.equal(replied("MESSAGES", "GENERATE", MESSAGES_ASK, blocked).stop_reason, "refusal");
  const filtered = { candidates: [{ finishReason: "PROHIBITED_CONTENT" }] };
  const chat = replied("CHAT", "GENERATE", { messages: [] }, filtered);
  assert.equal(chat.choices[0].finish_reason, "content_filter");
});

test("a Gemini stream ends for its caller only when the gateway says that it is complete", () => {
  const stream = ask("MESSAGES", "GENERATE", MESSAGES_ASK).stream();
  const events = stream.push(Buffer.from(`data: ${JSON.stringify(GEMINI_REPLY)}\r\n\r\n`));
  assert.doesNotMatch(events.toString(), /message_stop|message_delta/);
  assert.match(stream.end().toString(), /"stop_reason":"tool_use".*message_stop/s);
});

test("a schema in Google's own spelling is read under the names for JSON Schema too", () => {
  const properties = {
    score: { type: "INTEGER", nullable: true },
    why: { type: ["STRING", "NULL"] },
  };
  const given = { type: "OBJECT", properties, required: ["score", "why"] };
  const meant = {
    type: "object",
    properties: { score: { type: ["integer", "null"] }, why: { type: ["string", "null"] } },
    required: ["score", "why"],
  };
  const body = asked("GENERATE", "CHAT", {
    contents: [{ role: "user", parts: [{ text: "x" }] }],
    tools: [{ functionDeclarations: [{ name: "f", parametersJsonSchema: given }] }],
    generationConfig: { responseMimeType: "application/json", responseJsonSchema: given },
  });
  assert.deepEqual(body.response_format.json_schema.schema, meant);
  assert.deepEqual(body.tools[0].function.parameters, meant);
  assert.equal(body.messages.length, 1, "nothing is asked for in words");
});

test("Gemini's JSON mode says the word without which OpenAI refuses its own", () => {
  const body = asked("GENERATE", "CHAT", {
    contents: [{ role: "user", parts: [{ text: "Three fruits." }] }],
    generationConfig: { responseMimeType: "application/json" },
  });
  assert.deepEqual(body.response_format, { type: "json_object" });
  assert.deepEqual(body.messages[0], { role: "system", content: "Reply with JSON." });
});

test("results with ids of their own are those of calls that Gemini gave none", () => {
  const part = (id: string) => ({ functionResponse: { id, name: "f", response: { output: id } } });
  const call = { functionCall: { name: "f", args: {} } };
  for (const [to, ids] of [
    [
      "CHAT",
      (body: JsonObject) =>
        objects(body["messages"])
          .slice(2)
          .map((m) => m["tool_call_id"]),
    ],
    [
      "MESSAGES",
      (body: JsonObject) =>
        objects(objects(body["messages"])[2]?.["content"]).map((block) => block["tool_use_id"]),
    ],
  ] as const) {
    const body = asked("GENERATE", to, {
      contents: [
        { role: "user", parts: [{ text: "x" }] },
        { role: "model", parts: [call, call] },
        { role: "user", parts: [part("f-1"), part("f-2")] },
      ],
      tools: [{ functionDeclarations: [{ name: "f" }] }],
    });
    assert.deepEqual(ids(body), ["call_p0", "call_p1"]);
  }
});

test("what a failed tool shows goes to Anthropic without a word of the failure but its own", () => {
  const inlineData = { mimeType: "image/png", data: "AA==" };
  const result = (parts: object[]) => ({
    functionResponse: { id: "c", name: "f", response: { error: "boom" }, parts },
  });
  const resultOf = (parts: object[]) => {
    const contents = [
      { role: "user", parts: [{ text: "x" }] },
      { role: "model", parts: [{ functionCall: { id: "c", name: "f", args: {} } }] },
      { role: "user", parts: [result(parts)] },
    ];
    return asked("GENERATE", "MESSAGES", { contents }).messages[2].content[0];
  };
  assert.equal(resultOf([]).is_error, true);
  assert.equal(resultOf([{ inlineData }]).is_error, undefined);
  assert.equal(resultOf([{ inlineData }]).content.length, 2);
});

test("pieces of a reply that come back as contents of their own are one message, and its texts whole", () => {
  const piece = (...parts: object[]) => ({ role: "model", parts });
  const call = (n: number) => ({ functionCall: { id: `c${n}`, name: "f", args: {} } });
  const contents = [
    { role: "user", parts: [{ text: "x" }] },
    piece({ text: "I ", thought: true }),
    piece({ text: "think", thought: true }),
    piece({ text: "Hel" }, { text: "lo" }),
    piece({ text: " there" }),
    piece(call(1)),
    piece(call(2)),
    piece({ text: "" }),
    {
      role: "user",
      parts: [1, 2].map((n) => ({
        functionResponse: { id: `c${n}`, name: "f", response: { output: "y" } },
      })),
    },
  ];
  const { messages } = JSON.parse(ask("GENERATE", "CHAT", { contents }).body.toString());
  const roles = messages.map((message: { role: string }) => message.role);
  assert.deepEqual(roles, ["user", "assistant", "tool", "tool"]);
  assert.equal(messages[1].content, "Hello there");
  assert.equal(messages[1].tool_calls.length, 2);
});

test("each piece of a stream for a Gemini caller has a part, without which SDKs forget the whole", () => {
  const body = { contents: [{ role: "user", parts: [{ text: "x" }] }] };
  const stream = ask("GENERATE", "CHAT", body).stream();
  const text = [chunk({ content: "a" }), chunk({}, "stop"), "data: [DONE]\n\n"]
    .map((each) => stream.push(Buffer.from(each)).toString())
    .join("");
  const pieces = Array.from(text.matchAll(/^data: (.+)$/gm), ([, data = ""]) => JSON.parse(data));
  const parts = pieces.map((piece) => piece.candidates[0].content.parts);
  assert.deepEqual(parts, [[{ text: "a" }], [{ text: "" }]]);
});

test("a Gemini caller that wants no events gets one JSON array, also when the stream fails", () => {
  const body = { contents: [{ role: "user", parts: [{ text: "x" }] }] };
  const stream = ask("GENERATE", "CHAT", body, true).stream();
  const text = [
    chunk({ content: "a" }),
    chunk({ content: "b" }),
    chunk({}, "stop"),
    "data: [DONE]\n\n",
  ]
    .map((each) => stream.push(Buffer.from(each)).toString())
    .join("");
  const pieces = JSON.parse(text);
  assert.equal(pieces.length, 3);
  assert.equal(pieces[2].candidates[0].finishReason, "STOP");
  const failing = ask("GENERATE", "CHAT", body, true).stream();
  const error = 'data: {"error":{"message":"no","code":"server_error"}}\n\n';
  assert.equal(JSON.parse(failing.push(Buffer.from(error)).toString())[0].error.message, "no");
});

test("a failed response is an error, streamed or not", () => {
  const failed = {
    object: "response",
    status: "failed",
    error: { code: "server_error", message: "no" },
  };
  assert.throws(
    () => replied("CHAT", "RESPONSES", { messages: [] }, failed),
    (thrown) => thrown instanceof Fault && thrown.code === "upstream_error",
  );
  const stream = ask("MESSAGES", "RESPONSES", MESSAGES_ASK).stream();
  const event = `data: ${JSON.stringify({ type: "response.failed", response: failed })}\n\n`;
  assert.match(stream.push(Buffer.from(event)).toString(), /^event: error/);
});

test("every form has its path", () => {
  assert.deepEqual(requestPath("MESSAGES", true), { path: "/v1/messages", query: "" });
  assert.deepEqual(requestPath("GENERATE", true), {
    path: "/v1beta/models/{model}:streamGenerateContent",
    query: "alt=sse",
  });
});

test("a response that fails before it began is created first, as SDKs expect", () => {
  const stream = ask("RESPONSES", "CHAT", { input: "x" }).stream();
  const error = { message: "boom", type: "server_error", code: "x" };
  const events = stream.push(Buffer.from(`data: ${JSON.stringify({ error })}\n\n`)).toString();
  const types = Array.from(events.matchAll(/^event: (.+)$/gm), ([, type]) => type);
  assert.deepEqual(types, ["response.created", "response.in_progress", "error", "response.failed"]);
  assert.equal(stream.failure?.opening, true);
});

test("a stream that fails for the request's sake says so in the word that agents do not ask again, and in no other case", () => {
  for (const [type, message, code] of [
    ["invalid_request_error", "messages: bad", "invalid_prompt"],
    ["invalid_request_error", "prompt is too long: 3 tokens", "context_length_exceeded"],
    ["overloaded_error", "Overloaded", "overloaded_error"],
    ["rate_limit_error", "Slow down", "rate_limit_exceeded"],
  ] as const) {
    const { body: _, ...way } = translatorFor("RESPONSES", "MESSAGES")!.request(
      Buffer.from(JSON.stringify({ model: "m", input: "Hi", stream: true })),
      { model: "m", maxOutput: 9, providerSlug: "p", asksUsage: true },
      { id: "call_1", nowSeconds: 1, streamed: true, modelAsked: "m", asArray: false },
    );
    const error = JSON.stringify({ type: "error", error: { type, message } });
    const said = way
      .stream()
      .push(Buffer.from(`event: error\ndata: ${error}\n\n`))
      .toString();
    const failed = /response\.failed\ndata: (.*)/.exec(said)?.[1] ?? "";
    const { response } = JSON.parse(failed) as { response: { error: { code: string } } };
    assert.equal(response.error.code, code);
  }
});

function agentMessage(...content: readonly JsonObject[]): JsonObject {
  const item = { type: "agent_message", author: "/root", recipient: "/root/worker", content };
  return { input: [item] };
}

test("what one of Codex's agents tells another is said by the user, also where it is called encrypted", () => {
  const head = { type: "input_text", text: "Message Type: NEW_TASK\nPayload:\n" };
  const task = { type: "encrypted_content", encrypted_content: "Count the files." };
  const body = asked("RESPONSES", "MESSAGES", agentMessage(head, task));
  assert.deepEqual(body.messages, [
    {
      role: "user",
      content: [
        { type: "text", text: "Message Type: NEW_TASK\nPayload:\n" },
        { type: "text", text: "Count the files." },
      ],
    },
  ]);
});

test("what OpenAI encrypted for another agent is refused by name", () => {
  const sealed = { type: "encrypted_content", encrypted_content: "gAAAAABopaque" };
  assert.throws(
    () => ask("RESPONSES", "CHAT", agentMessage(sealed)),
    (fault: unknown) =>
      fault instanceof Fault &&
      fault.code === "untranslatable" &&
      fault.publicMessage.includes("messages between agents that OpenAI encrypted"),
  );
});

test("an effort that is changed inside a conversation is the one that holds", () => {
  const change = (effort: string): JsonObject => ({
    type: "configuration_update",
    reasoning: { effort },
  });
  const input = [{ role: "user", content: "go" }, change("high"), change("low")];
  const body = asked("RESPONSES", "GENERATE", { input, reasoning: { effort: "medium" } });
  assert.equal(body.generationConfig.thinkingConfig.thinkingLevel, "low");
  assert.deepEqual(body.contents, [{ role: "user", parts: [{ text: "go" }] }]);
});
