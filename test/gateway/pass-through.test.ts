import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import {
  CHAT_REPLY,
  chatEvents,
  messageEvents,
  replyEvents,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { startGateway, type TestGateway } from "./fixture.js";

let stub: UpstreamStub;
let openai: TestGateway;
let anthropic: TestGateway;

before(async () => {
  stub = await startUpstreamStub();
  openai = await startGateway({ providers: [{ baseUrl: `${stub.origin}/v1` }] });
  anthropic = await startGateway({ providers: [{ baseUrl: stub.origin, dialect: "ANTHROPIC" }] });
});

after(async () => {
  await openai.close();
  await anthropic.close();
  await stub.close();
});

beforeEach(() => {
  stub.received.length = 0;
  openai.sink.records.length = 0;
  anthropic.sink.records.length = 0;
});

const CHAT =
  '{"messages":[{"role":"user","content":"hi"}],  "model":"gpt-4o","seed":12345678901234567890}';

test("a whole reply passes unchanged, with the vault's key in place of the caller's", async () => {
  stub.script = replyJson(200, CHAT_REPLY, {
    "x-ratelimit-remaining-requests": "9",
    "set-cookie": "a=b",
  });
  const response = await openai.post("/v1/chat/completions?x=1&y=%20", CHAT);
  assert.equal(response.status, 200);
  assert.equal(await response.text(), CHAT_REPLY);
  const [received] = stub.received;
  assert.equal(received?.url, "/v1/chat/completions?x=1&y=%20");
  assert.equal(received?.body.toString(), CHAT);
  assert.equal(received?.secret, "sk-upstream-0000000000000000000000");
  assert.equal(response.headers.get("x-ratelimit-remaining-requests"), "9");
  assert.equal(response.headers.get("set-cookie"), null);
  const record = openai.sink.records[0];
  assert.equal(response.headers.get("x-request-id"), record?.id);
  assert.equal(record?.status, "SUCCESS");
  assert.deepEqual(record?.tokens, {
    input: 11,
    output: 7,
    cacheRead: 0,
    cacheWrite: 0,
    reasoning: 0,
  });
  assert.equal(record?.usageSource, "PROVIDER");
  assert.equal(record?.costMicros, 25);
  assert.equal(record?.requestBytes, Buffer.byteLength(CHAT));
  assert.equal(record?.responseBytes, Buffer.byteLength(CHAT_REPLY));
  assert.equal(record?.providerKeyId, "pk_0");
  assert.deepEqual(openai.pool.outcomes, ["OK"]);
});

test("a stream that the caller wants with usage passes unchanged", async () => {
  const events = chatEvents(["Hel", "lo"], true);
  stub.script = replyEvents(events);
  const body =
    '{"model":"gpt-4o","stream":true,"stream_options":{"include_usage":true},"messages":[]}';
  const response = await openai.post("/v1/chat/completions", body);
  assert.equal(await response.text(), events.join(""));
  assert.equal(stub.received[0]?.body.toString(), body);
  const record = openai.sink.records[0];
  assert.equal(record?.streamed, true);
  assert.equal(record?.tokens.output, 7);
  assert.equal(record?.usageSource, "PROVIDER");
});

test("usage is asked for where the caller did not, and taken out again", async () => {
  stub.script = replyEvents(chatEvents(["Hel", "lo"], true));
  const response = await openai.post("/v1/chat/completions", '{"model":"gpt-4o","stream":true}');
  assert.equal(await response.text(), chatEvents(["Hel", "lo"]).join(""));
  assert.equal(
    stub.received[0]?.body.toString(),
    '{"stream_options":{"include_usage":true},"model":"gpt-4o","stream":true}',
  );
  assert.equal(openai.sink.records[0]?.tokens.input, 11);
});

test("an Anthropic stream passes unchanged with cached tokens counted once", async () => {
  const events = messageEvents(["Hel", "lo"]);
  stub.script = replyEvents(events);
  const response = await anthropic.post(
    "/v1/messages?beta=true",
    '{"model":"claude-sonnet-4-5","max_tokens":64,"stream":true,"messages":[]}',
    { "anthropic-beta": "a,b", "anthropic-version": "2026-10-21" },
  );
  assert.equal(await response.text(), events.join(""));
  const [received] = stub.received;
  assert.equal(received?.url, "/v1/messages?beta=true");
  assert.equal(received?.headers["x-api-key"], "sk-upstream-0000000000000000000000");
  assert.equal(received?.headers["anthropic-version"], "2026-10-21");
  assert.equal(received?.headers["anthropic-beta"], "a,b");
  assert.equal(received?.headers["authorization"], undefined);
  assert.deepEqual(anthropic.sink.records[0]?.tokens, {
    input: 150,
    output: 9,
    cacheRead: 100,
    cacheWrite: 30,
    reasoning: 0,
  });
});

test("a head of many kilobytes goes on with a short body, and so do the calls behind it", async () => {
  stub.script = replyJson(200, CHAT_REPLY);
  const agent = "x".repeat(14_000);
  const body = { model: "gpt-4o", messages: [{ role: "user", content: "y".repeat(4_000) }] };
  for (const headers of [{ "user-agent": agent }, { "user-agent": agent }, {}]) {
    // eslint-disable-next-line no-await-in-loop -- what the one leaves behind shows in the next
    const response = await openai.post("/v1/chat/completions", body, headers);
    assert.equal(response.status, 200);
    // eslint-disable-next-line no-await-in-loop -- as above
    await response.text();
  }
  assert.deepEqual(stub.received.map((each) => each.headers["user-agent"]).slice(0, 2), [
    agent,
    agent,
  ]);
});
