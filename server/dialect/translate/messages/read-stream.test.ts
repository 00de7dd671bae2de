import assert from "node:assert/strict";
import test from "node:test";
import { CALL } from "../../../../test/support/call-facts.js";
import type { JsonObject } from "../json.js";
import { MessagesStreamReader } from "./read-stream.js";

/** The steps of these events and of the end of their stream. */
function read(...events: readonly JsonObject[]) {
  const reader = new MessagesStreamReader(CALL);
  const pushed = events.flatMap((event) => reader.push({ name: "", data: JSON.stringify(event) }));
  return [...pushed, ...reader.end()];
}

function begun(message: JsonObject = {}): JsonObject {
  return { type: "message_start", message };
}

function block(content_block: JsonObject, index?: number): JsonObject {
  return { type: "content_block_start", index, content_block };
}

function text(piece: string, index?: number): JsonObject {
  return { type: "content_block_delta", index, delta: { type: "text_delta", text: piece } };
}

const START = { kind: "START", id: "call", model: "asked", usage: undefined };
const OPEN = { kind: "OPEN", block: { kind: "TEXT" } };
const CLOSE = { kind: "CLOSE" };
const END = { kind: "END", stop: { kind: "END", sequence: undefined }, usage: undefined };

function delta(piece: string) {
  return { kind: "DELTA", text: piece };
}

test("a message has the id, the model and the usage that its provider tells, else those of the call", () => {
  const usage = { input: 3, output: 1, cacheRead: 0, cacheWrite: 0, reasoning: 0 };
  const told = { id: "msg", model: "m", usage: { input_tokens: 3, output_tokens: 1 } };
  assert.deepEqual(read(begun(told)), [
    { kind: "START", id: "msg", model: "m", usage },
    { ...END, usage },
  ]);
  assert.deepEqual(read(begun()), [START, END]);
  assert.deepEqual(read({ type: "message_start" }), [START, END]);
  assert.deepEqual(read(), [START, END]);
});

test("a message whose first event is left out begins all the same", () => {
  const said = block({ type: "text", text: "a" });
  assert.deepEqual(read(said), [START, OPEN, delta("a"), CLOSE, END]);
  const error = { type: "error", error: { type: "api_error", message: "no" } };
  const failure = { httpStatus: 500, code: "api_error", message: "no" };
  assert.deepEqual(read({ type: "ping" }, error), [{ kind: "FAIL", failure }]);
});

test("a block ends with the next one or with the stream where nobody says so", () => {
  const events = [begun(), block({ type: "text", text: "" }, 0), text("a", 0)];
  const steps = [START, OPEN, delta("a"), CLOSE];
  assert.deepEqual(read(...events), [...steps, END]);
  const next = block({ type: "text", text: "b" }, 1);
  assert.deepEqual(read(...events, next), [...steps, OPEN, delta("b"), CLOSE, END]);
});

test("what comes for another block than the open one is not told as that one's", () => {
  const thinking = { type: "thinking", thinking: "Hm." };
  const open = [begun(), block(thinking, 1)];
  const steps = [START, { kind: "OPEN", block: { kind: "THINKING" } }, delta("Hm.")];
  assert.deepEqual(read(...open, text("x", 0), text("y")), [...steps, CLOSE, END]);
  const alone = [begun(), block({ type: "text" }), text("a"), text("b", 0)];
  assert.deepEqual(read(...alone), [START, OPEN, delta("a"), delta("b"), CLOSE, END]);
});

test("sealed thoughts come whole, and a signature with the thought that it is of", () => {
  const sign = { type: "signature_delta", signature: "c2ln" };
  const steps = read(
    begun(),
    block({ type: "redacted_thinking", data: "sealed" }, 0),
    block({ type: "thinking", thinking: "" }, 1),
    { type: "content_block_delta", index: 1, delta: sign },
  );
  const redacted = { kind: "REDACTED", data: "sealed", origin: "ANTHROPIC" };
  const signature = { origin: "ANTHROPIC", value: "c2ln" };
  assert.deepEqual(steps, [
    START,
    { kind: "OPEN", block: redacted },
    CLOSE,
    { kind: "OPEN", block: { kind: "THINKING" } },
    { kind: "SIGN", signature },
    CLOSE,
    END,
  ]);
});

test("a sequence that stopped a message is told with its end", () => {
  const end = {
    type: "message_delta",
    delta: { stop_reason: "stop_sequence", stop_sequence: "X" },
  };
  const stop = { kind: "STOP_SEQUENCE", sequence: "X" };
  assert.deepEqual(read(begun(), end), [START, { ...END, stop }]);
});

test("events that lack what they are about say nothing", () => {
  const bare = ["content_block_start", "content_block_delta", "content_block_stop", "ping"];
  const events = bare.map((type) => ({ type }));
  assert.deepEqual(read(begun(), ...events), [START, END]);
  const open = block({ type: "text" }, 0);
  assert.deepEqual(read(begun(), open, { type: "content_block_delta", index: 0 }), [
    START,
    OPEN,
    CLOSE,
    END,
  ]);
});

function use(input: JsonObject, index?: number): JsonObject {
  return block({ type: "tool_use", id: "t1", name: "run", input }, index);
}

function args(piece: string, index?: number): JsonObject {
  const given = { type: "input_json_delta", partial_json: piece };
  return { type: "content_block_delta", index, delta: given };
}

const CALLED = {
  kind: "OPEN",
  block: { kind: "TOOL_CALL", id: "t1", name: "run", signature: undefined },
};

test("the arguments of a call are those of its pieces, or what it began with where none come", () => {
  for (const [events, pieces] of [
    [[use({})], []],
    [[use({ a: 1 })], ['{"a":1}']],
    [[use({ a: 1 }), args("")], ['{"a":1}']],
    [
      [use({ a: 1 }), args('{"a":'), args("2}")],
      ['{"a":', "2}"],
    ],
    [[use({}), args("{}")], ["{}"]],
  ] as const) {
    const steps = read(begun(), ...events);
    const told = steps.slice(
      steps.findIndex((step) => step.kind === "OPEN" && step.block.kind === "TOOL_CALL"),
    );
    assert.deepEqual(told, [CALLED, ...pieces.map(delta), CLOSE, END], JSON.stringify(events));
  }
  const noCall = block({ type: "text", input: { a: 1 } });
  assert.deepEqual(read(begun(), noCall), [START, OPEN, CLOSE, END]);
  const bare = read(begun(), block({ type: "tool_use" }));
  assert.deepEqual(bare[1], { kind: "OPEN", block: { ...CALLED.block, id: "", name: "" } });
});

test("what a call began with counts in what is held, until pieces of it come or it ends", () => {
  for (const next of [args("{", 0), { type: "content_block_stop", index: 0 }]) {
    const reader = new MessagesStreamReader(CALL);
    const push = (event: JsonObject) => reader.push({ name: "", data: JSON.stringify(event) });
    push(use({ a: "x".repeat(1000) }, 0));
    assert.ok(reader.keptBytes > 1000);
    push(next);
    assert.equal(reader.keptBytes, 0);
  }
});

test("usage that is told inside a block does not end it", () => {
  const usage = { type: "message_delta", usage: { output_tokens: 1 } };
  const said = [block({ type: "text" }), text("a"), usage, text("b")];
  const steps = read(begun(), ...said).slice(0, -1);
  assert.deepEqual(steps, [START, OPEN, delta("a"), delta("b"), CLOSE]);
});

test("why a model would not go on is told at the end, behind all that it said", () => {
  const details = { type: "refusal", explanation: "No." };
  const end = {
    type: "message_delta",
    delta: { stop_reason: "refusal", stop_details: details },
  };
  const refused = [{ kind: "OPEN", block: { kind: "REFUSAL" } }, delta("No."), CLOSE];
  const stop = { ...END, stop: { kind: "FILTER", sequence: undefined } };
  const open = [block({ type: "text" }), text("a")];
  assert.deepEqual(read(end), [START, ...refused, stop]);
  assert.deepEqual(read(begun(), ...open, end), [START, OPEN, delta("a"), CLOSE, ...refused, stop]);
  const bare = { type: "message_delta", delta: { stop_reason: "end_turn", stop_details: details } };
  assert.deepEqual(read(begun(), ...open, bare), [START, OPEN, delta("a"), CLOSE, END]);
});

test("usage is that of the end, with what only the beginning told, and an empty one tells nothing", () => {
  const usage = (given: JsonObject) => ({ type: "message_delta", delta: {}, usage: given });
  const start = begun({ usage: { input_tokens: 3, cache_read_input_tokens: 4, output_tokens: 1 } });
  const counted = (output: number) => ({
    input: 7,
    output,
    cacheRead: 4,
    cacheWrite: 0,
    reasoning: 0,
  });
  const steps = read(start, usage({ output_tokens: 5 }), usage({}));
  assert.deepEqual(steps, [
    { ...START, usage: counted(1) },
    { ...END, usage: counted(5) },
  ]);
  const late = [usage({ output_tokens: 5 }), usage({ input_tokens: 3 })];
  const cached = usage({ cache_read_input_tokens: 4 });
  for (const told of [
    [...late, cached],
    [cached, ...late],
  ]) {
    const counts = [START, { ...END, usage: counted(5) }];
    assert.deepEqual(read(begun({ usage: {} }), ...told), counts);
  }
});

test("nothing that comes behind a failure or the end is told", () => {
  const error = { type: "error", error: { type: "overloaded_error", message: "no" } };
  const failure = { httpStatus: 503, code: "overloaded_error", message: "no" };
  const late = [block({ type: "text" }), text("a"), { type: "message_stop" }];
  assert.deepEqual(read(begun(), error, ...late), [START, { kind: "FAIL", failure }]);
  assert.deepEqual(read(begun(), { type: "message_stop" }, ...late, error), [START, END]);
});
