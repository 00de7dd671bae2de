import assert from "node:assert/strict";
import test from "node:test";
import { CALL, PATCH, RUN } from "../../../../test/support/call-facts.js";
import type { JsonObject } from "../json.js";
import type { Block, SaidStep, StopKind } from "../reply.js";
import type { KeptResponse } from "../kept-response.js";
import type { CallFacts } from "../side.js";
import { ResponsesStreamWriter } from "./write-stream.js";

const USAGE = { input: 9, output: 5, cacheRead: 3, cacheWrite: 2, reasoning: 4 };
const START: SaidStep = { kind: "START", id: "r1", model: "m", usage: undefined };
const CLOSE: SaidStep = { kind: "CLOSE" };
const USE = { kind: "TOOL_CALL", id: "t1", name: "run", signature: undefined } as const;
const PROBLEM = { httpStatus: 502, code: "c", message: "no", detail: "no", requestId: "r" };

/** A block that is said in these pieces. */
function said(block: Block, ...texts: readonly string[]): SaidStep[] {
  const deltas = texts.map((text): SaidStep => ({ kind: "DELTA", text }));
  return [{ kind: "OPEN", block }, ...deltas, CLOSE];
}

function end(kind: StopKind = "END"): SaidStep {
  return { kind: "END", stop: { kind, sequence: undefined }, usage: USAGE };
}

/** Each is named as its data is, and they count from 0 on. */
function eventsOf(text: string): JsonObject[] {
  const events = text.split("\n\n");
  assert.equal(events.pop(), "");
  return events.map((event, at) => {
    const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(event) ?? [];
    const { sequence_number: sequence, ...given } = JSON.parse(data!) as JsonObject;
    assert.deepEqual([given["type"], sequence], [name, at]);
    return given;
  });
}

function written(steps: readonly SaidStep[], call: Partial<CallFacts> = {}): JsonObject[] {
  const writer = new ResponsesStreamWriter({ ...CALL, tools: [PATCH, RUN], ...call });
  return eventsOf(steps.map((step) => writer.push(step)).join(""));
}

/** The events of an item: as it begins, the pieces of it, and as it is done. */
function item(
  output_index: number,
  done: JsonObject,
  begun: JsonObject,
  pieces: readonly JsonObject[],
): JsonObject[] {
  const added = { ...done, ...begun };
  return [
    { type: "response.output_item.added", output_index, item: added },
    ...pieces.map(({ type, ...more }) => {
      return { type: `response.${String(type)}`, item_id: done["id"], output_index, ...more };
    }),
    { type: "response.output_item.done", output_index, item: done },
  ];
}

const BEGUN = { status: "in_progress" };

/** The only part of a message, said in these pieces. */
function spoken(index: number, kind: "output_text" | "refusal", deltas: readonly string[]) {
  const text = deltas.join("");
  const more = { content_index: 0, ...(kind === "refusal" ? {} : { logprobs: [] }) };
  const key = kind === "refusal" ? "refusal" : "text";
  const part = (told: string): JsonObject =>
    kind === "refusal"
      ? { type: kind, refusal: told }
      : { type: kind, text: told, annotations: [], logprobs: [] };
  const id = `msg_call_${String(index)}`;
  const done = { id, type: "message", status: "completed", role: "assistant" };
  return item(index, { ...done, content: [part(text)] }, { ...BEGUN, content: [] }, [
    { type: "content_part.added", content_index: 0, part: part("") },
    ...deltas.map((delta) => ({ type: `${kind}.delta`, ...more, delta })),
    { type: `${kind}.done`, ...more, [key]: text },
    { type: "content_part.done", content_index: 0, part: part(text) },
  ]);
}

function thought(index: number, encrypted_content: string, deltas: readonly string[] = []) {
  const text = deltas.join("");
  const part = (told: string) => ({ type: "summary_text", text: told });
  const at = { summary_index: 0 };
  const summary = deltas.length === 0 ? [] : [part(text)];
  const done = { id: `rs_call_${String(index)}`, type: "reasoning", summary, encrypted_content };
  const begun = { ...BEGUN, summary: [] };
  const pieces = [
    { type: "reasoning_summary_part.added", ...at, part: part("") },
    ...deltas.map((delta) => ({ type: "reasoning_summary_text.delta", ...at, delta })),
    { type: "reasoning_summary_text.done", ...at, text },
    { type: "reasoning_summary_part.done", ...at, part: part(text) },
  ];
  return item(index, { ...done, status: "completed" }, begun, deltas.length === 0 ? [] : pieces);
}

/** As it begins, a thought is not signed yet. */
function signed(events: JsonObject[], begun: string): JsonObject[] {
  const [added, ...rest] = events;
  return [
    { ...added, item: { ...(added?.["item"] as JsonObject), encrypted_content: begun } },
    ...rest,
  ];
}

function called(index: number, given: JsonObject, deltas: readonly string[]) {
  const id = `fc_call_${String(index)}`;
  const args = deltas.join("");
  const done = { id, type: "function_call", status: "completed", ...given, arguments: args };
  return item(index, done, { ...BEGUN, arguments: "" }, [
    ...deltas.map((delta) => ({ type: "function_call_arguments.delta", delta })),
    { type: "function_call_arguments.done", name: given["name"], arguments: args },
  ]);
}

const OUTPUT = [
  ...signed(thought(0, "own", ["Hm", "."]), "~unsigned:"),
  ...thought(1, "~unsigned:", ["So."]),
  ...signed(thought(2, "~gemini:c2ln"), "~unsigned:"),
  ...thought(3, "~anthropic:redacted:sealed"),
  ...spoken(4, "output_text", ["Hi", "."]),
  ...spoken(5, "refusal", ["No", "."]),
  ...thought(6, "~gemini:c2ln"),
  ...called(7, { call_id: "t1", name: "run" }, ['{"a":', "1}"]),
  ...called(8, { call_id: "t2", name: "run", namespace: "shell" }, ["{}"]),
  ...item(
    9,
    {
      id: "ctc_call_9",
      type: "custom_tool_call",
      status: "completed",
      call_id: "t3",
      name: "patch",
      input: "*** Begin",
    },
    { ...BEGUN, input: "" },
    [
      { type: "custom_tool_call_input.delta", delta: "*** Begin" },
      { type: "custom_tool_call_input.done", input: "*** Begin" },
    ],
  ),
];

const SAID: readonly SaidStep[] = [
  ...said({ kind: "THINKING" }, "Hm", ".").slice(0, -1),
  { kind: "SIGN", signature: { origin: "OPENAI", value: "own" } },
  CLOSE,
  ...said({ kind: "THINKING" }, "So."),
  { kind: "OPEN", block: { kind: "THINKING" } },
  { kind: "SIGN", signature: { origin: "GEMINI", value: "c2ln" } },
  CLOSE,
  ...said({ kind: "REDACTED", data: "sealed", origin: "ANTHROPIC" }),
  ...said({ kind: "TEXT" }, "Hi", "."),
  ...said({ kind: "REFUSAL" }, "No", "."),
  ...said({ ...USE, signature: { origin: "GEMINI", value: "c2ln" } }, '{"a":', "1}"),
  ...said({ ...USE, id: "t2", name: "shell__run" }),
  ...said({ ...USE, id: "t3", name: "patch" }, '{"input":"***', ' Begin"}'),
];

/** The items that are done. */
const ITEMS = OUTPUT.flatMap(({ type, item: done }) =>
  type === "response.output_item.done" ? [done as JsonObject] : [],
);

test("each event of a response has all members of OpenAI's own, and says what its item says", () => {
  const [created, progress, ...rest] = written([START, ...SAID, end()]);
  const last = rest.pop();
  assert.deepEqual(rest, OUTPUT);
  const response = created?.["response"] as JsonObject;
  assert.deepEqual(created, { type: "response.created", response });
  assert.deepEqual(progress, { type: "response.in_progress", response });
  assert.deepEqual(last, {
    type: "response.completed",
    response: {
      ...response,
      status: "completed",
      output: ITEMS,
      usage: {
        input_tokens: 9,
        input_tokens_details: { cached_tokens: 3, cache_write_tokens: 2 },
        output_tokens: 5,
        output_tokens_details: { reasoning_tokens: 4 },
        total_tokens: 14,
      },
    },
  });
});

test("a response begins as OpenAI's does, under an id of its own", () => {
  const [created] = written([START]);
  assert.deepEqual(created?.["response"], {
    id: "resp_call",
    object: "response",
    created_at: 1,
    completed_at: null,
    status: "in_progress",
    background: false,
    error: null,
    frequency_penalty: 0,
    incomplete_details: null,
    instructions: null,
    max_output_tokens: null,
    metadata: {},
    model: "m",
    output: [],
    parallel_tool_calls: true,
    presence_penalty: 0,
    previous_response_id: null,
    store: false,
    temperature: null,
    text: { format: { type: "text" } },
    tool_choice: "auto",
    tools: [],
    top_p: null,
    truncation: "disabled",
    usage: null,
  });
});

test("a response that is to be kept says so, and is kept as it ended and not before", () => {
  const kept: KeptResponse[] = [];
  const memory = {
    item: () => undefined,
    conversation: () => undefined,
    keep: (response: KeptResponse) => void kept.push(response),
  };
  const input = Buffer.from('[{"role":"user","content":"hi"}]');
  const asked = { previousId: "resp_call_0", input };
  const writer = new ResponsesStreamWriter({ ...CALL, tools: [PATCH, RUN], memory, asked });
  const [created] = eventsOf(writer.push(START));
  const response = created?.["response"] as JsonObject | undefined;
  assert.deepEqual(
    [response?.["store"], response?.["previous_response_id"]],
    [true, "resp_call_0"],
  );
  for (const step of SAID) writer.push(step);
  assert.equal(kept.length, 0);
  writer.push(end());
  const [only] = kept;
  assert.ok(only !== undefined);
  const { output, ...rest } = only;
  assert.deepEqual(rest, { id: "resp_call", ...asked });
  assert.deepEqual(
    output.map(({ text }) => JSON.parse(String(text)) as unknown),
    ITEMS,
  );
});

test("a response that fails ends with its error and itself as failed, also where it had not begun", () => {
  const text = said({ kind: "TEXT" }, "Hi.");
  for (const steps of [[], [START], [START, ...text], [START, ...text.slice(0, -1)]]) {
    const writer = new ResponsesStreamWriter(CALL);
    const events = eventsOf(steps.map((step) => writer.push(step)).join("") + writer.fail(PROBLEM));
    const [created, failed] = [events[0]?.["response"] as JsonObject, events.at(-1)];
    assert.equal(created["model"], steps.length === 0 ? CALL.modelAsked : "m");
    assert.equal(events.at(-2)?.["type"], "error");
    assert.deepEqual(failed?.["response"], {
      ...created,
      status: "failed",
      error: { code: "c", message: "no" },
    });
    const done = events.filter(({ type }) => type === "response.output_item.done").length;
    assert.equal(done, steps.at(-1) === CLOSE ? 1 : 0);
  }
});

test("what the last event says again counts in what is held, each item once it is whole with a share of its own", () => {
  const writer = new ResponsesStreamWriter(CALL);
  const held = (steps: readonly SaidStep[]): number => {
    for (const step of steps) writer.push(step);
    return writer.keptBytes;
  };
  assert.equal(held([START]), 0);
  const [open, piece] = said({ kind: "TEXT" }, "x".repeat(1000));
  const first = held([open!, piece!]);
  assert.ok(first > 1000 && first < 1200, String(first));
  const second = held([piece!]) - first;
  assert.equal(second, first);
  const whole = held([CLOSE, ...said({ kind: "TEXT" }, "y"), open!]);
  assert.ok(whole > 2001 + 2 * 256 && whole < 2001 + 2 * 1024, String(whole));
});
