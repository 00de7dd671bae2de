import assert from "node:assert/strict";
import test from "node:test";
import { CALL } from "../../../../test/support/call-facts.js";
import type { JsonObject } from "../json.js";
import { ResponsesStreamReader } from "./read-stream.js";

/** The steps of these events, whose types are told without `response.` in front, and of the end of their stream. */
function read(...events: readonly (readonly [type: string, members?: JsonObject])[]) {
  const reader = new ResponsesStreamReader(CALL);
  const pushed = events.flatMap(([type, members]) =>
    reader.push({ name: "", data: JSON.stringify({ type: `response.${type}`, ...members }) }),
  );
  return [...pushed, ...reader.end()];
}

const START = { kind: "START", id: "call", model: "asked", usage: undefined };
const CLOSE = { kind: "CLOSE" };
const CREATED = ["created"] as const;
const COMPLETED = ["completed", { response: { status: "completed" } }] as const;

function open(kind: string) {
  return { kind: "OPEN", block: { kind } };
}

function delta(text: string) {
  return { kind: "DELTA", text };
}

function end(kind: string) {
  return { kind: "END", stop: { kind, sequence: undefined }, usage: undefined };
}

test("a response has the id and the model that its provider tells, whichever event comes first", () => {
  const response = { id: "resp", model: "m" };
  const start = { ...START, id: "resp", model: "m" };
  for (const type of ["created", "in_progress", "completed"]) {
    assert.deepEqual(read([type, { response }]), [start, end("END")]);
  }
  assert.deepEqual(read(["created", { response }], ["in_progress", { response }], COMPLETED), [
    start,
    end("END"),
  ]);
  assert.deepEqual(read(["created", { response: { id: "", model: "" } }]), [START, end("END")]);
  assert.deepEqual(read(), [START, end("END")]);
});

test("each part of a message is a piece of its own, and a refusal among them ends it as refused", () => {
  const at = { output_index: 0, content_index: 0 };
  const steps = read(
    CREATED,
    ["output_text.delta", { ...at, delta: "a" }],
    ["output_text.delta", { ...at, delta: "" }],
    ["output_text.delta", { ...at, delta: "b" }],
    ["output_text.delta", { ...at, content_index: 1, delta: "c" }],
    ["refusal.delta", { ...at, content_index: 2, delta: "No." }],
    COMPLETED,
  );
  assert.deepEqual(steps, [
    START,
    open("TEXT"),
    delta("a"),
    delta("b"),
    CLOSE,
    open("TEXT"),
    delta("c"),
    CLOSE,
    open("REFUSAL"),
    delta("No."),
    CLOSE,
    end("REFUSED"),
  ]);
});

test("of a thought that is told in summary and in full one is told, each part of a summary by itself", () => {
  const at = { output_index: 0 };
  const summary = (text: string) =>
    ["reasoning_summary_text.delta", { ...at, delta: text }] as const;
  const full = (text: string) => ["reasoning_text.delta", { ...at, delta: text }] as const;
  const part = (summary_index: number) =>
    ["reasoning_summary_part.added", { ...at, summary_index }] as const;
  const told = [START, open("THINKING"), delta("a"), delta("\n\n"), delta("b"), CLOSE, end("END")];
  const inSummary = [part(0), summary("a"), part(1), summary("b")] as const;
  assert.deepEqual(read(CREATED, ...inSummary, full("x"), COMPLETED), told);
  const inFull = [START, open("THINKING"), delta("x"), delta("y"), CLOSE, end("END")];
  assert.deepEqual(read(CREATED, full("x"), summary("a"), full("y"), COMPLETED), inFull);
  assert.deepEqual(read(CREATED, summary(""), full("x"), full("y"), COMPLETED), inFull);
});

test("what a provider keeps for itself of a thought comes with its item", () => {
  const item = (encrypted_content: string) =>
    [
      "output_item.done",
      { output_index: 0, item: { type: "reasoning", encrypted_content } },
    ] as const;
  const signature = { origin: "OPENAI", value: "gAAA" };
  const signed = [open("THINKING"), { kind: "SIGN", signature }, CLOSE];
  assert.deepEqual(read(CREATED, item("gAAA"), COMPLETED), [START, ...signed, end("END")]);
  const block = { kind: "REDACTED", data: "x", origin: "ANTHROPIC" };
  const sealed = [{ kind: "OPEN", block }, CLOSE];
  const redacted = item("~anthropic:redacted:x");
  assert.deepEqual(read(CREATED, redacted, COMPLETED), [START, ...sealed, end("END")]);
  assert.deepEqual(read(CREATED, item(""), COMPLETED), [START, end("END")]);
});

test("a call is one however often its arguments are told, and ends its response for its sake", () => {
  const args = '{"a":1}';
  const item = { type: "function_call", id: "fc", call_id: "c", name: "run", arguments: args };
  const at = { output_index: 0, item_id: "fc" };
  const added = [
    "output_item.added",
    { output_index: 0, item: { ...item, arguments: "" } },
  ] as const;
  const piece = (text: string) =>
    ["function_call_arguments.delta", { ...at, delta: text }] as const;
  const whole = ["function_call_arguments.done", { ...at, arguments: args }] as const;
  const done = ["output_item.done", { output_index: 0, item }] as const;
  const block = { kind: "TOOL_CALL", id: "c", name: "run", args: "", signature: undefined };
  const begun = [START, { kind: "OPEN", block }];
  const told = [...begun, delta(args), CLOSE, end("TOOL_CALLS")];
  for (const events of [
    [added, piece(args)],
    [added, piece(args), whole, done],
    [added, piece(""), whole],
    [added, whole, whole, done],
    [added, ["function_call_arguments.done", at] as const, done],
  ]) {
    assert.deepEqual(read(CREATED, ...events, COMPLETED), told);
  }
  const inPieces = [...begun, delta('{"a"'), delta(":1}"), CLOSE, end("TOOL_CALLS")];
  assert.deepEqual(read(CREATED, added, piece('{"a"'), piece(":1}"), done, COMPLETED), inPieces);
  assert.deepEqual(read(CREATED, piece(args), whole, COMPLETED), [START, end("END")]);
});

test("a custom tool is called with its text as an object, wherever the stream tells it", () => {
  const item = { type: "custom_tool_call", call_id: "c", name: "run", input: "go" };
  const args = '{"input":"go"}';
  const block = { kind: "TOOL_CALL", id: "c", name: "run", args, signature: undefined };
  const told = [START, { kind: "OPEN", block }, delta(args), CLOSE, end("TOOL_CALLS")];
  const done = ["output_item.done", { output_index: 0, item }] as const;
  assert.deepEqual(read(CREATED, done, COMPLETED), told);
  const inAll = ["completed", { response: { status: "completed", output: [item] } }] as const;
  assert.deepEqual(read(CREATED, inAll), told);
});

test("a message whose events tell no place is told by its id, and its end says it but once", () => {
  const piece = (item_id: string, text: string) =>
    ["output_text.delta", { item_id, delta: text }] as const;
  const content = [{ type: "output_text", text: "a" }];
  const done = ["output_item.done", { item: { type: "message", id: "one", content } }] as const;
  const first = [START, open("TEXT"), delta("a"), CLOSE];
  assert.deepEqual(read(CREATED, piece("one", "a"), done, piece("two", "b"), COMPLETED), [
    ...first,
    open("TEXT"),
    delta("b"),
    CLOSE,
    end("END"),
  ]);
  assert.deepEqual(read(CREATED, done, done, COMPLETED), [...first, end("END")]);
});

test("the end of a response tells what it took", () => {
  const usage = { input_tokens: 9, output_tokens: 5, input_tokens_details: { cached_tokens: 3 } };
  const steps = read(CREATED, ["completed", { response: { status: "completed", usage } }]);
  const took = { input: 9, output: 5, cacheRead: 3, cacheWrite: 0, reasoning: 0 };
  assert.deepEqual(steps.at(-1), { ...end("END"), usage: took });
});

test("a response that did not end well has failed, and nothing comes behind that", () => {
  const error = { code: "server_error", message: "It broke." };
  const behind = ["output_text.delta", { delta: "x" }] as const;
  for (const type of ["failed", "cancelled"]) {
    for (const status of [undefined, "completed"]) {
      const steps = read(CREATED, [type, { response: { status, error } }], behind, COMPLETED);
      assert.equal(steps.length, 2, type);
      assert.equal(steps[1]?.kind === "FAIL" && steps[1].failure.message, "It broke.");
    }
    const bare = read(CREATED, [type], behind)[1];
    assert.ok(bare?.kind === "FAIL" && bare.failure.message !== "", type);
  }
});

test("events that lack what they are about say nothing", () => {
  const bare = ["output_item.added", "output_text.delta", "function_call_arguments.delta", "other"];
  const events = bare.map((type) => [type] as const);
  assert.deepEqual(read(CREATED, ...events, COMPLETED), [START, end("END")]);
});

test("what comes before a response begins does not begin it, and what it says first is told behind its beginning", () => {
  const response = { id: "resp", model: "m" };
  const start = { ...START, id: "resp", model: "m" };
  const quiet = [["keepalive"], ["output_text.delta", { delta: "" }]] as const;
  assert.deepEqual(read(...quiet, ["created", { response }], COMPLETED), [start, end("END")]);
  const said = [open("TEXT"), delta("a"), CLOSE];
  const late = [
    ["output_text.delta", { delta: "a" }],
    ["created", { response }],
  ] as const;
  assert.deepEqual(read(...quiet, ...late, COMPLETED), [START, ...said, end("END")]);
});

test("what is known of calls, and what waits for its turn, counts in what is held", () => {
  const reader = new ResponsesStreamReader(CALL);
  const held = (type: string, members: JsonObject): number => {
    const before = reader.keptBytes;
    reader.push({ name: "", data: JSON.stringify({ type: `response.${type}`, ...members }) });
    return reader.keptBytes - before;
  };
  assert.equal(held("created", {}), 0);
  const call = { type: "function_call", call_id: "c".repeat(1000), name: "run", arguments: "" };
  // By its id it is known, and found again.
  const begun = held("output_item.added", { output_index: 0, item: call });
  assert.ok(begun > 2000 && begun < 3500, String(begun));
  const piece = { output_index: 0, delta: `{"a":"${"x".repeat(1000)}"` };
  assert.ok(held("function_call_arguments.delta", piece) > 1000);
  assert.ok(held("output_text.delta", { output_index: 1, delta: "y".repeat(1000) }) > 1000);
});
