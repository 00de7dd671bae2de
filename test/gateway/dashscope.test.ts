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
import type { GatewayLimits } from "../../server/gateway/limits.js";
import { startGateway, type TestGateway } from "./fixture.js";
import { openaiClient } from "./sdk-clients.js";

// DashScope makes images as tasks; OpenAI's SDK asks for images and waits.

const SECRET = "sk-upstream-0000000000000000000000";
const BEGUN = task("PENDING");
const FILES_BYTES_MAX = 4_096;
const BODY_BYTES_MAX = 10_000;

let stub: UpstreamStub;
let gateway: TestGateway;
let client: OpenAI;

before(async () => {
  stub = await startUpstreamStub();
  gateway = await start({ bodyBytesInFlightMax: BODY_BYTES_MAX });
  client = openaiClient(gateway);
});

function start(limits: Partial<GatewayLimits>): Promise<TestGateway> {
  return startGateway({
    providers: [{ baseUrl: `http://dashscope.aliyuncs.com:${String(stub.port)}/api/v1` }],
    secrets: [SECRET, "sk-second"],
    limits: { taskPauseMs: 1, replyFilesBytesMax: FILES_BYTES_MAX, ...limits },
    resolve: (_name, done) => {
      done(null, [{ address: "127.0.0.1", family: 4 }]);
    },
  });
}

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

test("while a task is waited for nothing is held of what its provider said before", async () => {
  const roomy = await start({});
  const output = { task_id: "0385dc79-5ff8", task_status: "PENDING" };
  const long = replyJson(200, JSON.stringify({ more: "x".repeat(50_000), output }));
  const done = task("SUCCEEDED", { results: [{ url: "https://oss/1.png" }] });
  let held = 0;
  stub.script = inTurn(long, (received, res) => {
    held = roomy.gateway.held.bodies;
    return done(received, res);
  });
  await openaiClient(roomy).images.generate({ model: "wanx-v1", prompt: "x" });
  await roomy.close();
  assert.ok(held < 1000, "the request alone");
});

test("a caller that leaves while its task is asked about takes the question with it", async () => {
  const abort = new AbortController();
  const closed = new Promise<void>((resolve) => {
    stub.script = inTurn(BEGUN, (_received, res) => {
      res.on("close", resolve);
      abort.abort();
    });
  });
  const asked = { model: "wanx-v1", prompt: "x" };
  await assert.rejects(client.images.generate(asked, { signal: abort.signal }));
  await closed;
  assert.equal(gateway.upstream.inFlight, 0);
});

test("a task that takes longer than any reply may is given up", async () => {
  const hasty = await start({ wholeHeadTimeoutMs: 0 });
  stub.script = BEGUN;
  await assert.rejects(
    openaiClient(hasty).images.generate({ model: "wanx-v1", prompt: "x" }),
    (error) => error instanceof OpenAI.APIError && error.status === 504,
  );
  assert.deepEqual(hasty.pool.outcomes, ["TIMEOUT"]);
  await hasty.close();
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
  const call = client.images.generate({ model: "wanx-v1", prompt: "x", stream: true });
  await assert.rejects(call, /streams of images/);
  assert.equal(stub.received.length, 0);
});

// A caller that wants the images themselves.

const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0xff]);

/** Where the stub has an image, under a name that leads there. */
function urlOf(name: string): string {
  return `http://storage.example:${String(stub.port)}/${name}?Expires=1&Signature=a%2Bb%3D`;
}

/** A task that is done at once with these images, and `image` for each of them. */
function madeAt(urls: readonly string[], image: Script): Script {
  const made = task("SUCCEEDED", { results: urls.map((url) => ({ url })) });
  return (received, res) => (received.method === "POST" ? made : image)(received, res);
}

function replyImage(bytes: Buffer, headers: Readonly<Record<string, string>> = {}): Script {
  return (_received, res) => {
    res.writeHead(200, { "content-type": "image/png", ...headers });
    res.end(bytes);
  };
}

function imagesInBytes(n = 1) {
  const asked = { model: "wanx-v1", prompt: "x", n, response_format: "b64_json" } as const;
  return client.images.generate(asked);
}

/** What the caller is told, when the images were made and cannot be had. */
async function refusalOf(image: Script, url = urlOf("1.png")): Promise<string> {
  stub.script = madeAt([url], image);
  let text = "";
  await assert.rejects(imagesInBytes(), (error) => {
    assert.ok(error instanceof OpenAI.InternalServerError);
    assert.equal(error.status, 502);
    text = error.message;
    return true;
  });
  assert.doesNotMatch(text, /storage|example|127\.0|Signature/);
  assert.deepEqual(gateway.pool.outcomes, ["OK"], "the key has done its part");
  return text;
}

test("a caller that wants bytes gets them, in order, and no credential goes to where they lie", async () => {
  const second = Buffer.from("second");
  stub.script = madeAt([urlOf("1.png"), urlOf("2.png")], (received, res) =>
    replyImage(received.url.startsWith("/1.png") ? PNG : second)(received, res),
  );
  const { data } = await imagesInBytes(2);
  assert.deepEqual(data, [
    { b64_json: PNG.toString("base64") },
    { b64_json: second.toString("base64") },
  ]);
  const fetched = stub.received.slice(1);
  assert.deepEqual(
    fetched.map((each) => each.url),
    ["/1.png?Expires=1&Signature=a%2Bb%3D", "/2.png?Expires=1&Signature=a%2Bb%3D"],
  );
  for (const { headers, secret, rawHeaders } of fetched) {
    assert.equal(secret, "");
    assert.equal(headers["host"], `storage.example:${String(stub.port)}`);
    assert.ok(!rawHeaders.join().includes(SECRET));
  }
  assert.deepEqual(gateway.pool.outcomes, ["OK"]);
});

test("what was made costs its number of images, what may still be as many as were asked for, and what came to nothing cost nothing", async () => {
  const costOf = async (script: Script, abort?: AbortController): Promise<number | null> => {
    const before = gateway.sink.records.length;
    stub.script = script;
    const asked = { model: "wanx-v1", prompt: "x", response_format: "b64_json" } as const;
    const options = abort === undefined ? {} : { signal: abort.signal };
    await client.images.generate(asked, options).catch(() => undefined);
    return (await gateway.sink.record(before + 1)).costMicros;
  };
  assert.equal(await costOf(madeAt([urlOf("1.png")], replyImage(PNG))), 1 + 2 * 7_040);
  assert.equal(await costOf(madeAt([urlOf("1.png")], replyJson(404, "{}"))), 1 + 2 * 7_040);
  const abort = new AbortController();
  const leave: Script = (received, res) => {
    if (received.method === "GET") abort.abort();
    return task("RUNNING")(received, res);
  };
  assert.equal(await costOf(leave, abort), 1 + 2 * 7_040);
  const refused = task("FAILED", { code: "InvalidParameter", message: "no" });
  assert.equal(await costOf(inTurn(BEGUN, refused)), 0);
  assert.equal(await costOf(replyJson(400, '{"code":"InvalidParameter","message":"no"}')), 0);
});

test("an image that cannot be had at first is asked for again, and not made twice", async () => {
  const cut: Script = (_received, res) => {
    res.writeHead(200, { "content-type": "image/png", "content-length": "99" });
    res.write(PNG, () => res.destroy());
  };
  stub.script = madeAt([urlOf("1.png")], inTurn(replyJson(503, "{}"), cut, replyImage(PNG)));
  const { data } = await imagesInBytes();
  assert.equal(data?.[0]?.b64_json, PNG.toString("base64"));
  assert.equal(stub.received.filter((each) => each.method === "POST").length, 1);
});

test("images that were made and cannot be had are an error that says so, names no address and blames no key", async () => {
  assert.match(await refusalOf(replyJson(404, "{}")), /could not be fetched: HTTP 404/);
  assert.equal(stub.received.length, 4, "three tries");
});

test("an address of an image that leads where nothing may be asked is refused", async () => {
  for (const url of [
    "http://169.254.169.254/latest/",
    "http://10.0.0.1/1.png",
    "ftp://x/",
    "?",
    "blob:http://x/y",
  ]) {
    gateway.pool.releases.length = 0;
    assert.match(await refusalOf(replyImage(PNG), url), /address is not allowed/);
  }
});

test("a redirect from where an image lies is not followed", async () => {
  const moved: Script = (_received, res) => {
    res.writeHead(302, { location: "http://169.254.169.254/" }).end();
  };
  assert.match(await refusalOf(moved), /HTTP 302/);
});

test("images that are too large, packed or no images are not passed on", async () => {
  const long = Buffer.alloc(FILES_BYTES_MAX + 1);
  for (const [image, told] of [
    [replyImage(long), /too large/],
    [replyImage(PNG, { "content-encoding": "gzip" }), /something else/],
    [replyImage(PNG, { "content-type": "text/html" }), /something else/],
    [replyImage(PNG, { "content-type": "application/json" }), /something else/],
    [replyImage(Buffer.alloc(0)), /something else/],
  ] as const) {
    gateway.pool.releases.length = 0;
    assert.match(await refusalOf(image), told);
  }
});

test("images count as held until the answer made of them leaves, and no longer", async () => {
  const image = Buffer.alloc(FILES_BYTES_MAX);
  stub.script = madeAt([urlOf("1.png")], replyImage(image));
  const { sink } = gateway;
  const records = sink.records.length;
  let save: () => void = () => undefined;
  sink.safe = new Promise((resolve) => (save = resolve));
  const first = imagesInBytes();
  await sink.record(records + 1);
  const second = imagesInBytes();
  await sink.record(records + 2);
  save();
  sink.safe = undefined;
  assert.equal((await first).data?.[0]?.b64_json, image.toString("base64"));
  await assert.rejects(second, /too much is held in memory/);
  for (let i = 0; i < 3; i++) {
    assert.equal((await imagesInBytes()).data?.[0]?.b64_json, image.toString("base64"));
  }
});

test("a caller that leaves while its images are fetched ends that", async () => {
  const abort = new AbortController();
  const left = new Promise<void>((resolve) => {
    stub.script = madeAt([urlOf("1.png")], (_received, res) => {
      res.on("close", resolve);
      res.writeHead(200, { "content-type": "image/png" });
      res.write(PNG, () => {
        abort.abort();
      });
    });
  });
  const asked = { model: "wanx-v1", prompt: "x", response_format: "b64_json" } as const;
  const call = client.images.generate(asked, { signal: abort.signal });
  await assert.rejects(call, OpenAI.APIUserAbortError);
  await left;
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
