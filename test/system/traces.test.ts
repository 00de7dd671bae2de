import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { OtlpSpan } from "../../server/observe/traces/otlp.js";
import type { Api } from "../../tui/api/services.js";
import { Dialect } from "../../proto/gen/latchkey/v1/common_pb.js";
import { Provider_AuthStyle } from "../../proto/gen/latchkey/v1/providers_pb.js";
import { Listener_Kind } from "../../proto/gen/latchkey/v1/system_pb.js";
import { attributesOf, startOtlpCollector, type OtlpCollector } from "../support/otlp-collector.js";
import {
  CHAT_REPLY,
  chatEvents,
  messageEvents,
  replyEvents,
  replyJson,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import {
  addClientKey,
  addProvider,
  addProviderKey,
  chat,
  dataFolder,
  run,
  until,
  upstream,
} from "./fixture.js";
import { serveInside } from "./inside.js";

const SECRETS = ["sk-upstream-traced-1-77aa", "sk-upstream-traced-2-88bb"] as const;
const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";
const HEADER_SECRET = "collector-token-51f0";

async function collector(t: TestContext): Promise<OtlpCollector> {
  const made = await startOtlpCollector();
  t.after(() => made.close());
  return made;
}

/** The environment of a server that is started meanwhile. */
async function withEnv<T>(values: Record<string, string>, body: () => Promise<T>): Promise<T> {
  const before = { ...process.env };
  Object.assign(process.env, values);
  try {
    return await body();
  } finally {
    for (const name of Object.keys(values)) delete process.env[name];
    Object.assign(process.env, before);
  }
}

/** Two provider keys, of which the stub's script may refuse one. */
async function traced(t: TestContext, ...args: readonly string[]) {
  const [stub, server] = [await upstream(t), await serveInside(t, dataFolder(t), ...args)];
  const { providerId } = await addProvider(server.api, stub, SECRETS[0]);
  await addProviderKey(server.api, providerId, "second", SECRETS[1]);
  return { stub, server, clientKey: await addClientKey(server.api) };
}

/** Of one call, the server span first. */
function traceOf(spans: readonly OtlpSpan[], callId: string): readonly OtlpSpan[] {
  const server = spans.find((span) => attributesOf(span)["latchkey.call.id"] === callId);
  return server === undefined
    ? []
    : [server, ...spans.filter(({ parentSpanId }) => parentSpanId === server.spanId)];
}

/** The first key that is tried is out of luck, the other one serves. */
function refuseFirst(stub: UpstreamStub): void {
  let first = "";
  stub.script = ({ secret }, res) => {
    first ||= secret;
    if (secret === first) res.writeHead(429, { "retry-after": "60" }).end("{}");
    else res.writeHead(200, { "content-type": "application/json" }).end(CHAT_REPLY);
  };
}

test("a call and its attempts are one trace below the caller's span, and hold no secret", async (t) => {
  const otlp = await collector(t);
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: otlp.origin,
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer%20${HEADER_SECRET}`,
    OTEL_SERVICE_NAME: "latchkey-test",
    OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=test",
  };
  const { stub, server, clientKey } = await withEnv(env, () => traced(t));
  refuseFirst(stub);
  const reply = await fetch(`${server.proxyUrl}/v1/chat/completions?trace=query-word`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${clientKey}`,
      "content-type": "application/json",
      traceparent: `00-${TRACE}-${SPAN}-01`,
    },
    body: JSON.stringify({
      model: "stub-chat",
      messages: [{ role: "user", content: "prompt-word" }],
    }),
  });
  assert.equal(reply.status, 200);
  const id = reply.headers.get("x-request-id") ?? "";
  await until(async () => traceOf(otlp.spans, id).length === 3);

  const [span, first, second] = traceOf(otlp.spans, id);
  assert.deepEqual([span?.traceId, span?.parentSpanId], [TRACE, SPAN]);
  const told = attributesOf(span!);
  assert.equal(told["http.route"], "/v1/chat/completions");
  assert.equal(told["http.response.status_code"], 200);
  assert.equal(attributesOf(first!)["error.type"], "rate_limited");
  const served = attributesOf(second!);
  assert.equal(served["gen_ai.usage.input_tokens"], 11);
  assert.equal(served["gen_ai.usage.output_tokens"], 7);
  assert.equal(served["gen_ai.provider.name"], "stub");
  assert.deepEqual([served["server.address"], served["server.port"]], ["127.0.0.1", stub.port]);
  assert.equal(otlp.resource()["service.name"], "latchkey-test");
  assert.equal(otlp.resource()["deployment.environment.name"], "test");

  // What went out: to the collector nothing that anybody said or signed in with, to the provider no trace.
  const [sent] = otlp.received;
  assert.equal(sent?.headers["authorization"], `Bearer ${HEADER_SECRET}`);
  const bodies = otlp.received.map(({ body }) => body.toString()).join("\n");
  for (const word of [
    clientKey,
    ...SECRETS,
    HEADER_SECRET,
    "prompt-word",
    "query-word",
    "Hello.",
  ]) {
    assert.ok(!bodies.includes(word), word);
  }
  assert.ok(stub.received.every(({ headers }) => headers["traceparent"] === undefined));
  assert.ok(!server.log().includes(HEADER_SECRET));
});

test("refused calls are traced too, requests without a known client key are not; the ratio holds", async (t) => {
  const otlp = await collector(t);
  const { server, clientKey } = await traced(t, "--otlp-endpoint", otlp.origin, "--trace-ratio=0");
  await chat(server.proxyUrl, "sk-lk_unknown");
  await chat(server.proxyUrl, clientKey);
  const refused = await fetch(`${server.proxyUrl}/v1/chat/completions`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${clientKey}`,
      "content-type": "application/json",
      traceparent: `00-${TRACE}-${SPAN}-01`,
    },
    body: JSON.stringify({ messages: [] }),
  });
  assert.equal(refused.status, 400);
  await server.stop();
  const [span, ...more] = otlp.spans;
  assert.equal(more.length, 0, "with a ratio of 0 the caller's trace is the only one");
  assert.equal(attributesOf(span!)["error.type"], "invalid_argument");
  assert.deepEqual(span?.status, {});
});

/** A provider of each language at the stub, each with one model that is named like it. */
async function addLanguages(api: Api, stub: UpstreamStub): Promise<void> {
  const { BEARER, X_API_KEY, X_GOOG_API_KEY } = Provider_AuthStyle;
  for (const [slug, dialect, authStyle, path] of [
    ["stub-openai", Dialect.OPENAI, BEARER, "/v1"],
    ["stub-anthropic", Dialect.ANTHROPIC, X_API_KEY, ""],
    ["stub-gemini", Dialect.GEMINI, X_GOOG_API_KEY, ""],
  ] as const) {
    const baseUrl = `${stub.origin}${path}`;
    const named = { slug, displayName: slug, baseUrl, dialect, authStyle };
    const { provider } = await api.providers.createProvider(named);
    const providerId = provider?.id ?? "";
    await api.providers.upsertModels({ providerId, models: [{ modelId: `${slug}-model` }] });
    await addProviderKey(api, providerId, slug, `sk-upstream-${slug}-3f`);
  }
}

const MESSAGES = { max_tokens: 9, messages: [{ role: "user", content: "hi" }] };
const RESPONSE = {
  id: "resp_1",
  model: "gpt-5.4",
  status: "incomplete",
  incomplete_details: { reason: "max_output_tokens" },
};
const MESSAGE = { id: "msg_1", model: "claude-1", content: [], stop_reason: "tool_use" };
const GENERATED = {
  candidates: [{ content: { parts: [{ text: "Hello." }] }, finishReason: "STOP" }],
  responseId: "r-1",
  modelVersion: "gemini-3",
};
const event = (data: object): string => `data: ${JSON.stringify(data)}\n\n`;

/** Path, what is asked, what the provider answers; then the id, the model and the reasons told. */
const ENDINGS = [
  [
    "/v1/chat/completions",
    { model: "stub-openai-model", ...MESSAGES },
    replyJson(200, CHAT_REPLY),
    ["chatcmpl-1", "gpt-4o", ["stop"]],
  ],
  [
    "/v1/chat/completions",
    { model: "stub-openai-model", stream: true, ...MESSAGES },
    replyEvents(chatEvents(["Hello", "."], true)),
    ["chatcmpl-1", "gpt-4o", ["stop"]],
  ],
  [
    "/v1/responses",
    { model: "stub-openai-model", input: "hi" },
    replyJson(200, JSON.stringify(RESPONSE)),
    ["resp_1", "gpt-5.4", ["max_output_tokens"]],
  ],
  [
    "/v1/responses",
    { model: "stub-openai-model", input: "hi", stream: true },
    replyEvents([
      `event: response.incomplete\n${event({ type: "response.incomplete", response: RESPONSE })}`,
    ]),
    ["resp_1", "gpt-5.4", ["max_output_tokens"]],
  ],
  [
    "/v1/messages",
    { model: "stub-anthropic-model", ...MESSAGES },
    replyJson(200, JSON.stringify(MESSAGE)),
    ["msg_1", "claude-1", ["tool_use"]],
  ],
  [
    "/v1/messages",
    { model: "stub-anthropic-model", stream: true, ...MESSAGES },
    replyEvents(messageEvents(["Hello."])),
    ["msg_1", "claude-sonnet-4-5", ["end_turn"]],
  ],
  [
    "/v1beta/models/stub-gemini-model:generateContent",
    { contents: [{ parts: [{ text: "hi" }] }] },
    replyJson(200, JSON.stringify(GENERATED)),
    ["r-1", "gemini-3", ["STOP"]],
  ],
  [
    "/v1beta/models/stub-gemini-model:streamGenerateContent?alt=sse",
    { contents: [{ parts: [{ text: "hi" }] }] },
    replyEvents([event(GENERATED)]),
    ["r-1", "gemini-3", ["STOP"]],
  ],
  // Translated: the provider's own word is told.
  [
    "/v1/chat/completions",
    { model: "stub-anthropic/stub-anthropic-model", stream: true, ...MESSAGES },
    replyEvents(messageEvents(["Hello."])),
    ["msg_1", "claude-sonnet-4-5", ["end_turn"]],
  ],
] as const;

test("each language's reply, whole or streamed, tells why it ended", async (t) => {
  const otlp = await collector(t);
  const stub = await upstream(t);
  const server = await serveInside(t, dataFolder(t), "--otlp-endpoint", otlp.origin);
  await addLanguages(server.api, stub);
  const clientKey = await addClientKey(server.api);
  const told: (readonly [id: string, of: (typeof ENDINGS)[number]])[] = [];
  for (const ending of ENDINGS) {
    const [path, body, script] = ending;
    stub.script = script;
    const reply = await fetch(`${server.proxyUrl}${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${clientKey}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    assert.equal(reply.status, 200, path);
    await reply.text();
    told.push([reply.headers.get("x-request-id") ?? "", ending]);
  }
  await server.stop();
  for (const [id, [path, body, , expected]] of told) {
    const [, served] = traceOf(otlp.spans, id).map(attributesOf);
    const found = ["id", "model", "finish_reasons"].map(
      (name) => served?.[`gen_ai.response.${name}`],
    );
    assert.deepEqual(found, expected, `${path} ${JSON.stringify(body)}`);
  }
});

test("a collector that is away harms no call, is told once, and counted", async (t) => {
  const otlp = await collector(t);
  otlp.status = 503;
  const { server, clientKey } = await traced(t, "--otlp-endpoint", otlp.origin);
  for (let i = 0; i < 5; i++) {
    assert.equal((await chat(server.proxyUrl, clientKey)).status, 200);
  }
  await until(async () => otlp.received.length > 1);
  assert.equal(server.log().split("the trace collector is busy").length - 1, 1);
  const { listeners } = await server.api.system.getStatus({});
  const { address } = listeners.find(({ kind }) => kind === Listener_Kind.CONTROL)!;
  const metrics = await (await fetch(`http://${address}/metrics`)).text();
  assert.match(metrics, /^latchkey_spans_exported_total 0$/m);
  assert.match(metrics, /^latchkey_spans_dropped_total\{reason="queue_full"\} 0$/m);
  assert.equal(await server.stop(), 0);
  assert.match(server.log(), /spans were not delivered before the end/);
});

test("a running stream that ends during the drain is delivered before the exit", async (t) => {
  const otlp = await collector(t);
  const { stub, server, clientKey } = await traced(t, "--otlp-endpoint", otlp.origin);
  let finish = (): void => assert.fail("no stream has begun");
  stub.script = (_received, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write('data: {"choices":[{"delta":{"content":"begun"}}]}\n\n');
    finish = () => void res.end("data: [DONE]\n\n");
  };
  const reply = await chat(server.proxyUrl, clientKey, true);
  const stopped = server.stop();
  finish();
  await reply.text();
  assert.equal(await stopped, 0);
  const [span, attempt] = traceOf(otlp.spans, reply.headers.get("x-request-id") ?? "");
  assert.equal(attributesOf(span!)["gen_ai.request.stream"], true);
  assert.ok(Number(attributesOf(attempt!)["gen_ai.response.time_to_first_chunk"]) >= 0);
});

test("a start with a collector that is none is refused, without repeating what may be secret", async (t) => {
  const flags = ["--data", dataFolder(t), "--proxy-port=0", "--control-port=0"];
  const wrong = await run([...flags, "--otlp-endpoint", "http://user:s3cret@collector:4318"]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /--otlp-endpoint must be an http/);
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1",
    OTEL_EXPORTER_OTLP_HEADERS: "s3cret",
  };
  const headers = await run(flags, { env });
  assert.equal(headers.code, 1);
  assert.match(headers.err, /OTEL_EXPORTER_OTLP_HEADERS must be a list/);
  assert.ok(!`${wrong.err}${headers.err}`.includes("s3cret"));
});
