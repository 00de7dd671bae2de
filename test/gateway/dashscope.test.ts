import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import OpenAI from "openai";
import {
  inTurn,
  replyJson,
  type Script,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { CLIENT_KEY, startGateway, type TestGateway } from "./fixture.js";

// DashScope makes images as tasks; OpenAI's SDK asks for images and waits.

const SECRET = "sk-upstream-0000000000000000000000";
const BEGUN = task("PENDING");

let stub: UpstreamStub;
let gateway: TestGateway;
let client: OpenAI;

before(async () => {
  stub = await startUpstreamStub();
  gateway = await startGateway({
    providers: [{ baseUrl: `http://dashscope.aliyuncs.com:${String(stub.port)}/api/v1` }],
    secrets: [SECRET, "sk-second"],
    limits: { taskPauseMs: 1 },
    resolve: (_name, done) => {
      done(null, [{ address: "127.0.0.1", family: 4 }]);
    },
  });
  client = new OpenAI({ apiKey: CLIENT_KEY, baseURL: `${gateway.origin}/v1`, maxRetries: 0 });
});

after(async () => {
  await gateway.close();
  await stub.close();
});

beforeEach(() => {
  stub.received.length = 0;
  gateway.pool.releases.length = 0;
});

function task(status: string, more: object = {}): Script {
  const output = { task_id: "0385dc79-5ff8", task_status: status, ...more };
  return replyJson(200, JSON.stringify({ request_id: "r", output }));
}

test("OpenAI's SDK gets the images of a task that was asked about until it was done", async () => {
  const results = [{ url: "https://oss/1.png", actual_prompt: "a cat, 4k" }, { code: "X" }];
  stub.script = inTurn(BEGUN, task("RUNNING"), task("SUCCEEDED", { results }));
  const reply = await client.images.generate({
    model: "wanx2.1-t2i-turbo",
    prompt: "eine Katze 🐈",
    n: 2,
    size: "1024x1024",
  });
  assert.deepEqual(reply.data, [{ url: "https://oss/1.png", revised_prompt: "a cat, 4k" }]);
  assert.deepEqual(
    stub.received.map((each) => `${each.method} ${each.url} ${each.secret}`),
    [
      `POST /api/v1/services/aigc/text2image/image-synthesis ${SECRET}`,
      `GET /api/v1/tasks/0385dc79-5ff8 ${SECRET}`,
      `GET /api/v1/tasks/0385dc79-5ff8 ${SECRET}`,
    ],
  );
  assert.equal(stub.received[0]?.headers["x-dashscope-async"], "enable");
  assert.deepEqual(JSON.parse(String(stub.received[0]?.body)), {
    model: "wanx2.1-t2i-turbo",
    input: { prompt: "eine Katze 🐈" },
    parameters: { size: "1024*1024", n: 2 },
  });
  assert.deepEqual(gateway.pool.outcomes, ["OK"]);
  assert.equal(gateway.sink.records.at(-1)?.attempts.length, 1);
});

test("a question that fails on the way is asked again, and the task is not begun twice", async () => {
  const done = task("SUCCEEDED", { results: [{ url: "https://oss/1.png" }] });
  stub.script = inTurn(BEGUN, replyJson(502, "<html>"), replyJson(429, "{}"), done);
  const reply = await client.images.generate({ model: "wanx-v1", prompt: "x" });
  assert.equal(reply.data?.[0]?.url, "https://oss/1.png");
  assert.equal(stub.received.filter((each) => each.method === "POST").length, 1);
});

test("a prompt that the provider's inspection refuses is the caller's error, and no other key is asked", async () => {
  const failed = { code: "DataInspectionFailed", message: "Input data may contain bad content." };
  stub.script = inTurn(BEGUN, task("FAILED", failed));
  await assert.rejects(client.images.generate({ model: "wanx-v1", prompt: "x" }), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    return /bad content/.test(error.message);
  });
  assert.deepEqual(gateway.pool.outcomes, ["REQUEST_REFUSED"]);
});

test("a task that fails for the provider's reasons is begun again with another key", async () => {
  const done = task("SUCCEEDED", { results: [{ url: "https://oss/2.png" }] });
  const failed = task("FAILED", { code: "InternalError", message: "An internal error." });
  stub.script = inTurn(BEGUN, failed, BEGUN, done);
  const reply = await client.images.generate({ model: "wanx-v1", prompt: "x" });
  assert.equal(reply.data?.[0]?.url, "https://oss/2.png");
  assert.deepEqual(gateway.pool.outcomes, ["PROVIDER_ERROR", "OK"]);
});

test("what tasks cannot give is refused by name before anything is asked", async () => {
  const call = client.images.generate({
    model: "wanx-v1",
    prompt: "x",
    response_format: "b64_json",
  });
  await assert.rejects(call, /b64_json/);
  assert.equal(stub.received.length, 0);
});

test("a caller that leaves while a task runs ends the questions", async () => {
  const abort = new AbortController();
  const records = gateway.sink.records.length;
  stub.script = (received, res) => {
    if (stub.received.length === 3) abort.abort();
    return task("RUNNING")(received, res);
  };
  const call = client.images.generate({ model: "wanx-v1", prompt: "x" }, { signal: abort.signal });
  await assert.rejects(call, OpenAI.APIUserAbortError);
  const record = await gateway.sink.record(records + 1);
  assert.equal(record.errorCode, "caller_aborted");
  assert.equal(gateway.pool.leased, 0);
});
