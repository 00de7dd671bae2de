import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { type JsonObject, object, objects, string } from "./json.js";
import type { Form, Target } from "./side.js";
import { translatorFor } from "./translator.js";

// What each provider demands of a conversation, on whatever callers of another dialect send.

const CALL = { id: "id", nowSeconds: 1, streamed: false, modelAsked: "m", asArray: false };

function target(model: string): Target {
  return { model, maxOutput: null, providerSlug: "x", asksUsage: true };
}

function asked(from: Form, to: Form, body: JsonObject, model = "m") {
  const translation = translatorFor(from, to)!.request(
    Buffer.from(JSON.stringify(body)),
    target(model),
    CALL,
  );
  return JSON.parse(translation.body.toString());
}

const STEPS = ["call", "result", "result", "user", "assistant", "thought", "system"] as const;

/** The input of an agent, in which results come anywhere behind their calls. */
const agentInput = fc
  .array(fc.tuple(fc.constantFrom(...STEPS), fc.nat(9)), { minLength: 1, maxLength: 12 })
  .map((steps) => {
    const items: JsonObject[] = [{ role: "user", content: "go" }];
    const open: string[] = [];
    const result = (call_id: string): JsonObject => ({
      type: "function_call_output",
      call_id,
      output: `came of ${call_id}`,
    });
    steps.forEach(([step, nth], at) => {
      if (step === "call") {
        open.push(`c${String(at)}`);
        items.push({
          type: "function_call",
          call_id: `c${String(at)}`,
          name: "f",
          arguments: "{}",
        });
      } else if (step === "result") {
        const [id] = open.length === 0 ? [] : open.splice(nth % open.length, 1);
        if (id !== undefined) items.push(result(id));
      } else if (step === "thought") {
        items.push({
          type: "reasoning",
          summary: [],
          encrypted_content: `~anthropic:s${String(at)}`,
        });
      } else items.push({ role: step, content: `said ${String(at)}` });
    });
    return [...items, ...open.map(result)];
  });

/** In words of no dialect: `call x` and `result x`, and who speaks. */
type Said = readonly string[];

function idOf(value: unknown): string {
  return string(value) ?? "";
}

const READERS: Readonly<Record<Exclude<Form, "RESPONSES">, (body: JsonObject) => Said[]>> = {
  CHAT: (body) =>
    objects(body["messages"]).map(({ role, tool_calls, tool_call_id }) =>
      role === "tool"
        ? ["user", `result ${idOf(tool_call_id)}`]
        : [idOf(role), ...objects(tool_calls).map(({ id }) => `call ${idOf(id)}`)],
    ),
  MESSAGES: (body) =>
    objects(body["messages"]).map(({ role, content }) => [
      idOf(role),
      ...(typeof content === "string" ? ["text"] : objects(content).map(blockSaid)),
    ]),
  GENERATE: (body) =>
    objects(body["contents"]).map(({ role, parts }) => [
      idOf(role),
      ...objects(parts).map(partSaid),
    ]),
};

function blockSaid({ type, id, tool_use_id }: JsonObject): string {
  if (type === "tool_use") return `call ${idOf(id)}`;
  return type === "tool_result" ? `result ${idOf(tool_use_id)}` : idOf(type);
}

function partSaid({ functionCall, functionResponse }: JsonObject): string {
  if (functionCall !== undefined) return `call ${idOf(object(functionCall)?.["id"])}`;
  if (functionResponse === undefined) return "text";
  return `result ${idOf(object(functionResponse)?.["id"])}`;
}

/** All calls of one go are answered before anybody says anything else. */
function assertAnswered(said: readonly Said[]): void {
  let open = new Set<string>();
  for (const [role, ...parts] of said) {
    const results = parts.filter((part) => part.startsWith("result "));
    for (const result of results) assert.ok(open.delete(result.slice("result ".length)), result);
    if (role !== "user" || results.length === 0 || results.length < parts.length) {
      assert.equal(open.size, 0);
    }
    const calls = parts.filter((part) => part.startsWith("call "));
    if (calls.length > 0) open = new Set(calls.map((call) => call.slice("call ".length)));
  }
  assert.equal(open.size, 0);
}

for (const [to, model] of [
  ["CHAT", "gpt-4o"],
  ["MESSAGES", "claude-sonnet-4-5"],
  ["MESSAGES", "claude-opus-4-8"],
  ["GENERATE", "gemini-3-pro"],
] as const) {
  test(`results stand behind their calls wherever an agent puts them (${model})`, () => {
    fc.assert(
      fc.property(agentInput, (input) => {
        const tools = [{ type: "function", name: "f", parameters: {} }];
        const body = asked("RESPONSES", to, { input, tools, reasoning: { effort: "high" } }, model);
        const said = READERS[to](body);
        assertAnswered(said);
        const text = JSON.stringify(body);
        for (const { output, content } of input) {
          assert.ok(text.includes(String(output ?? content ?? "")));
        }
        if (to === "CHAT") return;
        said.forEach(([role], at) => {
          assert.notEqual(role, said[at - 1]?.[0]);
        });
        if (to === "MESSAGES") assertThoughts(body, said);
      }),
    );
  });
}

/** A thought is never the last block, and where the model is to think by a budget each of its goes in the loop begins with one. */
function assertThoughts(body: JsonObject, said: readonly Said[]): void {
  for (const parts of said) assert.notEqual(parts.at(-1), "thinking");
  if (object(body["thinking"])?.["type"] !== "enabled") return;
  const begin = said.findLastIndex(
    ([role, ...parts]) => role === "user" && !parts.every((part) => part.startsWith("result ")),
  );
  for (const [role, first] of said.slice(begin + 1)) {
    if (role === "assistant") assert.equal(first, "thinking");
  }
}

const CONTINUED = [
  { role: "user", content: "count" },
  { role: "assistant", content: "one, " },
];

test("where the assistant has the last word, who answers nothing else is asked to continue", () => {
  const body = { messages: CONTINUED, reasoning_effort: "high" };
  const newer = asked("CHAT", "MESSAGES", body, "claude-opus-4-8");
  assert.deepEqual(newer.messages.at(-1), { role: "user", content: "Continue." });
  assert.deepEqual(newer.thinking, { type: "adaptive", display: "summarized" });
  const older = asked("CHAT", "MESSAGES", { ...body, max_tokens: 9000 }, "claude-sonnet-4-5");
  assert.deepEqual(older.messages.at(-1), { role: "assistant", content: "one," });
  assert.equal(older.thinking, undefined);
  const gemini = asked("CHAT", "GENERATE", body, "gemini-3-pro");
  assert.deepEqual(gemini.contents.at(-1), { role: "user", parts: [{ text: "Continue." }] });
});

test("Google gets one turn after the other where one between them said nothing, and five stop sequences", () => {
  const messages = [
    { role: "user", content: "a" },
    { role: "assistant", content: "" },
    { role: "user", content: "b" },
  ];
  const { contents, generationConfig } = asked("MESSAGES", "GENERATE", {
    messages,
    stop_sequences: ["1", "2", "3", "4", "5", "6"],
  });
  assert.deepEqual(contents, [{ role: "user", parts: [{ text: "a" }, { text: "b" }] }]);
  assert.deepEqual(generationConfig.stopSequences, ["1", "2", "3", "4", "5"]);
});

test("instructions alone are what the Responses API is asked", () => {
  const messages = [{ role: "system", content: "Say hello." }];
  const { input, instructions } = asked("CHAT", "RESPONSES", { messages }, "gpt-5.4");
  const content = [{ type: "input_text", text: "Say hello." }];
  assert.deepEqual(input, [{ type: "message", role: "user", content }]);
  assert.equal(instructions, undefined);
});

test("the word for JSON mode stands in a message of the Responses API, which looks for it nowhere else", () => {
  const messages = [
    { role: "system", content: "Reply with JSON." },
    { role: "user", content: "Three fruits." },
  ];
  const body = { messages, response_format: { type: "json_object" } };
  const { input, instructions } = asked("CHAT", "RESPONSES", body, "gpt-5.4");
  assert.deepEqual(
    objects(input).map(({ role, content }) => [role, objects(content)[0]?.["text"]]),
    [
      ["system", "Reply with JSON."],
      ["user", "Three fruits."],
    ],
  );
  assert.equal(instructions, undefined);
});

test("how hard an Anthropic or Gemini caller lets a model think is told to those that are known to take it", () => {
  const budget = (budget_tokens: number): JsonObject => ({
    thinking: { type: "enabled", budget_tokens },
  });
  const adaptive = { thinking: { type: "adaptive" } };
  const effort = (effort: string): JsonObject => ({ ...adaptive, output_config: { effort } });
  const config = (thinkingConfig: JsonObject): JsonObject => ({
    generationConfig: { thinkingConfig },
  });
  const messages: readonly (readonly [JsonObject, string | undefined])[] = [
    [budget(1024), "low"],
    [budget(4096), "low"],
    [budget(4097), "medium"],
    [budget(16_384), "medium"],
    [budget(31_999), "high"],
    [effort("low"), "low"],
    [effort("medium"), "medium"],
    [effort("xhigh"), "xhigh"],
    [effort("max"), "max"],
    [{ ...effort("low"), ...budget(31_999) }, "low"],
    [effort("constructor"), undefined],
    [adaptive, undefined],
    [{ thinking: { type: "disabled", budget_tokens: 9 } }, "none"],
    [{}, undefined],
  ];
  const generate: readonly (readonly [JsonObject, string | undefined])[] = [
    [config({ thinkingLevel: "MINIMAL" }), "minimal"],
    [config({ thinkingLevel: "low" }), "low"],
    [{ generation_config: { thinking_config: { thinking_level: "MEDIUM" } } }, "medium"],
    [config({ thinkingLevel: "HIGH", includeThoughts: true }), "high"],
    [config({ thinkingLevel: "THINKING_LEVEL_UNSPECIFIED" }), undefined],
    [config({ thinkingBudget: 0 }), "none"],
    [config({ thinkingBudget: 512 }), "low"],
    [config({ thinkingBudget: "8192" }), "medium"],
    [config({ thinkingBudget: 24_576 }), "high"],
    [config({ thinkingBudget: -1 }), undefined],
    [config({ includeThoughts: true }), undefined],
    [{}, undefined],
  ];
  for (const [from, hello, wishes] of [
    ["MESSAGES", { max_tokens: 64_000, messages: [{ role: "user", content: "hi" }] }, messages],
    ["GENERATE", { contents: [{ parts: [{ text: "hi" }] }] }, generate],
  ] as const) {
    for (const [wish, wanted] of wishes) {
      const body = { ...hello, ...wish };
      for (const [model, taken] of Object.entries(TAKEN)) {
        const said = wanted === undefined ? undefined : (taken[wanted] ?? wanted);
        const inChat = said === "max" ? "xhigh" : said;
        assert.equal(asked(from, "CHAT", body, model).reasoning_effort, inChat, model);
        assert.equal(asked(from, "RESPONSES", body, model).reasoning.effort, said, model);
      }
      for (const model of ["gpt-4o", "gpt-5-chat-latest", "gpt-5-pro", "o1-mini", "qwen3-max"]) {
        assert.equal(asked(from, "CHAT", body, model).reasoning_effort, undefined, model);
      }
    }
  }
  for (const [wish, wanted] of messages) {
    const body = { max_tokens: 64_000, messages: [{ role: "user", content: "hi" }], ...wish };
    const { thinkingConfig } = asked("MESSAGES", "GENERATE", body, "gemini-3-pro").generationConfig;
    const level = wanted === undefined ? undefined : /none|low/.test(wanted) ? "low" : "high";
    assert.equal(thinkingConfig?.thinkingLevel, level);
    for (const model of ["gemma-3-27b-it", "gemini-2.0-flash", "gemini-2.5-flash-image"]) {
      const { generationConfig } = asked("MESSAGES", "GENERATE", body, model);
      assert.equal(generationConfig.thinkingConfig, undefined, model);
    }
  }
});

test("an effort that a caller of OpenAI's names goes on as it is, and not to models that do not think", () => {
  for (const [model, wanted] of [
    ["gpt-5.1", "minimal"],
    ["gpt-oss-120b", "minimal"],
    ["openai/gpt-5-chat-latest", "minimal"],
    ["deepseek-chat", "minimal"],
    ["m", "minimal"],
    ["gpt-4o", undefined],
    ["openai/gpt-4.1-mini", undefined],
    ["gpt-3.5-turbo", undefined],
    ["chatgpt-4o-latest", undefined],
    ["llama-3.3-70b-versatile", undefined],
    ["meta-llama/Llama-4-Scout", undefined],
  ] as const) {
    const body = { input: "hi", reasoning: { effort: "minimal" } };
    assert.equal(asked("RESPONSES", "CHAT", body, model).reasoning_effort, wanted, model);
  }
});

/** What each of OpenAI's models is told instead of an effort that it does not take. */
const TAKEN: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "openai/o3-mini": { none: "low", minimal: "low", xhigh: "high", max: "high" },
  "gpt-5": { none: "minimal", xhigh: "high", max: "high" },
  "gpt-5-mini-2025-08-07": { none: "minimal", xhigh: "high", max: "high" },
  "gpt-5-codex": { none: "low", minimal: "low", xhigh: "high", max: "high" },
  "gpt-5.1": { minimal: "low", xhigh: "high", max: "high" },
  "gpt-5.1-codex-max": { none: "low", minimal: "low", max: "xhigh" },
  "gpt-5.4": { minimal: "low", max: "xhigh" },
  "gpt-5.6-sol": { minimal: "low" },
  "gpt-6.1-sol": { none: "low", minimal: "low" },
};

test("stop sequences go to those models of OpenAI's that take them", () => {
  const messages = [{ role: "user", content: "hi" }];
  for (const [model, isTaken] of [
    ["gpt-4o", true],
    ["o3", false],
    ["gpt-5.4", false],
    ["gpt-5.5", true],
    ["gpt-5.6-terra", true],
    ["gpt-6-astra", false],
    ["gpt-6.5", false],
  ] as const) {
    const body = { messages, max_tokens: 99, stop_sequences: ["END"] };
    const { stop } = asked("MESSAGES", "CHAT", body, model);
    assert.deepEqual(stop, isTaken ? ["END"] : undefined, model);
  }
});

test("a Claude model thinks as hard as any other caller says, in such words as its generation takes", () => {
  const adaptive = (effort: string, display?: string): JsonObject => ({
    thinking: { type: "adaptive", ...(display === undefined ? {} : { display }) },
    output_config: { effort },
  });
  const newer = (effort: string): JsonObject => adaptive(effort, "summarized");
  const budget = (budget_tokens: number): JsonObject => ({
    thinking: { type: "enabled", budget_tokens },
  });
  const off = (type: string): JsonObject => ({ thinking: { type } });
  const least = { output_config: { effort: "low" } };
  for (const [model, none, minimal, medium, xhigh, max] of [
    ["claude-3-5-haiku-20241022", {}, {}, {}, {}, {}],
    ["claude-haiku-4-5", {}, budget(1024), budget(8192), budget(32_000), budget(32_000)],
    ["claude-opus-4-6", {}, ...["low", "medium", "max", "max"].map((each) => adaptive(each))],
    ["claude-opus-4-8", {}, newer("low"), newer("medium"), newer("xhigh"), newer("max")],
    [
      "claude-sonnet-5",
      off("disabled"),
      newer("low"),
      newer("medium"),
      newer("xhigh"),
      newer("max"),
    ],
    [
      "claude-haiku-5-5",
      off("disabled"),
      newer("low"),
      newer("medium"),
      newer("xhigh"),
      newer("max"),
    ],
    [
      "claude-sonnet-5-5",
      off("between_tools"),
      newer("low"),
      newer("medium"),
      newer("xhigh"),
      newer("max"),
    ],
    ["claude-opus-5-5", least, newer("low"), newer("medium"), newer("xhigh"), newer("max")],
    ["claude-next", least, newer("low"), newer("medium"), newer("xhigh"), newer("max")],
    ["glm-5", {}, ...["low", "medium", "max", "max"].map((each) => adaptive(each))],
    ["claude-fable-5", least, newer("low"), newer("medium"), newer("xhigh"), newer("max")],
  ] as const) {
    const told = { none, minimal, medium, xhigh, max };
    for (const [effort, wanted] of Object.entries(told)) {
      const messages = [{ role: "user", content: "hi" }];
      const chat = { messages, max_tokens: 64_000, reasoning_effort: effort };
      const responses = { input: "hi", max_output_tokens: 64_000, reasoning: { effort } };
      for (const [from, body] of [
        ["CHAT", chat],
        ["RESPONSES", responses],
      ] as const) {
        const { thinking, output_config } = asked(from, "MESSAGES", body, model);
        const said = JSON.parse(JSON.stringify({ thinking, output_config })) as JsonObject;
        assert.deepEqual(said, wanted, `${effort} ${model}`);
      }
    }
  }
});

test("a Gemini caller reads thoughts only where it asks for them, as at Google", () => {
  const contents = [{ parts: [{ text: "hi" }] }];
  const config = (thinkingConfig?: JsonObject): JsonObject => ({
    contents,
    generationConfig: { maxOutputTokens: 64_000, thinkingConfig },
  });
  const shown = { includeThoughts: true };
  const asks = (thinkingConfig: JsonObject | undefined, model: string): unknown[] => [
    asked("GENERATE", "RESPONSES", config(thinkingConfig), "gpt-5.4").reasoning.summary,
    asked("GENERATE", "MESSAGES", config(thinkingConfig), model).thinking,
  ];
  const summarized = { type: "adaptive", display: "summarized" };
  assert.deepEqual(asks(undefined, "claude-opus-5"), [undefined, undefined]);
  assert.deepEqual(asks(shown, "claude-opus-5"), ["auto", summarized]);
  assert.deepEqual(asks(shown, "claude-opus-4-8"), ["auto", undefined]);
  const level = { thinkingLevel: "HIGH" };
  assert.deepEqual(asks(level, "claude-opus-5"), [undefined, { type: "adaptive" }]);
  assert.deepEqual(asks({ ...level, ...shown }, "claude-opus-5"), ["auto", summarized]);

  const message = { role: "assistant", content: "yes", reasoning_content: "hm" };
  const chunk = { choices: [{ index: 0, delta: message, finish_reason: "stop" }] };
  for (const [thinkingConfig, seen] of [
    [undefined, ["yes"]],
    [{ includeThoughts: false }, ["yes"]],
    [shown, ["hm", "yes"]],
  ] as const) {
    const body = Buffer.from(JSON.stringify(config(thinkingConfig)));
    const translation = translatorFor("GENERATE", "CHAT")!.request(body, target("m"), CALL);
    const reply = { choices: [{ index: 0, message, finish_reason: "stop" }] };
    const whole = translation.reply(Buffer.from(JSON.stringify(reply))).toString();
    const stream = translation.stream();
    const event = Buffer.from(`data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`);
    const events = `${stream.push(event).toString()}${stream.end().toString()}`;
    for (const text of [whole, events]) {
      const said = [...text.matchAll(/"text":"(\w+)"/g)].map(([, each]) => each);
      assert.deepEqual(said, seen);
    }
  }
});

test("a Claude model that no tool can be forced upon is told in words which one to call", () => {
  const tool = (name: string): JsonObject => ({ type: "function", function: { name } });
  const chat = (tool_choice: unknown, more: JsonObject = {}): JsonObject => ({
    messages: [{ role: "user", content: "hi" }],
    tools: [tool("f"), tool("g")],
    tool_choice,
    max_tokens: 64_000,
    ...more,
  });
  const asks = (model: string, body: JsonObject): unknown[] => {
    const { tool_choice, system, thinking } = asked("CHAT", "MESSAGES", body, model);
    return [tool_choice, system, thinking?.type];
  };
  const named = tool("g");
  for (const model of ["claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1"]) {
    const any = "Call at least one of the tools in this reply.";
    assert.deepEqual(asks(model, chat("required")), [undefined, any, undefined]);
    const one = 'Call the tool "g" in this reply, and no other tool.';
    assert.deepEqual(asks(model, chat(named, { parallel_tool_calls: false })), [
      { type: "auto", disable_parallel_tool_use: true },
      one,
      undefined,
    ]);
    const hard = chat(named, { reasoning_effort: "high" });
    assert.deepEqual(asks(model, hard), [undefined, one, "adaptive"]);
    assert.deepEqual(asks(model, chat("auto")), [{ type: "auto" }, undefined, undefined]);
  }
  for (const model of ["claude-opus-5", "claude-haiku-5-5", "claude-sonnet-4-5", "glm-5"]) {
    assert.deepEqual(asks(model, chat("required")), [{ type: "any" }, undefined, undefined]);
    const hard = chat(named, { reasoning_effort: "high" });
    assert.deepEqual(asks(model, hard), [{ type: "tool", name: "g" }, undefined, undefined]);
  }
});
