import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { AzureOpenAI, AuthenticationError } from "openai";
import {
  CHAT_REPLY,
  chatEvents,
  replyEvents,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { CLIENT_KEY, startGateway, type TestGateway } from "./fixture.js";

const API_VERSION = "2024-10-21";
const HI = [{ role: "user" as const, content: "hi" }];
let stub: UpstreamStub;
let plain: TestGateway;
let classic: TestGateway;
let current: TestGateway;

before(async () => {
  stub = await startUpstreamStub();
  const azure = { authStyle: "AZURE" } as const;
  plain = await startGateway({ providers: [{ baseUrl: `${stub.origin}/v1` }] });
  classic = await startGateway({
    providers: [{ ...azure, baseUrl: `${stub.origin}?api-version=2025-01-01` }],
  });
  current = await startGateway({ providers: [{ ...azure, baseUrl: stub.origin }] });
});

after(async () => {
  for (const gateway of [plain, classic, current]) await gateway.close();
  await stub.close();
});

beforeEach(() => {
  stub.received.length = 0;
  stub.script = replyJson(200, CHAT_REPLY);
});

function clientOf(gateway: TestGateway, apiKey = CLIENT_KEY, deployment?: string): AzureOpenAI {
  const more = deployment === undefined ? {} : { deployment };
  const { origin: endpoint } = gateway;
  return new AzureOpenAI({ endpoint, apiKey, apiVersion: API_VERSION, maxRetries: 0, ...more });
}

test("Azure's SDK chats, whole and streamed, on a provider of any kind", async () => {
  const cases = [
    [plain, "/v1/chat/completions"],
    [classic, "/openai/deployments/my-gpt/chat/completions?api-version=2025-01-01"],
    [current, "/openai/v1/chat/completions"],
  ] as const;
  for (const [gateway, url] of cases) {
    const client = clientOf(gateway, CLIENT_KEY, "my-gpt");
    stub.script = replyJson(200, CHAT_REPLY);
    const whole = await client.chat.completions.create({ model: "gpt-4o", messages: HI });
    assert.equal(whole.choices[0]?.message.content, "Hello.");
    stub.script = replyEvents(chatEvents(["Hel", "lo."], true));
    let text = "";
    const stream = { model: "gpt-4o", messages: HI, stream: true } as const;
    for await (const chunk of await client.chat.completions.create(stream)) {
      text += chunk.choices[0]?.delta.content ?? "";
    }
    assert.equal(text, "Hello.");
    const last = stub.received.splice(0);
    assert.deepEqual(
      last.map((each) => each.url),
      [url, url],
    );
    for (const { body, rawHeaders } of last) {
      assert.match(body.toString(), /"model":"my-gpt"/);
      assert.doesNotMatch(body.toString() + rawHeaders.join(), new RegExp(`gpt-4o|${CLIENT_KEY}`));
    }
    assert.equal((await gateway.sink.record(2)).modelAsked, "my-gpt");
  }
});

test("Azure's SDK embeds, transcribes and makes responses", async () => {
  const client = clientOf(plain);
  stub.script = replyJson(200, '{"object":"list","data":[],"model":"e"}');
  await client.embeddings.create({ model: "text-e", input: "x" });
  stub.script = replyJson(200, '{"text":"said"}');
  const file = new File(["bytes"], "a.wav");
  await clientOf(plain, CLIENT_KEY, "ears").audio.transcriptions.create({ model: "whisper", file });
  stub.script = replyJson(200, '{"id":"resp_1","object":"response","output":[]}');
  await client.responses.create({ model: "gpt-4o", input: "hi" });
  const [embedding, transcription, response] = stub.received;
  assert.equal(embedding?.url, "/v1/embeddings");
  assert.equal(transcription?.url, "/v1/audio/transcriptions");
  assert.match(transcription?.body.toString() ?? "", /name="model"\r\n\r\nears\r\n/);
  assert.doesNotMatch(transcription?.body.toString() ?? "", /whisper/);
  assert.equal(response?.url, "/v1/responses");
});

test("a body without a model gets the deployment as its model, JSON or form", async () => {
  const path = "/openai/deployments/d/chat/completions?api-version=1";
  for (const [sent, went] of [
    ["{}", '{"model":"d"}'],
    [' { "n" : 1 }', ' {"model":"d", "n" : 1 }'],
    ['{"model":null,"n":1}', '{"model":"d","n":1}'],
  ] as const) {
    assert.equal((await plain.post(path, sent)).status, 200);
    assert.equal(stub.received.pop()?.body.toString(), went);
  }
  const form = new FormData();
  form.set("file", new Blob(["x"]), "a.wav");
  const speech = "/openai/deployments/d/audio/transcriptions?api-version=1";
  assert.equal((await plain.fetch(speech, { method: "POST", body: form })).status, 200);
  assert.match(
    stub.received.pop()?.body.toString() ?? "",
    /name="model"\r\n\r\nd\r\n--[\s\S]*a\.wav/,
  );
  const headers = { "content-type": "multipart/form-data; boundary=b" };
  const part = '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n1\r\n--b--\r\n';
  await plain.fetch(speech, { method: "POST", headers, body: `before\r\n${part}` });
  assert.equal(
    stub.received.pop()?.body.toString(),
    `before\r\n--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nd\r\n${part}`,
  );
});

test("a key that is not known is refused in words that the SDK understands", async () => {
  await assert.rejects(
    clientOf(plain, "bad").chat.completions.create({ model: "m", messages: HI }),
    AuthenticationError,
  );
});

test("what Azure's paths do not hold is 404, and a deployment is a model id", async () => {
  const status = async (path: string): Promise<number> => (await plain.post(path, {})).status;
  assert.equal(await status("/openai/deployments/d/files"), 404);
  assert.equal(await status("/openai/deployments/d/messages"), 404);
  assert.equal(await status("/openai/messages"), 404);
  assert.equal(await status("/openai/nothing"), 404);
  assert.equal(await status("/openai/deployments/%2e%2e/chat/completions"), 400);
  assert.equal(await status("/openai/deployments/a%0ab/chat/completions"), 400);
  assert.equal(stub.received.length, 0);
});
