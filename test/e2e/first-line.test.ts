import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { LLMock } from "@copilotkit/aimock";
import AnthropicOld from "anthropic-old";
import OpenAI from "openai";
import {
  Call_Status,
  ExportCallsRequest_Format,
  type Call,
} from "../../proto/gen/latchkey/v1/calls_pb.js";
import { Dialect } from "../../proto/gen/latchkey/v1/common_pb.js";
import { Provider_AuthStyle } from "../../proto/gen/latchkey/v1/providers_pb.js";
import { startServerProcess, type ServerProcess } from "../../scripts/lib/server-process.js";
import { ApiError } from "../../tui/api/api-error.js";
import type { Api } from "../../tui/api/services.js";
import { CHAT_REPLY, startUpstreamStub, type UpstreamStub } from "../support/upstream-stub.js";

// One data folder and one server process for the file: the tests follow a newcomer's first hour.
const folder = mkdtempSync(path.join(os.tmpdir(), "latchkey-e2e-"));
const OPENAI_SECRET = "sk-upstream-openai-e2e-7f3a9c51";
const ANTHROPIC_SECRET = "sk-ant-upstream-e2e-b81d20aa";
const MOCK_SECRET = "sk-mock-upstream-e2e-55e1f0c2";
const QUESTION = "say hello";
const ANSWER = "Hello from the mock provider.";

let server: ServerProcess;
let stub: UpstreamStub;
let mock: LLMock;
let clientKey: string;
/** Every secret of this run: none may be in anything that was written. */
const secrets = [OPENAI_SECRET, ANTHROPIC_SECRET, MOCK_SECRET];

before(async () => {
  stub = await startUpstreamStub();
  mock = new LLMock({ port: 0 });
  mock.onMessage(QUESTION, { content: ANSWER });
  await mock.start();
  server = await startServerProcess({ dataFolder: folder, args: ["--log-level", "debug"] });
});

after(async () => {
  await server.stop();
  await mock.stop();
  await stub.close();
  rmSync(folder, { recursive: true, force: true });
});

test("a first start leaves a root key, a database and a socket that only their owner can open", () => {
  for (const name of ["root.key", "latchkey.db", "control.sock"]) {
    assert.equal(statSync(path.join(folder, name)).mode & 0o077, 0, name);
  }
});

test("provider keys and a client key are made over the local socket without a credential", async () => {
  await addProvider(server.api, {
    slug: "stub",
    baseUrl: `${stub.origin}/v1`,
    dialect: Dialect.OPENAI,
    secret: OPENAI_SECRET,
    models: ["stub-chat"],
  });
  await addProvider(server.api, {
    slug: "mock-openai",
    baseUrl: `${mock.url}/v1`,
    dialect: Dialect.OPENAI,
    secret: MOCK_SECRET,
    models: ["gpt-4o"],
  });
  await addProvider(server.api, {
    slug: "mock-anthropic",
    baseUrl: mock.url,
    dialect: Dialect.ANTHROPIC,
    secret: ANTHROPIC_SECRET,
    models: ["claude-haiku-e2e"],
  });
  const made = await server.api.clientKeys.createClientKey({ name: "e2e" });
  clientKey = made.secret;
  secrets.push(clientKey);
  assert.match(clientKey, /^sk-lk_[0-9A-Za-z]{46}$/);
  const { clientKeys } = await server.api.clientKeys.listClientKeys({});
  assert.equal(clientKeys.length, 1);
});

test("the provider gets its own secret and never the caller's key", async () => {
  const reply = await openai().chat.completions.create({
    model: "stub-chat",
    messages: [{ role: "user", content: "hi" }],
  });
  assert.equal(reply.choices[0]?.message.content, "Hello.");
  const received = stub.received.at(-1);
  assert.equal(received?.secret, OPENAI_SECRET);
  assert.ok(!received?.rawHeaders.some((text) => text.includes(clientKey)));
  assert.deepEqual(JSON.parse(CHAT_REPLY).usage.total_tokens, reply.usage?.total_tokens);
});

test("the official OpenAI SDK streams through the proxy", async () => {
  const stream = await openai().chat.completions.create({
    model: "gpt-4o",
    stream: true,
    messages: [{ role: "user", content: QUESTION }],
  });
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? "";
  assert.equal(text, ANSWER);
});

test("both majors of the official Anthropic SDK work, streamed and not", async () => {
  const options = { baseURL: server.proxyUrl, apiKey: clientKey, maxRetries: 0 };
  const request = {
    model: "claude-haiku-e2e",
    max_tokens: 64,
    messages: [{ role: "user" as const, content: QUESTION }],
  };
  const newest = new Anthropic(options).messages;
  assert.deepEqual(textOf((await newest.create(request)).content), ANSWER);
  assert.equal(await newest.stream(request).finalText(), ANSWER);
  const older = new AnthropicOld(options).messages;
  assert.deepEqual(textOf((await older.create(request)).content), ANSWER);
  assert.equal(await older.stream(request).finalText(), ANSWER);
});

test("GET /v1/models lists what the keys can serve", async () => {
  const models = await openai().models.list();
  const ids = models.data.map((model) => model.id);
  assert.ok(ids.includes("stub-chat"), ids.join(" "));
});

test("SDKs see refusals as the errors of their own dialect", async () => {
  const stranger = new OpenAI({ baseURL: `${server.proxyUrl}/v1`, apiKey: "sk-nobody" });
  await assert.rejects(stranger.models.list(), OpenAI.AuthenticationError);
  const request = { model: "no-such-model-anywhere", messages: [] };
  await assert.rejects(openai().chat.completions.create(request), OpenAI.NotFoundError);
  const claude = new Anthropic({ baseURL: server.proxyUrl, apiKey: clientKey, maxRetries: 0 });
  await assert.rejects(
    claude.messages.create({ model: "no-such-model-anywhere", max_tokens: 1, messages: [] }),
    Anthropic.NotFoundError,
  );
});

test("a finished call moves the gauges at the next tick and stands in the log", async () => {
  const watching = new AbortController();
  const updates = server.api.usage.watchOverview({ intervalMs: 250 }, { signal: watching.signal });
  let before: bigint | undefined;
  let callId = "";
  for await (const { overview } of updates) {
    const calls = overview?.gauges?.calls ?? 0n;
    if (before === undefined) {
      before = calls;
      callId = await oneCall();
    } else if (calls > before) {
      break;
    }
  }
  watching.abort();
  await until(async () => (await recorded(callId)) !== undefined);
  const row = await recorded(callId);
  assert.equal(row?.status, Call_Status.SUCCESS);
  assert.equal(row?.providerSlug, "stub");
  assert.equal(row?.tokens?.input, 11n);
  assert.equal(row?.tokens?.output, 7n);
  assert.ok((row?.requestBytes ?? 0n) > 0n && (row?.responseBytes ?? 0n) > 0n);
});

test("everything is still there after kill -9, and every finished call once", async () => {
  const ids = await Promise.all(Array.from({ length: 20 }, () => oneCall()));
  await server.kill();
  server = await startServerProcess({ dataFolder: folder, args: ["--log-level", "debug"] });
  await until(async () => (await Promise.all(ids.map(recorded))).every((row) => row !== undefined));
  const { calls } = await server.api.calls.listCalls({ pageSize: 1000 });
  for (const id of ids) assert.equal(calls.filter((row) => row.id === id).length, 1, id);
  const later = await oneCall();
  await until(async () => (await recorded(later)) !== undefined);
});

test("the call log is filtered by names and numbers, and exported whole", async () => {
  const { calls } = await server.api.calls.listCalls({
    filter: "provider=stub client_key=e2e status=200 tokens>=18 since:1h",
    pageSize: 5,
  });
  assert.equal(calls.length, 5);
  const filter = "model=stub-chat status=200";
  const { totalEstimate } = await server.api.calls.listCalls({ filter });
  const exported = async (format: ExportCallsRequest_Format): Promise<string> => {
    let text = "";
    for await (const { chunk } of server.api.calls.exportCalls({ filter, format })) {
      text += Buffer.from(chunk).toString();
    }
    return text.trim();
  };
  const rows = (await exported(ExportCallsRequest_Format.CSV)).split("\r\n");
  assert.match(rows[0] ?? "", /^id,start_time,client_key_id,/);
  assert.equal(rows.length - 1, Number(totalEstimate));
  const lines = (await exported(ExportCallsRequest_Format.JSONL)).split("\n");
  const records = lines.map((line) => JSON.parse(line) as { provider_slug: string });
  assert.equal(records.length, Number(totalEstimate));
  assert.ok(records.every((record) => record.provider_slug === "stub"));
});

test("a revoked key is refused on the very next request", async () => {
  const { clientKey: record, secret } = await server.api.clientKeys.createClientKey({
    name: "short",
  });
  secrets.push(secret);
  const client = new OpenAI({ baseURL: `${server.proxyUrl}/v1`, apiKey: secret, maxRetries: 0 });
  await client.chat.completions.create({ model: "stub-chat", messages: [] });
  await server.api.clientKeys.revokeClientKey({ id: record?.id ?? "" });
  await assert.rejects(client.chat.completions.create({ model: "stub-chat", messages: [] }), {
    status: 401,
    code: "revoked_api_key",
  });
});

test("no secret of this run is in anything that was written", async () => {
  await server.stop();
  const needles = secrets.flatMap((secret) => [secret, Buffer.from(secret).toString("base64")]);
  const found: string[] = [];
  for (const entry of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const file = path.join(folder, entry);
    if (!statSync(file).isFile()) continue;
    const bytes = readFileSync(file);
    for (const needle of needles) if (bytes.includes(needle)) found.push(entry);
  }
  for (const needle of needles) if (server.log().includes(needle)) found.push("the log");
  assert.deepEqual(found, []);
  server = await startServerProcess({ dataFolder: folder });
});

function openai(): OpenAI {
  return new OpenAI({ baseURL: `${server.proxyUrl}/v1`, apiKey: clientKey, maxRetries: 0 });
}

/** Makes a call that succeeds; answers its id, which is the id of its row. */
async function oneCall(): Promise<string> {
  const { response } = await openai()
    .chat.completions.create({ model: "stub-chat", messages: [] })
    .withResponse();
  return response.headers.get("x-request-id") ?? "";
}

async function recorded(id: string): Promise<Call | undefined> {
  try {
    return (await server.api.calls.getCall({ id })).call;
  } catch (error) {
    if (error instanceof ApiError && error.code === "NOT_FOUND") return undefined;
    throw error;
  }
}

function textOf(content: readonly { type: string; text?: string }[]): string {
  return content.map((block) => block.text ?? "").join("");
}

/** The recorder writes batches a fraction of a second later; ask until it has. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, "it did not become true in time");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function addProvider(
  api: Api,
  made: { slug: string; baseUrl: string; dialect: Dialect; secret: string; models: string[] },
): Promise<void> {
  const { provider } = await api.providers.createProvider({
    slug: made.slug,
    displayName: made.slug,
    baseUrl: made.baseUrl,
    dialect: made.dialect,
    modelPatterns: made.models,
    authStyle:
      made.dialect === Dialect.ANTHROPIC ? Provider_AuthStyle.X_API_KEY : Provider_AuthStyle.BEARER,
  });
  const providerId = provider?.id ?? "";
  await api.providers.upsertModels({
    providerId,
    models: made.models.map((modelId) => ({ modelId })),
  });
  const { secret, slug: name } = made;
  await api.providerKeys.createProviderKey({ providerId, name, secret });
}
