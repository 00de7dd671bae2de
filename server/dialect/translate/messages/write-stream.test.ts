import assert from "node:assert/strict";
import test from "node:test";
import type { JsonObject } from "../json.js";
import type { SaidStep } from "../reply.js";
import { keptBytesOf } from "../kept-bytes.js";
import { MessagesStreamWriter } from "./write-stream.js";

const USAGE = { input: 9, output: 5, cacheRead: 3, cacheWrite: 2, reasoning: 4 };
const START: SaidStep = { kind: "START", id: "msg", model: "m", usage: USAGE };
const CLOSE: SaidStep = { kind: "CLOSE" };

function delta(text: string): SaidStep {
  return { kind: "DELTA", text };
}

/** The events of these steps; each is named as its data is. */
function written(steps: readonly SaidStep[]): JsonObject[] {
  const writer = new MessagesStreamWriter();
  const text = steps.map((step) => writer.push(step)).join("");
  return text
    .split("\n\n")
    .filter((event) => event !== "")
    .map((event) => {
      const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(event) ?? [];
      const given = JSON.parse(data!) as JsonObject;
      assert.equal(given["type"], name);
      return given;
    });
}

/** A block with its deltas, as Anthropic streams it. */
function block(index: number, content_block: JsonObject, deltas: readonly JsonObject[] = []) {
  return [
    { type: "content_block_start", index, content_block },
    ...deltas.map((each) => ({ type: "content_block_delta", index, delta: each })),
    { type: "content_block_stop", index },
  ];
}

test("a streamed message has each member of Anthropic's own, for SDKs put it together as it comes", () => {
  const signature = { origin: "GEMINI", value: "c2ln" } as const;
  const call = { kind: "TOOL_CALL", id: "a b", name: "run", signature: undefined } as const;
  const events = written([
    START,
    { kind: "OPEN", block: { kind: "THINKING" } },
    delta("Hm."),
    { kind: "SIGN", signature: { origin: "ANTHROPIC", value: "own" } },
    CLOSE,
    { kind: "OPEN", block: { kind: "THINKING" } },
    delta("So."),
    CLOSE,
    { kind: "OPEN", block: { kind: "REDACTED", data: "sealed", origin: "ANTHROPIC" } },
    CLOSE,
    { kind: "OPEN", block: { kind: "TEXT" } },
    delta("Hi"),
    delta("."),
    CLOSE,
    { kind: "OPEN", block: { kind: "REFUSAL" } },
    delta("No."),
    CLOSE,
    { kind: "OPEN", block: { ...call, signature } },
    delta('{"a":1}'),
    CLOSE,
    { kind: "OPEN", block: call },
    delta(" "),
    delta("null"),
    CLOSE,
    { kind: "OPEN", block: call },
    CLOSE,
    { kind: "END", stop: { kind: "STOP_SEQUENCE", sequence: "X" }, usage: USAGE },
  ]);
  const usage = {
    input_tokens: 4,
    cache_creation_input_tokens: 2,
    cache_read_input_tokens: 3,
    output_tokens: 5,
    output_tokens_details: { thinking_tokens: 4 },
  };
  const thought = { type: "thinking", thinking: "", signature: "" };
  const thinking = (text: string) => ({ type: "thinking_delta", thinking: text });
  const signed = (text: string) => ({ type: "signature_delta", signature: text });
  const said = (text: string) => ({ type: "text_delta", text });
  const text = { type: "text", text: "" };
  const use = { type: "tool_use", id: "a_b", name: "run", input: {} };
  const input = (partial_json: string) => ({ type: "input_json_delta", partial_json });
  assert.deepEqual(events, [
    {
      type: "message_start",
      message: {
        id: "msg",
        type: "message",
        role: "assistant",
        model: "m",
        content: [],
        stop_reason: null,
        stop_sequence: null,
        stop_details: null,
        usage: {
          ...usage,
          cache_creation: { ephemeral_5m_input_tokens: 2, ephemeral_1h_input_tokens: 0 },
        },
      },
    },
    ...block(0, thought, [thinking("Hm."), signed("own")]),
    ...block(1, thought, [thinking("So."), signed("~unsigned:")]),
    ...block(2, { type: "redacted_thinking", data: "sealed" }),
    ...block(3, text, [said("Hi"), said(".")]),
    ...block(4, thought, [signed("~gemini:c2ln")]),
    ...block(5, use, [input('{"a":1}')]),
    ...block(6, use, [input("{}")]),
    ...block(7, use),
    {
      type: "message_delta",
      delta: {
        stop_reason: "stop_sequence",
        stop_sequence: "X",
        stop_details: { type: "refusal", category: null, explanation: "No." },
      },
      usage,
    },
    { type: "message_stop" },
  ]);
});

test("a message without usage or a stop sequence says so in each member that SDKs read", () => {
  const [begun, ended] = written([
    { kind: "START", id: "msg", model: "m", usage: undefined },
    { kind: "END", stop: { kind: "END", sequence: undefined }, usage: undefined },
  ]);
  const none = {
    input_tokens: 0,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    output_tokens: 0,
  };
  assert.deepEqual((begun?.["message"] as JsonObject | undefined)?.["usage"], {
    ...none,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
  });
  assert.deepEqual(ended?.["usage"], none);
  assert.deepEqual(ended?.["delta"], {
    stop_reason: "end_turn",
    stop_sequence: null,
    stop_details: null,
  });
});

test("why the model refuses counts in what is held, for it is told at the end", () => {
  const writer = new MessagesStreamWriter();
  writer.push(START);
  writer.push({ kind: "OPEN", block: { kind: "REFUSAL" } });
  writer.push(delta("No."));
  assert.equal(writer.keptBytes, keptBytesOf("No."));
});

test("arguments that wait count in what is held, until they are told", () => {
  const writer = new MessagesStreamWriter();
  const block = { kind: "TOOL_CALL", id: "a", name: "run", signature: undefined } as const;
  writer.push(START);
  writer.push({ kind: "OPEN", block });
  assert.equal(writer.keptBytes, 0);
  for (const text of ["[", "1".repeat(1000), ","]) writer.push(delta(text));
  assert.ok(writer.keptBytes > 1002, String(writer.keptBytes));
  writer.push(CLOSE);
  assert.equal(writer.keptBytes, 0);
  writer.push({ kind: "OPEN", block });
  writer.push(delta('{"a":1'));
  assert.equal(writer.keptBytes, 0);
});
