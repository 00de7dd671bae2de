import assert from "node:assert/strict";
import test from "node:test";
import { CALL } from "../../../../test/support/call-facts.js";
import type { JsonObject } from "../json.js";
import { type ReplyPart, type Stop, stopped } from "../reply.js";
import type { CallFacts } from "../side.js";
import {
  generateStop,
  readGenerateFailure,
  readGenerateReply,
  writeGenerateReply,
} from "./reply.js";

const USAGE = { input: 9, output: 5, cacheRead: 3, cacheWrite: 0, reasoning: 4 };
const THOUGHT = { kind: "THINKING", text: "", signature: undefined, redacted: false } as const;

function generated(parts: readonly unknown[], finishReason?: string): JsonObject {
  return { candidates: [{ content: { role: "model", parts }, finishReason }] };
}

test("a whole reply is read with all that it says, pieces of one kind as one", () => {
  const call = (args: JsonObject, id?: string) => ({ functionCall: { id, name: "run", args } });
  const body = {
    ...generated([
      { text: "H", thought: true },
      { text: "m.", thought: true },
      { text: "Hi", thought: false },
      { text: "" },
      { executableCode: { code: "1" } },
      { text: "." },
      call({}),
      { ...call({ a: 1 }, "own"), thoughtSignature: "c2ln" },
      call({}, ""),
      { text: "So." },
    ]),
    responseId: "r1",
    modelVersion: "m",
    usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 5 },
  };
  const made = { kind: "TOOL_CALL", name: "run", args: "{}", signature: undefined };
  const signature = { origin: "GEMINI", value: "c2ln" };
  assert.deepEqual(readGenerateReply(body, CALL), {
    id: "r1",
    model: "m",
    parts: [
      { ...THOUGHT, text: "Hm." },
      { kind: "TEXT", text: "Hi." },
      { ...made, id: "call_call_0" },
      { ...made, id: "own", args: '{"a":1}', signature },
      { ...made, id: "call_call_2" },
      { kind: "TEXT", text: "So." },
    ],
    stop: stopped("TOOL_CALLS"),
    usage: { input: 9, output: 5, cacheRead: 0, cacheWrite: 0, reasoning: 0 },
  });
  const unsaid = generated([{ executableCode: {} }, { text: "", thought: true }, { text: "" }]);
  for (const empty of [{}, { candidates: [{}] }, { responseId: "", modelVersion: "" }, unsaid]) {
    const { id, model, parts, usage } = readGenerateReply(empty, CALL);
    assert.deepEqual([id, model, parts, usage], ["call", "asked", [], undefined]);
  }
});

test("each of Google's reasons for the end of a reply is known, and a prompt that is refused is filtered", () => {
  for (const [reason, kind] of [
    ["STOP", "END"],
    [undefined, "END"],
    ["OTHER", "END"],
    ["MAX_TOKENS", "LENGTH"],
    ["SAFETY", "FILTER"],
    ["RECITATION", "FILTER"],
    ["BLOCKLIST", "FILTER"],
    ["PROHIBITED_CONTENT", "FILTER"],
    ["SPII", "FILTER"],
    ["LANGUAGE", "FILTER"],
    ["IMAGE_SAFETY", "FILTER"],
    ["IMAGE_PROHIBITED_CONTENT", "FILTER"],
    ["IMAGE_RECITATION", "FILTER"],
  ] as const) {
    assert.deepEqual(generateStop(reason, undefined, false), stopped(kind), reason);
    const withCalls = kind === "END" ? "TOOL_CALLS" : kind;
    assert.deepEqual(generateStop(reason, undefined, true), stopped(withCalls), reason);
  }
  const { stop } = readGenerateReply({ promptFeedback: { blockReason: "SAFETY" } }, CALL);
  assert.deepEqual(stop, stopped("FILTER"));
  const answered = { ...generated([], "STOP"), promptFeedback: { blockReason: "SAFETY" } };
  assert.deepEqual(readGenerateReply(answered, CALL).stop, stopped("END"));
  const rated = { ...generated([]), promptFeedback: { safetyRatings: [] } };
  assert.deepEqual(readGenerateReply(rated, CALL).stop, stopped("END"));
});

function written(
  parts: readonly ReplyPart[],
  { stop = stopped("END"), ...call }: Partial<CallFacts> & { stop?: Stop } = {},
): JsonObject {
  const reply = { id: "r1", model: "m", parts, stop, usage: USAGE };
  return JSON.parse(JSON.stringify(writeGenerateReply(reply, { ...CALL, ...call })));
}

test("a whole reply has all members of Google's own, and thoughts for who asked for them alone", () => {
  const signature = { origin: "GEMINI", value: "c2ln" } as const;
  const foreign = { origin: "OPENAI", value: "x" } as const;
  const call = { kind: "TOOL_CALL", id: "t1", name: "run", args: '{"a":1}' } as const;
  const parts: ReplyPart[] = [
    { ...THOUGHT, text: "Hm." },
    { ...THOUGHT, signature: foreign, redacted: true },
    { kind: "TEXT", text: "Hi." },
    { kind: "REFUSAL", text: "No." },
    { ...call, signature },
    { ...call, args: "", signature: foreign },
  ];
  const functionCall = { id: "t1", name: "run", args: { a: 1 } };
  const said = [
    { text: "Hi." },
    { text: "No." },
    { functionCall, thoughtSignature: "c2ln" },
    { functionCall: { ...functionCall, args: {} } },
  ];
  const reply = {
    candidates: [{ content: { role: "model", parts: said }, finishReason: "STOP", index: 0 }],
    usageMetadata: {
      promptTokenCount: 9,
      candidatesTokenCount: 1,
      totalTokenCount: 14,
      cachedContentTokenCount: 3,
      thoughtsTokenCount: 4,
    },
    modelVersion: "m",
    responseId: "r1",
  };
  assert.deepEqual(written(parts, { thoughtsShown: false }), reply);
  for (const thoughtsShown of [true, undefined]) {
    const { candidates } = written(parts, { thoughtsShown });
    const { content } = (candidates as JsonObject[])[0] as { content: JsonObject };
    assert.deepEqual(content["parts"], [{ text: "Hm.", thought: true }, ...said]);
  }
});

test("each end of a reply has one of Google's reasons", () => {
  for (const [kind, reason] of [
    ["END", "STOP"],
    ["STOP_SEQUENCE", "STOP"],
    ["TOOL_CALLS", "STOP"],
    ["PAUSE", "STOP"],
    ["LENGTH", "MAX_TOKENS"],
    ["CONTEXT_FULL", "MAX_TOKENS"],
    ["FILTER", "SAFETY"],
  ] as const) {
    const { candidates } = written([], { stop: stopped(kind) });
    assert.equal((candidates as JsonObject[])[0]?.["finishReason"], reason);
  }
});

test("an error is read as Google tells it, and a reply that the model spoilt is one", () => {
  const reason = "The provider gave no reason.";
  const error = { code: 503, status: "UNAVAILABLE", message: "no" };
  for (const [body, failure] of [
    [{ error }, ["UNAVAILABLE", "no", 503]],
    [{ error: {} }, ["", reason, 400]],
    ...[
      "MALFORMED_FUNCTION_CALL",
      "MALFORMED_RESPONSE",
      "UNEXPECTED_TOOL_CALL",
      "TOO_MANY_TOOL_CALLS",
      "MISSING_THOUGHT_SIGNATURE",
    ].map((code) => [generated([], code), [code, `${code}: ${reason}`, 502]] as const),
    [
      { candidates: [{ finishReason: "MALFORMED_RESPONSE", finishMessage: "no" }] },
      ["MALFORMED_RESPONSE", "MALFORMED_RESPONSE: no", 502],
    ],
  ] as const) {
    const { code, message, httpStatus } = readGenerateFailure(body, 400) ?? {};
    assert.deepEqual([code, message, httpStatus], failure, JSON.stringify(body));
  }
  for (const body of [{}, generated([]), generated([], "STOP"), { error: null }]) {
    assert.equal(readGenerateFailure(body, 400), undefined);
  }
});
