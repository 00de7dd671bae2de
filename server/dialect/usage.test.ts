import assert from "node:assert/strict";
import { test } from "node:test";
import type { TokenUsage } from "../core/call.js";
import { CODECS } from "./codecs.js";
import type { StreamForm } from "./codec.js";
import type { Dialect } from "../core/provider.js";

function tokens(part: Partial<TokenUsage>): TokenUsage {
  return { input: 0, output: 0, cacheRead: 0, cacheWrite: 0, reasoning: 0, ...part };
}

function replyUsage(dialect: Dialect, reply: object | string): TokenUsage | undefined {
  const text = typeof reply === "string" ? reply : JSON.stringify(reply);
  return CODECS[dialect].replyUsage(Buffer.from(text), "CHAT");
}

function watch(dialect: Dialect, form: StreamForm, events: readonly string[]) {
  const stream = CODECS[dialect].watch(form, true);
  for (const event of events) stream.push(Buffer.from(event));
  return stream;
}

test("cached and reasoning tokens of an OpenAI reply are parts of the totals", () => {
  const usage = {
    prompt_tokens: 100,
    completion_tokens: 50,
    total_tokens: 150,
    prompt_tokens_details: { cached_tokens: 64 },
    completion_tokens_details: { reasoning_tokens: 40 },
  };
  assert.deepEqual(
    replyUsage("OPENAI", { choices: [], usage, service_tier: "default" }),
    tokens({ input: 100, output: 50, cacheRead: 64, reasoning: 40 }),
  );
});

test("reasoning that a provider leaves out of the completion is added once", () => {
  const usage = {
    prompt_tokens: 10,
    completion_tokens: 5,
    total_tokens: 45,
    completion_tokens_details: { reasoning_tokens: 30 },
  };
  assert.deepEqual(
    replyUsage("OPENAI", { usage }),
    tokens({ input: 10, output: 35, reasoning: 30 }),
  );
});

test("reasoning that only the total holds, as in Google's form of chat completions, is output", () => {
  const usage = (more: object) =>
    replyUsage("OPENAI", { usage: { prompt_tokens: 20, completion_tokens: 424, ...more } });
  const details = (cached_tokens: number, cache_write_tokens = 0) => ({
    prompt_tokens_details: { cached_tokens, cache_write_tokens },
  });
  const thought = { input: 20, output: 996, reasoning: 572 };
  assert.deepEqual(usage({ total_tokens: 1016 }), tokens(thought));
  assert.deepEqual(
    usage({ total_tokens: 1016, ...details(10) }),
    tokens({ ...thought, cacheRead: 10 }),
  );
  const plain = { input: 20, output: 424 };
  for (const total_tokens of [444, 400, undefined]) {
    assert.deepEqual(usage({ total_tokens }), tokens(plain));
  }
  // What the cache gave or took, where the prompt does not hold it, is no output.
  for (const total_tokens of [454, 448, 458]) {
    const { output } = usage({ total_tokens, ...details(10, 4) }) ?? {};
    assert.equal(output, 424);
  }
  const none = { completion_tokens_details: { reasoning_tokens: 0 } };
  assert.deepEqual(usage({ total_tokens: 1016, ...none }), tokens(plain));
});

test("responses, embeddings and images tell their usage in their own words", () => {
  const details = {
    input_tokens_details: { cached_tokens: 2 },
    output_tokens_details: { reasoning_tokens: 3 },
  };
  assert.deepEqual(
    replyUsage("OPENAI", {
      usage: { input_tokens: 7, output_tokens: 9, ...details },
      metadata: {},
    }),
    tokens({ input: 7, output: 9, cacheRead: 2, reasoning: 3 }),
  );
  assert.deepEqual(
    replyUsage("OPENAI", {
      data: [{ embedding: [0.1] }],
      usage: { prompt_tokens: 8, total_tokens: 8 },
    }),
    tokens({ input: 8 }),
  );
  // Where there is no completion, what the total has beyond the prompt is no reasoning.
  assert.deepEqual(
    replyUsage("OPENAI", { usage: { prompt_tokens: 8, total_tokens: 10 } }),
    tokens({ input: 8 }),
  );
});

test("audio, images, seconds and searches are told where the provider tells them", () => {
  const openai = (usage: object) => replyUsage("OPENAI", { usage })?.parts;
  assert.deepEqual(
    openai({
      prompt_tokens: 50,
      completion_tokens: 90,
      prompt_tokens_details: { audio_tokens: 30, cached_tokens: 0 },
      completion_tokens_details: { audio_tokens: 70, reasoning_tokens: 0 },
    }),
    { audioInput: 30, audioOutput: 70 },
  );
  assert.deepEqual(
    openai({
      input_tokens: 50,
      output_tokens: 4160,
      input_tokens_details: { text_tokens: 10, image_tokens: 40 },
      output_tokens_details: { image_tokens: 4160, text_tokens: 0 },
    }),
    { imageInput: 40, imageOutput: 4160 },
  );
  const input_token_details = { text_tokens: 0, audio_tokens: 14 };
  assert.deepEqual(
    openai({ type: "tokens", input_tokens: 14, output_tokens: 45, input_token_details }),
    { audioInput: 14 },
  );
  assert.deepEqual(replyUsage("OPENAI", { text: "x", usage: { type: "duration", seconds: 9 } }), {
    ...tokens({}),
    parts: { audioSeconds: 9 },
  });
  // They are paid by one of both.
  assert.equal(
    openai({ type: "tokens", input_tokens: 1, output_tokens: 1, seconds: 9 }),
    undefined,
  );
  assert.deepEqual(
    replyUsage("ANTHROPIC", {
      usage: {
        input_tokens: 5,
        output_tokens: 6,
        cache_creation_input_tokens: 30,
        cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 20 },
        server_tool_use: { web_search_requests: 2 },
      },
    })?.parts,
    { cacheWriteLong: 20, webSearches: 2 },
  );
  const of = (modality: string, tokenCount: number) => ({ modality, tokenCount });
  assert.deepEqual(
    replyUsage("GEMINI", {
      usageMetadata: {
        promptTokenCount: 300,
        candidatesTokenCount: 1290,
        promptTokensDetails: [of("TEXT", 10), of("AUDIO", 32), of("IMAGE", 258)],
        cacheTokensDetails: [of("AUDIO", 16)],
        candidatesTokensDetails: [of("IMAGE", 1290)],
      },
    })?.parts,
    { audioInput: 32, audioCacheRead: 16, imageInput: 258, imageOutput: 1290 },
  );
});

test("what a message stream says of the cache at its start and of searches at its end is both told", () => {
  const start = { input_tokens: 9, cache_creation_input_tokens: 8, output_tokens: 1 };
  const cache_creation = { ephemeral_1h_input_tokens: 8 };
  const end = { output_tokens: 7, server_tool_use: { web_search_requests: 1 } };
  const events = [
    { type: "message_start", message: { usage: { ...start, cache_creation } } },
    { type: "message_delta", usage: end },
  ].map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  const stream = watch("ANTHROPIC", "MESSAGES", events);
  assert.deepEqual(stream.usage(), {
    ...tokens({ input: 17, output: 7, cacheWrite: 8 }),
    parts: { cacheWriteLong: 8, webSearches: 1 },
  });
});

test("a message stream's end does not say how long its writes to the cache live: its start or its passes do", () => {
  const sums = { input_tokens: 9, cache_creation_input_tokens: 8, cache_read_input_tokens: 4 };
  const cache_creation = { ephemeral_5m_input_tokens: 3, ephemeral_1h_input_tokens: 5 };
  const start = { ...sums, cache_creation, output_tokens: 1 };
  const eventsOf = (end: object) => [
    `event: message_start\ndata: ${JSON.stringify({ type: "message_start", message: { usage: start } })}\n\n`,
    `event: message_delta\ndata: ${JSON.stringify({ type: "message_delta", usage: end })}\n\n`,
  ];
  const end = { ...sums, output_tokens: 7 };
  const wanted = {
    ...tokens({ input: 21, output: 7, cacheRead: 4, cacheWrite: 8 }),
    parts: { cacheWriteLong: 5 },
  };
  for (const reads of [eventsOf(end), [eventsOf(end).join("")]]) {
    assert.deepEqual(watch("ANTHROPIC", "MESSAGES", reads).usage(), wanted);
  }
  const pass = { type: "message", input_tokens: 4, output_tokens: 3, cache_creation };
  const twice = { ...end, cache_creation_input_tokens: 16, iterations: [pass, pass] };
  assert.deepEqual(watch("ANTHROPIC", "MESSAGES", eventsOf(twice)).usage(), {
    ...tokens({ input: 29, output: 7, cacheRead: 4, cacheWrite: 16 }),
    parts: { cacheWriteLong: 10 },
  });
});

test("of a whole message that is passed on in pieces no usage counts that the model wrote before the provider's", () => {
  const written = { input_tokens: 1, cache_creation: { ephemeral_1h_input_tokens: 9 } };
  const usage = { input_tokens: 5, cache_creation_input_tokens: 20, output_tokens: 6 };
  const reply = JSON.stringify({ content: [{ input: { usage: written } }], usage });
  const stream = CODECS.ANTHROPIC.watch("MESSAGES", false);
  stream.push(Buffer.from(reply));
  assert.deepEqual(stream.usage(), tokens({ input: 25, output: 6, cacheWrite: 20 }));
});

test("passes that Anthropic's sums leave out are counted: a compaction and another model's advice", () => {
  const pass = (type: string, input_tokens: number, output_tokens: number) => ({
    type,
    input_tokens,
    output_tokens,
    cache_read_input_tokens: 0,
    cache_creation_input_tokens: type === "compaction" ? 40 : 0,
    cache_creation: { ephemeral_1h_input_tokens: type === "compaction" ? 30 : 0 },
  });
  const usage = {
    ...pass("", 612, 2819),
    iterations: [
      pass("compaction", 60_385, 522),
      pass("message", 600, 2800),
      pass("advisor_message", 2728, 3880),
      pass("message", 12, 19),
      null,
      { type: "compaction" },
    ],
  };
  const wanted = {
    ...tokens({ input: 612 + 60_425 + 2728, output: 2819 + 522 + 3880, cacheWrite: 40 }),
    parts: { cacheWriteLong: 30 },
  };
  assert.deepEqual(replyUsage("ANTHROPIC", { usage }), wanted);
  const events = [
    `event: message_start\ndata: {"message":{"usage":{"input_tokens":60385,"output_tokens":5}}}\n\n`,
    `event: message_delta\ndata: ${JSON.stringify({ usage })}\n\n`,
  ];
  assert.deepEqual(watch("ANTHROPIC", "MESSAGES", events).usage(), wanted);
  // The model that refused first has made nothing, and the sums are the other's.
  const fallback = {
    ...pass("", 412, 264),
    iterations: [pass("message", 408, 0), pass("fallback_message", 412, 264)],
  };
  assert.deepEqual(
    replyUsage("ANTHROPIC", { usage: fallback }),
    tokens({ input: 412, output: 264 }),
  );
});

test("Anthropic's input leaves out the cache, so both are added", () => {
  const usage = {
    input_tokens: 20,
    cache_creation_input_tokens: 30,
    cache_read_input_tokens: 100,
    cache_creation: { ephemeral_5m_input_tokens: 30 },
    output_tokens: 9,
    output_tokens_details: { thinking_tokens: 4 },
  };
  assert.deepEqual(
    replyUsage("ANTHROPIC", { type: "message", content: [], usage }),
    tokens({ input: 150, output: 9, cacheRead: 100, cacheWrite: 30, reasoning: 4 }),
  );
});

test("Gemini's thoughts count as output and its tool prompts as input", () => {
  const usageMetadata = {
    promptTokenCount: 427,
    candidatesTokenCount: 122,
    totalTokenCount: 1767,
    toolUsePromptTokenCount: 771,
    thoughtsTokenCount: 447,
    cachedContentTokenCount: 400,
  };
  assert.deepEqual(
    replyUsage("GEMINI", { candidates: [], usageMetadata, modelVersion: "x" }),
    tokens({ input: 1198, output: 569, cacheRead: 400, reasoning: 447 }),
  );
});

test("a usage that a model wrote is never taken for the provider's", () => {
  const fake = { input_tokens: 1, output_tokens: 1 };
  const reply = {
    content: [
      { type: "tool_use", input: { usage: fake } },
      { type: "text", text: '"usage":{"input_tokens":2}' },
    ],
    usage: { input_tokens: 5, output_tokens: 6 },
  };
  assert.deepEqual(replyUsage("ANTHROPIC", reply), tokens({ input: 5, output: 6 }));
  assert.equal(
    replyUsage("ANTHROPIC", { usage: null, content: [{ input: { usage: fake } }] }),
    undefined,
  );
});

test("a usage that tells one side alone counts that, and one that tells neither is none", () => {
  for (const [dialect, member, input, output] of [
    ["OPENAI", "usage", "prompt_tokens", "completion_tokens"],
    ["OPENAI", "usage", "input_tokens", "output_tokens"],
    ["ANTHROPIC", "usage", "input_tokens", "output_tokens"],
    ["GEMINI", "usageMetadata", "promptTokenCount", "candidatesTokenCount"],
  ] as const) {
    assert.deepEqual(replyUsage(dialect, { [member]: { [input]: 3 } }), tokens({ input: 3 }));
    assert.deepEqual(replyUsage(dialect, { [member]: { [output]: 4 } }), tokens({ output: 4 }));
    for (const none of [{}, { [input]: null, [output]: null }, { total_tokens: 5 }]) {
      assert.equal(replyUsage(dialect, { [member]: none }), undefined);
    }
  }
});

test("what imitations of OpenAI say of the cache and of audio in words of their own counts too", () => {
  const usage = { prompt_tokens: 9, completion_tokens: 1 };
  assert.equal(
    replyUsage("OPENAI", { usage: { ...usage, prompt_cache_hit_tokens: 8 } })?.cacheRead,
    8,
  );
  assert.deepEqual(replyUsage("OPENAI", { usage: { ...usage, prompt_audio_seconds: 7 } })?.parts, {
    audioSeconds: 7,
  });
});

test("of what a Gemini cache is made of is counted once, when it is made, and of no other reply's sum", () => {
  const usageMetadata = { totalTokenCount: 500 };
  const name = "cachedContents/x";
  assert.deepEqual(replyUsage("GEMINI", { name, usageMetadata }), tokens({ input: 500 }));
  assert.equal(replyUsage("GEMINI", { name, usageMetadata: {} }), undefined);
  assert.equal(replyUsage("GEMINI", { name: "files/x", usageMetadata }), undefined);
  assert.equal(replyUsage("GEMINI", { x: { name }, usageMetadata }), undefined);
});

test("of a message stream the last usage that tells numbers counts, and what it leaves out as it began", () => {
  const usageOf = (...usages: (object | null)[]): TokenUsage | undefined => {
    const events = usages.map((usage, at) =>
      at === 0
        ? `event: message_start\ndata: ${JSON.stringify({ message: { usage } })}\n\n`
        : `event: message_delta\ndata: ${JSON.stringify({ usage })}\n\n`,
    );
    return watch("ANTHROPIC", "MESSAGES", events).usage();
  };
  const start = { input_tokens: 9, cache_read_input_tokens: 1, output_tokens: 1 };
  const began = tokens({ input: 10, cacheRead: 1 });
  assert.deepEqual(usageOf(start), { ...began, output: 1 });
  assert.deepEqual(usageOf(start, { output_tokens: 7 }, {}), { ...began, output: 7 });
  assert.deepEqual(
    usageOf(start, { input_tokens: 20, output_tokens: 7 }),
    tokens({ input: 21, output: 7, cacheRead: 1 }),
    "newer models tell the input again",
  );
  const nulls = { input_tokens: null, cache_read_input_tokens: null, output_tokens: 7 };
  assert.deepEqual(usageOf(start, nulls), { ...began, output: 7 });
  assert.deepEqual(usageOf(null, { output_tokens: 7 }), tokens({ output: 7 }));
  assert.equal(usageOf(null, {}), undefined);
  const long = { ...start, cache_creation: { ephemeral_1h_input_tokens: 5 } };
  assert.deepEqual(usageOf(long, { output_tokens: 7 })?.parts, { cacheWriteLong: 5 });
  const searched = { output_tokens: 7, server_tool_use: { web_search_requests: 2 } };
  assert.deepEqual(usageOf(start, searched)?.parts, { webSearches: 2 });
});

test("impossible numbers are made possible", () => {
  assert.deepEqual(
    replyUsage("OPENAI", '{"usage":{"prompt_tokens":-5,"completion_tokens":1e300}}'),
    tokens({ output: 1_000_000_000 }),
  );
  assert.equal(replyUsage("OPENAI", '{"usage":{"prompt_tokens":"many"}}'), undefined);
});

test("a chat stream is finished by its last event alone", () => {
  const stream = watch("OPENAI", "CHAT", [
    'data: {"choices":[{"delta":{"content":"[DONE]"}}]}\n\n',
  ]);
  assert.equal(stream.finished, false);
  assert.equal(stream.completeWithout(), false);
  stream.push(Buffer.from('data: {"choices":[{"finish_reason":"stop"}]}\n\n'));
  assert.equal(stream.completeWithout(), true);
  stream.push(
    Buffer.from(
      'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\ndata: [DONE]\n\n',
    ),
  );
  assert.equal(stream.finished, true);
  assert.deepEqual(stream.usage(), tokens({ input: 3, output: 4 }));
});

test("a responses stream is finished by its completed event, not by words in a text", () => {
  const stream = watch("OPENAI", "RESPONSES", [
    'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"event: response.completed"}\n\n',
  ]);
  assert.equal(stream.finished, false);
  const response = {
    usage: { input_tokens: 4, output_tokens: 5 },
    tools: [{ usage: { type: "object" } }],
  };
  stream.push(
    Buffer.from(
      `event: response.completed\ndata: ${JSON.stringify({ type: "response.completed", response })}\n\n`,
    ),
  );
  assert.equal(stream.finished, true);
  assert.deepEqual(stream.usage(), tokens({ input: 4, output: 5 }));
});

test("a message stream is finished by message_stop, not by the word in a text", () => {
  const stream = watch("ANTHROPIC", "MESSAGES", [
    'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":9,"cache_read_input_tokens":1,"output_tokens":1}}}\n\n',
    `event: content_block_delta\ndata: ${JSON.stringify({ delta: { text: '"message_stop"' } })}\n\n`,
  ]);
  assert.equal(stream.finished, false);
  assert.equal(stream.completeWithout(), false);
  assert.deepEqual(stream.usage(), tokens({ input: 10, cacheRead: 1, output: 1 }));
  stream.push(Buffer.from('event: message_delta\ndata: {"usage":{"output_tokens":7}}\n\n'));
  stream.push(Buffer.from('event: message_stop\ndata: {"type":"message_stop"  }\n\n'));
  assert.equal(stream.finished, true);
  assert.deepEqual(stream.usage(), tokens({ input: 10, cacheRead: 1, output: 7 }));
});

test("the usage of a message stream is the same however its events were read together", () => {
  const events = [
    'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":9,"cache_read_input_tokens":1,"output_tokens":1}}}\n\n',
    'event: content_block_delta\ndata: {"delta":{"text":"x"}}\n\n',
    'event: message_delta\ndata: {"usage":{"output_tokens":7}}\n\n',
    'event: message_stop\ndata: {"type":"message_stop"}\n\n',
  ];
  for (let cuts = 0; cuts < 2 ** (events.length - 1); cuts++) {
    const reads = [""];
    for (const [at, event] of events.entries()) {
      reads[reads.length - 1] += event;
      if ((cuts & (1 << at)) !== 0) reads.push("");
    }
    const stream = watch("ANTHROPIC", "MESSAGES", reads);
    assert.equal(stream.finished, true);
    assert.deepEqual(stream.usage(), tokens({ input: 10, cacheRead: 1, output: 7 }));
  }
});

test("a Gemini stream is complete once it says why it stopped", () => {
  const stream = watch("GEMINI", "GENERATE", ['data: {"candidates":[{"content":{}}]}\r\n\r\n']);
  assert.equal(stream.completeWithout(), false);
  stream.push(
    Buffer.from(
      'data: {"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":2,"candidatesTokenCount":3}}\r\n\r\n',
    ),
  );
  assert.equal(stream.completeWithout(), true);
  assert.deepEqual(stream.usage(), tokens({ input: 2, output: 3 }));
});

test("errors that open a stream are told from replies", () => {
  const opens = (dialect: Dialect, text: string): boolean =>
    CODECS[dialect].watch("OTHER", true).opening(Buffer.from(text)) === "ERROR";
  assert.equal(opens("OPENAI", 'data: {"error":{"message":"x"}}\n\n'), true);
  assert.equal(opens("OPENAI", 'data: {"id":"x","error":null}\n\n'), false);
  assert.equal(opens("ANTHROPIC", 'event: error\ndata: {"type":"error"}\n\n'), true);
  assert.equal(opens("ANTHROPIC", "event: message_start\ndata: {}\n\n"), false);
  assert.equal(opens("GEMINI", 'data: {"error": {"code":503}}\r\n\r\n'), true);
  assert.equal(opens("GEMINI", '{\n  "error": {\n    "code": 503'), true);
  assert.equal(opens("GEMINI", 'data: {"candidates":[]}\r\n\r\n'), false);
});

test("what a response says in its deltas, and again and again at its end, is said once", () => {
  const event = (type: string, body: object) =>
    `event: ${type}\ndata: ${JSON.stringify({ type, ...body })}\n\n`;
  const text = "twelve bytes";
  const item = { type: "message", content: [{ type: "output_text", text }] };
  const events = [
    event("response.output_text.delta", { delta: "twelve " }),
    event("response.output_text.delta", { delta: "bytes" }),
    event("response.output_text.done", { text }),
    event("response.output_item.done", { item }),
  ];
  const end = event("response.completed", { response: { output: [item] } });
  assert.equal(watch("OPENAI", "RESPONSES", [...events, end]).saidBytes?.(), 12);
  assert.equal(watch("OPENAI", "RESPONSES", [events.join("") + end]).saidBytes?.(), 12);
  for (const cut of [1, 2, 3, 4]) {
    const said = cut === 1 ? 7 : 12;
    assert.equal(watch("OPENAI", "RESPONSES", events.slice(0, cut)).saidBytes?.(), said);
    assert.equal(watch("OPENAI", "RESPONSES", [events.slice(0, cut).join("")]).saidBytes?.(), said);
  }
  assert.equal(watch("OPENAI", "CHAT", ["data: [DONE]\n\n"]).saidBytes?.(), undefined);
});

/** A response with an image, as OpenAI repeats its request and tells what the tool used. */
function madeImage(toolUsage: object, tools: readonly object[]): string {
  return JSON.stringify({
    id: "resp_1",
    output: [{ type: "image_generation_call", result: "A".repeat(20_000) }],
    text: { format: { schema: { properties: { image_gen: { type: "object" } } } } },
    tool_usage: { image_gen: toolUsage, web_search: { num_requests: 0 } },
    tools,
    usage: { input_tokens: 100, output_tokens: 20, total_tokens: 120 },
  });
}

test("what the image tool of a response used is told beside the response's own tokens, whole and streamed", () => {
  const used = {
    input_tokens: 50,
    input_tokens_details: { image_tokens: 40, text_tokens: 10 },
    output_tokens: 1056,
    output_tokens_details: { image_tokens: 1056, text_tokens: 0 },
    total_tokens: 1106,
  };
  const parts = { imageInput: 40, imageOutput: 1056 };
  const ofTool = { ...tokens({ input: 50, output: 1056 }), parts };
  for (const [usage, tools, models, told] of [
    [used, [{ type: "image_generation", model: "gpt-image-1.5" }], ["gpt-image-1.5"], ofTool],
    [used, [{ type: "image_generation", size: "auto" }], ["gpt-image-1"], ofTool],
    [
      { input_tokens: 5, output_tokens: 6 },
      [{ type: "image_generation" }],
      ["gpt-image-1"],
      { ...tokens({ input: 5, output: 6 }), parts: { imageOutput: 6 } },
    ],
    // Its caller may name what it likes.
    [
      used,
      [
        { type: "image_generation", model: "gpt-image-2" },
        { type: "function", parameters: { image_gen: { output_tokens: 1 } } },
      ],
      ["gpt-image-2"],
      ofTool,
    ],
  ] as const) {
    const wanted = {
      ...tokens({ input: 100, output: 20 }),
      parts: { imageTool: { models, tokens: told } },
    };
    const reply = madeImage(usage, tools);
    assert.deepEqual(CODECS.OPENAI.replyUsage(Buffer.from(reply), "RESPONSES"), wanted);
    const event = `event: response.completed\ndata: {"type":"response.completed","response":${reply}}\n\n`;
    const stream = CODECS.OPENAI.watch("RESPONSES", true);
    stream.push(Buffer.from(event));
    assert.deepEqual(stream.usage(), wanted);
  }
  const none = { input_tokens: 0, output_tokens: 0, total_tokens: 0 };
  const plain = CODECS.OPENAI.replyUsage(Buffer.from(madeImage(none, [])), "RESPONSES");
  assert.deepEqual(plain, tokens({ input: 100, output: 20 }));
  const chat = CODECS.OPENAI.replyUsage(Buffer.from(madeImage(used, [])), "CHAT");
  assert.deepEqual(chat, tokens({ input: 100, output: 20 }));
});

test("what a caller or a model wrote into the structure of an event is never taken for its usage", () => {
  const none = { prompt_tokens: 0, input_tokens: 0, output_tokens: 0 };
  const event = (body: object): string => `data: ${JSON.stringify(body)}\n\n`;
  const usage = { input_tokens: 500, output_tokens: 70 };
  const schema = { type: "object", default: { usage: none } };
  const tools = [{ type: "function", name: "f", parameters: schema }];
  const begun = event({ type: "response.created", response: { tools, usage: null } });
  assert.equal(watch("OPENAI", "RESPONSES", [begun]).usage(), undefined);
  const whole = event({ type: "response.completed", response: { usage, output: [], tools } });
  assert.deepEqual(
    watch("OPENAI", "RESPONSES", [begun, whole]).usage(),
    tokens({ input: 500, output: 70 }),
  );

  const input = { usage: none };
  const start = event({ type: "message_start", message: { content: [], usage } });
  const block = { type: "tool_use", name: "f", input };
  const called = event({ type: "content_block_start", index: 0, content_block: block });
  assert.deepEqual(
    watch("ANTHROPIC", "MESSAGES", [start, called]).usage(),
    tokens({ input: 500, output: 70 }),
  );

  const args = { usageMetadata: { promptTokenCount: 0, candidatesTokenCount: 0 } };
  const parts = [{ functionCall: { name: "f", args, id: "a" } }];
  const reply = { candidates: [{ content: { parts }, index: 0 }], modelVersion: "m" };
  const said = { usageMetadata: { promptTokenCount: 500, candidatesTokenCount: 70 }, ...reply };
  const found = tokens({ input: 500, output: 70 });
  assert.equal(watch("GEMINI", "GENERATE", [event(reply)]).usage(), undefined);
  assert.deepEqual(watch("GEMINI", "GENERATE", [event(said), event(reply)]).usage(), found);
  const array = CODECS.GEMINI.watch("GENERATE", false);
  array.push(Buffer.from(`[${JSON.stringify(reply)}`));
  assert.equal(array.usage(), undefined);
  array.push(Buffer.from(`,\n${JSON.stringify(said)}`));
  assert.deepEqual(array.usage(), found);
  array.push(Buffer.from("]"));
  assert.deepEqual(array.usage(), found);
});

test("Gemini's modalities are known by their numbers as by their names", () => {
  const usage = (audio: unknown, image: unknown) => ({
    promptTokenCount: 90,
    candidatesTokenCount: 9,
    promptTokensDetails: [
      { modality: image, tokenCount: 20 },
      { modality: audio, tokenCount: 70 },
    ],
  });
  const named = replyUsage("GEMINI", { usageMetadata: usage("AUDIO", "IMAGE") });
  assert.deepEqual(named?.parts, { audioInput: 70, imageInput: 20 });
  assert.deepEqual(replyUsage("GEMINI", { usageMetadata: usage(4, 2) }), named);
});
