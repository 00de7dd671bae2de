import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import AnthropicOld from "anthropic-old";
import {
  replyCut,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { CLIENT_KEY, startGateway, type TestGateway } from "./fixture.js";

// Batches, and what else an account holds: the caller sees this server alone, and its key's limits hold.

let stub: UpstreamStub;
let openai: TestGateway;
let anthropic: TestGateway;
let gemini: TestGateway;

before(async () => {
  stub = await startUpstreamStub();
  const secrets = ["sk-first-0000", "sk-second-000"];
  openai = await startGateway({ providers: [{ baseUrl: `${stub.origin}/v1` }], secrets });
  anthropic = await startGateway({
    providers: [{ baseUrl: stub.origin, dialect: "ANTHROPIC" }],
    secrets,
  });
  gemini = await startGateway({
    providers: [{ baseUrl: stub.origin, dialect: "GEMINI" }],
    aliases: { emb: "gemini-embedding-001" },
  });
});

after(async () => {
  for (const gateway of [openai, anthropic, gemini]) await gateway.close();
  await stub.close();
});

beforeEach(() => {
  stub.received.length = 0;
  stub.script = replyJson(200, '{"ok":true}');
  for (const gateway of [openai, anthropic]) {
    gateway.pool.requests.length = 0;
    gateway.authenticator.modelAllowlist = [];
  }
});

const BATCH = {
  id: "msgbatch_1",
  type: "message_batch",
  processing_status: "ended",
  results_url: "https://api.anthropic.com/v1/messages/batches/msgbatch_1/results",
};

test("Anthropic's SDKs fetch the results of a batch here, and show their key to nobody else", async () => {
  const line = JSON.stringify({ custom_id: "a", result: { type: "canceled" } });
  stub.script = (received, res) =>
    received.url.endsWith("/results")
      ? void res.writeHead(200, { "content-type": "application/x-jsonl" }).end(`${line}\n`)
      : replyJson(200, JSON.stringify(BATCH))(received, res);
  const options = { apiKey: CLIENT_KEY, baseURL: anthropic.origin, maxRetries: 0 };
  for (const client of [new Anthropic(options), new AnthropicOld(options)]) {
    const ids: string[] = [];
    for await (const each of await client.messages.batches.results("msgbatch_1")) {
      ids.push(each.custom_id);
    }
    assert.deepEqual(ids, ["a"]);
  }
  assert.deepEqual(
    stub.received.map((each) => each.url),
    ["", "/results", "", "/results"].map((end) => `/v1/messages/batches/msgbatch_1${end}`),
  );
});

test("where results lie is told as a path in every reply about batches, and nothing else is changed", async () => {
  const list = JSON.stringify({ data: [BATCH, { ...BATCH, id: "msgbatch_2" }], note: "http://x/" });
  stub.script = replyJson(200, list);
  const own = list.replaceAll("https://api.anthropic.com", "");
  for (const [method, path] of [
    ["GET", "/v1/messages/batches"],
    ["GET", "/v1/messages/batches/b"],
    ["POST", "/v1/messages/batches"],
    ["POST", "/v1/messages/batches/b/cancel"],
  ] as const) {
    const body = method === "POST" ? "{}" : null;
    const reply = await anthropic.fetch(path, { method, body });
    assert.equal(await reply.text(), own, path);
  }
});

test("a client key that allows some models gets no others by way of a batch", async () => {
  anthropic.authenticator.modelAllowlist = ["claude-haiku-*"];
  const post = (models: readonly unknown[]): Promise<Response> => {
    const requests = models.map((model) => ({ custom_id: "x", params: { model } }));
    return anthropic.post("/v1/messages/batches", { requests });
  };
  assert.equal((await post(["claude-haiku-4-5", "claude-haiku-4-6"])).status, 200);
  const refused = await post(["claude-haiku-4-5", "claude-opus-5"]);
  assert.equal(refused.status, 403);
  assert.match(await refused.text(), /does not allow the model \\"claude-opus-5\\"/);
  const long = await post(["x".repeat(5_000)]);
  assert.equal(long.status, 403);
  assert.ok((await long.text()).length < 500, "of a long name only the beginning is said again");
  assert.equal((await post(["claude-haiku-4-5", 5])).status, 400);
  assert.equal((await anthropic.post("/v1/messages/batches", { requests: {} })).status, 400);
  openai.authenticator.modelAllowlist = ["gpt-4o"];
  const file = await openai.post("/v1/batches", { input_file_id: "file-1" });
  assert.equal(file.status, 403);
  assert.match(await file.text(), /model_not_allowed/);
  assert.equal(stub.received.length, 1, "the one that is allowed");
});

test("a client key that allows some models gets no others by naming them beside its own", async () => {
  anthropic.authenticator.modelAllowlist = ["claude-haiku-*"];
  openai.authenticator.modelAllowlist = ["gpt-4o"];
  const advisor = { type: "advisor_20260301", name: "advisor", model: "claude-opus-5" };
  const schema = { type: "object", properties: { model: { type: "string", default: "dear" } } };
  const tool = { name: "x", description: '{"model":"dear"}', input_schema: schema };
  const status = async (gateway: TestGateway, path: string, more: string): Promise<number> => {
    const model = gateway === anthropic ? "claude-haiku-4-5" : "gpt-4o";
    return (await gateway.post(path, `{"model":"${model}",${more}}`)).status;
  };
  for (const [member, expected] of [
    [`"fallbacks":[{"model":"claude-opus-5"}]`, 403],
    [String.raw`"fallbacks":[{"mod\u0065l":"claude-opus-5"}]`, 403],
    [`"fallbacks":[{"model":"claude-haiku-4-6"},{"model":"claude-opus-5","max_tokens":1}]`, 403],
    [`"fallbacks":[{"model":"claude-haiku-4-6","model":"claude-opus-5"}]`, 400],
    [`"fallbacks":[],"fallbacks":[{"model":"claude-opus-5"}]`, 400],
    [`"tools":[${JSON.stringify(advisor)}]`, 403],
    [`"fallbacks":"default","tools":[ ${JSON.stringify(tool)} , ${JSON.stringify(tool)} ]`, 200],
    [`"fallbacks":[{"model":"claude-haiku-4-6"}],"tools":[]`, 200],
  ] as const) {
    assert.equal(await status(anthropic, "/v1/messages", member), expected, member);
    const batch = `{"requests":[{"params":{"model":"claude-haiku-4-5",${member}}}]}`;
    const { status: ofBatch } = await anthropic.post("/v1/messages/batches", batch);
    assert.equal(ofBatch, expected, batch);
  }
  for (const [member, expected] of [
    [`"models":["gpt-4o","gpt-5"]`, 403],
    [`"plugins":[{"id":"fusion","model":"gpt-5"}]`, 403],
    [`"tools":[{"type":"image_generation","model":"gpt-image-1"}]`, 403],
    [`"models":["gpt-4o"],"tools":[{"type":"image_generation"},{"type":"function"}]`, 200],
  ] as const) {
    assert.equal(await status(openai, "/v1/chat/completions", member), expected, member);
    assert.equal(await status(openai, "/v1/responses", member), expected, member);
  }
  // An endpoint of forms, which takes JSON as well.
  const edits = "/v1/images/edits";
  assert.equal(await status(openai, edits, `"prompt":"x","models":["gpt-5"]`), 403);
  assert.equal(await status(openai, edits, `"prompt":"x"`), 200);
});

test("a client key that allows some models says which image model it wants, for the default depends on more", async () => {
  openai.authenticator.modelAllowlist = ["dall-e-2", "omni-*"];
  const form = (model?: string): RequestInit => {
    const body = new FormData();
    body.append("prompt", "x");
    if (model !== undefined) body.append("model", model);
    return { method: "POST", body };
  };
  const status = async (reply: Promise<Response>): Promise<number> => (await reply).status;
  const generate = "/v1/images/generations";
  assert.equal(await status(openai.post(generate, { background: "transparent" })), 403);
  assert.equal(await status(openai.fetch("/v1/images/edits", form())), 403);
  assert.equal(stub.received.length, 0);
  assert.equal(await status(openai.post(generate, { model: "dall-e-2" })), 200);
  assert.equal(await status(openai.fetch("/v1/images/edits", form("dall-e-2"))), 200);
  assert.equal(await status(openai.post("/v1/moderations", { input: "x" })), 200);
  openai.authenticator.modelAllowlist = [];
  assert.equal(await status(openai.fetch("/v1/images/edits", form())), 200);
  assert.equal(openai.sink.records.at(-1)?.modelAsked, "gpt-image-1.5");
});

test("what a batch or a stored response used is not counted again with each look at it", async () => {
  const usage = { input_tokens: 1000, output_tokens: 2000, total_tokens: 3000 };
  const kept = JSON.stringify({ id: "resp_1", status: "completed", output: [], usage });
  const result = { custom_id: "a", result: { message: { usage } }, response: { body: { usage } } };
  const done = { type: "response.completed", response: { id: "resp_1", usage } };
  for (const [gateway, method, path, type, reply] of [
    [openai, "GET", "/v1/responses/resp_1", "application/json", kept],
    [openai, "GET", "/v1/responses/resp_1?stream=true", "text/event-stream", eventOf(done)],
    [openai, "POST", "/v1/responses/resp_1/cancel", "application/json", kept],
    [openai, "GET", "/v1/batches/batch_1", "application/json", kept],
    [openai, "GET", "/v1/files/file-1/content", "application/jsonl", JSON.stringify(result)],
    [anthropic, "GET", "/v1/messages/batches/b/results", "text/plain", JSON.stringify(result)],
  ] as const) {
    stub.script = replyJson(200, reply, { "content-type": type });
    const answer = await gateway.fetch(path, { method });
    assert.equal(await answer.text(), reply);
    const { tokens, costMicros, usageSource } = gateway.sink.records.at(-1) ?? {};
    assert.deepEqual([tokens?.input, tokens?.output, costMicros], [0, 0, 0], path);
    assert.equal(usageSource, "NONE");
    assert.deepEqual(gateway.limiter.settled.at(-1), { tokens: 0, costMicros: 0 });
  }
});

test("what a response used that was made in the background counts once, with the first look that is told it", async () => {
  const usage = { input_tokens: 1000, output_tokens: 2000, total_tokens: 3000 };
  const response = (status: string, told: object | null): object => {
    return { id: "resp_bg", status, output: [], usage: told };
  };
  const tokensOf = async (reply: object, method: string, path: string, body?: object) => {
    const isEvent = "type" in reply;
    stub.script = replyJson(200, isEvent ? eventOf(reply) : JSON.stringify(reply), {
      "content-type": isEvent ? "text/event-stream" : "application/json",
    });
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
    await (await openai.fetch(path, init)).text();
    const { tokens, costMicros, modelServed } = openai.sink.records.at(-1) ?? {};
    return [tokens?.input, tokens?.output, costMicros, modelServed];
  };
  const path = "/v1/responses/resp_bg";
  const create = (reply: object): Promise<unknown> =>
    tokensOf(reply, "POST", "/v1/responses", { model: "o3-pro", input: "x", background: true });
  const done = { type: "response.completed", response: response("completed", usage) };
  for (const look of [
    () => tokensOf(response("completed", usage), "GET", path),
    () => tokensOf(response("cancelled", usage), "POST", `${path}/cancel`),
    () => tokensOf(done, "GET", `${path}?stream=true`),
  ]) {
    assert.deepEqual(await create(response("queued", null)), [0, 0, 0, "o3-pro"]);
    assert.deepEqual(await tokensOf(response("in_progress", null), "GET", path), [0, 0, 0, null]);
    assert.deepEqual(await look(), [1000, 2000, 5000, "o3-pro"]);
    assert.deepEqual(await look(), [0, 0, 0, null]);
  }
});

test("of a response whose stream was left, a look counts what had not been counted yet", async () => {
  const part = eventOf({ type: "response.created", response: { id: "resp_left" } });
  const text = eventOf({ type: "response.output_text.delta", delta: "12345678" });
  stub.script = replyCut([part, text]);
  const asked = { model: "o3-pro", input: "x", background: true, stream: true };
  await (await openai.post("/v1/responses", asked)).text();
  const counted = openai.sink.records.at(-1)?.tokens;
  assert.ok((counted?.output ?? 0) > 0);
  const usage = { input_tokens: 1000, output_tokens: 2000, total_tokens: 3000 };
  const response = { id: "resp_left", status: "completed", output: [], usage };
  stub.script = replyJson(200, JSON.stringify(response));
  await openai.fetch("/v1/responses/resp_left");
  const { tokens } = openai.sink.records.at(-1) ?? {};
  assert.equal((tokens?.input ?? 0) + (counted?.input ?? 0), 1000);
  assert.equal((tokens?.output ?? 0) + (counted?.output ?? 0), 2000);
});

function eventOf(event: object): string {
  return `data: ${JSON.stringify(event)}\n\n`;
}

test("a call that names an uploaded file goes to the account that holds it", async () => {
  stub.script = replyJson(200, '{"id":"file-1"}');
  await openai.fetch("/v1/files", { method: "POST", body: "x" });
  const input = [{ role: "user", content: [{ type: "input_file", file_id: "file-1" }] }];
  await openai.post("/v1/responses", { model: "gpt-4o", input });
  await openai.post("/v1/chat/completions", {
    model: "gpt-4o",
    messages: [{ role: "user", content: 'the "file_id": "file-1"' }],
  });
  await openai.fetch("/v1/files?limit=1&after=file-1");
  assert.deepEqual(
    openai.pool.requests.map(({ home }) => home),
    ["", "pk_0", "", "pk_0"],
  );
});

test("a key to the pool gets no list of what others have in the accounts behind it", async () => {
  for (const [gateway, path] of [
    [openai, "/v1/files"],
    [openai, "/v1/batches?limit=2"],
    [openai, "/openai/v1/files"],
    [anthropic, "/v1/messages/batches"],
    [anthropic, "/v1/files"],
  ] as const) {
    gateway.authenticator.kind = "SUPER";
    const headers = gateway === anthropic ? { "anthropic-version": "2023-06-01" } : {};
    const refused = await gateway.fetch(path, { headers });
    assert.equal(refused.status, 403, path);
    assert.match(await refused.text(), /permission_/);
    assert.equal(stub.received.length, 0);
    assert.equal((await gateway.fetch("/v1/files/file-1", { headers })).status, 200);
    gateway.authenticator.kind = "STANDARD";
    assert.equal((await gateway.fetch(path, { headers })).status, 200);
    stub.received.length = 0;
  }
});

test("where a provider does not have files at all, another one is asked, and not its further keys", async () => {
  const gateway = await startGateway({
    providers: [{ baseUrl: `${stub.origin}/local/v1` }, { baseUrl: `${stub.origin}/v1` }],
    secrets: ["sk-local-a", "sk-local-b", "sk-real-a", "sk-real-b"],
  });
  gateway.pool.keysPerProvider = 2;
  const missing = '{"error":{"message":"No such File object: file-1","code":null}}';
  stub.script = (received, res) => {
    const [status, reply] = received.url.startsWith("/local/")
      ? ([404, '{"detail":"Not Found"}'] as const)
      : received.secret === "sk-real-a"
        ? ([404, missing] as const)
        : ([200, '{"id":"batch_1"}'] as const);
    replyJson(status, reply)(received, res);
  };
  const asked = async (path: string, init: RequestInit = {}): Promise<unknown> => {
    stub.received.length = 0;
    const { status } = await gateway.fetch(path, init);
    return [status, ...stub.received.map((each) => each.secret)];
  };
  const upload = { method: "POST", body: "--b--" };
  assert.deepEqual(await asked("/v1/files", upload), [404, "sk-local-a", "sk-real-a"]);
  const batch = { method: "POST", body: '{"input_file_id":"file-1"}' };
  assert.deepEqual(await asked("/v1/batches", batch), [
    200,
    "sk-local-a",
    "sk-real-a",
    "sk-real-b",
  ]);
  const all = ["sk-local-a", "sk-local-b", "sk-real-a", "sk-real-b"];
  assert.deepEqual(await asked("/v1/files/f"), [200, ...all]);
  gateway.router.providers = gateway.router.providers.slice(0, 1);
  assert.deepEqual(await asked("/v1/files", upload), [404, "sk-local-a"]);
  await gateway.close();
});

test("the next page of a list is asked of the account that gave the one before", async () => {
  stub.script = replyJson(200, '{"data":[],"first_id":"b1","last_id":"b9","has_more":true}');
  await anthropic.fetch("/v1/messages/batches?limit=2");
  await anthropic.fetch("/v1/messages/batches?limit=2&after_id=b9");
  await anthropic.fetch("/v1/messages/batches?limit=2&before_id=b1");
  await anthropic.fetch("/v1/messages/batches?limit=2");
  assert.deepEqual(
    anthropic.pool.requests.map(({ home }) => home),
    ["", "pk_0", "pk_0", ""],
  );
});

test("an alias is replaced in the requests that name the model of Gemini's path again", async () => {
  const text = 'say "model":"models/emb"';
  const request = (model: string): object => ({ model, content: { parts: [{ text }] } });
  await gemini.post("/v1beta/models/emb:batchEmbedContents", {
    requests: [request("models/emb"), request("models/other")],
  });
  const sent = JSON.parse(String(stub.received[0]?.body)) as { requests: object[] };
  assert.match(stub.received[0]?.url ?? "", /gemini-embedding-001:batchEmbedContents/);
  assert.deepEqual(sent.requests, [
    request("models/gemini-embedding-001"),
    request("models/other"),
  ]);
});

test("a form whose parts have a name that can be read in two ways is refused", async () => {
  const part = (disposition: string, value: string): string =>
    `--b\r\ncontent-disposition: form-data; ${disposition}\r\n\r\n${value}\r\n`;
  const post = (...parts: readonly string[]): Promise<Response> =>
    openai.fetch("/v1/audio/transcriptions", {
      method: "POST",
      headers: { "content-type": "multipart/form-data; boundary=b" },
      body: `${parts.join("")}--b--\r\n`,
    });
  const model = part('name="model"', "whisper-1");
  for (const disposition of [
    'name="model"; name="decoy"',
    'name="decoy"; name="model"',
    "name*=UTF-8''model",
    String.raw`x="\"; name=model; y="`,
    'x="a"b; name="model"',
  ]) {
    assert.equal((await post(part(disposition, "m"), model)).status, 400, disposition);
  }
  assert.equal(stub.received.length, 0);
  for (const disposition of [
    'name="file"; filename="a; name=model.mp3"',
    'x="; name=model"; name="decoy"',
    String.raw`name="file"; filename="C:\temp\a.mp3"`,
    "name=file;filename=a.mp3 ;",
  ]) {
    assert.equal((await post(part(disposition, "m"), model)).status, 200, disposition);
  }
  assert.equal(openai.sink.records.at(-1)?.modelAsked, "whisper-1");
});
