import assert from "node:assert/strict";
import test from "node:test";
import { CALL, PATCH, RUN } from "../../../../test/support/call-facts.js";
import type { JsonObject } from "../json.js";
import { type Reply, type ReplyPart, stopped } from "../reply.js";
import type { KeptResponse } from "../kept-response.js";
import type { CallFacts } from "../side.js";
import {
  isOwnItem,
  isOwnResponse,
  readResponsesFailure,
  readResponsesReply,
  writeResponsesReply,
} from "./reply.js";

const USAGE = { input: 9, output: 5, cacheRead: 3, cacheWrite: 0, reasoning: 4 };
const THOUGHT = { kind: "THINKING", text: "", signature: undefined, redacted: false } as const;
const USE = { kind: "TOOL_CALL", id: "t1", name: "run", args: "", signature: undefined } as const;

function partsOf(...output: readonly JsonObject[]): readonly ReplyPart[] {
  return readResponsesReply({ output }, CALL).parts;
}

test("a whole response is read with all that it says, and what the provider's own tools did is left out", () => {
  const message = (...content: JsonObject[]) => ({ type: "message", content });
  const call = { call_id: "t1", name: "run" };
  const output = [
    { type: "reasoning", summary: [{ text: "Hm." }], encrypted_content: "own" },
    { type: "reasoning", summary: [] },
    message({ type: "output_text", text: "Hi." }, { type: "output_text", text: "" }),
    message({ type: "refusal", refusal: "No." }, { type: "new", text: "?" }),
    { type: "web_search_call", id: "ws" },
    { type: "function_call", id: "fc", ...call, arguments: '{"a":1}' },
    { type: "function_call", id: "fc", name: "run", namespace: "shell" },
    { type: "custom_tool_call", ...call, name: "patch", input: "*** Begin" },
    { type: "custom_tool_call", ...call, name: "patch" },
    { type: "function_call" },
  ];
  const usage = { input_tokens: 9, output_tokens: 5 };
  assert.deepEqual(readResponsesReply({ id: "r1", model: "m", output, usage }, CALL), {
    id: "r1",
    model: "m",
    parts: [
      { ...THOUGHT, text: "Hm.", signature: { origin: "OPENAI", value: "own" } },
      { kind: "TEXT", text: "Hi." },
      { kind: "REFUSAL", text: "No." },
      { ...USE, args: '{"a":1}' },
      { ...USE, id: "fc", name: "shell__run" },
      { ...USE, name: "patch", args: '{"input":"*** Begin"}' },
      { ...USE, name: "patch", args: '{"input":""}' },
      { ...USE, id: "", name: "" },
    ],
    stop: stopped("REFUSED"),
    usage: { input: 9, output: 5, cacheRead: 0, cacheWrite: 0, reasoning: 0 },
  });
  for (const empty of [{}, { id: "", model: "", output: [] }]) {
    const { id, model, parts, usage: none } = readResponsesReply(empty, CALL);
    assert.deepEqual([id, model, parts, none], ["call", "asked", [], undefined]);
  }
});

test("a thought is its summary, or what it holds in full where it has none", () => {
  const full = { type: "reasoning", content: [{ text: "H" }, {}, { text: "m." }] };
  assert.deepEqual(partsOf({ ...full, summary: [{ text: "A" }, { text: "B" }] }), [
    { ...THOUGHT, text: "A\n\nB" },
  ]);
  assert.deepEqual(partsOf({ ...full, summary: [] }), [{ ...THOUGHT, text: "Hm." }]);
  const sealed = (encrypted_content: string) => ({ type: "reasoning", encrypted_content });
  assert.deepEqual(partsOf(sealed("~anthropic:redacted:x"), sealed("~unsigned:"), sealed("own")), [
    { ...THOUGHT, signature: { origin: "ANTHROPIC", value: "x" }, redacted: true },
    { ...THOUGHT, signature: { origin: "OPENAI", value: "own" } },
  ]);
});

test("why a response ended is what it says, else what it holds", () => {
  const call = { type: "function_call", call_id: "t1", name: "run" };
  const refusal = { type: "message", content: [{ type: "refusal", refusal: "No." }] };
  const cut = (reason?: string) => ({ status: "incomplete", incomplete_details: { reason } });
  for (const [body, kind] of [
    [{ status: "completed" }, "END"],
    [{ output: [call] }, "TOOL_CALLS"],
    [{ output: [call, refusal] }, "REFUSED"],
    [{ ...cut("max_output_tokens"), output: [call] }, "LENGTH"],
    [{ ...cut("content_filter"), output: [call] }, "FILTER"],
    [{ status: "incomplete" }, "LENGTH"],
  ] as const) {
    assert.deepEqual(readResponsesReply(body, CALL).stop, stopped(kind), JSON.stringify(body));
  }
});

/** As its caller gets it. */
function written(
  parts: readonly ReplyPart[],
  more: Partial<Reply> = {},
  call: Partial<CallFacts> = {},
): JsonObject {
  const reply = { id: "r1", model: "m", parts, stop: stopped("END"), usage: USAGE, ...more };
  const facts = { ...CALL, tools: [PATCH, RUN], ...call };
  return JSON.parse(JSON.stringify(writeResponsesReply(reply, facts)));
}

const own = { origin: "OPENAI", value: "own" } as const;
const gemini = { origin: "GEMINI", value: "c2ln" } as const;
const SAID: readonly ReplyPart[] = [
  { ...THOUGHT, text: "Hm.", signature: own },
  { ...THOUGHT, signature: { origin: "ANTHROPIC", value: "sealed" }, redacted: true },
  { kind: "TEXT", text: "Hi." },
  { kind: "REFUSAL", text: "No." },
  { ...USE, args: '{"a":1}', signature: gemini },
  { ...USE, id: "t2", name: "shell__run" },
  { ...USE, id: "t3", name: "patch", args: '{"input":"*** Begin"}' },
];
const DONE = { status: "completed" };
const OUTPUT = [
  {
    id: "rs_call_0",
    type: "reasoning",
    summary: [{ type: "summary_text", text: "Hm." }],
    encrypted_content: "own",
  },
  {
    id: "rs_call_1",
    type: "reasoning",
    summary: [],
    encrypted_content: "~anthropic:redacted:sealed",
  },
  {
    id: "msg_call_2",
    type: "message",
    role: "assistant",
    content: [{ type: "output_text", text: "Hi.", annotations: [], logprobs: [] }],
  },
  {
    id: "msg_call_3",
    type: "message",
    role: "assistant",
    content: [{ type: "refusal", refusal: "No." }],
  },
  { id: "rs_call_4_s", type: "reasoning", summary: [], encrypted_content: "~gemini:c2ln" },
  { id: "fc_call_4", type: "function_call", call_id: "t1", name: "run", arguments: '{"a":1}' },
  {
    id: "fc_call_5",
    type: "function_call",
    call_id: "t2",
    name: "run",
    namespace: "shell",
    arguments: "{}",
  },
  { id: "ctc_call_6", type: "custom_tool_call", call_id: "t3", name: "patch", input: "*** Begin" },
].map((item) => ({ ...item, ...DONE }));

test("a whole response has all members of OpenAI's own", () => {
  const { output, usage, status, incomplete_details: cut, ...rest } = written(SAID);
  assert.deepEqual(output, OUTPUT);
  assert.deepEqual([status, cut], ["completed", null]);
  assert.deepEqual(usage, {
    input_tokens: 9,
    input_tokens_details: { cached_tokens: 3, cache_write_tokens: 0 },
    output_tokens: 5,
    output_tokens_details: { reasoning_tokens: 4 },
    total_tokens: 14,
  });
  const { id, object, created_at: created, model, store, error } = rest;
  assert.deepEqual([id, object, created, model], ["resp_call", "response", 1, "m"]);
  assert.deepEqual([store, error], [false, null]);
});

test("a response whose provider counted nothing has a usage all the same, for AI SDK insists on it", () => {
  const { usage } = written([], { usage: undefined }) as { usage: JsonObject };
  const { input_tokens: input, output_tokens: output, total_tokens: total } = usage;
  assert.deepEqual([input, output, total], [0, 0, 0]);
});

test("a response that was cut short says why, and its last item that it is not whole", () => {
  for (const [kind, reason] of [
    ["LENGTH", "max_output_tokens"],
    ["CONTEXT_FULL", "max_output_tokens"],
    ["FILTER", "content_filter"],
  ] as const) {
    const { output, status, incomplete_details: cut } = written(SAID, { stop: stopped(kind) });
    assert.deepEqual([status, cut], ["incomplete", { reason }]);
    const last = { ...OUTPUT.at(-1), status: "incomplete" };
    assert.deepEqual(output, [...OUTPUT.slice(0, -1), last]);
  }
  for (const kind of ["END", "TOOL_CALLS", "STOP_SEQUENCE", "PAUSE"] as const) {
    assert.equal(written([], { stop: stopped(kind) })["status"], "completed");
  }
});

test("a response is kept for callers who want that, under its id and with what it went on from", () => {
  const kept: KeptResponse[] = [];
  const memory = {
    item: () => undefined,
    conversation: () => undefined,
    keep: (response: KeptResponse) => void kept.push(response),
  };
  const input = Buffer.from('[{"role":"user","content":"hi"}]');
  const asked = { previousId: "resp_call_0", input };
  for (const [call, isKept] of [
    [{}, false],
    [{ memory }, false],
    [{ asked }, false],
    [{ memory, asked }, true],
  ] as const) {
    kept.length = 0;
    const { store, previous_response_id: previous } = written(SAID, {}, call);
    assert.deepEqual([store, kept.length], [isKept, isKept ? 1 : 0]);
    assert.equal(previous, "asked" in call ? "resp_call_0" : null);
  }
  const [only] = kept;
  assert.ok(only !== undefined);
  const { output, ...rest } = only;
  assert.deepEqual(rest, { id: "resp_call", ...asked });
  assert.deepEqual(
    output.map(({ text }) => JSON.parse(String(text)) as unknown),
    OUTPUT,
  );
});

test("what a translation named is told from what a provider did", () => {
  assert.deepEqual(["resp_call_1", "resp_1"].map(isOwnResponse), [true, false]);
  const ids = ["msg_call_1", "rs_call_1", "fc_call_1", "ctc_call_1", "msg_1", "xrs_call_1"];
  assert.deepEqual(ids.map(isOwnItem), [true, true, true, true, false, false]);
});

test("an error is read as OpenAI tells it, in an answer, an event and a response that did not end well", () => {
  const reason = "The provider gave no reason.";
  const error = { code: "server_error", message: "no" };
  const response = (more: JsonObject) => ({ object: "response", ...more });
  for (const [body, failure] of [
    [{ error }, ["server_error", "no"]],
    [{ error: "no" }, ["", "no"]],
    [{ detail: "no" }, ["", "no"]],
    [{ type: "error", code: "c", message: "no" }, ["c", "no"]],
    [{ type: "error", error }, ["server_error", "no"]],
    [{ type: "error" }, ["", reason]],
    [{ type: "response.failed", response: response({ error }) }, ["server_error", "no"]],
    [response({ status: "failed", error }), ["server_error", "no"]],
    [response({ error: "no" }), ["", "no"]],
  ] as const) {
    const { code, message, httpStatus } = readResponsesFailure(body, 400) ?? {};
    assert.deepEqual([code, message, httpStatus], [...failure, 400], JSON.stringify(body));
  }
  for (const status of ["failed", "cancelled"]) {
    const failure = readResponsesFailure(response({ status, error: null }), 400);
    assert.equal(failure?.httpStatus, 400, status);
  }
  for (const body of [response({ error: null, message: "no" }), response({ error: "" })]) {
    assert.equal(readResponsesFailure(body, 400), undefined);
  }
});
