import assert from "node:assert/strict";
import test from "node:test";
import { type JsonObject, object, objects } from "./json.js";
import { translatorFor } from "./translator.js";

// What programs read in a response besides its text, and would miss where a provider of another dialect made it.

const TARGET = { model: "claude-sonnet-5", maxOutput: 100, providerSlug: "x", asksUsage: true };

function asked(request: JsonObject) {
  const call = { id: "call_1", nowSeconds: 1, streamed: true, modelAsked: "m", asArray: false };
  const body = Buffer.from(JSON.stringify({ input: "go", ...request }));
  return translatorFor("RESPONSES", "MESSAGES")!.request(body, TARGET, call);
}

function whole(request: JsonObject, content: readonly JsonObject[] = []): JsonObject {
  const reply = { id: "msg_1", content, stop_reason: "end_turn" };
  return JSON.parse(
    asked(request)
      .reply(Buffer.from(JSON.stringify(reply)))
      .toString(),
  );
}

function streamed(request: JsonObject, blocks: readonly JsonObject[] = []): JsonObject[] {
  const events = [
    { type: "message_start", message: { id: "msg_1", model: "m" } },
    ...blocks.flatMap((content_block, index) => [
      { type: "content_block_start", index, content_block },
      { type: "content_block_stop", index },
    ]),
    { type: "message_delta", delta: { stop_reason: "end_turn" }, usage: {} },
    { type: "message_stop" },
  ];
  const stream = asked(request).stream();
  const text = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("");
  const said = stream.push(Buffer.from(text)).toString() + stream.end().toString();
  return [...said.matchAll(/^data: (\{.*)$/gm)].map(([, data]) => JSON.parse(data!));
}

const SETTINGS = {
  max_output_tokens: 50,
  metadata: { order: "4711" },
  parallel_tool_calls: false,
  prompt_cache_key: "p",
  reasoning: { effort: "low" },
  safety_identifier: "s",
  temperature: 0.5,
  tool_choice: "none",
  top_p: 0.9,
  user: "u",
};

function picked(response: JsonObject | undefined): JsonObject {
  return Object.fromEntries(Object.keys(SETTINGS).map((name) => [name, response?.[name]]));
}

test("a response says the settings of its request again, whole and in each event that holds it", () => {
  assert.deepEqual(picked(whole(SETTINGS)), SETTINGS);
  const told = streamed(SETTINGS).flatMap(({ response }) =>
    response === undefined ? [] : [object(response)],
  );
  assert.equal(told.length, 3);
  for (const response of told) assert.deepEqual(picked(response), SETTINGS);
});

test("what a request does not say, or says as null, has in its response what OpenAI takes for it", () => {
  for (const request of [
    {},
    { metadata: null, text: null, temperature: null },
    { truncation: "auto" },
  ]) {
    const { metadata, truncation, text, temperature } = whole(request);
    assert.deepEqual(
      [metadata, truncation, text, temperature],
      [{}, "disabled", { format: { type: "text" } }, null],
    );
  }
  const text = { verbosity: "low" };
  assert.deepEqual(whole({ text })["text"], { format: { type: "text" }, ...text });
});

test("neither tools and instructions are said again nor a setting that is long", () => {
  const tools = [{ type: "function", name: "run", parameters: { type: "object" } }];
  const schema = { type: "object", description: "x".repeat(16_384) };
  const text = { format: { type: "json_schema", name: "n", schema } };
  const told = whole({ tools, instructions: "Be.", text });
  assert.deepEqual([told["tools"], told["instructions"]], [[], null]);
  assert.equal("text" in told, false, "it is not told to be what it was not");
});

test("a response has a message where the model ended without a word, for callers look into one", () => {
  const empty = [{ type: "output_text", text: "", annotations: [], logprobs: [] }];
  const thought = { type: "thinking", thinking: "Hm.", signature: "s" };
  for (const blocks of [[], [thought]]) {
    const told = objects(whole({}, blocks)["output"]);
    const events = streamed({}, blocks);
    const last = objects(object(events.at(-1)?.["response"])?.["output"]);
    for (const output of [told, last]) {
      const { type, status, content } = output.at(-1) ?? {};
      assert.deepEqual([output.length, type, status], [blocks.length + 1, "message", "completed"]);
      assert.deepEqual(content, empty);
    }
    const types = events.slice(-6).map(({ type }) => type);
    assert.deepEqual(types, [
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.completed",
    ]);
  }
});

test("a response with a call, and one that was cut, has no message that nobody said", () => {
  const call = { type: "tool_use", id: "toolu_1", name: "run", input: {} };
  for (const output of [
    whole({}, [call])["output"],
    object(streamed({}, [call]).at(-1)?.["response"])?.["output"],
  ]) {
    assert.deepEqual(
      objects(output).map(({ type }) => type),
      ["function_call"],
    );
  }
  const cut = { id: "msg_1", content: [], stop_reason: "max_tokens" };
  const told = asked({})
    .reply(Buffer.from(JSON.stringify(cut)))
    .toString();
  assert.deepEqual(JSON.parse(told).output, []);
});

test("the event that says a call's arguments whole names the tool as its caller declared it", () => {
  const call = { type: "tool_use", id: "toolu_1", name: "files__run", input: {} };
  const inner = { type: "function", name: "run", parameters: { type: "object" } };
  const tools = [{ type: "namespace", name: "files", tools: [inner] }];
  for (const [request, name] of [
    [{}, "files__run"],
    [{ tools }, "run"],
  ] as const) {
    const done = streamed(request, [call]).filter(
      ({ type }) => type === "response.function_call_arguments.done",
    );
    assert.deepEqual(
      done.map((event) => event["name"]),
      [name],
    );
  }
});
