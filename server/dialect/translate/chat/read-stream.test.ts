import assert from "node:assert/strict";
import test from "node:test";
import { CALL } from "../../../../test/support/call-facts.js";
import type { JsonObject } from "../json.js";
import { type StopKind, type StreamStep, stopped } from "../reply.js";
import { ChatStreamReader } from "./read-stream.js";

type Sent = JsonObject | string;

function eventOf(data: Sent) {
  return { name: "", data: typeof data === "string" ? data : JSON.stringify(data) };
}

/** The steps of these chunks, and of the end of the stream. */
function steps(...chunks: readonly Sent[]): StreamStep[] {
  const reader = new ChatStreamReader(CALL);
  return [...chunks.flatMap((chunk) => reader.push(eventOf(chunk))), ...reader.end()];
}

function chunk(delta: JsonObject, more: JsonObject = {}): JsonObject {
  return { id: "c1", model: "m", choices: [{ index: 0, delta, ...more }] };
}

const START: StreamStep = { kind: "START", id: "c1", model: "m", usage: undefined };
const CLOSE: StreamStep = { kind: "CLOSE" };

function open(kind: "TEXT" | "THINKING" | "REFUSAL"): StreamStep {
  return { kind: "OPEN", block: { kind } };
}

function delta(text: string): StreamStep {
  return { kind: "DELTA", text };
}

function end(kind: StopKind, input?: number): StreamStep {
  const counted = { output: 2, cacheRead: 0, cacheWrite: 0, reasoning: 0 };
  const usage = input === undefined ? undefined : { input, ...counted };
  return { kind: "END", stop: stopped(kind), usage };
}

test("a stream says who it is with its first choice, and what it leaves out comes from the call", () => {
  const first = chunk({ role: "assistant", content: "" });
  const later = { ...chunk({}, { finish_reason: "length" }), id: "other", model: "other" };
  assert.deepEqual(steps(first, later, "[DONE]"), [START, end("LENGTH")]);
  const none: StreamStep = { kind: "START", id: "call", model: "asked", usage: undefined };
  assert.deepEqual(steps({ id: "", model: "", choices: [{}] }), [none, end("END")]);
  assert.deepEqual(steps(), [none, end("END")]);
  assert.deepEqual(steps({ id: "c1", model: "m", choices: [] }), [none, end("END")]);
});

test("each piece of a reply is told in the order in which a model says it, and what said nothing is not", () => {
  const all = { content: "Hi", reasoning_content: "Hm", refusal: "No" };
  assert.deepEqual(steps(chunk(all), chunk({ content: "", refusal: "", reasoning: "" })), [
    START,
    open("THINKING"),
    delta("Hm"),
    CLOSE,
    open("TEXT"),
    delta("Hi"),
    CLOSE,
    open("REFUSAL"),
    delta("No"),
    CLOSE,
    end("REFUSED"),
  ]);
});

test("nothing that comes behind the end of a stream is told, nor behind its failure", () => {
  const reader = new ChatStreamReader(CALL);
  const done = reader.push(eventOf(" [DONE]\n"));
  assert.equal(done.at(-1)?.kind, "END");
  const more = [chunk({ content: "Hi" }), "[DONE]", "{"];
  for (const late of more) assert.deepEqual(reader.push(eventOf(late)), []);
  assert.deepEqual(reader.end(), []);
  const failure = { httpStatus: 429, code: "rate_limit", message: "no" };
  const failed = { error: { type: failure.code, message: failure.message } };
  assert.deepEqual(steps(failed, ...more), [{ kind: "FAIL", failure }]);
});

test("usage is that of the last chunk that tells one, also where Groq tells it", () => {
  const usage = (prompt_tokens: number) => ({ prompt_tokens, completion_tokens: 2 });
  const last = chunk({}, { finish_reason: "stop" });
  for (const [chunks, input] of [
    [[last], undefined],
    [
      [
        { ...last, usage: usage(1) },
        { choices: [], usage: null },
      ],
      1,
    ],
    [
      [
        { ...last, usage: usage(1) },
        { choices: [], usage: usage(3) },
      ],
      3,
    ],
    [[{ ...last, x_groq: { id: "x", usage: usage(4) } }], 4],
    [[{ ...last, usage: usage(1), x_groq: { usage: usage(4) } }], 1],
  ] as const) {
    assert.deepEqual(steps(...chunks), [START, end("END", input)]);
  }
});

test("a choice that comes as a whole message is told as one, and its reason stays", () => {
  const message = { role: "assistant", content: "Hi" };
  const whole = { id: "c1", model: "m", choices: [{ index: 0, message, finish_reason: "length" }] };
  const said = [START, open("TEXT"), delta("Hi"), CLOSE, end("LENGTH")];
  assert.deepEqual(steps(whole, chunk({}, { finish_reason: null })), said);
});

test("a thought is told up to its signature, and what follows that is another one", () => {
  const detail = (type: string, more: JsonObject) =>
    chunk({ reasoning_details: [{ type: `reasoning.${type}`, ...more }] });
  const own = { origin: "ANTHROPIC", value: "x" } as const;
  const sealed = (data: string): StreamStep[] => [
    { kind: "OPEN", block: { kind: "REDACTED", data, origin: "ANTHROPIC" } },
    CLOSE,
  ];
  assert.deepEqual(
    steps(
      detail("text", { text: "H" }),
      detail("text", { text: "m" }),
      detail("text", { signature: "x" }),
      detail("text", { text: "So" }),
      detail("encrypted", { data: "y" }),
      detail("encrypted", { data: "" }),
    ),
    [
      START,
      open("THINKING"),
      delta("H"),
      delta("m"),
      { kind: "SIGN", signature: own },
      CLOSE,
      open("THINKING"),
      delta("So"),
      CLOSE,
      ...sealed("y"),
      ...sealed(""),
      end("END"),
    ],
  );
});

test("calls are told one after the other, each under an id of its own, with what Google signed", () => {
  const called = (...tool_calls: JsonObject[]) => chunk({ tool_calls });
  const extra_content = { google: { thought_signature: "c2ln" } };
  const run = (more: JsonObject, args: unknown = "") => ({
    ...more,
    function: { name: "run", arguments: args },
  });
  const begun = (id: string, value?: string): StreamStep => ({
    kind: "OPEN",
    block: {
      kind: "TOOL_CALL",
      id,
      name: "run",
      signature: value === undefined ? undefined : { origin: "GEMINI", value },
    },
  });
  const args = (text: string) => ({ function: { arguments: text } });
  assert.deepEqual(
    steps(
      called(run({ index: 0, id: "t1", extra_content })),
      called(run({ index: 1, id: "t1" }, { a: 1 })),
      called({ index: 0, ...args('{"a":') }),
      called({ ...args("1}") }),
      called(run({ index: 2 }, "{}")),
      chunk({}, { finish_reason: "stop" }),
    ),
    [
      START,
      begun("t1", "c2ln"),
      delta('{"a":'),
      delta("1}"),
      CLOSE,
      begun("t1_1"),
      delta('{"a":1}'),
      CLOSE,
      begun("call_call_2"),
      delta("{}"),
      CLOSE,
      end("TOOL_CALLS"),
    ],
  );
});

test("what is known of calls counts in what is held as long as the stream goes on", () => {
  const reader = new ChatStreamReader(CALL);
  assert.equal(reader.keptBytes, 0);
  const call = (index: number, args: string, more: JsonObject = {}) =>
    eventOf(
      chunk({ tool_calls: [{ index, function: { name: "run", arguments: args }, ...more }] }),
    );
  reader.push(call(0, "{", { id: "t1" }));
  const one = reader.keptBytes;
  assert.ok(one > 0 && one < 500, String(one));
  reader.push(call(0, `"a":"${"x".repeat(1000)}"`, { id: "t1" }));
  // It is held to be known if it is said again, and by the queue to know its end.
  const two = reader.keptBytes - one;
  assert.ok(two > 2000 && two < 2500, String(two));
  reader.push(eventOf(chunk({ content: "y".repeat(1000) })));
  const three = reader.keptBytes - one - two;
  assert.ok(three > 1000 && three < 1200, String(three));
  const signed = { google: { thought_signature: "s".repeat(5000) } };
  reader.push(call(1, "", { id: "t2", extra_content: signed }));
  const four = reader.keptBytes;
  assert.ok(four - one - two - three > 5000);
  reader.push(call(2, "", { id: "i".repeat(5000) }));
  assert.ok(reader.keptBytes - four > 5000);
});

/** The calls that these pieces of calls amount to, by their ids. */
function callsOf(...pieces: readonly (readonly [JsonObject, string, string?])[]): unknown[] {
  const calls: [string, string][] = [];
  const chunks = pieces.map(([more, args, name]) =>
    chunk({ tool_calls: [{ ...more, function: { name, arguments: args } }] }),
  );
  for (const step of steps(...chunks)) {
    if (step.kind === "OPEN" && step.block.kind === "TOOL_CALL") calls.push([step.block.id, ""]);
    if (step.kind === "DELTA") calls.at(-1)![1] += step.text;
  }
  return calls;
}

test("a piece of a call is that of the call with its id, else of the one at its index, else of the latest", () => {
  const [a, b] = ['{"a":1}', '{"b":1}'];
  const both = [
    ["t1", a],
    ["t2", b],
  ];
  const [first, second] = [{ id: "t1" }, { id: "t2" }];
  const at = (index: number, more: JsonObject = {}) => ({ index, ...more });
  const [open, close] = ['{"a":', "1}"];
  for (const pieces of [
    [
      [first, open, "f"],
      [second, '{"b":', "g"],
      [first, close],
      [second, close],
    ],
    [
      [first, "", "f"],
      [{}, open],
      [{}, close],
      [second, "", "g"],
      [{}, b],
    ],
    [
      [at(0, first), open, "f"],
      [at(1, second), b, "g"],
      [at(0), close],
    ],
    [
      [at(0, first), a, "f"],
      [at(0, second), "", "g"],
      [at(0), b],
    ],
    [
      [at(0, first), a, "f"],
      [at(0, first), a, "f"],
      [at(0, second), b, "g"],
    ],
  ] as const) {
    assert.deepEqual(callsOf(...pieces), both, JSON.stringify(pieces));
  }
});

test("calls of one index and the same arguments are told apart by their ids, and pieces that are alike are pieces", () => {
  const at = (id: string) => ({ index: 0, id });
  const same = '{"a":1}';
  assert.deepEqual(callsOf([at("t1"), same, "f"], [at("t2"), same, "f"]), [
    ["t1", same],
    ["t2", same],
  ]);
  const piece = '{"a":';
  assert.deepEqual(callsOf([at("t1"), piece, "f"], [at("t1"), piece], [at("t1"), "1}}"]), [
    ["t1", '{"a":{"a":1}}'],
  ]);
  // Cut off, and another begun.
  assert.deepEqual(callsOf([at("t1"), piece, "f"], [at("t2"), same, "f"]), [
    ["t1", piece],
    ["t2", same],
  ]);
  assert.deepEqual(
    callsOf([at("t1"), same, "f"], [{ index: 0 }, " "], [{ index: 0 }, "}"]).length,
    1,
  );
});
