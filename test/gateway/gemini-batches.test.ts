import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { replyJson, startUpstreamStub, type UpstreamStub } from "../support/upstream-stub.js";
import { CLIENT_KEY, startGateway, type TestGateway } from "./fixture.js";

// Google's batches, as its SDKs ask for them: the bytes go on, and the key's limits hold.

const CREATE = "/v1beta/models/gemini-3-flash:batchGenerateContent";
const EMBED = "/v1beta/models/gemini-3-flash:asyncBatchEmbedContent";

let stub: UpstreamStub;
let gemini: TestGateway;

before(async () => {
  stub = await startUpstreamStub();
  gemini = await startGateway({
    providers: [{ baseUrl: `${stub.origin}/v1beta`, dialect: "GEMINI" }],
    aliases: { flash: "gemini-3-flash" },
  });
});

after(async () => {
  await gemini.close();
  await stub.close();
});

beforeEach(() => {
  stub.received.length = 0;
  stub.script = replyJson(200, '{"name":"batches/b1"}');
  gemini.authenticator.modelAllowlist = [];
  gemini.authenticator.kind = "STANDARD";
});

/** A batch with what stands where its requests, or its file, are named. */
function batch(inputConfig: string, more = ""): string {
  return `{"batch":{"inputConfig":${inputConfig},"displayName":"x"${more}}}`;
}

function inline(...requests: readonly string[]): string {
  const all = requests.map((request) => `{"request":${request},"metadata":{"key":"a"}}`);
  return batch(`{"requests":{"requests":[${all.join(",")}]}}`);
}

const SAYS = '"contents":[{"role":"user","parts":[{"text":"12345678901234567890"}]}]';

test("every call about a batch goes on as it came, under either version", async () => {
  const file = batch('{"fileName":"files/f-1"}', ',"priority":12345678901234567890');
  const headers = { "x-goog-api-key": CLIENT_KEY, "content-type": "application/json" };
  for (const [method, path, body] of [
    ["POST", CREATE, inline(`{${SAYS},"unknown":1.50}`)],
    ["POST", CREATE, file],
    ["POST", EMBED, batch('{"file_name":"files/f-1"}')],
    ["POST", CREATE, '{"batch":{"input_config":{"file_name":"files/f-1"}}}'],
    ["GET", "/v1beta/batches?pageSize=2&pageToken=p", null],
    ["GET", "/v1beta/batches/b1", null],
    ["POST", "/v1beta/batches/b1:cancel", "{}"],
    ["DELETE", "/v1beta/batches/b1", null],
    ["GET", "/download/v1beta/files/batch-b1:download?alt=media", null],
  ] as const) {
    for (const asked of [path, path.replace("/v1beta/", "/v1/")]) {
      stub.received.length = 0;
      // eslint-disable-next-line no-await-in-loop -- one after the other
      const reply = await gemini.fetch(asked, { method, body, headers });
      assert.equal(reply.status, 200, asked);
      const [received] = stub.received;
      assert.equal(`${received?.method} ${received?.url}`, `${method} ${path}`);
      assert.equal(String(received?.body), body ?? "");
    }
  }
});

test("an alias is replaced in the path of a batch, and in those of its requests that name it again", async () => {
  const body = inline(`{"model":"models/flash",${SAYS}}`, `{${SAYS}}`);
  await gemini.post("/v1beta/models/flash:batchGenerateContent", body);
  const [received] = stub.received;
  assert.equal(received?.url, CREATE);
  assert.equal(String(received?.body), body.replace("models/flash", "models/gemini-3-flash"));
  assert.equal(gemini.sink.records.at(-1)?.modelAsked, "flash");
  assert.equal(gemini.sink.records.at(-1)?.modelServed, "gemini-3-flash");
});

test("a client key that allows some models gets no others by way of Google's batches", async () => {
  gemini.authenticator.modelAllowlist = ["gemini-3-flash"];
  const named = (model: string) => inline(`{${SAYS}}`, `{"model":${model},${SAYS}}`);
  for (const [body, status] of [
    [inline(`{${SAYS}}`), 200],
    [named('"models/gemini-3-flash"'), 200],
    [named("null"), 200],
    [named('"models/gemini-3-pro"'), 403],
    [named('"gemini-3-pro"'), 403],
    [named(String.raw`"models\/gemini-3-pro"`), 403],
    [named("7"), 400],
    [inline(`{"model":"models/gemini-3-flash","model":"models/gemini-3-pro"}`), 400],
    [inline(`{"Model":"models/gemini-3-pro"}`), 400],
    [inline(String.raw`{"mod\u0065l":"models/gemini-3-pro"}`), 403],
    [inline("7"), 400],
    [batch('{"requests":{"requests":{}}}'), 400],
    [batch('{"requests":[]}'), 400],
    [batch("{}"), 400],
    ["{}", 400],
    ["[]", 400],
    [batch('{"requests":{"requests":[]}}', ',"model":"models/gemini-3-pro"'), 403],
    [batch('{"requests":{"requests":[]}}', ',"inputConfig":{}'), 400],
    [batch('{"requests":{"requests":[]}}', ',"input_config":{}'), 400],
    [batch('{"fileName":"files/f"}'), 403],
    [batch('{"file_name":"files/f"}'), 403],
    [batch('{"fileName":"files/f","requests":{"requests":[]}}'), 403],
    [batch('{"fileName":null,"requests":{"requests":[]}}'), 200],
  ] as const) {
    for (const path of [CREATE, EMBED]) {
      stub.received.length = 0;
      // eslint-disable-next-line no-await-in-loop -- one after the other
      const reply = await gemini.post(path, body);
      assert.equal(reply.status, status, body);
      assert.equal(stub.received.length, status === 200 ? 1 : 0, body);
    }
  }
  const other = await gemini.post(CREATE.replace("flash", "pro"), inline(`{${SAYS}}`));
  assert.equal(other.status, 403);
  const refused = await gemini.post(CREATE, batch('{"fileName":"files/f"}'));
  assert.match(await refused.text(), /^\{"error":\{"code":403,"message":"[^"]* in a file /);
});

test("a client key that allows some models gets no others by naming one again inside a request of Google's", async () => {
  gemini.authenticator.modelAllowlist = ["gemini-3-flash"];
  for (const [action, member] of [
    ["generateContent", (model: string) => `"model":"${model}"`],
    ["streamGenerateContent?alt=sse", (model: string) => `"model":"${model}"`],
    ["embedContent", (model: string) => `"model":"${model}"`],
    ["batchEmbedContents", (model: string) => `"requests":[{},{"model":"${model}"}]`],
    ["countTokens", (model: string) => `"generateContentRequest":{"model":"${model}"}`],
    ["countTokens", (model: string) => `"generate_content_request":{"model":"${model}"}`],
    ["generateContent", (model: string) => `"generationConfig":{${routedTo(model)}}`],
    ["generateContent", (model: string) => `"generation_config":{"a":{},${routedTo(model)}}`],
  ] as const) {
    for (const [model, isAllowed] of [
      ["models/gemini-3-flash", true],
      ["gemini-3-flash", true],
      ["models/gemini-3-pro", false],
    ] as const) {
      stub.received.length = 0;
      const body = `{"contents":[],${member(model)}}`;
      // eslint-disable-next-line no-await-in-loop -- one after the other
      const { status } = await gemini.post(`/v1beta/models/gemini-3-flash:${action}`, body);
      assert.equal(status === 403, !isAllowed, `${action} ${model} ${String(status)}`);
      assert.equal(stub.received.length > 0, isAllowed, `${action} ${model}`);
    }
  }
});

/** Vertex AI's, which has the request served by another model than its path names. */
function routedTo(model: string): string {
  return `"routing_config":{"manualMode":{"model_name":"${model}"}}`;
}

test("a key to the pool gets no list of Google's batches, and asks for its own by their names", async () => {
  gemini.authenticator.kind = "SUPER";
  for (const path of ["/v1beta/batches", "/v1/batches?key=x"]) {
    // eslint-disable-next-line no-await-in-loop -- one after the other
    const refused = await gemini.fetch(path);
    assert.equal(refused.status, 403);
    // eslint-disable-next-line no-await-in-loop -- one after the other
    assert.match(await refused.text(), /"status":"PERMISSION_DENIED"/);
  }
  assert.equal(stub.received.length, 0);
  assert.equal((await gemini.fetch("/v1beta/batches/b1")).status, 200);
});

test("a batch that failed is told as one, and what its results used is not counted with each look", async () => {
  const usageMetadata = { promptTokenCount: 1000, candidatesTokenCount: 2000 };
  const response = { candidates: [], usageMetadata };
  const inlinedResponses = { inlinedResponses: [{ response }, { error: { code: 400 } }] };
  for (const reply of [
    { name: "batches/b", done: true, error: { code: 13, message: "all failed" } },
    { error: { code: 13, message: "all failed" }, name: "batches/b", done: true },
    { name: "batches/b", done: true, metadata: { output: { inlinedResponses } } },
    { name: "batches/b", done: true, usageMetadata, response: { inlinedResponses } },
  ]) {
    stub.script = replyJson(200, JSON.stringify(reply));
    // eslint-disable-next-line no-await-in-loop -- one after the other
    const got = await gemini.fetch("/v1beta/batches/b");
    assert.equal(got.status, 200);
    // eslint-disable-next-line no-await-in-loop -- one after the other
    assert.equal(await got.text(), JSON.stringify(reply));
    const { tokens, costMicros, usageSource } = gemini.sink.records.at(-1) ?? {};
    assert.deepEqual([tokens?.input, tokens?.output, costMicros, usageSource], [0, 0, 0, "NONE"]);
  }
});

test("a provider's refusal of a batch is told in Google's form", async () => {
  const error = { code: 400, message: "Invalid batch.", status: "INVALID_ARGUMENT" };
  stub.script = replyJson(400, JSON.stringify({ error }));
  const refused = await gemini.post(CREATE, batch("{}"));
  assert.equal(refused.status, 400);
  assert.deepEqual(await refused.json(), { error });
});

test("a batch of a model that speaks another dialect is refused by name", async () => {
  const openai = await startGateway({ providers: [{ baseUrl: `${stub.origin}/v1` }] });
  const refused = await openai.post("/v1beta/models/gpt-5:batchGenerateContent", inline("{}"));
  assert.equal(refused.status, 400);
  assert.match(await refused.text(), /batchGenerateContent of the GEMINI dialect cannot be/);
  await openai.close();
});
