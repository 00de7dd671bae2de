import assert from "node:assert/strict";
import test from "node:test";
import { type JsonObject, object, objects, string } from "./json.js";
import type { Form } from "./side.js";
import { translatorFor } from "./translator.js";

// What a streamed response says may stand in its pieces, with the end of an item, or in the last event alone, and its
// items are numbered, named, or neither: callers get each of it once.

const TARGET = { model: "m", maxOutput: null, providerSlug: "x", asksUsage: true };
const BODIES = {
  CHAT: { messages: [{ role: "user", content: "hi" }] },
  MESSAGES: { max_tokens: 9, messages: [{ role: "user", content: "hi" }] },
  GENERATE: {
    contents: [{ role: "user", parts: [{ text: "hi" }] }],
    generationConfig: { thinkingConfig: { includeThoughts: true } },
  },
} as const;
const CALLERS = ["CHAT", "MESSAGES", "GENERATE"] as const;
type Caller = (typeof CALLERS)[number] & Form;

function translation(from: Caller) {
  const call = { id: "id", nowSeconds: 1, streamed: true, modelAsked: "m", asArray: false };
  const body = Buffer.from(JSON.stringify(BODIES[from]));
  return translatorFor(from, "RESPONSES")!.request(body, TARGET, call);
}

/** A stream of these events as its caller gets it. */
function streamed(from: Caller, events: readonly JsonObject[]) {
  const stream = translation(from).stream();
  const sent = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
  const text = stream.push(Buffer.from(sent)).toString() + stream.end().toString();
  const data = Array.from(text.matchAll(/^data: (\{.*)$/gm), ([, json]) => json ?? "");
  const told = data.map((json) => JSON.parse(json) as JsonObject);
  return { text, failure: stream.failure, told };
}

interface Heard {
  readonly thought: string;
  readonly said: string;
  readonly calls: readonly (readonly [name: string, args: unknown])[];
}

/** What a caller has heard when its stream is over. */
function heard(from: Caller, events: readonly JsonObject[]): Heard {
  const { told } = streamed(from, events);
  if (from === "CHAT") return heardInChat(told);
  return from === "MESSAGES" ? heardInMessages(told) : heardInPieces(told);
}

function heardInChat(chunks: readonly JsonObject[]): Heard {
  const deltas = chunks.flatMap((each) =>
    objects(objects(each["choices"]).map(({ delta }) => delta)),
  );
  const calls: { name: string; args: string }[] = [];
  for (const delta of deltas) {
    for (const { index, function: part } of objects(delta["tool_calls"])) {
      const { name = "", arguments: args = "" } = object(part) ?? {};
      const call = (calls[Number(index)] ??= { name: "", args: "" });
      call.name += String(name);
      call.args += String(args);
    }
  }
  return {
    thought: deltas.map((each) => string(each["reasoning_content"]) ?? "").join(""),
    said: deltas.map((each) => string(each["content"]) ?? string(each["refusal"]) ?? "").join(""),
    calls: calls.map(({ name, args }) => [name, JSON.parse(args)]),
  };
}

function heardInMessages(events: readonly JsonObject[]): Heard {
  const blocks: { name: string; thought: string; said: string; args: string }[] = [];
  for (const event of events) {
    const { name } = object(event["content_block"]) ?? {};
    if (event["type"] === "content_block_start") {
      blocks.push({ name: string(name) ?? "", thought: "", said: "", args: "" });
    }
    const block = blocks.at(-1);
    const { text, thinking, partial_json } = object(event["delta"]) ?? {};
    if (block === undefined) continue;
    block.said += string(text) ?? "";
    block.thought += string(thinking) ?? "";
    block.args += string(partial_json) ?? "";
  }
  const ends = events.map(({ delta }) => object(object(delta)?.["stop_details"])?.["explanation"]);
  const refusals = ends.map((why) => string(why) ?? "");
  return {
    thought: blocks.map(({ thought }) => thought).join(""),
    said: [...blocks.map(({ said }) => said), ...refusals].join(""),
    calls: blocks
      .filter(({ name }) => name !== "")
      .map(({ name, args }) => [name, args === "" ? {} : JSON.parse(args)]),
  };
}

function heardInPieces(pieces: readonly JsonObject[]): Heard {
  const parts = pieces.flatMap((piece) =>
    objects(object(objects(piece["candidates"])[0]?.["content"])?.["parts"]),
  );
  const textOf = (thought: boolean) =>
    parts.map((part) => ((part["thought"] === true) === thought ? part["text"] : "")).join("");
  return {
    thought: textOf(true),
    said: textOf(false),
    calls: parts.flatMap(({ functionCall }) => {
      const { name, args } = object(functionCall) ?? {};
      return typeof name === "string" ? [[name, args] as const] : [];
    }),
  };
}

const CREATED = { type: "response.created", response: { id: "r", object: "response" } };
const THOUGHT = { type: "reasoning", id: "rs_1", summary: [{ type: "summary_text", text: "Hm." }] };
const MESSAGE = {
  type: "message",
  id: "msg_1",
  role: "assistant",
  content: [{ type: "output_text", text: "Hello." }],
};
const REFUSAL = { ...MESSAGE, content: [{ type: "refusal", refusal: "No." }] };
const LOOK = {
  type: "function_call",
  id: "fc_1",
  call_id: "c1",
  name: "look",
  arguments: '{"a":1}',
};
const WAIT = {
  type: "function_call",
  id: "fc_2",
  call_id: "c2",
  name: "wait",
  arguments: '{"b":2}',
};
const OUTPUT = [THOUGHT, MESSAGE, LOOK, WAIT];
const ANSWER: Heard = {
  thought: "Hm.",
  said: "Hello.",
  calls: [
    ["look", { a: 1 }],
    ["wait", { b: 2 }],
  ],
};

function last(output: readonly JsonObject[], status = "completed", more: JsonObject = {}) {
  return {
    type: status === "incomplete" ? "response.incomplete" : "response.completed",
    response: { id: "r", object: "response", status, output, ...more },
  };
}

/** Whether items come in pieces, and whether they come with their end. */
interface Told {
  readonly deltas: boolean;
  readonly done: boolean;
}

/** The events of `OUTPUT`, but for the last. `at` says where one inside of an item belongs. */
function itemEvents({ deltas, done }: Told, at: (item: JsonObject, index: number) => JsonObject) {
  return OUTPUT.flatMap((item, index): JsonObject[] => {
    const place = at(item, index);
    const inside = deltas ? deltasOf(item).map((event) => ({ ...event, ...place })) : [];
    const bare = { ...item, summary: [], content: [], arguments: "" };
    const { item_id: _, ...outside } = place as { item_id?: string };
    return [
      { type: "response.output_item.added", item: bare, ...outside },
      ...inside,
      ...(done ? [{ type: "response.output_item.done", item, ...outside }] : []),
    ];
  });
}

function deltasOf(item: JsonObject): JsonObject[] {
  const text = (type: string, whole: string) =>
    [whole.slice(0, 2), whole.slice(2)].map((delta) => ({ type, delta }));
  if (item === THOUGHT) return text("response.reasoning_summary_text.delta", "Hm.");
  if (item === MESSAGE) return text("response.output_text.delta", "Hello.");
  return text("response.function_call_arguments.delta", String(item["arguments"]));
}

const IN_NUMBERS = (item: JsonObject, output_index: number) => ({
  output_index,
  item_id: item["id"],
});

for (const from of CALLERS) {
  test(`${from}: what stands only in the last event of a response is heard`, () => {
    assert.deepEqual(heard(from, [CREATED, last(OUTPUT)]), ANSWER);
    assert.deepEqual(heard(from, [last(OUTPUT)]), ANSWER, "without the first event");
    assert.deepEqual(heard(from, [CREATED, last(OUTPUT, "incomplete")]), ANSWER);
    const refused = heard(from, [CREATED, last([REFUSAL])]);
    assert.deepEqual(refused, { thought: "", said: "No.", calls: [] });
  });

  test(`${from}: of what comes in pieces, with the end of its item, and in the last event each is heard once`, () => {
    for (const deltas of [true, false]) {
      for (const done of [true, false]) {
        for (const output of [OUTPUT, []]) {
          if (!deltas && !done && output.length === 0) continue;
          const events = [CREATED, ...itemEvents({ deltas, done }, IN_NUMBERS), last(output)];
          assert.deepEqual(heard(from, events), ANSWER, JSON.stringify({ deltas, done, output }));
        }
      }
    }
  });

  test(`${from}: an item is known by its number or by its id, whatever else its events say`, () => {
    let count = 0;
    const places = {
      "ids alone, as of llama.cpp": ({ id }: JsonObject) => ({ item_id: id }),
      "ids that change with each event, as of Copilot": (_: JsonObject, output_index: number) => ({
        output_index,
        item_id: `other_${String(count++)}`,
      }),
      "one number for all": ({ id }: JsonObject) => ({ output_index: 0, item_id: id }),
      nothing: () => ({}),
    };
    for (const [name, at] of Object.entries(places)) {
      for (const output of [OUTPUT, []]) {
        for (const done of [true, false]) {
          const events = [CREATED, ...itemEvents({ deltas: true, done }, at), last(output)];
          assert.deepEqual(heard(from, events), ANSWER, `${name}, done: ${String(done)}`);
        }
      }
    }
  });

  test(`${from}: calls that are named by their call's id alone go on by it`, () => {
    const events = [LOOK, WAIT].flatMap((item) => [
      { type: "response.output_item.added", item: { ...item, id: undefined, arguments: "" } },
      ...deltasOf(item).map((event) => ({ ...event, item_id: item.call_id })),
    ]);
    const { calls } = heard(from, [CREATED, ...events, last([])]);
    assert.deepEqual(calls, ANSWER.calls);
  });

  test(`${from}: calls that go on by turns are told apart, be it by their items' ids, their own, or their places`, () => {
    const byId = ({ id }: JsonObject) => ({ item_id: id });
    const byCall = ({ call_id }: JsonObject) => ({ item_id: call_id });
    const byPlace = (_: JsonObject, at: number) => ({ output_index: at + 1, item_id: "other" });
    for (const at of [byId, byCall, byPlace]) {
      const [look, wait] = [LOOK, WAIT].map((item, index) => {
        const [first, rest] = deltasOf(item).map((event) => ({ ...event, ...at(item, index) }));
        const { output_index } = at(item, index) as JsonObject;
        const added = { type: "response.output_item.added", output_index };
        return [{ ...added, item: { ...item, arguments: "" } }, first!, rest!] as const;
      });
      const [begunLook, ...argsOfLook] = look!;
      const [begunWait, ...argsOfWait] = wait!;
      const turns = [argsOfLook[0], argsOfWait[0], argsOfLook[1], argsOfWait[1]];
      const { calls } = heard(from, [CREATED, begunLook, begunWait, ...turns, last([])]);
      assert.deepEqual(calls, ANSWER.calls, at.name);
    }
  });

  test(`${from}: calls that end at one place are several, and one that ends under another id is one`, () => {
    const done = { type: "response.output_item.done", output_index: 0 };
    const several = [LOOK, WAIT].map((item) => ({ ...done, item }));
    assert.deepEqual(heard(from, [CREATED, ...several, ...several, last([])]).calls, ANSWER.calls);
    const [added, ...deltas] = itemEvents({ deltas: true, done: false }, IN_NUMBERS).slice(-3);
    const renamed = { ...done, output_index: 3, item: { ...WAIT, id: "x", call_id: "y" } };
    const { calls } = heard(from, [CREATED, added!, ...deltas, renamed, last([])]);
    assert.deepEqual(calls, [["wait", { b: 2 }]]);
  });

  test(`${from}: items that have other ids and places in the last event are not heard again`, () => {
    const others = OUTPUT.toReversed().map((item, at) => ({
      ...item,
      id: `x_${String(at)}`,
      ...("call_id" in item ? { call_id: `y_${String(at)}` } : {}),
    }));
    const events = itemEvents({ deltas: true, done: false }, IN_NUMBERS);
    assert.deepEqual(heard(from, [CREATED, ...events, last(others)]), ANSWER);
  });

  test(`${from}: of several calls those are heard of which only the last event tells`, () => {
    const [added, ...more] = itemEvents({ deltas: true, done: true }, IN_NUMBERS).filter(
      ({ output_index }) => output_index === 2,
    );
    const { calls } = heard(from, [CREATED, added!, ...more, last([LOOK, WAIT])]);
    assert.deepEqual(calls, ANSWER.calls);
  });

  test(`${from}: arguments that are told with their own end are those of the call`, () => {
    const added = { type: "response.output_item.added", output_index: 0 };
    const done = { type: "response.function_call_arguments.done", output_index: 0 };
    const args = LOOK.arguments;
    for (const events of [
      [
        { ...added, item: { ...LOOK, arguments: "" } },
        { ...done, arguments: args },
      ],
      [{ ...added, item: LOOK }],
      [
        { ...added, item: LOOK },
        { ...done, arguments: args },
      ],
    ]) {
      const { calls } = heard(from, [CREATED, ...events, last([])]);
      assert.deepEqual(calls, [["look", { a: 1 }]]);
    }
  });

  test(`${from}: a response that ends as failed or cancelled is an error, whatever its last event is called`, () => {
    const error = { code: "rate_limit_exceeded", message: "Slow down." };
    for (const [end, words, status] of [
      [last([], "failed", { error }), /Slow down\./, 429],
      [last([MESSAGE], "failed", { error }), /Slow down\./, 429],
      [last([], "failed"), /The provider gave no reason\./, 500],
      [last([MESSAGE], "cancelled"), /cancelled/, 499],
      [{ ...last([], "cancelled"), type: "response.cancelled" }, /cancelled/, 499],
    ] as const) {
      const { text, failure } = streamed(from, [CREATED, end]);
      assert.equal(failure?.opening, true, text);
      assert.match(failure.error, words);
      assert.equal(object(JSON.parse(failure.error)["error"])?.["code"], status);
      assert.match(text, words);
      assert.doesNotMatch(text, /\[DONE\]|message_stop|finishReason|Hello/);
    }
  });

  test(`${from}: a response that ends as incomplete is cut short, whatever its last event is called`, () => {
    const reasons = { CHAT: '"length"', MESSAGES: '"max_tokens"', GENERATE: '"MAX_TOKENS"' };
    const filtered = { CHAT: '"content_filter"', MESSAGES: '"refusal"', GENERATE: '"SAFETY"' };
    for (const type of ["response.completed", "response.incomplete"]) {
      for (const [reason, words] of [
        ["max_output_tokens", reasons],
        ["content_filter", filtered],
      ] as const) {
        const more = { incomplete_details: { reason } };
        const { text, failure } = streamed(from, [
          CREATED,
          { ...last([MESSAGE], "incomplete", more), type },
        ]);
        assert.equal(failure, undefined);
        assert.match(text, /Hello\./);
        assert.ok(text.includes(words[from]), text);
      }
    }
  });

  test(`${from}: a whole response that was cancelled is no reply`, () => {
    const { response } = last([MESSAGE], "cancelled");
    assert.throws(
      () => translation(from).reply(Buffer.from(JSON.stringify(response))),
      /cancelled/,
    );
  });
}

test("what is signed in the last event alone is signed for callers of messages", () => {
  const sealed = { ...THOUGHT, encrypted_content: "gAAA" };
  const { told } = streamed("MESSAGES", [CREATED, last([sealed, MESSAGE])]);
  const signatures = told.map((event) => object(event["delta"])?.["signature"]);
  assert.deepEqual(
    signatures.filter((each) => each !== undefined),
    ["~openai:gAAA"],
  );
});
