import assert from "node:assert/strict";
import { test } from "node:test";
import type { Dialect } from "../core/provider.js";
import type { StreamForm } from "./codec.js";
import { CODECS } from "./codecs.js";
import { openingOf } from "./told-errors.js";

const OWN_FORMS = { OPENAI: "CHAT", ANTHROPIC: "MESSAGES", GEMINI: "GENERATE" } as const;
const DIALECTS = ["OPENAI", "ANTHROPIC", "GEMINI"] as const;

function told(dialect: Dialect, reply: string, form: StreamForm, isCounted = false) {
  return CODECS[dialect].replyFailure(Buffer.from(reply), form, isCounted);
}

/** What a stream says of its failure at its end. */
function failure(dialect: Dialect, form: StreamForm, isEvents: boolean, ...pieces: string[]) {
  const watch = CODECS[dialect].watch(form, isEvents);
  for (const piece of pieces) watch.push(Buffer.from(piece));
  return watch.failure();
}

test("a reply of status 200 that is an error is told for one, in the provider's words", () => {
  const error = '{"code":503,"message":"down"}';
  for (const [dialect, form, reply] of [
    ["OPENAI", "CHAT", `{"error":${error}}`],
    ["OPENAI", "OTHER", ` { "error" : ${error}}`],
    ["OPENAI", "CHAT", `{"id":"x","error":${error},"choices":[]}`],
    ["ANTHROPIC", "MESSAGES", ` {"type": "error","error":${error}}`],
    ["GEMINI", "GENERATE", `{ "error": ${error}}`],
  ] as const) {
    assert.equal(told(dialect, reply, form), `{"error":${error}}`, `${dialect} ${reply}`);
  }
  assert.equal(told("OPENAI", '{"error":"down"}', "OTHER"), '{"error":"down"}');
  assert.equal(told("OPENAI", '{"error":{', "CHAT"), '{"error":{', "cut, and no reply either way");
  const broken = '{"id":"x","choices":[{"finish_reason":"error"}],"error":null}';
  assert.equal(told("OPENAI", broken, "CHAT"), '{"error":{}}');
});

test("a reply that only speaks of an error is none", () => {
  const error = '{"code":503,"message":"down"}';
  for (const [dialect, form, reply] of [
    ["OPENAI", "OTHER", `{"id":"x","error":${error}}`],
    ["OPENAI", "OTHER", `{"e":{"error":${error}}}`],
    ["OPENAI", "RESPONSES", `{"id":"x","error":${error}}`],
    ["OPENAI", "CHAT", `{"id":"x","choices":[{"message":{"content":{"error":${error}}}}]}`],
    ["OPENAI", "CHAT", '{"id":"x","error":"","choices":[]}'],
    ["OPENAI", "CHAT", '{"id":"x","error":null,"choices":[]}'],
    ["OPENAI", "CHAT", `{"id":"${"x".repeat(70_000)}","error":${error}}`],
    ["ANTHROPIC", "OTHER", `{"type":"error","error":${error}}`],
    ["ANTHROPIC", "MESSAGES", `{"content":[{"type":"error","error":${error}}]}`],
    ["GEMINI", "OTHER", `{"error":${error}}`],
    ["GEMINI", "GENERATE", `{"candidates":[{"error":${error}}]}`],
  ] as const) {
    assert.equal(told(dialect, reply, form), undefined, `${dialect} ${form} ${reply.slice(0, 99)}`);
  }
  for (const dialect of DIALECTS) {
    const reply = `{"type":"error","usage":{},"error":${error}}`;
    assert.equal(told(dialect, reply, OWN_FORMS[dialect], true), undefined, "it told its tokens");
  }
  const both = `{"error":${error},"choices":[{}]}`;
  assert.equal(told("OPENAI", both, "CHAT", true), undefined, "an answer all the same");
});

test("comments and signs of life say nothing, and an error behind them still opens a stream", () => {
  const opens = (dialect: Dialect, text: string): string =>
    CODECS[dialect].watch(OWN_FORMS[dialect], true).opening(Buffer.from(text));
  const errors = {
    OPENAI: 'data: {"id":"x","error":{"message":"down"}}\n\n',
    ANTHROPIC: 'event: error\ndata: {"type":"error","error":{}}\n\n',
    GEMINI: 'data: {"error":{"code":503}}\n\n',
  };
  for (const dialect of DIALECTS) {
    assert.equal(opens(dialect, ": still working\n\n: still\n\n"), "NOTHING");
    assert.equal(opens(dialect, `: still working\n\n${errors[dialect]}`), "ERROR");
    assert.equal(opens(dialect, `: a comment\ndata: {}\n\n${errors[dialect]}`), "REPLY");
  }
  const ping = 'event: ping\ndata: {"type": "ping"}\n\n';
  assert.equal(opens("ANTHROPIC", ping), "NOTHING");
  assert.equal(opens("ANTHROPIC", ping + errors.ANTHROPIC), "ERROR");
  assert.equal(opens("GEMINI", 'data: {"candidates":[{"x":{"error":{"a":1}}}]}\n\n'), "REPLY");
  assert.equal(opens("OPENAI", 'data: {"choices":[{"x":{"error":{"a":1}}}]}\n\n'), "REPLY");
});

test("an error among the last events of a stream is told, with usage and a last word behind it", () => {
  const error = { code: 503, message: "down" };
  const event = (body: object): string => `data: ${JSON.stringify(body)}\n\n`;
  const usage = event({ choices: [], usage: { prompt_tokens: 1 } });
  const said = event({ choices: [{ delta: { content: "x" } }] });
  const tail = [event({ id: "x", error }), usage, "data: [DONE]\n\n"];
  const wanted = JSON.stringify({ error });
  assert.equal(failure("OPENAI", "CHAT", true, said, ...tail), wanted);
  assert.equal(failure("OPENAI", "CHAT", true, [said, ...tail].join("")), wanted);
  assert.equal(failure("OPENAI", "CHAT", true, ...tail, said, said, said), undefined, "long ago");
  const long = [event({ type: "error", error }), ...Array.from({ length: 4 }, () => usage)];
  assert.equal(failure("OPENAI", "RESPONSES", true, long.join("")), undefined, "long ago");
  assert.equal(failure("OPENAI", "RESPONSES", true, long.slice(0, -1).join("")), wanted);
  assert.equal(failure("OPENAI", "CHAT", true, event({ error: "down" })), '{"error":"down"}');
  const listed = { error: { code: 429, details: [{ links: [1] }], message: "slow" } };
  const array = `[{"candidates":[]}\n,${JSON.stringify(listed)}\n] `;
  assert.equal(failure("GEMINI", "GENERATE", false, array), JSON.stringify(listed));
  const failed = { type: "response.failed", response: { error } };
  assert.equal(
    failure("OPENAI", "RESPONSES", true, `event: response.failed\n${event(failed)}`),
    wanted,
  );
  const plain = { type: "error", code: "busy", message: "down", param: null };
  assert.deepEqual(JSON.parse(failure("OPENAI", "RESPONSES", true, event(plain)) ?? ""), {
    error: { code: "busy", message: "down", param: null },
  });
  const nothing = failure("ANTHROPIC", "MESSAGES", true, "event: error\n\n");
  assert.equal(nothing, '{"error":{"message":""}}');
  for (const dialect of DIALECTS) {
    const named = `event: error\n${event({ type: "error", error })}`;
    assert.equal(failure(dialect, OWN_FORMS[dialect], true, said), undefined);
    if (dialect === "GEMINI") continue;
    assert.equal(failure(dialect, "OTHER", false, named), undefined, "these are no events");
  }
});

test("what is no stream of events is never taken for finished, and needs no last event", () => {
  for (const dialect of DIALECTS) {
    const bytes = CODECS[dialect].watch("OTHER", false);
    const words = 'event: message_stop\ndata: {"type":"message_stop","error":{"a":1}}\n\n';
    assert.equal(bytes.opening(Buffer.from(`event: error\n${words}`)), "REPLY");
    bytes.push(Buffer.from(words));
    assert.deepEqual([bytes.finished, bytes.completeWithout()], [false, true]);
    const other = CODECS[dialect].watch("OTHER", true);
    other.push(Buffer.from("data: {}\n\n"));
    assert.equal(
      other.completeWithout(),
      true,
      "another kind of stream has a last event of its own",
    );
    const own = CODECS[dialect].watch(OWN_FORMS[dialect], true);
    own.push(Buffer.from("data: {}\n\n"));
    assert.deepEqual([own.finished, own.completeWithout()], [false, false]);
  }
});

test("a stream is known by the id of its first read, and a watch tells all that it keeps", () => {
  const chunk = (id: string): Buffer => Buffer.from(`data: {"id":"${id}","choices":[]}\n\n`);
  for (const [form, id] of [
    ["CHAT", "chatcmpl-1"],
    ["OTHER", ""],
  ] as const) {
    const watch = CODECS.OPENAI.watch(form, true);
    for (const each of ["chatcmpl-1", "chatcmpl-2"]) watch.push(chunk(each));
    assert.equal(watch.keptId, id, form);
  }
  const reads = [chunk("a"), chunk("b")];
  const bytes = Buffer.concat(reads).length;
  for (const [dialect, kept] of [
    ["OPENAI", bytes],
    // The first once more, for it has the input.
    ["ANTHROPIC", bytes + chunk("a").length],
    ["GEMINI", bytes],
  ] as const) {
    const watch = CODECS[dialect].watch(OWN_FORMS[dialect], true);
    assert.equal(watch.keptBytes, 0);
    for (const read of reads) watch.push(read);
    assert.equal(watch.keptBytes, kept, dialect);
  }
});

test("an error of ours has the type that its status has in each dialect", () => {
  const problem = { code: "x", message: "m", detail: "d", requestId: "r" };
  const typeOf = (dialect: Dialect, httpStatus: number): unknown => {
    const { error } = JSON.parse(CODECS[dialect].errorBody({ ...problem, httpStatus })) as {
      error: Record<string, unknown>;
    };
    return error["status"] ?? error["type"];
  };
  for (const [httpStatus, ...types] of [
    [400, "invalid_request_error", "invalid_request_error", "INVALID_ARGUMENT"],
    [401, "authentication_error", "authentication_error", "UNAUTHENTICATED"],
    [402, "insufficient_quota", "billing_error", "FAILED_PRECONDITION"],
    [403, "permission_error", "permission_error", "PERMISSION_DENIED"],
    [404, "not_found_error", "not_found_error", "NOT_FOUND"],
    [409, "invalid_request_error", "invalid_request_error", "ABORTED"],
    [413, "invalid_request_error", "request_too_large", "INVALID_ARGUMENT"],
    [429, "rate_limit_exceeded", "rate_limit_error", "RESOURCE_EXHAUSTED"],
    [500, "server_error", "api_error", "INTERNAL"],
    [501, "server_error", "api_error", "UNIMPLEMENTED"],
    [502, "server_error", "api_error", "UNAVAILABLE"],
    [503, "server_error", "overloaded_error", "UNAVAILABLE"],
    [504, "server_error", "timeout_error", "DEADLINE_EXCEEDED"],
    [529, "server_error", "overloaded_error", "UNAVAILABLE"],
  ] as const) {
    const told = DIALECTS.map((dialect) => typeOf(dialect, httpStatus));
    assert.deepEqual(told, types, String(httpStatus));
  }
});

test("a hundred thousand comments before a stream begins are not looked into one by one", () => {
  let looks = 0;
  const isError = (event: Buffer): boolean => {
    looks++;
    return event.includes("error");
  };
  const never = (): boolean => false;
  for (const comment of [":\n\n", ": keep-alive\r\n\r\n", "\n"]) {
    const comments = comment.repeat(100_000);
    looks = 0;
    assert.equal(openingOf(Buffer.from(comments), isError, never), "NOTHING");
    assert.equal(openingOf(Buffer.from(`${comments}data: {}\n\n`), isError, never), "REPLY");
    assert.equal(openingOf(Buffer.from(`${comments}data: error\n\n`), isError, never), "ERROR");
    assert.equal(looks, 2, JSON.stringify(comment));
  }
});
