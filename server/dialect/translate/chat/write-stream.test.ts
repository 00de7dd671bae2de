import assert from "node:assert/strict";
import test from "node:test";
import { CALL } from "../../../../test/support/call-facts.js";
import type { JsonObject } from "../json.js";
import type { SaidStep } from "../reply.js";
import { ChatStreamWriter } from "./write-stream.js";

const USAGE = { input: 9, output: 5, cacheRead: 3, cacheWrite: 2, reasoning: 4 };
const START: SaidStep = { kind: "START", id: "c1", model: "m", usage: undefined };
const CLOSE: SaidStep = { kind: "CLOSE" };
const USE = { kind: "TOOL_CALL", id: "t1", name: "run", signature: undefined } as const;

function open(block: Extract<SaidStep, { kind: "OPEN" }>["block"]): SaidStep {
  return { kind: "OPEN", block };
}

function delta(text: string): SaidStep {
  return { kind: "DELTA", text };
}

function end(kind: "END" | "TOOL_CALLS", usage?: typeof USAGE): SaidStep {
  return { kind: "END", stop: { kind, sequence: undefined }, usage };
}

/** The chunks of these steps, behind which the stream says that it is done. */
function written(steps: readonly SaidStep[], usageAsked = true): JsonObject[] {
  const writer = new ChatStreamWriter({ ...CALL, usageAsked });
  const text = steps.map((step) => writer.push(step)).join("");
  const chunks = text.split("\n\n");
  assert.deepEqual(chunks.splice(-2), ["data: [DONE]", ""]);
  assert.equal(writer.keptBytes, 0);
  return chunks.map((chunk) => JSON.parse(chunk.replace(/^data: /, "")));
}

test("each chunk has all members of OpenAI's own, and each call and thought a number", () => {
  const chunks = written([
    START,
    open({ kind: "THINKING" }),
    delta("Hm."),
    delta(" So."),
    { kind: "SIGN", signature: { origin: "ANTHROPIC", value: "own" } },
    CLOSE,
    open({ kind: "REDACTED", data: "sealed", origin: "ANTHROPIC" }),
    CLOSE,
    open({ kind: "THINKING" }),
    { kind: "SIGN", signature: { origin: "GEMINI", value: "c2ln" } },
    CLOSE,
    open({ kind: "TEXT" }),
    delta("Hi."),
    CLOSE,
    open({ kind: "REFUSAL" }),
    delta("No."),
    CLOSE,
    open({ ...USE, signature: { origin: "GEMINI", value: "c2ln" } }),
    delta('{"a":'),
    delta("1}"),
    CLOSE,
    open({ ...USE, id: "t2", signature: { origin: "OPENAI", value: "x" } }),
    CLOSE,
    end("TOOL_CALLS", USAGE),
  ]);
  const chunk = { id: "c1", object: "chat.completion.chunk", created: 1, model: "m" };
  const choice = (said: JsonObject, finish_reason: string | null = null) => ({
    ...chunk,
    choices: [{ index: 0, delta: said, logprobs: null, finish_reason }],
  });
  const detail = (given: JsonObject) => ({ reasoning_details: [given] });
  const text = (said: string) => ({
    reasoning_content: said,
    ...detail({ type: "reasoning.text", text: said, index: 0 }),
  });
  const call = (given: JsonObject) => choice({ tool_calls: [given] });
  const extra_content = { google: { thought_signature: "c2ln" } };
  assert.deepEqual(chunks, [
    choice({ role: "assistant", content: "" }),
    choice(text("Hm.")),
    choice(text(" So.")),
    choice(detail({ type: "reasoning.text", signature: "own", index: 0 })),
    choice(detail({ type: "reasoning.encrypted", data: "sealed", index: 1 })),
    choice(detail({ type: "reasoning.text", text: "", signature: "~gemini:c2ln", index: 2 })),
    choice({ content: "Hi." }),
    choice({ refusal: "No." }),
    call({
      index: 0,
      id: "t1",
      type: "function",
      function: { name: "run", arguments: '{"a":' },
      extra_content,
    }),
    call({ index: 0, function: { arguments: "1}" } }),
    call({ index: 1, id: "t2", type: "function", function: { name: "run", arguments: "{}" } }),
    choice({}, "tool_calls"),
    {
      ...chunk,
      choices: [],
      usage: {
        prompt_tokens: 9,
        completion_tokens: 5,
        total_tokens: 14,
        prompt_tokens_details: { cached_tokens: 3, cache_write_tokens: 2 },
        completion_tokens_details: { reasoning_tokens: 4 },
      },
    },
  ]);
});

test("usage is told where it is known and was asked for, and not made up", () => {
  for (const [usage, asked, chunks] of [
    [USAGE, true, 3],
    [USAGE, false, 2],
    [undefined, true, 2],
  ] as const) {
    const told = written([START, end("END", usage)], asked);
    assert.equal(told.length, chunks);
    assert.ok(told.slice(0, 2).every((each) => !("usage" in each)));
  }
});
