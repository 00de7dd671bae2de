import assert from "node:assert/strict";
import test from "node:test";
import { CALL } from "../../../../test/support/call-facts.js";
import type { JsonObject } from "../json.js";
import { type ReplyPart, stopped } from "../reply.js";
import {
  messagesEnd,
  messagesStop,
  readMessagesFailure,
  readMessagesReply,
  writeMessagesReply,
} from "./reply.js";

const USAGE = { input: 9, output: 5, cacheRead: 3, cacheWrite: 2, reasoning: 4 };

test("a whole message is read with all that it says, and what the provider's own tools did is left out", () => {
  const body = {
    id: "msg_1",
    model: "m",
    content: [
      { type: "thinking", thinking: "Hm.", signature: "own" },
      { type: "redacted_thinking", data: "sealed" },
      { type: "text", text: "Hi." },
      { type: "server_tool_use", id: "s", name: "web_search", input: {} },
      { type: "tool_use", id: "t1", name: "run", input: { a: 1 } },
      { type: "text" },
      "no block",
    ],
    stop_reason: "stop_sequence",
    stop_sequence: "X",
    stop_details: { explanation: "none" },
    usage: { input_tokens: 9, output_tokens: 5 },
  };
  const thought = { kind: "THINKING", text: "", redacted: false };
  const own = (value: string) => ({ origin: "ANTHROPIC", value });
  assert.deepEqual(readMessagesReply(body, CALL), {
    id: "msg_1",
    model: "m",
    parts: [
      { ...thought, text: "Hm.", signature: own("own") },
      { ...thought, signature: own("sealed"), redacted: true },
      { kind: "TEXT", text: "Hi." },
      { kind: "TOOL_CALL", id: "t1", name: "run", args: '{"a":1}', signature: undefined },
      { kind: "TEXT", text: "" },
    ],
    stop: stopped("STOP_SEQUENCE", "X"),
    usage: { input: 9, output: 5, cacheRead: 0, cacheWrite: 0, reasoning: 0 },
  });
  const { id, model, parts, usage } = readMessagesReply({ content: [] }, CALL);
  assert.deepEqual([id, model, parts, usage], ["call", "asked", [], undefined]);
});

test("a model that refuses says why where it is told, and nothing otherwise", () => {
  const explained = { type: "refusal", explanation: "Not this." };
  const said = [{ kind: "REFUSAL", text: "Not this." }];
  for (const [stop_reason, stop_details, parts] of [
    ["refusal", explained, said],
    ["refusal", { type: "refusal", explanation: null }, []],
    ["refusal", { explanation: "" }, []],
    ["refusal", null, []],
    ["end_turn", explained, []],
  ] as const) {
    const reply = readMessagesReply({ content: [], stop_reason, stop_details }, CALL);
    assert.deepEqual(reply.parts, parts);
  }
});

test("each of Anthropic's words for the end of a message is known, and said again", () => {
  for (const [reason, kind] of [
    ["end_turn", "END"],
    ["max_tokens", "LENGTH"],
    ["model_context_window_exceeded", "CONTEXT_FULL"],
    ["stop_sequence", "STOP_SEQUENCE"],
    ["tool_use", "TOOL_CALLS"],
    ["refusal", "FILTER"],
    ["pause_turn", "PAUSE"],
  ] as const) {
    const sequence = kind === "STOP_SEQUENCE" ? "X" : undefined;
    assert.deepEqual(messagesStop(reason, "X"), stopped(kind, sequence));
    assert.equal(messagesEnd(stopped(kind), "")["stop_reason"], reason);
  }
  assert.deepEqual(messagesStop("new", null), stopped("END"));
});

test("a whole message has all members of Anthropic's own", () => {
  const signature = { origin: "GEMINI", value: "c2ln" } as const;
  const own = { origin: "ANTHROPIC", value: "own" } as const;
  const call = { kind: "TOOL_CALL", id: "a b", name: "run", signature: undefined } as const;
  const parts: ReplyPart[] = [
    { kind: "THINKING", text: "Hm.", signature: own, redacted: false },
    { kind: "THINKING", text: "", signature: own, redacted: true },
    { kind: "THINKING", text: "So.", signature: undefined, redacted: false },
    { kind: "TEXT", text: "Hi." },
    { kind: "REFUSAL", text: "No." },
    { ...call, args: '{"a":1}', signature },
    { ...call, args: "" },
  ];
  const stop = stopped("STOP_SEQUENCE", "X");
  const use = { type: "tool_use", id: "a_b", name: "run" };
  const message = {
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "m",
    content: [
      { type: "thinking", thinking: "Hm.", signature: "own" },
      { type: "redacted_thinking", data: "own" },
      { type: "thinking", thinking: "So.", signature: "~unsigned:" },
      { type: "text", text: "Hi." },
      { type: "thinking", thinking: "", signature: "~gemini:c2ln" },
      { ...use, input: { a: 1 } },
      { ...use, input: {} },
    ],
    stop_reason: "stop_sequence",
    stop_sequence: "X",
    stop_details: { type: "refusal", category: null, explanation: "No." },
    usage: {
      input_tokens: 4,
      cache_creation_input_tokens: 2,
      cache_creation: { ephemeral_5m_input_tokens: 2, ephemeral_1h_input_tokens: 0 },
      cache_read_input_tokens: 3,
      output_tokens: 5,
      output_tokens_details: { thinking_tokens: 4 },
    },
  };
  const reply = { id: "msg_1", model: "m", parts, stop, usage: USAGE };
  assert.deepEqual(writeMessagesReply(reply), message);
  const ended = writeMessagesReply({ ...reply, stop: stopped("END"), usage: undefined });
  const { input_tokens: input, output_tokens: output } = ended["usage"] as JsonObject;
  assert.deepEqual([ended["stop_sequence"], input, output], [null, 0, 0]);
});

test("an error is read as Anthropic tells it, with as much as there is", () => {
  const reason = "The provider gave no reason.";
  for (const [body, failure] of [
    [{ type: "error", error: { type: "t", message: "no" } }, ["t", "no"]],
    [{ error: {} }, ["", reason]],
    [{ error: "no" }, ["", "no"]],
    [{ type: "error" }, ["", reason]],
  ] as const) {
    const { code, message, httpStatus } = readMessagesFailure(body, 400) ?? {};
    assert.deepEqual([code, message, httpStatus], [...failure, 400], JSON.stringify(body));
  }
  for (const body of [{}, { error: "" }, { type: "message", error: null }]) {
    assert.equal(readMessagesFailure(body, 400), undefined);
  }
});
