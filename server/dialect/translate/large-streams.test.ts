import assert from "node:assert/strict";
import { test } from "node:test";
import { CALL } from "../../../test/support/call-facts.js";
import type { StreamReader, Target } from "./side.js";
import { ChatStreamReader } from "./chat/read-stream.js";
import { ResponsesStreamReader } from "./responses/read-stream.js";
import { ResponsesStreamWriter } from "./responses/write-stream.js";
import { translatorFor } from "./translator.js";

// What a provider sends may be as long as it likes: no event may cost more for what came before it.

const MANY = 100_000;
const ANTHROPIC: Target = { model: "m", maxOutput: 9, providerSlug: "p", asksUsage: true };
function chunk(toolCalls: readonly object[]): string {
  return JSON.stringify({ choices: [{ index: 0, delta: { tool_calls: toolCalls } }] });
}

function toolCall(id: string, args: string, index?: number): object {
  return { index, id, function: { name: "f", arguments: args } };
}

test("very many calls without an index, each of which goes on once, are told in their order", () => {
  const reader = new ChatStreamReader(CALL);
  const begun: string[] = [];
  for (let i = 0; i < MANY; i++) {
    for (const args of ["{", "}"]) {
      const data = chunk([toolCall(`c${String(i)}`, args)]);
      for (const step of reader.push({ name: "", data })) {
        if (step.kind === "OPEN" && step.block.kind === "TOOL_CALL") begun.push(step.block.id);
      }
    }
  }
  assert.equal(begun.length, MANY);
  assert.ok(begun.every((id, i) => id === `c${String(i)}`));
});

test("calls whose turn comes all at once, behind one or in one event, go on however many they are", () => {
  const { body: _, ...way } = translatorFor("MESSAGES", "CHAT")!.request(
    Buffer.from(JSON.stringify({ model: "m", max_tokens: 9, messages: [] })),
    ANTHROPIC,
    CALL,
  );
  const stream = way.stream();
  const many = Array.from({ length: MANY }, (__, i) => toolCall(`c${String(i)}`, "{}", i + 1));
  stream.push(Buffer.from(`data: ${chunk([toolCall("first", "{", 0), ...many])}\n\n`));
  const said = stream.push(Buffer.from(`data: ${chunk([toolCall("first", "}", 0)])}\n\n`));
  assert.equal(said.toString().split("content_block_start").length - 1, 2 * MANY);
});

test("what a declared tool is called is looked up once for a call, not with each of its pieces", () => {
  let looks = 0;
  const tool = {
    get name() {
      looks++;
      return "other";
    },
    description: undefined,
    schema: undefined,
    strict: undefined,
    asDeclared: undefined,
  };
  const writer = new ResponsesStreamWriter({ ...CALL, tools: [tool] });
  writer.push({ kind: "START", id: "r", model: "m", usage: undefined });
  const block = { kind: "TOOL_CALL", id: "c", name: "f", signature: undefined } as const;
  writer.push({ kind: "OPEN", block });
  const before = looks;
  for (let i = 0; i < 100; i++) writer.push({ kind: "DELTA", text: "x" });
  assert.equal(looks, before);
});

test("what readers hold of calls counts with their names, however long a provider makes them", () => {
  const name = "n".repeat(100_000);
  const ofChat = JSON.stringify({
    choices: [{ delta: { tool_calls: [{ index: 0, id: "c", function: { name } }] } }],
  });
  const item = { type: "function_call", call_id: "c", name };
  const ofResponses = JSON.stringify({
    type: "response.output_item.added",
    output_index: 0,
    item,
  });
  const held = (reader: StreamReader, data: string): number => {
    reader.push({ name: "", data });
    return reader.keptBytes;
  };
  assert.ok(held(new ChatStreamReader(CALL), ofChat) >= name.length);
  assert.ok(held(new ResponsesStreamReader(CALL), ofResponses) >= name.length);
});
