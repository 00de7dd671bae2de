import assert from "node:assert/strict";
import test from "node:test";
import { CALL } from "../../../../test/support/call-facts.js";
import type { JsonObject } from "../json.js";
import { type Reply, type ReplyPart, stopped } from "../reply.js";
import { chatStop, readChatFailure, readChatReply, writeChatReply } from "./reply.js";

const USAGE = { input: 9, output: 5, cacheRead: 3, cacheWrite: 0, reasoning: 4 };

function completion(message: JsonObject, more: JsonObject = {}): JsonObject {
  return { choices: [{ index: 0, message, finish_reason: "stop" }], ...more };
}

/** As its caller gets it. */
function written(parts: readonly ReplyPart[], more: Partial<Reply> = {}): JsonObject {
  const reply = { id: "c1", model: "m", parts, stop: stopped("END"), usage: USAGE, ...more };
  return JSON.parse(JSON.stringify(writeChatReply(reply, CALL)));
}

function messageOf(parts: readonly ReplyPart[]): unknown {
  return (written(parts)["choices"] as JsonObject[])[0]?.["message"];
}

test("a whole completion is read with all that it says, in the order in which a model says it", () => {
  const body = completion(
    {
      content: "Hi.",
      refusal: "No.",
      reasoning_content: "Hm.",
      tool_calls: [{ id: "t1", function: { name: "run", arguments: '{"a":1}' } }],
    },
    { id: "c1", model: "m", usage: { prompt_tokens: 9, completion_tokens: 5 } },
  );
  assert.deepEqual(readChatReply(body, CALL), {
    id: "c1",
    model: "m",
    parts: [
      { kind: "THINKING", text: "Hm.", signature: undefined, redacted: false },
      { kind: "TEXT", text: "Hi." },
      { kind: "REFUSAL", text: "No." },
      { kind: "TOOL_CALL", id: "t1", name: "run", args: '{"a":1}', signature: undefined },
    ],
    stop: stopped("REFUSED"),
    usage: { input: 9, output: 5, cacheRead: 0, cacheWrite: 0, reasoning: 0 },
  });
});

test("what a provider leaves out of a completion comes from the call, and ids of calls are made", () => {
  const call = (id?: string) => ({ id, function: { name: "run", arguments: "{}" } });
  const calls = [call(), call(""), call("t"), call("t")];
  for (const named of [{}, { id: "", model: "" }]) {
    const { id, model, parts, usage } = readChatReply(
      completion({ tool_calls: calls }, named),
      CALL,
    );
    assert.deepEqual([id, model, usage], ["call", "asked", undefined]);
    const ids = parts.map((part) => (part.kind === "TOOL_CALL" ? part.id : part.kind));
    assert.deepEqual(ids, ["call_call_0", "call_call_1", "t", "t_3"]);
  }
  for (const empty of [{}, { choices: [] }, { choices: [{}] }]) {
    assert.deepEqual(readChatReply(empty, CALL).parts, []);
  }
});

test("each word of OpenAI and its imitators for the end of a reply is known", () => {
  for (const [reason, kind, withCalls] of [
    ["stop", "END", "TOOL_CALLS"],
    ["tool_calls", "END", "TOOL_CALLS"],
    ["function_call", "END", "TOOL_CALLS"],
    [null, "END", "TOOL_CALLS"],
    ["length", "LENGTH", "LENGTH"],
    ["model_length", "LENGTH", "LENGTH"],
    ["content_filter", "FILTER", "FILTER"],
    ["sensitive", "FILTER", "FILTER"],
  ] as const) {
    assert.deepEqual(chatStop(reason, false, false), stopped(kind), String(reason));
    assert.deepEqual(chatStop(reason, true, false), stopped(withCalls), String(reason));
  }
  assert.deepEqual(chatStop("stop", true, true), stopped("REFUSED"));
  assert.deepEqual(chatStop("length", false, true), stopped("LENGTH"));
});

test("a whole completion has all members of OpenAI's own", () => {
  const signature = { origin: "GEMINI", value: "c2ln" } as const;
  const own = { origin: "ANTHROPIC", value: "own" } as const;
  const call = { kind: "TOOL_CALL", id: "t1", name: "run", args: '{"a":1}' } as const;
  const whole = written(
    [
      { kind: "THINKING", text: "Hm.", signature: own, redacted: false },
      { kind: "THINKING", text: "", signature: own, redacted: true },
      { kind: "THINKING", text: " So.", signature: undefined, redacted: false },
      { kind: "TEXT", text: "Hi" },
      { kind: "TEXT", text: "." },
      { kind: "REFUSAL", text: "No." },
      { ...call, signature },
      { ...call, id: "t2", args: "", signature: undefined },
    ],
    { stop: stopped("TOOL_CALLS") },
  );
  const said = { type: "function" };
  assert.deepEqual(whole, {
    id: "c1",
    object: "chat.completion",
    created: 1,
    model: "m",
    system_fingerprint: null,
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: "Hi.",
          refusal: "No.",
          reasoning_content: "Hm. So.",
          reasoning_details: [
            { type: "reasoning.text", text: "Hm.", signature: "own", index: 0 },
            { type: "reasoning.encrypted", data: "own", index: 1 },
            { type: "reasoning.text", text: " So.", index: 2 },
          ],
          tool_calls: [
            {
              id: "t1",
              ...said,
              function: { name: "run", arguments: '{"a":1}' },
              extra_content: { google: { thought_signature: "c2ln" } },
            },
            { id: "t2", ...said, function: { name: "run", arguments: "{}" } },
          ],
        },
        logprobs: null,
        finish_reason: "tool_calls",
      },
    ],
    usage: {
      prompt_tokens: 9,
      completion_tokens: 5,
      total_tokens: 14,
      prompt_tokens_details: { cached_tokens: 3 },
      completion_tokens_details: { reasoning_tokens: 4 },
    },
  });
});

test("a completion without a text says so, with none beside calls, and has no member for what was not said", () => {
  const call = {
    kind: "TOOL_CALL",
    id: "t1",
    name: "run",
    args: "{}",
    signature: undefined,
  } as const;
  const none = { role: "assistant", refusal: null };
  assert.deepEqual(messageOf([]), { ...none, content: "" });
  const { content, tool_calls: calls } = messageOf([call]) as JsonObject;
  assert.deepEqual([content, (calls as unknown[]).length], [null, 1]);
  const sealed = { kind: "THINKING", text: "", redacted: true } as const;
  const signature = { origin: "ANTHROPIC", value: "x" } as const;
  const details = [{ type: "reasoning.encrypted", data: "x", index: 0 }];
  const message = { ...none, content: "", reasoning_details: details };
  assert.deepEqual(messageOf([{ ...sealed, signature }]), message);
});

test("a completion whose provider counted nothing has a usage all the same, for Mistral's SDK insists on it", () => {
  const { usage } = written([], { usage: undefined }) as { usage: JsonObject };
  const { prompt_tokens: input, completion_tokens: output, total_tokens: total } = usage;
  assert.deepEqual([input, output, total], [0, 0, 0]);
});

test("an error is read in each form in which OpenAI's imitators tell it, and nothing else for one", () => {
  const reason = "The provider gave no reason.";
  for (const [body, failure] of [
    [{ error: "no" }, ["", "no", 400]],
    [{ error: { message: "no", type: "t", code: "c" } }, ["c", "no", 400]],
    [{ error: { message: "no", type: "t", code: "" } }, ["t", "no", 400]],
    [{ error: { message: "no", code: 503 } }, ["", "no", 503]],
    [{ error: {} }, ["", reason, 400]],
    [{ object: "error", message: "no", type: "t" }, ["t", "no", 400]],
    [{ message: "no" }, ["", "no", 400]],
    [{ detail: "no" }, ["", "no", 400]],
    [
      { choices: [{ finish_reason: "abort" }] },
      ["abort", "The provider broke the reply off: abort.", 502],
    ],
    [{ choices: [{ finish_reason: "error", error: { message: "no" } }] }, ["error", "no", 502]],
  ] as const) {
    const { code, message, httpStatus } = readChatFailure(body, 400) ?? {};
    assert.deepEqual([code, message, httpStatus], failure, JSON.stringify(body));
  }
  for (const body of [{}, { choices: [] }, { choices: [{}], message: "no" }, completion({})]) {
    assert.equal(readChatFailure(body, 400), undefined, JSON.stringify(body));
  }
});
