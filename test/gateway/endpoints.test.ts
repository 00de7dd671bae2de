import assert from "node:assert/strict";
import net from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { settleWhile } from "../support/fake-clock.js";
import {
  chatEvents,
  replyEvents,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { CLIENT_KEY, startGateway, type TestGateway } from "./fixture.js";

let stub: UpstreamStub;
let openai: TestGateway;
let anthropic: TestGateway;
let gemini: TestGateway;
let renamed: TestGateway;

const MODELS = [
  {
    id: "gpt-4o",
    displayName: "GPT-4o",
    providerSlug: "openai",
    createdAt: 1_700_000_000_000,
    contextWindow: 128_000,
    maxOutput: 16_384,
  },
  {
    id: "org/model",
    displayName: "Model",
    providerSlug: "custom",
    createdAt: 1_700_000_001_000,
    contextWindow: null,
    maxOutput: null,
  },
  {
    id: "claude-x",
    displayName: "Claude X",
    providerSlug: "anthropic",
    createdAt: 1_700_000_002_000,
    contextWindow: 200_000,
    maxOutput: 8_192,
  },
];

before(async () => {
  stub = await startUpstreamStub(replyJson(200, '{"ok":true}'));
  openai = await startGateway({ providers: [{ baseUrl: `${stub.origin}/v1` }], models: MODELS });
  anthropic = await startGateway({
    providers: [{ baseUrl: stub.origin, dialect: "ANTHROPIC" }],
    models: MODELS,
  });
  gemini = await startGateway({
    providers: [{ baseUrl: stub.origin, dialect: "GEMINI" }],
    models: MODELS,
  });
  renamed = await startGateway({
    providers: [{ baseUrl: stub.origin }],
    aliases: { fast: 'gpt-5 "mini"' },
  });
});

after(async () => {
  for (const gateway of [openai, anthropic, gemini, renamed]) await gateway.close();
  await stub.close();
});

beforeEach(() => {
  stub.received.length = 0;
  stub.script = replyJson(200, '{"ok":true}');
});

const OPENAI_POSTS = [
  "/v1/chat/completions",
  "/v1/completions",
  "/v1/responses",
  "/v1/responses/input_tokens",
  "/v1/embeddings",
  "/v1/images/generations",
  "/v1/audio/speech",
  "/v1/moderations",
];

test("every JSON endpoint of OpenAI's goes to the same path upstream, byte for byte", async () => {
  for (const path of OPENAI_POSTS) {
    const body = `{ "model": "m", "odd": [1.0, {"x": 12345678901234567890}] }`;
    const response = await openai.post(path, body);
    assert.equal(response.status, 200, path);
    const received = stub.received.at(-1);
    assert.equal(received?.url, path);
    assert.equal(received?.body.toString(), body);
  }
});

test("endpoints without a body or a model go through with their ids and query", async () => {
  const gets = [
    "/v1/responses/resp_1?include=a",
    "/v1/files",
    "/v1/files/file-1/content",
    "/v1/batches/batch_1",
  ];
  for (const path of gets) {
    assert.equal((await openai.fetch(path)).status, 200, path);
    assert.equal(stub.received.at(-1)?.url, path);
    assert.equal(stub.received.at(-1)?.body.length, 0);
  }
  assert.equal((await openai.fetch("/v1/responses/resp_1", { method: "DELETE" })).status, 200);
  assert.equal(stub.received.at(-1)?.method, "DELETE");
  const version = { "anthropic-version": "2023-06-01" };
  assert.equal((await anthropic.fetch("/v1/messages/batches/b_1/results")).status, 200);
  assert.equal((await anthropic.fetch("/v1/files?limit=1", { headers: version })).status, 200);
  assert.equal(stub.received.at(-1)?.url, "/v1/files?limit=1");
  assert.equal((await anthropic.post("/v1/messages/count_tokens", { model: "m" })).status, 200);
});

test("a file is passed on whatever it holds, for nothing in it says how the call went", async () => {
  for (const [gateway, path] of [
    [openai, "/v1/files/file-1/content"],
    [anthropic, "/v1/messages/batches/b_1/results"],
  ] as const) {
    for (const [type, content] of [
      ["text/html", "<html>a report</html>"],
      ["application/json", '"a text"'],
      ["application/json", '{"error":{"message":"from a log"}}'],
      ["application/json", "{ cut"],
      ["application/json", ""],
    ] as const) {
      stub.script = replyJson(200, content, { "content-type": type });
      const response = await gateway.fetch(path);
      assert.equal(response.status, 200, content);
      assert.equal(await response.text(), content);
      assert.equal(gateway.pool.outcomes.at(-1), "OK");
    }
  }
});

test("where no model answers a reply may be empty, and beside chats and their like any JSON value is one", async () => {
  const remove = { method: "DELETE" };
  stub.script = replyJson(200, "");
  assert.equal((await openai.fetch("/v1/responses/resp_1", remove)).status, 200);
  assert.equal((await openai.post("/v1/embeddings", { model: "m" })).status, 502);
  stub.script = (_received, res) => {
    res.writeHead(204, { "content-type": "application/json" }).end();
  };
  const gone = await openai.fetch("/v1/files/file-1", remove);
  assert.deepEqual([gone.status, gone.headers.get("content-length")], [204, null]);
  const form = new FormData();
  form.append("model", "whisper-1");
  for (const value of ['"Hello."', "null", " -1.5e3\n"]) {
    stub.script = replyJson(200, value);
    const transcript = await openai.fetch("/v1/audio/transcriptions", {
      method: "POST",
      body: form,
    });
    assert.equal(await transcript.text(), value);
  }
  for (const garbage of ["Hello.", '"', "nullish", "1 2"]) {
    stub.script = replyJson(200, garbage);
    const reply = await openai.fetch("/v1/audio/transcriptions", { method: "POST", body: form });
    assert.equal(reply.status, 502, garbage);
  }
});

test("Gemini's endpoints keep action, query and body, and lose the caller's key", async () => {
  const body = '{"contents":[]}';
  const post = (path: string): Promise<Response> => gemini.post(path, body);
  for (const [path, upstream] of [
    ["/v1beta/models/gemini-2.5-pro:generateContent", undefined],
    [
      "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse&key=x",
      "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
    ],
    ["/v1beta/models/gemini-2.5-pro:countTokens", undefined],
    ["/v1beta/models/text-embedding-004:embedContent", undefined],
    ["/v1beta/models/text-embedding-004:batchEmbedContents", undefined],
    ["/v1beta1/publishers/google/models/gemini-2.5-pro:generateContent", undefined],
  ] as const) {
    assert.equal((await post(path)).status, 200, path);
    assert.equal(stub.received.at(-1)?.url, upstream ?? path);
    assert.equal(
      stub.received.at(-1)?.headers["x-goog-api-key"],
      "sk-upstream-0000000000000000000000",
    );
    assert.equal(stub.received.at(-1)?.body.toString(), body);
  }
});

test("Google's OpenAI-compatible prefix means OpenAI's paths, on either kind of provider", async () => {
  const body = { model: "gemini-2.5-flash", messages: [] };
  assert.equal((await openai.post("/v1beta/openai/chat/completions", body)).status, 200);
  assert.equal(stub.received.at(-1)?.url, "/v1/chat/completions");
  for (const [asked, upstream] of [
    ["/v1beta/openai/chat/completions", "/v1beta/openai/chat/completions"],
    ["/v1beta/openai/embeddings", "/v1beta/openai/embeddings"],
    ["/v1/embeddings", "/v1beta/openai/embeddings"],
  ] as const) {
    assert.equal((await gemini.post(asked, body)).status, 200);
    const received = stub.received.at(-1);
    assert.equal(received?.url, upstream);
    assert.equal(received?.body.toString(), JSON.stringify(body));
    assert.equal(received?.headers["authorization"], "Bearer sk-upstream-0000000000000000000000");
  }
});

test("an alias changes the model and not one other byte", async () => {
  const body = '{"a":"fast",\n "model" : "fast","z":{"model":"fast"}}';
  await renamed.post("/v1/chat/completions", body);
  assert.equal(
    stub.received[0]?.body.toString(),
    '{"a":"fast",\n "model" : "gpt-5 \\"mini\\"","z":{"model":"fast"}}',
  );
  await renamed.post(
    "/v1/chat/completions",
    '{"model":"fast","stream":true,"stream_options":{"x":1}}',
  );
  assert.equal(
    stub.received[1]?.body.toString(),
    '{"model":"gpt-5 \\"mini\\"","stream":true,"stream_options":{"include_usage":true,"x":1}}',
  );
  await renamed.post(
    "/v1/chat/completions",
    '{"stream_options":null,"model":"fast","stream":true}',
  );
  assert.equal(
    stub.received[2]?.body.toString(),
    '{"stream_options":{"include_usage":true},"model":"gpt-5 \\"mini\\"","stream":true}',
  );
  assert.equal(renamed.sink.records[0]?.modelAsked, "fast");
  assert.equal(renamed.sink.records[0]?.modelServed, 'gpt-5 "mini"');
});

test("a body that was read as JSON goes on as JSON, whatever its head calls it", async () => {
  // As a form, and in UTF-7, it names another model.
  const body = '{"model":"m","x":"&model=dear&","+AG0-odel":"dear"}';
  for (const type of [
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b",
    "Multipart/Mixed",
    "text/plain",
    "application/x-protobuf",
    "application/json; charset=utf-7",
    "application/json;charset=Shift_JIS",
    "application/json, multipart/form-data; boundary=b",
    "application/json; charset=utf-8; charset=utf-7",
  ]) {
    const headers = { "content-type": type, "user-agent": "curl/8" };
    await openai.fetch("/v1/chat/completions", { method: "POST", headers, body });
    const received = stub.received.at(-1);
    assert.equal(received?.headers["content-type"], "application/json");
    assert.equal(received?.headers["user-agent"], "curl/8");
    assert.equal(received?.body.toString(), body);
  }
  for (const type of ["application/json; charset=UTF-8", 'Application/JSON ;charset="utf-8"']) {
    const headers = { "content-type": type };
    await openai.fetch("/v1/chat/completions", { method: "POST", headers, body });
    assert.equal(stub.received.at(-1)?.headers["content-type"], type);
  }
});

test("so does one whose path names the model, and a batch, whose requests name theirs", async () => {
  const headers = { "content-type": "application/json; charset=utf-7" };
  for (const [gateway, path, body] of [
    [gemini, "/v1beta/models/m:generateContent", '{"contents":[]}'],
    [anthropic, "/v1/messages/batches", '{"requests":[]}'],
  ] as const) {
    await gateway.fetch(path, { method: "POST", headers, body });
    assert.equal(stub.received.at(-1)?.headers["content-type"], "application/json", path);
  }
});

test("a caller that refuses usage gets none, and what it used is counted all the same", async () => {
  const without = chatEvents(["Hi"]).join("");
  for (const include of ["false", "null", "0", '"no"', "[]"]) {
    stub.script = replyEvents(chatEvents(["Hi"], true));
    const body = `{"model":"m","stream":true,"stream_options":{"include_usage":${include},"x":1}}`;
    // eslint-disable-next-line no-await-in-loop -- the stub answers one after the other
    const answer = await openai.post("/v1/chat/completions", body);
    // eslint-disable-next-line no-await-in-loop -- as above
    assert.equal(await answer.text(), without, include);
    assert.equal(stub.received.at(-1)?.body.toString(), body.replace(include, "true"));
    const record = openai.sink.records.at(-1);
    assert.equal(record?.usageSource, "PROVIDER");
    assert.equal(record?.tokens.output, 7);
  }
});

test("a form goes through byte for byte, its model found wherever it stands", async () => {
  const form = new FormData();
  form.append("file", new Blob([Buffer.from([0, 1, 2, 255, 13, 10, 45, 45])]), "a.mp3");
  form.append("model", "whisper-1");
  const request = new Request("http://x/", { method: "POST", body: form });
  const bytes = Buffer.from(await request.arrayBuffer());
  const type = request.headers.get("content-type") ?? "";
  const send = (gateway: TestGateway): Promise<Response> =>
    gateway.fetch("/v1/audio/transcriptions", {
      method: "POST",
      headers: { "content-type": type },
      body: bytes,
    });
  assert.equal((await send(openai)).status, 200);
  assert.deepEqual(stub.received[0]?.body, bytes);
  assert.equal(stub.received[0]?.headers["content-type"], type);
  assert.equal(openai.sink.records.at(-1)?.modelAsked, "whisper-1");
});

test("a form says whether it wants a stream, and the usage at its end counts", async () => {
  const usage = { type: "tokens", input_tokens: 14, output_tokens: 45, total_tokens: 59 };
  for (const [path, kind] of [
    ["/v1/audio/transcriptions", "transcript.text"],
    ["/v1/images/edits", "image_edit"],
  ] as const) {
    const done = kind === "image_edit" ? `${kind}.completed` : `${kind}.done`;
    const events = `data: ${JSON.stringify({ type: done, usage })}\n\n`;
    for (const stream of ["true", "false"]) {
      stub.script = replyJson(200, events, { "content-type": "text/event-stream" });
      const form = new FormData();
      form.append("model", "gpt-image-1");
      form.append("stream", stream);
      const reply = await openai.fetch(path, { method: "POST", body: form });
      assert.equal(await reply.text(), events);
      const record = openai.sink.records.at(-1);
      assert.equal(record?.streamed, stream === "true");
      assert.deepEqual([record?.tokens.input, record?.tokens.output], [14, 45]);
    }
  }
});

test("a form that names its model twice, or is none, is refused", async () => {
  const field = '--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nm\r\n';
  const headers = { "content-type": "multipart/form-data; boundary=b" };
  for (const body of [`${field}${field}--b--\r\n`, field, "--c\r\n", ""]) {
    const response = await openai.fetch("/v1/audio/transcriptions", {
      method: "POST",
      headers,
      body,
    });
    assert.equal(response.status, 400, body);
  }
  assert.equal(stub.received.length, 0);
});

test("models are listed in the shape of whoever asks", async () => {
  const list = (await (await openai.fetch("/v1/models")).json()) as {
    object: string;
    data: { id: string; created: number }[];
  };
  assert.equal(list.object, "list");
  assert.deepEqual(
    list.data.map((model) => model.id),
    ["gpt-4o", "org/model", "claude-x"],
  );
  assert.equal(list.data[0]?.created, 1_700_000_000);

  const version = { headers: { "anthropic-version": "2026-10-21" } };
  const page = (await (await openai.fetch("/v1/models?limit=2", version)).json()) as {
    data: { type: string; display_name: string; created_at: string }[];
    has_more: boolean;
    last_id: string;
  };
  assert.equal(page.data[0]?.type, "model");
  assert.equal(page.data[0]?.created_at, "2023-11-14T22:13:20.000Z");
  assert.equal(page.has_more, true);
  const next = (await (
    await openai.fetch(`/v1/models?limit=2&after_id=${page.last_id}`, version)
  ).json()) as typeof page;
  assert.deepEqual(
    next.data.map((model) => model.display_name),
    ["Claude X"],
  );
  assert.equal(next.has_more, false);

  const google = (await (await openai.fetch("/v1beta/models")).json()) as {
    models: { name: string; inputTokenLimit?: number }[];
  };
  assert.equal(google.models[0]?.name, "models/gpt-4o");
  assert.equal(google.models[0]?.inputTokenLimit, 128_000);
  assert.equal(stub.received.length, 0);
});

test("one model is found by its id, slashes sent plain or encoded", async () => {
  for (const path of ["/v1/models/org%2Fmodel", "/v1/models/org/model"]) {
    const model = (await (await openai.fetch(path)).json()) as { id: string };
    assert.equal(model.id, "org/model");
  }
  const google = (await (await openai.fetch("/v1beta/models/gpt-4o")).json()) as { name: string };
  assert.equal(google.name, "models/gpt-4o");
  assert.equal((await openai.fetch("/v1/models/none")).status, 404);
});

test("a key where Google's SDKs put it is answered in Gemini's shapes, under v1 as well", async () => {
  for (const [query, headers] of [
    ["", { "x-goog-api-key": CLIENT_KEY }],
    [`?key=${CLIENT_KEY}`, {}],
  ] as const) {
    const ask = (path: string): Promise<Response> =>
      fetch(`${openai.origin}${path}${query}`, { headers });
    const { models } = (await (await ask("/v1/models")).json()) as { models: { name: string }[] };
    assert.deepEqual(
      models.map(({ name }) => name),
      ["models/gpt-4o", "models/org/model", "models/claude-x"],
    );
    const one = (await (await ask("/v1/models/gpt-4o")).json()) as { name: string };
    assert.equal(one.name, "models/gpt-4o");
    const none = await ask("/v1/models/none");
    assert.equal(none.status, 404);
    const { error } = (await none.json()) as { error: { status: string } };
    assert.equal(error.status, "NOT_FOUND");
  }
});

test("an empty place where Google's SDKs put their key says nothing of who asks", async () => {
  for (const [path, headers] of [
    ["/v1/models?key=", {}],
    ["/v1/models?key=&limit=5", {}],
    ["/v1/models", { "x-goog-api-key": "" }],
  ] as const) {
    const listed = (await (await openai.fetch(path, { headers })).json()) as { object?: string };
    assert.equal(listed.object, "list", path);
  }
});

test("listing models needs a client key", async () => {
  const response = await fetch(`${openai.origin}/v1/models`);
  assert.equal(response.status, 401);
});

test("agents that knock at the root find someone at home", async () => {
  const head = await fetch(`${openai.origin}/`, { method: "HEAD" });
  assert.equal(head.status, 200);
  assert.match(head.headers.get("x-request-id") ?? "", /^call_/);
  assert.equal((await fetch(`${openai.origin}/`)).status, 200);
});

test("who waits for a list of models is answered in its turn, and with what is known when the server stops", async () => {
  const waiting = await startGateway({ providers: [{ baseUrl: `${stub.origin}/v1` }] });
  const lists: (() => void)[] = [];
  waiting.router.refreshLists = () =>
    new Promise((resolve) => {
      lists.push(resolve as () => void);
    });
  const asked = waiting.fetch("/v1/models");
  await settleWhile(() => lists.length === 0);
  lists[0]?.();
  assert.equal((await asked).status, 200);
  const left = waiting.fetch("/v1/models");
  await settleWhile(() => lists.length === 1);
  const closed = waiting.close();
  assert.equal((await left).status, 200);
  await closed;
});

test("an unknown path is 404 and a wrong method 405, in the dialect of the path", async () => {
  for (const path of [
    "/v2/chat",
    "/v1/v1/messages",
    "/chat/completions",
    "/v1/assistants",
    "/v1/files/a/b/c",
  ]) {
    const response = await openai.post(path, {});
    assert.equal(response.status, 404, path);
    assert.match(await response.text(), /unsupported_endpoint/);
  }
  const wrong = await openai.fetch("/v1/completions");
  assert.equal(wrong.status, 405);
  assert.equal(wrong.headers.get("allow"), "POST");
  const anthropicShape = (await (await openai.fetch("/v1/messages")).json()) as { type: string };
  assert.equal(anthropicShape.type, "error");
});

test("no path can be talked into being another", async () => {
  for (const path of [
    "/v1/files/..",
    "/v1/files/%2e%2e",
    "/v1/files/..%2f..%2fadmin",
    "/v1/files/a%5cb",
    "/v1/files//content",
    "//v1/files",
    "/v1/../admin",
    "/v1/responses/..;/x",
    "/v1beta/models/..%2fx:generateContent",
    "/v1beta/models/a%2f..%2fb:generateContent",
    "/v1beta/models/%2e%2e:generateContent",
    "/v1/files/a?x/../../b#c",
  ]) {
    const response = await raw(
      openai.port,
      `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${CLIENT_KEY}\r\nConnection: close\r\n\r\n`,
    );
    assert.match(response, /^HTTP\/1\.1 (?:400|404|405) /, path);
  }
  assert.equal(stub.received.length, 0);
});

test("a WebSocket is answered 426 at once and the connection closed", async () => {
  const response = await raw(
    openai.port,
    "GET /v1/responses HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
  );
  assert.match(response, /^HTTP\/1\.1 426 Upgrade Required\r\n/);
  assert.match(response, /\r\nconnection: close\r\n/);
});

/** Sends bytes and reads until the other side closes. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, "127.0.0.1", () => {
      socket.write(text);
    });
    let answer = "";
    socket.on("data", (chunk: Buffer) => {
      answer += chunk.toString("latin1");
    });
    socket.on("close", () => {
      resolve(answer);
    });
    socket.on("error", reject);
  });
}
