import assert from "node:assert/strict";
import { test } from "node:test";
import type { StreamForm } from "./codec.js";
import { replyEvents } from "./reply-events.js";

interface Event {
  readonly name: string | undefined;
  readonly data: Record<string, unknown>;
}

function eventsOf(reply: object, form: StreamForm): Event[] {
  const text = replyEvents(Buffer.from(JSON.stringify(reply)), form)?.toString() ?? "";
  return text
    .split("\n\n")
    .filter((event) => event !== "" && event !== "data: [DONE]")
    .map((event) => {
      const [, name, data = ""] = /^(?:event: (.*)\n)?data: (.*)$/.exec(event) ?? [];
      return { name, data: JSON.parse(data) as Record<string, unknown> };
    });
}

test("a response becomes every event of which SDKs and agents put its items together", () => {
  const output = [
    { type: "reasoning", id: "rs", summary: [{ type: "summary_text", text: "Hm." }] },
    {
      type: "message",
      id: "msg",
      status: "completed",
      content: [
        { type: "output_text", text: "Hi.", annotations: [] },
        { type: "refusal", refusal: "No." },
      ],
    },
    { type: "function_call", id: "fc", name: "f", arguments: '{"a":1}', status: "completed" },
    { type: "custom_tool_call", id: "ct", name: "g", input: "do", status: "completed" },
    { type: "web_search_call", id: "ws", status: "completed" },
  ];
  const response = { id: "resp", status: "incomplete", output, usage: { input_tokens: 1 } };
  const events = eventsOf(response, "RESPONSES");
  assert.deepEqual(
    events.map(({ name }) => name?.replace("response.", "")),
    [
      ["created", "in_progress"],
      ["output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta"],
      ["reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done"],
      ["output_item.added", "content_part.added", "output_text.delta", "output_text.done"],
      ["content_part.done", "content_part.added", "refusal.delta", "refusal.done"],
      ["content_part.done", "output_item.done"],
      ["output_item.added", "function_call_arguments.delta", "function_call_arguments.done"],
      ["output_item.done"],
      ["output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done"],
      ["output_item.done", "output_item.added", "output_item.done", "incomplete"],
    ].flat(),
  );
  const find = (name: string): Record<string, unknown>[] =>
    events.filter((each) => each.name === `response.${name}`).map(({ data }) => data);
  assert.deepEqual(
    events.map(({ data }) => data["sequence_number"]),
    [...events.keys()],
  );
  for (const name of ["created", "in_progress"]) {
    const begun = { ...response, status: "in_progress", output: [], usage: null };
    assert.deepEqual(find(name)[0]?.["response"], begun);
  }
  assert.deepEqual(find("incomplete")[0]?.["response"], response);
  assert.deepEqual(
    find("output_item.added").map(({ item }) => item),
    [
      { ...output[0], summary: [] },
      { ...output[1], status: "in_progress", content: [] },
      { ...output[2], status: "in_progress", arguments: "" },
      { ...output[3], status: "in_progress", input: "" },
      output[4],
    ],
  );
  assert.deepEqual(
    find("output_item.done").map(({ item }) => item),
    output,
  );
  const at = { type: "response.output_text.delta", item_id: "msg", output_index: 1 };
  const [said] = find("output_text.delta");
  assert.deepEqual(said, {
    ...at,
    sequence_number: said?.["sequence_number"],
    content_index: 0,
    delta: "Hi.",
    logprobs: [],
  });
  assert.equal(find("refusal.delta")[0]?.["delta"], "No.");
  assert.equal(find("function_call_arguments.done")[0]?.["arguments"], '{"a":1}');
  assert.equal(find("custom_tool_call_input.done")[0]?.["input"], "do");
});

test("an older completion keeps its name and its text, and tells its usage in an event of its own", () => {
  const choices = [{ index: 0, text: "Hi.", finish_reason: "length" }];
  const usage = { prompt_tokens: 1, completion_tokens: 2 };
  const rest = { id: "c", object: "text_completion" };
  assert.deepEqual(
    eventsOf({ ...rest, choices, usage }, "CHAT").map(({ data }) => data),
    [
      { ...rest, choices: [{ index: 0, text: "Hi.", finish_reason: null }] },
      { ...rest, choices: [{ index: 0, text: "", finish_reason: "length" }] },
      { ...rest, choices: [], usage },
    ],
  );
});

test("a chat completion ends with a reason, and its calls of tools are told apart", () => {
  const calls = [{ id: "t1" }, { id: "t2" }];
  const choices = [{ index: 0, message: { content: null, tool_calls: calls } }];
  const [first, last] = eventsOf({ id: "c", object: "chat.completion", choices }, "CHAT");
  assert.deepEqual(first?.data, {
    id: "c",
    object: "chat.completion.chunk",
    choices: [
      {
        index: 0,
        delta: {
          content: null,
          tool_calls: [
            { index: 0, id: "t1" },
            { index: 1, id: "t2" },
          ],
        },
        finish_reason: null,
      },
    ],
  });
  assert.deepEqual(last?.data, {
    id: "c",
    object: "chat.completion.chunk",
    choices: [{ index: 0, delta: {}, finish_reason: "stop" }],
  });
});

test("a message becomes its blocks, each begun and ended, and an end that says why", () => {
  const content = [
    { type: "text", text: "Hi." },
    { type: "tool_use", id: "t", name: "f", input: { a: 1 } },
    { type: "redacted_thinking", data: "x" },
  ];
  const events = eventsOf({ id: "m", content, usage: { output_tokens: 2 } }, "MESSAGES");
  assert.deepEqual(
    events.map(({ name, data: { type, message, ...data } }) => {
      assert.equal(type, name);
      return [name, message ?? data];
    }),
    [
      [
        "message_start",
        {
          id: "m",
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: { output_tokens: 2 },
        },
      ],
      ["content_block_start", { index: 0, content_block: { type: "text", text: "" } }],
      ["content_block_delta", { index: 0, delta: { type: "text_delta", text: "Hi." } }],
      ["content_block_stop", { index: 0 }],
      [
        "content_block_start",
        { index: 1, content_block: { type: "tool_use", id: "t", name: "f", input: {} } },
      ],
      [
        "content_block_delta",
        { index: 1, delta: { type: "input_json_delta", partial_json: '{"a":1}' } },
      ],
      ["content_block_stop", { index: 1 }],
      ["content_block_start", { index: 2, content_block: content[2] }],
      ["content_block_stop", { index: 2 }],
      [
        "message_delta",
        { delta: { stop_reason: "end_turn", stop_sequence: null }, usage: { output_tokens: 2 } },
      ],
      ["message_stop", {}],
    ],
  );
});

test("each item of a response is told by its place, in pieces from which SDKs put it together", () => {
  const text = { type: "output_text", text: "Hi.", annotations: [], logprobs: [{ token: "Hi" }] };
  const output = [
    {
      type: "reasoning",
      id: "rs",
      summary: [{ type: "summary_text", text: "So." }],
      content: [{ type: "reasoning_text", text: "Hm." }],
    },
    { type: "message", id: "msg", content: [text, { type: "refusal", refusal: "No." }] },
    { type: "function_call", id: "fc", name: "f", arguments: '{"a":1}' },
    { type: "custom_tool_call", id: "ct", name: "g", input: "do" },
  ];
  const told = eventsOf({ id: "resp", output }, "RESPONSES")
    .map(({ data }) => {
      const { sequence_number: _sequence, type, ...members } = data;
      return [type, members] as const;
    })
    .filter(([type]) => !/^response\.(?:created|in_progress|completed)$/.test(String(type)));
  const rs = { item_id: "rs", output_index: 0 };
  const msg = { item_id: "msg", output_index: 1 };
  const fc = { item_id: "fc", output_index: 2 };
  const ct = { item_id: "ct", output_index: 3 };
  const { content: _, ...thought } = output[0]!;
  const summary = { ...rs, summary_index: 0 };
  const [first, second] = [{ content_index: 0 }, { content_index: 1 }];
  const whole = { type: "reasoning_text", text: "Hm." };
  const { logprobs } = text;
  assert.deepEqual(told, [
    ["response.output_item.added", { output_index: 0, item: { ...thought, summary: [] } }],
    [
      "response.reasoning_summary_part.added",
      { ...summary, part: { type: "summary_text", text: "" } },
    ],
    ["response.reasoning_summary_text.delta", { ...summary, delta: "So." }],
    ["response.reasoning_summary_text.done", { ...summary, text: "So." }],
    [
      "response.reasoning_summary_part.done",
      { ...summary, part: { type: "summary_text", text: "So." } },
    ],
    ["response.content_part.added", { ...rs, ...first, part: { ...whole, text: "" } }],
    ["response.reasoning_text.delta", { ...rs, ...first, delta: "Hm." }],
    ["response.reasoning_text.done", { ...rs, ...first, text: "Hm." }],
    ["response.content_part.done", { ...rs, ...first, part: whole }],
    ["response.output_item.done", { output_index: 0, item: output[0] }],
    [
      "response.output_item.added",
      { output_index: 1, item: { ...output[1], status: "in_progress", content: [] } },
    ],
    ["response.content_part.added", { ...msg, ...first, part: { ...text, text: "" } }],
    ["response.output_text.delta", { ...msg, ...first, delta: "Hi.", logprobs }],
    ["response.output_text.done", { ...msg, ...first, text: "Hi.", logprobs }],
    ["response.content_part.done", { ...msg, ...first, part: text }],
    ["response.content_part.added", { ...msg, ...second, part: { type: "refusal", refusal: "" } }],
    ["response.refusal.delta", { ...msg, ...second, delta: "No." }],
    ["response.refusal.done", { ...msg, ...second, refusal: "No." }],
    [
      "response.content_part.done",
      { ...msg, ...second, part: { type: "refusal", refusal: "No." } },
    ],
    ["response.output_item.done", { output_index: 1, item: output[1] }],
    [
      "response.output_item.added",
      { output_index: 2, item: { ...output[2], status: "in_progress", arguments: "" } },
    ],
    ["response.function_call_arguments.delta", { ...fc, delta: '{"a":1}' }],
    ["response.function_call_arguments.done", { ...fc, arguments: '{"a":1}' }],
    ["response.output_item.done", { output_index: 2, item: output[2] }],
    [
      "response.output_item.added",
      { output_index: 3, item: { ...output[3], status: "in_progress", input: "" } },
    ],
    ["response.custom_tool_call_input.delta", { ...ct, delta: "do" }],
    ["response.custom_tool_call_input.done", { ...ct, input: "do" }],
    ["response.output_item.done", { output_index: 3, item: output[3] }],
  ]);
});

test("thoughts, citations and what the provider's own tools are asked come in pieces, as Anthropic streams them", () => {
  const citation = { type: "char_location", cited_text: "x" };
  const use = { id: "s", name: "n" };
  for (const [block, begun, deltas] of [
    [
      { type: "thinking", thinking: "Hm.", signature: "c2ln" },
      { type: "thinking", thinking: "", signature: "" },
      [
        { type: "thinking_delta", thinking: "Hm." },
        { type: "signature_delta", signature: "c2ln" },
      ],
    ],
    [
      { type: "thinking", thinking: "Hm." },
      { type: "thinking", thinking: "", signature: "" },
      [
        { type: "thinking_delta", thinking: "Hm." },
        { type: "signature_delta", signature: "" },
      ],
    ],
    [
      { type: "text", text: "Hi.", citations: [citation] },
      { type: "text", text: "" },
      [
        { type: "text_delta", text: "Hi." },
        { type: "citations_delta", citation },
      ],
    ],
    ...["server_tool_use", "mcp_tool_use"].map(
      (type) =>
        [
          { type, ...use, input: { q: 1 } },
          { type, ...use, input: {} },
          [{ type: "input_json_delta", partial_json: '{"q":1}' }],
        ] as const,
    ),
    [
      { type: "tool_use", ...use },
      { type: "tool_use", ...use, input: {} },
      [{ type: "input_json_delta", partial_json: "{}" }],
    ],
  ] as const) {
    const events = eventsOf({ content: [block] }, "MESSAGES").map(({ data }) => data);
    assert.deepEqual(events[1]?.["content_block"], begun);
    const told = events.filter(({ type }) => type === "content_block_delta");
    assert.deepEqual(
      told.map(({ delta }) => delta),
      deltas,
    );
  }
});

test("why a message ended is told at its end, and not where it begins", () => {
  const end = {
    stop_reason: "refusal",
    stop_sequence: "X",
    stop_details: { explanation: "No." },
    container: { id: "c" },
  };
  const events = eventsOf({ id: "m", content: [], ...end }, "MESSAGES");
  const [begun, ended] = events.map(({ data }) => data);
  assert.deepEqual(begun?.["message"], {
    id: "m",
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: {},
  });
  assert.deepEqual(ended?.["delta"], end);
});

test("a chat completion that calls nothing streams its message as it is, and a number in it as it was written", () => {
  const message = { role: "assistant", content: "Hi.", tool_calls: [] };
  const reply = { id: "c", choices: [{ index: 0, message, finish_reason: "length" }] };
  const [first, last, none] = eventsOf(reply, "CHAT").map(({ data }) => data);
  assert.deepEqual(first?.["choices"], [{ index: 0, delta: message, finish_reason: null }]);
  assert.deepEqual(last?.["choices"], [{ index: 0, delta: {}, finish_reason: "length" }]);
  assert.equal(none, undefined);
  const large = Buffer.from('{"choices":[],"n":12345678901234567890}');
  assert.match(replyEvents(large, "CHAT")?.toString() ?? "", /12345678901234567890/);
});

test("what is no whole reply of its form, or is not over, becomes no stream", () => {
  for (const [form, reply] of [
    ["CHAT", "{}"],
    ["CHAT", "no JSON"],
    ["MESSAGES", '{"content":"x"}'],
    ["RESPONSES", '{"status":"completed"}'],
    ["RESPONSES", '{"status":"queued","output":[]}'],
    ["GENERATE", "[]"],
    ["OTHER", '{"choices":[]}'],
  ] as const) {
    assert.equal(replyEvents(Buffer.from(reply), form), undefined, `${form} ${reply}`);
  }
});
