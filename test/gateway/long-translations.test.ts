import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { LongTranslations } from "../../server/dialect/translate/thread/long-translations.js";
import {
  replyEvents,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { provider, startGateway, type TestGateway } from "./fixture.js";

// What is too long to be translated between two turns of the event loop is translated beside it.

const LONG = 'if (a === "b") {\n\treturn `\\n`;\n} // é 漢 😀 \ud83d\n'.repeat(20_000);
/** Of all that the event loop parses or writes meanwhile. */
const CHARS_MAX = 100_000;

const message = (content: unknown): string =>
  JSON.stringify({
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude",
    content,
    stop_reason: "end_turn",
    usage: { input_tokens: 1, output_tokens: 1 },
  });
const SHORT = message([{ type: "text", text: "Yes." }]);

let stub: UpstreamStub;
let gateway: TestGateway;

before(async () => {
  stub = await startUpstreamStub();
  gateway = await startGateway({
    secrets: ["sk-first-000000000000000000", "sk-second-00000000000000000"],
  });
});

after(async () => {
  await gateway.close();
  await stub.close();
});

beforeEach(() => {
  stub.received.length = 0;
  stub.script = replyJson(200, SHORT);
  gateway.router.providers = [provider({ baseUrl: stub.origin, dialect: "ANTHROPIC" })];
});

interface Sent {
  readonly messages: readonly { readonly content: unknown }[];
}

function sent(): Sent {
  assert.equal(stub.received.length, 1);
  return JSON.parse(String(stub.received[0]?.body)) as Sent;
}

const chat = (content: unknown): unknown => ({ model: "m", messages: [{ role: "user", content }] });

test("a long request and a long reply are translated whole, and the event loop parses and writes neither", async (t) => {
  stub.script = replyJson(200, message([{ type: "text", text: LONG }]));
  const body = JSON.stringify(chat(LONG));
  const parse = t.mock.method(JSON, "parse");
  const stringify = t.mock.method(JSON, "stringify");
  const answer = await gateway.post("/v1/chat/completions", body);
  const told = await answer.text();
  const read = parse.mock.calls.map((call) => call.arguments[0].length);
  const wrote = stringify.mock.calls.map((call) => call.result?.length ?? 0);
  t.mock.restoreAll();
  assert.ok(Math.max(...read, ...wrote) < CHARS_MAX, `${String(read)} ${String(wrote)}`);
  assert.equal(answer.status, 200);
  const { choices } = JSON.parse(told) as { choices: { message: { content: string } }[] };
  assert.ok(choices[0]?.message.content === LONG);
  assert.deepEqual(
    sent().messages.map(({ content }) => saying(content)),
    ["LONG"],
  );
});

test("a long request in its provider's own language loses what another model thought, and the event loop does not parse it", async (t) => {
  const foreign = { type: "thinking", thinking: LONG, signature: "~openai:c2ln" };
  const content = [foreign, { type: "text", text: LONG }];
  const messages = [
    { role: "assistant", content },
    { role: "user", content: "And?" },
  ];
  const body = JSON.stringify({ model: "m", max_tokens: 9, messages });
  const parse = t.mock.method(JSON, "parse");
  const answer = await gateway.post("/v1/messages", body);
  const read = parse.mock.calls.map((call) => call.arguments[0].length);
  t.mock.restoreAll();
  assert.equal(answer.status, 200);
  assert.ok(Math.max(0, ...read) < CHARS_MAX, String(read));
  assert.deepEqual(
    sent().messages.map((each) => saying(each.content)),
    ["LONG", "And?"],
  );
});

const chunk = (delta: object, reason: string | null): object => ({
  id: "c1",
  object: "chat.completion.chunk",
  created: 1,
  model: "m",
  choices: [{ index: 0, delta, finish_reason: reason }],
});
const usage = { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 };
const completion = (content: string): object => ({
  id: "c1",
  object: "chat.completion",
  created: 1,
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }],
  usage,
});
const response = (text: string): object => ({
  id: "resp_1",
  object: "response",
  created_at: 1,
  model: "m",
  status: "completed",
  output: [
    {
      id: "msg_1",
      type: "message",
      status: "completed",
      role: "assistant",
      content: [{ type: "output_text", text, annotations: [], logprobs: [] }],
    },
  ],
  usage: { input_tokens: 3, output_tokens: 4, total_tokens: 7 },
});
const CHAT = JSON.stringify(completion("Yes."));
/** In pieces, as a model says it, of which the event loop may look at some. */
const WORDS = LONG.match(/.{1,2000}/gsu) ?? [];
const STREAM = [
  ...WORDS.map((content) => chunk({ content }, null)),
  { ...chunk({}, "stop"), usage },
].map((event) => `data: ${JSON.stringify(event)}\n\n`);

test("a long reply in the shape that was not asked for becomes the other, and the event loop parses and writes neither", async (t) => {
  const streamed = `${STREAM.join("")}data: [DONE]\n\n`;
  const texts: string[] = [];
  for (const [path, stream, script] of [
    ["/v1/chat/completions", true, replyJson(200, JSON.stringify(completion(LONG)))],
    ["/v1/responses", true, replyJson(200, JSON.stringify(response(LONG)))],
    ["/v1/chat/completions", false, replyEvents([streamed])],
  ] as const) {
    gateway.router.providers = [provider({ baseUrl: stub.origin, dialect: "OPENAI" })];
    const { length } = gateway.sink.records;
    stub.script = script;
    const asked = { ...(chat("Hi.") as object), input: "Hi.", stream };
    const body = JSON.stringify(asked);
    const parse = t.mock.method(JSON, "parse");
    const stringify = t.mock.method(JSON, "stringify");
    const answer = await gateway.post(path, body);
    const told = await answer.text();
    const read = parse.mock.calls.map((call) => call.arguments[0].length);
    const wrote = stringify.mock.calls.map((call) => call.result?.length ?? 0);
    t.mock.restoreAll();
    assert.equal(answer.status, 200);
    const work = [...read, ...wrote];
    assert.ok(Math.max(0, ...work) < CHARS_MAX, `${path}: ${String(work)}`);
    assert.ok(work.length < 1_000, `${path}: ${String(work.length)}`);
    const { tokens } = await gateway.sink.record(length + 1);
    assert.deepEqual([tokens?.input, tokens?.output], [3, 4]);
    texts.push(told);
  }
  const [events = "", ofResponse = "", whole = ""] = texts;
  assert.ok(saidIn(events, ({ choices }) => choices?.[0]?.delta?.content) === LONG);
  assert.ok(saidIn(ofResponse, ({ type, delta }) => deltaOf(type, delta)) === LONG);
  assert.deepEqual(JSON.parse(whole), completion(LONG));
});

test("a long request goes without what its provider refuses of it, and the event loop does not parse it", async (t) => {
  gateway.router.providers = [provider({ baseUrl: stub.origin, dialect: "OPENAI" })];
  const said = { role: "assistant", content: LONG };
  const asked = { model: "m", messages: [said, { role: "user", content: "And?" }] };
  const thought = {
    ...asked,
    messages: [{ ...said, reasoning_content: "Hm." }, asked.messages[1]],
  };
  const refusal = { error: { message: "Unknown parameter: 'messages[0].reasoning_content'." } };
  stub.script = (received, res) => {
    const refuses = received.body.includes("reasoning_content");
    const reply = refuses ? replyJson(400, JSON.stringify(refusal)) : replyJson(200, CHAT);
    reply(received, res);
  };
  const body = JSON.stringify(thought);
  const parse = t.mock.method(JSON, "parse");
  const answer = await gateway.post("/v1/chat/completions", body);
  const read = parse.mock.calls.map((call) => call.arguments[0].length);
  t.mock.restoreAll();
  assert.equal(answer.status, 200);
  assert.equal(stub.received.length, 2);
  assert.ok(Math.max(0, ...read) < CHARS_MAX, String(read));
  assert.deepEqual(JSON.parse(String(stub.received[1]?.body)), asked);
});

test("a long reply that is no such thing is refused as a short one is, once it was looked at", async () => {
  gateway.router.providers = [provider({ baseUrl: stub.origin, dialect: "OPENAI" })];
  stub.script = replyEvents([`${'data: {"no":"choices"}\n\n'.repeat(30_000)}data: [DONE]\n\n`]);
  const refused = await gateway.post("/v1/chat/completions", chat("Hi."));
  assert.equal(refused.status, 502);
  assert.match(await refused.text(), /"upstream_error"/);
  // A stream in JSON is what a caller gets who asks for one that nobody can make events of.
  const other = JSON.stringify({ x: LONG });
  stub.script = replyJson(200, other);
  const passed = await gateway.post("/v1/chat/completions", {
    ...(chat("Hi.") as object),
    stream: true,
  });
  assert.ok((await passed.text()) === other);
});

interface Event {
  readonly type?: string;
  readonly delta?: unknown;
  readonly choices?: readonly { readonly delta?: { readonly content?: string } }[];
}

function deltaOf(type: string | undefined, delta: unknown): string | undefined {
  return type === "response.output_text.delta" ? String(delta) : undefined;
}

/** What the events of a stream say, put together. */
function saidIn(stream: string, of: (event: Event) => string | undefined): string {
  return stream
    .split("\n")
    .filter((line) => line.startsWith("data: {"))
    .map((line) => of(JSON.parse(line.slice(6)) as Event) ?? "")
    .join("");
}

test("what a long request cannot say in the provider's language is refused as a short one's, with its field", async () => {
  const wrong = (text: string): unknown => ({
    model: "m",
    messages: [{ role: "user", content: [{ type: "text", text }, { type: "no_such_part" }] }],
  });
  const answers = await Promise.all(
    ["short", LONG].map(async (text) => {
      const answer = await gateway.post("/v1/chat/completions", wrong(text));
      const { error } = (await answer.json()) as { error: { message: string; code: string } };
      return { status: answer.status, message: error.message, code: error.code };
    }),
  );
  assert.deepEqual(answers[1], answers[0]);
  assert.equal(answers[0]?.status, 400);
  assert.equal(stub.received.length, 0);
});

test("a long request goes to another provider where the first does not speak its language well enough", async () => {
  gateway.router.providers = [
    provider({ baseUrl: stub.origin, dialect: "ANTHROPIC" }),
    provider({ baseUrl: `${stub.origin}/v1`, dialect: "OPENAI" }, 1),
  ];
  stub.script = replyJson(200, JSON.stringify({ id: "c", choices: [] }));
  const n = JSON.stringify({ ...(chat(LONG) as object), n: 3 });
  const answer = await gateway.post("/v1/chat/completions", n);
  assert.equal(answer.status, 200);
  assert.ok(String(stub.received[0]?.body) === n);
});

test("a long request goes on from a response that was translated, and what long ones say is kept", async () => {
  const ask = async (body: object): Promise<string> => {
    stub.received.length = 0;
    const answer = await gateway.post("/v1/responses", { model: "m", ...body });
    assert.equal(answer.status, 200);
    return ((await answer.json()) as { id: string }).id;
  };
  const said = (): string[] => sent().messages.map(({ content }) => saying(content));
  const first = await ask({ input: "One" });
  stub.script = replyJson(200, message([{ type: "text", text: LONG }]));
  const second = await ask({ input: LONG, previous_response_id: first });
  assert.deepEqual(said(), ["One", "Yes.", "LONG"]);
  stub.script = replyJson(200, SHORT);
  await ask({ input: "Three", previous_response_id: second });
  assert.deepEqual(said(), ["One", "Yes.", "LONG", "LONG", "Three"]);
});

/** What a message of Anthropic's says. */
function saying(content: unknown): string {
  const texts =
    typeof content === "string"
      ? [content]
      : (content as { text: string }[]).map(({ text }) => text);
  return texts.map((text) => (text === LONG ? "LONG" : text)).join();
}

test("a reply that is no answer, however long, is tried with another key", async () => {
  let asked = 0;
  stub.script = (received, res) => {
    asked++;
    const isFirst = asked === 1;
    const reply = isFirst ? JSON.stringify({ nothing: LONG }) : SHORT;
    return replyJson(200, reply)(received, res);
  };
  const answer = await gateway.post("/v1/chat/completions", chat("Hi"));
  assert.equal(answer.status, 200);
  assert.match(await answer.text(), /Yes\./);
  assert.equal(asked, 2);
});

test("what is translated for a caller who leaves is given up, and no provider is asked", async (t) => {
  const releases = gateway.pool.releases.length;
  const giveUp = t.mock.fn();
  const begun = new Promise<void>((resolve) => {
    t.mock.method(LongTranslations.prototype, "request", () => {
      resolve();
      return giveUp;
    });
  });
  const leaving = new AbortController();
  const body = JSON.stringify(chat(LONG));
  const init = { method: "POST", body, signal: leaving.signal };
  const answer = gateway.fetch("/v1/chat/completions", init).catch(() => undefined);
  await begun;
  const { length } = gateway.sink.records;
  leaving.abort();
  await answer;
  const record = await gateway.sink.record(length + 1);
  assert.equal(record.errorCode, "caller_aborted");
  assert.equal(giveUp.mock.callCount(), 1);
  assert.equal(gateway.pool.releases.length, releases + 1);
  assert.equal(stub.received.length, 0);
});

test("a call whose translation fails for want of a thread is told so, and the next is served", async (t) => {
  const request = t.mock.method(
    LongTranslations.prototype,
    "request",
    (...[, , listener]: Parameters<LongTranslations["request"]>) => {
      setImmediate(() => {
        listener.onFailed(new Error("the translating thread has ended"));
      });
      return () => undefined;
    },
  );
  const failed = await gateway.post("/v1/chat/completions", chat(LONG));
  assert.equal(failed.status, 500);
  request.mock.restore();
  const served = await gateway.post("/v1/chat/completions", chat(LONG));
  assert.equal(served.status, 200);
  assert.equal(saying(sent().messages[0]?.content), "LONG");
});
