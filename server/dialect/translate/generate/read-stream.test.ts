import assert from "node:assert/strict";
import test from "node:test";
import { CALL } from "../../../../test/support/call-facts.js";
import type { JsonObject } from "../json.js";
import { type StopKind, type StreamStep, stopped } from "../reply.js";
import { GenerateStreamReader } from "./read-stream.js";

function eventOf(data: JsonObject) {
  return { name: "", data: JSON.stringify(data) };
}

/** The steps of these pieces, and of the end of the stream. */
function steps(...pieces: readonly JsonObject[]): StreamStep[] {
  const reader = new GenerateStreamReader(CALL);
  return [...pieces.flatMap((piece) => reader.push(eventOf(piece))), ...reader.end()];
}

function piece(parts: readonly JsonObject[], more: JsonObject = {}): JsonObject {
  const candidates = [{ content: { role: "model", parts }, index: 0, ...more }];
  return { responseId: "r1", modelVersion: "m", candidates };
}

const START: StreamStep = { kind: "START", id: "r1", model: "m", usage: undefined };
const CLOSE: StreamStep = { kind: "CLOSE" };

function open(kind: "TEXT" | "THINKING"): StreamStep {
  return { kind: "OPEN", block: { kind } };
}

function delta(text: string): StreamStep {
  return { kind: "DELTA", text };
}

function end(kind: StopKind, usage?: (StreamStep & { kind: "END" })["usage"]): StreamStep {
  return { kind: "END", stop: stopped(kind), usage };
}

test("a stream says who it is with its first piece, and what it leaves out comes from the call", () => {
  const other = {
    ...piece([], { finishReason: "MAX_TOKENS" }),
    responseId: "x",
    modelVersion: "x",
  };
  assert.deepEqual(steps(piece([]), other), [START, end("LENGTH")]);
  const none: StreamStep = { kind: "START", id: "call", model: "asked", usage: undefined };
  assert.deepEqual(steps({ responseId: "", modelVersion: "" }), [none, end("END")]);
  assert.deepEqual(steps(), [none, end("END")]);
});

test("pieces of one kind are one block, and each call is one of its own with what Google signed", () => {
  const call = (id?: string) => ({ functionCall: { id, name: "run", args: { a: 1 } } });
  const begun = (id: string, value?: string): StreamStep => ({
    kind: "OPEN",
    block: {
      kind: "TOOL_CALL",
      id,
      name: "run",
      args: '{"a":1}',
      signature: value === undefined ? undefined : { origin: "GEMINI", value },
    } as (StreamStep & { kind: "OPEN" })["block"],
  });
  assert.deepEqual(
    steps(
      piece([{ text: "H", thought: true }]),
      piece([{ text: "m", thought: true }, { text: "Hi" }, { executableCode: {} }]),
      piece([{ text: "." }, { ...call(), thoughtSignature: "c2ln" }, call("own")]),
      piece([{ text: "So" }, call()]),
      piece([{ text: "" }], { finishReason: "STOP" }),
    ),
    [
      START,
      open("THINKING"),
      delta("H"),
      delta("m"),
      CLOSE,
      open("TEXT"),
      delta("Hi"),
      delta("."),
      CLOSE,
      begun("call_call_0", "c2ln"),
      delta('{"a":1}'),
      CLOSE,
      begun("own"),
      delta('{"a":1}'),
      CLOSE,
      open("TEXT"),
      delta("So"),
      CLOSE,
      begun("call_call_2"),
      delta('{"a":1}'),
      CLOSE,
      end("TOOL_CALLS"),
    ],
  );
});

test("the prompt is counted from the first piece on, and the reply as the last one tells", () => {
  const usage = (thoughtsTokenCount: number) => ({
    usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 2, thoughtsTokenCount },
  });
  const told = { input: 9, cacheRead: 0, cacheWrite: 0 };
  assert.deepEqual(steps({ ...piece([]), ...usage(1) }, { ...piece([]), ...usage(3) }, piece([])), [
    { ...START, usage: { ...told, output: 0, reasoning: 0 } },
    end("END", { ...told, output: 5, reasoning: 3 }),
  ]);
});

test("a reason stays that an earlier piece told, and a prompt that was refused is filtered", () => {
  const cut = piece([], { finishReason: "MAX_TOKENS" });
  assert.deepEqual(steps(cut, piece([])), [START, end("LENGTH")]);
  const blocked = { ...piece([]), candidates: [], promptFeedback: { blockReason: "OTHER" } };
  const why: StreamStep[] = [
    { kind: "OPEN", block: { kind: "REFUSAL" } },
    { kind: "DELTA", text: "The provider blocked the prompt (OTHER)." },
    { kind: "CLOSE" },
  ];
  assert.deepEqual(steps(blocked, piece([])), [START, ...why, end("FILTER")]);
});

test("nothing that comes behind a failure or the end is told", () => {
  const reader = new GenerateStreamReader(CALL);
  reader.push(eventOf(piece([])));
  assert.equal(reader.end().at(-1)?.kind, "END");
  assert.deepEqual([...reader.push(eventOf(piece([{ text: "Hi" }]))), ...reader.end()], []);
  const error = { code: 503, status: "UNAVAILABLE", message: "no" };
  const failure = { httpStatus: 503, code: "UNAVAILABLE", message: "no" };
  assert.deepEqual(steps({ error }, piece([{ text: "Hi" }])), [{ kind: "FAIL", failure }]);
});

test("a call counts in what is held while it is open", () => {
  const reader = new GenerateStreamReader(CALL);
  assert.equal(reader.keptBytes, 0);
  const args = { a: "x".repeat(1000) };
  reader.push(eventOf(piece([{ functionCall: { name: "run", args } }])));
  assert.ok(reader.keptBytes > 1000, String(reader.keptBytes));
});
