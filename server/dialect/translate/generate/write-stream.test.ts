import assert from "node:assert/strict";
import test from "node:test";
import { CALL } from "../../../../test/support/call-facts.js";
import type { JsonObject } from "../json.js";
import type { SaidStep, StopKind } from "../reply.js";
import type { CallFacts } from "../side.js";
import { GenerateStreamWriter } from "./write-stream.js";

const USAGE = { input: 9, output: 5, cacheRead: 3, cacheWrite: 2, reasoning: 4 };
const START: SaidStep = { kind: "START", id: "r1", model: "m", usage: undefined };
const CLOSE: SaidStep = { kind: "CLOSE" };
const USE = { kind: "TOOL_CALL", id: "t1", name: "run", signature: undefined } as const;
const PROBLEM = { httpStatus: 502, code: "c", message: "no", detail: "no", requestId: "r" };

function open(block: Extract<SaidStep, { kind: "OPEN" }>["block"]): SaidStep {
  return { kind: "OPEN", block };
}

function delta(text: string): SaidStep {
  return { kind: "DELTA", text };
}

function end(kind: StopKind, usage?: typeof USAGE): SaidStep {
  return { kind: "END", stop: { kind, sequence: undefined }, usage };
}

const SAID: readonly SaidStep[] = [
  START,
  open({ kind: "THINKING" }),
  delta("Hm."),
  { kind: "SIGN", signature: { origin: "ANTHROPIC", value: "x" } },
  CLOSE,
  open({ kind: "REDACTED", data: "sealed", origin: "ANTHROPIC" }),
  CLOSE,
  open({ kind: "TEXT" }),
  delta("Hi"),
  delta("."),
  CLOSE,
  open({ kind: "REFUSAL" }),
  delta("No."),
  CLOSE,
  open({ ...USE, signature: { origin: "GEMINI", value: "c2ln" } }),
  delta('{"a":'),
  delta("1}"),
  CLOSE,
  open({ ...USE, id: "t2" }),
  CLOSE,
  end("TOOL_CALLS", USAGE),
];

function told(steps: readonly SaidStep[], call: Partial<CallFacts> = {}): string {
  const writer = new GenerateStreamWriter({ ...CALL, ...call });
  return steps.map((step) => writer.push(step)).join("");
}

/** The pieces of these steps, each an event in Google's own framing. */
function written(steps: readonly SaidStep[], call?: Partial<CallFacts>): JsonObject[] {
  const events = told(steps, call).split("\r\n\r\n");
  assert.equal(events.pop(), "");
  return events.map((event) => JSON.parse(event.replace(/^data: /, "")));
}

function parts(pieces: readonly JsonObject[]): unknown[] {
  return pieces.map(({ candidates }) => (candidates as JsonObject[])[0]?.["content"]);
}

const piece = (part: JsonObject, more: JsonObject = {}) => ({
  candidates: [{ content: { role: "model", parts: [part] }, ...more, index: 0 }],
  modelVersion: "m",
  responseId: "r1",
});

test("each piece has all members of Google's own and some part, and a call comes whole", () => {
  const call = (id: string, args: JsonObject) => ({ functionCall: { id, name: "run", args } });
  assert.deepEqual(written(SAID), [
    piece({ text: "Hm.", thought: true }),
    piece({ text: "Hi" }),
    piece({ text: "." }),
    piece({ text: "No." }),
    piece({ ...call("t1", { a: 1 }), thoughtSignature: "c2ln" }),
    piece(call("t2", {})),
    {
      ...piece({ text: "" }, { finishReason: "STOP" }),
      usageMetadata: {
        promptTokenCount: 9,
        candidatesTokenCount: 1,
        totalTokenCount: 14,
        cachedContentTokenCount: 3,
        thoughtsTokenCount: 4,
      },
    },
  ]);
});

test("thoughts go to no caller who did not ask for them", () => {
  const hidden = parts(written(SAID, { thoughtsShown: false }));
  assert.deepEqual(hidden, parts(written(SAID, { thoughtsShown: true })).slice(1));
});

test("as an array the pieces are the same, and a failure is the last of them, or the only one", () => {
  const whole = told(SAID, { asArray: true });
  assert.deepEqual(JSON.parse(whole), written(SAID));
  assert.match(whole, /^\[\{.*\},\r\n\{.*\}\]$/s);
  for (const steps of [[], SAID.slice(0, -1)]) {
    const writer = new GenerateStreamWriter({ ...CALL, asArray: true });
    const text = steps.map((step) => writer.push(step)).join("") + writer.fail(PROBLEM);
    const pieces = JSON.parse(text) as JsonObject[];
    assert.match(JSON.stringify(pieces.at(-1)), /^\{"error":\{"code":502,"message":"no","status":/);
    assert.deepEqual(pieces.slice(0, -1), steps.length === 0 ? [] : written(SAID).slice(0, -1));
  }
  const events = new GenerateStreamWriter(CALL).fail(PROBLEM);
  assert.match(events, /^data: \{"error":/);
});

test("the arguments of a call count in what is held, until it is told", () => {
  const writer = new GenerateStreamWriter(CALL);
  assert.equal(writer.keptBytes, 0);
  writer.push(START);
  writer.push(open(USE));
  for (const text of ['{"a":"', "x".repeat(1000), '"}']) writer.push(delta(text));
  assert.ok(writer.keptBytes > 1008, String(writer.keptBytes));
  writer.push(CLOSE);
  assert.equal(writer.keptBytes, 0);
  for (const step of SAID.slice(1)) writer.push(step);
  assert.equal(writer.keptBytes, 0);
});
