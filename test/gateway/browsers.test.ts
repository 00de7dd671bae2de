import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import AnthropicOld from "anthropic-old";
import OpenAI, { AuthenticationError } from "openai";
import { Fault } from "../../server/core/fault.js";
import {
  CHAT_REPLY,
  chatEvents,
  messageEvents,
  replyEvents,
  replyJson,
  startUpstreamStub,
  type UpstreamStub,
} from "../support/upstream-stub.js";
import { CLIENT_KEY, startGateway, type TestGateway } from "./fixture.js";

// Pages in browsers call as far as their origins are allowed to. `browser` keeps to the rules of fetch for other origins.

const PAGE = "https://app.example";
const OTHER = "https://evil.example";
const LIMIT = "x-ratelimit-remaining-requests";

let stub: UpstreamStub;
let open: TestGateway;
let openToAll: TestGateway;
let closed: TestGateway;
let anthropicSide: TestGateway;

before(async () => {
  stub = await startUpstreamStub();
  const providers = [{ baseUrl: `${stub.origin}/v1` }];
  open = await startGateway({ providers, corsOrigins: ["http://localhost:3000", PAGE] });
  openToAll = await startGateway({ providers, corsOrigins: ["*"] });
  closed = await startGateway({ providers });
  anthropicSide = await startGateway({
    providers: [{ baseUrl: stub.origin, dialect: "ANTHROPIC" }],
    corsOrigins: [PAGE],
  });
});

after(async () => {
  for (const gateway of [open, openToAll, closed, anthropicSide]) await gateway.close();
  await stub.close();
});

beforeEach(() => {
  stub.received.length = 0;
  stub.script = replyJson(200, CHAT_REPLY);
});

const PLAIN_REQUEST = new Set(["accept", "accept-language", "content-language"]);
const PLAIN_ANSWER = ["cache-control", "content-language", "content-length", "content-type"];

function commas(value: string | null): string[] {
  return (value ?? "").split(",").map((each) => each.trim().toLowerCase());
}

function isReadable(answer: Response, origin: string): boolean {
  const allowed = answer.headers.get("access-control-allow-origin");
  return allowed === "*" || allowed === origin;
}

/** As a page's own fetch: asks beforehand, keeps what the page may not read, and sends no cookies. */
function browser(origin: string): typeof fetch {
  return async (input, init = {}) => {
    const url = input instanceof Request ? input.url : String(input);
    const method = init.method ?? "GET";
    const headers = new Headers(init.headers);
    const unusual = [...headers.keys()].filter((name) => !PLAIN_REQUEST.has(name)).toSorted();
    if (unusual.length > 0 || !["GET", "HEAD", "POST"].includes(method)) {
      const asked = await fetch(url, {
        method: "OPTIONS",
        headers: {
          origin,
          "access-control-request-method": method,
          "access-control-request-headers": unusual.join(","),
        },
      });
      const may = commas(asked.headers.get("access-control-allow-headers"));
      const methods = commas(asked.headers.get("access-control-allow-methods"));
      const isAllowed =
        asked.ok &&
        isReadable(asked, origin) &&
        (["GET", "HEAD", "POST"].includes(method) || methods.includes(method.toLowerCase())) &&
        unusual.every((name) => may.includes(name));
      if (!isAllowed) throw new TypeError("Failed to fetch");
    }
    headers.set("origin", origin);
    const answer = await fetch(url, { ...init, headers });
    if (!isReadable(answer, origin)) throw new TypeError("Failed to fetch");
    assert.equal(answer.headers.get("access-control-allow-credentials"), null);
    const exposed = commas(answer.headers.get("access-control-expose-headers"));
    const seen = [...answer.headers].filter(([name]) =>
      [...PLAIN_ANSWER, ...exposed].includes(name),
    );
    return new Response(answer.body, { status: answer.status, headers: seen });
  };
}

function openai(gateway: TestGateway, origin: string): OpenAI {
  return new OpenAI({
    apiKey: CLIENT_KEY,
    baseURL: `${gateway.origin}/v1`,
    fetch: browser(origin),
    maxRetries: 0,
    dangerouslyAllowBrowser: true,
  });
}

const CHAT = { model: "gpt-4o", messages: [{ role: "user" as const, content: "hi" }] };

test("a page of an allowed origin calls with OpenAI's SDK, and reads ids, limits and errors", async () => {
  const client = openai(open, PAGE);
  stub.script = replyJson(200, CHAT_REPLY, { [LIMIT]: "7", "set-cookie": "a=b" });
  const { data, response, request_id } = await client.chat.completions.create(CHAT).withResponse();
  assert.equal(data.choices[0]?.message.content, "Hello.");
  assert.match(request_id ?? "", /^call_/);
  assert.equal(response.headers.get(LIMIT), "7");
  stub.script = replyEvents(chatEvents(["one", "two"]));
  let said = "";
  for await (const chunk of await client.chat.completions.create({ ...CHAT, stream: true })) {
    said += chunk.choices[0]?.delta.content ?? "";
  }
  assert.equal(said, "onetwo");
  assert.equal((await client.files.delete("file-1").catch((thrown) => thrown)).status, undefined);
  assert.equal(stub.received.at(-1)?.method, "DELETE");
  assert.equal(stub.received.at(-1)?.headers["origin"], undefined, "the provider is not told");
  const { refusal } = open.limiter;
  open.limiter.refusal = new Fault("rate_limit_exceeded", "slow", { retryAfterSeconds: 3 });
  const limited = await browser(PAGE)(`${open.origin}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${CLIENT_KEY}`, "content-type": "application/json" },
    body: JSON.stringify(CHAT),
  });
  open.limiter.refusal = refusal;
  assert.equal(limited.status, 429);
  assert.equal(limited.headers.get("retry-after"), "3");
  const stranger = client.withOptions({ apiKey: "sk-lk_unknown" });
  await assert.rejects(stranger.chat.completions.create(CHAT), AuthenticationError);
});

test("a page calls with Anthropic's SDKs and as Google's do", async () => {
  for (const Sdk of [Anthropic, AnthropicOld]) {
    stub.script = replyEvents(messageEvents(["one"]));
    const client = new Sdk({
      apiKey: CLIENT_KEY,
      baseURL: anthropicSide.origin,
      fetch: browser(PAGE),
      maxRetries: 0,
      dangerouslyAllowBrowser: true,
    });
    const body = { model: "m", max_tokens: 9, messages: CHAT.messages };
    const { content } = await (client as Anthropic).messages.stream(body).finalMessage();
    assert.deepEqual(
      content.map((each) => each.type === "text" && each.text),
      ["one"],
    );
    assert.equal(
      stub.received.at(-1)?.headers["anthropic-dangerous-direct-browser-access"],
      "true",
    );
  }
  stub.script = replyJson(200, CHAT_REPLY);
  const answer = await browser(PAGE)(`${open.origin}/v1beta/models/m:generateContent`, {
    method: "POST",
    headers: {
      "x-goog-api-key": CLIENT_KEY,
      "x-goog-api-client": "google-genai-sdk/2.0.0 gl-web/1",
      "content-type": "application/json",
      "x-server-timeout": "60",
    },
    body: JSON.stringify({ contents: [{ parts: [{ text: "hi" }] }] }),
  });
  assert.equal(answer.status, 200);
  assert.match(await answer.text(), /"candidates"/);
});

test("a page of another origin cannot call, and without the option no page can", async () => {
  for (const [gateway, origin] of [
    [open, OTHER],
    [open, "null"],
    [open, `${PAGE}.evil.example`],
    [open, "http://app.example"],
    [closed, PAGE],
  ] as const) {
    await assert.rejects(openai(gateway, origin).chat.completions.create(CHAT), OpenAI.APIError);
    const simple = browser(origin)(`${gateway.origin}/`);
    await assert.rejects(simple, TypeError, "what is not asked beforehand cannot be read");
  }
  assert.equal(stub.received.length, 0);
  const plain = await closed.fetch("/v1/chat/completions", { method: "OPTIONS" });
  assert.deepEqual([plain.status, plain.headers.get("vary")], [405, null]);
});

test("with * any page may call, none with cookies", async () => {
  for (const origin of [PAGE, OTHER, "null"]) {
    const { choices } = await openai(openToAll, origin).chat.completions.create(CHAT);
    assert.equal(choices.length, 1);
  }
});

/** The question beforehand of a call with a key. */
function asks(
  gateway: TestGateway,
  path: string,
  more: Record<string, string> = {},
): Promise<Response> {
  const headers = { origin: PAGE, "access-control-request-method": "POST", ...more };
  return fetch(`${gateway.origin}${path}`, { method: "OPTIONS", headers });
}

test("the question beforehand is answered without a key, is no call, and leaves the connection open", async () => {
  const recorded = open.sink.records.length;
  const answer = await asks(open, "/v1/anything", {
    "access-control-request-headers": "authorization,x-stainless-os,x-of-tomorrow",
    "access-control-request-private-network": "true",
  });
  assert.equal(answer.status, 204);
  assert.deepEqual(
    Object.fromEntries(
      [...answer.headers].filter(([name]) => /^(?:access|vary|connection|content)/.test(name)),
    ),
    {
      "access-control-allow-headers": "authorization,x-stainless-os,x-of-tomorrow",
      "access-control-allow-methods": "GET, HEAD, POST, PATCH, DELETE",
      "access-control-allow-origin": PAGE,
      "access-control-allow-private-network": "true",
      "access-control-expose-headers":
        "access-control-allow-methods, access-control-allow-headers, access-control-allow-private-network, access-control-max-age",
      "access-control-max-age": "7200",
      connection: "keep-alive",
      vary: "origin",
    },
  );
  assert.equal((await asks(closed, "/v1/chat/completions")).status, 405);
  const strange = await asks(open, "/", { origin: OTHER });
  assert.deepEqual([strange.status, strange.headers.get("vary")], [405, "origin"]);
  assert.equal(strange.headers.get("access-control-allow-origin"), null);
  const noQuestion = await open.fetch("/", { method: "OPTIONS", headers: { origin: PAGE } });
  assert.equal(noQuestion.status, 405);
  assert.equal(open.sink.records.length, recorded);
});
