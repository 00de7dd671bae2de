import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { after, before, beforeEach, test } from "node:test";
import type { Dialect } from "../../server/core/provider.js";
import { GATEWAY_LIMITS } from "../../server/gateway/limits.js";
import {
  CHAT_REPLY,
  chatEvents,
  inTurn,
  messageEvents,
  replyCut,
  replyEvents,
  replyJson,
  type Script,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { FakeClock, settle } from "../support/fake-clock.js";
import { advanceUntil, startDialects, startGateway, type TestGateway } from "./fixture.js";

// Streams that fail, from their first event to their last: what becomes of the call, its key and its caller.

const SECRETS = ["sk-first-00000000000000000000", "sk-second-0000000000000000000"];
const DIALECTS = ["OPENAI", "ANTHROPIC", "GEMINI"] as const;
const CHAT = ["OPENAI", "/v1/chat/completions"] as const;
const RESPONSES = ["OPENAI", "/v1/responses"] as const;
const MESSAGES = ["ANTHROPIC", "/v1/messages"] as const;

let stub: UpstreamStub;
let gateways: Readonly<Record<Dialect, TestGateway>>;

before(async () => {
  stub = await startUpstreamStub();
  gateways = await startDialects(stub.origin, { secrets: SECRETS });
});

after(async () => {
  for (const dialect of DIALECTS) await gateways[dialect].close();
  await stub.close();
});

beforeEach(() => {
  stub.received.length = 0;
  for (const dialect of DIALECTS) {
    gateways[dialect].sink.records.length = 0;
    gateways[dialect].pool.releases.length = 0;
  }
});

interface Told {
  readonly httpStatus: number;
  readonly text: string;
  readonly outcomes: readonly string[];
  readonly errorCode: string | null;
}

/** Asks for a stream, and tells what came of it. */
async function ask(dialect: Dialect, path: string, ...scripts: readonly Script[]): Promise<Told> {
  const { pool, sink } = gateways[dialect];
  stub.script = inTurn(...scripts);
  const released = pool.outcomes.length;
  const recorded = sink.records.length;
  const body = { model: "m", messages: [], input: "x", max_tokens: 9, stream: true };
  const response = await gateways[dialect].post(path, body);
  const text = await response.text();
  const { errorCode } = await sink.record(recorded + 1);
  const { status: httpStatus } = response;
  return { httpStatus, text, outcomes: pool.outcomes.slice(released), errorCode };
}

/** An event as OpenAI's Responses API and Anthropic's send it. */
function named(type: string, body: object = {}): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...body })}\n\n`;
}

const RESPONSE = { id: "resp_1", object: "response", status: "in_progress", error: null };
const CREATED = named("response.created", { response: RESPONSE });
const TEXT = named("response.output_text.delta", { delta: "a" });
const COMPLETED = named("response.completed", { response: { ...RESPONSE, status: "completed" } });
const GOOD: Readonly<Record<string, readonly string[]>> = {
  "/v1/chat/completions": chatEvents(["a"]),
  "/v1/responses": [CREATED, TEXT, COMPLETED],
  "/v1/messages": messageEvents(["a"]),
};

function good(path: string): { readonly script: Script; readonly text: string } {
  const events = GOOD[path] ?? [];
  return { script: replyEvents(events), text: events.join("") };
}

const USAGE = 'data: {"id":"c","choices":[],"usage":{"prompt_tokens":1}}\n\n';
for (const [name, [dialect, path], events] of [
  ["without an event", CHAT, []],
  ["without an event of a response", RESPONSES, []],
  ["without an event of a message", MESSAGES, []],
  ["with the usage alone that the caller did not ask for", CHAT, [USAGE]],
] as const) {
  test(`a stream ${name} is tried elsewhere, and never leaves the caller waiting`, async () => {
    const { script, text } = good(path);
    const served = await ask(dialect, path, replyEvents(events), script);
    assert.deepEqual(served, {
      httpStatus: 200,
      text,
      outcomes: ["CUT", "OK"],
      errorCode: null,
    });
    const failed = await ask(dialect, path, replyEvents(events));
    assert.equal(failed.httpStatus, 502);
    assert.deepEqual(failed.outcomes, ["CUT", "CUT"]);
    assert.equal(failed.errorCode, "upstream_error");
  });
}

test("a translated stream with nothing to translate is tried elsewhere", async () => {
  const { script } = good("/v1/messages");
  const served = await ask(
    "ANTHROPIC",
    "/v1/chat/completions",
    replyEvents([named("ping")]),
    script,
  );
  assert.equal(served.httpStatus, 200);
  assert.match(served.text, /"content":"a"[^]*\[DONE\]/);
  assert.deepEqual(served.outcomes, ["CUT", "OK"]);
});

for (const [name, [dialect, path], rest] of [
  ["half of a chunk", CHAT, 'data: {"id":"c","choi'],
  ["half of an event", MESSAGES, 'event: content_block_delta\ndata: {"type":"content_blo'],
  ["the name of an event", MESSAGES, "event: content_block_delta\n"],
] as const) {
  test(`of a stream that ends in ${name}, the caller reads whole events and the error`, async () => {
    const first = good(path).text.split(/(?<=\n\n)/)[0] ?? "";
    const { text, errorCode } = await ask(dialect, path, replyEvents([first, rest]));
    assert.equal(text.slice(0, first.length), first);
    assert.match(text.slice(first.length), /^(?:event: error\n)?data: \{[^\n]*stream_cut/);
    assert.equal(errorCode, "stream_cut");
  });
}

test("half an event behind the reason why a reply stopped is left out, and the reply is complete", async () => {
  const whole = chatEvents(["a"]).slice(0, -1);
  const { text, errorCode } = await ask(...CHAT, replyEvents([...whole, 'data: {"id":']));
  assert.equal(text, whole.join(""));
  assert.equal(errorCode, null);
});

test("a last event without its blank line is given one, and an error behind it is an event of its own", async () => {
  const events = chatEvents(["a", "b"]);
  const unclosed = (count: number): string => events.slice(0, count).join("").trimEnd();
  const complete = await ask(...CHAT, replyEvents([unclosed(events.length)]));
  assert.equal(complete.text, `${unclosed(events.length)}\n\n`);
  assert.equal(complete.errorCode, null);
  const cut = await ask(...CHAT, replyEvents([unclosed(2)]));
  assert.ok(cut.text.startsWith(`${unclosed(2)}\n\ndata: {"error":`), cut.text);
  assert.equal(cut.errorCode, "stream_cut");
});

const QUOTA = {
  type: "insufficient_quota",
  code: "insufficient_quota",
  message: "You exceeded your current quota, please check your plan and billing details.",
};
const RATE = { code: "rate_limit_exceeded", message: "Slow down." };
const FAILED = (error: object): string =>
  named("response.failed", { response: { ...RESPONSE, status: "failed", error } });
const IN_PROGRESS = named("response.in_progress", { response: RESPONSE });
const OVERLOADED = { error: { type: "overloaded_error", message: "Overloaded" } };
const DELTA = named("response.output_text.delta", { delta: "a" });

for (const [name, [dialect, path], events, outcome] of [
  [
    "a quota error of its own",
    CHAT,
    [`data: ${JSON.stringify({ error: QUOTA })}\n\n`],
    "QUOTA_EXHAUSTED",
  ],
  [
    "comments and then an error",
    CHAT,
    [": PROCESSING\n\n", `data: {"error":{"code":502,"message":"x"}}\n\n`],
    "PROVIDER_ERROR",
  ],
  [
    "a response that fails for its quota",
    RESPONSES,
    [CREATED, IN_PROGRESS, named("error", { error: QUOTA }), FAILED(QUOTA)],
    "QUOTA_EXHAUSTED",
  ],
  ["a response that fails for its rate", RESPONSES, [CREATED, FAILED(RATE)], "RATE_LIMITED"],
  ["a flat error", RESPONSES, [named("error", RATE)], "RATE_LIMITED"],
  ["a nested error", RESPONSES, [named("error", { error: RATE })], "RATE_LIMITED"],
  [
    "a ping and then an error",
    MESSAGES,
    [named("ping"), named("error", OVERLOADED)],
    "PROVIDER_ERROR",
  ],
] as const) {
  test(`a stream that opens with ${name} is tried elsewhere, and its key is judged as by an error answer`, async () => {
    const { script, text } = good(path);
    const served = await ask(dialect, path, replyEvents(events), script);
    assert.deepEqual(served, { httpStatus: 200, text, outcomes: [outcome, "OK"], errorCode: null });
  });
}

/** A provider's stream in chunks, one for each event, whose framing is broken behind them. */
function brokenBehind(events: readonly string[]): Script {
  const chunks = events.map((text) => `${text.length.toString(16)}\r\n${text}\r\n`);
  const head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked";
  return (_received, res) => void res.socket?.write(`${head}\r\n\r\n${chunks.join("")}no size\r\n`);
}

test("an error that a provider tells before its framing breaks is its last word, and judges its key", async () => {
  const events = [CREATED, DELTA, named("error", RATE)];
  const told = await ask(...RESPONSES, brokenBehind(events));
  assert.equal(told.text, events.join(""));
  assert.deepEqual(told.outcomes, ["RATE_LIMITED"]);
});

for (const [dialect, path] of [CHAT, RESPONSES, MESSAGES]) {
  test(`events that come together with a framing error go on before the cut is told (${path})`, async () => {
    const [first = "", second = ""] = GOOD[path] ?? [];
    const told = await ask(dialect, path, brokenBehind([first, second]));
    assert.ok(told.text.startsWith(`${first}${second}`), told.text);
    assert.match(told.text.slice(first.length + second.length), /stream_cut/);
    assert.deepEqual(told.outcomes, ["CUT"]);
  });
}

for (const [name, error, outcome] of [
  ["flat", RATE, "RATE_LIMITED"],
  ["nested", { error: QUOTA }, "QUOTA_EXHAUSTED"],
  ["unnamed", {}, "PROVIDER_ERROR"],
] as const) {
  test(`a ${name} error event in a response goes on as it is, and is the last that the caller reads`, async () => {
    const events = [CREATED, DELTA, named("error", error)];
    const told = await ask(...RESPONSES, replyEvents(events));
    assert.equal(told.text, events.join(""));
    assert.deepEqual(told.outcomes, [outcome]);
    assert.equal(told.errorCode, "upstream_error");
  });
}

test("a stream that fails by the caller's own fault goes on as it is, and costs no key its place", async () => {
  const error = {
    code: "context_length_exceeded",
    message: "Your input exceeds the context window.",
  };
  const events = [CREATED, IN_PROGRESS, FAILED(error)];
  const told = await ask(...RESPONSES, replyEvents(events));
  assert.equal(told.httpStatus, 200);
  assert.equal(told.text, events.join(""));
  assert.deepEqual(told.outcomes, ["REQUEST_REFUSED"]);
  assert.equal(told.errorCode, "upstream_error");
});

test("the first events of a response go on after a moment although nothing follows them yet", async () => {
  const clock = new FakeClock();
  const gateway = await startGateway({ clock, providers: [{ baseUrl: stub.origin }] });
  let finish: () => void = () => undefined;
  stub.script = (_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(CREATED);
    finish = () => res.end(COMPLETED);
  };
  const asked = gateway.post("/v1/responses", { model: "m", input: "x", stream: true });
  const response = await advanceUntil(clock, asked);
  const reader = response.body?.getReader();
  const first = await reader?.read();
  assert.equal(Buffer.from(first?.value ?? []).toString(), CREATED);
  finish();
  const second = await reader?.read();
  assert.equal(Buffer.from(second?.value ?? []).toString(), COMPLETED);
  await gateway.close();
});

test("an error behind the bare beginning of an array whose head had to go early proves no key and costs nothing", async (t) => {
  const clock = new FakeClock();
  const gateway = await startGateway({
    clock,
    providers: [{ baseUrl: stub.origin, dialect: "GEMINI" }],
  });
  t.after(() => gateway.close());
  let finish: () => void = () => undefined;
  stub.script = (_received, res) => {
    res.writeHead(200, { "content-type": "application/json" });
    res.write("[");
    finish = () => res.end('{"error":{"code":429,"message":"Slow down."}}]');
  };
  const path = "/v1beta/models/m:streamGenerateContent";
  const asked = gateway.post(path, { contents: [{ parts: [{ text: "Hi" }] }] });
  const response = await advanceUntil(clock, asked);
  finish();
  assert.equal(await response.text(), '[{"error":{"code":429,"message":"Slow down."}}]');
  const { tokens, errorCode } = await gateway.sink.record(1);
  assert.equal(errorCode, "upstream_error");
  assert.deepEqual([tokens.input, tokens.output], [0, 0]);
  assert.deepEqual(gateway.pool.outcomes, ["RATE_LIMITED"]);
  assert.deepEqual(gateway.pool.proven, []);
});

test("a stream whose head had to go early proves its key by what it says, and costs that although it fails", async (t) => {
  const part = JSON.stringify({ candidates: [{ content: { parts: [{ text: "a".repeat(99) }] } }] });
  const error = '{"error":{"code":503,"message":"Down."}}';
  for (const [dialect, path, type, pieces] of [
    [
      "OPENAI",
      CHAT[1],
      "text/event-stream",
      [": wait\n\n", chatEvents(["a"])[0], `data: ${error}\n\n`],
    ],
    [
      "GEMINI",
      "/v1beta/models/m:streamGenerateContent",
      "application/json",
      ["[", part, `,${error}]`],
    ],
  ] as const) {
    const clock = new FakeClock();
    const gateway = await startGateway({ clock, providers: [{ baseUrl: stub.origin, dialect }] });
    t.after(() => gateway.close());
    const [first = "", said = "", last = ""] = pieces;
    let goOn: () => void = () => undefined;
    stub.script = (_received, res) => {
      res.writeHead(200, { "content-type": type });
      res.write(first);
      goOn = () => {
        res.write(said);
        setImmediate(() => res.end(last));
      };
    };
    const asked = gateway.post(path, { model: "m", stream: true, messages: [], contents: [] });
    const response = await advanceUntil(clock, asked);
    goOn();
    assert.equal(await response.text(), pieces.join(""));
    const { tokens, errorCode } = await gateway.sink.record(1);
    assert.equal(errorCode, "upstream_error");
    assert.ok(tokens.output > 0, dialect);
    assert.equal(gateway.pool.proven.length, 1, dialect);
  }
});

test("what a model says passes for no error and for no end, wherever it says so", async () => {
  const lie = 'x\n\nevent: error\ndata: {"type":"error","error":{"code":"insufficient_quota"}}\n\n';
  const chat = chatEvents([lie, '"finish_reason":"error"', '{"error":{"message":"x"}}']);
  const delta = named("response.output_text.delta", { delta: lie });
  const done = named("response.output_text.done", { text: lie });
  for (const [[dialect, path], events] of [
    [CHAT, chat],
    [RESPONSES, [CREATED, delta, done, COMPLETED]],
    [MESSAGES, messageEvents([lie])],
  ] as const) {
    const told = await ask(dialect, path, replyEvents(events));
    assert.equal(told.text, events.join(""));
    assert.deepEqual(told.outcomes, ["OK"]);
    const cut = await ask(dialect, path, replyEvents(events.slice(0, 3)));
    assert.match(cut.text, /stream_cut/);
    assert.deepEqual(cut.outcomes, ["CUT"]);
  }
});

for (const [name, [dialect, path], error] of [
  ["an error", CHAT, { error: QUOTA }],
  ["an error behind other members", CHAT, { id: "c", choices: [], error: QUOTA }],
  ["an error", MESSAGES, { type: "error", error: { type: "billing_error", message: "x" } }],
] as const) {
  test(`a request for a stream that is answered with ${name} as JSON is tried elsewhere (${dialect})`, async () => {
    const { script, text } = good(path);
    const served = await ask(dialect, path, replyJson(200, JSON.stringify(error)), script);
    assert.deepEqual(served, {
      httpStatus: 200,
      text,
      outcomes: ["QUOTA_EXHAUSTED", "OK"],
      errorCode: null,
    });
  });
}

test("a stream that is called JSON goes on as it is", async () => {
  const { text } = good(CHAT[1]);
  const headers = { "content-type": "application/json" };
  const stream = await ask(...CHAT, replyEvents(chatEvents(["a"]), headers));
  assert.equal(stream.text, text);
  assert.deepEqual(stream.outcomes, ["OK"]);
});

test("a reply that says by its members that it failed is tried elsewhere, streamed or not", async () => {
  const broken = { index: 0, delta: { content: "" }, finish_reason: "error" };
  const error = { code: 502, message: "Provider disconnected" };
  const chunk = (part: object): string => `data: ${JSON.stringify({ id: "gen-1", ...part })}\n\n`;
  const { script, text } = good(CHAT[1]);
  for (const part of [{ error, choices: [broken] }, { choices: [{ ...broken, error }] }]) {
    const opens = await ask(...CHAT, replyEvents([chunk(part), "data: [DONE]\n\n"]), script);
    assert.equal(opens.text, text);
    assert.deepEqual(opens.outcomes, ["PROVIDER_ERROR", "OK"]);
    const [first = ""] = chatEvents(["a"]);
    const events = [first, chunk(part), USAGE, "data: [DONE]\n\n"];
    stub.script = replyEvents(events);
    const failed = await ask(...CHAT, replyEvents(events));
    assert.match(failed.text, /\[DONE\]\n\n$/);
    assert.deepEqual(failed.outcomes, ["PROVIDER_ERROR"]);
    assert.equal(failed.errorCode, "upstream_error");
  }
  const { OPENAI: gateway } = gateways;
  const reply = replyJson(200, JSON.stringify({ id: "gen-1", error, choices: [] }));
  stub.script = inTurn(reply, replyJson(200, CHAT_REPLY));
  gateway.pool.releases.length = 0;
  const whole = await gateway.post(CHAT[1], { model: "m", messages: [] });
  assert.equal(await whole.text(), CHAT_REPLY);
  assert.deepEqual(gateway.pool.outcomes, ["PROVIDER_ERROR", "OK"]);
});

test("a whole reply that blames the request reaches the caller with the status that it means", async () => {
  const { OPENAI: gateway } = gateways;
  const error = { code: "context_length_exceeded", message: "Too long." };
  stub.script = replyJson(200, JSON.stringify({ error }));
  const whole = await gateway.post(CHAT[1], { model: "m", messages: [] });
  assert.equal(whole.status, 400);
  assert.deepEqual(await whole.json(), { error });
  assert.deepEqual(gateway.pool.outcomes, ["REQUEST_REFUSED"]);
});

const ARRAY = ["GEMINI", "/v1beta/models/m:streamGenerateContent"] as const;
const JSON_TYPE = { "content-type": "application/json; charset=UTF-8" };
const PART = '[{"candidates":[{"content":{"parts":[{"text":"a}]"}]}}]}\n';
const STOPPED = ',\r\n{"candidates":[{"finishReason":"STOP"}]}\n';
const GONE = '{"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}';

test("a JSON array that opens with an error is tried elsewhere, however it comes in pieces", async () => {
  const served = replyEvents([PART, STOPPED, "]"], JSON_TYPE);
  for (const pieces of [
    [`[${GONE}]`],
    ["[", `${GONE}\n`, "]"],
    [GONE],
    ["[\n{", `${GONE.slice(1)}]`],
    [],
  ]) {
    const told = await ask(...ARRAY, replyEvents(pieces, JSON_TYPE), served);
    assert.equal(told.text, `${PART}${STOPPED}]`);
    assert.deepEqual(told.outcomes, [pieces.length === 0 ? "CUT" : "PROVIDER_ERROR", "OK"]);
  }
});

test("an error in the middle of a JSON array goes on as it is, and the call has failed", async () => {
  const told = await ask(...ARRAY, replyEvents([PART, `,${GONE}`, "]"], JSON_TYPE));
  assert.equal(told.text, `${PART},${GONE}]`);
  assert.deepEqual(told.outcomes, ["PROVIDER_ERROR"]);
  assert.equal(told.errorCode, "upstream_error");
});

test("a JSON array that ends before its last bracket is broken off, whatever a model's text ends with", async () => {
  for (const pieces of [[PART], [PART, STOPPED], [PART.slice(0, PART.indexOf("a}]") + 3)]]) {
    await assert.rejects(ask(...ARRAY, replyEvents(pieces, JSON_TYPE)));
    const { GEMINI: gateway } = gateways;
    assert.equal(gateway.sink.records.at(-1)?.errorCode, "stream_cut");
    assert.equal(gateway.pool.outcomes.at(-1), "CUT");
  }
});

test("a stream of media that ends with a part of it is not passed for a finished one", async () => {
  const delta = named("transcript.text.delta", { delta: "a" });
  const done = named("transcript.text.done", { text: "a" });
  const path = "/v1/audio/speech";
  for (const [events, outcome] of [
    [[delta], "CUT"],
    [[delta, done], "OK"],
    [[delta.replace(/^event: .*\n/, "")], "CUT"],
    [[named("image_generation.partial_image", { b64_json: "aa" })], "CUT"],
    [['data: {"text":"a"}\n\n'], "OK"],
  ] as const) {
    const told = await ask("OPENAI", path, replyEvents(events));
    assert.ok(told.text.startsWith(events.join("")));
    assert.equal(told.text.includes("stream_cut"), outcome === "CUT");
    assert.deepEqual(told.outcomes, [outcome]);
  }
  const empty = await ask("OPENAI", path, replyEvents([]), replyEvents([delta, done]));
  assert.equal(empty.text, `${delta}${done}`);
  assert.deepEqual(empty.outcomes, ["CUT", "OK"]);
});

const tooLarge = JSON.stringify({
  error: {
    code: 402,
    message:
      "This request requires more credits, or fewer max_tokens. You requested up to 64000 tokens, but can only afford 100",
  },
});

test("a status of keys and budgets that is told inside a reply or a stream reaches no caller either", async () => {
  const stream = await ask(...CHAT, replyEvents([`data: ${tooLarge}\n\n`]));
  assert.equal(stream.httpStatus, 400);
  const whole = await ask(...CHAT, replyJson(200, tooLarge));
  assert.equal(whole.httpStatus, 400);
  assert.match(whole.text, /can only afford 100/);
});

test("a request that is refused by a stream's first event costs nothing, as by an answer of its own", async () => {
  const refusal = JSON.stringify({ error: { code: 400, message: "prompt is too long" } });
  await ask(...CHAT, replyEvents([`data: ${refusal}\n\n`]));
  const record = gateways.OPENAI.sink.records.at(-1);
  assert.equal(record?.status, "ERROR");
  assert.deepEqual([record?.tokens.input, record?.tokens.output, record?.costMicros], [0, 0, 0]);
});

test("a stream that opens with an error and tells what it used counts that", async () => {
  const error = { code: "context_length_exceeded", type: "invalid_request_error", message: "long" };
  const usage = { input_tokens: 700, output_tokens: 3 };
  const failed = named("response.failed", {
    response: { ...RESPONSE, status: "failed", error, usage },
  });
  const told = await ask(...RESPONSES, replyEvents([CREATED, failed]));
  assert.equal(told.text, CREATED + failed);
  const record = gateways.OPENAI.sink.records.at(-1);
  assert.equal(record?.status, "ERROR");
  assert.deepEqual([record?.tokens.input, record?.tokens.output], [700, 3]);
});

test("a request that a translated stream's first event refuses is refused in the caller's words, and tried once", async () => {
  const error = { code: "context_length_exceeded", type: "invalid_request_error", message: "long" };
  const script = replyEvents([`data: ${JSON.stringify({ error })}\n\n`]);
  const told = await ask("OPENAI", MESSAGES[1], script);
  assert.match(
    told.text,
    /^event: error\ndata: \{"type":"error","error":\{"type":"invalid_request/m,
  );
  assert.match(told.text, /long/);
  assert.deepEqual(told.outcomes, ["REQUEST_REFUSED"]);
  assert.equal(stub.received.length, 1);
});

test("a key is judged by what a translated stream tells of it, as by an error answer", async () => {
  const error = (code: string): string =>
    `data: ${JSON.stringify({ error: { code, message: "No." } })}\n\n`;
  for (const [code, outcome] of [
    ["insufficient_quota", "QUOTA_EXHAUSTED"],
    ["rate_limit_exceeded", "RATE_LIMITED"],
    ["authentication_error", "KEY_REFUSED"],
    ["server_error", "PROVIDER_ERROR"],
  ] as const) {
    const good = replyEvents(chatEvents(["a"]));
    const opening = await ask("OPENAI", MESSAGES[1], replyEvents([error(code)]), good);
    assert.deepEqual(opening.outcomes, [outcome, "OK"], code);
    assert.match(opening.text, /message_stop/);
    const said = chatEvents(["a"])[0] ?? "";
    const later = await ask("OPENAI", MESSAGES[1], replyEvents([said, error(code)]));
    assert.deepEqual(later.outcomes, [outcome], code);
    assert.match(later.text, /event: error\n/);
    assert.doesNotMatch(
      later.text,
      /"type":"authentication_error"/,
      "the caller's own key is good",
    );
  }
});

const GEMINI_REPLY =
  'data: {"candidates":[{"content":{"parts":[{"text":"one"}]},"finishReason":"STOP"}]}\r\n\r\n';

test("as many bytes of a stream are on record as its caller got, translated or not", async () => {
  const gemini = "/v1beta/models/m:streamGenerateContent";
  const paths = [CHAT[1], RESPONSES[1], MESSAGES[1], gemini, `${gemini}?alt=sse`];
  for (const [dialect, events] of [
    ["OPENAI", chatEvents(["one", "two"], true)],
    ["ANTHROPIC", messageEvents(["one", "two"])],
    ["GEMINI", [GEMINI_REPLY]],
  ] as const) {
    const { sink } = gateways[dialect];
    for (const path of paths) {
      // Asked as they are, for which these are no answers.
      if (dialect === "OPENAI" && path === RESPONSES[1]) continue;
      if (dialect === "GEMINI" && (path === CHAT[1] || path === gemini)) continue;
      stub.script = replyEvents(events);
      const body = { model: "m", max_tokens: 9, stream: true, store: false };
      const asked = path.startsWith(gemini)
        ? { contents: [{ parts: [{ text: "hi" }] }] }
        : path === RESPONSES[1]
          ? { ...body, input: "hi" }
          : { ...body, messages: [{ role: "user", content: "hi" }] };
      const before = sink.records.length;
      const response = await gateways[dialect].post(path, asked);
      const text = await response.text();
      assert.equal(response.status, 200, text);
      const { responseBytes, status } = await sink.record(before + 1);
      assert.deepEqual([status, responseBytes], ["SUCCESS", Buffer.byteLength(text)], path);
    }
  }
});

test("an error in a stream and the reset behind it are one error, of the kind that was told", async () => {
  const error = '{"error":{"code":"rate_limit_exceeded","type":"requests","message":"slow down"}}';
  const told = await ask(...CHAT, (_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(chatEvents(["one"])[0]);
    res.write(`data: ${error}\n\n`, () => setImmediate(() => res.destroy()));
  });
  assert.equal(told.text.match(/"error"/g)?.length, 1, told.text);
  assert.equal(told.errorCode, "upstream_error");
  assert.deepEqual(told.outcomes, ["RATE_LIMITED"]);
});

test("an error that opens a JSON array counts as what it is, however it was cut into pieces", async () => {
  const path = "/v1beta/models/m:streamGenerateContent";
  const [head, rest] = [
    "[{",
    '"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"slow"}}]',
  ];
  const cut: Script = (_received, res) => {
    res.writeHead(200, { "content-type": "application/json" });
    res.write(head, () => setImmediate(() => res.end(rest)));
  };
  const { outcomes } = await ask("GEMINI", path, cut);
  assert.deepEqual(outcomes, ["RATE_LIMITED", "RATE_LIMITED"]);
});

test("what a provider counted when it stopped is what a call used, also where the stream is cut behind it", async () => {
  const text = "many words for few tokens ".repeat(40);
  const said = chatEvents([text], true).slice(0, -1);
  const message = messageEvents([text]).slice(0, -1);
  for (const [dialect, path, events, output] of [
    [...CHAT, said, 7],
    [...MESSAGES, message, 9],
    [...CHAT, said.slice(0, 1), 260],
    [...MESSAGES, message.slice(0, 3), 260],
  ] as const) {
    const told = await ask(dialect, path, replyCut(events));
    assert.deepEqual([told.errorCode, told.outcomes], ["stream_cut", ["CUT"]], told.text);
    const { tokens, usageSource } = gateways[dialect].sink.records.at(-1) ?? {};
    assert.equal(usageSource, "PARTIAL");
    assert.equal(tokens?.output, output, path);
  }
});

test("an error that opens a stream, or is translated in it, does not tell the provider key", async () => {
  const generate = "/v1beta/models/m:streamGenerateContent?alt=sse";
  for (const [dialect, path, begun] of [
    [...CHAT, []],
    [...RESPONSES, []],
    [...MESSAGES, []],
    ["GEMINI", generate, []],
    ["ANTHROPIC", CHAT[1], messageEvents(["a"]).slice(0, 3)],
    ["OPENAI", MESSAGES[1], chatEvents(["a"]).slice(0, 1)],
  ] as const) {
    const isNamed = path === RESPONSES[1] || dialect === "ANTHROPIC";
    const echo: Script = async (received, res) => {
      const error = { type: "invalid_request_error", code: 400, message: `bad ${received.secret}` };
      const event = named("error", { error, message: error.message });
      const chunk = `data: ${JSON.stringify({ error })}\n\n`;
      await replyEvents([...begun, isNamed ? event : chunk])(received, res);
    };
    const { text } = await ask(dialect, path, echo);
    assert.match(text, /bad \[redacted\]/, path);
    assert.doesNotMatch(text, /sk-first|sk-second/);
  }
});

const GENERATE = "/v1beta/models/m:streamGenerateContent";
const ELEMENT = JSON.stringify({ candidates: [{ content: { parts: [{ text: "a" }] } }] });

/** Streams that go on as they are: how each begins, and how it tells an error. */
const PLAIN_STREAMS: readonly (readonly [Dialect, string, string, (error: object) => string])[] = [
  [
    ...CHAT,
    chatEvents(["a"]).slice(0, 1).join(""),
    (error) => `data: ${JSON.stringify({ id: "c", error })}\n\n`,
  ],
  [...RESPONSES, `${CREATED}${TEXT}`, (error) => named("error", error)],
  [
    ...RESPONSES,
    `${CREATED}${TEXT}`,
    (error) =>
      named("response.failed", { response: { ...RESPONSE, status: "failed", output: [], error } }),
  ],
  [...MESSAGES, messageEvents(["a"]).slice(0, 3).join(""), (error) => named("error", { error })],
  ["GEMINI", `${GENERATE}?alt=sse`, `data: ${ELEMENT}\n\n`, (error) => JSON.stringify({ error })],
  ["GEMINI", GENERATE, `[${ELEMENT}\n,\r\n`, (error) => `${JSON.stringify({ error })}\n]`],
];

/** Sends a stream in these pieces. */
async function replyPieces(
  res: ServerResponse,
  path: string,
  pieces: readonly (string | Buffer)[],
) {
  const type = path === GENERATE ? "application/json" : "text/event-stream";
  res.writeHead(200, { "content-type": type });
  for (const piece of pieces) {
    await new Promise((resolve) => res.write(piece, resolve));
    await settle();
  }
  res.end();
}

test("an error in the midst of a stream that goes on as it is does not tell the provider key, however it is cut", async () => {
  for (const [dialect, path, begin, framed] of PLAIN_STREAMS) {
    for (let pieces = 1; pieces < 12; pieces++) {
      let sent = "";
      const { text } = await ask(dialect, path, async ({ secret }, res) => {
        const event = framed({ code: 400, message: `bad ${secret} \u4f60`, status: "X" });
        sent = begin + event.replace(secret, "[redacted]");
        const bytes = Buffer.from(event);
        const step = Math.ceil(bytes.length / pieces);
        const cut = Array.from({ length: pieces }, (_, i) =>
          bytes.subarray(i * step, (i + 1) * step),
        );
        await replyPieces(res, path, [begin, ...cut]);
      });
      assert.equal(text, sent, path);
    }
  }
});

/** What comes of an answer, whole or not. */
async function readPart(answer: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  try {
    for await (const piece of answer.body ?? []) pieces.push(piece as Uint8Array);
  } catch {
    // Broken off.
  }
  return Buffer.concat(pieces).toString();
}

test("nor does one that is too large to be held, wherever the key is cut", async () => {
  const filling = "x".repeat(GATEWAY_LIMITS.eventBytesMax);
  for (const [dialect, path, begin, framed] of PLAIN_STREAMS) {
    for (const cut of [1, 14, 27]) {
      let sent = "";
      stub.script = async ({ secret }, res) => {
        const message = `${filling} bad ${secret} and ${secret}`;
        const event = `${framed({ code: 400, message, status: "X" })}\n\n`;
        sent = begin + event.replaceAll(secret, "[redacted]");
        const at = event.indexOf(secret) + cut;
        await replyPieces(res, path, [begin, event.slice(0, at), event.slice(at)]);
      };
      const body = { model: "m", messages: [], input: "x", max_tokens: 9, stream: true };
      const text = await readPart(await gateways[dialect].post(path, body));
      // Each half of a key is a secret by itself.
      const told = text.replaceAll(/(?:\[redacted\])+/g, "[redacted]");
      assert.ok(told.startsWith(sent.trimEnd()), `${path} ${cut}: ${told.slice(filling.length)}`);
    }
  }
});

test("a last event that is too large to be held ends a stream when all of it has come, and counts as it says", async () => {
  const { sink, pool } = gateways.OPENAI;
  const output = [{ type: "image_generation_call", result: "A".repeat(3_000_000) }];
  const usage = { input_tokens: 11, output_tokens: 7, total_tokens: 18 };
  const response = { ...RESPONSE, status: "completed", output, usage };
  const whole = `${CREATED}${named("response.completed", { response })}`;
  for (const [sent, errorCode, outcome, source] of [
    [whole, null, "OK", "PROVIDER"],
    [whole.slice(0, 2_000_000), "stream_cut", "CUT", "PARTIAL"],
  ] as const) {
    stub.script = (_received, res) => replyPieces(res, RESPONSES[1], [sent]);
    const count = sink.records.length + 1;
    const answer = await gateways.OPENAI.post(RESPONSES[1], {
      model: "m",
      input: "x",
      stream: true,
    });
    const text = await readPart(answer);
    assert.ok(sent.startsWith(text));
    if (errorCode === null) assert.equal(text.length, sent.length);
    const record = await sink.record(count);
    assert.deepEqual([record.errorCode, record.usageSource], [errorCode, source]);
    assert.equal(pool.outcomes.at(-1), outcome);
    if (source === "PROVIDER")
      assert.deepEqual([record.tokens.input, record.tokens.output], [11, 7]);
  }
});

test("a reply that tells of a failure beside what it says does not tell the provider key", async () => {
  stub.script = (received, res) => {
    const error = { code: "invalid_prompt", message: `cannot reach it with ${received.secret}` };
    const reply = { ...RESPONSE, status: "failed", output: [], error, usage: { input_tokens: 1 } };
    return replyJson(200, JSON.stringify(reply))(received, res);
  };
  const { OPENAI: gateway } = gateways;
  for (const answer of [
    await gateway.post(RESPONSES[1], { model: "m", input: "x" }),
    await gateway.fetch(`${RESPONSES[1]}/resp_1`),
  ]) {
    assert.match(await answer.text(), /cannot reach it with \[redacted\]"/);
  }
});

test("a stream that shows a response which failed long ago costs its provider key nothing", async () => {
  const { OPENAI: gateway } = gateways;
  const error = { code: "server_error", message: "down" };
  const failed = named("response.failed", { response: { ...RESPONSE, status: "failed", error } });
  for (const events of [[CREATED, TEXT, named("error", error), failed], [failed]]) {
    stub.script = replyEvents(events);
    const answer = await gateway.fetch(`${RESPONSES[1]}/resp_1?stream=true`);
    assert.equal(await answer.text(), events.join(""));
  }
  const { pool, sink } = gateway;
  await sink.record(2);
  assert.deepEqual(
    sink.records.map((record) => record.errorCode),
    [null, null],
  );
  assert.deepEqual(pool.outcomes, ["OK", "OK"]);
  assert.equal(stub.received.length, 2);
});

test("a record says once what is wrong", async () => {
  await ask(...CHAT, replyJson(422, "not a field", { "content-type": "text/plain" }));
  const message = gateways.OPENAI.sink.records.at(-1)?.errorMessage ?? "";
  assert.equal(message.match(/not a field/g)?.length, 1, message);
});

test("of a cut stream the comments that kept it open are not counted, however many they were", async () => {
  const said = chatEvents(Array.from({ length: 50 }, () => "twelve bytes")).slice(0, 50);
  const used = async (events: readonly string[]): Promise<number> => {
    gateways.OPENAI.sink.records.length = 0;
    const { text } = await ask(...CHAT, replyCut(events));
    for (const event of events) assert.ok(text.includes(event));
    const { tokens, usageSource } = await gateways.OPENAI.sink.record(1);
    assert.equal(usageSource, "PARTIAL");
    return tokens.output;
  };
  const alone = await used(said);
  assert.equal(alone, 150);
  const comments = Array.from({ length: 40 }, () => ": keep-alive\n\n".repeat(30));
  assert.equal(await used([...said, ...comments]), alone);
});
