import assert from "node:assert/strict";
import test from "node:test";
import type { JsonObject } from "./json.js";
import type { Form } from "./side.js";
import { translatorFor } from "./translator.js";

// Conversations with nearly all that their form can say, and what each provider is asked instead.

const MODELS: Readonly<Record<Form, readonly [model: string, providerSlug: string]>> = {
  CHAT: ["gpt-4o", "openai"],
  RESPONSES: ["gpt-5.4", "openai"],
  MESSAGES: ["claude-sonnet-4-5", "anthropic"],
  GENERATE: ["gemini-3-pro", "google"],
};

function asked(from: Form, to: Form, body: JsonObject, model = MODELS[to][0]) {
  const call = { id: "id", nowSeconds: 1, streamed: false, modelAsked: "m", asArray: false };
  const target = { model, providerSlug: MODELS[to][1], maxOutput: null, asksUsage: true };
  const text = Buffer.from(JSON.stringify(body));
  const made = translatorFor(from, to)!.request(text, target, call);
  return { body: JSON.parse(made.body.toString()) as JsonObject, dropped: made.dropped };
}

const SCHEMA = {
  type: "object",
  properties: { city: { type: "string", description: "Where." } },
  required: ["city"],
  additionalProperties: false,
};
const ULM = { city: "Ulm" };
/** Google's own word for a call that no model of it made. */
const FOREIGN = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=";

const png = (data: string): JsonObject => ({ type: "base64", media_type: "image/png", data });

const MESSAGES = {
  model: "m",
  max_tokens: 5000,
  system: [
    { type: "text", text: "Rules." },
    { type: "text", text: "More." },
  ],
  messages: [
    {
      role: "user",
      content: [
        { type: "text", text: "Look." },
        { type: "image", source: png("iVBO") },
        { type: "image", source: { type: "url", url: "https://x.example/a.jpg" } },
        { type: "document", source: { type: "text", media_type: "text/plain", data: "Words." } },
      ],
    },
    {
      role: "assistant",
      content: [
        { type: "thinking", thinking: "Hm.", signature: "sig=" },
        { type: "text", text: "I look." },
        { type: "tool_use", id: "t1", name: "weather", input: ULM },
        { type: "tool_use", id: "t2", name: "clock", input: {} },
      ],
    },
    {
      role: "user",
      content: [
        {
          type: "tool_result",
          tool_use_id: "t1",
          content: [
            { type: "text", text: "Rain." },
            { type: "image", source: png("AAAA") },
          ],
        },
        { type: "tool_result", tool_use_id: "t2", is_error: true, content: "No clock." },
        { type: "text", text: "And now?" },
      ],
    },
  ],
  tools: [
    { name: "weather", description: "Tells it.", input_schema: SCHEMA },
    { name: "clock", input_schema: { type: "object" } },
  ],
  tool_choice: { type: "auto", disable_parallel_tool_use: true },
  temperature: 0.5,
  top_p: 0.9,
  top_k: 3,
  stop_sequences: ["END"],
  thinking: { type: "enabled", budget_tokens: 3000 },
  metadata: { user_id: "u" },
};

const AUDIO = { type: "input_audio", input_audio: { data: "UklG", format: "wav" } };
const LOOK = [
  { type: "text", text: "Look." },
  { type: "image_url", image_url: { url: "data:image/png;base64,iVBO", detail: "low" } },
  {
    type: "file",
    file: { filename: "a.pdf", file_data: "data:application/pdf;base64,JVBE" },
  },
];
const chat = (more: JsonObject = {}, look: readonly JsonObject[] = LOOK): JsonObject => ({
  model: "m",
  max_completion_tokens: 500,
  temperature: 1.5,
  top_p: 0.9,
  seed: 7,
  presence_penalty: 0.1,
  frequency_penalty: 0.2,
  stop: "END",
  parallel_tool_calls: false,
  reasoning_effort: "low",
  messages: [
    { role: "developer", content: "Rules." },
    { role: "user", content: look },
    {
      role: "assistant",
      content: null,
      refusal: "Not that.",
      tool_calls: [
        {
          id: "t1",
          type: "function",
          function: { name: "weather", arguments: JSON.stringify(ULM) },
        },
      ],
    },
    { role: "tool", tool_call_id: "t1", content: "Rain." },
    { role: "system", content: "Later." },
    { role: "user", content: "And now?" },
  ],
  tools: [
    {
      type: "function",
      function: { name: "weather", description: "Tells it.", parameters: SCHEMA, strict: true },
    },
  ],
  tool_choice: { type: "function", function: { name: "weather" } },
  response_format: {
    type: "json_schema",
    json_schema: { name: "answer", schema: SCHEMA, strict: true },
  },
  ...more,
});

test("OpenAI is asked what an Anthropic caller asks, results before all else, and what it lacks is named", () => {
  assert.deepEqual(asked("MESSAGES", "CHAT", MESSAGES), {
    body: {
      model: "gpt-4o",
      messages: [
        { role: "system", content: "Rules.\n\nMore." },
        {
          role: "user",
          content: [
            { type: "text", text: "Look." },
            { type: "image_url", image_url: { url: "data:image/png;base64,iVBO" } },
            { type: "image_url", image_url: { url: "https://x.example/a.jpg" } },
            { type: "text", text: "Words." },
          ],
        },
        {
          role: "assistant",
          content: "I look.",
          tool_calls: [
            {
              id: "t1",
              type: "function",
              function: { name: "weather", arguments: '{"city":"Ulm"}' },
            },
            { id: "t2", type: "function", function: { name: "clock", arguments: "{}" } },
          ],
        },
        { role: "tool", tool_call_id: "t1", content: "Rain." },
        { role: "tool", tool_call_id: "t2", content: "No clock." },
        {
          role: "user",
          content: [
            { type: "image_url", image_url: { url: "data:image/png;base64,AAAA" } },
            { type: "text", text: "And now?" },
          ],
        },
      ],
      max_completion_tokens: 5000,
      temperature: 0.5,
      top_p: 0.9,
      stop: ["END"],
      tools: [
        {
          type: "function",
          function: { name: "weather", description: "Tells it.", parameters: SCHEMA },
        },
        {
          type: "function",
          function: { name: "clock", parameters: { type: "object", properties: {} } },
        },
      ],
      tool_choice: "auto",
      parallel_tool_calls: false,
    },
    dropped: [
      '"thinking", "output_config.effort"',
      '"metadata"',
      '"top_k"',
      "thinking without a signature, or with another provider's",
      "images and documents in tool results",
      '"is_error" of a tool result',
    ],
  });
});

test("Google is asked what an Anthropic caller asks, in one turn after the other, and what it lacks is named", () => {
  const image = (data: string): JsonObject => ({ inlineData: { mimeType: "image/png", data } });
  const result = (id: string, name: string, response: JsonObject): JsonObject => ({
    functionResponse: { id, name, response },
  });
  assert.deepEqual(asked("MESSAGES", "GENERATE", MESSAGES), {
    body: {
      contents: [
        {
          role: "user",
          parts: [
            { text: "Look." },
            image("iVBO"),
            { fileData: { mimeType: "image/jpeg", fileUri: "https://x.example/a.jpg" } },
            { inlineData: { mimeType: "text/plain", data: "V29yZHMu" } },
          ],
        },
        {
          role: "model",
          parts: [
            { text: "I look." },
            {
              functionCall: { id: "t1", name: "weather", args: ULM },
              thoughtSignature: FOREIGN,
            },
            { functionCall: { id: "t2", name: "clock", args: {} } },
          ],
        },
        {
          role: "user",
          parts: [
            result("t1", "weather", { output: "Rain." }),
            image("AAAA"),
            result("t2", "clock", { error: "No clock." }),
            { text: "And now?" },
          ],
        },
      ],
      systemInstruction: { parts: [{ text: "Rules." }, { text: "More." }] },
      tools: [
        {
          functionDeclarations: [
            { name: "weather", description: "Tells it.", parametersJsonSchema: SCHEMA },
            { name: "clock", parametersJsonSchema: { type: "object" } },
          ],
        },
      ],
      toolConfig: { functionCallingConfig: { mode: "AUTO" } },
      generationConfig: {
        maxOutputTokens: 5000,
        temperature: 0.5,
        thinkingConfig: { thinkingLevel: "low", includeThoughts: true },
        topP: 0.9,
        topK: 3,
        stopSequences: ["END"],
      },
    },
    dropped: [
      '"thinking", "output_config.effort"',
      '"metadata"',
      "forbidding parallel tool calls",
      "thinking without a signature, or with another provider's",
      "tool calls without Google's thought signature",
    ],
  });
});

test("Anthropic is asked what a chat caller asks, the user first, and what it lacks is named", () => {
  assert.deepEqual(asked("CHAT", "MESSAGES", chat()), {
    body: {
      model: "claude-sonnet-4-5",
      max_tokens: 500,
      system: "Rules.",
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "Look." },
            { type: "image", source: png("iVBO") },
            {
              type: "document",
              source: { type: "base64", media_type: "application/pdf", data: "JVBE" },
              title: "a.pdf",
            },
          ],
        },
        {
          role: "assistant",
          content: [
            { type: "text", text: "Not that." },
            { type: "tool_use", id: "t1", name: "weather", input: ULM },
          ],
        },
        {
          role: "user",
          content: [
            { type: "tool_result", tool_use_id: "t1", content: "Rain." },
            { type: "text", text: "Later." },
            { type: "text", text: "And now?" },
          ],
        },
      ],
      temperature: 1,
      stop_sequences: ["END"],
      tools: [{ name: "weather", description: "Tells it.", input_schema: SCHEMA }],
      tool_choice: { type: "tool", name: "weather", disable_parallel_tool_use: true },
      output_config: { format: { type: "json_schema", schema: SCHEMA } },
    },
    dropped: [
      "system messages inside the conversation",
      '"reasoning_effort"',
      '"strict" of tools',
      '"seed", penalties',
      '"temperature"',
    ],
  });
});

test("Google is asked what a chat caller asks, and what it lacks is named", () => {
  const inline = (mimeType: string, data: string): JsonObject => ({
    inlineData: { mimeType, data },
  });
  assert.deepEqual(asked("CHAT", "GENERATE", chat({}, [...LOOK, AUDIO])), {
    body: {
      contents: [
        {
          role: "user",
          parts: [
            { text: "Look." },
            inline("image/png", "iVBO"),
            inline("application/pdf", "JVBE"),
            inline("audio/wav", "UklG"),
          ],
        },
        {
          role: "model",
          parts: [
            { text: "Not that." },
            { functionCall: { id: "t1", name: "weather", args: ULM }, thoughtSignature: FOREIGN },
          ],
        },
        {
          role: "user",
          parts: [
            { functionResponse: { id: "t1", name: "weather", response: { output: "Rain." } } },
            { text: "Later." },
            { text: "And now?" },
          ],
        },
      ],
      systemInstruction: { parts: [{ text: "Rules." }] },
      tools: [
        {
          functionDeclarations: [
            { name: "weather", description: "Tells it.", parametersJsonSchema: SCHEMA },
          ],
        },
      ],
      toolConfig: { functionCallingConfig: { mode: "ANY", allowedFunctionNames: ["weather"] } },
      generationConfig: {
        maxOutputTokens: 500,
        temperature: 1.5,
        topP: 0.9,
        seed: 7,
        frequencyPenalty: 0.2,
        presencePenalty: 0.1,
        stopSequences: ["END"],
        responseMimeType: "application/json",
        responseJsonSchema: SCHEMA,
        thinkingConfig: { thinkingLevel: "low", includeThoughts: true },
      },
    },
    dropped: [
      "forbidding parallel tool calls",
      "system messages inside the conversation",
      "tool calls without Google's thought signature",
    ],
  });
});

test("the Responses API is asked what a chat caller asks, nothing is stored, and what it lacks is named", () => {
  const said = (role: string, type: string, text: string): JsonObject => ({
    type: "message",
    role,
    content: [{ type, [type === "refusal" ? "refusal" : "text"]: text }],
  });
  assert.deepEqual(asked("CHAT", "RESPONSES", chat({ stop: null })), {
    body: {
      model: "gpt-5.4",
      instructions: "Rules.",
      input: [
        {
          type: "message",
          role: "user",
          content: [
            { type: "input_text", text: "Look." },
            { type: "input_image", image_url: "data:image/png;base64,iVBO", detail: "low" },
            {
              type: "input_file",
              filename: "a.pdf",
              file_data: "data:application/pdf;base64,JVBE",
            },
          ],
        },
        said("assistant", "refusal", "Not that."),
        { type: "function_call", call_id: "t1", name: "weather", arguments: '{"city":"Ulm"}' },
        { type: "function_call_output", call_id: "t1", output: "Rain." },
        said("system", "input_text", "Later."),
        said("user", "input_text", "And now?"),
      ],
      max_output_tokens: 500,
      tools: [
        {
          type: "function",
          name: "weather",
          description: "Tells it.",
          parameters: SCHEMA,
          strict: true,
        },
      ],
      tool_choice: { type: "function", name: "weather" },
      parallel_tool_calls: false,
      text: { format: { type: "json_schema", name: "answer", schema: SCHEMA, strict: true } },
      reasoning: { effort: "low", summary: "auto" },
      store: false,
      include: ["reasoning.encrypted_content"],
    },
    dropped: [
      '"seed", "top_k", penalties',
      `"temperature", "top_p" and penalties for OpenAI's reasoning models`,
    ],
  });
});

const LEVELS = ["minimal", "low", "medium", "high"];

test("effort becomes what the Gemini model knows of it", () => {
  const thinking = (model: string, effort: string): unknown => {
    const { body } = asked("CHAT", "GENERATE", chat({ reasoning_effort: effort }), model);
    return (body["generationConfig"] as JsonObject)["thinkingConfig"];
  };
  const level = (thinkingLevel: string) => ({ thinkingLevel, includeThoughts: true });
  const budget = (thinkingBudget: number) => ({ thinkingBudget, includeThoughts: true });
  for (const [model, none, minimal, low, medium, high] of [
    [
      "gemini-3-pro-preview",
      { thinkingLevel: "low" },
      ...["low", "low", "high", "high"].map(level),
    ],
    ["gemini-3.1-pro", { thinkingLevel: "low" }, ...["low", "low", "medium", "high"].map(level)],
    ["gemini-3.5-flash", { thinkingLevel: "minimal" }, ...LEVELS.map(level)],
    ["gemini-3-flash-preview", { thinkingLevel: "minimal" }, ...LEVELS.map(level)],
    ["gemini-flash-lite-latest", { thinkingLevel: "minimal" }, ...LEVELS.map(level)],
    ["gemini-3.8-flash", { thinkingLevel: "low" }, ...["low", "low", "medium", "high"].map(level)],
    [
      "gemini-flash-latest",
      { thinkingLevel: "low" },
      ...["low", "low", "medium", "high"].map(level),
    ],
    ["gemini-2.5-pro", { thinkingBudget: 128 }, ...[1024, 4096, 8192, 24_576].map(budget)],
    ["gemini-2.5-flash", { thinkingBudget: 0 }, ...[1024, 4096, 8192, 24_576].map(budget)],
    ["gemini-2.0-flash"],
    ["gemini-1.5-pro"],
  ] as const) {
    const told = { none, minimal, low, medium, high, xhigh: high, max: high };
    for (const [effort, wanted] of Object.entries(told)) {
      assert.deepEqual(thinking(model, effort), wanted, `${effort} ${model}`);
    }
    assert.deepEqual(thinking(model, "unheard"), undefined, model);
  }
});
